//! Brings the tables up to date. A migration is a file for each engine, embedded, run once; all that are missing run in one
//! transaction.

use super::{Conn, Db, DbError, dialect::Twofold, postgres};

struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        [$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

const MIGRATIONS: &[Migration] = &migrations![
    "0001_main",
    "0002_groups",
    "0003_ownership_offers",
    "0004_license",
    "0005_event_origins",
    "0006_lists",
    "0007_without_rowid",
    "0008_engine",
    "0009_replays",
    "0010_webhook_search",
    "0011_previous_owners",
    "0012_master_key",
    "0013_nodes",
    "0016_tuning",
    "0019_deliveries_beside",
    "0022_webhook_counts",
];

/// The table of the migrations that were run. It belongs to the program that made it, not to the data.
pub(super) const TABLE: &str = "migrations";

/// Any number that no other program uses for the same database: serialises nodes that start at once.
pub(super) const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(7310584037254421)";

const EXISTS: Twofold = Twofold {
    sqlite: "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1",
    postgres: "SELECT to_regclass($1)::text AS name",
};

/// How often the migrations are begun anew that PostgreSQL ended because they and another transaction waited for each other.
const DEADLOCKS: usize = 10;

/// Runs what is missing. Returns the names of what was run.
///
/// Nodes of the version before may be at work: whoever changes several of their tables in one transaction can meet them halfway.
pub(super) async fn run(db: &Db) -> Result<Vec<&'static str>, DbError> {
    for _ in 0..DEADLOCKS {
        match db.write(|conn| Box::pin(async move { apply(conn).await })).await {
            Err(error) if postgres::is_deadlock(&error) => {}
            result => return result,
        }
    }
    Err(DbError::Unavailable("the tables are in use all the time: stop the other nodes, or try again".to_owned()))
}

async fn apply(conn: &mut Conn) -> Result<Vec<&'static str>, DbError> {
    if matches!(conn, Conn::Postgres(_)) {
        conn.script(ADVISORY_LOCK).await?;
    }
    conn.script("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)").await?;
    let missing = missing(conn).await?;
    for migration in MIGRATIONS.iter().filter(|migration| missing.contains(&migration.name)) {
        let sql = if matches!(conn, Conn::Sqlite(_)) { migration.sqlite } else { migration.postgres };
        conn.script(sql).await?;
        conn.execute("INSERT INTO migrations (name) VALUES ($1)", &[migration.name.into()]).await?;
    }
    Ok(missing)
}

/// The migrations that the database still lacks, in their order.
pub(super) async fn missing(conn: &mut Conn) -> Result<Vec<&'static str>, DbError> {
    let exists = conn.query_opt(EXISTS.of(conn), &[TABLE.into()]).await?;
    let exists = exists.map(|row| row.get::<Option<String>>("name")).transpose()?.flatten().is_some();
    let done = if exists { conn.query("SELECT name FROM migrations", &[]).await? } else { Vec::new() };
    let done = done.iter().map(|row| row.get::<String>("name")).collect::<Result<Vec<_>, _>>()?;
    if let Some(unknown) = done.iter().find(|name| MIGRATIONS.iter().all(|migration| migration.name != **name)) {
        return Err(DbError::Fault(format!(
            "the database was made by a newer version of bellwire (it has the migration {unknown}): run that version, or restore \
             a backup from before the upgrade"
        )));
    }
    Ok(MIGRATIONS.iter().map(|migration| migration.name).filter(|name| !done.iter().any(|done| done == name)).collect())
}
