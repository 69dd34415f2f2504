//! What can't be: refused clearly, and nothing of it is done.

use bellwire::{
    db::{self, DbError},
    ops::{self, Actor},
};
use bellwire_core::{
    event::{Origin, PrincipalId},
    id::GroupId,
    permission::BuiltInRole,
};
use serde_json::{Value, json};

use super::world::{World, worlds};

async fn last(world: &World) -> u64 {
    let page = world.ask("GET", "/api/v1/events?limit=1", Value::Null).await.json();
    page["data"][0]["sequence"].as_u64().unwrap()
}

#[tokio::test]
async fn nothing_is_half_done() {
    for world in worlds().await {
        let ann = world.acme.user_id;
        let role = json!({"name": "Auditor", "permissions": ["events.view"]});
        let role = world.ask("POST", "/api/v1/roles", role).await.text("/id");
        world.ask("PUT", &format!("/api/v1/roles/{role}/members/{ann}"), Value::Null).await;
        let group = world.ask("POST", "/api/v1/groups", json!({"name": "Support"})).await.text("/id");
        let roles = world.ask("GET", "/api/v1/roles", Value::Null).await.json();
        let owner =
            roles["data"].as_array().unwrap().iter().find(|role| role["name"] == "Owner").unwrap()["id"].clone();
        let owner = owner.as_str().unwrap().to_owned();
        let license = world.ask("GET", "/api/v1/license", Value::Null).await.json();
        let before = last(&world).await;
        let refused = [
            ("DELETE", format!("roles/{role}"), Value::Null, 409, "role_in_use"),
            ("DELETE", format!("roles/{owner}"), Value::Null, 409, "built_in"),
            ("DELETE", format!("users/{ann}"), Value::Null, 409, "last_owner"),
            ("POST", format!("users/{ann}/block"), Value::Null, 409, "last_owner"),
            ("DELETE", format!("roles/{owner}/members/{ann}"), Value::Null, 409, "last_owner"),
            // Owners are users and API keys, never groups: ownership has no cycles.
            ("PATCH", format!("groups/{group}"), json!({"owner_id": group}), 422, "invalid"),
            ("PUT", format!("groups/{group}/members/{group}"), Value::Null, 404, "not_found"),
            ("POST", "ownership-offers".to_owned(), json!({"from": ann, "to": ann}), 409, "self"),
            (
                "POST",
                "license/credits".to_owned(),
                json!({"amount": 1_000_000_000_001_u64, "source": "bonus"}),
                422,
                "invalid",
            ),
            ("POST", "license/credits".to_owned(), json!({"amount": u64::MAX, "source": "bonus"}), 422, "invalid"),
            ("POST", "license/credits".to_owned(), json!({"amount": -1, "source": "bonus"}), 422, "invalid"),
            ("POST", "license/credits".to_owned(), json!({"amount": 1.5, "source": "bonus"}), 422, "invalid"),
            ("POST", "license/usage".to_owned(), json!({"amount": u64::MAX}), 422, "invalid"),
            ("POST", "license/usage".to_owned(), json!({"amount": 0}), 422, "invalid"),
            ("PATCH", "license".to_owned(), json!({"thresholds": [90, 80]}), 422, "invalid"),
            ("PATCH", "license".to_owned(), json!({"thresholds": [80, 80]}), 422, "invalid"),
            ("PATCH", "license".to_owned(), json!({"thresholds": [0]}), 422, "invalid"),
            ("PATCH", "license".to_owned(), json!({"plan": "Business", "included": u64::MAX}), 422, "invalid"),
        ];
        for (method, path, body, status, code) in refused {
            let answer = world.ask(method, &format!("/api/v1/{path}"), body.clone()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.text("/code").as_str()),
                (status, code),
                "{method} {path} {body}"
            );
        }
        assert_eq!(last(&world).await, before, "nothing happened");
        assert_eq!(world.ask("GET", "/api/v1/license", Value::Null).await.json(), license);

        let authorization = format!("Bearer {}", world.acme.api_key);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", "order-1"),
        ];
        let credit = async |amount: u64| {
            let body = json!({"amount": amount, "source": "purchase"}).to_string();
            world.send("POST", "/api/v1/license/credits", &headers, body).await
        };
        let (first, second) = (credit(500).await, credit(500).await);
        assert_eq!((first.status.as_u16(), first.json()), (201, second.json()));
        assert_eq!(credit(501).await.status, 409, "the key stands for another request");
        let now = world.ask("GET", "/api/v1/license", Value::Null).await.json();
        assert_eq!(now["extra"], 500);
        assert_eq!(last(&world).await, before + 1);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_group_of_ten_thousand() {
    for world in worlds().await {
        let app = &world.server.app;
        let (workspace, now) = (world.acme.workspace_id, app.clock.now());
        let users: Vec<_> = (0..10_001).map(|_| app.random.id(now)).collect();
        let made = users.clone();
        let insert = app.db.write(move |conn| {
            Box::pin(async move {
                for (number, id) in made.into_iter().enumerate() {
                    let email = format!("user{number}@example.com");
                    let person = db::users::Person { id, email, password_hash: String::new() };
                    db::users::insert_person(conn, &person, now).await?;
                    db::users::insert_membership(conn, workspace, id, &format!("User {number}"), now).await?;
                }
                Ok::<_, DbError>(())
            })
        });
        insert.await.unwrap();
        let group = world.ask("POST", "/api/v1/groups", json!({"name": "Everybody"})).await.text("/id");
        let id: GroupId = group.parse().unwrap();
        let permissions = BuiltInRole::Owner.permissions();
        let ann = Actor {
            workspace,
            principal: PrincipalId::User(world.acme.user_id),
            name: "Ann Lee".to_owned(),
            permissions,
            secret: None,
            origin: Origin::console(None),
        };
        for some in users[..10_000].chunks(200) {
            let ids = some.iter().map(|id| PrincipalId::User(*id)).collect();
            ops::groups::add_members(app, &ann, id, ids).await.unwrap();
        }
        let before = last(&world).await;
        let one_more =
            world.ask("PUT", &format!("/api/v1/groups/{group}/members/{}", users[10_000]), Value::Null).await;
        assert_eq!((one_more.status.as_u16(), one_more.text("/code").as_str()), (409, "group_full"));
        assert_eq!(last(&world).await, before);
        let shown = world.ask("GET", &format!("/api/v1/groups/{group}"), Value::Null).await.json();
        assert_eq!(shown["member_count"], 10_000);
        let page =
            world.ask("GET", &format!("/api/v1/groups/{group}/members?limit=200&search=User+9999"), Value::Null).await;
        assert_eq!(page.json()["data"].as_array().unwrap().len(), 1);
        assert_eq!(world.ask("DELETE", &format!("/api/v1/groups/{group}"), Value::Null).await.status, 204);
        assert_eq!(last(&world).await, before + 1, "a group goes as a whole");
        world.server.stop().await;
    }
}
