//! A workspace with webhooks, its database, its clock and its engine.

use std::{path::PathBuf, time::Duration};

use bellwire_core::{
    catalogue::EventType,
    event::EventActor,
    id::{WebhookId, WorkspaceId},
    sign::Secret,
    time::Timestamp,
};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::{Engine, Limits, start_with};
use crate::{
    app::{App, Signal},
    clock::{Clock, Randomness},
    config::Config,
    crypt::MasterKey,
    db::{Db, DbError, Row, Value, events::Audience},
    error::Error,
    ops,
};

/// Ends a test that waits for what never comes.
pub(super) const GUARD: Duration = Duration::from_secs(60);
pub(super) const EVENT: EventType = EventType::USER_BLOCKED;

pub(super) struct World {
    pub(super) app: App,
    pub(super) workspace: WorkspaceId,
    signals: Option<UnboundedReceiver<Signal>>,
    pub(super) engine: Option<Engine>,
    folder: PathBuf,
}

pub(super) struct Settings {
    pub(super) allow: &'static str,
    pub(super) schedule: &'static str,
    pub(super) deactivate_after: Duration,
    pub(super) limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow: "127.0.0.0/8",
            schedule: "0s,5s,5m",
            deactivate_after: Duration::from_hours(120),
            limits: Limits { connect: GUARD, exchange: GUARD },
        }
    }
}

impl Settings {
    fn config(&self, folder: &std::path::Path) -> Config {
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database_url: format!("sqlite:{}", folder.join("test.db").display()),
            public_url: None,
            master_key_file: folder.join("key"),
            allow_networks: self
                .allow
                .split(',')
                .filter(|text| !text.is_empty())
                .map(|text| text.parse().unwrap())
                .collect(),
            retry_schedule: self.schedule.parse().unwrap(),
            deactivate_after: self.deactivate_after,
            retention: Duration::from_hours(720),
            log: "info".to_owned(),
        }
    }
}

/// The engine runs, and receivers on this machine may be called.
pub(super) async fn world() -> World {
    World::with(Settings::default()).await
}

impl World {
    pub(super) async fn with(settings: Settings) -> Self {
        let mut world = Self::without_engine(&settings).await;
        world.start(settings.limits);
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
        let workspace = random.id(clock.now());
        let (app, signals) = App::new(config, db, clock, random, MasterKey::from_bytes([1; 32]));
        let world = Self { app, workspace, signals: Some(signals), engine: None, folder };
        let values = [workspace.into(), world.app.clock.now().into()];
        world.execute("INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'Test', $2)", &values).await;
        world
    }

    pub(super) fn start(&mut self, limits: Limits) {
        self.engine = Some(start_with(&self.app, self.signals.take().unwrap(), limits));
    }

    /// Another process on the same database, after this one has died with all that it had in memory.
    pub(super) async fn reborn(mut self) -> Self {
        let app = &self.app;
        let db = Db::open(&app.config.database_url).await.unwrap();
        let random = Randomness::from_system();
        let (app, signals) = App::new(app.config.clone(), db, app.clock.clone(), random, app.key.clone());
        let folder = std::mem::take(&mut self.folder);
        Self { app, workspace: self.workspace, signals: Some(signals), engine: None, folder }
    }

    pub(super) fn secret(&self) -> Secret {
        Secret::from_bytes(&[9; 32]).unwrap()
    }

    /// An active webhook that wants [`EVENT`].
    pub(super) async fn webhook(&self, url: &str) -> WebhookId {
        let (app, now) = (&self.app, self.app.clock.now());
        let id: WebhookId = app.random.id(now);
        let place = ops::webhooks::place(self.workspace, ops::webhooks::SECRET, id);
        let sealed = app.key.seal(&app.random, &place, self.secret().as_bytes());
        let values = [id.into(), self.workspace.into(), url.into(), sealed.into(), now.into()];
        self.execute(
            "INSERT INTO webhooks (id, workspace_id, url, description, event_types, actor_types, owner_type, owner_id, \
             owner_name, owner_key, status, secret_sealed, health, created_at, updated_at) VALUES ($1, $2, $3, '', \
             '[\"user.blocked\"]', ',users,', 'user', 'usr_00000000000000000000000000', 'Ann', 'ann', 'active', $4, 'unknown', $5, $5)",
            &values,
        )
        .await;
        let values = [self.workspace.into(), EVENT.as_str().into(), id.into()];
        self.execute("INSERT INTO subscriptions (workspace_id, event_type, webhook_id) VALUES ($1, $2, $3)", &values)
            .await;
        id
    }

    /// Changes a column of a webhook, and tells the engine.
    pub(super) async fn set(&self, webhook: WebhookId, column: &str, value: impl Into<Value>) {
        self.execute(&format!("UPDATE webhooks SET {column} = $2 WHERE id = $1"), &[webhook.into(), value.into()])
            .await;
        self.app.wake.send(Signal::Changed(webhook));
        self.app.wake.send(Signal::Due([webhook].into()));
    }

    pub(super) async fn publish(&self, count: usize) {
        self.record(Audience::Subscribers, count).await;
    }

    pub(super) async fn test(&self, webhook: WebhookId) {
        self.record(Audience::Test(webhook), 1).await;
    }

    async fn record(&self, audience: Audience, count: usize) {
        ops::journal::transact(&self.app, self.workspace, EventActor::system(), true, move |tx| {
            Box::pin(async move {
                for number in 0..count {
                    tx.record_for(EVENT, &json!({"number": number}), audience)?;
                }
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
    }

    pub(super) fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Moves the clock to `time`.
    pub(super) fn move_to(&self, time: Timestamp) {
        self.app.clock.advance(time.since(self.now()));
    }

    pub(super) async fn execute(&self, sql: &str, values: &[Value]) {
        let (sql, values) = (sql.to_owned(), values.to_vec());
        let done = self.app.db.write(move |conn| Box::pin(async move { conn.execute(&sql, &values).await }));
        done.await.map_err(|error: DbError| error).unwrap();
    }

    pub(super) async fn query(&self, sql: &str) -> Vec<Row> {
        let sql = sql.to_owned();
        let done = self.app.db.read(move |conn| Box::pin(async move { conn.query(&sql, &[]).await }));
        done.await.map_err(|error: DbError| error).unwrap()
    }

    /// Waits until a query gives as many rows as wanted, and returns them.
    pub(super) async fn rows(&self, count: usize, sql: &str) -> Vec<Row> {
        let wait = async {
            loop {
                let rows = self.query(sql).await;
                if rows.len() == count {
                    return rows;
                }
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
