//! What both engines must do alike. On PostgreSQL when `BELLWIRE_TEST_POSTGRES_URL` names a server (as `scripts/test` does).

mod hot;
mod migrations;
mod plans;
mod walks;

use std::sync::atomic::{AtomicU32, Ordering};

use super::{
    Db, DbError, Row,
    dialect::{Column, Many},
};

/// A fresh database of one engine, gone at the end of the test.
struct Fresh {
    db: Db,
    _folder: Option<tempfile::TempDir>,
}

async fn fresh() -> Vec<Fresh> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let mut all = vec![Fresh { db: Db::open(&url).await.unwrap(), _folder: Some(folder) }];
    if let Ok(server) = std::env::var("BELLWIRE_TEST_POSTGRES_URL") {
        let name = format!("conformance_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let base = server.rsplit_once('/').unwrap().0;
        all.push(Fresh { db: Db::open(&format!("{base}/{name}")).await.unwrap(), _folder: None });
    }
    for Fresh { db, .. } in &all {
        let table = "CREATE TABLE things (id TEXT PRIMARY KEY, number BIGINT, text TEXT)";
        write(db, move |conn| Box::pin(async move { conn.script(table).await })).await.unwrap();
    }
    all
}

async fn write<T, F>(db: &Db, work: F) -> Result<T, DbError>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut super::Conn) -> super::BoxFuture<'c, Result<T, DbError>> + Send + 'static,
{
    db.write(work).await
}

async fn insert(db: &Db, id: &str, number: Option<i64>) -> Result<u64, DbError> {
    let parameters = [id.into(), number.into()];
    // The parameters appear in another order than their numbers.
    let sql = "INSERT INTO things (number, id) VALUES ($2, $1)";
    write(db, move |conn| Box::pin(async move { conn.execute(sql, &parameters).await })).await
}

async fn all(db: &Db) -> Vec<Row> {
    let sql = "SELECT id, number, text FROM things ORDER BY id";
    db.read(move |conn| Box::pin(async move { conn.query(sql, &[]).await }))
        .await
        .map_err(|error: DbError| error)
        .unwrap()
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    for Fresh { db, .. } in fresh().await {
        assert_eq!(insert(&db, "a", Some(i64::MIN)).await.unwrap(), 1);
        assert_eq!(insert(&db, "b", None).await.unwrap(), 1);
        let rows = all(&db).await;
        assert_eq!(rows[0].get::<i64>("number").unwrap(), i64::MIN);
        assert_eq!(rows[1].get::<Option<i64>>("number").unwrap(), None);
        assert!(matches!(rows[1].get::<i64>("number"), Err(DbError::Fault(_))), "{}", db.engine());
        assert!(matches!(rows[1].get::<i64>("nothing"), Err(DbError::Fault(_))));
    }
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing_and_spares_its_neighbours() {
    for Fresh { db, .. } in fresh().await {
        let failing = write(&db, |conn| {
            Box::pin(async move {
                conn.execute("INSERT INTO things (id) VALUES ('half')", &[]).await?;
                Err::<(), _>(DbError::Fault("no".to_owned()))
            })
        });
        let (failed, one, two) = tokio::join!(failing, insert(&db, "one", None), insert(&db, "two", None));
        assert!(matches!(failed, Err(DbError::Fault(text)) if text == "no"));
        assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
        let ids: Vec<String> = all(&db).await.iter().map(|row| row.get("id").unwrap()).collect();
        assert_eq!(ids, ["one", "two"], "{}", db.engine());
    }
}

#[tokio::test]
async fn a_unique_violation_is_a_conflict() {
    for Fresh { db, .. } in fresh().await {
        insert(&db, "a", None).await.unwrap();
        assert!(matches!(insert(&db, "a", None).await, Err(DbError::Conflict(_))), "{}", db.engine());
        assert_eq!(insert(&db, "b", None).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_transaction_only() {
    for Fresh { db, .. } in fresh().await {
        let panics = write(&db, |conn| {
            Box::pin(async move {
                conn.execute("INSERT INTO things (id) VALUES ('half')", &[]).await?;
                panic!("on purpose");
            })
        });
        let result: Result<(), _> = panics.await;
        assert!(matches!(result, Err(DbError::Fault(_))), "{}", db.engine());
        insert(&db, "after", None).await.unwrap();
        assert_eq!(all(&db).await.len(), 1, "{}", db.engine());
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_no_open_transaction() {
    for Fresh { db, .. } in fresh().await {
        for round in 0..20 {
            let id = format!("gone-{round}");
            let given_up = insert(&db, &id, None);
            // Polled once, then dropped.
            tokio::select! { biased; _ = given_up => {}, () = std::future::ready(()) => {} }
        }
        insert(&db, "stays", None).await.unwrap();
        let rows = all(&db).await;
        assert!(rows.iter().any(|row| row.get::<String>("id").unwrap() == "stays"), "{}", db.engine());
    }
}

#[tokio::test]
async fn many_rows_are_one_step() {
    const INSERT: Many = Many {
        sqlite: "INSERT INTO things (id, number, text) VALUES ($1, $2, $3)",
        postgres: "INSERT INTO things (id, number, text) SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::text[])",
        columns: &[Column::Text, Column::Int, Column::Text],
    };
    for Fresh { db, .. } in fresh().await {
        let rows: Vec<_> =
            (0..1_003_i64) // in statements of 32 rows, of 8 and of one
                .map(|n| vec![format!("{n:04}").into(), n.into(), (n % 2 == 0).then_some("even").into()])
                .collect();
        let changed = write(&db, move |conn| Box::pin(async move { conn.many(&INSERT, rows).await })).await.unwrap();
        assert_eq!(changed, 1_003);
        let rows = all(&db).await;
        assert_eq!(rows.len(), 1_003);
        assert_eq!(rows[7].get::<Option<String>>("text").unwrap(), None);
        assert_eq!(rows[8].get::<Option<String>>("text").unwrap().as_deref(), Some("even"), "{}", db.engine());
        assert_eq!(rows[1_002].get::<i64>("number").unwrap(), 1_002);
        let again: Vec<_> = [2_000_i64, 2_001, 5]
            .into_iter()
            .cycle()
            .take(40)
            .map(|n| vec![format!("{n:04}").into(), n.into(), None::<&str>.into()])
            .collect();
        let failed = write(&db, move |conn| Box::pin(async move { conn.many(&INSERT, again).await })).await;
        assert!(matches!(failed, Err(DbError::Conflict(_))), "{}", db.engine());
        assert_eq!(all(&db).await.len(), 1_003, "nothing of it stays");
    }
}

#[tokio::test]
async fn what_nobody_waits_for_travels_along() {
    const INSERT: &str = "INSERT INTO things (id) VALUES ($1)";
    let along = |db: &Db, id: &'static str, ends: bool| {
        let db = db.clone();
        async move {
            let work = db.write_along(move |conn| {
                Box::pin(async move {
                    conn.execute(INSERT, &[id.into()]).await?;
                    if ends { Ok(()) } else { Err(DbError::Fault("no".to_owned())) }
                })
            });
            work.await
        }
    };
    for Fresh { db, .. } in fresh().await {
        along(&db, "alone", true).await.unwrap();
        let (done, failed, own) =
            tokio::join!(along(&db, "along", true), along(&db, "half", false), insert(&db, "own", None));
        assert!(done.is_ok() && matches!(failed, Err(DbError::Fault(_))) && own.is_ok());
        let ids: Vec<String> = all(&db).await.iter().map(|row| row.get("id").unwrap()).collect();
        assert_eq!(ids, ["alone", "along", "own"], "{}", db.engine());
    }
}

#[tokio::test]
async fn concurrent_counters_lose_nothing() {
    for Fresh { db, .. } in fresh().await {
        insert(&db, "counter", Some(0)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let db = db.clone();
            tasks.spawn(async move {
                let sql = "UPDATE things SET number = number + 1 WHERE id = 'counter' RETURNING number";
                write(&db, move |conn| Box::pin(async move { conn.query_one(sql, &[]).await?.get::<i64>("number") }))
                    .await
                    .unwrap()
            });
        }
        let mut seen = tasks.join_all().await;
        seen.sort_unstable();
        assert_eq!(seen, (1..=64).collect::<Vec<_>>(), "{}", db.engine());
    }
}

#[tokio::test]
async fn migrations_run_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    drop(Db::open(&url).await.unwrap());
    drop(Db::open(&url).await.unwrap());
    let newer = Db::open(&url).await.unwrap();
    let sql = "INSERT INTO migrations (name) VALUES ('9999_future')";
    write(&newer, move |conn| Box::pin(async move { conn.execute(sql, &[]).await })).await.unwrap();
    let error = Db::open(&url).await.err().unwrap().to_string();
    assert!(error.contains("newer version") && error.contains("9999_future"), "{error}");
}

#[tokio::test]
async fn wrong_urls_are_refused_with_a_sentence() {
    for url in ["", "mysql://x", "sqlite:", "sqlite::memory:", "sqlite:/no/such/folder/x.db"] {
        assert!(Db::open(url).await.is_err(), "{url}");
    }
}
