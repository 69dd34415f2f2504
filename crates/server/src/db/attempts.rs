//! Attempts: one HTTP exchange each, written in batches and never changed.

use bellwire_core::{delivery::Reason, id::DeliveryId, time::Timestamp};
use serde::Serialize;

use super::{
    Conn, DbError,
    dialect::{
        Column::{Bytes, Int, Text},
        Many,
    },
};

/// An attempt that is about to be written.
#[derive(Clone, Debug)]
pub struct NewAttempt {
    /// For which delivery.
    pub delivery: DeliveryId,
    /// 1, 2, 3, …
    pub number: u32,
    /// Why it was made.
    pub reason: Reason,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration: i64,
    /// What came of it.
    pub result: AttemptResult,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum AttemptResult {
    /// An answer.
    Answered {
        /// Its status.
        status: u16,
        /// Its headers: a JSON list of names and values.
        headers: String,
        /// The start of its body.
        body: Vec<u8>,
    },
    /// No whole answer.
    Error {
        /// A stable code: `timeout`.
        code: &'static str,
        /// In words.
        message: String,
    },
}

const INSERT: Many = Many {
    sqlite: "INSERT OR FAIL INTO attempts (delivery_id, number, reason, started_at, duration, status, error, message, response_headers, response_body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO attempts (delivery_id, number, reason, started_at, duration, status, error, message, response_headers, response_body) \
               SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::bytea[]) \
               ON CONFLICT DO NOTHING",
    columns: &[Text, Int, Text, Int, Int, Int, Text, Text, Text, Bytes],
};

/// Writes attempts. When two nodes made an attempt with one number, the first that is written stays.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, attempts: Vec<NewAttempt>) -> Result<(), DbError> {
    let rows = attempts.into_iter().map(|attempt| {
        let (status, error, message, headers, body) = match attempt.result {
            AttemptResult::Answered { status, headers, body } => {
                (Some(i32::from(status)), None, None, Some(headers), Some(body))
            }
            AttemptResult::Error { code, message } => (None, Some(code), Some(message), None, None),
        };
        vec![
            attempt.delivery.into(),
            attempt.number.into(),
            attempt.reason.as_str().into(),
            attempt.started_at.into(),
            attempt.duration.into(),
            status.into(),
            error.into(),
            message.into(),
            headers.into(),
            body.into(),
        ]
    });
    conn.many(&INSERT, rows.collect()).await.map(drop)
}

/// One HTTP exchange for a delivery.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Attempt {
    /// 1, 2, 3, …
    pub number: u32,
    /// Why it was made.
    pub reason: Reason,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// The status of the answer; null when there was none.
    pub status: Option<u16>,
    /// Why there was no whole answer, for programs: `timeout`, `dns_failed`, …
    pub error: Option<String>,
    /// The same in words.
    pub message: Option<String>,
    /// The headers of the answer, as names and values.
    pub response_headers: Option<Vec<(String, String)>>,
    /// The first 4 KiB of the answer's body; bytes that are no UTF-8 are replaced.
    pub response_body: Option<String>,
}

/// The attempts of a delivery, the first one first.
///
/// # Errors
/// See [`DbError`].
pub async fn of_delivery(conn: &mut Conn, delivery: DeliveryId) -> Result<Vec<Attempt>, DbError> {
    let sql = "SELECT number, reason, started_at, duration, status, error, message, response_headers, response_body \
               FROM attempts WHERE delivery_id = $1 ORDER BY number";
    let rows = conn.query(sql, &[delivery.into()]).await?;
    rows.iter()
        .map(|row| {
            let status = row.get::<Option<u32>>("status")?.map(u16::try_from).transpose();
            let headers: Option<String> = row.get("response_headers")?;
            let body: Option<Vec<u8>> = row.get("response_body")?;
            let micros: u32 = row.get::<i64>("duration")?.clamp(0, u32::MAX.into()).try_into().unwrap_or(u32::MAX);
            Ok(Attempt {
                number: row.get("number")?,
                reason: row.parse("reason")?,
                started_at: row.get("started_at")?,
                duration_ms: f64::from(micros) / 1000.0,
                status: status.map_err(|_| DbError::corrupt("status", "out of range"))?,
                error: row.get("error")?,
                message: row.get("message")?,
                response_headers: headers.is_some().then(|| row.json("response_headers")).transpose()?,
                response_body: body.map(|body| String::from_utf8_lossy(&body).into_owned()),
            })
        })
        .collect()
}
