//! Migrations that meet others at work.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, NoTls};

use super::super::{Db, migrate::ADVISORY_LOCK};

/// Ends a test that waits for what never comes.
const GUARD: Duration = Duration::from_secs(120);

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits until so many wait for the lock of migrations.
async fn waiting(client: &Client, wanted: i64) {
    let sql = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
               WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";
    let wait = async {
        while client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) != wanted {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(GUARD, wait).await.expect("they wait");
}

/// Another transaction has locked what the migrations need, and then waits for them: PostgreSQL ends one of the two. The other one is in
/// no hurry to look for a deadlock, so it is the migrations that are ended.
#[tokio::test]
async fn migrations_that_meet_another_transaction_halfway_begin_anew() {
    let Ok(server) = std::env::var("BELLWIRE_TEST_POSTGRES_URL") else { return };
    let name = format!("migrations_{}", std::process::id());
    client(&server).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let (before, other, watching) = (client(&url).await, client(&url).await, client(&url).await);
    other.batch_execute("CREATE TABLE migrations (name TEXT PRIMARY KEY)").await.unwrap();
    let held = "SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE migrations IN SHARE MODE";
    other.batch_execute(held).await.unwrap();
    before.batch_execute(&format!("BEGIN; {ADVISORY_LOCK}")).await.unwrap();
    let db = Db::connect(&url).await.unwrap();
    let all = db.missing_migrations().await.unwrap();
    let migrating = tokio::spawn(async move { db.migrate().await });
    waiting(&watching, 1).await;
    let meeting = tokio::spawn(async move {
        other.batch_execute(ADVISORY_LOCK).await.unwrap();
        other
    });
    waiting(&watching, 2).await;
    // Now the migrations go on, until they write down the first of them.
    before.batch_execute("COMMIT").await.unwrap();
    let other = timeout(GUARD, meeting).await.expect("the migrations are ended").unwrap();
    assert!(!migrating.is_finished());
    other.batch_execute("COMMIT").await.unwrap();
    let done = timeout(GUARD, migrating).await.expect("they begin anew").unwrap();
    assert_eq!(done.unwrap(), all);
}
