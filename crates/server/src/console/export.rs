//! Lists as files: CSV for spreadsheets, JSON as the API answers.
//!
//! Bounded: the first [`MOST`] rows of a list, read a page at a time. A spreadsheet takes a cell that begins like a formula for
//! one, and much of what is exported was written by strangers: such cells get an apostrophe in front, which spreadsheets hide.

use axum::response::IntoResponse;
use http::header;
use serde::Serialize;

use super::reply::Answer;
use crate::{db::page::Page, error::Error};

/// The most rows of a file.
pub(super) const MOST: usize = 10_000;
/// Rows that are read at a time.
pub(super) const STEP: u32 = 500;

/// The rows of a list, a page after the other.
#[derive(Debug, Serialize)]
pub(super) struct Rows<T> {
    pub(super) data: Vec<T>,
    /// Where the list goes on, when it has more than [`MOST`] rows.
    next: Option<String>,
}

impl<T> Rows<T> {
    pub(super) fn new() -> Self {
        Self { data: Vec::new(), next: None }
    }

    /// Adds a page. Where the next one begins, if it is to be read.
    pub(super) fn add(&mut self, page: Page<T>) -> Option<String> {
        self.data.extend(page.data);
        self.next = page.next;
        if self.data.len() < MOST { self.next.clone() } else { None }
    }
}

/// A JSON file: `{"data": […], "next": cursor or null}`.
///
/// # Errors
/// When a row can't be JSON.
pub(super) fn json(name: &str, rows: &Rows<impl Serialize>) -> Answer {
    let text = serde_json::to_string_pretty(rows).map_err(Error::from)?;
    Ok(file(name, "json", "application/json", text).into_response())
}

/// A CSV file (RFC 4180) in UTF-8, with the names of its columns in the first row.
pub(super) fn csv<const N: usize>(
    name: &str,
    columns: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> axum::response::Response {
    let mut text = String::new();
    write_row(&mut text, columns.into_iter());
    for row in rows {
        write_row(&mut text, row.iter().map(String::as_str));
    }
    file(name, "csv", "text/csv; charset=utf-8", text).into_response()
}

/// A value, or nothing.
pub(super) fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn write_row<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if cell.contains([',', '"', '\n', '\r']) {
            text.extend(["\"", guard, &cell.replace('"', "\"\""), "\""]);
        } else {
            text.extend([guard, cell]);
        }
    }
    text.push_str("\r\n");
}

fn file(name: &str, ending: &str, kind: &'static str, text: String) -> impl IntoResponse {
    // Names are made of our own words and ids.
    let disposition = format!("attachment; filename=\"{name}.{ending}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> String {
        let mut text = String::new();
        write_row(&mut text, cells.iter().copied());
        text
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(row(&["a", "", "b c"]), "a,,b c\r\n");
        assert_eq!(row(&["a,b", "say \"no\"", "two\nlines"]), "\"a,b\",\"say \"\"no\"\"\",\"two\nlines\"\r\n");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert!(row(&[cell]).starts_with('\''), "{cell:?}");
        }
        assert_eq!(
            row(&["=HYPERLINK(\"https://evil.test\",\"x\")"]),
            "\"'=HYPERLINK(\"\"https://evil.test\"\",\"\"x\"\")\"\r\n"
        );
        assert_eq!(row(&["a=1", "2026-11-23"]), "a=1,2026-11-23\r\n");
    }
}
