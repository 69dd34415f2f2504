//! Publishing: numbers without gaps, shared commits, repetitions.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::*;
use crate::ops::{
    self,
    publish::{IdempotencyKey, MAX_BATCH, MAX_DATA, publish, publish_batch},
};

fn key(text: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey::parse(text).unwrap())
}

fn blocked(data: &str) -> NewPublish {
    event(EventType::USER_BLOCKED, data)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_publishers_get_numbers_without_gaps() {
    for world in worlds().await {
        create(&world, "https://example.com/", &["user.*"]).await;
        let eve = stranger(&world.app).await;
        let mut tasks = tokio::task::JoinSet::new();
        for publisher in 0..64 {
            let (app, actor) = (world.app.clone(), if publisher % 4 == 0 { eve.clone() } else { world.owner.clone() });
            tasks.spawn(async move {
                let mut made = Vec::new();
                for _ in 0..5 {
                    made.push(publish(&app, &actor, blocked("{}"), None).await.unwrap());
                }
                let batch = (0..3).map(|_| blocked("{}")).collect();
                let batch = publish_batch(&app, &actor, batch, None).await.unwrap();
                assert!(batch.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence));
                made.extend(batch);
                (actor.workspace, made)
            });
        }
        let made = tasks.join_all().await;
        // The webhook that was created has the first number.
        for (workspace, first, total) in [(world.owner.workspace, 2, 48 * 8), (eve.workspace, 1, 16 * 8)] {
            let of_workspace = made.iter().filter(|(of, _)| *of == workspace).flat_map(|(_, made)| made);
            let mut numbers: Vec<i64> = of_workspace.map(|published| published.sequence).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (first..first + total).collect::<Vec<_>>(), "{}", world.app.db.engine());
            let stored = "SELECT COUNT(*) AS total, MAX(sequence) AS last FROM events WHERE workspace_id = $1";
            let row = &query(&world.app, stored, vec![workspace.into()]).await[0];
            assert_eq!(
                (row.get::<i64>("total").unwrap(), row.get::<i64>("last").unwrap()),
                (first + total - 1, first + total - 1)
            );
        }
        let owed = "SELECT COUNT(*) AS total FROM deliveries";
        assert_eq!(query(&world.app, owed, vec![]).await[0].get::<i64>("total").unwrap(), 48 * 8);
    }
}

#[tokio::test]
async fn those_who_wait_share_a_commit() {
    for mut world in worlds().await {
        create(&world, "https://example.com/", &["user.*"]).await;
        drain(&mut world);
        // All of them ask before the task that commits has run.
        let all = join_all((0..50).map(|_| publish(&world.app, &world.owner, blocked("{}"), None))).await;
        assert!(all.iter().all(Result::is_ok));
        // The engine is told while the next commit is written; there is none.
        world.app.committing.close();
        world.app.committing.wait().await;
        let signals = drain(&mut world);
        assert!(matches!(&signals[..], [Signal::Owed(owed)] if owed.len() == 50), "{}", signals.len());
        let batch: Vec<_> = (0..600).map(|_| blocked("{}")).collect();
        let (one, two, three) = tokio::join!(
            publish_batch(&world.app, &world.owner, batch.clone(), None),
            publish_batch(&world.app, &world.owner, batch.clone(), None),
            publish_batch(&world.app, &world.owner, batch, None),
        );
        assert_eq!((one.unwrap()[0].sequence, two.unwrap()[0].sequence, three.unwrap()[0].sequence), (52, 652, 1252));
        assert_eq!(drain(&mut world).len(), 3, "a transaction has at most 1,000 events");
    }
}

#[tokio::test]
async fn what_is_sent_is_what_was_published() {
    for mut world in worlds().await {
        create(&world, "https://example.com/", &["user.*"]).await;
        drain(&mut world);
        let mut new = blocked("{ \"a\" : [1, 2],\n \"b\": \"x  y\" }");
        new.actor = Some(serde_json::from_str(r#"{"type":"user","id":"42","name":"  Kim "}"#).unwrap());
        new.occurred_at = Some(Timestamp::parse("2026-11-22T08:00:00Z").unwrap());
        let published = publish(&world.app, &world.owner, new, None).await.unwrap();
        let signals = drain(&mut world);
        let [Signal::Owed(owed)] = &signals[..] else { panic!("{signals:?}") };
        let expected = format!(
            "{{\"id\":\"{}\",\"type\":\"user.blocked\",\"timestamp\":\"2026-11-22T08:00:00.000000Z\",\"workspace_id\":\"{}\",\
             \"sequence\":2,\"actor\":{{\"type\":\"user\",\"id\":\"42\",\"name\":\"Kim\"}},\"data\":{{\"a\":[1,2],\"b\":\"x  y\"}}}}",
            published.id, world.owner.workspace
        );
        assert_eq!(std::str::from_utf8(&owed[0].body).unwrap(), expected);
        let shown = ops::events::get(&world.app, &world.owner, published.id).await.unwrap();
        assert_eq!(serde_json::to_string(&shown.event).unwrap(), expected);
    }
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_and_takes_no_number() {
    for world in worlds().await {
        let field = async |new: NewPublish| match publish(&world.app, &world.owner, new, None).await {
            Err(Error::Invalid(fields)) => fields[0].field.clone(),
            other => format!("{other:?}"),
        };
        for data in ["[]", "\"x\"", "null", &format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_DATA))] {
            assert_eq!(field(blocked(data)).await, "data");
        }
        assert_eq!(field(event(EventType::WEBHOOK_TEST, "{}")).await, "type");
        assert_eq!(field(event(EventType::WEBHOOK_DEACTIVATED, "{}")).await, "type");
        let late = world.app.clock.now().saturating_add(Duration::from_secs(3601));
        assert_eq!(field(NewPublish { occurred_at: Some(late), ..blocked("{}") }).await, "occurred_at");
        let nobody = serde_json::from_str(r#"{"type":"user","id":null,"name":" "}"#).unwrap();
        assert_eq!(field(NewPublish { actor: Some(nobody), ..blocked("{}") }).await, "actor.name");
        let batch = vec![blocked("{}"), blocked("[]"), event(EventType::WEBHOOK_TEST, "{}")];
        let Err(Error::Invalid(fields)) = publish_batch(&world.app, &world.owner, batch, None).await else {
            panic!("two of them are wrong")
        };
        let fields: Vec<_> = fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(fields, ["events[1].data", "events[2].type"]);
        for count in [0, MAX_BATCH + 1] {
            let batch = (0..count).map(|_| blocked("{}")).collect();
            assert_eq!(code(publish_batch(&world.app, &world.owner, batch, None).await), "invalid");
        }
        assert_eq!(publish_one(&world).await.sequence, 1);
    }
}

#[tokio::test]
async fn only_those_who_may_publish_do() {
    for world in worlds().await {
        assert_eq!(code(publish(&world.app, &world.member, blocked("{}"), None).await), "forbidden");
        // As of the request's start they might; by the time of the commit they are blocked, or their role is gone.
        let mut late = world.member.clone();
        late.permissions = world.owner.permissions;
        let (ok, refused) = tokio::join!(
            publish(&world.app, &world.owner, blocked("{}"), None),
            publish(&world.app, &late, blocked("{}"), None)
        );
        assert_eq!((ok.unwrap().sequence, code(refused)), (1, "forbidden"));
        execute(&world.app, "UPDATE memberships SET status = 'blocked'", vec![]).await;
        assert_eq!(code(publish(&world.app, &world.owner, blocked("{}"), None).await), "unauthenticated");
    }
}

#[tokio::test]
async fn a_key_makes_a_publish_happen_once() {
    for world in worlds().await {
        let (app, owner) = (&world.app, &world.owner);
        let (one, two) =
            tokio::join!(publish(app, owner, blocked("{}"), key("k")), publish(app, owner, blocked("{ }"), key("k")));
        assert_eq!(one.as_ref().unwrap().sequence, 1);
        assert_eq!(code(two), "idempotency_key_reused", "byte for byte");
        let one = one.unwrap();
        let (two, three) =
            tokio::join!(publish(app, owner, blocked("{}"), key("k")), publish(app, owner, blocked("{}"), key("k")));
        assert_eq!((two.unwrap(), three.unwrap()), (one, one));
        let other = publish(app, owner, blocked("{\"a\":1}"), key("k")).await;
        assert_eq!(code(other), "idempotency_key_reused");
        let eve = stranger(app).await;
        assert_ne!(publish(app, &eve, blocked("{}"), key("k")).await.unwrap().id, one.id, "keys belong to a workspace");

        let same = join_all((0..10).map(|_| publish(app, owner, blocked("{}"), key("at-once")))).await;
        let ids: BTreeSet<_> = same.into_iter().map(|published| published.unwrap().id).collect();
        assert_eq!(ids.len(), 1);

        let batch = || vec![blocked("{}"), blocked("{}")];
        let first = publish_batch(app, owner, batch(), key("b")).await.unwrap();
        assert_eq!(publish_batch(app, owner, batch(), key("b")).await.unwrap(), first);
        assert_eq!(code(publish(app, owner, blocked("{}"), key("b")).await), "idempotency_key_reused");

        app.clock.advance(Duration::from_hours(24) + Duration::from_secs(1));
        assert_ne!(publish(app, owner, blocked("{}"), key("k")).await.unwrap(), one, "keys are kept for 24 hours");
        assert_eq!(
            query(app, "SELECT id FROM events WHERE workspace_id = $1", vec![owner.workspace.into()]).await.len(),
            5
        );
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_harms_nobody() {
    for world in worlds().await {
        for _ in 0..5 {
            let given_up = publish(&world.app, &world.owner, blocked("{}"), None);
            // Polled once, then dropped.
            tokio::select! { biased; _ = given_up => {}, () = std::future::ready(()) => {} }
        }
        assert_eq!(publish_one(&world).await.sequence, 6);
    }
}
