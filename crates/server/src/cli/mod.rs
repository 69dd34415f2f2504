//! The commands of `bellwire`.

pub mod bootstrap;
