//! The tests that look at the console with a real browser.

#[path = "../support/mod.rs"]
mod support;

use support::{
    receiver::{Answer, Receiver},
    webdriver::Browser,
};
use thirtyfour::By;

/// What all other tests here take for granted: a page is fetched, drawn in a window of the size asked for, and its script
/// runs; and two browsers know nothing of each other.
#[tokio::test]
async fn a_browser_shows_a_page() {
    let site = Receiver::start().await;
    site.answer_with(|request| match request.path.as_str() {
        "/" => Answer::status(200)
            .header("content-type", "text/html; charset=utf-8")
            .header("set-cookie", "seen=yes")
            .body("<!doctype html><title>Ring</title><h1>…</h1><script src=/page.js></script>"),
        "/page.js" => Answer::status(200)
            .header("content-type", "text/javascript; charset=utf-8")
            .body("document.querySelector('h1').textContent = `${innerWidth} × ${innerHeight}`"),
        _ => Answer::status(404),
    });

    let browser = Browser::with_window(360, 640).await;
    browser.goto(site.url()).await.unwrap();
    assert_eq!(browser.title().await.unwrap(), "Ring");
    assert_eq!(browser.find(By::Css("h1")).await.unwrap().text().await.unwrap(), "360 × 640");
    browser.screenshot("a_browser_shows_a_page").await;

    let other = Browser::start().await;
    other.goto(site.url()).await.unwrap();
    assert_eq!(other.find(By::Css("h1")).await.unwrap().text().await.unwrap(), "1280 × 900");
    let cookies: Vec<_> =
        site.received().iter().filter(|r| r.path == "/").map(|r| r.header("cookie").is_some()).collect();
    assert_eq!(cookies, [false, false]);

    other.quit().await;
    browser.quit().await;
}
