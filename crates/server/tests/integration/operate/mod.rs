//! What an operator does and sees: the real program, started as a process, in a folder of its own.

mod commands;
mod copy;
mod restore;
mod start;
mod stop;
mod watch;

use crate::support::machine::{Machine, number, signal, until};
