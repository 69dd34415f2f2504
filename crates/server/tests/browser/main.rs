//! The console in a real browser: Chromium without a window, over WebDriver, against a server, an engine and receivers that
//! live in the test. `scripts/test` starts the driver.

#[path = "../support/mod.rs"]
mod support;

mod journeys;
mod page;
mod site;
mod webdriver;
