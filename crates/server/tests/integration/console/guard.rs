//! What holds for every path.

use std::collections::BTreeSet;

use http::Method;

use super::browser::{Console, HERE};

/// The paths that take a POST.
fn changes() -> BTreeSet<String> {
    let changes = bellwire::console::listed().into_iter().filter(|route| !route.method.is_safe());
    changes.map(|route| route.path).collect()
}

/// A path with something in place of its parameters.
fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "some_thing".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn no_other_site_can_send_a_form() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let paths = changes();
    for known in ["/sign-out", "/users/{id}/block", "/invites", "/theme", "/profile"] {
        assert!(paths.contains(known), "{known} is not among {paths:?}");
    }
    let form = ("content-type", "application/x-www-form-urlencoded");
    for path in paths.iter().map(|path| filled(path)) {
        let refused: [&[(&str, &str)]; 8] = [
            &[form],
            &[form, ("origin", "null")],
            &[form, ("origin", "http://evil.test")],
            &[form, ("origin", "https://127.0.0.1:8081")],
            &[form, ("sec-fetch-site", "cross-site")],
            &[form, ("sec-fetch-site", "same-site")],
            &[form, ("sec-fetch-site", "cross-site"), ("origin", HERE)],
            &[form, ("sec-fetch-site", ""), ("origin", HERE)],
        ];
        for headers in refused {
            let answer = ann.send(Method::POST, &path, headers, String::new()).await;
            assert_eq!(answer.status, 403, "{path} with {headers:?}");
            assert!(answer.set_cookies().is_empty());
        }
    }
    // Nothing happened: Ann is still signed in, and her own forms get through.
    ann.get("/users").await.is(200);
    ann.send(Method::POST, "/sign-out", &[form, ("sec-fetch-site", "same-origin")], String::new())
        .await
        .leads_to("/sign-in");
}

#[tokio::test]
async fn other_methods_are_guarded_too() {
    let console = Console::new().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = console.browser().send(method, "/users", &[("origin", "http://evil.test")], String::new()).await;
        assert_eq!(answer.status, 403);
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    for path in ["/users", "/profile", "/nowhere", "/static/console.css", "/invites/new"] {
        let answer = ann.get(path).await;
        let header = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        if !path.starts_with("/static/") {
            assert_eq!(header("cache-control"), "no-store", "{path}");
        }
    }
}

#[tokio::test]
async fn static_files_are_kept_under_the_address_of_their_version() {
    let console = Console::new().await;
    let mut browser = console.browser();
    let page = browser.get("/sign-in").await.is(200);
    let address = page.body.split("href=\"").find_map(|rest| rest.strip_prefix("/static/console.css")).unwrap();
    let address = format!("/static/console.css{}", address.split('"').next().unwrap());
    let file = browser.get(&address).await.is(200);
    assert_eq!(file.headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(file.headers["content-type"], "text/css; charset=utf-8");
    let other = browser.get("/static/console.css?v=0").await.is(200);
    assert_eq!(other.headers["cache-control"], "no-cache");
    browser.get("/static/secrets.txt").await.is(404);
    let packed = browser.send(Method::GET, &address, &[("accept-encoding", "gzip")], String::new()).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn unknown_paths_have_a_page() {
    let console = Console::new().await;
    let mut browser = console.browser();
    browser.get("/nowhere").await.is(404).says("Nothing here");
    browser.get("/sign-out").await.is(404).says("Nothing here");
    browser.post("/users/leave/again", &[]).await.is(404);
}

#[tokio::test]
async fn forms_are_bounded_and_must_be_forms() {
    let console = Console::new().await;
    let mut browser = console.browser();
    let long = "a".repeat(300 * 1024);
    browser.post("/sign-in", &[("email", &long)]).await.is(400).says("could not be read");
    let headers = [("origin", HERE), ("content-type", "application/json")];
    browser.send(Method::POST, "/sign-in", &headers, "{}".to_owned()).await.is(400);
}
