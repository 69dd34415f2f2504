//! The session, the colours, and the message for the next page.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bellwire::crypt::MasterKey;

use super::browser::{Console, HERE};

#[tokio::test]
async fn scripts_other_sites_and_other_hosts_never_get_them() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let out = ann.post("/sign-out", &[]).await;
    let theme = ann.post("/theme", &[("theme", "dark"), ("return_to", "/sign-in")]).await.leads_to("/sign-in");
    let cookies: Vec<&str> = [out.set_cookies(), theme.set_cookies()].concat();
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    for cookie in cookies {
        assert!(cookie.contains("; Path=/; ") && cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
        assert!(!cookie.contains("Secure"), "plain http: {cookie}");
    }
    ann.get("/sign-in").await.is(200).says("data-theme=\"dark\"");
}

#[tokio::test]
async fn over_https_they_are_secure_and_of_this_host() {
    let console = Console::at("https://hooks.example.com").await;
    let mut browser = console.browser();
    let answer = browser.post_with("/theme", &[("theme", "dark")], &[("sec-fetch-site", "same-origin")]).await;
    let [cookie] = answer.set_cookies()[..] else { panic!("one cookie") };
    assert!(cookie.starts_with("__Host-theme=dark; Path=/; ") && cookie.ends_with("; Secure"), "{cookie}");
    // A sibling host can set the plain name: it counts for nothing here.
    browser.cookies.clear();
    browser.cookies.insert("theme".to_owned(), "dark".to_owned());
    browser.get("/sign-in").await.is(200).says("data-theme=\"system\"");
}

#[tokio::test]
async fn unknown_colours_are_the_systems() {
    let console = Console::new().await;
    let mut browser = console.browser();
    browser.cookies.insert("theme".to_owned(), "\"><script>".to_owned());
    browser.get("/sign-in").await.is(200).says("data-theme=\"system\"").keeps_silent_about("\"><script>");
    browser.post("/theme", &[("theme", "a; Domain=evil.test"), ("return_to", "//evil.test")]).await.leads_to("/");
    assert_eq!(browser.cookies["theme"], "system");
}

#[tokio::test]
async fn a_message_is_shown_once_and_soon() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    ann.post("/profile", &[("name", "Ann B. Lee")]).await.leads_to("/profile");
    let kept = ann.cookies["flash"].clone();
    ann.get("/profile").await.says("Your name was changed.");
    ann.get("/profile").await.keeps_silent_about("Your name was changed.");
    ann.cookies.insert("flash".to_owned(), kept.clone());
    console.clock.advance(Duration::from_secs(61));
    ann.get("/profile").await.keeps_silent_about("Your name was changed.");
}

#[tokio::test]
async fn nobody_else_can_make_a_page_say_something() {
    let console = Console::new().await;
    let mut browser = console.browser();
    let text = br#"{"until":"2027-01-01T00:00:00Z","error":false,"text":"Call 555-0100 now","link":null}"#;
    let foreign = MasterKey::from_bytes([8; 32]).seal(&console.random, "console/flash", text);
    let elsewhere = console.key.seal(&console.random, "ws_1/webhooks.secret/wh_1", text);
    let garbage = [text.to_vec(), foreign, elsewhere, Vec::new(), vec![0; 24]];
    for planted in garbage.iter().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).chain(["Call 555-0100 now".to_owned()]) {
        browser.cookies.insert("flash".to_owned(), planted);
        browser.get("/sign-in").await.is(200).keeps_silent_about("555-0100");
        browser.get(&format!("{HERE}/sign-in")).await.is(200).keeps_silent_about("555-0100");
    }
}
