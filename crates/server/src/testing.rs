//! What the tests of `ops` stand on: an [`App`] with a fresh database, a clock that stands still and seeded randomness; and a
//! [`World`] in it: a workspace whose owner is Ann, with an API key named Automation.
//!
//! [`World::each`] gives one on SQLite, and one on PostgreSQL when `BELLWIRE_TEST_POSTGRES_URL` names a server. Their databases are
//! gone at the end of the test.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bellwire_core::{
    catalogue::EventType,
    event::{Origin, PrincipalId},
    id::{UserId, WebhookId, WorkspaceId},
    text::{Email, Name, Reason},
    time::Timestamp,
};
use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    app::{App, Signal},
    clock::{Clock, Randomness},
    config::Config,
    crypt::MasterKey,
    db::{self, Db, roles::Role},
    error::Error,
    ops::{Actor, api_keys, invites, roles, setup},
    password::Password,
};

/// When tests begin: 2026-11-23T09:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_795_424_400_000_000);
/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse battery";

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

async fn on(url: &str) -> (App, UnboundedReceiver<Signal>) {
    let settings =
        Settings::parse_from(["bellwire", "--database-url", url, "--public-url", "https://hooks.example.com"]);
    let db = Db::open(url).await.unwrap();
    App::new(settings.config, db, Clock::fake(START), Randomness::seeded(7), MasterKey::from_bytes([7; 32]))
}

/// An application on a fresh SQLite database, which is in the folder.
pub(crate) async fn app() -> (App, UnboundedReceiver<Signal>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (app, signals) = on(&format!("sqlite:{}", folder.path().join("test.db").display())).await;
    (app, signals, folder)
}

/// An application on a fresh database of each engine.
pub(crate) async fn apps() -> Vec<(App, UnboundedReceiver<Signal>, Storage)> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let (sqlite, signals, folder) = app().await;
    let mut all = vec![(sqlite, signals, Storage::Folder(folder))];
    if let Ok(server) = std::env::var("BELLWIRE_TEST_POSTGRES_URL") {
        let name = format!("ops_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let (server_url, sql) = (server.clone(), format!("CREATE DATABASE {name}"));
        std::thread::spawn(move || administer(&server_url, &sql)).join().unwrap();
        let base = server.rsplit_once('/').unwrap().0;
        let (postgres, signals) = on(&format!("{base}/{name}")).await;
        all.push((postgres, signals, Storage::Postgres { server, name }));
    }
    all
}

/// A workspace, its owner Ann and its API key.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) workspace: WorkspaceId,
    pub(crate) owner: Actor,
    pub(crate) ann: UserId,
    /// The secret of the key Automation.
    pub(crate) api_key: String,
    read_until: Mutex<i64>,
    _signals: UnboundedReceiver<Signal>,
    _storage: Storage,
}

/// Where the data of an [`App`] are: gone when it is dropped, which must come after everything else.
pub(crate) enum Storage {
    Folder(#[expect(dead_code, reason = "deleted when it is dropped")] TempDir),
    Postgres { server: String, name: String },
}

impl Drop for Storage {
    fn drop(&mut self) {
        let Self::Postgres { server, name } = self else { return };
        let (server, sql) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // Not on this thread: it may be inside a runtime, which can't be blocked.
        let dropped = std::thread::spawn(move || administer(&server, &sql));
        if dropped.join().is_err() {
            eprintln!("the database {name} was left behind");
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn administer(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

/// An event, as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) event_type: String,
    pub(crate) actor: Value,
    pub(crate) data: Value,
    pub(crate) correlation: Option<String>,
}

impl World {
    /// One on each engine.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for (app, signals, storage) in apps().await {
            all.push(Self::new(app, signals, storage).await);
        }
        all
    }

    async fn new(app: App, signals: UnboundedReceiver<Signal>, storage: Storage) -> Self {
        let made = bootstrap(&app, "Acme", "ann@example.com", "Ann Lee").await;
        let owner = actor(&app, made.workspace_id, PrincipalId::User(made.user_id)).await.unwrap();
        let world = Self {
            app,
            workspace: made.workspace_id,
            owner,
            ann: made.user_id,
            api_key: made.api_key,
            read_until: Mutex::new(0),
            _signals: signals,
            _storage: storage,
        };
        world.news().await; // so that the next ones are the test's
        world
    }

    /// Somebody who was invited and joined with a role.
    pub(crate) async fn user(&self, email: &str, name: &str, role: &str) -> Actor {
        let wanted =
            invites::NewInvite { email: Email::parse(email).unwrap(), role_ids: Some(vec![self.role(role).await.id]) };
        let sent = invites::create(&self.app, &self.owner, wanted).await.unwrap();
        invites::accept(&self.app, token_of(&sent.url), name, PASSWORD, None).await.unwrap();
        self.news().await;
        let user = self.app.db.read({
            let email = email.to_owned();
            move |conn| Box::pin(async move { db::users::person_by_email(conn, &email).await })
        });
        let id = PrincipalId::User(user.await.unwrap().unwrap().id);
        actor(&self.app, self.workspace, id).await.unwrap()
    }

    /// An API key with a role.
    pub(crate) async fn key(&self, name: &str, role: &str) -> (Actor, String) {
        let wanted =
            api_keys::NewApiKey { name: Name::parse(name).unwrap(), role_ids: Some(vec![self.role(role).await.id]) };
        let (_, secret) = api_keys::create(&self.app, &self.owner, wanted).await.unwrap();
        self.news().await;
        (api_keys::authenticate(&self.app, &secret).await.unwrap(), secret)
    }

    /// A role by its name.
    pub(crate) async fn role(&self, name: &str) -> Role {
        let roles = roles::list(&self.app, &self.owner).await.unwrap();
        roles.into_iter().find(|role| role.name == name).unwrap()
    }

    /// Makes the clock go on.
    pub(crate) fn wait(&self, seconds: u64) {
        self.app.clock.advance(Duration::from_secs(seconds));
    }

    /// The events since the last call. Their data is what the catalogue says, their numbers have no gaps, and none tells a secret.
    pub(crate) async fn news(&self) -> Vec<Seen> {
        let (workspace, after) = (self.workspace, *self.read_until.lock().unwrap());
        let sql = "SELECT sequence, type, actor, data, correlation_id FROM events WHERE workspace_id = $1 AND sequence > $2 ORDER BY sequence";
        let rows = query(&self.app, sql, vec![workspace.into(), after.into()]).await;
        let mut seen = Vec::new();
        for (row, sequence) in rows.iter().zip(after + 1..) {
            assert_eq!(row.get::<i64>("sequence").unwrap(), sequence);
            let (event_type, data): (String, Value) = (row.get("type").unwrap(), row.json("data").unwrap());
            let entry = EventType::parse(&event_type).unwrap().entry();
            valid(&entry.data_schema(), &data).unwrap_or_else(|error| panic!("{event_type}: {error}\n{data:#}"));
            let text = data.to_string();
            assert!(!text.contains("bw_") && !text.contains("/accept/"), "{event_type} tells a secret: {text}");
            let (actor, correlation) = (row.json("actor").unwrap(), row.get("correlation_id").unwrap());
            seen.push(Seen { event_type, actor, data, correlation });
        }
        *self.read_until.lock().unwrap() += i64::try_from(seen.len()).unwrap();
        seen
    }

    /// The types of the events since the last call. Several share one correlation.
    pub(crate) async fn new_types(&self) -> Vec<String> {
        let seen = self.news().await;
        if let [first, .., last] = seen.as_slice() {
            assert!(first.correlation.is_some() && seen.iter().all(|event| event.correlation == last.correlation));
        }
        seen.into_iter().map(|event| event.event_type).collect()
    }

    /// The one event since the last call.
    pub(crate) async fn only(&self, event_type: &str) -> Seen {
        let seen = self.news().await;
        assert_eq!(seen.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>(), [event_type]);
        seen.into_iter().next().unwrap()
    }

    /// Writes a webhook of `owner` straight into its table.
    pub(crate) async fn webhook_of(&self, owner: &Actor) -> WebhookId {
        let id: WebhookId = self.app.random.id(START);
        let sql = "INSERT INTO webhooks (id, workspace_id, url, description, event_types, actor_types, owner_type, owner_id, owner_name, \
                   owner_key, status, secret_sealed, health, created_at, updated_at) \
                   VALUES ($1, $2, 'https://example.com', '', '[]', '', $3, $4, $5, $6, 'active', $7, 'unknown', $8, $8)";
        let values = [
            id.into(),
            self.workspace.into(),
            owner.principal.kind().as_str().into(),
            owner.principal.to_string().into(),
            (&owner.name).into(),
            owner.name.to_lowercase().into(),
            vec![0_u8].into(),
            START.into(),
        ];
        let insert =
            self.app.db.write(move |conn| Box::pin(async move { Ok::<_, Error>(conn.execute(sql, &values).await?) }));
        insert.await.unwrap();
        id
    }

    /// Type, id, name and sort key of a webhook's owner.
    pub(crate) async fn owner_of(&self, webhook: WebhookId) -> [String; 4] {
        let sql = "SELECT owner_type, owner_id, owner_name, owner_key FROM webhooks WHERE id = $1";
        let rows = query(&self.app, sql, vec![webhook.into()]).await;
        ["owner_type", "owner_id", "owner_name", "owner_key"].map(|column| rows[0].get(column).unwrap())
    }
}

/// Another workspace.
pub(crate) async fn bootstrap(app: &App, workspace: &str, email: &str, name: &str) -> setup::Bootstrapped {
    let (workspace, name) = (Name::parse(workspace).unwrap(), Name::parse(name).unwrap());
    let (email, password) = (Email::parse(email).unwrap(), Password::parse(PASSWORD).unwrap());
    setup::bootstrap(app, workspace, email, name, password).await.unwrap()
}

/// Whoever acts, with the permissions of now; `None` when they may not act.
pub(crate) async fn actor(app: &App, workspace: WorkspaceId, principal: PrincipalId) -> Option<Actor> {
    let find = app.db.read(move |conn| {
        Box::pin(async move {
            let permissions = db::principals::permissions(conn, workspace, principal).await?;
            Ok::<_, Error>((permissions, db::principals::named(conn, workspace, principal).await?))
        })
    });
    let (permissions, named) = find.await.unwrap();
    Some(Actor {
        workspace,
        principal,
        name: named?.name,
        permissions: permissions?,
        secret: None,
        origin: Origin::console(None),
    })
}

/// Runs a statement on a reading connection.
pub(crate) async fn query(app: &App, sql: &'static str, values: Vec<db::Value>) -> Vec<db::Row> {
    let rows = app.db.read(move |conn| Box::pin(async move { Ok::<_, Error>(conn.query(sql, &values).await?) }));
    rows.await.unwrap()
}

/// The token at the end of an invite's URL.
pub(crate) fn token_of(url: &str) -> &str {
    url.strip_prefix("https://hooks.example.com/invites/accept/").unwrap()
}

/// A reason.
#[expect(clippy::unnecessary_wraps, reason = "as the operations take it")]
pub(crate) fn because(text: &str) -> Option<Reason> {
    Some(Reason::parse(text).unwrap())
}

/// The code of an error that must have come back.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    result.unwrap_err().code()
}

/// The names of the fields that must have been refused.
pub(crate) fn fields<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result.unwrap_err() {
        Error::Invalid(fields) => fields.into_iter().map(|field| field.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn valid(schema: &Value, instance: &Value) -> Result<(), String> {
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    compiler.add_resource("https://example.com/schema", schema.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    let schema = compiler.compile("https://example.com/schema", &mut schemas).unwrap();
    schemas.validate(instance, schema).map_err(|error| error.to_string())
}
