//! A browser without a screen: it keeps cookies, follows redirects when told to, and sends forms as browsers do.

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use bellwire::{
    app::App,
    clock::{Clock, Randomness},
    config::{Config, LogFormat},
    crypt::MasterKey,
    db::Db,
};
use bellwire_core::time::Timestamp;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use url::form_urlencoded;

/// Where the console is, as browsers see it.
pub(super) const HERE: &str = "http://127.0.0.1:8080";
pub(super) const PASSWORD: &str = "correct horse battery";

/// A console with an empty database of its own, on a clock that stands still. Takes its files away with it.
pub(super) struct Console {
    pub(super) app: App,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Console {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Console {
    pub(super) async fn new() -> Self {
        Self::at(HERE).await
    }

    /// One that browsers reach at `public_url`.
    pub(super) async fn at(public_url: &str) -> Self {
        Self::open(public_url, None, morning()).await
    }

    /// One on this PostgreSQL database.
    pub(super) async fn on(database_url: &str) -> Self {
        Self::open(HERE, Some(database_url), morning()).await
    }

    /// Another node on the same PostgreSQL database. No engine runs in either, so they don't hear each other.
    pub(super) async fn beside(&self) -> Self {
        Self::open(HERE, Some(&self.config.database_url), self.clock.clone()).await
    }

    async fn open(public_url: &str, database_url: Option<&str>, clock: Clock) -> Self {
        let random = Randomness::from_system();
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("bellwire.db").display());
        let config = Config {
            listen: "127.0.0.1:8080".parse().unwrap(),
            database_url: database_url.map_or(file, str::to_owned),
            public_url: Some(public_url.to_owned()),
            master_key_file: folder.path().join("bellwire.key"),
            allow_networks: Vec::new(),
            extra_ca_file: None,
            database_listen_url: None,
            retry_schedule: "0s,5s".parse().unwrap(),
            deactivate_after: Duration::from_secs(5 * 24 * 60 * 60),
            retention: Duration::from_secs(30 * 24 * 60 * 60),
            drain_delay: Duration::ZERO,
            log: "off".to_owned(),
            log_format: LogFormat::Text,
        };
        let db = Db::open(&config.database_url).await.unwrap();
        let app = App::new(config, db, clock, random, MasterKey::from_bytes([7; 32])).0;
        Self { app, _folder: folder }
    }

    /// Somebody who has never been here.
    pub(super) fn browser(&self) -> Browser {
        Browser { router: bellwire::console::router(self.app.clone()), cookies: BTreeMap::new(), ip: [192, 0, 2, 1] }
    }

    /// A browser that a load balancer sends here with its next request.
    pub(super) fn takes_over(&self, browser: &Browser) -> Browser {
        Browser { router: bellwire::console::router(self.app.clone()), ..browser.clone() }
    }

    /// Ann Lee, who set up the workspace Acme and owns it.
    pub(super) async fn owner(&self) -> Browser {
        let mut ann = self.browser();
        let link = bellwire::ops::setup::link(&self.app).await.unwrap().unwrap();
        let token = link.split_once("token=").unwrap().1.to_owned();
        let form = [
            ("token", token.as_str()),
            ("workspace", "Acme"),
            ("name", "Ann Lee"),
            ("email", "ann@example.com"),
            ("password", PASSWORD),
        ];
        ann.post("/setup", &form).await.leads_to("/");
        ann
    }

    /// Sam Rivera, whom `ann` invited as a Member.
    pub(super) async fn member(&self, ann: &mut Browser) -> Browser {
        self.join(ann, "Sam Rivera", "sam@example.com", "Member").await
    }

    /// Somebody whom `inviter` invited with the role of that name.
    pub(super) async fn join(&self, inviter: &mut Browser, name: &str, email: &str, role: &str) -> Browser {
        let form = inviter.dialog("/invites/new").await.is(200);
        let role = form.checkbox(role);
        inviter.post("/invites", &[("email", email), ("roles", &role)]).await.leads_to("/invites");
        let path = inviter.get(&format!("/invites?q={email}&status=pending")).await.is(200).invite_path();
        let mut browser = self.browser();
        browser.post(&path, &[("name", name), ("password", PASSWORD)]).await.leads_to("/");
        browser
    }
}

fn morning() -> Clock {
    Clock::fake(Timestamp::parse("2026-11-23T09:00:00Z").unwrap())
}

/// One browser.
#[derive(Clone)]
pub(super) struct Browser {
    router: Router,
    pub(super) cookies: BTreeMap<String, String>,
    /// The address that it comes from.
    pub(super) ip: [u8; 4],
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Bytes of the body as they came.
    pub(super) length: usize,
}

impl Answer {
    pub(super) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The value of the checkbox with that label.
    pub(super) fn checkbox(&self, label: &str) -> String {
        let before = self.body.split(&format!("><span>{label}</span>")).next().unwrap();
        let value = before.rsplit("value=\"").next().unwrap();
        value.split('"').next().unwrap().to_owned()
    }

    /// The path of the first invite's URL on the page.
    pub(super) fn invite_path(&self) -> String {
        let url = self.body.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap();
        url.strip_prefix(HERE).unwrap().to_owned()
    }

    /// Asserts the status and shows the page when it is another.
    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}\n{}", self.location(), self.body);
        self
    }

    #[track_caller]
    pub(super) fn says(self, text: &str) -> Self {
        assert!(self.body.contains(text), "no {text:?} in\n{}", self.body);
        self
    }

    #[track_caller]
    pub(super) fn keeps_silent_about(self, text: &str) -> Self {
        assert!(!self.body.contains(text), "{text:?} in\n{}", self.body);
        self
    }

    #[track_caller]
    pub(super) fn leads_to(self, path: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.location()), (303, path), "{}", self.body);
        self
    }
}

impl Browser {
    /// Opens a page that goes on as long as somebody listens.
    pub(super) async fn stream(&self, path: &str) -> Body {
        self.router.clone().oneshot(self.request(Method::GET, path, &[], String::new())).await.unwrap().into_body()
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8080");
        for (name, value) in headers {
            request = request.header(HeaderName::try_from(*name).unwrap(), *value);
        }
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let peer = std::net::SocketAddr::from((self.ip, 50_000));
        request.extension(ConnectInfo(peer)).body(Body::from(body)).unwrap()
    }

    /// Sends whatever `headers` and `body` say, with the cookies, and keeps the cookies that come back.
    pub(super) async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let request = self.request(method, path, headers, body);
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let (length, body) = (bytes.len(), String::from_utf8_lossy(&bytes).into_owned());
        let answer = Answer { status: parts.status, headers: parts.headers, body, length };
        for line in answer.set_cookies() {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Opens a page.
    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// Opens a dialog as the script does.
    pub(super) async fn dialog(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[("x-dialog", "1")], String::new()).await
    }

    /// Sends a form from a page of the console.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[]).await
    }

    /// Sends a form with headers of its own.
    pub(super) async fn post_with(&mut self, path: &str, fields: &[(&str, &str)], more: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut headers = vec![("origin", HERE), ("content-type", "application/x-www-form-urlencoded")];
        headers.extend(more);
        self.send(Method::POST, path, &headers, body).await
    }

    /// Opens a page and goes where it leads, up to five times.
    pub(super) async fn follow(&mut self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..5 {
            if answer.status != StatusCode::SEE_OTHER {
                break;
            }
            let next = answer.location().to_owned();
            answer = self.get(&next).await;
        }
        answer
    }
}

/// The id of the user with that name, from the list.
pub(super) async fn id(browser: &mut Browser, name: &str) -> String {
    let page = browser.get("/users").await.is(200);
    let before = page.body.split(&format!("<span class=\"named\">{name}")).next().unwrap().to_owned();
    before.rsplit("<tr id=\"").next().unwrap().split('"').next().unwrap().to_owned()
}
