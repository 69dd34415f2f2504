//! What the pages of webhooks show beside a webhook itself: reads only, each bounded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bellwire_core::{
    id::{self, WebhookId},
    permission::Permission,
    time::Timestamp,
};

use super::{Actor, webhooks::WebhookDetails};
use crate::{
    app::App,
    db::{
        self,
        recent::{Recent, RecentDelivery},
    },
    error::Error,
};

/// How a webhook's deliveries since `since` stand, and their attempts; of the newest ones only when there are very many.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn recent(app: &App, actor: &Actor, id: WebhookId, since: Timestamp) -> Result<Recent, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let found = db::webhooks::get(conn, workspace, id).await?;
                found.ok_or_else(Error::not_found::<id::Webhook>)?;
                Ok::<_, Error>(db::recent::read(conn, id, since).await?)
            })
        })
        .await
}

/// The newest deliveries of these webhooks of the workspace since `since`, a few of each, oldest first.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn deliveries(
    app: &App,
    actor: &Actor,
    of: &[WebhookDetails],
    since: Timestamp,
) -> Result<HashMap<WebhookId, Vec<RecentDelivery>>, Error> {
    actor.require(Permission::WebhooksView)?;
    // They were read for this workspace: nothing is asked about others.
    let ids: Vec<WebhookId> = of.iter().map(|webhook| webhook.id).collect();
    Ok(app.db.read(move |conn| Box::pin(async move { db::recent::deliveries(conn, &ids, since).await })).await?)
}

/// Which of these webhooks have events held. Those of other workspaces have none.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn with_held(app: &App, actor: &Actor, ids: Vec<WebhookId>) -> Result<BTreeSet<WebhookId>, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let mut found = BTreeSet::new();
                for id in ids {
                    let known = db::webhooks::get(conn, workspace, id).await?.is_some();
                    if known && db::deliveries::held_count(conn, id, 1).await? > 0 {
                        found.insert(id);
                    }
                }
                Ok::<_, Error>(found)
            })
        })
        .await
}

/// The URLs of webhooks; deleted ones are left out.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn urls(app: &App, actor: &Actor, ids: BTreeSet<WebhookId>) -> Result<BTreeMap<WebhookId, String>, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let mut urls = BTreeMap::new();
                for id in ids {
                    if let Some(record) = db::webhooks::get(conn, workspace, id).await? {
                        urls.insert(id, record.url.to_string());
                    }
                }
                Ok::<_, Error>(urls)
            })
        })
        .await
}
