//! The workspace's events, newest first, and one event with what it made owed.

use axum::extract::Path;
use bellwire_core::{
    catalogue::{ActorType, EventType},
    id::EventId,
};

use super::{
    reply::{self, Answer, moment},
    request::Signed,
    table::{ROWS, Table, choices},
    view::{
        Section,
        events::{EventRow, ListPage, ShowPage},
        listing::Order,
    },
    webhook::uncounted,
    webhooks::id,
    words,
};
use crate::{
    app::App,
    db::{
        event_views::{BySequence, EventView, Wanted},
        page::PageRequest,
    },
    error::Error,
    ops::{events, overview},
    routes::{Routes, get},
};

const PATH: &str = "/events";

pub(super) fn routes() -> Routes<App> {
    Routes::new().route(PATH, get(list)).route("/events/{id}", get(show))
}

/// What a query asks for: nothing at all when it has a filter that there isn't.
fn wanted(table: &Table) -> Option<Wanted> {
    let actor_type = match table.filter("actor_type") {
        None => None,
        Some(key) => Some(ActorType::parse(key)?),
    };
    let event_type = table.filter("type").map(EventType::parse).transpose().ok()?;
    let search = table.filter("q").map(str::to_owned);
    Some(Wanted { actor_type, event_type: event_type.map(|it| it.as_str().to_owned()), search, ..Wanted::default() })
}

async fn list(signed: Signed) -> Answer {
    let table = Table::read(PATH, &signed.query, &["q", "actor_type", "type"], &[], ("sequence", Order::Descending));
    let (rows, has_next) = match wanted(&table) {
        Some(wanted) => {
            let request = PageRequest::numbered(table.page, ROWS, BySequence, true);
            let found = events::list(&signed.app, &signed.actor, wanted, request).await?;
            (found.data, found.next.is_some())
        }
        None => {
            signed.actor.require(bellwire_core::permission::Permission::EventsView)?;
            (Vec::new(), false)
        }
    };
    let list = &table.list;
    let types = EventType::all().map(|it| (it.as_str(), it.as_str()));
    let view = ListPage {
        page: signed.page("Events"),
        chrome: signed.chrome(Section::Events, "events", None),
        actor_types: choices(
            "All actor types",
            ActorType::all().map(|it| (it.key(), it.title())),
            list.filter("actor_type"),
        ),
        types: choices("All event types", types, list.filter("type")),
        rows: rows.iter().map(row).collect(),
        pager: uncounted(&table, rows.len(), has_next),
        list: table.list,
    };
    reply::render(&view)
}

fn row(event: &EventView) -> EventRow {
    EventRow {
        id: event.id.to_string(),
        sequence: event.sequence.unsigned_abs(),
        at: moment(event.timestamp),
        event_type: event.event_type.clone(),
        actor: words::actor(&event.actor),
        object: words::object(event.data.get()),
    }
}

async fn show(signed: Signed, Path(text): Path<String>) -> Answer {
    let (app, actor) = (&signed.app, &signed.actor);
    let event: EventId = id(&text)?;
    let it = events::get(app, actor, event).await?;
    let urls = match it.deliveries.is_empty() {
        true => std::collections::BTreeMap::new(),
        false => overview::urls(app, actor, it.deliveries.iter().map(|delivery| delivery.webhook_id).collect()).await?,
    };
    let url = |webhook| urls.get(webhook).map_or(words::DELETED, String::as_str);
    let related = events::related(app, actor, &it.event).await?;
    let body = serde_json::to_string(&it.event).map_err(Error::from)?;
    let title = words::type_title(&it.event.event_type);
    let view = ShowPage {
        page: signed.page(&title),
        chrome: signed.chrome(Section::Events, "deliveries", None),
        event: row(&it.event),
        type_title: title,
        body: bellwire_core::json::pretty(&body),
        related: related.iter().map(row).collect(),
        deliveries: it.deliveries.iter().map(|it| words::delivery_row(it, url(&it.webhook_id))).collect(),
    };
    reply::render(&view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::request::Fields;

    #[test]
    fn filters_that_there_are_not_match_nothing() {
        let table = |query: &str| {
            let fields = Fields::parse(query.as_bytes());
            Table::read(PATH, &fields, &["q", "actor_type", "type"], &[], ("sequence", Order::Descending))
        };
        let known = wanted(&table("q=ann&actor_type=users&type=user.blocked")).unwrap();
        assert_eq!((known.actor_type, known.event_type.as_deref()), (Some(ActorType::Users), Some("user.blocked")));
        assert_eq!(known.search.as_deref(), Some("ann"));
        assert!(wanted(&table("actor_type=robots")).is_none());
        assert!(wanted(&table("type=user.exploded")).is_none());
    }
}
