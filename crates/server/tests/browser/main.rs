//! The console in a real browser: Chromium without a window, over WebDriver, against a server, an engine and receivers that
//! live in the test. `scripts/test` starts the driver.

#![allow(clippy::unwrap_used, reason = "all of it is a test: whatever is missing ends it")]

#[path = "../support/mod.rs"]
mod support;

mod axe;
mod journeys;
mod page;
mod site;
mod webdriver;
