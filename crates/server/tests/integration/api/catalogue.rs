//! Everything that the catalogue promises can be made to happen, and arrives as it says.

use std::{collections::BTreeSet, time::Duration};

use bellwire::ops::{self, Actor};
use bellwire_core::{
    catalogue::EventType,
    event::{Origin, PrincipalId},
    id::UserId,
    permission::{BuiltInRole, Permissions},
};
use serde_json::{Value, json};

use super::world::{World, worlds};
use crate::support::receiver::Receiver;

const PASSWORD: &str = "a long enough password";

/// A world, a receiver that wants everything, and the number of the last event before it did.
struct Stage {
    world: World,
    receiver: Receiver,
    /// The sequence of the last event before the webhook was there.
    before: u64,
}

impl Stage {
    /// Asks for something that must be done; waits until all that it caused has arrived.
    async fn act(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.world.ask(method, &format!("/api/v1/{path}"), body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.shown());
        self.settle().await;
        answer.json()
    }

    async fn make(&self, path: &str, body: Value) -> String {
        self.act("POST", path, body).await["id"].as_str().unwrap().to_owned()
    }

    async fn settle(&self) -> usize {
        // The newest first; what is for the feed only is not sent.
        let feed = self.world.ask("GET", "/api/v1/events?limit=200", Value::Null).await.json();
        let feed = feed["data"].as_array().unwrap();
        let is_new = |event: &&Value| event["sequence"].as_u64().unwrap() > self.before;
        let is_sent = |event: &&Value| EventType::parse(event["type"].as_str().unwrap()).unwrap().is_delivered();
        let wanted = feed.iter().filter(is_new).filter(is_sent).count();
        assert!(feed.len() < 200, "there may be more events than one page shows");
        self.receiver.wait_for(wanted).await;
        wanted
    }

    /// Lets time pass, until the clock has caused one event more.
    async fn wait(&self, days: u64) {
        let settled = self.settle().await;
        self.world.server.app.clock.advance(Duration::from_hours(24 * days));
        self.receiver.wait_for(settled + 1).await;
        self.settle().await;
    }

    /// Somebody who was invited and has joined with the role Admin.
    async fn join(&self, email: &str, name: &str) -> (UserId, Actor) {
        let roles = self.world.ask("GET", "/api/v1/roles", Value::Null).await.json();
        let roles = roles["data"].as_array().unwrap();
        let admin = roles.iter().find(|role| role["name"] == "Admin").unwrap()["id"].clone();
        let sent = self.act("POST", "invites", json!({"email": email, "role_ids": [admin]})).await;
        let token = sent["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let app = &self.world.server.app;
        ops::invites::accept(app, &token, name, PASSWORD, None).await.unwrap();
        self.settle().await;
        let users = self.world.ask("GET", &format!("/api/v1/users?search={email}"), Value::Null).await;
        let id: UserId = users.text("/data/0/id").parse().unwrap();
        (id, self.person(id, name, BuiltInRole::Admin.permissions()))
    }

    /// Whoever does what only people do, and no key can.
    fn person(&self, id: UserId, name: &str, permissions: Permissions) -> Actor {
        let workspace = self.world.acme.workspace_id;
        Actor {
            workspace,
            principal: PrincipalId::User(id),
            name: name.to_owned(),
            permissions,
            secret: None,
            origin: Origin::console(None),
        }
    }
}

fn check(schema: &Value, instance: &Value) -> Result<(), String> {
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    compiler.add_resource("https://example.com/schema", schema.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    let schema = compiler.compile("https://example.com/schema", &mut schemas).unwrap();
    schemas.validate(instance, schema).map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_type_happens_and_arrives_as_the_catalogue_says() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let webhook = json!({"url": receiver.url(), "event_types": ["*"]});
        let webhook = world.ask("POST", "/api/v1/webhooks", webhook).await.text("/id");
        let last = world.ask("GET", "/api/v1/events?limit=1", Value::Null).await.json();
        let before = last["data"][0]["sequence"].as_u64().unwrap();
        let stage = Stage { world, receiver, before };
        people(&stage).await;
        groups_and_roles(&stage).await;
        keys(&stage).await;
        license(&stage).await;
        let other = json!({"url": "https://other.example.com", "event_types": ["user.joined"]});
        let other = stage.world.ask("POST", "/api/v1/webhooks", other).await.text("/id");
        stage.act("POST", &format!("webhooks/{other}/deactivate"), json!({"reason": "no longer needed"})).await;
        stage.act("POST", &format!("webhooks/{webhook}/test"), Value::Null).await;

        let listed = stage.world.ask("GET", "/api/v1/event-types", Value::Null).await.json();
        let schema_of = |name: &str| {
            let types = listed["data"].as_array().unwrap();
            types.iter().find(|it| it["name"] == name).unwrap()["data_schema"].clone()
        };
        let mut seen = BTreeSet::new();
        for received in stage.receiver.received() {
            let body = received.json();
            let name = body["type"].as_str().unwrap().to_owned();
            let data = check(&schema_of(&name), &body["data"]);
            data.unwrap_or_else(|error| panic!("the data of {name}: {error}\n{body:#}"));
            let whole = check(&EventType::parse(&name).unwrap().entry().body_schema(), &body);
            whole.unwrap_or_else(|error| panic!("the body of {name}: {error}\n{body:#}"));
            seen.insert(name);
        }
        let sent = EventType::all().filter(|event_type| event_type.is_delivered());
        let all: BTreeSet<String> = sent.map(|event_type| event_type.to_string()).collect();
        let missing: Vec<_> = all.difference(&seen).collect();
        assert!(missing.is_empty(), "these never happened: {missing:?}");
        stage.world.server.stop().await;
    }
}

async fn people(stage: &Stage) {
    let app = &stage.world.server.app;
    let (sam, _) = stage.join("sam@example.com", "Sam Rivera").await;
    stage.act("PATCH", &format!("users/{sam}"), json!({"name": "Sam R."})).await;
    stage.act("POST", &format!("users/{sam}/block"), json!({"reason": "left the company"})).await;
    stage.act("POST", &format!("users/{sam}/unblock"), Value::Null).await;
    stage.act("DELETE", &format!("users/{sam}"), Value::Null).await;
    let (_, max) = stage.join("max@example.com", "Max").await;
    ops::users::leave(app, &max).await.unwrap();
    stage.settle().await;
    let (zoe, actor) = stage.join("zoe@example.com", "Zoë").await;
    let ann = stage.world.acme.user_id;
    let offer = stage.make("ownership-offers", json!({"from": ann, "to": zoe})).await;
    ops::ownership::accept(app, &actor, offer.parse().unwrap()).await.unwrap();
    stage.settle().await;

    let invite = stage.make("invites", json!({"email": "kim@example.com"})).await;
    stage.act("POST", &format!("invites/{invite}/resend"), Value::Null).await;
    stage.act("DELETE", &format!("invites/{invite}"), Value::Null).await;
    stage.make("invites", json!({"email": "late@example.com"})).await;
}

async fn groups_and_roles(stage: &Stage) {
    let ann = stage.world.acme.user_id;
    let group = stage.make("groups", json!({"name": "Support"})).await;
    stage.act("PATCH", &format!("groups/{group}"), json!({"name": "Customer support"})).await;
    stage.act("PUT", &format!("groups/{group}/members/{ann}"), Value::Null).await;
    stage.act("DELETE", &format!("groups/{group}/members/{ann}"), Value::Null).await;
    stage.act("DELETE", &format!("groups/{group}"), Value::Null).await;
    let role = stage.make("roles", json!({"name": "Auditor", "permissions": ["events.view"]})).await;
    stage.act("PATCH", &format!("roles/{role}"), json!({"permissions": ["events.view", "users.view"]})).await;
    stage.act("PUT", &format!("roles/{role}/members/{ann}"), Value::Null).await;
    stage.act("DELETE", &format!("roles/{role}/members/{ann}"), Value::Null).await;
    stage.act("DELETE", &format!("roles/{role}"), Value::Null).await;
}

async fn keys(stage: &Stage) {
    let key = stage.make("api-keys", json!({"name": "Sync"})).await;
    stage.act("PATCH", &format!("api-keys/{key}"), json!({"name": "Billing sync"})).await;
    stage.act("POST", &format!("api-keys/{key}/rotate"), Value::Null).await;
    stage.act("POST", &format!("api-keys/{key}/block"), json!({"reason": "leaked"})).await;
    stage.act("POST", &format!("api-keys/{key}/unblock"), Value::Null).await;
    stage.act("DELETE", &format!("api-keys/{key}"), Value::Null).await;
}

async fn license(stage: &Stage) {
    stage.act("POST", "license/usage", json!({"amount": 85_000})).await;
    stage.act("POST", "license/usage", json!({"amount": 20_000})).await;
    stage.act("POST", "license/credits", json!({"amount": 50_000, "source": "purchase"})).await;
    stage.act("POST", "license/block", json!({"reason": "unpaid"})).await;
    stage.act("POST", "license/unblock", Value::Null).await;
    // It is 23 November. The license ends on 10 December: it tells of it seven days before. The last invite ends on the 30th.
    stage.act("PATCH", "license", json!({"renews": false, "period_end": "2026-12-10T00:00:00Z"})).await;
    stage.wait(8).await;
    stage.wait(3).await;
    stage.wait(7).await;
    stage.act("PATCH", "license", json!({"period_end": "2027-12-10T00:00:00Z"})).await;
}
