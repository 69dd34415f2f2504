//! `/setup`, `/sign-in`, `/sign-out`, `/workspaces`, and what becomes of sessions.

use std::time::Duration;

use super::browser::{Console, PASSWORD};

const ANN: [(&str, &str); 2] = [("email", "ann@example.com"), ("password", PASSWORD)];

#[tokio::test]
async fn the_set_up_link_works_once() {
    let console = Console::new().await;
    let link = bellwire::ops::setup::link(&console).await.unwrap().unwrap();
    let path = link.strip_prefix(super::browser::HERE).unwrap();
    let token = link.split_once("token=").unwrap().1;
    let mut browser = console.browser();
    browser.get("/setup?token=wrong").await.is(410);
    browser.get("/setup").await.is(410);
    browser.get(path).await.is(200).says("Set up Bellwire");

    let mut form = vec![("token", token), ("workspace", " "), ("name", "Ann \"A\" Lee"), ("email", "ann")];
    form.push(("password", "too short"));
    let refused = browser.post("/setup", &form).await.is(422);
    refused
        .says("Must not be empty.")
        .says("Must be an e-mail address")
        .says("Ann &#34;A&#34; Lee")
        .keeps_silent_about("too short");

    let form = [("token", token), ("workspace", "Acme"), ("name", "Ann Lee"), ("email", "ann@example.com")];
    let form = [&form[..], &[("password", PASSWORD)]].concat();
    browser.post("/setup", &form).await.leads_to("/");
    browser.follow("/").await.is(200);
    console.browser().get(path).await.is(410);
    console.browser().post("/setup", &form).await.is(410);
    assert!(bellwire::ops::setup::link(&console).await.unwrap().is_none());
}

#[tokio::test]
async fn one_signs_out_and_in_again() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let old = ann.cookies.clone();
    ann.post("/sign-out", &[]).await.leads_to("/sign-in");
    ann.get("/sign-in").await.says("You are signed out.");
    ann.get("/users?q=a&page=2").await.leads_to("/sign-in?return_to=%2Fusers%3Fq%3Da%26page%3D2");
    ann.cookies = old;
    ann.get("/users").await.leads_to("/sign-in?return_to=%2Fusers");

    let mut ann = console.browser();
    let back = [&ANN[..], &[("return_to", "/users?q=a")]].concat();
    ann.post("/sign-in", &back).await.leads_to("/users?q=a");
    ann.get("/users").await.is(200).says("ann@example.com");
    ann.get("/sign-in?return_to=/profile").await.leads_to("/profile");
}

#[tokio::test]
async fn the_way_back_never_leaves_the_console() {
    let console = Console::new().await;
    console.owner().await;
    for away in ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "\t//evil.test", "evil"] {
        let form = [&ANN[..], &[("return_to", away)]].concat();
        console.browser().post("/sign-in", &form).await.leads_to("/");
        let query = url::form_urlencoded::byte_serialize(away.as_bytes()).collect::<String>();
        console.browser().get(&format!("/sign-in?return_to={query}")).await.is(200).keeps_silent_about("evil");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let console = Console::new().await;
    console.owner().await;
    let mut pages = Vec::new();
    for email in ["ann@example.com", "eve@example.com", "not an address"] {
        let answer = console.browser().post("/sign-in", &[("email", email), ("password", "wrong wrong wrong")]).await;
        pages.push(answer.is(422).keeps_silent_about("wrong wrong").body.replace(email, "…"));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
}

#[tokio::test]
async fn after_ten_failures_one_waits() {
    let console = Console::new().await;
    console.owner().await;
    let mut eve = console.browser();
    let form = [("email", "ann@example.com"), ("password", "wrong wrong wrong")];
    for _ in 0..10 {
        eve.post("/sign-in", &form).await.is(422);
    }
    let page = eve.post("/sign-in", &form).await.is(429);
    assert!(page.headers.contains_key("retry-after"));
    page.says("Too many tries. Wait ").says("role=\"alert\"");
    // The right password doesn't help while the address is locked; later it does.
    eve.post("/sign-in", &ANN).await.is(429);
    console.clock.advance(Duration::from_secs(15 * 60 + 1));
    eve.post("/sign-in", &ANN).await.leads_to("/");
}

#[tokio::test]
async fn sessions_end_after_two_weeks() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    console.clock.advance(Duration::from_secs(14 * 24 * 60 * 60 - 1));
    ann.get("/users").await.is(200);
    console.clock.advance(Duration::from_secs(2));
    ann.get("/users").await.leads_to("/sign-in?return_to=%2Fusers");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut elsewhere = console.browser();
    elsewhere.post("/sign-in", &ANN).await.leads_to("/");
    let wrong = [("current_password", "not this one at all"), ("new_password", "another good password")];
    ann.post("/profile/password", &wrong)
        .await
        .is(422)
        .keeps_silent_about("not this one")
        .keeps_silent_about("another good");
    ann.post("/profile/password", &[("current_password", PASSWORD), ("new_password", "short")])
        .await
        .is(422)
        .says("id=\"new_password-error\"");
    let right = [("current_password", PASSWORD), ("new_password", "another good password")];
    ann.post("/profile/password", &right).await.leads_to("/profile");
    ann.get("/profile").await.is(200);
    elsewhere.get("/profile").await.leads_to("/sign-in?return_to=%2Fprofile");
    console.browser().post("/sign-in", &ANN).await.is(422);
}

#[tokio::test]
async fn a_person_of_two_workspaces_chooses_and_switches() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let name = |text| bellwire_core::text::Name::parse(text).unwrap();
    let other = bellwire::ops::setup::bootstrap(
        &console,
        name("Globex"),
        bellwire_core::text::Email::parse("ann@example.com").unwrap(),
        name("Ann of Globex"),
        bellwire::password::Password::parse(PASSWORD).unwrap(),
    );
    let other = other.await.unwrap().workspace_id;
    let page = ann.get("/users").await.is(200).says("Globex").keeps_silent_about("Ann of Globex");
    assert!(page.body.contains(&format!("action=\"/workspaces/{other}/open\"")), "{}", page.body);

    let mut again = console.browser();
    again.post("/sign-in", &ANN).await.leads_to("/");
    again.get("/").await.leads_to("/workspaces");
    again.get("/workspaces").await.is(200).says("Acme").says("Globex");
    again.post(&format!("/workspaces/{other}/open"), &[]).await.leads_to("/");
    again.get("/users").await.is(200).says("Ann of Globex");

    let mut sam = console.member(&mut ann).await;
    sam.post(&format!("/workspaces/{other}/open"), &[]).await.is(404);
    sam.get("/users").await.is(200).keeps_silent_about("Globex");
}
