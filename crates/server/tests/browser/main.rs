//! The console in a real browser: Chromium without a window, over WebDriver, against a server, an engine and receivers that
//! live in the test.
//!
//! `scripts/test` starts the driver and says where it is (`BELLWIRE_TEST_WEBDRIVER_URL`); without that, a test starts one for
//! itself. With `BELLWIRE_TEST_SCREENSHOTS=FOLDER` the journeys leave pictures there.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

mod journeys;
mod support;
