//! The binary `bellwire`.
mod app;
mod cli;
mod clock;
mod config;
mod crypt;
mod db;
mod delivery;
mod error;
mod ops;

fn main() {}
