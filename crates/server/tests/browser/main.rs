//! The console in a real browser: Chromium without a window, over WebDriver, against a server, an engine and receivers that
//! live in the test. `scripts/test` starts the driver.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod journeys;
mod page;
mod site;
mod webdriver;
