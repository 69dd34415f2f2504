//! `/api/v1/license`

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::world::{Answer, World, assert_shown, world, worlds};
use crate::support::client::Client;

const LICENSE: &str = "/api/v1/license";
const CREDITS: &str = "/api/v1/license/credits";
const USAGE: &str = "/api/v1/license/usage";

impl World {
    /// A POST with an idempotency key.
    async fn post_once(&self, key: &str, path: &str, body: Value) -> Answer {
        let authorization = format!("Bearer {}", self.acme.api_key);
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        self.send("POST", path, &headers, body.to_string()).await
    }

    /// The types of the events of a workspace about its license, the oldest first.
    async fn told(&self) -> Vec<String> {
        let path = "/api/v1/events?actor_type=state_changes&order=asc&limit=200";
        let events = self.ask("GET", path, Value::Null).await.json();
        let types = events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned());
        types.skip(1).collect() // the first license was issued
    }
}

#[tokio::test]
async fn a_license_is_seen_and_modified() {
    for world in worlds().await {
        assert_shown!(world.ask("GET", LICENSE, Value::Null).await, @r#"
        200 OK
        {
          "id": "lic_…",
          "plan": "Standard",
          "status": "active",
          "status_reason": null,
          "renews": true,
          "period_start": "2026-11-01T00:00:00.000000Z",
          "period_end": "2026-12-01T00:00:00.000000Z",
          "included": 100000,
          "extra": 0,
          "used": 0,
          "balance": 100000,
          "thresholds": [
            80,
            90
          ],
          "updated_at": "2026-11-23T09:00:00.000000Z"
        }
        "#);
        let patch = json!({"plan": "Business", "included": 500_000, "thresholds": [50, 75, 99], "renews": false,
            "period_end": "2027-11-01T00:00:00Z"});
        let modified = world.ask("PATCH", LICENSE, patch.clone()).await;
        assert_eq!(modified.status, 200, "{}", modified.shown());
        for (field, value) in patch.as_object().unwrap() {
            if field != "period_end" {
                assert_eq!(&modified.json()[field], value);
            }
        }
        assert_eq!(modified.text("/period_end"), "2027-11-01T00:00:00.000000Z");
        assert_eq!(world.ask("PATCH", LICENSE, json!({})).await.json(), modified.json());
        assert_eq!(world.told().await, ["license.updated"], "and nothing for what changed nothing");
        for (wrong, field) in [
            (json!({"thresholds": [90, 80]}), "thresholds"),
            (json!({"thresholds": [0]}), "thresholds"),
            (json!({"thresholds": [100]}), "thresholds"),
            (json!({"thresholds": (1..=11).collect::<Vec<_>>()}), "thresholds"),
            (json!({"included": -1}), "included"),
            (json!({"included": 1_000_000_000_001_i64}), "included"),
            (json!({"plan": ""}), "plan"),
            (json!({"plan": null}), "plan"),
            (json!({"period_end": "2026-11-23T09:00:00Z"}), "period_end"),
            (json!({"period_end": "2099-11-23T09:00:00Z"}), "period_end"),
            (json!({"used": 0}), "used"),
        ] {
            let answer = world.ask("PATCH", LICENSE, wrong.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.text("/errors/0/field").as_str()), (422, field), "{wrong}");
        }
        assert_shown!(world.ask("PATCH", LICENSE, json!({"thresholds": [90, 80]})).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "thresholds: are out of order: 80 must not come after 90",
          "code": "invalid",
          "errors": [
            {
              "field": "thresholds",
              "message": "are out of order: 80 must not come after 90"
            }
          ]
        }
        "#);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn state_changes_are_used_and_credited() {
    for world in worlds().await {
        assert_shown!(world.post_once("use-1", USAGE, json!({"amount": 100_005})).await, @r#"
        200 OK
        {
          "amount": 100005,
          "included": 100000,
          "extra": 0,
          "used": 100005,
          "balance": -5,
          "exhausted": true
        }
        "#);
        world.ask("POST", USAGE, json!({"amount": 1})).await;
        let repeated = world.post_once("use-1", USAGE, json!({"amount": 100_005})).await;
        assert_eq!((repeated.status.as_u16(), &repeated.json()["balance"]), (200, &json!(-5)));
        let credit = json!({"amount": 20_000, "source": "purchase", "note": "Order 4711"});
        let credited = world.post_once("credit-1", CREDITS, credit.clone()).await;
        assert_shown!(world.post_once("credit-1", CREDITS, credit).await, @r#"
        201 Created
        {
          "id": "crd_…",
          "amount": 20000,
          "source": "purchase",
          "note": "Order 4711",
          "by": {
            "type": "api_key",
            "id": "key_…",
            "name": "Automation"
          },
          "at": "2026-11-23T09:00:00.000000Z",
          "balance": 19994
        }
        "#);
        let list = world.ask("GET", CREDITS, Value::Null).await.json();
        assert_eq!(list, json!({"data": [credited.json()], "next": null}));
        for (key, path, body) in [
            ("use-1", USAGE, json!({"amount": 100_006})),
            ("credit-1", CREDITS, json!({"amount": 20_000, "source": "bonus"})),
            ("credit-1", USAGE, json!({"amount": 20_000})),
            ("use-1", "/api/v1/events", json!({"type": "user.blocked", "data": {}})),
        ] {
            let answer = world.post_once(key, path, body).await;
            assert_eq!((answer.status.as_u16(), answer.text("/code").as_str()), (409, "idempotency_key_reused"));
        }
        for (path, body, field) in [
            (USAGE, json!({"amount": 0}), "amount"),
            (USAGE, json!({"amount": -5}), "amount"),
            (USAGE, json!({"amount": 1.5}), "amount"),
            (USAGE, json!({"amount": u64::MAX}), "amount"),
            (USAGE, json!({"amount": 1_000_000_000_001_i64}), "amount"),
            (USAGE, json!({}), "amount"),
            (CREDITS, json!({"amount": 5}), "source"),
            (CREDITS, json!({"amount": 5, "source": "theft"}), "source"),
            (CREDITS, json!({"amount": 5, "source": "bonus", "note": "x".repeat(501)}), "note"),
        ] {
            let answer = world.ask("POST", path, body.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.text("/errors/0/field").as_str()), (422, field), "{body}");
        }
        assert_shown!(world.ask("POST", USAGE, json!({"amount": 0})).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "amount: must be a whole number from 1 to 1,000,000,000,000",
          "code": "invalid",
          "errors": [
            {
              "field": "amount",
              "message": "must be a whole number from 1 to 1,000,000,000,000"
            }
          ]
        }
        "#);
        assert_shown!(world.ask("GET", &format!("{USAGE}?since=2026-11-20T00:00:00Z"), Value::Null).await, @r#"
        200 OK
        {
          "data": [
            {
              "day": "2026-11-23T00:00:00.000000Z",
              "amount": 100006
            }
          ],
          "next": null
        }
        "#);
        let far = world.ask("GET", &format!("{USAGE}?since=2020-11-20T00:00:00Z"), Value::Null).await;
        assert_eq!(far.text("/errors/0/field"), "since");
        // Another workspace has a license of its own, and keys of its own.
        let other = world.ask_as(&world.other.api_key, "GET", LICENSE, Value::Null).await;
        assert_eq!(other.json()["balance"], 100_000);
        let other = world.ask_as(&world.other.api_key, "GET", CREDITS, Value::Null).await;
        assert_eq!(other.json()["data"], json!([]));
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_blocked_license_refuses_use() {
    for world in worlds().await {
        let blocked = world.ask("POST", &format!("{LICENSE}/block"), json!({"reason": "invoice overdue"})).await;
        assert_eq!(
            (blocked.text("/status"), blocked.text("/status_reason")),
            ("blocked".into(), "invoice overdue".into())
        );
        assert_shown!(world.ask("POST", USAGE, json!({"amount": 1})).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "the license is blocked: no use can be reported until it is unblocked",
          "code": "license_blocked"
        }
        "#);
        let credited = world.ask("POST", CREDITS, json!({"amount": 1, "source": "adjustment"})).await;
        assert_eq!(credited.status, 201, "what was bought isn't lost");
        assert_eq!(world.ask("POST", &format!("{LICENSE}/unblock"), Value::Null).await.text("/status"), "active");
        assert_eq!(world.ask("POST", USAGE, json!({"amount": 1})).await.status, 200);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_period_ends() {
    for world in worlds().await {
        world.ask("PATCH", LICENSE, json!({"renews": false})).await;
        world.server.app.clock.advance(Duration::from_hours(24 * 30));
        assert_shown!(world.ask("POST", USAGE, json!({"amount": 1})).await, @r#"
        409 Conflict
        {
          "type": "about:blank",
          "title": "Conflict",
          "status": 409,
          "detail": "the license has expired: give it a period that ends later first",
          "code": "license_expired"
        }
        "#);
        let renewed = world.ask("PATCH", LICENSE, json!({"period_end": "2027-01-01T00:00:00Z"})).await;
        assert_eq!(renewed.text("/status"), "active");
        assert_eq!(world.ask("POST", USAGE, json!({"amount": 1})).await.json()["used"], 1);
        assert_eq!(world.told().await, ["license.updated", "license.expired", "license.issued"]);
        world.server.stop().await;
    }
}

/// Every client has a connection and a key for each of its reports, and repeats some of them.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_at_once_end_at_the_exact_figure() {
    const CLIENTS: usize = 64;
    const EACH: usize = 12;
    for world in worlds().await {
        let client = Client { address: world.server.address, key: world.acme.api_key.clone() };
        let credit = json!({"amount": 120_000, "source": "purchase"});
        client.request("POST", CREDITS, &credit).await.unwrap();
        let reports = (0..CLIENTS).map(|number| {
            let (world, client) = (&world, &client);
            async move {
                let mut answers = Vec::new();
                for round in 0..EACH {
                    let amount = i64::try_from(number * EACH + round + 1).unwrap();
                    let body = json!({"amount": amount});
                    if round % 3 == 0 {
                        let key = format!("client-{number}-{round}");
                        let first = world.post_once(&key, USAGE, body.clone()).await.json();
                        let again = world.post_once(&key, USAGE, body).await.json();
                        assert_eq!(first, again);
                        answers.push((amount, first));
                    } else {
                        let (status, answer) = client.request("POST", USAGE, &body).await.unwrap();
                        assert_eq!(status, 200, "{answer}");
                        answers.push((amount, answer));
                    }
                }
                answers
            }
        });
        let answers: Vec<(i64, Value)> = join_all(reports).await.into_iter().flatten().collect();
        // 1 + 2 + … + 768: above what there is.
        let expected = 768 * 769 / 2;
        let license = world.ask("GET", LICENSE, Value::Null).await.json();
        assert_eq!((&license["used"], &license["balance"]), (&json!(expected), &json!(220_000 - expected)));
        let mut seen: Vec<(i64, i64)> =
            answers.iter().map(|(amount, answer)| (answer["used"].as_i64().unwrap(), *amount)).collect();
        seen.sort_unstable();
        let mut sum = 0;
        for (used, amount) in seen {
            sum += amount;
            assert_eq!(used, sum, "each answer is the balance just after its own report");
        }
        let days = world.ask("GET", USAGE, Value::Null).await.json();
        assert_eq!(days["data"][0]["amount"], expected);
        let threshold = "state_changes.threshold_reached";
        let told = ["state_changes.credited", threshold, threshold, "state_changes.exhausted"];
        assert_eq!(world.told().await, told, "each exactly once");
        world.server.stop().await;
    }
}

#[tokio::test]
async fn a_key_without_permission_is_refused() {
    let world = world().await;
    let made = world.ask("POST", "/api/v1/api-keys", json!({"name": "Nobody"})).await;
    let secret = made.text("/secret");
    for (method, path, body, permission) in [
        ("GET", LICENSE, Value::Null, "license.view"),
        ("GET", CREDITS, Value::Null, "license.view"),
        ("GET", USAGE, Value::Null, "license.view"),
        ("PATCH", LICENSE, json!({"plan": "Free"}), "license.manage"),
        ("POST", CREDITS, json!({"amount": 1, "source": "bonus"}), "license.manage"),
        ("POST", USAGE, json!({"amount": 1}), "usage.report"),
        ("POST", "/api/v1/license/block", Value::Null, "license.manage"),
        ("POST", "/api/v1/license/unblock", Value::Null, "license.manage"),
    ] {
        let answer = world.ask_as(&secret, method, path, body).await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert!(answer.text("/detail").contains(permission), "{method} {path}: {}", answer.shown());
    }
    world.server.stop().await;
}
