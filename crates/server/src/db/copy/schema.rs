//! What a database consists of: its tables, in an order in which they can be filled.

use std::collections::BTreeMap;

use super::super::{Conn, DbError, dialect::Twofold, migrate, nodes};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Bytes,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// Names and kinds, in the order of the names.
    pub(super) columns: Vec<(String, Kind)>,
    /// Which of the columns are the primary key, in its order.
    pub(super) key: Vec<usize>,
}

impl Table {
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.columns == other.columns
    }

    pub(super) fn quoted(&self) -> String {
        quoted(&self.name)
    }

    pub(super) fn quoted_columns(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| quoted(name)).collect()
    }

    pub(super) fn key_columns(&self) -> Vec<String> {
        self.key.iter().map(|index| quoted(&self.columns[*index].0)).collect()
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `key` is the place in the primary key, from 1, or 0. Parts of a partitioned table are no tables of their own.
const COLUMNS: Twofold = Twofold {
    sqlite: "SELECT m.name AS table_name, c.name AS name, c.type AS type, c.pk AS key \
             FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    postgres: "SELECT c.relname::text AS table_name, a.attname::text AS name, \
                 format_type(a.atttypid, NULL) AS type, COALESCE(array_position(k.conkey, a.attnum), 0)::bigint AS key \
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
               LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' \
               WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
};

const REFERENCES: Twofold = Twofold {
    sqlite: "SELECT DISTINCT m.name AS table_name, f.\"table\" AS referenced \
             FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
    postgres: "SELECT DISTINCT c.relname::text AS table_name, r.relname::text AS referenced FROM pg_constraint k \
               JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid \
               WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace AND NOT c.relispartition",
};

/// Tables that belong to the program and its processes, not to the data.
const NO_DATA: [&str; 2] = [migrate::TABLE, nodes::TABLE];

/// All tables with data; each stands behind those that it refers to.
pub(super) async fn tables(conn: &mut Conn) -> Result<Vec<Table>, DbError> {
    let mut found: BTreeMap<String, Vec<(String, Kind, i64)>> = BTreeMap::new();
    for row in conn.query(COLUMNS.of(conn), &[]).await? {
        let (table, name): (String, String) = (row.get("table_name")?, row.get("name")?);
        if NO_DATA.contains(&table.as_str()) {
            continue;
        }
        let declared: String = row.get("type")?;
        let kind = match declared.to_lowercase().as_str() {
            "integer" | "bigint" | "smallint" => Kind::Int,
            "text" => Kind::Text,
            "blob" | "bytea" => Kind::Bytes,
            _ => {
                return Err(DbError::Fault(format!("{table}.{name} is of the type {declared}, which can't be copied")));
            }
        };
        found.entry(table).or_default().push((name, kind, row.get("key")?));
    }
    let mut references = Vec::new();
    for row in conn.query(REFERENCES.of(conn), &[]).await? {
        references.push((row.get::<String>("table_name")?, row.get::<String>("referenced")?));
    }
    let mut waiting = found.into_iter().map(|(name, columns)| table(name, columns)).collect::<Result<Vec<_>, _>>()?;
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |table: &Table, waiting: &[Table]| {
            let mut others = references.iter().filter(|(from, to)| *from == table.name && *to != table.name);
            others.all(|(_, to)| waiting.iter().all(|other| other.name != *to))
        };
        let Some(index) = waiting.iter().position(|table| is_free(table, &waiting)) else {
            return Err(DbError::Fault("tables refer to each other in a circle".to_owned()));
        };
        ordered.push(waiting.remove(index));
    }
    Ok(ordered)
}

fn table(name: String, mut columns: Vec<(String, Kind, i64)>) -> Result<Table, DbError> {
    columns.sort_by(|a, b| a.0.cmp(&b.0));
    let mut key: Vec<(i64, usize)> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.2 > 0)
        .map(|(index, column)| (column.2, index))
        .collect();
    key.sort_unstable();
    if key.is_empty() {
        return Err(DbError::Fault(format!("the table {name} has no primary key, so it can't be copied")));
    }
    let columns = columns.into_iter().map(|(name, kind, _)| (name, kind)).collect();
    Ok(Table { name, columns, key: key.into_iter().map(|(_, index)| index).collect() })
}
