//! The binary `bellwire`.
mod db;

fn main() {}
