//! The binary `bellwire`.

fn main() {}
