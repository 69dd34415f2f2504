//! How PostgreSQL reads what is asked for all the time: along which index, of each large table. The statements are those that the
//! functions really sent (the server knows what a connection has prepared); their plans are those that it keeps, which suit
//! whatever values come. Sequential scans are discouraged, so that one which is left means that no index would do.

use std::{collections::BTreeSet, fmt::Write};

use bellwire_core::{
    catalogue::EventType,
    delivery::{Health, Reason, State},
    event::{By, PrincipalId},
    id::{ApiKeyId, DeliveryId, EventId, NodeId, WebhookId, WorkspaceId},
    time::Timestamp,
};

use super::{
    super::{
        BoxFuture, Conn, DbError, api_keys,
        attempts::{self, AttemptResult, NewAttempt},
        backlog, clock, deliveries, event_views,
        events::{self, Audience, DeliveryRow, NewEvent},
        health, idempotency_keys, invites,
        leases::{self, Fate, Lease, Settled},
        licenses, principals, prune, recent, replays, sessions, webhooks, workspaces,
    },
    fresh, write,
};

/// A table that can have millions of rows, or as many as there are workspaces.
const LARGE: [&str; 14] = [
    "api_keys",
    "attempts",
    "deliveries",
    "events",
    "idempotency_keys",
    "invites",
    "licenses",
    "memberships",
    "role_members",
    "sessions",
    "status_changes",
    "subscriptions",
    "webhooks",
    "workspaces",
];

/// Indexes that hold only what is pending or fails: reading all of one is reading what there is to do.
const SMALL: [&str; 7] = [
    "deliveries_apart",
    "deliveries_due",
    "deliveries_tests",
    "invites_due",
    "licenses_by_next_look",
    "webhooks_failing",
    "webhooks_inactive",
];

/// Enough rows that it matters how they are read. `%` stands for the ids' middle, which makes them valid.
const ROWS: &str = "
    INSERT INTO workspaces (id, name, created_at) SELECT 'ws_%' || lpad(n::text, 8, '0'), 'W', n FROM generate_series(0, 99) n;
    INSERT INTO api_keys (id, workspace_id, name, name_key, secret_hash, hint, status, created_by, created_at, updated_at)
      SELECT 'key_%' || lpad(n::text, 8, '0'), 'ws_%' || lpad((n % 100)::text, 8, '0'), 'K', 'k', 'hash' || n, 'abcd', 'active', '{}', n, n
      FROM generate_series(0, 1999) n;
    INSERT INTO roles (id, workspace_id, name, description, built_in, permissions, created_at, updated_at)
      SELECT 'role_%' || lpad(n::text, 8, '0'), 'ws_%' || lpad(n::text, 8, '0'), 'Admin', '', 0, '[]', 0, 0 FROM generate_series(0, 99) n;
    INSERT INTO role_members (workspace_id, role_id, principal_id)
      SELECT workspace_id, 'role_%' || right(workspace_id, 8), id FROM api_keys;
    INSERT INTO webhooks (id, workspace_id, url, description, event_types, actor_types, owner_type, owner_id, owner_name, owner_key, status,
        secret_sealed, health, created_at, updated_at)
      SELECT 'wh_%' || lpad(n::text, 8, '0'), 'ws_%' || lpad((n % 100)::text, 8, '0'), 'https://example.com/' || n, '', '[\"user.blocked\"]', ',users,', 'user',
        'usr_%' || lpad(n::text, 8, '0'), 'Ann', 'ann', CASE WHEN n % 50 = 0 THEN 'inactive' ELSE 'active' END, 's',
        CASE WHEN n % 40 = 1 THEN 'failing' ELSE 'ok' END, n, n FROM generate_series(0, 29999) n;
    INSERT INTO subscriptions (workspace_id, event_type, webhook_id)
      SELECT workspace_id, t, id FROM webhooks, unnest(ARRAY['user.blocked', 'user.joined', 'user.updated']) t;
    INSERT INTO events (id, workspace_id, sequence, type, actor, data, occurred_at, created_at)
      SELECT 'evt_%' || lpad(n::text, 8, '0'), 'ws_%' || lpad((n % 100)::text, 8, '0'), n, 'user.blocked', '{\"type\":\"user\",\"id\":\"u\",\"name\":\"Ann\"}', '{}', n, n
      FROM generate_series(0, 19999) n;
    INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, event_type, state, due_at, reason, tries, attempts, created_at, updated_at)
      SELECT 'dlv_%' || lpad(n::text, 8, '0'), 'ws_%' || lpad((n % 100)::text, 8, '0'), 'wh_%' || lpad((n % 4000)::text, 8, '0'),
        'evt_%' || lpad(n::text, 8, '0'), 'user.blocked', CASE WHEN n % 50 = 2 THEN 'pending' ELSE 'delivered' END, n,
        CASE WHEN n % 1000 = 2 THEN 'test' ELSE 'automatic' END, 1, 1, n, n FROM generate_series(0, 19999) n;
    INSERT INTO attempts (delivery_id, number, reason, started_at, duration, status) SELECT id, 1, 'automatic', 0, 1500, 204 FROM deliveries;
    INSERT INTO idempotency_keys (workspace_id, key, request_hash, answer, created_at)
      SELECT 'ws_%' || lpad((n % 100)::text, 8, '0'), 'key' || n, 'hash', '[]', n FROM generate_series(0, 4999) n;
    INSERT INTO users (id, email, password_hash, created_at)
      SELECT 'usr_%' || lpad(n::text, 8, '0'), n || '@example.com', 'hash', n FROM generate_series(0, 1999) n;
    INSERT INTO memberships (workspace_id, user_id, name, name_key, status, joined_at, updated_at, email)
      SELECT 'ws_%' || lpad((n % 100)::text, 8, '0'), 'usr_%' || lpad(n::text, 8, '0'), 'Ann', 'ann', 'active', n, n, n || '@example.com'
      FROM generate_series(0, 1999) n;
    INSERT INTO sessions (token_hash, user_id, created_at, expires_at)
      SELECT 'token' || n, 'usr_%' || lpad(n::text, 8, '0'), n, n FROM generate_series(0, 1999) n;
    ANALYZE;
    SET LOCAL plan_cache_mode = force_generic_plan;
    SET LOCAL enable_seqscan = off;
";
const MIDDLE: &str = "01kjw16mm0em4ry1jy";

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str, number: u32) -> T {
    format!("{prefix}_{MIDDLE}{number:08}").parse().unwrap()
}

/// Everything that happens for each request, event and delivery, once a second, and with each look at a page of the console.
fn everything(conn: &mut Conn) -> BoxFuture<'_, Result<(), DbError>> {
    Box::pin(async move {
        let (workspace, webhook): (WorkspaceId, WebhookId) = (id("ws", 7), id("wh", 7));
        let (key, node, replaced): (ApiKeyId, NodeId, DeliveryId) = (id("key", 7), id("node", 1), id("dlv", 7));
        let principal = PrincipalId::ApiKey(key);
        let at = Timestamp::from_micros;

        // A request, and what it publishes.
        api_keys::by_secret(conn, "hash7").await?;
        api_keys::has_secret(conn, key, "hash7").await?;
        api_keys::used(conn, key, at(1)).await?;
        principals::permissions(conn, workspace, principal).await?;
        principals::permissions(conn, workspace, PrincipalId::User(id("usr", 7))).await?;
        sessions::get(conn, "token7", at(1)).await?;
        workspaces::lock(conn, workspace).await?;
        idempotency_keys::get(conn, workspace, &["key7", "new"], at(0)).await?;
        idempotency_keys::put(conn, workspace, [("key7", "hash", "[]")].into_iter(), at(5)).await?;
        licenses::lock(conn, workspace).await?;
        let event = NewEvent {
            id: EventId::new(at(1_795_424_400_000_000), [1; 10]),
            event_type: EventType::USER_BLOCKED,
            by: By::system().into(),
            data: serde_json::value::to_raw_value(&serde_json::json!({})).unwrap(),
            occurred_at: at(1),
            correlation: None,
            audience: Audience::Subscribers,
        };
        let first = events::take_numbers(conn, workspace, 1).await?;
        let (_, owed) = events::append(conn, workspace, first, at(1), std::slice::from_ref(&event)).await?;
        let row = |(n, delivery): (u32, _)| {
            let mut end = [0; 10];
            end[6..].copy_from_slice(&n.to_be_bytes());
            DeliveryRow { id: DeliveryId::of(event.id, end), delivery, due_at: at(5), leased_by: Some(node) }
        };
        let rows: Vec<DeliveryRow> = (0..).zip(owed).map(row).collect();
        events::owe(conn, workspace, &[event], &rows).await?;

        // What the engine takes and writes down.
        webhooks::target(conn, webhook).await?;
        leases::pending(conn, None, 100).await?;
        leases::claim(conn, node, &[(id("wh", 2), 10)], at(30_000), at(60_000)).await?;
        leases::claim_tests(conn, node, at(30_000), at(60_000), 10).await?;
        leases::bodies(conn, &[id("evt", 1), id("evt", 2)]).await?;
        let lease = |delivery| Lease { delivery, until: at(60_000) };
        let settled =
            |number, fate| Settled { lease: lease(id("dlv", number)), fate, tries: 1, attempts: 1, at: at(1) };
        let settled = [
            settled(1, Fate::Delivered),
            settled(2, Fate::Retry(at(9))),
            settled(3, Fate::Failed),
            settled(4, Fate::Restored),
        ];
        leases::settle(conn, node, &settled).await?;
        leases::release(conn, node, &[lease(replaced)], at(9)).await?;
        leases::end_leases_of_others(conn, node, &[webhook], at(9)).await?;
        let result = AttemptResult::Answered { status: 204, headers: "[]".to_owned(), body: Vec::new() };
        let (reason, started_at) = (Reason::Automatic, at(1));
        let attempt = NewAttempt { delivery: replaced, number: 2, reason, started_at, duration: 1, result };
        attempts::insert(conn, vec![attempt]).await?;
        if let Some(row) = health::get(conn, webhook).await? {
            health::set(conn, webhook, &health::HealthRow { health: Health::Failing, ..row }).await?;
        }

        // Once a second.
        clock::now(conn).await?;
        health::at_work(conn, at(1), at(1)).await?;
        health::failing_since(conn, at(1), 100).await?;
        invites::due(conn, at(1), 100).await?;
        licenses::due(conn, at(1), 100).await?;
        deliveries::cancel_skipped(conn, at(1), 100).await?;
        prune::history(conn, at(1), 100).await?;
        prune::replays(conn, at(1), 100).await?;
        prune::short_lived(conn, at(1), at(1), 100).await?;
        replays::next(conn).await?;
        backlog::measure(conn, 100_000).await?;

        // A look at a webhook, a delivery, an event.
        webhooks::get(conn, workspace, webhook).await?;
        recent::read(conn, webhook, at(0)).await?;
        recent::deliveries(conn, &[webhook], at(0)).await?;
        deliveries::get(conn, workspace, replaced).await?;
        deliveries::of_event(conn, id("evt", 7), 100).await?;
        deliveries::of_test(conn, id("evt", 7)).await?;
        deliveries::held_count(conn, webhook, 1_000).await?;
        deliveries::owed_count(conn, webhook, 1_000).await?;
        deliveries::newest(conn, webhook).await?;
        deliveries::resend(conn, &[(replaced, State::Failed)], at(9)).await?;
        attempts::of_delivery(conn, replaced).await?;
        event_views::get(conn, workspace, id("evt", 7)).await?;
        Ok(())
    })
}

/// What a plan reads of the large tables, and how: `deliveries: deliveries_due`. What is read from end to end is in capitals.
fn reads(plan: &[String]) -> BTreeSet<String> {
    let mut reads = BTreeSet::new();
    for (number, line) in plan.iter().enumerate() {
        // "  ->  Index Scan using deliveries_due on deliveries d  (cost=…)"
        let step = line.trim_start().trim_start_matches("->").trim_start();
        let word_after = |mark: &str| step.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next());
        let table = word_after(" on ").unwrap_or_default();
        if step.starts_with("Seq Scan") && LARGE.contains(&table) {
            reads.insert(format!("{table}: ALL OF IT"));
        }
        // Of a bitmap it says the index alone.
        let index = if step.starts_with("Bitmap Index Scan") { Some(table) } else { word_after(" using ") };
        let Some(index) = index.filter(|_| step.contains("Index")) else { continue };
        let details = plan.iter().skip(number + 1).take_while(|line| !line.contains("->"));
        let narrowed = details.into_iter().any(|line| line.contains("Index Cond:"));
        let all = if narrowed || SMALL.contains(&index) { "" } else { ", ALL OF IT" };
        let table = if table == index { String::new() } else { format!("{table}: ") };
        if LARGE.iter().any(|large| index.starts_with(large)) {
            reads.insert(format!("{table}{index}{all}"));
        }
    }
    reads
}

/// The plans of all that this connection has prepared, in the order in which it has.
async fn plans(conn: &mut Conn) -> Result<Vec<(String, Vec<String>)>, DbError> {
    let sql = "SELECT name, statement, CAST(cardinality(parameter_types) AS BIGINT) AS parameters \
               FROM pg_prepared_statements ORDER BY prepare_time, name";
    let mut plans = Vec::new();
    for row in conn.query(sql, &[]).await? {
        let (name, statement, count): (String, String, i64) =
            (row.get("name")?, row.get("statement")?, row.get("parameters")?);
        if statement.starts_with("EXPLAIN") || statement == sql {
            continue;
        }
        let nulls = (0..count).map(|_| "NULL").collect::<Vec<_>>().join(", ");
        let execute = if count == 0 { name } else { format!("{name} ({nulls})") };
        let plan = conn.query(&format!("EXPLAIN EXECUTE {execute}"), &[]).await?;
        let plan = plan.iter().map(|row| row.get("QUERY PLAN")).collect::<Result<_, _>>()?;
        plans.push((statement.split_whitespace().collect::<Vec<_>>().join(" "), plan));
    }
    Ok(plans)
}

#[tokio::test]
async fn what_is_asked_all_the_time_is_read_along_an_index() {
    let mut databases = fresh().await;
    if databases.len() < 2 {
        return; // scripts/test has a PostgreSQL
    }
    let db = databases.remove(1).db;
    let plans = write(&db, |conn| {
        Box::pin(async move {
            conn.script(&ROWS.replace("_%' ||", &format!("_{MIDDLE}' ||"))).await?;
            everything(conn).await?;
            plans(conn).await
        })
    });
    let (mut text, mut wrong) = (String::new(), String::new());
    for (sql, plan) in plans.await.unwrap() {
        let reads = reads(&plan);
        if reads.is_empty() {
            continue; // nothing large
        }
        let short: String = sql.chars().take(110).collect();
        writeln!(text, "{short}\n    {}", reads.iter().cloned().collect::<Vec<_>>().join("; ")).unwrap();
        if reads.iter().any(|read| read.contains("ALL OF IT")) {
            writeln!(wrong, "{sql}\n  {}", plan.join("\n  ")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!(text);
}
