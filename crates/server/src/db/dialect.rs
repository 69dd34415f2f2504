//! The few statements that differ between the two engines.

use super::Conn;

/// The type of a column of a [`Many`] statement.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// BIGINT
    Int,
    /// TEXT
    Text,
    /// BYTEA or BLOB
    Bytes,
}

/// A statement that is run for each of many rows as one step.
///
/// On SQLite it is a prepared statement run once a row, inside the process: that costs about a microsecond and beats unpacking JSON.
/// One that inserts takes many rows at once, each `$n` being used once and in their order; `OR FAIL`, since what goes wrong rolls
/// all of the transaction back, and no copy has to be kept to roll back the statement alone.
/// On PostgreSQL each column travels as one array, and the statement unpacks them with `UNNEST($1::…, $2::…)`.
#[derive(Debug)]
pub struct Many {
    /// With `$1`, `$2`, … as the values of one row.
    pub sqlite: &'static str,
    /// With `$1`, `$2`, … as arrays.
    pub postgres: &'static str,
    /// The types of the arrays.
    pub columns: &'static [Column],
}

/// A statement, or a part of one, in two texts with the same parameters.
#[derive(Clone, Copy, Debug)]
pub struct Twofold {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

impl Twofold {
    /// The text for the engine of `conn`.
    pub fn of(self, conn: &Conn) -> &'static str {
        match conn {
            Conn::Sqlite(_) => self.sqlite,
            Conn::Postgres(_) => self.postgres,
        }
    }
}

/// Around a SELECT that finds the few rows of a large table that are to be written: it ends with a `LIMIT`.
///
/// PostgreSQL takes `IN` for a join, and of a limit that is a parameter it believes that a tenth of the table comes: then it reads all of
/// the table beside it. As an array the few are found first, once, and each is looked up.
pub const FOUND: [Twofold; 2] =
    [Twofold { sqlite: "IN (", postgres: "= ANY(ARRAY(" }, Twofold { sqlite: ")", postgres: "))" }];

/// Ends a SELECT from `deliveries d` whose rows are about to be written: those that another node is writing are passed over.
pub const SKIP_LOCKED: Twofold = Twofold { sqlite: "", postgres: " FOR UPDATE OF d SKIP LOCKED" };

/// Ends a SELECT whose row is about to be written: others who do the same wait. SQLite has one writer anyway.
pub const FOR_UPDATE: Twofold = Twofold { sqlite: "", postgres: " FOR UPDATE" };
