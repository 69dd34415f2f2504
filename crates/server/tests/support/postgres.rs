//! A PostgreSQL database for one test.
//!
//! The cluster is the one that `scripts/test` starts and names in `BELLWIRE_TEST_POSTGRES_URL`. Without it a test fails,
//! so that nobody takes silence for success; `BELLWIRE_TEST_SKIP_POSTGRES=1` says that leaving those tests out is meant.

use std::{
    env, process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use tokio::runtime;
use tokio_postgres::NoTls;
use url::Url;

/// An empty database, dropped with this value, whoever is still connected to it.
pub(crate) struct FreshDatabase {
    /// Of the new database: `postgres://…/bellwire_test_1234_0`.
    url: String,
    name: String,
    /// Of the database that the cluster always has: one cannot drop the database that one is connected to.
    cluster: String,
}

/// Makes an empty database.
///
/// `None`, after saying so, when `BELLWIRE_TEST_SKIP_POSTGRES=1`: then the test has nothing to do.
///
/// # Panics
///
/// When no cluster is named, and when the database cannot be made.
pub(crate) async fn fresh_database() -> Option<FreshDatabase> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);

    if env::var_os("BELLWIRE_TEST_SKIP_POSTGRES").is_some_and(|value| value == "1") {
        eprintln!("skipped: BELLWIRE_TEST_SKIP_POSTGRES=1");
        return None;
    }
    let cluster = env::var("BELLWIRE_TEST_POSTGRES_URL").expect("run scripts/test, which starts PostgreSQL");
    // Tests run in many processes and in many threads. What a killed one has left behind goes when its number comes again.
    let name = format!("bellwire_test_{}_{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let mut url = Url::parse(&cluster).expect("BELLWIRE_TEST_POSTGRES_URL is a URL");
    url.set_path(&name);

    execute(&cluster, &[&drop_statement(&name), &format!("CREATE DATABASE {name}")])
        .await
        .unwrap_or_else(|error| panic!("{cluster}: {error:?}"));
    Some(FreshDatabase { url: url.into(), name, cluster })
}

impl FreshDatabase {
    /// As `BELLWIRE_DATABASE_URL` takes it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let (cluster, statement) = (self.cluster.clone(), drop_statement(&self.name));
        // A runtime of its own: the test's may be the one that this thread is running.
        let dropped = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
            runtime.block_on(execute(&cluster, &[&statement]))
        })
        .join();
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("the database {} is left behind: {dropped:?}", self.name);
        }
    }
}

fn drop_statement(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

/// One after the other, each in a transaction of its own: databases are not made and dropped within one.
async fn execute(url: &str, statements: &[&str]) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    for statement in statements {
        client.batch_execute(statement).await?;
    }
    drop(client);
    connection.await.expect("the connection does not panic")
}
