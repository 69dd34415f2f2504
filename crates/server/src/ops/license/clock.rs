//! What the clock does to licenses: renews them, tells that they will expire, expires them; and gives one to workspaces that
//! are older than licenses.
//!
//! It looks at what the database says is due, so it does the same after a restart, and on several nodes at once: each change
//! is decided anew with the license locked, and what another node has done is not due any more.

use bellwire_core::event::By;

use super::{Open, issue};
use crate::{app::App, db, error::Error, ops::journal};

/// Licenses that are looked at in one go.
const BATCH: u32 = 500;

/// Does what is due. Returns how many licenses were looked at; there may be more when it is a whole batch.
///
/// # Errors
/// When the database fails.
pub async fn advance_due(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    let due = app.db.read(move |conn| Box::pin(async move { db::licenses::due(conn, now, BATCH).await })).await?;
    let count = due.len();
    for workspace in due {
        let done = journal::transact(app, workspace, By::system(), true, move |tx| {
            Box::pin(async move { Open::lock(&tx.app, tx.conn, tx.workspace, tx.now).await?.close(tx).await })
        });
        done.await?;
        app.changed(workspace, "license");
    }
    Ok(count)
}

/// Gives a license to every workspace that has none.
///
/// # Errors
/// When the database fails.
pub async fn issue_missing(app: &App) -> Result<(), Error> {
    loop {
        let missing = app.db.read(|conn| Box::pin(async move { db::licenses::missing(conn, BATCH).await })).await?;
        if missing.is_empty() {
            return Ok(());
        }
        for workspace in missing {
            let done = journal::transact(app, workspace, By::system(), true, move |tx| {
                Box::pin(async move {
                    if !issue(tx).await? {
                        tx.unchanged(); // another node was faster
                    }
                    Ok(())
                })
            });
            done.await?;
        }
    }
}
