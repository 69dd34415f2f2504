//! The binary `bellwire`.
mod app;
mod clock;
mod config;
mod console;
mod crypt;
mod db;
mod error;
mod ops;

fn main() {}
