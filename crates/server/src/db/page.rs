//! Pages of lists: sorted by the database, with the id as tie-break, and read in two ways.
//!
//! Programs follow cursors: a cursor says after which row the next page begins, by that row's sort value and id (keyset). It
//! stays right while rows come and go, and costs the same on the first page and on the last. People turn numbered pages: an
//! offset. Both go through [`list`], so they can't sort differently.
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
    /// The cursor of the next page; null on the last one.
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

    fn write<S: Sort>(sort: S, descending: bool, key: &Key, id: &str) -> Result<String, DbError> {
        let json = serde_json::to_vec(&(sort.name(), descending, key, id));
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

    /// Adds a condition without a value.
    pub fn and_always(&mut self, condition: &str) {
        let and = if self.sql.is_empty() { "" } else { " AND " };
        self.sql = format!("{}{and}({condition})", self.sql);
    }
}

/// What a list reads. `columns` and `from` are SQL; `from` may have joins.
#[derive(Clone, Debug)]
pub struct Listing {
    /// `w.id AS id, w.url AS url`
    pub columns: String,
    /// `webhooks w`
    pub from: &'static str,
    /// Which rows.
    pub filter: Filter,
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
    let (sql, values) = statement(listing, request);
    let rows = conn.query(&sql, &values).await?;
    let shown = &rows[..rows.len().min(request.limit as usize)];
    let next = match shown.last() {
        Some(last) if rows.len() > shown.len() => {
            let key = match last.get::<i64>("page_key") {
                Ok(number) => Key::Int(number),
                Err(_) => Key::Text(last.get("page_key")?),
            };
            Some(Cursor::write(request.sort, request.descending, &key, &last.get::<String>("page_id")?)?)
        }
        _ => None,
    };
    Ok(Page { data: shown.iter().map(read).collect::<Result<_, _>>()?, next })
}

/// The statement that reads a page, and one row more.
pub(super) fn statement<S: Sort>(listing: Listing, request: &PageRequest<S>) -> (String, Vec<Value>) {
    let (key, id) = (request.sort.column(), request.sort.id());
    let (order, beyond) = if request.descending { ("DESC", "<") } else { ("ASC", ">") };
    let Listing { columns, from, mut filter } = listing;
    let mut offset = String::new();
    match &request.position {
        Position::After(cursor) => {
            filter.values.push(cursor.id.clone().into());
            let number = filter.values.len();
            let value = match &cursor.key {
                Key::Int(it) => Value::Int(*it),
                Key::Text(it) => Value::Text(it.clone()),
            };
            filter.and(&format!("({key}, {id}) {beyond} ($?, ${number})"), value);
        }
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
    let total: i64 = conn.query_one(&count_statement(listing), &listing.filter.values).await?.get("total")?;
    Ok(total.unsigned_abs())
}

pub(super) fn count_statement(listing: &Listing) -> String {
    let (from, conditions, most) = (listing.from, &listing.filter.sql, COUNTED + 1);
    format!("SELECT COUNT(*) AS total FROM (SELECT 1 AS one FROM {from} WHERE {conditions} LIMIT {most}) AS counted")
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

/// The pattern of `LOWER(x) LIKE $1 ESCAPE '\'` that finds `text` anywhere, whatever its case. Control characters, which no
/// list has and PostgreSQL refuses, are dropped.
pub fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.to_lowercase().chars().filter(|character| !character.is_control()) {
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
        let text = Cursor::write(ByName, true, &Key::Text("a'b".to_owned()), "wh_1").unwrap();
        let request = PageRequest::new(None, Some(&text), ByName, true).unwrap();
        let Position::After(cursor) = request.position else { panic!("a cursor was given") };
        assert_eq!(cursor, Cursor { key: Key::Text("a'b".to_owned()), id: "wh_1".to_owned() });
        let number = Cursor::write(ByName, true, &Key::Int(7), "wh_1").unwrap();
        let nul = Cursor::write(ByName, true, &Key::Text("\0".to_owned()), "wh_1").unwrap();
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
