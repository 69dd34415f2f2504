//! The pure half of Bellwire: its words, rules and decisions.
//!
//! Nothing here reads a clock, draws a random number, opens a connection or waits. Everything is a function of its
//! arguments, so every rule can be tested to the last case, and the same inputs always give the same outcome.

pub mod address;
pub mod catalogue;
pub mod delivery;
pub mod event;
pub mod id;
pub mod json;
pub mod license;
pub mod permission;
pub mod retry;
pub mod sign;
pub mod text;
pub mod time;
pub mod webhook_url;
