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

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
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
    _profile: TempDir,
}

/// What kind of browser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// The page area, in CSS pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// A screen that is touched instead of a mouse that can hover.
    pub(crate) touch: bool,
    /// Whether it runs scripts.
    pub(crate) scripts: bool,
}

impl Kind {
    /// As most desks have.
    pub(crate) const DESK: Self = Self { width: 1280, height: 900, touch: false, scripts: true };
    /// As narrow as it gets.
    pub(crate) const PHONE: Self = Self { width: 360, height: 740, touch: true, scripts: true };
    /// A desk where scripts are turned off.
    pub(crate) const WITHOUT_SCRIPTS: Self = Self { scripts: false, ..Self::DESK };
}

impl Browser {
    /// Starts a browser of this kind.
    ///
    /// # Panics
    ///
    /// When no driver is named, and when the browser does not start.
    pub(crate) async fn of(kind: Kind) -> Self {
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
        if !kind.touch {
            // A machine without a mouse would count as a screen that is touched, where everything is shown without hovering.
            let mouse = "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4";
            wanted.add_arg(&format!("--blink-settings={mouse}")).expect("an argument is text");
        }
        let scripts = if kind.scripts { 1 } else { 2 };
        let settings = json!({"profile.managed_default_content_settings.javascript": scripts});
        wanted.add_experimental_option("prefs", settings).expect("an option is JSON");
        // A window cannot be narrower than 500 pixels, and the page has less than its height. A page area can be any size.
        let area = json!({"width": kind.width, "height": kind.height, "pixelRatio": 1, "mobile": kind.touch, "touch": kind.touch});
        wanted.add_experimental_option("mobileEmulation", json!({"deviceMetrics": area})).expect("an option is JSON");
        let driver = WebDriver::new(url.as_str(), wanted).await.expect("the browser starts");
        Self { driver, url, _profile: profile }
    }

    /// Keeps a picture of the window as `NAME.png` in the folder `BELLWIRE_TEST_SCREENSHOTS`; does nothing without one.
    pub(crate) async fn screenshot(&self, name: &str) {
        let Some(folder) = env::var_os("BELLWIRE_TEST_SCREENSHOTS").map(PathBuf::from) else { return };
        fs::create_dir_all(&folder).expect("the folder for screenshots can be made");
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.expect("a screenshot");
    }

    /// Keeps a picture of the page (of its upper 1,200 pixels when it is longer, of the window when a dialog is open), as `NAME.webp` in the folder
    /// `BELLWIRE_TEST_SCREENS`; does nothing without one.
    pub(crate) async fn screen(&self, name: &str) {
        let Some(folder) = env::var_os("BELLWIRE_TEST_SCREENS").map(PathBuf::from) else { return };
        fs::create_dir_all(&folder).expect("the folder for pictures can be made");
        let size = "const most = document.querySelector('dialog[open]') ? innerHeight : 1200; \
                    return [innerWidth, Math.min(document.documentElement.scrollHeight, most)]";
        let size = self.driver.execute(size, vec![]).await.expect("a size").json().clone();
        // Wide ones are made smaller: they can still be read.
        let scale = if size[0].as_u64() > Some(1_000) { 0.8 } else { 1.0 };
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": scale});
        let wanted = json!({"format": "webp", "quality": 45, "captureBeyondViewport": true, "clip": clip});
        let picture = self.command("Page.captureScreenshot", wanted).await;
        let picture = STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
        fs::write(folder.join(format!("{name}.webp")), picture).expect("a picture can be written");
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn command(&self, name: &str, arguments: Value) -> Value {
        self.driver.cdp().send_raw(name, arguments).await.expect("the browser obeys")
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
