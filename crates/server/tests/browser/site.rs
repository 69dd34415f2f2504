//! A whole server in the test: database, clock, engine, console, on a free port of this machine.

use std::{net::SocketAddr, time::Duration};

use bellwire::{
    app::App,
    clock::{Clock, Randomness},
    config::{Config, LogFormat},
    crypt::MasterKey,
    db::Db,
    delivery::{self, Engine},
    ops::{self, Actor, publish::NewPublish},
    password::Password,
};
use bellwire_core::{
    catalogue::EventType,
    event::{Origin, PrincipalId, Via},
    permission::BuiltInRole,
    text::{Email, Name},
    time::Timestamp,
};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const EMAIL: &str = "ann@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// How long a webhook may fail.
pub(crate) const DEACTIVATE_AFTER: Duration = Duration::from_hours(5 * 24);

/// A server with Ann Lee, the owner of the workspace Northwind. Its clock stands still until a test moves it.
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) ann: Actor,
    /// For programs: it may do everything.
    pub(crate) api_key: String,
    engine: Engine,
    server: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::on(None).await
    }

    /// On an empty PostgreSQL database, or on a file.
    pub(crate) async fn on(postgres_url: Option<&str>) -> Self {
        let clock = Clock::fake(Timestamp::parse("2026-11-23T09:00:00Z").unwrap());
        Self::serve(postgres_url, clock, None).await
    }

    /// Another node on the same PostgreSQL database.
    pub(crate) async fn beside(&self) -> Self {
        let owner = (self.ann.clone(), self.api_key.clone());
        Self::serve(Some(&self.app.config.database_url), self.app.clock.clone(), Some(owner)).await
    }

    /// With the owner that there is, or a new one.
    async fn serve(postgres_url: Option<&str>, clock: Clock, owner: Option<(Actor, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("bellwire.db").display());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config {
            listen: address,
            database_url: postgres_url.map_or(file, str::to_owned),
            public_url: None,
            master_key_file: folder.path().join("bellwire.key"),
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            extra_ca_file: None,
            database_listen_url: None,
            retry_schedule: "0s,5s,5m,30m".parse().unwrap(),
            deactivate_after: DEACTIVATE_AFTER,
            retention: Duration::from_hours(30 * 24),
            drain_delay: Duration::ZERO,
            log: "off".to_owned(),
            log_format: LogFormat::Text,
        };
        let db = Db::open(&config.database_url).await.unwrap();
        let (app, signals) = App::new(config, db, clock, Randomness::from_system(), MasterKey::from_bytes([7; 32]));
        let engine = delivery::start(&app, signals).unwrap();
        let (ann, api_key) = match owner {
            Some(owner) => owner,
            None => furnish(&app).await,
        };
        let router = bellwire::api::router(&app).merge(bellwire::console::router(app.clone()));
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{address}"), app, ann, api_key, engine, server, _folder: folder }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.app.clock.advance(time);
    }

    pub(crate) async fn stop(self) {
        self.server.abort();
        self.engine.drain().await;
    }
}

/// The workspace and its owner; then as whom programs of a test act for her, and the key of those that use the API.
async fn furnish(app: &App) -> (Actor, String) {
    let name = |text| Name::parse(text).unwrap();
    let password = Password::parse(PASSWORD).unwrap();
    let email = Email::parse(EMAIL).unwrap();
    let made = ops::setup::bootstrap(app, name("Northwind"), email, name("Ann Lee"), password).await.unwrap();
    let ann = Actor {
        workspace: made.workspace_id,
        principal: PrincipalId::User(made.user_id),
        name: "Ann Lee".to_owned(),
        permissions: BuiltInRole::Owner.permissions(),
        secret: None,
        origin: Origin::via(Via::CommandLine),
    };
    (ann, made.api_key)
}

impl Site {
    /// Something happens in the workspace: an event of this type, with the data of the catalogue's example.
    pub(crate) async fn happens(&self, event_type: EventType) {
        let new = NewPublish {
            event_type,
            data: serde_json::value::to_raw_value(&event_type.entry().example_data()).unwrap(),
            actor: None,
            occurred_at: None,
        };
        ops::publish::publish(&self.app, &self.ann, new, None).await.unwrap();
    }
}
