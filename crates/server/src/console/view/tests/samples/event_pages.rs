//! Sample content about the feed of events, and about settings.

use super::{
    super::super::deliveries::DeliveryRow,
    webhook_pages::{BODY, deliveries},
    *,
};
use events::{EventRow, ListPage, Only, OriginView, ShowPage};

fn row(sequence: u64, event_type: &str, object: &str, actor: Who) -> EventRow {
    EventRow {
        id: format!("evt_{sequence}"),
        sequence,
        at: today(),
        event_type: event_type.into(),
        actor_href: (!actor.name.is_empty()).then(|| "/events?actor=usr_1".into()),
        actor,
        object: object.into(),
        object_href: Some("/events?object=usr_2".into()),
    }
}

fn rows() -> Vec<EventRow> {
    vec![
        row(1042, "user.blocked", "Bo <Chen>", Who::user("Ann Lee")),
        row(1041, "state_changes.threshold_reached", "80 % of 10,000 used", Who::system()),
        row(1040, "api_key.secret_rotated", "Terraform", Who::api_key("Rotation job")),
    ]
}

fn list(rows: Vec<EventRow>, filters: &[(&str, &str)], only: Vec<Only>) -> ListPage {
    ListPage {
        page: Page::new("Events", Theme::System),
        chrome: chrome(Some(Section::Events)),
        list: Listing::new("/events", filters, "sequence", Order::Descending, true),
        only,
        actor_types: choices(&[("", "All actor types"), ("users", "Users")]),
        types: choices(&[("", "All event types"), ("user.blocked", "user.blocked")]),
        rows,
        pager: Pager { first: 1, last: 3, total: Some(3), ..Pager::default() },
    }
}

fn show(deliveries: Vec<DeliveryRow>, origin: Option<OriginView>, delivered: bool) -> ShowPage {
    let mut rows = rows();
    ShowPage {
        page: Page::new("User blocked", Theme::System),
        chrome: chrome(Some(Section::Events)),
        event: rows.remove(0),
        type_title: "User blocked".into(),
        origin,
        delivered,
        body: BODY.into(),
        related: rows,
        deliveries,
    }
}

fn settings() -> settings::ShowPage {
    settings::ShowPage {
        page: Page::new("Settings", Theme::System),
        chrome: chrome(Some(Section::Settings)),
        id: "ws_01".into(),
        name: Field::refused("<Northwind>", "Must be at most 100 characters long."),
        created_at: today(),
        operator: vec![settings::OperatorSetting {
            title: "Retention",
            value: "30 days".into(),
            about: "What is older is deleted.",
            variable: "BELLWIRE_RETENTION",
        }],
    }
}

pub(super) fn samples() -> Vec<(&'static str, askama::Result<String>)> {
    let only = Only {
        filter: "actor",
        title: "Actor",
        id: "usr_1".into(),
        name: "Ann <Lee>".into(),
        without: "/events".into(),
    };
    let filters = [("actor", "usr_1"), ("from", "2026-11-22")];
    let origin = OriginView { text: "API, from 203.0.113.9".into(), api_key: Some("key_01".into()) };
    vec![
        ("events", list(rows(), &[], Vec::new()).render()),
        ("events-of-one", list(rows(), &filters, vec![only.clone()]).render()),
        ("events-none-matching", list(Vec::new(), &filters, vec![only]).render()),
        ("events-empty", list(Vec::new(), &[], Vec::new()).render()),
        ("event", show(deliveries(), Some(origin), true).render()),
        ("event-of-the-feed", show(Vec::new(), None, false).render()),
        ("settings", settings().render()),
    ]
}
