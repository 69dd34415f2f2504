//! Who may do what: every route, asked by everybody.
//!
//! [`table::TABLE`] says what one needs for each route; the routers say which routes there are. What each caller is answered
//! stands in the snapshot. Beside the snapshot, which somebody could accept without looking, rules are checked: whoever has just
//! what it needs gets it; whoever has everything else doesn't; to a stranger it is as if nothing were there.

mod links;
mod table;
mod world;

use std::{collections::BTreeSet, fmt::Write};

use bellwire_core::permission::{BuiltInRole, Permission, Permissions};
use serde_json::json;

use self::{
    table::{Needs, Row, TABLE},
    world::{Answer, Caller, Things, Who, World},
};

/// An id that nobody has.
const UNKNOWN: &str = "01kjw16mm0em4ry1jygtts6an2";

/// The columns.
const COLUMNS: [&str; 8] = ["nobody", "Owner", "Admin", "Member", "just it", "all but it", "stranger", "blocked"];

#[tokio::test]
async fn every_route_has_a_row() {
    let app = World::new().await.app;
    let routes = bellwire::api::listed(&app).into_iter().chain(bellwire::console::listed());
    let there: BTreeSet<String> = routes.map(|route| format!("{} {}", route.method, route.path)).collect();
    let known: BTreeSet<String> = TABLE.iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    assert_eq!(known.len(), TABLE.len(), "a route stands twice in the table");
    let missing: Vec<_> = there.difference(&known).collect();
    assert!(missing.is_empty(), "these routes have no row in the table: say there what they need\n{missing:#?}");
    let gone: Vec<_> = known.difference(&there).collect();
    assert!(gone.is_empty(), "the table knows routes that are gone\n{gone:#?}");
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_no_more() {
    let world = World::new().await;
    let mut shown = format!("{:<62}{:<38}{}\n", "route", "needs", columns(&COLUMNS.map(str::to_owned)));
    let mut wrong = Vec::new();
    for row in TABLE {
        let cells = cells(&world, row, &mut wrong).await;
        let line = format!("{:<62}{:<38}{}", format!("{} {}", row.method, row.path), words(row.needs), columns(&cells));
        writeln!(shown, "{}", line.trim_end()).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    insta::assert_snapshot!("matrix", shown);
}

fn columns(cells: &[String]) -> String {
    cells.iter().map(|cell| format!("{cell:<11} ")).collect()
}

fn words(needs: Needs) -> String {
    match needs {
        Needs::Nothing => "nothing".to_owned(),
        Needs::All([]) => "to be in the workspace".to_owned(),
        Needs::All(all) => all.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" "),
        Needs::BeingTheOne => "to be whom it is for".to_owned(),
    }
}

/// What each of [`COLUMNS`] is answered, and which rules that breaks.
async fn cells(world: &World, row: &Row, wrong: &mut Vec<String>) -> [String; 8] {
    let mut rule = |holds: bool, what: String| {
        if !holds {
            wrong.push(format!("{} {}: {what}", row.method, row.path));
        }
    };
    let nobody = answer(world, row, &Who::Nobody).await;
    let blocked = answer(world, row, &Who::Blocked).await;
    let mut built_in = Vec::new();
    for role in BuiltInRole::ALL {
        let given = answer(world, row, &Who::BuiltIn(role.name())).await;
        if let Needs::All(needed) = row.needs {
            let covered = role.permissions().covers(needed.iter().copied().collect());
            rule((given == "yes") == covered, format!("{given} for {}", role.name()));
        }
        built_in.push(given);
    }
    let (mut just, mut lacking) = ("–".to_owned(), "–".to_owned());
    match row.needs {
        // The role Owner alone has it.
        Needs::All(needed) if needed.contains(&Permission::WorkspaceOwn) => {
            lacking = answer(world, row, &Who::Custom(all_but(Permission::WorkspaceOwn))).await;
        }
        Needs::All(needed) => {
            just = answer(world, row, &Who::Custom(needed.to_vec())).await;
            rule(just == "yes", format!("{just} for whoever has just what it needs"));
            let mut answers = BTreeSet::new();
            for permission in needed {
                answers.insert(answer(world, row, &Who::Custom(all_but(*permission))).await);
            }
            if !answers.is_empty() {
                lacking = Vec::from_iter(answers).join(" ");
            }
        }
        Needs::Nothing => {
            just = answer(world, row, &Who::Custom(Vec::new())).await;
            rule(just == built_in[0], format!("{just} for whoever has no role, {} for an owner", built_in[0]));
        }
        Needs::BeingTheOne => {
            just = answer(world, row, &Who::Custom(Vec::new())).await;
            rule(just == "yes", format!("{just} for whoever has no role"));
        }
    }
    if lacking != "–" {
        rule(["403", "404"].contains(&lacking.as_str()), format!("{lacking} for whoever has all but what it needs"));
    }
    if row.needs == Needs::Nothing {
        rule(
            nobody == built_in[0] && blocked == built_in[0],
            format!("{nobody} for nobody, {blocked} for the blocked"),
        );
    } else {
        // What is made for one can't be made for the blocked.
        let refused = blocked == "401" || row.needs == Needs::BeingTheOne && blocked == "–";
        rule(nobody == "401" && refused, format!("{nobody} for nobody, {blocked} for the blocked"));
    }
    let stranger = stranger(world, row, wrong).await;
    let [owner, admin, member] = built_in.try_into().unwrap();
    [nobody, owner, admin, member, just, lacking, stranger, blocked]
}

fn all_but(permission: Permission) -> Vec<Permission> {
    let all = Permission::ALL.iter().copied();
    all.filter(|it| *it != permission && *it != Permission::WorkspaceOwn).collect()
}

async fn caller(world: &World, row: &Row, who: &Who) -> Caller {
    if row.path.starts_with("/api/") { world.program(who).await } else { world.person(who).await }
}

async fn ask(world: &World, row: &Row, caller: &Caller, things: &Things) -> Answer {
    let (path, body) = (things.fill(row.path), things.fill(row.body));
    if row.method == "GET" && !body.is_empty() {
        return world.send(caller, "GET", &format!("{path}?{body}"), String::new()).await;
    }
    world.send(caller, row.method, &path, body).await
}

/// What somebody is answered: `yes`, or why not, as a status of the API.
async fn answer(world: &World, row: &Row, who: &Who) -> String {
    let caller = caller(world, row, who).await;
    let Some(things) = world.things(row, &caller).await else { return "–".to_owned() };
    let answer = ask(world, row, &caller, &things).await;
    outcome(world, row, &answer).await
}

/// The console says in its way what the API says with a status: with a page, with the sign-in page, or on top of the next page.
async fn outcome(world: &World, row: &Row, answer: &Answer) -> String {
    let said = world.said(answer).await;
    match answer.status.as_u16() {
        204 if row.path == "/live" => "401".to_owned(),
        303 if said.contains("tone-bad") => match said {
            said if said.contains("Your roles don&#39;t allow this") => "403".to_owned(),
            said if said.contains("There is no such") || said.contains("This offer has ended") => "404".to_owned(),
            other => {
                let words = other.split_once("<p>").and_then(|(_, rest)| rest.split_once("</p>"));
                format!("“{}”", words.map_or(other.as_str(), |(words, _)| words))
            }
        },
        303 if answer.location().starts_with("/sign-in") && row.path != "/sign-out" => "401".to_owned(),
        200..=303 => "yes".to_owned(),
        status => status.to_string(),
    }
}

/// What the owner of another workspace is answered about things of this one: the same as about things that don't exist.
async fn stranger(world: &World, row: &Row, wrong: &mut Vec<String>) -> String {
    let caller = caller(world, row, &Who::Stranger).await;
    let Some(things) = world.things(row, &caller).await else { return "–".to_owned() };
    let real = ask(world, row, &caller, &things).await;
    let shown = outcome(world, row, &real).await;
    let told = [world.acme.id.to_string(), world.acme.owner.to_string()].into_iter().find(|id| real.body.contains(id));
    if told.is_some() && row.needs != Needs::Nothing && !row.body.contains("{owner}") {
        wrong.push(format!("{} {} tells a stranger of {told:?}", row.method, row.path));
    }
    if row.needs == Needs::Nothing {
        return shown;
    }
    let Some(id) = things.get("id") else {
        // They may do as they please at home, but not with what is here.
        let names_others = ["{role}", "{user}", "{owner}", "{webhook}"].iter().any(|it| row.body.contains(it));
        if names_others && shown == "yes" {
            // What isn't there is passed over: it must have passed over this as well.
            let nothing = things.clone().with("webhook", format!("wh_{UNKNOWN}"));
            let none = ask(world, row, &caller, &nothing).await;
            if world.said(&real).await != world.said(&none).await {
                wrong.push(format!("{} {}: a stranger changes something", row.method, row.path));
            }
        } else if (shown == "yes") == names_others {
            wrong.push(format!("{} {}: {shown} for a stranger", row.method, row.path));
        }
        return if names_others { shown } else { "their own".to_owned() };
    };
    if shown != "404" {
        wrong.push(format!("{} {}: {shown} for a stranger", row.method, row.path));
    }
    let unknown = |id: &str| format!("{}_{UNKNOWN}", id.rsplit_once('_').unwrap().0);
    let member = things.get("member").unwrap();
    let nothing = things.clone().with("id", unknown(id)).with("member", unknown(member));
    let nothing = nothing.with("principal_id", unknown(member));
    let none = ask(world, row, &caller, &nothing).await;
    let text = async |answer: &Answer, things: &Things| {
        let all = format!("{} {} {} {}", answer.status, answer.location(), world.said(answer).await, answer.body);
        let ids = ["id", "member"].map(|name| things.get(name).unwrap().to_owned());
        ids.iter().fold(all, |all, id| all.replace(id, "…"))
    };
    let (real, none) = (text(&real, &things).await, text(&none, &nothing).await);
    if real != none {
        wrong.push(format!(
            "{} {}: a stranger sees that there is something
{real}
{none}",
            row.method, row.path
        ));
    }
    shown
}

/// Ids in bodies and the second ids of paths: a thing of another workspace is no more there than one that doesn't exist.
#[tokio::test]
async fn ids_of_strangers_are_as_good_as_none() {
    let world = World::new().await;
    let key = Caller::Key(world.acme.key.clone());
    let theirs = Caller::Key(world.other.key.clone());
    let made =
        world.send(&theirs, "POST", "/api/v1/roles", json!({"name": "R", "permissions": ["users.view"]}).to_string());
    let role: serde_json::Value = serde_json::from_str(&made.await.body).unwrap();
    let (role, user) = (role["id"].as_str().unwrap(), world.other.owner.to_string());
    let group = world.make("groups", json!({"name": "G"})).await;
    let own = world.make("roles", json!({"name": "R", "permissions": ["users.view"]})).await;
    let requests = [
        ("PUT", format!("groups/{group}/members/{{}}"), String::new(), user.as_str()),
        ("DELETE", format!("groups/{group}/members/{{}}"), String::new(), &user),
        ("PUT", format!("roles/{own}/members/{{}}"), String::new(), &user),
        ("DELETE", format!("roles/{own}/members/{{}}"), String::new(), &user),
        ("POST", "groups".to_owned(), r#"{"name":"H","owner_id":"{}"}"#.to_owned(), &user),
        ("PATCH", format!("groups/{group}"), r#"{"owner_id":"{}"}"#.to_owned(), &user),
        ("POST", "invites".to_owned(), r#"{"email":"x@example.com","role_ids":["{}"]}"#.to_owned(), role),
        ("POST", "api-keys".to_owned(), r#"{"name":"K","role_ids":["{}"]}"#.to_owned(), role),
        ("POST", "ownership-offers".to_owned(), format!(r#"{{"from":"{}","to":"{{}}"}}"#, world.acme.owner), &user),
        ("POST", "ownership-offers".to_owned(), format!(r#"{{"from":"{{}}","to":"{}"}}"#, world.acme.owner), &user),
    ];
    for (method, path, body, id) in requests {
        let mut answers = Vec::new();
        for id in [id.to_owned(), format!("{}_{UNKNOWN}", id.rsplit_once('_').unwrap().0)] {
            let path = format!("/api/v1/{}", path.replace("{}", &id));
            let answer = world.send(&key, method, &path, body.replace("{}", &id)).await;
            assert!([404, 422].contains(&answer.status.as_u16()), "{method} {path}: {}", answer.body);
            answers.push((answer.status, answer.body.replace(&id, "…")));
        }
        assert_eq!(answers[0], answers[1], "{method} {path}");
    }
}

/// Whether the table lets somebody with these permissions do it.
fn allows(needs: Needs, held: Permissions) -> bool {
    match needs {
        Needs::Nothing | Needs::BeingTheOne => true,
        Needs::All(needed) => held.covers(needed.iter().copied().collect()),
    }
}
