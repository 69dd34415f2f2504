//! Events: the workspace's feed, which is its audit log.

use bellwire_core::{
    event::Origin,
    id::{self, EventId, WorkspaceId},
    permission::Permission,
};
use serde::Serialize;

use super::Actor;
use crate::{
    app::App,
    db::{
        self,
        deliveries::Delivery,
        event_views::{BySequence, EventView, Wanted},
        page::{Page, PageRequest},
    },
    error::Error,
};

/// The most deliveries that are shown with an event.
pub const MAX_DELIVERIES: u32 = 1_000;

/// An event and what it made owed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct EventDetails {
    /// The event.
    #[serde(flatten)]
    pub event: EventView,
    /// How it came about; null for events that are older than this is written down. No delivery tells it.
    pub origin: Option<Origin>,
    /// Its deliveries, up to 1,000; empty for those who may not see webhooks.
    pub deliveries: Vec<Delivery>,
}

/// One page of the feed.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(
    app: &App,
    actor: &Actor,
    wanted: Wanted,
    request: PageRequest<BySequence>,
) -> Result<Page<EventView>, Error> {
    actor.require(Permission::EventsView)?;
    let workspace = actor.workspace;
    Ok(app
        .db
        .read(move |conn| Box::pin(async move { db::event_views::list(conn, workspace, &wanted, &request).await }))
        .await?)
}

/// The number of the workspace's newest event.
///
/// # Errors
/// When the database fails.
pub async fn newest(app: &App, workspace: WorkspaceId) -> Result<i64, Error> {
    Ok(app.db.read(move |conn| Box::pin(async move { db::workspaces::sequence(conn, workspace).await })).await?)
}

/// One event with its deliveries.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn get(app: &App, actor: &Actor, id: EventId) -> Result<EventDetails, Error> {
    actor.require(Permission::EventsView)?;
    let workspace = actor.workspace;
    let sees_webhooks = actor.permissions.allow(Permission::WebhooksView);
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let event =
                    db::event_views::get(conn, workspace, id).await?.ok_or_else(Error::not_found::<id::Event>)?;
                let origin = db::event_views::origin(conn, workspace, id).await?;
                let deliveries =
                    if sees_webhooks { db::deliveries::of_event(conn, id, MAX_DELIVERIES).await? } else { Vec::new() };
                Ok::<_, Error>(EventDetails { event, origin, deliveries })
            })
        })
        .await
}

/// The most events that are shown as caused by one action.
const MAX_RELATED: u32 = 200;

/// The other events that the action behind `event` caused.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn related(app: &App, actor: &Actor, event: &EventView) -> Result<Vec<EventView>, Error> {
    actor.require(Permission::EventsView)?;
    let Some(correlation) = event.correlation_id.filter(|_| event.workspace_id == actor.workspace) else {
        return Ok(Vec::new());
    };
    let event = event.clone();
    let all = app.db.read(move |conn| {
        Box::pin(async move {
            let mut all = db::event_views::correlated(conn, &event, correlation, MAX_RELATED).await?;
            all.retain(|other| other.id != event.id);
            Ok::<_, Error>(all)
        })
    });
    all.await
}
