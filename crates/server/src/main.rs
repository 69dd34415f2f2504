//! The binary `bellwire`.
mod app;
mod clock;
mod config;
mod crypt;
mod db;
mod error;
mod ops;

fn main() {}
