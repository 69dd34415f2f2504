//! The command line.
pub mod listen;
