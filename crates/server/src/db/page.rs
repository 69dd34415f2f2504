//! Pages of lists: sorted by the database, with the id as tie-break, and read in two ways.
//!
//! Programs follow cursors: a cursor says after which row the next page begins, by that row's sort value and id (keyset). It
//! stays right while rows come and go, and costs the same on the first page and on the last. People turn numbered pages: an
//! offset. Both go through [`list`], so they can't sort differently.
//!
//! Some lists are filtered by what no index knows, and may have millions of rows: the feed by type, deliveries by state. Such a
//! condition is a [`Sieve`]: a page looks at [`LOOKED_AT`] rows at the most, and when it has not found enough among them its
//! `next` goes on behind the last one that it looked at. So a page may have few rows, or none, and not be the last.
//!
//! What always holds: following `next` from the first page to the end shows every row that was there all the time exactly
//! once; a cursor is refused when it belongs to another order than the one that is asked for.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{Conn, DbError, Row, Value};
use crate::error::Error;

/// The order of a list: a column that the database can sort by, and the row's id.
pub trait Sort: Copy + Send + Sync + 'static {
    /// The stable name: `created_at`. A cursor carries it.
    fn name(self) -> &'static str;
    /// The SQL of the sort value, which is never null: `w.created_at`.
    fn column(self) -> &'static str;
    /// Whether the sort value is a number (or a time) rather than text.
    fn is_number(self) -> bool;
    /// The SQL of the tie-break: `w.id`.
    fn id(self) -> &'static str;
}

/// Which part of a list is asked for, in which order.
#[derive(Clone, Debug)]
pub struct PageRequest<S> {
    /// How many rows at the most: 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// Where the page begins.
    pub position: Position,
    /// By what.
    pub sort: S,
    /// Whether the largest value comes first.
    pub descending: bool,
}

/// Where a page begins.
#[derive(Clone, Debug)]
pub enum Position {
    /// Behind a row.
    After(Cursor),
    /// Behind so many rows; 0 is the beginning.
    Offset(u64),
}

/// The most rows of a page.
pub const MAX_LIMIT: u32 = 200;
/// The rows of a page when nobody says how many.
pub const DEFAULT_LIMIT: u32 = 50;

impl<S: Sort> PageRequest<S> {
    /// From what an HTTP request says. Without a cursor it is the first page.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `limit` and `cursor`.
    pub fn new(limit: Option<u32>, cursor: Option<&str>, sort: S, descending: bool) -> Result<Self, Error> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be from 1 to {MAX_LIMIT}")));
        }
        let position = match cursor {
            None => Position::Offset(0),
            Some(text) => Position::After(Cursor::parse(text, sort, descending)?),
        };
        Ok(Self { limit, position, sort, descending })
    }

    /// The page that begins at the cursor of a page like this.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is the cursor of another list.
    pub fn following(&self, cursor: &str) -> Result<Self, Error> {
        let position = Position::After(Cursor::parse(cursor, self.sort, self.descending)?);
        Ok(Self { position, ..self.clone() })
    }

    /// The page of this number, as people turn them: 1, 2, 3, …; `limit` is brought into its range.
    pub fn numbered(number: u64, limit: u32, sort: S, descending: bool) -> Self {
        let limit = limit.clamp(1, MAX_LIMIT);
        let offset = number.saturating_sub(1).saturating_mul(u64::from(limit)).min(i64::MAX.unsigned_abs());
        Self { limit, position: Position::Offset(offset), sort, descending }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// The cursor of the next page; null on the last one. A filtered page may have few rows, or none, and still have a next one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page of something else.
    ///
    /// # Errors
    /// The first that `change` returns.
    pub fn try_map<U, E>(self, change: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page { data: self.data.into_iter().map(change).collect::<Result<_, _>>()?, next: self.next })
    }
}

/// The place behind a row. Opaque outside: base64url of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    key: Key,
    id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Int(i64),
    Text(String),
}

impl Cursor {
    /// Longer than any that is given out: a URL of 2,048 characters is the longest sort value.
    const MAX_LENGTH: usize = 4096;

    fn parse<S: Sort>(text: &str, sort: S, descending: bool) -> Result<Self, Error> {
        let wrong = || Error::invalid("cursor", "this is not a cursor that a list has given you");
        if text.len() > Self::MAX_LENGTH {
            return Err(wrong());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (name, order, key, id): (String, bool, Key, String) =
            serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        if name != sort.name() || order != descending {
            return Err(Error::invalid("cursor", "this cursor belongs to another order: begin again without it"));
        }
        // Only somebody who makes up cursors gets here: the database would refuse such values as a fault of ours.
        let fits = matches!(&key, Key::Int(_)) == sort.is_number() && !id.contains('\0');
        if !fits || matches!(&key, Key::Text(text) if text.contains('\0')) {
            return Err(wrong());
        }
        Ok(Self { key, id })
    }

    fn write<S: Sort>(&self, sort: S, descending: bool) -> Result<String, DbError> {
        let json = serde_json::to_vec(&(sort.name(), descending, &self.key, &self.id));
        json.map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|error| DbError::Fault(error.to_string()))
    }
}

/// The conditions of a list and their values.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    /// Adds a condition, in which `$?` stands for `value`.
    pub fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let number = format!("${}", self.values.len());
        self.and_always(&condition.replace("$?", &number));
    }

    /// Adds the condition that a column has this value, so that the index of the list's order is walked all the same: an index of
    /// the column would find the rows faster, and leave them all to be sorted.
    pub fn and_walking(&mut self, column: &str, value: impl Into<Value>) {
        self.and(&format!("COALESCE({column}, '') = $?"), value);
    }

    /// Adds the condition that rows are behind or before a place.
    fn and_beyond<S: Sort>(&mut self, request: &PageRequest<S>, comparison: &str, place: &Cursor) {
        let (key, id) = (request.sort.column(), request.sort.id());
        self.values.push(place.id.clone().into());
        let number = self.values.len();
        let value = match &place.key {
            Key::Int(it) => Value::Int(*it),
            Key::Text(it) => Value::Text(it.clone()),
        };
        self.and(&format!("({key}, {id}) {comparison} ($?, ${number})"), value);
    }

    /// Adds a condition without a value.
    pub fn and_always(&mut self, condition: &str) {
        let and = if self.sql.is_empty() { "" } else { " AND " };
        self.sql = format!("{}{and}({condition})", self.sql);
    }
}

/// Conditions that every row must be looked at for.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// What is walked, without joins: `events e`.
    from: &'static str,
    conditions: Vec<(String, Option<Value>)>,
}

impl Sieve {
    /// Lets everything through. `from` is what a list walks, without joins.
    pub fn new(from: &'static str) -> Self {
        Self { from, conditions: Vec::new() }
    }

    /// Adds a condition, in which `$?` stands for `value`.
    pub fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.conditions.push((condition.to_owned(), Some(value.into())));
    }

    /// Adds a condition without a value.
    pub fn and_always(&mut self, condition: &str) {
        self.conditions.push((condition.to_owned(), None));
    }
}

/// What a list reads. `columns` and `from` are SQL; `from` may have joins.
#[derive(Clone, Debug)]
pub struct Listing {
    /// `w.id AS id, w.url AS url`
    columns: String,
    /// `webhooks w`
    from: &'static str,
    /// Which rows, as far as an index knows.
    filter: Filter,
    /// Which of those, when the others may be many.
    sieve: Option<Sieve>,
}

impl Listing {
    /// A list of all rows that `filter` finds.
    pub fn new(columns: impl Into<String>, from: &'static str, filter: Filter) -> Self {
        Self { columns: columns.into(), from, filter, sieve: None }
    }

    /// The same list, of which only what the sieve lets through is shown.
    pub fn sifted(self, sieve: Sieve) -> Self {
        Self { sieve: Some(sieve).filter(|sieve| !sieve.conditions.is_empty()), ..self }
    }

    /// All conditions, the sieve's too.
    pub fn whole(self) -> Filter {
        let mut filter = self.filter;
        for (condition, value) in self.sieve.into_iter().flat_map(|sieve| sieve.conditions) {
            match value {
                Some(value) => filter.and(&condition, value),
                None => filter.and_always(&condition),
            }
        }
        filter
    }
}

/// Reads one page.
///
/// # Errors
/// See [`DbError`], and what `read` returns.
pub async fn list<T, S: Sort>(
    conn: &mut Conn,
    listing: Listing,
    request: &PageRequest<S>,
    read: impl Fn(&Row) -> Result<T, DbError> + Send,
) -> Result<Page<T>, DbError> {
    let edge = match edge_statement(&listing, request) {
        Some((sql, values)) => conn.query_opt(&sql, &values).await?.as_ref().map(cursor).transpose()?,
        None => None,
    };
    let (sql, values) = statement(listing, request, edge.as_ref());
    let rows = conn.query(&sql, &values).await?;
    let shown = &rows[..rows.len().min(request.limit as usize)];
    let next = match shown.last() {
        Some(last) if rows.len() > shown.len() => Some(cursor(last)?),
        _ => edge,
    };
    let next = next.map(|next| next.write(request.sort, request.descending)).transpose()?;
    Ok(Page { data: shown.iter().map(read).collect::<Result<_, _>>()?, next })
}

/// The place of a row that a page or its edge has read.
fn cursor(row: &Row) -> Result<Cursor, DbError> {
    let key = match row.get::<i64>("page_key") {
        Ok(number) => Key::Int(number),
        Err(_) => Key::Text(row.get("page_key")?),
    };
    Ok(Cursor { key, id: row.get("page_id")? })
}

/// Rows that one page of a sifted list looks at, at the most.
pub const LOOKED_AT: i64 = 20_000;

/// The statement that finds the last row that a page of a sifted list looks at; no row when the list ends before. Nothing for
/// other lists, and for those that are turned by number.
pub(super) fn edge_statement<S: Sort>(listing: &Listing, request: &PageRequest<S>) -> Option<(String, Vec<Value>)> {
    let sieve = listing.sieve.as_ref()?;
    let mut filter = listing.filter.clone();
    match &request.position {
        Position::After(cursor) => filter.and_beyond(request, if request.descending { "<" } else { ">" }, cursor),
        Position::Offset(0) => {}
        Position::Offset(_) => return None,
    }
    let (key, id, from) = (request.sort.column(), request.sort.id(), sieve.from);
    let order = if request.descending { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT {key} AS page_key, {id} AS page_id FROM {from} WHERE {} ORDER BY {key} {order}, {id} {order} \
         LIMIT 1 OFFSET {}",
        filter.sql,
        LOOKED_AT - 1,
    );
    Some((sql, filter.values))
}

/// The statement that reads a page, and one row more, but no row behind `edge`.
pub(super) fn statement<S: Sort>(
    listing: Listing,
    request: &PageRequest<S>,
    edge: Option<&Cursor>,
) -> (String, Vec<Value>) {
    let (key, id) = (request.sort.column(), request.sort.id());
    let (order, beyond, within) = if request.descending { ("DESC", "<", ">=") } else { ("ASC", ">", "<=") };
    let (columns, from) = (listing.columns.clone(), listing.from);
    let mut filter = listing.whole();
    if let Some(edge) = edge {
        filter.and_beyond(request, within, edge);
    }
    let mut offset = String::new();
    match &request.position {
        Position::After(cursor) => filter.and_beyond(request, beyond, cursor),
        Position::Offset(0) => {}
        Position::Offset(rows) => {
            filter.values.push(i64::try_from(*rows).unwrap_or(i64::MAX).into());
            offset = format!(" OFFSET ${}", filter.values.len());
        }
    }
    filter.values.push(i64::from(request.limit).saturating_add(1).into());
    let sql = format!(
        "SELECT {columns}, {key} AS page_key, {id} AS page_id FROM {from} WHERE {} \
         ORDER BY {key} {order}, {id} {order} LIMIT ${}{offset}",
        filter.sql,
        filter.values.len(),
    );
    (sql, filter.values)
}

/// Rows that are counted at the most: nobody is helped by more, and counting takes longer the more there are.
pub const COUNTED: u64 = 10_000;

/// How many rows a list has on all its pages. When there are more than [`COUNTED`], it is some number above.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, listing: &Listing) -> Result<u64, DbError> {
    let (sql, values) = count_statement(listing.clone());
    let total: i64 = conn.query_one(&sql, &values).await?.get("total")?;
    Ok(total.unsigned_abs())
}

pub(super) fn count_statement(listing: Listing) -> (String, Vec<Value>) {
    let from = listing.from;
    let Filter { sql: conditions, values } = listing.whole();
    let most = COUNTED + 1;
    let sql = format!(
        "SELECT COUNT(*) AS total FROM (SELECT 1 AS one FROM {from} WHERE {conditions} LIMIT {most}) AS counted"
    );
    (sql, values)
}

/// How many rows a filter finds; counts no further than `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn count_up_to(conn: &mut Conn, from: &str, mut filter: Filter, limit: u32) -> Result<u32, DbError> {
    filter.values.push(limit.into());
    let (conditions, last) = (&filter.sql, filter.values.len());
    let sql = format!(
        "SELECT COUNT(*) AS total FROM (SELECT 1 AS one FROM {from} WHERE {conditions} LIMIT ${last}) AS counted"
    );
    conn.query_one(&sql, &filter.values).await?.get("total")
}

/// Characters of a search: no column that is searched is longer.
const LONGEST: usize = 4_096;

/// The pattern of `LOWER(x) LIKE $1 ESCAPE '\'` that finds `text` anywhere, whatever its case. Control characters, which no
/// list has and PostgreSQL refuses, are dropped, and so is what comes after more characters than any list has in one place: SQLite
/// refuses patterns of more than 50,000 bytes.
pub fn containing(text: &str) -> String {
    let mut pattern = String::new();
    pattern.push('%');
    for character in text.to_lowercase().chars().filter(|character| !character.is_control()).take(LONGEST) {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    struct ByName;

    impl Sort for ByName {
        fn name(self) -> &'static str {
            "name"
        }

        fn column(self) -> &'static str {
            "x.name"
        }

        fn is_number(self) -> bool {
            false
        }

        fn id(self) -> &'static str {
            "x.id"
        }
    }

    #[test]
    fn cursors_are_refused_unless_they_belong_to_the_order() {
        let write = |key| Cursor { key, id: "wh_1".to_owned() }.write(ByName, true).unwrap();
        let text = write(Key::Text("a'b".to_owned()));
        let request = PageRequest::new(None, Some(&text), ByName, true).unwrap();
        let Position::After(cursor) = request.position else { panic!("a cursor was given") };
        assert_eq!(cursor, Cursor { key: Key::Text("a'b".to_owned()), id: "wh_1".to_owned() });
        let number = write(Key::Int(7));
        let nul = write(Key::Text("\0".to_owned()));
        for (bad, descending) in
            [(text.as_str(), false), ("", true), ("!", true), ("bnVsbA", true), (&number, true), (&nul, true)]
        {
            let error = PageRequest::new(None, Some(bad), ByName, descending).unwrap_err();
            assert!(matches!(&error, Error::Invalid(fields) if fields[0].field == "cursor"), "{bad}: {error}");
        }
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(PageRequest::new(None, None, ByName, false).unwrap().limit, 50);
        assert_eq!(PageRequest::new(Some(200), None, ByName, false).unwrap().limit, 200);
        for bad in [0, 201, u32::MAX] {
            assert!(PageRequest::new(Some(bad), None, ByName, false).is_err());
        }
        let request = PageRequest::numbered(u64::MAX, 50, ByName, false);
        assert!(matches!(request.position, Position::Offset(rows) if i64::try_from(rows).is_ok()));
        assert!(matches!(PageRequest::numbered(3, 50, ByName, false).position, Position::Offset(100)));
    }

    #[test]
    fn patterns_match_literally() {
        assert_eq!(containing("50%_A\\"), "%50\\%\\_a\\\\%");
    }
}
