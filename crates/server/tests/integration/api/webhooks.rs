//! `/api/v1/webhooks`

use std::time::Duration;

use bellwire::clock::Clock;
use serde_json::{Value, json};

use super::world::{World, assert_shown, worlds, worlds_at};
use crate::support::receiver::{Received, Receiver};

async fn create(world: &World, url: &str) -> String {
    let body = json!({"url": url, "event_types": ["user.blocked"]});
    let answer = world.ask("POST", "/api/v1/webhooks", body).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
    answer.text("/id")
}

#[tokio::test]
async fn a_webhook_is_made_seen_modified_and_deleted() {
    for world in worlds().await {
        let body = json!({
            "url": "https://hooks.example.com/bellwire",
            "event_types": ["user.blocked", "group.*"],
            "description": "Offboarding",
            "headers": {"x-team": "people"},
            "rate_limit": 20,
        });
        let made = world.ask("POST", "/api/v1/webhooks", body).await;
        assert_shown!(made, @r#"
        201 Created
        location: /api/v1/webhooks/wh_…
        {
          "id": "wh_…",
          "url": "https://hooks.example.com/bellwire",
          "description": "Offboarding",
          "event_types": [
            "user.blocked",
            "group.created",
            "group.updated",
            "group.deleted",
            "group.member_added",
            "group.member_removed"
          ],
          "actor_types": [
            "users",
            "groups"
          ],
          "owner": {
            "type": "api_key",
            "id": "key_…",
            "name": "Automation"
          },
          "status": "active",
          "status_reason": null,
          "health": "unknown",
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z",
          "previous_owner": null,
          "headers": [
            "x-team"
          ],
          "rate_limit": 20,
          "failing_since": null,
          "failing_attempts": 0,
          "last_error": null,
          "will_turn_off_at": null,
          "secret": "whsec_…"
        }
        "#);
        let path = format!("/api/v1/webhooks/{}", made.text("/id"));
        assert_eq!(made.header("location"), path);

        let seen = world.ask("GET", &path, Value::Null).await;
        let mut without_secret = made.json();
        without_secret.as_object_mut().unwrap().remove("secret");
        assert_eq!(seen.json(), without_secret);

        let patch = json!({"event_types": ["webhook.deactivated"], "rate_limit": null, "headers": {}});
        assert_shown!(world.ask("PATCH", &path, patch).await, @r#"
        200 OK
        {
          "id": "wh_…",
          "url": "https://hooks.example.com/bellwire",
          "description": "Offboarding",
          "event_types": [
            "webhook.deactivated"
          ],
          "actor_types": [],
          "owner": {
            "type": "api_key",
            "id": "key_…",
            "name": "Automation"
          },
          "status": "active",
          "status_reason": null,
          "health": "unknown",
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z",
          "previous_owner": null,
          "headers": [],
          "rate_limit": null,
          "failing_since": null,
          "failing_attempts": 0,
          "last_error": null,
          "will_turn_off_at": null
        }
        "#);

        let list = world.ask("GET", "/api/v1/webhooks?search=hooks.example&status=active", Value::Null).await;
        assert_eq!(list.json()["data"].as_array().unwrap().len(), 1);
        assert_eq!(list.json()["next"], Value::Null);

        assert_shown!(world.ask("DELETE", &path, Value::Null).await, @"204 No Content");
        assert_shown!(world.ask("GET", &path, Value::Null).await, @r#"
        404 Not Found
        {
          "type": "about:blank",
          "title": "Not Found",
          "status": 404,
          "detail": "there is no such webhook",
          "code": "not_found"
        }
        "#);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_webhook_is_turned_off_and_on() {
    for world in worlds().await {
        let path = format!("/api/v1/webhooks/{}", create(&world, "https://a.example.com/").await);
        let pause = || world.server.app.clock.advance(Duration::from_secs(1));
        pause();
        let off = world.ask("POST", &format!("{path}/deactivate"), json!({"reason": "moving house"})).await;
        assert_shown!(off, @r#"
        200 OK
        {
          "id": "wh_…",
          "url": "https://a.example.com/",
          "description": "",
          "event_types": [
            "user.blocked"
          ],
          "actor_types": [
            "users"
          ],
          "owner": {
            "type": "api_key",
            "id": "key_…",
            "name": "Automation"
          },
          "status": "inactive",
          "status_reason": {
            "code": "manual",
            "message": "moving house",
            "at": "2026-11-23T09:00:01.000000Z",
            "by": {
              "type": "api_key",
              "id": "key_…",
              "name": "Automation"
            },
            "evidence": null
          },
          "health": "unknown",
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:01.000000Z",
          "previous_owner": null,
          "headers": [],
          "rate_limit": null,
          "failing_since": null,
          "failing_attempts": 0,
          "last_error": null,
          "will_turn_off_at": null
        }
        "#);
        pause();
        let on = world.ask("POST", &format!("{path}/activate"), json!({"missed": "skip"})).await;
        assert_eq!((on.status.as_u16(), on.json()["status"].as_str()), (200, Some("active")));
        let again = world.ask("POST", &format!("{path}/activate"), Value::Null).await;
        assert_eq!(again.json(), on.json(), "a body isn't needed, and nothing changes twice");
        let changes = world.ask("GET", &format!("{path}/status-changes?order=asc"), Value::Null).await;
        assert_shown!(changes, @r#"
        200 OK
        {
          "data": [
            {
              "id": "sch_…",
              "webhook_id": "wh_…",
              "status": "active",
              "code": "manual",
              "message": "Created.",
              "at": "2026-11-23T09:00:00.000000Z",
              "by": {
                "type": "api_key",
                "id": "key_…",
                "name": "Automation"
              },
              "evidence": null
            },
            {
              "id": "sch_…",
              "webhook_id": "wh_…",
              "status": "inactive",
              "code": "manual",
              "message": "moving house",
              "at": "2026-11-23T09:00:01.000000Z",
              "by": {
                "type": "api_key",
                "id": "key_…",
                "name": "Automation"
              },
              "evidence": null
            },
            {
              "id": "sch_…",
              "webhook_id": "wh_…",
              "status": "active",
              "code": "manual",
              "message": "Turned on; what it missed is skipped.",
              "at": "2026-11-23T09:00:02.000000Z",
              "by": {
                "type": "api_key",
                "id": "key_…",
                "name": "Automation"
              },
              "evidence": null
            }
          ],
          "next": null
        }
        "#);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn the_secret_is_shown_and_rotated() {
    for world in worlds().await {
        let path = format!("/api/v1/webhooks/{}", create(&world, "https://a.example.com/").await);
        let first = world.ask("GET", &format!("{path}/secret"), Value::Null).await;
        assert_shown!(first, @r#"
        200 OK
        {
          "secret": "whsec_…",
          "old_secret_until": null,
          "public_key": null
        }
        "#);
        let second = world.ask("POST", &format!("{path}/secret/rotate"), json!({"overlap_seconds": 60})).await;
        assert_shown!(second, @r#"
        200 OK
        {
          "secret": "whsec_…",
          "old_secret_until": "2026-11-23T09:01:00.000000Z",
          "public_key": null
        }
        "#);
        assert_ne!(first.text("/secret"), second.text("/secret"));
        let third = world.ask("POST", &format!("{path}/secret/rotate"), Value::Null).await;
        assert_eq!(third.text("/old_secret_until"), "2026-11-24T09:00:00.000000Z", "a day when nothing is said");
        world.server.stop().await;
    }
}

/// What the library of Standard Webhooks says of it, which is not ours.
fn verifies(received: &Received, secret: &str) -> bool {
    let library = standardwebhooks::Webhook::new(secret).unwrap();
    library.verify(&received.body, &received.headers).is_ok()
}

#[tokio::test]
async fn during_a_rotation_the_old_and_the_new_secret_verify() {
    // The library knows no clock but the machine's.
    for world in worlds_at(Clock::System.now()).await {
        let receiver = Receiver::start().await;
        let path = format!("/api/v1/webhooks/{}", create(&world, &receiver.url()).await);
        let mut count = 0;
        let mut publish = async || {
            let published = world.ask("POST", "/api/v1/events", json!({"type": "user.blocked", "data": {}})).await;
            assert_eq!(published.status, 202, "{}", published.shown());
            count += 1;
            receiver.wait_for(count).await.pop().unwrap()
        };
        let old = world.ask("GET", &format!("{path}/secret"), Value::Null).await.text("/secret");
        assert!(verifies(&publish().await, &old));

        let rotated = world.ask("POST", &format!("{path}/secret/rotate"), json!({"overlap_seconds": 60})).await;
        let new = rotated.text("/secret");
        let during = publish().await;
        assert!(verifies(&during, &old) && verifies(&during, &new), "both sign while they overlap");
        let mut forged = during.clone();
        forged.body = during.body.iter().map(u8::to_ascii_uppercase).collect::<Vec<_>>().into();
        assert!(!verifies(&forged, &old) && !verifies(&forged, &new), "another body");

        world.server.app.clock.advance(Duration::from_secs(61));
        let after = publish().await;
        assert!(verifies(&after, &new) && !verifies(&after, &old), "the old secret has had its time");
        world.server.stop().await;
    }
}

#[tokio::test]
async fn lists_are_sorted_and_paged() {
    for world in worlds().await {
        for name in ["b", "a", "c"] {
            create(&world, &format!("https://{name}.example.com/")).await;
        }
        let urls = async |query: &str| {
            let (mut urls, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/v1/webhooks?limit=2&{query}{cursor}");
                let page = world.ask("GET", &path, Value::Null).await.json();
                urls.extend(
                    page["data"].as_array().unwrap().iter().map(|it| it["url"].as_str().unwrap()[8..9].to_owned()),
                );
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return urls.concat(),
                }
            }
        };
        assert_eq!(urls("sort=url").await, "abc");
        assert_eq!(urls("sort=url&order=desc").await, "cba");
        assert_eq!(urls("sort=created_at&order=asc").await.len(), 3);
        assert_eq!(urls("").await.len(), 3);
        assert_eq!(urls("actor_type=invites").await, "");
        world.server.stop().await;
    }
}
