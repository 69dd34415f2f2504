//! What tests of `ops` stand on: an [`App`] on a fresh database, with a clock that stands still and seeded randomness.
