//! A workspace with webhooks, its database, its clock and its engine.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bellwire_core::{
    catalogue::{EventType, EventTypes},
    event::{By, Origin, PrincipalId, Via},
    id::{LicenseId, RoleId, WebhookId, WorkspaceId},
    permission::BuiltInRole,
    text::{Description, Reason},
    time::Timestamp,
};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    super::{Engine, Limits, Transport, resolve::Resolver, start_with},
    faults::Faults,
};
use crate::{
    app::{App, Signal},
    clock::{Clock, Randomness},
    config::{Config, LogFormat},
    crypt::MasterKey,
    db::{Db, DbError, Row, Value, events::Audience},
    error::Error,
    ops::{
        self, Actor,
        webhooks::{Missed, NewWebhook},
    },
    places::Place,
};

/// Ends a test that waits for what never comes: far more than anything takes on a machine that is busy with ten others.
pub(super) const GUARD: Duration = Duration::from_mins(4);
pub(super) const EVENT: EventType = EventType::USER_BLOCKED;

pub(super) struct World {
    pub(super) app: App,
    /// Never fails.
    plain: Db,
    pub(super) workspace: WorkspaceId,
    pub(super) actor: Actor,
    signals: Option<UnboundedReceiver<Signal>>,
    pub(super) engine: Option<Engine>,
    folder: PathBuf,
}

pub(super) struct Settings {
    pub(super) allow: &'static str,
    pub(super) schedule: &'static str,
    pub(super) deactivate_after: Duration,
    pub(super) limits: Limits,
    pub(super) resolver: Resolver,
    pub(super) extra_ca_file: Option<PathBuf>,
    /// Instead of a file.
    pub(super) database_url: Option<String>,
    /// How the database fails.
    pub(super) faults: Option<Arc<Faults>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow: "127.0.0.0/8",
            schedule: "0s,5s,5m",
            deactivate_after: Duration::from_hours(120),
            limits: Limits { connect: GUARD, exchange: GUARD },
            resolver: Resolver::default(),
            extra_ca_file: None,
            database_url: None,
            faults: None,
        }
    }
}

impl Settings {
    pub(super) fn config(&self, folder: &std::path::Path) -> Config {
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database_url: self
                .database_url
                .clone()
                .unwrap_or_else(|| format!("sqlite:{}", folder.join("test.db").display())),
            public_url: None,
            master_key_file: folder.join("key"),
            allow_networks: self
                .allow
                .split(',')
                .filter(|text| !text.is_empty())
                .map(|text| text.parse().unwrap())
                .collect(),
            extra_ca_file: self.extra_ca_file.clone(),
            database_listen_url: None,
            retry_schedule: self.schedule.parse().unwrap(),
            deactivate_after: self.deactivate_after,
            retention: Duration::from_hours(720),
            drain_delay: Duration::ZERO,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

/// The engine runs, and receivers on this machine may be called.
pub(super) async fn world() -> World {
    World::with(Settings::default()).await
}

/// One world on each engine: on PostgreSQL when `BELLWIRE_TEST_POSTGRES_URL` names a server.
pub(super) async fn worlds() -> Vec<World> {
    let mut worlds = vec![world().await];
    if let Some(database_url) = postgres().await {
        worlds.push(World::with(Settings { database_url: Some(database_url), ..Settings::default() }).await);
    }
    worlds
}

/// A database of its own on the server that `BELLWIRE_TEST_POSTGRES_URL` names.
pub(super) async fn postgres() -> Option<String> {
    let server = std::env::var("BELLWIRE_TEST_POSTGRES_URL").ok()?;
    let name = format!("engine_{}", crate::crypt::hex(&Randomness::from_system().bytes::<8>()));
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let base = server.rsplit_once('/').unwrap().0;
    Some(format!("{base}/{name}"))
}

impl World {
    pub(super) async fn with(settings: Settings) -> Self {
        let mut world = Self::without_engine(&settings).await;
        world.start_with(settings.limits, settings.resolver);
        world
    }

    pub(super) async fn without_engine(settings: &Settings) -> Self {
        let random = Randomness::from_system();
        let folder = std::env::temp_dir().join(format!("bellwire-engine-{}", crate::crypt::hex(&random.bytes::<8>())));
        std::fs::create_dir_all(&folder).unwrap();
        let config = settings.config(&folder);
        let db = Db::open(&config.database_url).await.unwrap();
        // The other library that verifies signatures reads the real clock.
        let clock = Clock::fake(Clock::System.now());
        let plain = db.clone();
        let db = settings.faults.as_ref().map_or_else(|| plain.clone(), |faults| faults.before(plain.clone(), &clock));
        let workspace = random.id(clock.now());
        let (app, signals) = App::new(config, db, clock, random, MasterKey::from_bytes([1; 32]));
        let actor = Actor {
            workspace,
            principal: PrincipalId::ApiKey(app.random.id(app.clock.now())),
            name: "Test".to_owned(),
            permissions: BuiltInRole::Owner.permissions(),
            secret: None,
            origin: Origin::via(Via::System),
        };
        let world = Self { app, plain, workspace, actor, signals: Some(signals), engine: None, folder };
        furnish(&world.plain, &world.app, &world.actor).await;
        world
    }

    pub(super) fn start(&mut self, limits: Limits) {
        self.start_with(limits, Resolver::default());
    }

    fn start_with(&mut self, limits: Limits, resolver: Resolver) {
        let transport = Transport::network(&self.app, limits, resolver).unwrap();
        self.engine = Some(start_with(&self.app, self.signals.take().unwrap(), transport));
    }

    /// Another process on the same database, with a clock of its own that is wrong by so many microseconds.
    pub(super) fn beside(&self, wrong_by: i64) -> Self {
        let clock = Clock::fake(self.now().shifted(wrong_by));
        let random = Randomness::from_system();
        let (app, signals) =
            App::new(self.app.config.clone(), self.app.db.clone(), clock, random, self.app.key.clone());
        Self {
            app,
            plain: self.plain.clone(),
            workspace: self.workspace,
            actor: self.actor.clone(),
            signals: Some(signals),
            engine: None,
            folder: PathBuf::new(),
        }
    }

    /// Another workspace, of the same process.
    pub(super) async fn neighbour(&self) -> Self {
        let workspace = self.app.random.id(self.now());
        let principal = PrincipalId::ApiKey(self.app.random.id(self.now()));
        let actor = Actor { workspace, principal, ..self.actor.clone() };
        furnish(&self.plain, &self.app, &actor).await;
        Self {
            app: self.app.clone(),
            plain: self.plain.clone(),
            workspace,
            actor,
            signals: None,
            engine: None,
            folder: PathBuf::new(),
        }
    }

    /// Another process on the same database, after this one has died with all that it had in memory.
    pub(super) async fn reborn(mut self) -> Self {
        let app = &self.app;
        let db = Db::open(&app.config.database_url).await.unwrap();
        let random = Randomness::from_system();
        let plain = db.clone();
        let (app, signals) = App::new(app.config.clone(), db, app.clock.clone(), random, app.key.clone());
        let folder = std::mem::take(&mut self.folder);
        Self {
            app,
            plain,
            workspace: self.workspace,
            actor: self.actor.clone(),
            signals: Some(signals),
            engine: None,
            folder,
        }
    }

    /// An active webhook that wants [`EVENT`].
    pub(super) async fn webhook(&self, url: &str) -> WebhookId {
        let new = NewWebhook {
            url: "https://example.com/".parse().unwrap(),
            event_types: EventTypes::parse([EVENT.as_str()]).unwrap(),
            description: Description::parse("").unwrap(),
            headers: vec![("x-team".to_owned(), "billing".to_owned())],
            rate_limit: None,
        };
        let (webhook, _) = ops::webhooks::create(&self.app, &self.actor, new).await.unwrap();
        // Some of the URLs of these tests would be refused.
        self.set(webhook.id, "url", url).await;
        webhook.id
    }

    pub(super) async fn deactivate(&self, webhook: WebhookId) {
        ops::webhooks::deactivate(&self.app, &self.actor, webhook, Reason::parse("").unwrap()).await.unwrap();
    }

    pub(super) async fn activate(&self, webhook: WebhookId, missed: Missed) {
        ops::webhooks::activate(&self.app, &self.actor, webhook, missed).await.unwrap();
    }

    /// Changes a column of a webhook, and tells the engine.
    pub(super) async fn set(&self, webhook: WebhookId, column: &str, value: impl Into<Value>) {
        self.execute(&format!("UPDATE webhooks SET {column} = $2 WHERE id = $1"), &[webhook.into(), value.into()])
            .await;
        self.app.wake.send(Signal::Changed(webhook));
        self.app.wake.send(Signal::Due([(self.workspace, webhook)].into()));
    }

    pub(super) async fn publish(&self, count: usize) {
        self.record(Audience::Subscribers, count).await;
    }

    pub(super) async fn test(&self, webhook: WebhookId) {
        self.record(Audience::Test(webhook), 1).await;
    }

    /// Publishes the same data so many times.
    pub(super) async fn publish_data(&self, count: usize, data: &serde_json::Value) {
        let data = data.clone();
        let of = move |_| data.clone();
        self.record_each(Audience::Subscribers, count, of).await;
    }

    async fn record(&self, audience: Audience, count: usize) {
        self.record_each(audience, count, |number| json!({"number": number})).await;
    }

    async fn record_each(
        &self,
        audience: Audience,
        count: usize,
        data: impl Fn(usize) -> serde_json::Value + Send + 'static,
    ) {
        ops::journal::transact(&self.app, self.workspace, By::system(), true, move |tx| {
            Box::pin(async move {
                for number in 0..count {
                    tx.record_for(EVENT, &data(number), audience)?;
                }
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
    }

    /// Takes all places in memory that the workspace can have.
    pub(super) fn take_all_places(&self) -> Place {
        let places = &self.app.wake.places;
        places.take(self.workspace, places.room(self.workspace)).unwrap()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Moves the clock to `time`.
    pub(super) fn move_to(&self, time: Timestamp) {
        self.app.clock.advance(time.since(self.now()));
    }

    /// Lets time pass in small steps until something is so. A disk that takes its time is no time that passes.
    pub(super) async fn pass_until(&self, is_so: impl Fn() -> bool) {
        let passing = async {
            while !is_so() {
                if self.app.db.connections().busy == 0 {
                    self.app.clock.advance(Duration::from_millis(100));
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(GUARD, passing).await.expect("it comes to that");
    }

    pub(super) async fn execute(&self, sql: &str, values: &[Value]) {
        execute(&self.plain, sql, values).await;
    }

    pub(super) async fn query(&self, sql: &str) -> Vec<Row> {
        let sql = sql.to_owned();
        let done = self.plain.read(move |conn| Box::pin(async move { conn.query(&sql, &[]).await }));
        done.await.map_err(|error: DbError| error).unwrap()
    }

    /// Waits until something is so.
    pub(super) async fn until(&self, is_so: impl Fn() -> bool) {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(GUARD, wait).await.unwrap();
    }

    /// Waits until a query gives as many rows as wanted, and returns them.
    pub(super) async fn rows(&self, count: usize, sql: &str) -> Vec<Row> {
        let wait = async {
            loop {
                let rows = self.query(sql).await;
                if rows.len() == count {
                    return rows;
                }
                // Others need the processor too.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        match tokio::time::timeout(GUARD, wait).await {
            Ok(rows) => rows,
            Err(_) => panic!("{sql} never gave {count} rows but {:#?}", self.query(sql).await),
        }
    }

    pub(super) async fn row(&self, sql: &str) -> Row {
        self.rows(1, sql).await.remove(0)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.folder.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A workspace and an API key that may do everything.
pub(super) async fn furnish(db: &Db, app: &App, actor: &Actor) {
    let now = app.clock.now();
    let (role, license): (RoleId, LicenseId) = (app.random.id(now), app.random.id(now));
    let (workspace, now): (Value, Value) = (actor.workspace.into(), now.into());
    let key = actor.principal.to_string();
    let permissions = serde_json::to_string(&actor.permissions).unwrap();
    let all: [(&str, Vec<Value>); 5] = [
        ("INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'Test', $2)", vec![workspace.clone(), now.clone()]),
        (
            // One that the clock has nothing to do with: the only events are those of the test.
            "INSERT INTO licenses (workspace_id, id, plan, status, renews, period_start, period_end, included, extra, used, \
             thresholds, expiring_told, updated_at) VALUES ($1, $2, 'Test', 'blocked', 0, $3, $3, 0, 0, 0, '[]', 0, $3)",
            vec![workspace.clone(), license.into(), now.clone()],
        ),
        (
            "INSERT INTO api_keys (id, workspace_id, name, name_key, secret_hash, hint, status, created_by, created_at, updated_at) \
             VALUES ($1, $2, 'Test', 'test', $1, 'abcd', 'active', '{}', $3, $3)",
            vec![key.clone().into(), workspace.clone(), now.clone()],
        ),
        (
            "INSERT INTO roles (id, workspace_id, name, name_key, description, built_in, permissions, created_at, updated_at) \
             VALUES ($1, $2, 'Owner', 'owner', '', 1, $3, $4, $4)",
            vec![role.into(), workspace.clone(), permissions.into(), now],
        ),
        (
            "INSERT INTO role_members (workspace_id, role_id, principal_id) VALUES ($1, $2, $3)",
            vec![workspace, role.into(), key.into()],
        ),
    ];
    for (sql, values) in all {
        execute(db, sql, &values).await;
    }
}

async fn execute(db: &Db, sql: &str, values: &[Value]) {
    let (sql, values) = (sql.to_owned(), values.to_vec());
    let done = db.write(move |conn| Box::pin(async move { conn.execute(&sql, &values).await }));
    done.await.map_err(|error: DbError| error).unwrap();
}
