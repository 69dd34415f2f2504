//! Lists as files: CSV and JSON, read page by page and written as they are read, so that a long list needs no more memory
//! than a short one.
//!
//! A spreadsheet runs what begins like a formula. What strangers wrote may: in CSV such a cell begins with an apostrophe.

use std::fmt::Write;

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use bellwire_core::time::Timestamp;
use futures_util::{Stream, StreamExt, stream};
use http::header;
use serde::Serialize;

use crate::error::Error;

/// What a file is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
}

/// One row: as JSON it is itself, as CSV these cells.
pub(super) trait Row: Serialize + Send {
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];
    /// The cells, in the order of the columns.
    fn cells(&self) -> Vec<String>;
}

/// A file called `name` with all rows that `pages` brings. When a page can't be read, the file breaks off: the browser says so.
pub(super) fn respond<R: Row + 'static>(
    format: Format,
    name: &str,
    now: Timestamp,
    pages: impl Stream<Item = Result<Vec<R>, Error>> + Send + 'static,
) -> Response {
    let (content_type, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let day = now.to_string();
    let file = format!("attachment; filename=\"{name}-{}.{ending}\"", day.get(..10).unwrap_or_default());
    let mut begun = false;
    let body = pages.map(move |page| {
        let page = page.inspect_err(Error::log)?;
        let text = match format {
            Format::Csv => csv_page(&page),
            Format::Json => json_page(&page, begun)?,
        };
        begun |= !text.is_empty();
        Ok::<_, Error>(Bytes::from(text))
    });
    let (start, end) = match format {
        Format::Csv => (line(R::COLUMNS.iter().copied()), ""),
        Format::Json => ("[".to_owned(), "\n]\n"),
    };
    let body = stream::iter([Ok(Bytes::from(start))]).chain(body).chain(stream::iter([Ok(Bytes::from(end))]));
    ([(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, file)], Body::from_stream(body))
        .into_response()
}

fn csv_page<R: Row>(rows: &[R]) -> String {
    rows.iter().map(|row| line(row.cells().iter().map(String::as_str))).collect()
}

fn json_page<R: Row>(rows: &[R], begun: bool) -> Result<String, Error> {
    let mut text = String::new();
    for row in rows {
        let comma = if begun || !text.is_empty() { "," } else { "" };
        let _ = write!(text, "{comma}\n{}", serde_json::to_string(row)?);
    }
    Ok(text)
}

/// One line of CSV (RFC 4180).
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing(&'static str, i32);

    impl Row for Thing {
        const COLUMNS: &'static [&'static str] = &["text", "number"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_string()]
        }
    }

    async fn file(format: Format, pages: Vec<Vec<Thing>>) -> String {
        let pages = stream::iter(pages.into_iter().map(Ok));
        let response = respond(format, "things", Timestamp::from_micros(0), pages);
        let named = response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert!(named.starts_with("attachment; filename=\"things-1970-01-01."), "{named}");
        let body = axum::body::to_bytes(response.into_body(), 4_096).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn pages_become_one_file() {
        let pages = || vec![vec![Thing("a", 1), Thing("b,\"c\"", 2)], vec![], vec![Thing("d\ne", 3)]];
        assert_eq!(file(Format::Csv, pages()).await, "text,number\r\na,1\r\n\"b,\"\"c\"\"\",2\r\n\"d\ne\",3\r\n");
        let json: serde_json::Value = serde_json::from_str(&file(Format::Json, pages()).await).unwrap();
        assert_eq!(json, serde_json::json!([["a", 1], ["b,\"c\"", 2], ["d\ne", 3]]));
        assert_eq!(file(Format::Json, vec![]).await, "[\n]\n");
    }

    #[test]
    fn a_formula_is_only_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert!(cell(formula).trim_start_matches('"').starts_with('\''), "{formula:?}");
        }
        assert_eq!(cell("a=1"), "a=1");
        assert_eq!(cell("=a,b"), "\"'=a,b\"");
    }
}
