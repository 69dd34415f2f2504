//! The API as programs see it: a real server on a loopback port, requests over TCP, whole answers.
//!
//! Each test runs on SQLite, and on PostgreSQL too when `BELLWIRE_TEST_POSTGRES_URL` names one. The clock stands still, so
//! times are part of the snapshots; ids and secrets are not, and are shown as `…`.

mod addresses;
mod bad_input;
mod cascades;
mod catalogue;
mod documents;
mod events;
mod license;
mod people;
mod receivers;
mod refusals;
mod webhooks;
mod world;
