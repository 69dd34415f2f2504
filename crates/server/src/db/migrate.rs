//! Brings the tables up to date at start. A migration is a file for each engine, embedded, run once, in one transaction.

use super::{Conn, Db, DbError};

struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),*) => {
        [$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

const MIGRATIONS: &[Migration] =
    &migrations!["0001_main", "0002_groups", "0003_ownership_offers", "0004_license", "0007_without_rowid"];

/// Any number that no other program uses for the same database: serialises nodes that start at once.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(7310584037254421)";

pub(super) async fn run(db: &Db) -> Result<(), DbError> {
    db.write(|conn| Box::pin(async move { apply(conn).await })).await
}

async fn apply(conn: &mut Conn) -> Result<(), DbError> {
    if matches!(conn, Conn::Postgres(_)) {
        conn.script(ADVISORY_LOCK).await?;
    }
    conn.script("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)").await?;
    let done = conn.query("SELECT name FROM migrations", &[]).await?;
    let done = done.iter().map(|row| row.get::<String>("name")).collect::<Result<Vec<_>, _>>()?;
    if let Some(unknown) = done.iter().find(|name| MIGRATIONS.iter().all(|migration| migration.name != **name)) {
        return Err(DbError::Fault(format!(
            "the database was made by a newer version (it has the migration {unknown})"
        )));
    }
    for migration in MIGRATIONS.iter().filter(|migration| !done.iter().any(|name| name == migration.name)) {
        let sql = if matches!(conn, Conn::Sqlite(_)) { migration.sqlite } else { migration.postgres };
        conn.script(sql).await?;
        conn.execute("INSERT INTO migrations (name) VALUES ($1)", &[migration.name.into()]).await?;
    }
    Ok(())
}
