//! The workspace's events, newest first, and one event with what it made owed.

use std::time::Duration;

use axum::extract::Path;
use bellwire_core::{
    catalogue::{ActorType, EventType, EventTypes},
    id::EventId,
    time::Timestamp,
};

use super::{
    reply::{self, Answer, moment},
    request::Signed,
    table::{Table, choices},
    view::{
        Section,
        events::{EventRow, ListPage, Only, ShowPage},
        listing::{Listing, Order},
    },
    webhooks::id,
    words,
};
use crate::{
    app::App,
    db::{
        event_views::{BySequence, EventView, Wanted},
        page::Page,
    },
    error::Error,
    ops::{events, overview},
    routes::{Routes, get},
};

const PATH: &str = "/events";

pub(super) fn routes() -> Routes<App> {
    Routes::new().route(PATH, get(list)).route("/events/{id}", get(show))
}

/// In the order of the address. `actor` and `object` are ids, `from` and `until` days (UTC).
const FILTERS: [&str; 7] = ["q", "actor_type", "type", "actor", "object", "from", "until"];
/// Those of them that are found without looking at every event.
const DAYS: [&str; 2] = ["from", "until"];
/// Stands among the actor types for what belongs to none of them.
const OTHERS: (&str, &str) = ("others", "Webhooks and workspace");
const DAY: Duration = Duration::from_hours(24);

/// What a query asks for: nothing at all when it has a filter that there isn't.
fn wanted(table: &Table) -> Option<Wanted> {
    let group = match table.filter("actor_type") {
        None => None,
        Some(key) if key == OTHERS.0 => Some(EventType::all().filter(|it| it.entry().actor_type.is_none()).collect()),
        Some(key) => Some(ActorType::parse(key)?.types().collect()),
    };
    let exact = table.filter("type").map(EventType::parse).transpose().ok()?.map(EventTypes::from);
    let day = |filter| match table.filter(filter) {
        None => Some(None),
        Some(text) => Timestamp::parse(&format!("{text}T00:00:00Z")).ok().map(Some),
    };
    Some(Wanted {
        event_types: [group, exact].into_iter().flatten().reduce(EventTypes::intersection),
        actor_id: table.filter("actor").map(str::to_owned),
        object_id: table.filter("object").map(str::to_owned),
        search: table.filter("q").map(str::to_owned),
        since: day("from")?,
        until: day("until")?.map(|day| day.saturating_add(DAY)),
    })
}

/// The filters that were clicked, with the names that the shown events tell.
fn only(table: &Table, shown: &[EventView]) -> Vec<Only> {
    let one = |filter, title| {
        let id = table.filter(filter)?.to_owned();
        let named = |event: &EventView| match &event.actor.id {
            Some(actor) if *actor == id => Some(event.actor.name.clone()),
            _ => words::named(event.data.get(), &id),
        };
        let name = shown.iter().find_map(named).unwrap_or_else(|| id.clone());
        Some(Only { filter, title, name, without: table.list.without(filter), id })
    };
    [one("actor", "Actor"), one("object", "Object")].into_iter().flatten().collect()
}

/// The feed with one filter.
fn feed(filter: &str, id: &str) -> String {
    Listing::new(PATH, &[(filter, id)], "", Order::Descending, true).here()
}

async fn list(signed: Signed) -> Answer {
    let table = Table::read(PATH, &signed.query, &FILTERS, &[], ("sequence", Order::Descending));
    let sifted = FILTERS.iter().any(|name| !DAYS.contains(name) && table.filter(name).is_some());
    let found = match wanted(&table) {
        Some(wanted) => {
            let request = table.uncounted_request(BySequence, sifted);
            events::list(&signed.app, &signed.actor, wanted, request).await?
        }
        None => {
            signed.actor.require(bellwire_core::permission::Permission::EventsView)?;
            Page { data: Vec::new(), next: None }
        }
    };
    let rows = &found.data;
    let list = &table.list;
    let types = EventType::all().map(|it| (it.as_str(), it.as_str()));
    let view = ListPage {
        page: signed.page("Events"),
        chrome: signed.chrome(Section::Events, "events", None),
        actor_types: choices(
            "All actor types",
            ActorType::all().map(|it| (it.key(), it.title())).chain([OTHERS]),
            list.filter("actor_type"),
        ),
        types: choices("All event types", types, list.filter("type")),
        only: only(&table, rows),
        rows: rows.iter().map(row).collect(),
        pager: table.uncounted(&found, sifted),
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
        actor_href: event.actor.id.as_ref().map(|id| feed("actor", id)),
        object: words::object(event.data.get()),
        object_href: words::object_id(event.data.get()).map(|id| feed("object", &id)),
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
        origin: it.origin.as_ref().map(words::origin),
        delivered: EventType::parse(&it.event.event_type).map_or(true, EventType::is_delivered),
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
            Table::read(PATH, &fields, &FILTERS, &[], ("sequence", Order::Descending))
        };
        let known = wanted(&table("q=ann&actor_type=users&type=user.blocked")).unwrap();
        assert_eq!(known.event_types, Some(EventTypes::from(EventType::USER_BLOCKED)));
        assert_eq!(known.search.as_deref(), Some("ann"));
        let apart = wanted(&table("actor_type=invites&type=user.blocked")).unwrap();
        assert!(apart.event_types.unwrap().is_empty());
        let others = wanted(&table("actor_type=others")).unwrap().event_types.unwrap();
        assert!(others.contains(EventType::WORKSPACE_UPDATED) && !others.contains(EventType::USER_LEFT));
        let days = wanted(&table("from=2026-11-22&until=2026-11-23&actor=usr_1&object=wh_1")).unwrap();
        assert_eq!(days.since.unwrap().to_string(), "2026-11-22T00:00:00.000000Z");
        assert_eq!(days.until.unwrap().to_string(), "2026-11-24T00:00:00.000000Z");
        assert_eq!((days.actor_id.as_deref(), days.object_id.as_deref()), (Some("usr_1"), Some("wh_1")));
        assert!(wanted(&table("from=yesterday")).is_none());
        assert!(wanted(&table("until=2026-13-40")).is_none());
        assert!(wanted(&table("actor_type=robots")).is_none());
        assert!(wanted(&table("type=user.exploded")).is_none());
    }
}
