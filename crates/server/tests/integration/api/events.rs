//! `/api/v1/events`, `/api/v1/event-types` and `/api/v1/deliveries`

use serde_json::{Value, json};

use super::world::{World, assert_shown, world, worlds};
use crate::support::receiver::Receiver;

/// Asks until the outcome of the delivery is written down.
async fn delivered(world: &World, path: &str) -> bool {
    for _ in 0..10_000 {
        if world.ask("GET", path, Value::Null).await.text("/state") == "delivered" {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn a_published_event_is_seen_and_delivered() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
        let webhook = world.ask("POST", "/api/v1/webhooks", webhook).await.text("/id");
        let event = json!({
            "type": "user.blocked",
            "data": {"object": {"id": "u1"}},
            "actor": {"type": "system", "id": null, "name": "Payroll"},
            "occurred_at": "2026-11-22T08:00:00+01:00",
        });
        let published = world.ask("POST", "/api/v1/events", event).await;
        assert_eq!(published.status, 202, "{}", published.shown());
        let received = receiver.wait_for(1).await;
        assert_eq!(received[0].json()["id"], published.json()["id"]);

        let test =
            world.ask("POST", &format!("/api/v1/webhooks/{webhook}/test"), json!({"type": "invite.created"})).await;
        assert_shown!(test, @r#"
        202 Accepted
        {
          "delivery_id": "dlv_…"
        }
        "#);
        assert_eq!(receiver.wait_for(2).await[1].json()["test"], true);

        let event = world.ask("GET", &format!("/api/v1/events/{}", published.text("/id")), Value::Null).await;
        let delivery = event.text("/deliveries/0/id");
        let event = event.json();
        assert_eq!(event["data"], json!({"object": {"id": "u1"}}));
        assert_eq!(event["timestamp"], "2026-11-22T07:00:00.000000Z");
        assert_eq!(event["actor"]["name"], "Payroll");
        // Whatever the actor, the feed keeps which key it came with, and no receiver is told.
        assert_eq!(event["origin"]["via"], "api");
        assert!(event["origin"]["api_key_id"].as_str().unwrap().starts_with("key_"));
        assert_eq!(received[0].json().get("origin"), None);

        let path = format!("/api/v1/deliveries/{delivery}");
        // While it is being sent, a resend adds nothing.
        assert!(delivered(&world, &path).await);
        let resent = world.ask("POST", &format!("{path}/resend"), Value::Null).await;
        assert_eq!(resent.status, 202, "{}", resent.shown());
        assert_eq!(receiver.wait_for(3).await[2].json()["id"], published.json()["id"]);
        let listed =
            world.ask("GET", &format!("/api/v1/webhooks/{webhook}/deliveries?type=user.blocked"), Value::Null).await;
        assert_eq!(listed.text("/data/0/id"), delivery);
        assert!(delivered(&world, &path).await);
        assert_shown!(world.ask("GET", &path, Value::Null).await, @r#"
        200 OK
        {
          "id": "dlv_…",
          "webhook_id": "wh_…",
          "event_id": "evt_…",
          "event_type": "user.blocked",
          "state": "delivered",
          "reason": "resend",
          "attempt_count": 2,
          "next_attempt_at": null,
          "last_attempt": {
            "started_at": "2026-11-23T09:00:00.000000Z",
            "duration_ms": …,
            "status": 204,
            "error": null
          },
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z",
          "event": {
            "id": "evt_…",
            "type": "user.blocked",
            "timestamp": "2026-11-22T07:00:00.000000Z",
            "workspace_id": "ws_…",
            "sequence": 7,
            "actor": {
              "type": "system",
              "id": null,
              "name": "Payroll"
            },
            "data": {
              "object": {
                "id": "u1"
              }
            }
          },
          "attempts": [
            {
              "number": 1,
              "reason": "automatic",
              "started_at": "2026-11-23T09:00:00.000000Z",
              "duration_ms": …,
              "status": 204,
              "error": null,
              "message": null,
              "response_headers": [
                [
                  "date",
                  "…"
                ]
              ],
              "response_body": ""
            },
            {
              "number": 2,
              "reason": "resend",
              "started_at": "2026-11-23T09:00:00.000000Z",
              "duration_ms": …,
              "status": 204,
              "error": null,
              "message": null,
              "response_headers": [
                [
                  "date",
                  "…"
                ]
              ],
              "response_body": ""
            }
          ]
        }
        "#);

        let replay = json!({"since": "2026-11-23T00:00:00Z", "state": "failed"});
        assert_shown!(world.ask("POST", &format!("/api/v1/webhooks/{webhook}/replay"), replay).await, @r#"
        202 Accepted
        {
          "id": "rpl_…",
          "webhook_id": "wh_…",
          "by": {
            "type": "api_key",
            "id": "key_…",
            "name": "Automation"
          },
          "state": "failed",
          "type": null,
          "since": "2026-11-23T00:00:00.000000Z",
          "until": "2026-11-23T09:00:00.000000Z",
          "status": "done",
          "total": 0,
          "looked_at": 0,
          "sent": 0,
          "created_at": "2026-11-23T09:00:00.000000Z",
          "updated_at": "2026-11-23T09:00:00.000000Z",
          "ended_at": "2026-11-23T09:00:00.000000Z"
        }
        "#);
        let list = world.ask("GET", &format!("/api/v1/webhooks/{webhook}/replays"), Value::Null).await;
        let path = format!("/api/v1/replays/{}", list.text("/data/0/id"));
        let one = world.ask("GET", &path, Value::Null).await;
        assert_eq!(one.json(), list.json()["data"][0]);
        // It has ended already: nothing changes.
        assert_eq!(world.ask("POST", &format!("{path}/cancel"), Value::Null).await.body, one.body);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_publish_with_a_key_happens_once() {
    for world in worlds().await {
        let authorization = format!("Bearer {}", world.acme.api_key);
        let publish = async |key: &str, data: Value| {
            let headers = [
                ("authorization", authorization.as_str()),
                ("content-type", "application/json; charset=utf-8"),
                ("idempotency-key", key),
            ];
            let body = json!({"type": "user.blocked", "data": data}).to_string();
            world.send("POST", "/api/v1/events", &headers, body).await
        };
        let first = publish("order-1", json!({"a": 1})).await;
        assert_shown!(first, @r#"
        202 Accepted
        {
          "id": "evt_…",
          "sequence": 6
        }
        "#);
        assert_eq!(publish("order-1", json!({"a": 1})).await.body, first.body);
        assert_shown!(publish("order-1", json!({"a": 2})).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "this idempotency key was used for another request",
          "code": "idempotency_key_reused"
        }
        "#);
        assert_shown!(publish("two words", json!({})).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "Idempotency-Key: must be 1 to 255 visible ASCII characters",
          "code": "invalid",
          "errors": [
            {
              "field": "Idempotency-Key",
              "message": "must be 1 to 255 visible ASCII characters"
            }
          ]
        }
        "#);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_batch_stands_together() {
    for world in worlds().await {
        let event = |event_type: &str| json!({"type": event_type, "data": {}});
        let batch = json!({"events": [event("user.blocked"), event("license.expired")]});
        let published = world.ask("POST", "/api/v1/events/batch", batch).await.json();
        let numbers: Vec<i64> =
            published["data"].as_array().unwrap().iter().map(|it| it["sequence"].as_i64().unwrap()).collect();
        assert_eq!(numbers[1], numbers[0] + 1);

        let wrong =
            json!({"events": [event("user.blocked"), event("webhook.test"), {"type": "user.blocked", "data": 5}]});
        assert_shown!(world.ask("POST", "/api/v1/events/batch", wrong).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "events[1].type: webhook.test is told by Bellwire only; events[2].data: must be a JSON object",
          "code": "invalid",
          "errors": [
            {
              "field": "events[1].type",
              "message": "webhook.test is told by Bellwire only"
            },
            {
              "field": "events[2].data",
              "message": "must be a JSON object"
            }
          ]
        }
        "#);
        let feed = world.ask("GET", "/api/v1/events?limit=1", Value::Null).await;
        assert_eq!(feed.json()["data"][0]["sequence"], numbers[1], "nothing of the wrong batch was written");

        // More than the limit of a single event, less than that of a batch.
        let large = json!({"type": "user.blocked", "data": {"text": "x".repeat(200_000)}});
        let answer = world.ask("POST", "/api/v1/events/batch", json!({"events": [large, large]})).await;
        assert_eq!(answer.status, 202);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn the_catalogue_is_listed() {
    let world = world().await;
    let types = world.ask("GET", "/api/v1/event-types", Value::Null).await.json();
    let blocked = types["data"].as_array().unwrap().iter().find(|it| it["name"] == "user.blocked").unwrap().clone();
    assert_eq!((&blocked["actor_type"], &blocked["title"]), (&json!("users"), &json!("User blocked")));
    assert_eq!(blocked["data_schema"]["type"], "object");
    assert_eq!(blocked["example"]["type"], "user.blocked");
    world.server.stop().await;
}
