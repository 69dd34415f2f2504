//! A server with two workspaces, callers of every kind, and for each request the things that it is about, made anew.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bellwire::{
    api,
    app::App,
    clock::{Clock, Randomness},
    config::Config,
    console,
    crypt::{self, MasterKey},
    db::{self, Db, DbError, principals::PrincipalStatus, sessions::SessionRow, users::Person},
    ops::setup::{self, Bootstrapped},
    password::Password,
};
use bellwire_core::{
    event::PrincipalId,
    id::{RoleId, UserId, WorkspaceId},
    permission::{BuiltInRole, Permission},
    text::{Email, Name},
    time::Timestamp,
};
use clap::Parser;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::table::{Needs, Row};

const HERE: &str = "http://127.0.0.1:8080";
/// Everybody's.
pub(super) const PASSWORD: &str = "a long enough password";

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// A workspace and the key of its owner.
pub(super) struct Home {
    pub(super) id: WorkspaceId,
    pub(super) owner: UserId,
    pub(super) key: String,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Without a session or a key.
    Nobody,
    /// Somebody with a built-in role.
    BuiltIn(&'static str),
    /// Somebody with a role that allows just this.
    Custom(Vec<Permission>),
    /// The owner of another workspace.
    Stranger,
    /// An owner who is blocked.
    Blocked,
}

/// Whoever asks, with what proves it.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    Nobody,
    Key(String),
    User { id: UserId, session: String },
}

/// What a request is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Things(BTreeMap<&'static str, String>);

impl Things {
    /// The text with its placeholders filled in.
    pub(super) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(name, value.into());
        self
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    fn flash(&self) -> Option<String> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        cookies.filter_map(|line| line.split(';').next()).find(|pair| pair.starts_with("flash=")).map(str::to_owned)
    }
}

pub(super) struct World {
    pub(super) app: App,
    pub(super) acme: Home,
    pub(super) other: Home,
    router: Router,
    password_hash: String,
    counter: AtomicU64,
    keys: tokio::sync::Mutex<BTreeMap<Who, String>>,
    roles: tokio::sync::Mutex<BTreeMap<Vec<Permission>, RoleId>>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("bellwire.db").display());
        let config = Settings::parse_from(["bellwire", "--database-url", &url, "--public-url", HERE]).config;
        let clock = Clock::fake(Timestamp::parse("2026-11-23T09:00:00Z").unwrap());
        let db = Db::open(&url).await.unwrap();
        let app = App::new(config, db, clock, Randomness::seeded(7), MasterKey::from_bytes([7; 32])).0;
        let home = async |workspace: &str, email: &str, name: &str| {
            let password = Password::parse(PASSWORD).unwrap();
            let (email, name) = (Email::parse(email).unwrap(), Name::parse(name).unwrap());
            let made = setup::bootstrap(&app, Name::parse(workspace).unwrap(), email, name, password).await;
            let Bootstrapped { workspace_id, user_id, api_key, .. } = made.unwrap();
            Home { id: workspace_id, owner: user_id, key: api_key }
        };
        let acme = home("Acme", "ann@example.com", "Ann Lee").await;
        let other = home("Elsewhere", "bo@example.com", "Bo Chen").await;
        Self {
            router: api::router(&app).merge(console::router(app.clone())),
            password_hash: Password::parse(PASSWORD).unwrap().hash(&app.random).await.unwrap(),
            acme,
            other,
            counter: AtomicU64::new(0),
            keys: tokio::sync::Mutex::default(),
            roles: tokio::sync::Mutex::default(),
            app,
            _folder: folder,
        }
    }

    pub(super) fn number(&self) -> String {
        self.counter.fetch_add(1, Ordering::Relaxed).to_string()
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut db::Conn) -> db::BoxFuture<'c, Result<T, DbError>> + Send + 'static,
    ) -> T {
        self.app.db.write(work).await.unwrap()
    }

    /// Somebody new in a workspace, with these roles.
    pub(super) async fn user(&self, home: &Home, roles: Vec<RoleId>) -> UserId {
        let (workspace, now) = (home.id, self.app.clock.now());
        let (id, number) = (self.app.random.id(now), self.number());
        let email = format!("user{number}@example.com");
        let person = Person { id, email, password_hash: self.password_hash.clone() };
        self.write(move |conn| {
            Box::pin(async move {
                db::users::insert_person(conn, &person, now).await?;
                db::users::insert_membership(conn, workspace, id, &format!("User {number}"), now).await?;
                for role in roles {
                    db::roles::assign(conn, workspace, role, PrincipalId::User(id)).await?;
                }
                Ok(id)
            })
        })
        .await
    }

    /// Makes somebody a member of another workspace too.
    pub(super) async fn join(&self, id: UserId, home: &Home) {
        let (workspace, now) = (home.id, self.app.clock.now());
        self.write(move |conn| {
            Box::pin(async move { db::users::insert_membership(conn, workspace, id, "Guest", now).await })
        })
        .await;
    }

    /// A role of Acme that allows just this. With the same permissions it is the same one.
    pub(super) async fn role(&self, permissions: &[Permission]) -> RoleId {
        let mut roles = self.roles.lock().await;
        if let Some(id) = roles.get(permissions) {
            return *id;
        }
        let id = self.new_role(permissions).await.parse().unwrap();
        roles.insert(permissions.to_vec(), id);
        id
    }

    async fn new_role(&self, permissions: &[Permission]) -> String {
        let role = json!({"name": format!("Role {}", self.number()), "permissions": permissions});
        self.make("roles", role).await
    }

    async fn built_in(&self, home: &Home, name: &'static str) -> RoleId {
        let workspace = home.id;
        let roles = self.write(move |conn| Box::pin(async move { db::roles::list(conn, workspace).await })).await;
        roles.into_iter().find(|role| role.name == name).unwrap().id
    }

    /// Makes something in Acme, as its owner, and returns its id.
    pub(super) async fn make(&self, path: &str, body: Value) -> String {
        let answer = self.make_all(path, body).await;
        answer["id"].as_str().unwrap_or_else(|| panic!("{path}: {answer:#}")).to_owned()
    }

    /// Does something as Acme's owner.
    pub(super) async fn owner(&self, method: &str, path: &str) {
        let key = Caller::Key(self.acme.key.clone());
        let answer = self.send(&key, method, &format!("/api/v1/{path}"), String::new()).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
    }

    /// As [`World::make`], for all that the API shows of it.
    pub(super) async fn make_all(&self, path: &str, body: Value) -> Value {
        let key = Caller::Key(self.acme.key.clone());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(&key, "POST", &format!("/api/v1/{path}"), body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    /// Somebody who opens pages: a new user each time, since some requests end what they are.
    pub(super) async fn person(&self, who: &Who) -> Caller {
        let home = if *who == Who::Stranger { &self.other } else { &self.acme };
        let role = match who {
            Who::Nobody => return Caller::Nobody,
            Who::BuiltIn(name) => self.built_in(home, name).await,
            Who::Custom(permissions) if permissions.is_empty() => return self.signed_in(home, Vec::new(), false).await,
            Who::Custom(permissions) => self.role(permissions).await,
            Who::Stranger | Who::Blocked => self.built_in(home, BuiltInRole::Owner.name()).await,
        };
        self.signed_in(home, vec![role], *who == Who::Blocked).await
    }

    async fn signed_in(&self, home: &Home, roles: Vec<RoleId>, blocked: bool) -> Caller {
        let id = self.user(home, roles).await;
        let (workspace, now, token) = (home.id, self.app.clock.now(), crypt::token(&self.app.random));
        let session = SessionRow {
            token_hash: crypt::token_hash(&token),
            user: id,
            workspace: Some(workspace),
            created_at: now,
            expires_at: now.saturating_add(std::time::Duration::from_hours(1)),
        };
        self.write(move |conn| {
            Box::pin(async move {
                if blocked {
                    db::users::set_status(conn, workspace, id, PrincipalStatus::Blocked, None, now).await?;
                }
                db::sessions::insert(conn, &session).await
            })
        })
        .await;
        Caller::User { id, session: token }
    }

    /// A program with an API key.
    pub(super) async fn program(&self, who: &Who) -> Caller {
        let mut keys = self.keys.lock().await;
        if let Some(key) = keys.get(who) {
            return Caller::Key(key.clone());
        }
        let roles = match who {
            Who::Nobody => return Caller::Nobody,
            Who::Stranger => return Caller::Key(self.other.key.clone()),
            Who::BuiltIn(name) => vec![self.built_in(&self.acme, name).await],
            // A key is made with a role; the last one may be taken from it.
            Who::Custom(permissions) if permissions.is_empty() => vec![self.role(&[Permission::UsersView]).await],
            Who::Custom(permissions) => vec![self.role(permissions).await],
            Who::Blocked => vec![self.built_in(&self.acme, BuiltInRole::Owner.name()).await],
        };
        let name = format!("Key {}", self.number());
        let made = self.make_all("api-keys", json!({"name": name, "role_ids": roles})).await;
        let id = made["id"].as_str().unwrap();
        if *who == Who::Blocked {
            self.make_all(&format!("api-keys/{id}/block"), Value::Null).await;
        }
        if *who == Who::Custom(Vec::new()) {
            self.owner("DELETE", &format!("roles/{}/members/{id}", roles[0])).await;
        }
        let key = made["secret"].as_str().unwrap().to_owned();
        keys.insert(who.clone(), key.clone());
        Caller::Key(key)
    }

    /// What a request of this row is about, all of it in Acme and new. `None` when there is no such thing for this caller.
    pub(super) async fn things(&self, row: &Row, caller: &Caller) -> Option<Things> {
        let needed: &[Permission] = match row.needs {
            // Whoever owns the workspace may give what a role allows that everybody may make.
            Needs::All(permissions) if !permissions.contains(&Permission::WorkspaceOwn) => permissions,
            _ => &[],
        };
        let kind = row.path.trim_start_matches("/api/v1").split('/').nth(1).unwrap();
        let mut things = Things::default().with("n", self.number()).with("owner", self.acme.owner.to_string());
        let somebody = self.user(&self.acme, Vec::new()).await.to_string();
        things = things.with("user", &somebody).with("principal_id", &somebody).with("member", &somebody);
        things = things.with("email", format!("user{}@example.com", self.counter.load(Ordering::Relaxed) - 1));
        let role = if needed.is_empty() { String::new() } else { self.role(needed).await.to_string() };
        let mut things = things.with("role", &role);
        if row.body.contains("{webhook}") {
            let webhook = json!({"url": "https://a.example.com", "event_types": ["user.joined"]});
            things = things.with("webhook", self.make("webhooks", webhook).await);
        }
        if !row.path.contains('{') {
            if row.path.starts_with("/api/v1/license") || kind == "license" {
                let block = row.path.ends_with("/unblock");
                self.make_all(if block { "license/block" } else { "license/unblock" }, Value::Null).await;
            }
            return Some(things);
        }
        let webhook = json!({"url": "https://a.example.com", "event_types": ["user.joined", "user.blocked"]});
        let id = match kind {
            "webhooks" => self.make("webhooks", webhook).await,
            "deliveries" => {
                let webhook = self.make("webhooks", webhook).await;
                let sent = self.make_all(&format!("webhooks/{webhook}/test"), Value::Null).await;
                sent["delivery_id"].as_str().unwrap_or_else(|| panic!("{sent:#}")).to_owned()
            }
            "replays" => {
                let webhook = self.make("webhooks", webhook).await;
                self.make(&format!("webhooks/{webhook}/replay"), json!({"since": "2026-11-23T00:00:00Z"})).await
            }
            "events" => self.make("events", json!({"type": "user.left", "data": {}})).await,
            "users" => somebody,
            "workspaces" => self.acme.id.to_string(),
            "invites" => {
                let mut invite = json!({"email": format!("invited{}@example.com", self.number())});
                if !role.is_empty() {
                    invite["role_ids"] = json!([role]);
                }
                let made = self.make_all("invites", invite).await;
                let token = made["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                return Some(things.with("id", made["id"].as_str().unwrap()).with("token", token));
            }
            "groups" => {
                let group = self.make("groups", json!({"name": format!("Group {}", self.number())})).await;
                if row.method == "DELETE" || row.path.ends_with("/remove") {
                    self.owner("PUT", &format!("groups/{group}/members/{somebody}")).await;
                }
                group
            }
            "roles" => {
                let role = self.new_role(&[Permission::RolesManage]).await;
                if row.method == "DELETE" && row.path.contains("/members") || row.path.ends_with("/take") {
                    self.owner("PUT", &format!("roles/{role}/members/{somebody}")).await;
                }
                role
            }
            "api-keys" => {
                self.make("api-keys", json!({"name": format!("Key {}", self.number()), "role_ids": [role]})).await
            }
            "ownership-offers" => {
                let from = self.user(&self.acme, vec![self.built_in(&self.acme, "Owner").await]).await.to_string();
                let to = match (row.needs, caller) {
                    (Needs::BeingTheOne, Caller::User { id, .. }) => id.to_string(),
                    _ => somebody,
                };
                let offer = json!({"from": from, "to": to});
                let key = Caller::Key(self.acme.key.clone());
                let answer = self.send(&key, "POST", "/api/v1/ownership-offers", offer.to_string()).await;
                let made: Value = serde_json::from_str(&answer.body).unwrap_or_default();
                made["id"].as_str()?.to_owned()
            }
            "static" => return Some(things.with("name", "console.css")),
            other => panic!("{}: what is {other}?", row.path),
        };
        Some(things.with("id", id))
    }

    /// Sends a request as the script of the console, or a program, does.
    pub(super) async fn send(&self, caller: &Caller, method: &str, path: &str, body: String) -> Answer {
        let is_api = path.starts_with("/api/");
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8080");
        if is_api {
            request = request.header(header::CONTENT_TYPE, "application/json");
        } else {
            request = request.header("x-dialog", "1").header(header::ORIGIN, HERE);
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        request = match caller {
            Caller::Nobody => request,
            Caller::Key(key) => request.header(header::AUTHORIZATION, format!("Bearer {key}")),
            Caller::User { session, .. } => request.header(header::COOKIE, format!("session={session}")),
        };
        let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 50_000));
        let request = request.extension(ConnectInfo(peer)).body(Body::from(body)).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let endless = head.headers.get(header::CONTENT_TYPE).is_some_and(|it| it == "text/event-stream");
        let body = if endless { Vec::new() } else { body.collect().await.unwrap().to_bytes().to_vec() };
        Answer { status: head.status, headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// What the page after a form says of it.
    pub(super) async fn said(&self, answer: &Answer) -> String {
        let Some(flash) = answer.flash() else { return String::new() };
        let request = Request::builder().uri("/sign-in").header(header::COOKIE, flash).body(Body::empty()).unwrap();
        let body = self.router.clone().oneshot(request).await.unwrap().into_body();
        let page = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let toasts = page.split("<div class=\"toast").skip(1).map(|part| part.split("</div>").next().unwrap());
        toasts.collect::<Vec<_>>().join("\n")
    }
}
