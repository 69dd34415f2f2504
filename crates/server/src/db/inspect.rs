//! What an operator has to know of the database itself: which one it is, how it is set, what time it has.

use bellwire_core::time::Timestamp;

use super::{Conn, DbError, dialect::Twofold};

/// A database server, or library, and its settings that matter here.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// "SQLite 3.51.0", "PostgreSQL 17.2"
    pub version: String,
    /// Names and values.
    pub settings: Vec<(String, String)>,
}

impl Engine {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

const VERSION: Twofold = Twofold {
    sqlite: "SELECT 'SQLite ' || sqlite_version() AS version",
    postgres: "SELECT 'PostgreSQL ' || current_setting('server_version') AS version",
};

const SETTINGS: Twofold = Twofold {
    sqlite: "SELECT 'journal_mode' AS name, journal_mode AS value FROM pragma_journal_mode()",
    postgres: "SELECT name::text AS name, setting::text AS value FROM pg_settings \
               WHERE name IN ('autovacuum', 'fsync', 'full_page_writes', 'max_connections', 'server_encoding', \
                 'server_version_num', 'synchronous_commit', 'transaction_read_only') \
               UNION ALL SELECT 'connections', COUNT(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend'",
};

/// Asks the engine about itself.
///
/// # Errors
/// See [`DbError`].
pub async fn engine(conn: &mut Conn) -> Result<Engine, DbError> {
    let version = conn.query_one(VERSION.of(conn), &[]).await?.get("version")?;
    let rows = conn.query(SETTINGS.of(conn), &[]).await?;
    let settings = rows.iter().map(|row| Ok((row.get("name")?, row.get("value")?))).collect::<Result<_, DbError>>()?;
    Ok(Engine { version, settings })
}

/// The time of the database's machine; `None` on SQLite, whose machine is ours.
///
/// # Errors
/// See [`DbError`].
pub async fn time(conn: &mut Conn) -> Result<Option<Timestamp>, DbError> {
    if matches!(conn, Conn::Sqlite(_)) {
        return Ok(None);
    }
    let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint AS now";
    conn.query_one(sql, &[]).await?.get("now").map(Some)
}

/// When the newest event was written.
///
/// # Errors
/// See [`DbError`].
pub async fn newest_event(conn: &mut Conn) -> Result<Option<Timestamp>, DbError> {
    // Ids begin with the time.
    let sql = "SELECT created_at FROM events ORDER BY id DESC LIMIT 1";
    conn.query_opt(sql, &[]).await?.map(|row| row.get("created_at")).transpose()
}

/// Reads every page of a SQLite file and says what is wrong; "ok" when nothing is. PostgreSQL has its own tools.
///
/// # Errors
/// See [`DbError`].
pub async fn integrity(conn: &mut Conn) -> Result<Option<String>, DbError> {
    if matches!(conn, Conn::Postgres(_)) {
        return Ok(None);
    }
    let sql = "SELECT integrity_check AS found FROM pragma_integrity_check() LIMIT 1";
    conn.query_one(sql, &[]).await?.get("found").map(Some)
}
