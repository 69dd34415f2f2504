//! `/api/v1/users`, `/api/v1/invites`, `/api/v1/roles` and `/api/v1/api-keys`

use serde_json::{Value, json};

use super::world::{World, assert_shown, worlds};

async fn role(world: &World, name: &str) -> String {
    let roles = world.ask("GET", "/api/v1/roles", Value::Null).await.json();
    let role = roles["data"].as_array().unwrap().iter().find(|role| role["name"] == name).unwrap().clone();
    role["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn users_are_seen_and_renamed() {
    for world in worlds().await {
        let path = format!("/api/v1/users/{}", world.acme.user_id);
        assert_shown!(world.ask("GET", &path, Value::Null).await, @r#"
        200 OK
        {
          "id": "usr_…",
          "email": "ann@example.com",
          "name": "Ann Lee",
          "status": "active",
          "status_reason": null,
          "roles": [
            {
              "id": "role_…",
              "name": "Owner"
            }
          ],
          "groups": [],
          "joined_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z"
        }
        "#);
        let renamed = world.ask("PATCH", &path, json!({"name": "Ann Li"})).await;
        assert_eq!(renamed.text("/name"), "Ann Li");
        let list = world.ask("GET", "/api/v1/users?search=ann%20li&sort=name", Value::Null).await.json();
        assert_eq!((list["data"].as_array().unwrap().len(), &list["data"][0]), (1, &renamed.json()));
        // The only owner stays.
        assert_shown!(world.ask("POST", &format!("{path}/block"), json!({"reason": "left"})).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "a workspace needs an active owner: make somebody else an owner first",
          "code": "last_owner"
        }
        "#);
        assert_shown!(world.ask("DELETE", &format!("{path}?reason=left"), Value::Null).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "a workspace needs an active owner: make somebody else an owner first",
          "code": "last_owner"
        }
        "#);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn invites_are_made_resent_and_deleted() {
    for world in worlds().await {
        let made = world.ask("POST", "/api/v1/invites", json!({"email": "Sam@Example.com"})).await;
        assert_shown!(made, @r#"
        201 Created
        location: /api/v1/invites/inv_…
        {
          "id": "inv_…",
          "email": "sam@example.com",
          "status": "pending",
          "roles": [
            {
              "id": "role_…",
              "name": "Member"
            }
          ],
          "invited_by": {
            "type": "api_key",
            "id": "key_…",
            "name": "Automation"
          },
          "created_at": "2026-11-23T09:00:00.000000Z",
          "expires_at": "2026-11-30T09:00:00.000000Z",
          "accepted_at": null,
          "user_id": null,
          "url": "https://bellwire.example.com/invites/accept/…"
        }
        "#);
        let path = format!("/api/v1/invites/{}", made.text("/id"));
        let again = world.ask("POST", "/api/v1/invites", json!({"email": "sam@example.com"})).await;
        assert_eq!(again.status, 409, "{}", again.shown());
        let resent = world.ask("POST", &format!("{path}/resend"), Value::Null).await;
        assert_eq!(resent.status, 202);
        assert_ne!(resent.text("/url"), made.text("/url"));
        let seen = world.ask("GET", &path, Value::Null).await.json();
        assert_eq!(seen.get("url"), None, "the link is in the answers that make it only");
        assert_eq!(world.ask("DELETE", &path, Value::Null).await.status, 204);
        let list = world.ask("GET", "/api/v1/invites?status=deleted", Value::Null).await;
        assert_eq!(list.text("/data/0/status"), "deleted");
        world.server.stop().await;
    }
}

#[tokio::test]
async fn api_keys_act_with_their_roles() {
    for world in worlds().await {
        let member = role(&world, "Member").await;
        let made = world.ask("POST", "/api/v1/api-keys", json!({"name": "Billing", "role_ids": [member]})).await;
        assert_shown!(made, @r#"
        201 Created
        location: /api/v1/api-keys/key_…
        {
          "id": "key_…",
          "name": "Billing",
          "hint": …,
          "status": "active",
          "status_reason": null,
          "roles": [
            {
              "id": "role_…",
              "name": "Member"
            }
          ],
          "created_by": {
            "type": "api_key",
            "id": "key_…",
            "name": "Automation"
          },
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z",
          "last_used_at": null,
          "secret": "bw_…"
        }
        "#);
        let (id, secret) = (made.text("/id"), made.text("/secret"));
        let path = format!("/api/v1/api-keys/{id}");

        assert_shown!(world.ask_as(&secret, "GET", "/api/v1/webhooks", Value::Null).await, @r#"
        403 Forbidden
        {
          "type": "about:blank",
          "title": "Forbidden",
          "status": 403,
          "detail": "your roles don't allow this: it needs the permission webhooks.view",
          "code": "forbidden"
        }
        "#);
        let members = format!("/api/v1/roles/{}/members/{id}", role(&world, "Admin").await);
        assert_eq!(world.ask("PUT", &members, Value::Null).await.status, 204);
        assert_eq!(world.ask_as(&secret, "GET", "/api/v1/webhooks", Value::Null).await.status, 200);
        assert_eq!(world.ask("DELETE", &members, Value::Null).await.status, 204);
        assert_eq!(world.ask_as(&secret, "GET", "/api/v1/webhooks", Value::Null).await.status, 403);

        let blocked = world.ask("POST", &format!("{path}/block"), json!({"reason": "leaked"})).await;
        assert_eq!((blocked.text("/status"), blocked.text("/status_reason")), ("blocked".into(), "leaked".into()));
        assert_eq!(world.ask_as(&secret, "GET", "/api/v1/users", Value::Null).await.status, 401);
        assert_eq!(world.ask("POST", &format!("{path}/unblock"), Value::Null).await.text("/status"), "active");

        let rotated = world.ask("POST", &format!("{path}/rotate"), Value::Null).await.text("/secret");
        assert_eq!(world.ask_as(&secret, "GET", "/api/v1/users", Value::Null).await.status, 401);
        assert_eq!(world.ask_as(&rotated, "GET", "/api/v1/users", Value::Null).await.status, 200);
        let renamed = world.ask("PATCH", &path, json!({"name": "Billing sync"})).await;
        assert_eq!((renamed.text("/name"), renamed.json().get("secret")), ("Billing sync".into(), None));
        assert_eq!(world.ask("DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(world.ask_as(&rotated, "GET", "/api/v1/users", Value::Null).await.status, 401);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn roles_are_seen() {
    for world in worlds().await {
        let member = role(&world, "Member").await;
        assert_shown!(world.ask("GET", &format!("/api/v1/roles/{member}"), Value::Null).await, @r#"
        200 OK
        {
          "id": "role_…",
          "name": "Member",
          "description": "Sees the people, groups and roles of the workspace",
          "built_in": true,
          "permissions": [
            "users.view",
            "groups.view",
            "roles.view"
          ],
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z"
        }
        "#);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn roles_are_made_changed_and_deleted() {
    for world in worlds().await {
        let new = json!({"name": "Auditor", "description": "Sees what happens", "permissions": ["users.view", "events.view"]});
        let made = world.ask("POST", "/api/v1/roles", new.clone()).await;
        assert_shown!(made, @r#"
        201 Created
        location: /api/v1/roles/role_…
        {
          "id": "role_…",
          "name": "Auditor",
          "description": "Sees what happens",
          "built_in": false,
          "permissions": [
            "events.view",
            "users.view"
          ],
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z"
        }
        "#);
        let path = format!("/api/v1/roles/{}", made.text("/id"));
        assert_shown!(world.ask("POST", "/api/v1/roles", json!({"name": "AUDITOR", "permissions": ["users.view"]})).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "name: there is a role called Auditor already",
          "code": "invalid",
          "errors": [
            {
              "field": "name",
              "message": "there is a role called Auditor already"
            }
          ]
        }
        "#);
        assert_shown!(world.ask("POST", "/api/v1/roles", json!({"name": "X", "permissions": ["users.view", "everything"]})).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "permissions[1]: unknown value everything, expected one of webhooks.view, webhooks.manage, events.view, events.publish, users.view, users.manage, invites.manage, groups.view, groups.manage, roles.view, roles.manage, api_keys.view, api_keys.manage, license.view, license.manage, usage.report, settings.manage, workspace.own",
          "code": "invalid",
          "errors": [
            {
              "field": "permissions[1]",
              "message": "unknown value everything, expected one of webhooks.view, webhooks.manage, events.view, events.publish, users.view, users.manage, invites.manage, groups.view, groups.manage, roles.view, roles.manage, api_keys.view, api_keys.manage, license.view, license.manage, usage.report, settings.manage, workspace.own"
            }
          ]
        }
        "#);
        assert_shown!(world.ask("PATCH", &path, json!({"permissions": ["workspace.own"]})).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "permissions: workspace.own belongs to the role Owner alone",
          "code": "invalid",
          "errors": [
            {
              "field": "permissions",
              "message": "workspace.own belongs to the role Owner alone"
            }
          ]
        }
        "#);
        let changed = world.ask("PATCH", &path, json!({"permissions": ["events.view"]})).await;
        assert_eq!(changed.json()["permissions"], json!(["events.view"]));
        assert_eq!(changed.text("/name"), "Auditor");

        let ann = world.acme.user_id;
        assert_eq!(world.ask("PUT", &format!("{path}/members/{ann}"), Value::Null).await.status, 204);
        assert_shown!(world.ask("GET", &format!("{path}/members"), Value::Null).await, @r#"
        200 OK
        {
          "data": [
            {
              "type": "user",
              "id": "usr_…",
              "name": "Ann Lee",
              "status": "active"
            }
          ],
          "next": null
        }
        "#);
        assert_shown!(world.ask("DELETE", &path, Value::Null).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "Auditor is in use by 1 user: take it from them first",
          "code": "role_in_use"
        }
        "#);
        assert_eq!(world.ask("DELETE", &format!("{path}/members/{ann}"), Value::Null).await.status, 204);
        assert_eq!(world.ask("DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(world.ask("GET", &path, Value::Null).await.status, 404);

        let owner = format!("/api/v1/roles/{}", role(&world, "Owner").await);
        assert_shown!(world.ask("PATCH", &owner, json!({"name": "Boss"})).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "Owner is built in: it stays as it is",
          "code": "built_in"
        }
        "#);
        assert_shown!(world.ask("DELETE", &format!("{owner}/members/{ann}"), Value::Null).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "a workspace needs an active owner: make somebody else an owner first",
          "code": "last_owner"
        }
        "#);
        // What another workspace has is not there.
        let foreign = world.ask_as(&world.other.api_key, "POST", "/api/v1/roles", new).await.text("/id");
        for (method, body) in [("GET", Value::Null), ("PATCH", json!({"name": "Mine"})), ("DELETE", Value::Null)] {
            let answer = world.ask(method, &format!("/api/v1/roles/{foreign}"), body).await;
            assert_eq!((answer.status.as_u16(), answer.text("/code")), (404, "not_found".to_owned()));
        }
        world.server.stop().await;
    }
}

#[tokio::test]
async fn the_ownership_is_offered_and_the_offer_withdrawn() {
    for world in worlds().await {
        let ann = world.acme.user_id;
        let invite = world.ask("POST", "/api/v1/invites", json!({"email": "sam@example.com"})).await;
        let token = invite.text("/url").rsplit('/').next().unwrap().to_owned();
        let password = "a long enough password";
        bellwire::ops::invites::accept(&world.server.app, &token, "Sam Rivera", password, None).await.unwrap();
        let users = world.ask("GET", "/api/v1/users?search=sam", Value::Null).await;
        let sam = users.text("/data/0/id");
        let made = world.ask("POST", "/api/v1/ownership-offers", json!({"from": ann.to_string(), "to": sam})).await;
        assert_shown!(made, @r#"
        201 Created
        location: /api/v1/ownership-offers/own_…
        {
          "id": "own_…",
          "from": {
            "type": "user",
            "id": "usr_…",
            "name": "Ann Lee"
          },
          "to": {
            "type": "user",
            "id": "usr_…",
            "name": "Sam Rivera"
          },
          "created_at": "2026-11-23T09:00:00.000000Z",
          "expires_at": "2026-11-30T09:00:00.000000Z"
        }
        "#);
        let path = format!("/api/v1/ownership-offers/{}", made.text("/id"));
        let list = world.ask("GET", "/api/v1/ownership-offers", Value::Null).await.json();
        assert_eq!(list, json!({"data": [made.json()], "next": null}));
        assert_eq!(world.ask("GET", &path, Value::Null).await.json(), made.json());
        let wrong = world.ask("POST", "/api/v1/ownership-offers", json!({"from": sam, "to": ann.to_string()})).await;
        assert_eq!((wrong.status.as_u16(), wrong.text("/code")), (409, "not_an_owner".to_owned()));
        for (method, action) in [("POST", "/accept"), ("POST", "/decline")] {
            let answer = world.ask(method, &format!("{path}{action}"), Value::Null).await;
            assert_eq!(answer.status, 404, "that is for people");
        }
        for method in ["GET", "DELETE"] {
            let answer = world.ask_as(&world.other.api_key, method, &path, Value::Null).await;
            assert_eq!(answer.status, 404);
        }
        assert_eq!(world.ask("DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(world.ask("GET", &path, Value::Null).await.status, 404);
        world.server.stop().await;
    }
}
