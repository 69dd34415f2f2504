//! The console shows nobody what they may not do, and everybody what they may.
//!
//! Somebody opens every page that they find, from the first one on: whatever a page links to or has a form for, they may do.

use std::collections::BTreeSet;

use bellwire_core::permission::{BuiltInRole, Permission, Permissions};
use serde_json::{Value, json};

use super::{
    allows,
    table::{Row, TABLE},
    world::{Caller, Who, World},
};

/// Pages that one reader opens at the most.
const PAGES: usize = 300;

/// What no page leads to: what the script asks for, what one comes to from outside, what a selection leads to, and what is
/// there for as long as a replay runs.
const NOT_LINKED: [&str; 10] = [
    "GET /live",
    "GET /setup",
    "POST /setup",
    "GET /sign-in",
    "POST /sign-in",
    "GET /invites/accept/{token}",
    "POST /invites/accept/{token}",
    "GET /workspaces",
    "POST /webhooks/selected",
    "POST /replays/{id}/cancel",
];

/// What is no page, or none without a selection that people make on another.
const NOT_FOLLOWED: [&str; 2] = ["/static/", "/webhooks/selected"];

/// What everybody may do to themselves.
const OF_ONESELF: [&str; 2] = ["/users/{id}", "/users/{id}/edit"];

/// The row of the console that a path belongs to; of two that fit, the one with fewer parameters.
fn row_of(method: &str, path: &str) -> Option<&'static Row> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let fits = |row: &&Row| {
        let (pattern, parts) = (row.path.split('/'), path.split('/'));
        row.method == method
            && pattern.clone().count() == parts.clone().count()
            && pattern.zip(parts).all(|(pattern, part)| pattern.starts_with('{') || pattern == part)
    };
    TABLE.iter().filter(fits).min_by_key(|row| row.path.matches('{').count())
}

/// What a page leads to: methods and paths.
fn links(html: &str) -> BTreeSet<(&'static str, String)> {
    let attribute = |tag: &str, name: &str| {
        let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
        Some(value.replace("&amp;", "&").replace("&#38;", "&"))
    };
    let mut found = BTreeSet::new();
    for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let is_post = tag.contains("method=\"post\"");
        let path = if tag.starts_with("form") {
            attribute(tag, "action").map(|path| (if is_post { "POST" } else { "GET" }, path))
        } else if let Some(path) = attribute(tag, "formaction") {
            Some(("POST", path))
        } else {
            attribute(tag, "href").map(|path| ("GET", path))
        };
        found.extend(path.filter(|(_, path)| path.starts_with('/')));
    }
    found
}

/// Opens all pages that can be come to, and returns the routes that they lead to.
async fn look_around(
    world: &World,
    caller: &Caller,
    held: Permissions,
    who: &str,
    wrong: &mut Vec<String>,
) -> BTreeSet<String> {
    let mut waiting = vec!["/".to_owned()];
    let mut opened = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        let answer = world.send(caller, "GET", &path, String::new()).await;
        let status = answer.status.as_u16();
        if !matches!(status, 200 | 303) {
            wrong.push(format!("{path} for {who}: {status}"));
            continue;
        }
        if status == 303 {
            let location = answer.location().to_owned();
            assert!(!location.starts_with("/sign-in"), "{path} for {who}");
            if opened.insert(location.clone()) {
                waiting.push(location);
            }
            continue;
        }
        for (method, link) in links(&answer.body) {
            if link.starts_with("/api/") {
                continue;
            }
            let row =
                row_of(method, &link).unwrap_or_else(|| panic!("{path} for {who} leads nowhere: {method} {link}"));
            let own = matches!(caller, Caller::User { id, .. } if link.contains(&id.to_string()));
            let may = allows(row.needs, held) || own && OF_ONESELF.contains(&row.path);
            if !may {
                wrong.push(format!("{path} offers {who} what they may not do: {method} {link}"));
                continue;
            }
            found.insert(format!("{method} {}", row.path));
            // Pages of a list in other orders are the same page.
            let page = link.split(['?', '#']).next().unwrap_or_default().to_owned();
            if method == "GET" && !NOT_FOLLOWED.iter().any(|path| page.starts_with(path)) && opened.insert(page.clone())
            {
                waiting.push(page);
            }
        }
        assert!(opened.len() < PAGES, "{who} finds no end");
    }
    found
}

/// A workspace in which there is something of everything.
async fn furnished() -> World {
    let world = World::new().await;
    let webhook = json!({"url": "https://a.example.com", "event_types": ["user.joined", "group.created"]});
    let id = world.make("webhooks", webhook.clone()).await;
    world.make_all(&format!("webhooks/{id}/test"), Value::Null).await;
    let off = world.make("webhooks", webhook).await;
    world.make_all(&format!("webhooks/{off}/deactivate"), json!({"reason": "no longer needed"})).await;
    let (user, blocked) = (world.user(&world.acme, vec![]).await, world.user(&world.acme, vec![]).await);
    world.make_all(&format!("users/{blocked}/block"), Value::Null).await;
    let group = world.make("groups", json!({"name": "Support"})).await;
    let role = world.make("roles", json!({"name": "Support", "permissions": ["users.view"]})).await;
    for path in [format!("groups/{group}"), format!("roles/{role}")] {
        world.owner("PUT", &format!("{path}/members/{user}")).await;
    }
    world.make("invites", json!({"email": "invited@example.com"})).await;
    world.make("api-keys", json!({"name": "Sync"})).await;
    let blocked = world.make("api-keys", json!({"name": "Old sync"})).await;
    world.make_all(&format!("api-keys/{blocked}/block"), Value::Null).await;
    world
}

#[tokio::test]
async fn pages_lead_to_what_their_reader_may_do() {
    let world = furnished().await;
    let mut readers: Vec<(Who, Permissions)> =
        BuiltInRole::ALL.iter().map(|role| (Who::BuiltIn(role.name()), role.permissions())).collect();
    let custom = Permission::ALL.iter().filter(|permission| **permission != Permission::WorkspaceOwn);
    readers.extend(custom.map(|it| (Who::Custom(vec![*it]), Permissions::from_iter([*it]))));
    readers.push((Who::Custom(Vec::new()), Permissions::default()));
    let mut wrong = Vec::new();
    for (who, held) in readers {
        let caller = world.person(&who).await;
        look_around(&world, &caller, held, &format!("{who:?}"), &mut wrong).await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_owner_finds_everything() {
    let world = furnished().await;
    let all = BuiltInRole::Owner.permissions();
    let owner = world.person(&Who::BuiltIn("Owner")).await;
    let mut wrong = Vec::new();
    let mut found = look_around(&world, &owner, all, "an owner", &mut wrong).await;
    let Caller::User { id, .. } = &owner else { panic!("an owner is a user") };
    // What is there only at times: a second workspace, a blocked license, an offer that one made, one that was made to one.
    world.join(*id, &world.other).await;
    world.make_all("license/block", Value::Null).await;
    let other = world.person(&Who::Custom(Vec::new())).await;
    let Caller::User { id: to, .. } = &other else { panic!("they are a user") };
    world.make("ownership-offers", json!({"from": id, "to": to})).await;
    found.extend(look_around(&world, &owner, all, "an owner", &mut wrong).await);
    let nothing = Permissions::default();
    found.extend(look_around(&world, &other, nothing, "somebody to whom it is offered", &mut wrong).await);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let console = TABLE.iter().filter(|row| !row.path.starts_with("/api/") && row_of(row.method, row.path).is_some());
    let missing: Vec<String> = console
        .map(|row| format!("{} {}", row.method, row.path))
        .filter(|route| !found.contains(route) && !NOT_LINKED.contains(&route.as_str()))
        .filter(|route| !["/healthz", "/readyz", "/metrics"].iter().any(|path| route.ends_with(path)))
        .collect();
    assert!(missing.is_empty(), "no page leads there: {missing:#?}");
}
