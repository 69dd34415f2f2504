//! One webhook: settings, health, history and deliveries, which are also files and can be replayed.

use std::time::Duration;

use axum::extract::Path;
use bellwire_core::{
    catalogue::{EventType, EventTypes},
    delivery::State,
    id::WebhookId,
    permission::Permission,
};
use http::StatusCode;

use super::{
    export::{self, Rows},
    reply::{self, Answer, Failure, moment},
    request::{Fields, Signed},
    table::{Table, choices},
    view::{
        Dialog, Section, Toast,
        account::PageError,
        listing::Order,
        parts::{Choice, LongUrl, thousands},
        webhook::{HistoryLine, ReplayDialog, ShowPage},
    },
    webhook_form,
    webhooks::{beneath, id, managed},
    words,
};
use crate::{
    app::App,
    db::{
        self,
        deliveries::{ByTime, Delivery, Wanted},
        page::{Page, PageRequest, Position},
        webhooks::Status,
    },
    error::Error,
    ops::{
        deliveries, overview,
        replays::{self, NewReplay},
        webhooks,
    },
    routes::{Routes, get},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/webhooks/{id}/replay", get(replay_dialog).post(replay))
        .route("/webhooks/{id}/deliveries.csv", get(csv))
        .route("/webhooks/{id}/deliveries.json", get(json))
}

/// Entries of the status history that are shown: the newest.
const HISTORY: u32 = 50;

/// Spans of time that lists and replays offer.
const SPANS: [(&str, &str, u64); 4] = [
    ("1h", "Last hour", 1),
    ("24h", "Last 24 hours", 24),
    ("7d", "Last 7 days", 7 * 24),
    ("30d", "Last 30 days", 30 * 24),
];

/// The span of this name.
fn span(key: &str) -> Option<Duration> {
    SPANS.into_iter().find(|(name, ..)| *name == key).map(|(_, _, hours)| Duration::from_hours(hours))
}

pub(super) async fn show(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = id(&text)?;
    page(signed, webhook, StatusCode::OK, None).await
}

/// A webhook's deliveries, as they were asked for.
fn table(path: &str, query: &Fields) -> Table {
    Table::read(path, query, &["state", "type", "since"], &[], ("at", Order::Descending))
}

/// What a query asks for: nothing at all when it has a filter that there isn't.
fn wanted(table: &Table, now: bellwire_core::time::Timestamp) -> Option<Wanted> {
    let state = table.filter("state").map(str::parse::<State>).transpose().ok()?;
    let event_type = table.filter("type").map(EventType::parse).transpose().ok()?;
    let since = match table.filter("since") {
        None => None,
        Some(key) => Some(now.saturating_sub(span(key)?)),
    };
    Some(Wanted { state, event_type: event_type.map(|it| it.as_str().to_owned()), since, ..Wanted::default() })
}

/// The page of a webhook.
pub(super) async fn page(signed: Signed, webhook: WebhookId, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let (app, actor) = (&signed.app, &signed.actor);
    let it = webhooks::get(app, actor, webhook).await?;
    let can_manage = signed.may(Permission::WebhooksManage);
    let now = app.clock.now();
    let path = format!("/webhooks/{webhook}");
    let table = table(&path, &signed.query);
    let sifted = ["state", "type"].iter().any(|name| table.filter(name).is_some());
    let found = match wanted(&table, now) {
        Some(wanted) => deliveries::list(app, actor, webhook, wanted, table.uncounted_request(ByTime, sifted)).await?,
        None => Page { data: Vec::new(), next: None },
    };
    let history = PageRequest::numbered(1, HISTORY, db::status_changes::ByTime, true);
    let changes = webhooks::status_changes(app, actor, webhook, history).await?.data;
    let mut history: Vec<HistoryLine> = changes.iter().map(words::status_change).collect();
    if let Some(before) = &it.previous_owner {
        let later = changes.iter().take_while(|change| change.reason.at > before.until).count();
        history.insert(later, words::handed_over(before));
    }
    let recent = overview::recent(app, actor, webhook, words::picture_since(now)).await?;
    let held = if it.status == Status::Inactive { webhooks::held_count(app, actor, webhook).await? } else { 0 };
    let secret = if can_manage { Some(webhooks::secret_hint(app, actor, webhook).await?) } else { None };
    let public_key = secret.as_ref().and_then(|secret| secret.public_key.clone());
    let list = &table.list;
    let states = State::ALL.map(|state| (state.as_str(), words::delivery_state(state).word()));
    let types = EventTypes::subscribable().iter().chain([EventType::WEBHOOK_TEST]).map(|it| (it.as_str(), it.as_str()));
    let view = ShowPage {
        page: signed.page(it.url.as_str()),
        chrome: signed.chrome(Section::Webhooks, "webhooks deliveries", dialog),
        id: webhook.to_string(),
        url: LongUrl::new(it.url.as_str()),
        description: it.description.clone(),
        owner: words::who(it.owner.kind, &it.owner.name),
        formerly: it.previous_owner.as_ref().map(|before| (words::formerly(before), moment(before.until))),
        created_at: moment(it.created_at),
        updated_at: moment(it.updated_at),
        status: words::webhook_status(it.status, it.health),
        held,
        actor_types: words::chips(it.event_types),
        event_types: it.event_types.iter().map(|it| it.as_str().to_owned()).collect(),
        headers: webhook_form::masked(&it.headers),
        rate_limit: it.rate_limit.map(|limit| format!("{} per second", thousands(limit))),
        secret_ends: secret.as_ref().map(|secret| secret.ends.clone()).unwrap_or_default(),
        rotating_until: secret.and_then(|secret| secret.old_secret_until).map(moment),
        public_key,
        health: words::health(&recent, now),
        replay: super::replays::newest(&signed, webhook).await?,
        history,
        states: choices("All states", states, list.filter("state")),
        types: choices("All event types", types, list.filter("type")),
        times: choices("Any time", SPANS.map(|(key, title, _)| (key, title)), list.filter("since")),
        deliveries: found.data.iter().map(|delivery| words::delivery_row(delivery, it.url.as_str())).collect(),
        pager: table.uncounted(&found, sifted),
        list: table.list,
        export_csv: format!("{path}/deliveries.csv"),
        export_json: format!("{path}/deliveries.json"),
        can_manage,
    };
    reply::render_with(status, &view)
}

/// The deliveries that the list shows, on all of its pages: the newest [`export::MOST`].
async fn exported(signed: &Signed, text: &str) -> Result<Rows<Delivery>, Failure> {
    let (app, actor, webhook) = (&signed.app, &signed.actor, id(text)?);
    let found = wanted(&table(&own_page(text), &signed.query), app.clock.now());
    let wanted = found.ok_or(PageError::NotFound)?;
    let mut request =
        PageRequest { limit: export::STEP, position: Position::Offset(0), sort: ByTime, descending: true };
    let mut rows = Rows::new();
    while let Some(next) = rows.add(deliveries::list(app, actor, webhook, wanted.clone(), request.clone()).await?) {
        request = request.following(&next)?;
    }
    Ok(rows)
}

async fn json(signed: Signed, Path(text): Path<String>) -> Answer {
    export::json(&format!("deliveries-{text}"), &exported(&signed, &text).await?)
}

async fn csv(signed: Signed, Path(text): Path<String>) -> Answer {
    let rows = exported(&signed, &text).await?;
    let columns = [
        "id",
        "event_id",
        "event_type",
        "state",
        "created_at",
        "attempt_count",
        "last_attempt_at",
        "last_status",
        "last_error",
        "last_duration_ms",
        "next_attempt_at",
    ];
    let cells = rows.data.iter().map(|it| {
        let last = it.last_attempt.as_ref();
        [
            it.id.to_string(),
            it.event_id.to_string(),
            it.event_type.clone(),
            it.state.as_str().to_owned(),
            it.created_at.to_string(),
            it.attempt_count.to_string(),
            export::or_empty(last.map(|last| last.started_at)),
            export::or_empty(last.and_then(|last| last.status)),
            last.and_then(|last| last.error.clone()).unwrap_or_default(),
            export::or_empty(last.map(|last| last.duration_ms)),
            export::or_empty(it.next_attempt_at),
        ]
    });
    Ok(export::csv(&format!("deliveries-{text}"), columns, cells))
}

/// Where the dialogs of a webhook come back to: its own page, unless they were opened elsewhere.
pub(super) fn own_page(text: &str) -> String {
    format!("/webhooks/{text}")
}

async fn replay_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let since = SPANS.map(|(key, title, _)| Choice::new(key, format!("the {}", title.to_lowercase()), key == "24h"));
    let dialog =
        ReplayDialog { id: text, url: webhook.url.to_string(), since: since.into(), return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn replay(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let done = match span(fields.text("since")) {
        Some(span) => {
            let since = signed.app.clock.now().saturating_sub(span);
            let new = NewReplay { since, until: None, state: State::Failed, event_type: None };
            replays::create(&signed.app, &signed.actor, id(&text)?, new).await
        }
        None => Err(Error::invalid("since", "must be one of the offered times")),
    };
    reply::back(&fields.return_to(&own_page(&text)), done, |replay| {
        Toast::success(match replay.total {
            0 => "Nothing failed in that time.".to_owned(),
            1 => "1 delivery is sent again.".to_owned(),
            replays::MAX_TOTAL => format!("{} deliveries or more are sent again.", thousands(replays::MAX_TOTAL)),
            total => format!("{} deliveries are sent again.", thousands(total)),
        })
    })
}

#[cfg(test)]
mod tests {
    use bellwire_core::time::Timestamp;

    use super::*;

    fn table(query: &str) -> Table {
        super::table("/webhooks/wh_1", &Fields::parse(query.as_bytes()))
    }

    #[test]
    fn deliveries_are_filtered_by_what_there_is() {
        let now = Timestamp::parse("2026-11-23T09:00:00Z").unwrap();
        let known = wanted(&table("state=held&type=user.blocked&since=24h"), now).unwrap();
        assert_eq!((known.state, known.event_type.as_deref()), (Some(State::Held), Some("user.blocked")));
        assert_eq!(known.since, Some(Timestamp::parse("2026-11-22T09:00:00Z").unwrap()));
        for unknown in ["state=lost", "type=user.exploded", "since=2h", "since=-1h"] {
            assert!(wanted(&table(unknown), now).is_none(), "{unknown}");
        }
        assert!(wanted(&table("since="), now).unwrap().since.is_none());
    }
}
