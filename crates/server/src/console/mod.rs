//! The console: server-rendered pages.

#[allow(dead_code, reason = "the handlers that fill these views come with the next change")]
pub(crate) mod view;
