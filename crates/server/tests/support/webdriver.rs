//! A real browser: Chromium without a window, led through the WebDriver protocol.
//!
//! The driver is the one that `scripts/test` starts and names in `BELLWIRE_TEST_WEBDRIVER_URL`. Every browser has a
//! profile of its own in a temporary folder, so nothing (cookies, storage, cache) goes from one test to another.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    ops::Deref,
    path::PathBuf,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};
use url::Url;

/// A browser with one window. As a [`WebDriver`] it can do everything that one can.
///
/// Ended by [`Browser::quit`], or when it is dropped, as by a test that fails.
pub(crate) struct Browser {
    driver: WebDriver,
    /// Of the driver.
    url: Url,
    profile: TempDir,
}

impl Browser {
    /// Starts a browser with a window as wide and high as most desks have.
    pub(crate) async fn start() -> Self {
        Self::with_window(1280, 900).await
    }

    /// Starts a browser with a page area of this size, in CSS pixels.
    ///
    /// # Panics
    ///
    /// When no driver is named, and when the browser does not start.
    pub(crate) async fn with_window(width: u32, height: u32) -> Self {
        let url = env::var("BELLWIRE_TEST_WEBDRIVER_URL").expect("run scripts/test, which starts chromedriver");
        let url = Url::parse(&url).expect("BELLWIRE_TEST_WEBDRIVER_URL is a URL");
        let profile = tempfile::Builder::new().prefix("bellwire-browser-").tempdir().expect("a temporary folder");
        let mut wanted = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox", // tests may run as root
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            &format!("--user-data-dir={}", profile.path().display()),
        ] {
            wanted.add_arg(argument).expect("an argument is text");
        }
        // A window cannot be narrower than 500 pixels, and the page has less than its height. A page area can be any size.
        let area = json!({"width": width, "height": height, "pixelRatio": 1, "mobile": false, "touch": false});
        wanted.add_experimental_option("mobileEmulation", json!({"deviceMetrics": area})).expect("an option is JSON");
        let driver = WebDriver::new(url.as_str(), wanted).await.expect("the browser starts");
        Self { driver, url, profile }
    }

    /// Keeps a picture of the window as `NAME.png` in the folder `BELLWIRE_TEST_SCREENSHOTS`; does nothing without one.
    pub(crate) async fn screenshot(&self, name: &str) {
        let Some(folder) = env::var_os("BELLWIRE_TEST_SCREENSHOTS").map(PathBuf::from) else { return };
        fs::create_dir_all(&folder).expect("the folder for screenshots can be made");
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.expect("a screenshot");
    }

    /// Ends the browser.
    pub(crate) async fn quit(self) {
        self.driver.clone().quit().await.expect("the browser quits");
    }

    /// Asks the driver to end the browser, on a connection that needs no runtime.
    fn end(&self) -> io::Result<()> {
        let address = self.url.socket_addrs(|| None)?;
        let mut stream = TcpStream::connect(&*address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let session = self.driver.session_id();
        write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: {}\r\n\r\n", address[0])?;
        let mut answer = String::new(); // its first line; it does not close the connection when asked
        BufReader::new(stream).read_line(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other(answer)) }
    }
}

/// Ends the browser of a test that fails. The driver's own way would wait in vain for the test's runtime, which is busy
/// with dropping. Afterwards the profile goes with its folder.
impl Drop for Browser {
    fn drop(&mut self) {
        if self.driver.clone().leak().is_ok()
            && let Err(error) = self.end()
        {
            eprintln!("a browser is left behind: {error}");
        }
    }
}

impl Deref for Browser {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}
