//! What is on the screen. Whatever is looked for is waited for; nothing waits for a fixed time.

use std::time::Duration;

use bellwire::clock::Clock;
use serde_json::json;
use thirtyfour::{By, Key, TypingData, WebElement};

use crate::{
    site::Site,
    webdriver::{Browser, Kind},
};

/// Something may take 20 seconds or so to appear.
const AGAIN: Duration = Duration::from_millis(30);
const TRIES: u32 = 600;

/// A window that shows a page of the site.
pub(crate) struct Page {
    browser: Browser,
    site: String,
    clock: Clock,
}

impl Page {
    /// A new browser.
    pub(crate) async fn of(site: &Site, kind: Kind) -> Self {
        Self { browser: Browser::of(kind).await, site: site.url.clone(), clock: site.app.clock.clone() }
    }

    /// Ends the browser.
    pub(crate) async fn quit(self) {
        self.browser.quit().await;
    }

    pub(crate) async fn open(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.site)).await.unwrap();
    }

    /// Path and query of the page.
    pub(crate) async fn path(&self) -> String {
        let url = self.browser.current_url().await.unwrap();
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
            if let Ok(answer) = self.browser.execute(script, arguments.clone()).await
                && answer.json().as_bool() == Some(true)
            {
                return;
            }
            // A little time passes for the server too: it tells open pages of changes a few times a second.
            self.clock.advance(Duration::from_millis(10));
            tokio::time::sleep(AGAIN).await;
        }
        let (path, text) = (self.path().await, self.text("body").await);
        panic!("waited in vain for {script} {arguments:?}\nat {path}:\n{text}");
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> serde_json::Value {
        self.run(script, vec![]).await
    }

    /// What a script with arguments returns; of a promise, what it comes to.
    pub(crate) async fn run(&self, script: &str, arguments: Vec<serde_json::Value>) -> serde_json::Value {
        self.browser.execute(script, arguments).await.unwrap().json().clone()
    }

    /// Makes the page area another size, in CSS pixels.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let area = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.browser.command("Emulation.setDeviceMetricsOverride", area).await;
        self.until("return innerWidth === arguments[0]", vec![width.into()]).await;
    }

    /// What the reader asked of the system, for example `forced-colors: active`.
    pub(crate) async fn wants(&self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.browser.command("Emulation.setEmulatedMedia", features).await;
        let script = "return matchMedia(`(${arguments[0]}: ${arguments[1]})`).matches";
        self.until(script, vec![feature.into(), value.into()]).await;
    }

    /// Another theme, as if the reader had chosen it.
    pub(crate) async fn theme(&self, theme: &str) {
        self.run("document.documentElement.dataset.theme = arguments[0]", vec![theme.into()]).await;
    }

    /// Waits until nothing moves any more.
    pub(crate) async fn at_rest(&self) {
        let rests = "return document.readyState === 'complete' && document.getAnimations().every((it) => it.playState !== 'running')";
        self.until(rests, vec![]).await;
    }

    /// Presses Tab until an element has the focus that matches: so it can be reached by the keyboard.
    pub(crate) async fn tab_to(&self, css: &str) {
        for _ in 0..120 {
            if self.run("return document.activeElement.matches(arguments[0])", vec![css.into()]).await == true {
                return;
            }
            self.press(Key::Tab + "").await;
        }
        panic!("{css} can't be reached with Tab at {}:\n{}", self.path().await, self.text("body").await);
    }

    /// Waits until an element has the focus that matches.
    pub(crate) async fn focus_is_on(&self, css: &str) {
        self.until("return document.activeElement.matches(arguments[0])", vec![css.into()]).await;
    }

    /// The first element that can be seen, or would be if somebody pointed there: the actions of a row are see-through until then,
    /// and a click comes with the pointer. The page may be replaced while it is looked at.
    pub(crate) async fn see(&self, css: &str) -> WebElement {
        for _ in 0..TRIES {
            let found = self.browser.find_all(By::Css(css)).await.unwrap_or_default();
            for element in found {
                if element.is_displayed().await.unwrap_or(false) {
                    return element;
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        let (path, text) = (self.path().await, self.text("body").await);
        panic!("{css} can't be seen at {path}:\n{text}");
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
        self.browser.action_chain().move_to_element_center(&element).perform().await.unwrap();
    }

    /// Replaces what is in a field.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.see(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: impl Into<TypingData>) {
        let keys: String = keys.into().as_vec().into_iter().collect();
        for _ in 0..TRIES {
            // The page may be replaced in between: then nothing was pressed.
            match self.browser.active_element().await.unwrap().send_keys(&keys).await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        panic!("nothing takes the keys at {}", self.path().await);
    }

    /// Waits until the element of this id has the focus.
    pub(crate) async fn focused(&self, id: &str) {
        self.until("return document.activeElement?.id === arguments[0]", vec![id.into()]).await;
    }

    /// The text of the first such element, seen or not; empty when there is none.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let answer = self.browser.execute(script, vec![css.into()]).await.unwrap();
        answer.json().as_str().unwrap_or_default().to_owned()
    }

    /// The texts of all such elements.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((it) => it.innerText.trim())";
        let answer = self.browser.execute(script, vec![css.into()]).await.unwrap();
        serde_json::from_value(answer.json().clone()).unwrap()
    }

    /// How opaque an element is now, once it has come to rest.
    pub(crate) async fn is_shown(&self, css: &str, shown: bool) {
        let script = "const it = document.querySelector(arguments[0]); let opacity = 1; \
                      for (let up = it; up; up = up.parentElement) opacity *= getComputedStyle(up).opacity; \
                      return (opacity > 0.99) === arguments[1] && (opacity < 0.01) !== arguments[1]";
        self.until(script, vec![css.into(), shown.into()]).await;
    }

    /// Keeps a picture of the whole page as a small file, when somebody wants the pictures for the documentation.
    pub(crate) async fn screen(&self, name: &str) {
        self.at_rest().await;
        self.browser.screen(name).await;
    }

    /// Keeps a picture of the window, when somebody wants pictures.
    pub(crate) async fn picture(&self, name: &str) {
        if std::env::var_os("BELLWIRE_TEST_SCREENSHOTS").is_some() {
            self.at_rest().await;
            self.browser.screenshot(name).await;
        }
    }
}
