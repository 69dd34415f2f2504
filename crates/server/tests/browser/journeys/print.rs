//! What comes out of a printer: the page as it is styled for paper, in the width of a sheet.

use bellwire::ops::webhooks;
use bellwire_core::{catalogue::EventType, text::Reason};

use super::{Journey, journey, tour::OUTSIDE};
use crate::webdriver::Kind;

/// A4 less its margins.
const SHEET: Kind = Kind { width: 688, height: 980, touch: false, scripts: true };

/// Shows the page as a printer would get it: rules for paper count, rules for screens don't.
const ON_PAPER: &str = "const walk = (rules) => { for (const rule of rules) { \
     if (rule.media) rule.media.mediaText = { print: 'all', screen: 'not all' }[rule.media.mediaText] ?? rule.media.mediaText; \
     if (rule.cssRules) walk(rule.cssRules); } }; \
     for (const sheet of document.styleSheets) walk(sheet.cssRules); return true";

impl Journey {
    /// Opens a page and puts it on paper: no navigation, nothing to press, nothing that sticks out.
    async fn prints(&self, path: &str, picture: &str) {
        let browser = &self.browser;
        browser.open(path).await;
        browser.see("h1").await;
        browser.until(ON_PAPER, vec![]).await;
        for screen_only in [".topbar", ".nav", ".filters", ".button", ".icon-button", ".switch", ".select", ".exports"]
        {
            browser.gone(screen_only).await;
        }
        let outside: Vec<String> = serde_json::from_value(browser.script(OUTSIDE).await).unwrap();
        assert!(outside.is_empty(), "{path} {outside:?}");
        let head = "const head = document.querySelector('thead'); \
                    return !head || getComputedStyle(head).display === 'table-header-group'";
        browser.until(head, vec![]).await;
        browser.picture(picture).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_has_words_whole_urls_and_headings_on_each_sheet() {
    journey(SHEET, async |it: &Journey| {
        let browser = &it.browser;
        let long = "https://very-long-subdomain-for-the-sake-of-the-test.example.net/a/rather/long/path/that/goes/on/and/on";
        let off = it.webhook(long, &["*"]).await;
        let why = Reason::parse("We are moving.").unwrap();
        webhooks::deactivate(&it.site.app, &it.site.ann, off.id, why).await.unwrap();
        let on = it.webhook(&it.receiver.url(), &["user.*"]).await;
        it.happens(EventType::USER_BLOCKED).await;
        it.receiver.wait_for(1).await;

        it.prints("/webhooks", "print-webhooks").await;
        browser.says(&format!("#{} .status-word", off.id), "Inactive").await;
        browser.says(&format!("#{} .status-word", on.id), "Active").await;
        browser.gone(".guide").await;
        // Nothing of a URL is hidden, and no cell runs into the next.
        let whole = "return [...document.querySelectorAll('.url')].every((it) => it.innerText.replaceAll(/\\s/g, '') === it.title) \
                     && [...document.querySelectorAll('td, th')].every((it) => it.scrollWidth <= it.clientWidth + 1)";
        browser.until(whole, vec![]).await;
        it.prints(&format!("/webhooks/{}", on.id), "print-webhook").await;
        it.prints("/events", "print-events").await;
    })
    .await;
}
