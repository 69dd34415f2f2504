//! What the picture of a webhook's last hours is made of: its newest attempts, in short.
//!
//! Bounded: the attempts of the newest [`LIMIT`] deliveries are looked at, however many there are.

use bellwire_core::{delivery::is_success, id::WebhookId, time::Timestamp};

use super::{Conn, DbError};

/// Deliveries that are looked at.
pub const LIMIT: u32 = 10_000;

/// The newest attempts of a webhook.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// In no order.
    pub attempts: Vec<RecentAttempt>,
    /// Whether there may be more than these since the time that was asked for.
    pub cut: bool,
}

/// One attempt, in short.
#[derive(Clone, Copy, Debug)]
pub struct RecentAttempt {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration: i64,
    /// Whether the receiver took the event.
    pub succeeded: bool,
}

/// The attempts since `since` of the webhook's newest deliveries.
///
/// # Errors
/// See [`DbError`].
pub async fn attempts(conn: &mut Conn, webhook: WebhookId, since: Timestamp) -> Result<Recent, DbError> {
    // The newest deliveries by the index of the webhook's list; older ones can have attempts of today as well (retries).
    let sql = "SELECT d.created_at AS created_at, a.started_at AS started_at, a.duration AS duration, a.status AS status FROM ( \
                 SELECT id, created_at FROM deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 \
               ) AS d JOIN attempts a ON a.delivery_id = d.id WHERE a.started_at >= $3";
    let rows = conn.query(sql, &[webhook.into(), i64::from(LIMIT).into(), since.into()]).await?;
    let attempts = rows.iter().map(|row| {
        let status: Option<u32> = row.get("status")?;
        Ok(RecentAttempt {
            started_at: row.get("started_at")?,
            duration: row.get("duration")?,
            succeeded: status.and_then(|status| u16::try_from(status).ok()).is_some_and(is_success),
        })
    });
    let attempts = attempts.collect::<Result<_, DbError>>()?;
    let sql =
        "SELECT created_at FROM deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $2";
    let beyond = conn.query_opt(sql, &[webhook.into(), i64::from(LIMIT).into()]).await?;
    let cut = beyond.is_some_and(|row| row.get::<Timestamp>("created_at").is_ok_and(|oldest| oldest >= since));
    Ok(Recent { attempts, cut })
}
