//! The few statements that differ between the two engines.

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
