//! The engine against real receivers on this machine, a real database file, and a clock that is moved by hand.
//!
//! Nothing sleeps: tests wait for conditions, and a guard ends those that wait in vain.

mod addresses;
mod claims;
mod clocks;
mod engines;
mod faults;
mod hostile;
mod limits;
mod nodes;
mod receiver;
mod recovery;
mod retries;
pub(super) mod simulation;
mod status;
pub(super) mod table;
mod tls;
mod world;
