//! Bellwire: the Webhooks page of an account console, and everything that has to be true behind it.
//!
//! The binary `bellwire` is [`cli::main`]; tests start the same application in their own process.
//!
//! Dependencies point one way: `core ← db ← ops ← {api, console, delivery} ← cli`.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod crypt;
pub mod db;
pub mod delivery;
pub mod error;
pub mod metrics;
pub mod ops;
pub mod password;
pub mod places;
pub mod routes;
#[cfg(test)]
mod testing;
pub mod time_limit;
