//! A running server with two workspaces that know nothing of each other, and a client for it.

use std::{env, fmt::Write, time::Duration};

use bellwire::{
    cli::serve::{self, Server},
    clock::{Clock, Randomness},
    config::{Config, LogFormat},
    ops::setup::{self, Bootstrapped},
    password::Password,
};
use bellwire_core::{
    text::{Email, Name},
    time::Timestamp,
};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::postgres::{FreshDatabase, fresh_database};

/// A server, its workspace Acme (which Ann Lee owns) and another one.
pub(super) struct World {
    pub(super) server: Server,
    /// Acme's, with a key that may do everything.
    pub(super) acme: Bootstrapped,
    /// Of somebody else.
    pub(super) other: Bootstrapped,
    _folder: tempfile::TempDir,
    _database: Option<FreshDatabase>,
}

/// A server on SQLite: for what has nothing to do with the engine.
pub(super) async fn world() -> World {
    World::start(None, morning(), "127.0.0.0/8").await
}

/// As [`world`], whose webhooks may lead to public addresses only.
pub(super) async fn closed_world() -> World {
    World::start(None, morning(), "").await
}

/// As [`world`], with a clock that stands still at this time.
pub(super) async fn world_at(now: Timestamp) -> World {
    World::start(None, now, "127.0.0.0/8").await
}

/// A server on each engine that can be had.
pub(super) async fn worlds() -> Vec<World> {
    worlds_at(morning()).await
}

/// As [`worlds`], with clocks that stand still at this time.
pub(super) async fn worlds_at(now: Timestamp) -> Vec<World> {
    let mut worlds = vec![World::start(None, now, "127.0.0.0/8").await];
    if env::var_os("BELLWIRE_TEST_POSTGRES_URL").is_some() {
        worlds.push(World::start(fresh_database().await, now, "127.0.0.0/8").await);
    }
    worlds
}

/// When everything happens that doesn't say otherwise.
fn morning() -> Timestamp {
    Timestamp::parse("2026-11-23T09:00:00Z").unwrap()
}

impl World {
    async fn start(database: Option<FreshDatabase>, now: Timestamp, allow: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("bellwire.db").display());
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database_url: database.as_ref().map_or(file, |database| database.url().to_owned()),
            public_url: Some("https://bellwire.example.com".to_owned()),
            master_key_file: folder.path().join("bellwire.key"),
            allow_networks: allow.split_terminator(',').map(|network| network.parse().unwrap()).collect(),
            extra_ca_file: None,
            database_listen_url: None,
            retry_schedule: "0s,5s".parse().unwrap(),
            deactivate_after: Duration::from_hours(5 * 24),
            retention: Duration::from_hours(30 * 24),
            drain_delay: Duration::ZERO,
            log: "off".to_owned(),
            log_format: LogFormat::Text,
        };
        let server = serve::start(config, Clock::fake(now), Randomness::seeded(7)).await.unwrap();
        let make = async |workspace: &str, email: &str, name: &str| {
            let password = Password::parse("a long enough password").unwrap();
            let (email, name) = (Email::parse(email).unwrap(), Name::parse(name).unwrap());
            setup::bootstrap(&server.app, Name::parse(workspace).unwrap(), email, name, password).await.unwrap()
        };
        let acme = make("Acme", "ann@example.com", "Ann Lee").await;
        let other = make("Other", "bo@example.com", "Bo Chen").await;
        Self { server, acme, other, _folder: folder, _database: database }
    }

    /// A request with Acme's key; `body` is sent as JSON unless it is null.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask_as(&self.acme.api_key, method, path, body).await
    }

    /// A request with this key.
    pub(super) async fn ask_as(&self, key: &str, method: &str, path: &str, body: Value) -> Answer {
        let authorization = format!("Bearer {key}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &headers, body).await
    }

    /// Any request.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let stream = TcpStream::connect(self.server.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "bellwire.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        Answer { status: head.status, headers: head.headers, body }
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A field of the body: `/data/0/id`.
    pub(super) fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let value = json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json:#}"));
        value.as_str().unwrap_or_else(|| panic!("{pointer} is no text in {json:#}")).to_owned()
    }

    /// The status, the headers that matter, and the body.
    pub(super) fn shown(&self) -> String {
        let mut shown = self.status.to_string();
        for name in ["location", "retry-after", "www-authenticate"] {
            if !self.header(name).is_empty() {
                write!(shown, "\n{name}: {}", self.header(name)).unwrap();
            }
        }
        if !self.body.is_empty() {
            write!(shown, "\n{:#}", self.json()).unwrap();
        }
        shown
    }
}

/// What snapshots don't show, because it is random.
pub(super) const HIDDEN: [(&str, &str); 6] = [
    (r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", "…"),
    (r"\b([a-z]+)_[0-7][0-9a-hjkmnp-tv-z]{25}\b", "${1}_…"),
    (r"whsec_[A-Za-z0-9+/=]+", "whsec_…"),
    (r"\bbw_[A-Za-z0-9_-]+", "bw_…"),
    (r"/accept/[A-Za-z0-9_-]+", "/accept/…"),
    (r#""(duration_ms|hint|next)": ("[^"]+"|[0-9.]+)"#, r#""$1": …"#),
];

/// A snapshot of a whole answer. It is the same on every engine.
macro_rules! assert_shown {
    ($answer:expr, @$snapshot:literal) => {
        $crate::api::world::assert_text!($answer.shown(), @$snapshot)
    };
}
pub(super) use assert_shown;

/// A snapshot of a text.
macro_rules! assert_text {
    ($text:expr, @$snapshot:literal) => {{
        let text: String = $text;
        insta::with_settings!({ filters => $crate::api::world::HIDDEN }, {
            insta::allow_duplicates! { insta::assert_snapshot!(text, @$snapshot) }
        });
    }};
}
pub(super) use assert_text;
