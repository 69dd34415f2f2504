//! Chromium, driven over WebDriver. Whatever is looked for is waited for; nothing sleeps for a fixed time.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

pub(crate) use thirtyfour::{By, Key};
use thirtyfour::{
    ChromiumLikeCapabilities, WebDriver, WebElement,
    common::capabilities::chrome::ChromeCapabilities,
    prelude::{DesiredCapabilities, ElementQueryable},
};

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(30);
const TRIES: u32 = 600;

/// The driver of this test alone, when `scripts/test` has started none.
struct Chromedriver(Child);

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Chromedriver {
    fn start() -> (Self, String) {
        let child = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("chromedriver is needed: scripts/test installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let rest = line.split_once("started successfully on port ")?.1;
            Some(rest.trim_end_matches('.').to_owned())
        });
        let url = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        (Self(child), url)
    }
}

/// What kind of browser.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kind {
    /// A narrow touch screen of 360 by 740 points.
    pub(crate) narrow: bool,
    /// Without running scripts.
    pub(crate) without_script: bool,
}

/// A window.
pub(crate) struct Browser {
    driver: WebDriver,
    site: String,
    _own: Option<Chromedriver>,
}

impl Browser {
    /// A window of 1280 by 900 points at the site.
    pub(crate) async fn start(site: &str) -> Self {
        Self::of(site, Kind::default()).await
    }

    pub(crate) async fn of(site: &str, kind: Kind) -> Self {
        let (own, url) = match std::env::var("BELLWIRE_TEST_WEBDRIVER_URL") {
            Ok(url) => (None, url),
            Err(_) => {
                let (own, url) = Chromedriver::start();
                (Some(own), url)
            }
        };
        let driver = WebDriver::new(url, capabilities(kind)).await.unwrap();
        Self { driver, site: site.to_owned(), _own: own }
    }

    /// Closes it. A browser that is not closed ends with its driver.
    pub(crate) async fn quit(self) {
        self.driver.quit().await.unwrap();
    }

    pub(crate) async fn open(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.site)).await.unwrap();
    }

    /// Path and query of the page.
    pub(crate) async fn path(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    }

    /// Waits until the page's path and query are `path`.
    pub(crate) async fn at(&self, path: &str) {
        self.until("return location.pathname + location.search === arguments[0]", vec![path.into()]).await;
    }

    /// Waits until a script returns true.
    pub(crate) async fn until(&self, script: &str, arguments: Vec<serde_json::Value>) {
        for _ in 0..TRIES {
            if let Ok(answer) = self.driver.execute(script, arguments.clone()).await
                && answer.json().as_bool() == Some(true)
            {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
        let (path, text) = (self.path().await, self.text("body").await);
        panic!("waited in vain for {script} {arguments:?}\nat {path}:\n{text}");
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> serde_json::Value {
        self.driver.execute(script, vec![]).await.unwrap().json().clone()
    }

    /// The first element that can be seen.
    pub(crate) async fn see(&self, css: &str) -> WebElement {
        let found = self.driver.query(By::Css(css)).wait(PATIENCE, AGAIN).and_displayed().first().await;
        match found {
            Ok(element) => element,
            Err(error) => {
                let (path, text) = (self.path().await, self.driver.source().await.unwrap_or_default());
                panic!("{css} can't be seen at {path}: {error}\n{text}")
            }
        }
    }

    /// Waits until nothing of this can be seen.
    pub(crate) async fn gone(&self, css: &str) {
        let script = "return ![...document.querySelectorAll(arguments[0])].some((it) => it.checkVisibility())";
        self.until(script, vec![css.into()]).await;
    }

    /// Waits until the text of an element contains `text`.
    pub(crate) async fn says(&self, css: &str, text: &str) {
        let script =
            "return [...document.querySelectorAll(arguments[0])].some((it) => it.innerText.includes(arguments[1]))";
        self.until(script, vec![css.into(), text.into()]).await;
    }

    /// Waits until an attribute has a value.
    pub(crate) async fn has(&self, css: &str, attribute: &str, value: &str) {
        let script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) === arguments[2]";
        self.until(script, vec![css.into(), attribute.into(), value.into()]).await;
    }

    /// Clicks what can be seen, once nothing lies over it. The page may be replaced between looking and clicking.
    pub(crate) async fn click(&self, css: &str) {
        for _ in 0..TRIES {
            let element = self.see(css).await;
            let clicked = async {
                element.scroll_into_view().await?;
                element.click().await
            };
            match clicked.await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        panic!("{css} can't be clicked at {}", self.path().await);
    }

    /// Puts the mouse over an element.
    pub(crate) async fn hover(&self, css: &str) {
        let element = self.see(css).await;
        self.driver.action_chain().move_to_element_center(&element).perform().await.unwrap();
    }

    /// Replaces what is in a field.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.see(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: impl Into<thirtyfour::TypingData>) {
        self.driver.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Waits until the element of this id has the focus.
    pub(crate) async fn focused(&self, id: &str) {
        self.until("return document.activeElement?.id === arguments[0]", vec![id.into()]).await;
    }

    /// The text of the first such element, seen or not; empty when there is none.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let answer = self.driver.execute(script, vec![css.into()]).await.unwrap();
        answer.json().as_str().unwrap_or_default().to_owned()
    }

    /// The texts of all such elements.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((it) => it.innerText.trim())";
        let answer = self.driver.execute(script, vec![css.into()]).await.unwrap();
        serde_json::from_value(answer.json().clone()).unwrap()
    }

    /// How opaque an element is now, once it has come to rest.
    pub(crate) async fn is_shown(&self, css: &str, shown: bool) {
        let script = "const it = document.querySelector(arguments[0]); let opacity = 1; \
                      for (let up = it; up; up = up.parentElement) opacity *= getComputedStyle(up).opacity; \
                      return (opacity > 0.99) === arguments[1] && (opacity < 0.01) !== arguments[1]";
        self.until(script, vec![css.into(), shown.into()]).await;
    }

    /// Keeps a picture of the window, when somebody wants pictures.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("BELLWIRE_TEST_SCREENSHOTS").map(PathBuf::from) else { return };
        std::fs::create_dir_all(&folder).unwrap();
        // What moves comes to rest first.
        self.until("return document.getAnimations().every((it) => it.playState !== 'running')", vec![]).await;
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
    }

    /// The colours of the page, without asking the server.
    pub(crate) async fn colours(&self, theme: &str) {
        self.driver.execute("document.documentElement.dataset.theme = arguments[0]", vec![theme.into()]).await.unwrap();
    }
}

fn capabilities(kind: Kind) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1280,900",
        "--lang=en-GB",
    ];
    for argument in arguments {
        capabilities.add_arg(argument).unwrap();
    }
    if !kind.narrow {
        // A machine without a mouse would count as a touch screen, where everything is shown without hovering.
        let mouse =
            "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4";
        capabilities.add_arg(mouse).unwrap();
    }
    if kind.narrow {
        let screen =
            serde_json::json!({"deviceMetrics": {"width": 360, "height": 740, "pixelRatio": 1.0, "touch": true}});
        capabilities.add_experimental_option("mobileEmulation", screen).unwrap();
    }
    let script = if kind.without_script { 2 } else { 1 };
    let settings = serde_json::json!({"profile.managed_default_content_settings.javascript": script});
    capabilities.add_experimental_option("prefs", settings).unwrap();
    capabilities
}
