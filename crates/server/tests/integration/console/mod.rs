//! The console as a browser sees it: each file follows the paths of the pages.

#![allow(clippy::unwrap_used, reason = "in a test, what fails says so")]

mod api_keys;
mod browser;
mod cookies;
mod events;
mod full_disk;
mod guard;
mod invites;
mod license;
mod live;
mod ownership;
mod roles;
mod settings;
mod sign_in;
mod users;
mod webhooks;
