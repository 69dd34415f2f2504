//! State changes that were added to a balance: the history of its credits.

use bellwire_core::{
    event::EventActor,
    id::{CreditId, WorkspaceId},
    license::CreditSource,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
};

/// State changes that were added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Credit {
    /// Its id.
    pub id: CreditId,
    /// How many.
    pub amount: i64,
    /// Where they came from.
    pub source: CreditSource,
    /// What for, in the words of whoever credited them; null if they said nothing.
    pub note: Option<String>,
    /// Who credited them.
    pub by: EventActor,
    /// When.
    pub at: Timestamp,
    /// The balance just after.
    pub balance: i64,
}

/// The order of the history: by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByTime;

impl Sort for ByTime {
    fn name(self) -> &'static str {
        "at"
    }

    fn column(self) -> &'static str {
        "c.at"
    }

    fn is_number(self) -> bool {
        true
    }

    fn id(self) -> &'static str {
        "c.id"
    }
}

fn read(row: &Row) -> Result<Credit, DbError> {
    Ok(Credit {
        id: row.get("id")?,
        amount: row.get("amount")?,
        source: row.parse("source")?,
        note: row.get("note")?,
        by: row.json("by")?,
        at: row.get("at")?,
        balance: row.get("balance")?,
    })
}

/// Writes one down.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, credit: &Credit) -> Result<(), DbError> {
    let by = serde_json::to_string(&credit.by).map_err(|error| DbError::Fault(error.to_string()))?;
    let sql = "INSERT INTO license_credits (id, workspace_id, amount, source, note, by, at, balance) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        credit.id.into(),
        workspace.into(),
        credit.amount.into(),
        credit.source.as_str().into(),
        credit.note.as_deref().into(),
        by.into(),
        credit.at.into(),
        credit.balance.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// One page of the credits of a workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    request: &PageRequest<ByTime>,
) -> Result<Page<Credit>, DbError> {
    page::list(conn, listing(workspace), request, read).await
}

/// How many there are on all pages.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, workspace: WorkspaceId) -> Result<u64, DbError> {
    page::count(conn, &listing(workspace)).await
}

pub(super) fn listing(workspace: WorkspaceId) -> Listing {
    let mut filter = Filter::default();
    filter.and("c.workspace_id = $?", workspace);
    let columns = "c.id AS id, c.amount AS amount, c.source AS source, c.note AS note, c.by AS by, c.at AS at, \
                   c.balance AS balance";
    Listing::new(columns, "license_credits c", filter)
}
