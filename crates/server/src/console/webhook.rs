//! One webhook: settings, secret, health, history and deliveries, with the dialogs that are opened there.

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
    reply::{self, Answer, moment},
    request::{Fields, Signed},
    table::{ROWS, Table, choices},
    view::{
        Dialog, Section, Toast,
        listing::Order,
        parts::{Choice, LongUrl, Pager, thousands},
        webhook::{ReplayDialog, RotateDialog, SecretDialog, ShowPage, TestDialog},
    },
    webhook_form,
    webhooks::{beneath, id, managed},
    words,
};
use crate::{
    app::App,
    db::{self, deliveries::Wanted, page::PageRequest, webhooks::Status},
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
        .route("/webhooks/{id}/secret", get(secret_dialog))
        .route("/webhooks/{id}/secret/rotate", get(rotate_dialog).post(rotate))
        .route("/webhooks/{id}/test", get(test_dialog).post(test))
        .route("/webhooks/{id}/replay", get(replay_dialog).post(replay))
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

/// What a query asks for: nothing at all when it has a filter that there isn't.
fn wanted(table: &Table, now: bellwire_core::time::Timestamp) -> Option<Wanted> {
    let state = table.filter("state").map(str::parse::<State>).transpose().ok()?;
    let event_type = table.filter("type").map(EventType::parse).transpose().ok()?;
    let since = match table.filter("since") {
        None => None,
        Some(key) => Some(now.saturating_sub(span(key)?)),
    };
    Some(Wanted { state, event_type: event_type.map(|it| it.as_str().to_owned()), since, until: None })
}

/// The words and buttons below a list that nobody counts.
pub(super) fn uncounted(table: &Table, rows: usize, has_next: bool) -> Pager {
    let before = (table.page - 1) * u64::from(ROWS);
    let rows = u64::try_from(rows).unwrap_or(0);
    let shown = table.pager(usize::try_from(rows).unwrap_or(0), before + rows + u64::from(has_next));
    Pager { total: None, ..shown }
}

/// The page of a webhook.
pub(super) async fn page(signed: Signed, webhook: WebhookId, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let (app, actor) = (&signed.app, &signed.actor);
    let it = webhooks::get(app, actor, webhook).await?;
    let can_manage = signed.may(Permission::WebhooksManage);
    let now = app.clock.now();
    let path = format!("/webhooks/{webhook}");
    let table = Table::read(&path, &signed.query, &["state", "type", "since"], &[], ("at", Order::Descending));
    let (rows, has_next) = match wanted(&table, now) {
        Some(wanted) => {
            let request = PageRequest::numbered(table.page, ROWS, db::deliveries::ByTime, true);
            let found = deliveries::list(app, actor, webhook, wanted, request).await?;
            (found.data, found.next.is_some())
        }
        None => (Vec::new(), false),
    };
    let history = PageRequest::numbered(1, HISTORY, db::status_changes::ByTime, true);
    let history = webhooks::status_changes(app, actor, webhook, history).await?.data;
    let recent = overview::recent(app, actor, webhook, words::picture_since(now)).await?;
    let held = if it.status == Status::Inactive { webhooks::held_count(app, actor, webhook).await? } else { 0 };
    let secret = if can_manage { Some(webhooks::secret(app, actor, webhook).await?) } else { None };
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
        created_at: moment(it.created_at),
        updated_at: moment(it.updated_at),
        status: words::webhook_status(it.status, it.health),
        held,
        actor_types: words::chips(it.event_types),
        event_types: it.event_types.iter().map(|it| it.as_str().to_owned()).collect(),
        headers: webhook_form::masked(&it.headers),
        rate_limit: it.rate_limit.map(|limit| format!("{} per second", thousands(limit))),
        secret_ends: secret.as_ref().map(|secret| ends(&secret.secret)).unwrap_or_default(),
        rotating_until: secret.and_then(|secret| secret.old_secret_until).map(moment),
        health: words::health(&recent, now),
        history: history.iter().map(words::status_change).collect(),
        states: choices("All states", states, list.filter("state")),
        types: choices("All event types", types, list.filter("type")),
        times: choices("Any time", SPANS.map(|(key, title, _)| (key, title)), list.filter("since")),
        deliveries: rows.iter().map(|delivery| words::delivery_row(delivery, it.url.as_str())).collect(),
        pager: uncounted(&table, rows.len(), has_next),
        list: table.list,
        can_manage,
    };
    reply::render_with(status, &view)
}

/// The last four characters.
fn ends(secret: &str) -> String {
    let from = secret.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    secret[from..].to_owned()
}

/// Where the dialogs of a webhook come back to: its own page, unless they were opened elsewhere.
fn own_page(text: &str) -> String {
    format!("/webhooks/{text}")
}

async fn secret_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = id(&text)?;
    let secret = webhooks::secret(&signed.app, &signed.actor, webhook).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let dialog = SecretDialog {
        id: text,
        secret: secret.secret,
        // The one before it is not shown any more: receivers have it, and it goes.
        previous: None,
        rotating_until: secret.old_secret_until.map(moment),
        public_key: secret.public_key,
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

/// For how long the old secret signs too, in seconds.
const OVERLAPS: [(&str, &str); 4] =
    [("86400", "24 hours"), ("3600", "1 hour"), ("604800", "7 days"), ("0", "Not at all")];

async fn rotate_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let overlaps = OVERLAPS.iter().enumerate().map(|(n, (value, title))| Choice::new(*value, *title, n == 0));
    let dialog = RotateDialog {
        id: text,
        url: webhook.url.to_string(),
        overlaps: overlaps.collect(),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn rotate(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let overlap = fields.text("overlap_seconds").parse::<u64>();
    let overlap = overlap.map_err(|_| Error::invalid("overlap_seconds", "must be a number of seconds"));
    let done = match overlap {
        Ok(seconds) => webhooks::rotate_secret(&signed.app, &signed.actor, id(&text)?, seconds).await,
        Err(error) => Err(error),
    };
    reply::back(&fields.return_to(&own_page(&text)), done, |secret| {
        let said = match secret.old_secret_until {
            Some(_) => "Secret rotated. Until the old one ends, both sign.",
            None => "Secret rotated. The old one signs no more.",
        };
        Toast::success(said).with_link(format!("/webhooks/{text}/secret"), "See the new secret")
    })
}

async fn test_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let first = EventType::WEBHOOK_TEST;
    let dialog = TestDialog {
        id: text,
        url: webhook.url.to_string(),
        types: words::type_choices([first].into_iter().chain(EventTypes::subscribable().iter()), first.as_str()),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn test(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let wanted = match fields.text("type") {
        "" => Ok(None),
        name => EventType::parse(name).map(Some).map_err(|error| Error::invalid("type", error)),
    };
    let done = match wanted {
        Ok(event_type) => webhooks::test(&signed.app, &signed.actor, id(&text)?, event_type).await,
        Err(error) => Err(error),
    };
    reply::back(&fields.return_to(&own_page(&text)), done, |delivery| {
        Toast::success("Test sent.").with_link(format!("/deliveries/{delivery}"), "See what came of it")
    })
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
        let fields = Fields::parse(query.as_bytes());
        Table::read("/webhooks/wh_1", &fields, &["state", "type", "since"], &[], ("at", Order::Descending))
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

    #[test]
    fn pages_are_turned_without_counting() {
        let first = uncounted(&table("state=held"), 50, true);
        assert_eq!((first.text().as_str(), first.previous), ("1–50", None));
        assert_eq!(first.next.as_deref(), Some("/webhooks/wh_1?state=held&page=2"));
        let last = uncounted(&table("page=2"), 3, false);
        assert_eq!(
            (last.text().as_str(), last.previous.as_deref(), last.next),
            ("51–53", Some("/webhooks/wh_1"), None)
        );
    }

    #[test]
    fn a_secret_shows_its_end_only() {
        assert_eq!(ends("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "LaSw");
        assert_eq!(ends("abc"), "abc");
    }
}
