//! What the use cases of webhooks, deliveries, events and publishing promise, on both engines: on PostgreSQL when
//! `BELLWIRE_TEST_POSTGRES_URL` names a server.

mod deliveries;
mod lists;
mod publish;
mod replays;
mod several;
mod webhooks;

use std::time::Duration;

use bellwire_core::{
    catalogue::{EventType, EventTypes},
    event::{Origin, PrincipalId},
    id::{Id, Kind, RoleId, UserId, WebhookId, WorkspaceId},
    permission::BuiltInRole,
    text::Description,
    time::Timestamp,
};
use serde_json::{Value as Json, value::RawValue};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Actor,
    publish::{NewPublish, Published},
    webhooks::{NewWebhook, WebhookDetails},
};
use crate::{
    app::{App, Signal},
    db::{DbError, Row, Value},
    error::Error,
    testing::{self, Storage},
};

/// An installation with one workspace, its owner, and a member who may do nothing here; nobody sends what is owed.
struct World {
    app: App,
    signals: UnboundedReceiver<Signal>,
    owner: Actor,
    member: Actor,
    _storage: Storage,
}

/// One on each engine.
async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for (app, signals, storage) in testing::apps().await {
        let workspace = workspace(&app).await;
        let owner = user(&app, workspace, "Ann Lee", BuiltInRole::Owner).await;
        let member = user(&app, workspace, "Sam Rivera", BuiltInRole::Member).await;
        worlds.push(World { app, signals, owner, member, _storage: storage });
    }
    worlds
}

fn id<K: Kind>(app: &App) -> Id<K> {
    app.random.id(app.clock.now())
}

async fn workspace(app: &App) -> WorkspaceId {
    let workspace = id(app);
    let sql = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'Acme', $2)";
    execute(app, sql, vec![workspace.into(), app.clock.now().into()]).await;
    workspace
}

async fn user(app: &App, workspace: WorkspaceId, name: &str, role: BuiltInRole) -> Actor {
    let (user, role_id, now): (UserId, RoleId, _) = (id(app), id(app), app.clock.now());
    let sql = "INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, $2, '', $3)";
    execute(app, sql, vec![user.into(), format!("{user}@example.com").into(), now.into()]).await;
    let sql = "INSERT INTO memberships (workspace_id, user_id, name, name_key, status, joined_at, updated_at) \
               VALUES ($1, $2, $3, $4, 'active', $5, $5)";
    execute(app, sql, vec![workspace.into(), user.into(), name.into(), name.to_lowercase().into(), now.into()]).await;
    let sql = "INSERT INTO roles (id, workspace_id, name, name_key, description, built_in, permissions, created_at, updated_at) \
               VALUES ($1, $2, $3, $3, '', 1, $4, $5, $5)";
    let permissions = serde_json::to_string(&role.permissions()).unwrap();
    let name_of_role = format!("{} of {user}", role.name());
    execute(app, sql, vec![role_id.into(), workspace.into(), name_of_role.into(), permissions.into(), now.into()])
        .await;
    let sql = "INSERT INTO role_members (workspace_id, role_id, principal_id) VALUES ($1, $2, $3)";
    execute(app, sql, vec![workspace.into(), role_id.into(), user.into()]).await;
    Actor {
        workspace,
        principal: PrincipalId::User(user),
        name: name.to_owned(),
        permissions: role.permissions(),
        secret: None,
        origin: Origin::console(None),
    }
}

/// Somebody who owns another workspace.
async fn stranger(app: &App) -> Actor {
    let workspace = workspace(app).await;
    user(app, workspace, "Eve Stranger", BuiltInRole::Owner).await
}

async fn execute(app: &App, sql: &'static str, values: Vec<Value>) -> u64 {
    app.db.write(move |conn| Box::pin(async move { conn.execute(sql, &values).await })).await.map_err(db).unwrap()
}

async fn query(app: &App, sql: &'static str, values: Vec<Value>) -> Vec<Row> {
    app.db.read(move |conn| Box::pin(async move { conn.query(sql, &values).await })).await.map_err(db).unwrap()
}

fn db(error: DbError) -> DbError {
    error
}

fn types(patterns: &[&str]) -> EventTypes {
    EventTypes::parse(patterns.iter().copied()).unwrap()
}

fn new_webhook(url: &str, patterns: &[&str]) -> NewWebhook {
    NewWebhook {
        url: url.parse().unwrap(),
        event_types: types(patterns),
        description: Description::parse("").unwrap(),
        headers: Vec::new(),
        rate_limit: None,
    }
}

async fn create(world: &World, url: &str, patterns: &[&str]) -> WebhookDetails {
    super::webhooks::create(&world.app, &world.owner, new_webhook(url, patterns)).await.unwrap().0
}

fn event(event_type: EventType, data: &str) -> NewPublish {
    let data = RawValue::from_string(data.to_owned()).unwrap();
    NewPublish { event_type, data, actor: None, occurred_at: None }
}

async fn publish_one(world: &World) -> Published {
    let new = event(EventType::USER_BLOCKED, "{}");
    super::publish::publish(&world.app, &world.owner, new, None).await.unwrap()
}

/// The signals that were sent since this was asked last.
fn drain(world: &mut World) -> Vec<Signal> {
    std::iter::from_fn(|| world.signals.try_recv().ok()).collect()
}

/// How many deliveries were handed to the engine in memory, and for which webhooks it was told to look into the database.
fn handed_over(signals: &[Signal]) -> (usize, Vec<WebhookId>) {
    let owed = signals.iter().map(|signal| if let Signal::Owed(owed) = signal { owed.len() } else { 0 }).sum();
    let due = signals.iter().filter_map(|signal| if let Signal::Due(due) = signal { Some(due) } else { None });
    (owed, due.flatten().map(|(_, webhook)| *webhook).collect())
}

fn second(world: &World) {
    world.app.clock.advance(Duration::from_secs(1));
}

fn json(it: &impl serde::Serialize) -> Json {
    serde_json::to_value(it).unwrap()
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}
