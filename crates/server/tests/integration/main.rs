//! The tests that see the server from outside, and those that read its source. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod architecture;
mod console;
mod full_disk;
mod ground;
mod hostile;
mod kill_nine;
mod matrix;
mod nodes;
mod operate;
mod postgres;
