//! What a removal brings with it: every event once, together, and in an order in which somebody who follows can apply them.

use std::collections::BTreeSet;

use bellwire::{
    db,
    ops::{self, Actor, sign_in},
};
use bellwire_core::{
    catalogue::EventTypes,
    event::{Origin, PrincipalId},
    id::UserId,
    permission::BuiltInRole,
    text::Description,
};
use serde_json::{Value, json};

use super::world::{World, worlds};

/// What happened after this number, the first first.
async fn news(world: &World, after: u64) -> Vec<Value> {
    let page = world.ask("GET", "/api/v1/events?order=asc&limit=200", Value::Null).await.json();
    let events = page["data"].as_array().unwrap().iter().filter(|event| event["sequence"].as_u64().unwrap() > after);
    events.cloned().collect()
}

async fn last(world: &World) -> u64 {
    let page = world.ask("GET", "/api/v1/events?limit=1", Value::Null).await.json();
    page["data"][0]["sequence"].as_u64().unwrap()
}

/// Somebody with the role Admin, straight into the tables.
async fn sam(world: &World) -> UserId {
    let app = &world.server.app;
    let (workspace, now) = (world.acme.workspace_id, app.clock.now());
    let id = app.random.id(now);
    let person = db::users::Person {
        id,
        email: "sam@example.com".to_owned(),
        password_hash: bellwire::password::NOBODY.to_owned(),
    };
    let made = app.db.write(move |conn| {
        Box::pin(async move {
            db::users::insert_person(conn, &person, now).await?;
            db::users::insert_membership(conn, workspace, id, "Sam Rivera", now).await?;
            let roles = db::roles::list(conn, workspace).await?;
            let admin = roles.iter().find(|role| role.is(BuiltInRole::Admin)).unwrap().id;
            db::roles::assign(conn, workspace, admin, PrincipalId::User(id)).await?;
            let session = db::sessions::SessionRow {
                token_hash: bellwire::crypt::token_hash("sam's session"),
                user: id,
                workspace: Some(workspace),
                created_at: now,
                expires_at: now.saturating_add(std::time::Duration::from_hours(1)),
            };
            db::sessions::insert(conn, &session).await
        })
    });
    made.await.unwrap_or_else(|error: db::DbError| panic!("{error}"));
    id
}

/// Lets a principal own a webhook and a group, and be in that group and another. Returns the ids of the three.
async fn entangle(world: &World, principal: PrincipalId, name: &str) -> (String, String, String) {
    let permissions = BuiltInRole::Admin.permissions();
    let actor = Actor {
        workspace: world.acme.workspace_id,
        principal,
        name: name.to_owned(),
        permissions,
        secret: None,
        origin: Origin::console(None),
    };
    let new = ops::webhooks::NewWebhook {
        url: "https://sam.example.com/".parse().unwrap(),
        event_types: EventTypes::parse(["user.joined"]).unwrap(),
        description: Description::parse("").unwrap(),
        headers: Vec::new(),
        rate_limit: None,
    };
    let webhook = ops::webhooks::create(&world.server.app, &actor, new).await.unwrap();
    let own = world.ask("POST", "/api/v1/groups", json!({"name": "Own", "owner_id": principal.to_string()})).await;
    let other = world.ask("POST", "/api/v1/groups", json!({"name": "Other"})).await;
    let (own, other) = (own.text("/id"), other.text("/id"));
    for group in [&own, &other] {
        let path = format!("/api/v1/groups/{group}/members/{principal}");
        assert!(world.ask("PUT", &path, Value::Null).await.status.is_success());
    }
    (webhook.0.webhook.id.to_string(), own, other)
}

/// Applies events as a receiver would, which knows the roles and groups of one principal and what it owns.
fn apply(
    events: &[Value],
    principal: &str,
    mut roles: usize,
    mut groups: BTreeSet<String>,
    mut owned: BTreeSet<String>,
) {
    let mut gone = false;
    for event in events {
        assert!(!gone, "nothing comes after the end: {event:#}");
        let data = &event["data"];
        let object = data["object"]["id"].as_str().unwrap();
        match event["type"].as_str().unwrap() {
            "role.unassigned" => {
                assert_eq!(data["principal"]["id"], principal);
                roles = roles.checked_sub(1).expect("each role is taken once");
            }
            "group.member_removed" => {
                assert_eq!(data["member"]["id"], principal);
                assert!(groups.remove(object), "{object} was left already");
            }
            "group.updated" => {
                assert_eq!(data["previous"]["owner"]["id"], principal);
                assert_ne!(data["object"]["owner"]["id"], principal);
                assert!(owned.remove(object), "{object} was handed over already");
            }
            "user.removed" | "api_key.deleted" => {
                assert_eq!(object, principal);
                assert!(roles == 0 && groups.is_empty() && owned.is_empty(), "something is left: {roles} {groups:?}");
                gone = true;
            }
            other => panic!("{other} was not caused by this"),
        }
    }
    assert!(gone, "it went");
}

async fn check(world: &World, path: &str, principal: &str, things: (String, String, String), before: u64) {
    let (webhook, own, other) = things;
    let events = news(world, before).await;
    let correlation = &events[0]["correlation_id"];
    assert!(correlation.is_string(), "{events:#?}");
    assert!(events.iter().all(|event| event["correlation_id"] == *correlation), "{events:#?}");
    apply(&events, principal, 1, BTreeSet::from([own.clone(), other.clone()]), BTreeSet::from([own.clone()]));
    // Whoever removed it owns what it owned.
    let webhook = world.ask("GET", &format!("/api/v1/webhooks/{webhook}"), Value::Null).await.json();
    assert_eq!((&webhook["owner"]["type"], &webhook["status"]), (&json!("api_key"), &json!("active")));
    assert_eq!(webhook["previous_owner"]["id"], principal);
    assert!(webhook["previous_owner"]["until"].is_string(), "{webhook:#}");
    let own = world.ask("GET", &format!("/api/v1/groups/{own}"), Value::Null).await.json();
    assert_eq!((&own["owner"], own["member_count"].as_u64()), (&webhook["owner"], Some(0)));
    assert_eq!(world.ask("GET", path, Value::Null).await.status, 404);
    let members = world.ask("GET", &format!("/api/v1/groups/{other}/members"), Value::Null).await.json();
    assert_eq!(members["data"], json!([]));
    // Doing it again does nothing.
    let after = last(world).await;
    assert_eq!(world.ask("DELETE", path, Value::Null).await.status, 404);
    assert_eq!(last(world).await, after);
}

#[tokio::test]
async fn a_removed_user_leaves_nothing_behind() {
    for world in worlds().await {
        let id = sam(&world).await;
        let things = entangle(&world, PrincipalId::User(id), "Sam Rivera").await;
        let offer = json!({"from": world.acme.user_id, "to": id});
        let offer = world.ask("POST", "/api/v1/ownership-offers", offer).await.text("/id");
        let app = &world.server.app;
        assert!(sign_in::session(app, "sam's session").await.unwrap().is_some());
        let before = last(&world).await;
        let path = format!("/api/v1/users/{id}");
        assert_eq!(world.ask("DELETE", &path, Value::Null).await.status, 204);
        assert!(sign_in::session(app, "sam's session").await.unwrap().is_none());
        let offer = world.ask("GET", &format!("/api/v1/ownership-offers/{offer}"), Value::Null).await;
        assert_eq!(offer.status, 404);
        check(&world, &path, &id.to_string(), things, before).await;
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_deleted_key_leaves_nothing_behind() {
    for world in worlds().await {
        let roles = world.ask("GET", "/api/v1/roles", Value::Null).await.json();
        let admin =
            roles["data"].as_array().unwrap().iter().find(|role| role["name"] == "Admin").unwrap()["id"].clone();
        let key = world.ask("POST", "/api/v1/api-keys", json!({"name": "Sync", "role_ids": [admin]})).await;
        let (id, secret) = (key.text("/id"), key.text("/secret"));
        let things = entangle(&world, id.parse().unwrap(), "Sync").await;
        let before = last(&world).await;
        let path = format!("/api/v1/api-keys/{id}");
        assert_eq!(world.ask("DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(world.ask_as(&secret, "GET", "/api/v1/event-types", Value::Null).await.status, 401);
        check(&world, &path, &id, things, before).await;
        world.server.stop().await;
    }
}
