//! What the tests stand on: a database of their own, a receiver of webhooks, a client.
//!
//! Each of them is started by the test that needs it, is that test's alone, and is gone when the test's value is dropped.
//! The servers behind them (PostgreSQL, the browser's driver) are started by `scripts/test`, which says where they are in
//! environment variables.

#![allow(dead_code, reason = "each test binary includes all of it and uses a part")]

pub(crate) mod client;
pub(crate) mod ledger;
pub(crate) mod machine;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod receiver;
