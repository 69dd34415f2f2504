//! Bellwire as a library: the binary `bellwire` is [`cli::main`], and tests start the same application in their own process.
//!
//! Dependencies point one way: `db` ← `ops` ← `api`, `console` and `delivery` ← `cli`. The last three never use each other.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypt;
pub mod db;
pub mod error;
pub mod ops;
