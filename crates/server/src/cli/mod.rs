//! The commands of `bellwire`.

pub mod bootstrap;
pub mod listen;
