//! How much room a delivery takes on the disk, and how long a step of pruning keeps others from writing. Takes a minute: by hand.
//!
//! `cargo test --release -p bellwire --lib db::prune -- --ignored --nocapture`

use std::time::{Duration, Instant};

use bellwire_core::{
    id::{DeliveryId, EventId, WebhookId, WorkspaceId},
    time::Timestamp,
};

use crate::{
    clock::Randomness,
    db::{
        Db, DbError, Value,
        dialect::{Column, Many},
        prune,
    },
};

const EVENTS: i64 = 200_000;
/// As the engine's.
const STEP: u32 = prune::STEP;

fn many(sqlite: &'static str) -> Many {
    Many { sqlite, postgres: "", columns: &[Column::Text] }
}

/// Writes rows of one table, a thousand at a time.
async fn fill(db: &Db, sqlite: &'static str, rows: impl Iterator<Item = Vec<Value>>) {
    let rows: Vec<_> = rows.collect();
    for chunk in rows.chunks(1_000) {
        let chunk = chunk.to_vec();
        let done = db.write(move |conn| Box::pin(async move { conn.many(&many(sqlite), chunk).await }));
        done.await.map_err(|error: DbError| error).unwrap();
    }
}

async fn bytes(db: &Db) -> i64 {
    let sql = "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) AS bytes";
    let row = db.read(move |conn| Box::pin(async move { conn.query_one(sql, &[]).await }));
    row.await.map_err(|error: DbError| error).unwrap().get("bytes").unwrap()
}

const DATA: &str = r#"{"object":{"id":"usr_01kjw16mm0em4ry1jygtts6an2","email":"sam.rivera@example.com","name":"Sam Rivera","status":"blocked","status_reason":"left the company","roles":[{"id":"role_01kjw16mm0em4ry1jygtts6an2","name":"Member"}],"joined_at":"2026-11-23T09:00:00.000000Z","updated_at":"2026-11-23T09:00:00.000000Z"},"previous":{"status":"active"},"reason":"left the company"}"#;
const ACTOR: &str = r#"{"type":"user","id":"usr_01kjw16mm0em4ry1jygtts6an2","name":"Ann Lee"}"#;
const HEADERS: &str = r#"[["server","nginx"],["date","Mon, 23 Nov 2026 09:00:00 GMT"],["content-type","text/plain"],["content-length","2"],["connection","keep-alive"]]"#;

#[tokio::test]
#[ignore = "a measurement, by hand"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn room_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}", folder.path().join("test.db").display())).await.unwrap();
    let random = Randomness::seeded(1);
    let at = |n: i64| Timestamp::from_micros(1_700_000_000_000_000 + n * 1_000);
    let workspace: WorkspaceId = random.id(at(0));
    let sql = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'W', 0)";
    fill(&db, sql, std::iter::once(vec![workspace.into()])).await;
    let empty = bytes(&db).await;

    let events: Vec<EventId> = (0..EVENTS).map(|n| random.id(at(n))).collect();
    let sql = "INSERT INTO events (id, workspace_id, sequence, type, actor, data, occurred_at, created_at) \
               VALUES ($1, $2, $3, 'user.blocked', $4, $5, $6, $6)";
    let rows = (0..).zip(&events);
    let row = |(n, id): (i64, &EventId)| {
        vec![(*id).into(), workspace.into(), n.into(), ACTOR.into(), DATA.into(), at(n).into()]
    };
    fill(&db, sql, rows.map(row)).await;
    let with_events = bytes(&db).await;

    let webhooks: [WebhookId; 2] = [random.id(at(0)), random.id(at(0))];
    let deliveries: Vec<(DeliveryId, EventId, WebhookId, i64)> = (0..)
        .zip(&events)
        .flat_map(|(n, event)| webhooks.map(|webhook| (DeliveryId::of(*event, random.bytes()), *event, webhook, n)))
        .collect();
    let sql = "INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, event_type, state, due_at, reason, tries, attempts, \
               created_at, updated_at, apart) VALUES ($1, $2, $3, $4, 'user.blocked', 'delivered', $5, 'automatic', 1, 1, $5, $5, 0)";
    let row = |(id, event, webhook, n): &(DeliveryId, EventId, WebhookId, i64)| {
        vec![(*id).into(), workspace.into(), (*webhook).into(), (*event).into(), at(*n).into()]
    };
    fill(&db, sql, deliveries.iter().map(row)).await;
    let sql = "INSERT INTO attempts (delivery_id, number, reason, started_at, duration, status, response_headers, response_body) \
               VALUES ($1, 1, 'automatic', $2, 1500, 200, $3, $4)";
    let row = |(id, _, _, n): &(DeliveryId, EventId, WebhookId, i64)| {
        vec![(*id).into(), at(*n).into(), HEADERS.into(), b"ok".to_vec().into()]
    };
    fill(&db, sql, deliveries.iter().map(row)).await;
    let with_all = bytes(&db).await;
    println!(
        "an event takes {} bytes, a delivery with its one attempt {} bytes",
        (with_events - empty) / EVENTS,
        (with_all - with_events) / (2 * EVENTS)
    );

    let (mut steps, began) = (Vec::new(), Instant::now());
    loop {
        let step = Instant::now();
        let done = db.write(|conn| {
            Box::pin(async move { prune::history(conn, Timestamp::from_micros(i64::MAX / 2), STEP).await })
        });
        let deleted = done.await.map_err(|error: DbError| error).unwrap();
        if deleted == 0 {
            break;
        }
        steps.push(step.elapsed());
    }
    let all = began.elapsed();
    steps.sort_unstable();
    let at = |share: usize| steps[(steps.len() - 1) * share / 100];
    println!(
        "{} steps of {STEP} rows, with their commits: half within {:?}, 99 % within {:?}, the longest {:?}; all of them {all:?}",
        steps.len(),
        at(50),
        at(99),
        at(100)
    );
    assert!(at(50) < Duration::from_millis(20));
}
