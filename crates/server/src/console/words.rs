//! What the Webhooks page and everything below it say in words: from the types of `db` and `core` to the parts of a view.
//!
//! Pure functions. Names of the catalogue, states and codes are turned into text here and nowhere else.

mod picture;

use std::time::Duration;

use bellwire_core::{
    catalogue::{ActorType, EventType, EventTypes},
    delivery::{self, Health, State, is_success},
    event::{EventActor, Origin, PrincipalKind, Via},
    json,
    retry::Schedule,
    time::Timestamp,
};
use http::StatusCode;

pub(super) use picture::{health, picture_since};

use super::{
    reply::moment,
    view::{
        deliveries::{Attempt, DeliveryRow, DeliveryState, Exchange},
        events::OriginView,
        parts::{Choice, LongUrl, Who, WhoKind, thousands},
        recent::{Bar, Strip},
        webhook::{HistoryLine, Turn},
        webhooks::{ActorChip, Evidence, LastError, Reason, WebhookStatus},
    },
};
use crate::{
    db::{
        attempts,
        deliveries::{Delivery, LastAttempt},
        principals::Owned,
        recent::RecentDelivery,
        status_changes::{self, Status, StatusCode as Code, StatusReason},
        webhooks::PreviousOwner,
    },
    ops::webhooks::WebhookDetails,
};

/// Who did something.
pub(super) fn actor(actor: &EventActor) -> Who {
    who(actor.kind, &actor.name)
}

/// A user, an API key, or the system under its name.
pub(super) fn who(kind: PrincipalKind, name: &str) -> Who {
    let kind = match kind {
        PrincipalKind::User => WhoKind::User,
        PrincipalKind::ApiKey => WhoKind::ApiKey,
        PrincipalKind::System => WhoKind::System,
    };
    Who { name: name.to_owned(), kind }
}

/// Whose a webhook was: "was Bob Ray’s".
pub(super) fn formerly(before: &PreviousOwner) -> String {
    format!("was {}’s", before.owner.name)
}

/// The chips of a selection of event types.
pub(super) fn chips(event_types: EventTypes) -> Vec<ActorChip> {
    let chip = |actor_type: ActorType| ActorChip {
        key: actor_type.key().to_owned(),
        title: actor_type.title().to_owned(),
        wanted: actor_type.types().filter(|event_type| event_types.contains(*event_type)).count(),
        of: actor_type.types().count(),
    };
    event_types.actor_types().into_iter().map(chip).collect()
}

/// Status and health as one thing to look at.
pub(super) fn webhook_status(status: Status, health: Health) -> WebhookStatus {
    match (status, health) {
        (Status::Inactive, _) => WebhookStatus::Inactive,
        (Status::Active, Health::Failing) => WebhookStatus::Failing,
        (Status::Active, Health::Ok) => WebhookStatus::Fine,
        (Status::Active, _) => WebhookStatus::Active,
    }
}

/// A length of time, rounded to its largest unit: "5 days", "1 hour", "30 seconds".
pub(super) fn length(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = duration.as_secs();
    let (size, name) = UNITS.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, "second"));
    let count = (seconds + size / 2) / size;
    format!("{} {name}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// Waits before attempts: "at once, then after 5 seconds, 5 minutes, 30 minutes".
pub(super) fn schedule(schedule: &Schedule) -> String {
    let waits: Vec<String> = schedule.waits().iter().skip(1).map(|wait| length(*wait)).collect();
    let first = schedule.waits().first().filter(|wait| !wait.is_zero());
    let first = first.map_or_else(|| "at once".to_owned(), |wait| format!("after {}", length(*wait)));
    if waits.is_empty() { first } else { format!("{first}, then after {}", waits.join(", ")) }
}

/// `503 Service Unavailable`; a code without a name stays a number.
pub(super) fn answer(status: u32) -> String {
    let known = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    match known.and_then(|known| known.canonical_reason()) {
        Some(name) => format!("{status} {name}"),
        None => status.to_string(),
    }
}

/// Milliseconds, rounded; what is shorter than one counts as one.
pub(super) fn milliseconds(duration: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range of the clamp")]
    let whole = duration.round().clamp(1.0, f64::from(u32::MAX)) as u32;
    whole
}

/// The last answer of a delivery: "200 in 35 ms", or the error in words.
fn last_answer(last: &LastAttempt) -> String {
    match (last.status, &last.error) {
        (Some(status), _) => format!("{status} in {} ms", thousands(milliseconds(last.duration_ms))),
        (None, Some(error)) => error.trim_end_matches('.').to_owned(),
        (None, None) => "No answer".to_owned(),
    }
}

/// What becomes of what somebody owns who goes: "They own 2 webhooks and 1 group: these stay and go to you."
pub(super) fn heritage(owner: &str, owned: Owned, heir: &str) -> String {
    let counted = |count: u64, noun| format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" });
    let what = match (owned.webhooks, owned.groups) {
        (0, 0) => return format!("{owner} no webhooks and no groups."),
        (webhooks, 0) => counted(webhooks, "webhook"),
        (0, groups) => counted(groups, "group"),
        (webhooks, groups) => format!("{} and {}", counted(webhooks, "webhook"), counted(groups, "group")),
    };
    let rest = if owned.webhooks + owned.groups == 1 { "this stays and goes" } else { "these stay and go" };
    format!("{owner} {what}: {rest} to {heir}.")
}

/// Stands where the URL of a deleted webhook would.
pub(super) const DELETED: &str = "Deleted webhook";

/// The state of a delivery.
pub(super) fn delivery_state(state: State) -> DeliveryState {
    match state {
        State::Pending => DeliveryState::Pending,
        State::Delivered => DeliveryState::Delivered,
        State::Failed => DeliveryState::Failed,
        State::Held => DeliveryState::Held,
        State::Cancelled => DeliveryState::Cancelled,
    }
}

/// One delivery in a table. `url` is shown where deliveries of several webhooks stand together.
pub(super) fn delivery_row(delivery: &Delivery, url: &str) -> DeliveryRow {
    DeliveryRow {
        id: delivery.id.to_string(),
        event_type: delivery.event_type.clone(),
        webhook: LongUrl::new(url),
        state: delivery_state(delivery.state),
        at: moment(delivery.created_at),
        attempts: delivery.attempt_count,
        answer: delivery.last_attempt.as_ref().map(last_answer).unwrap_or_default(),
        next_attempt: delivery.next_attempt_at.map(moment),
    }
}

/// One HTTP exchange in the list of a delivery's attempts.
pub(super) fn attempt(attempt: &attempts::Attempt) -> Attempt {
    Attempt {
        number: attempt.number,
        at: moment(attempt.started_at),
        duration_ms: milliseconds(attempt.duration_ms),
        succeeded: attempt.status.is_some_and(is_success),
        outcome: outcome(attempt),
        why: match attempt.reason {
            delivery::Reason::Automatic => "Automatic",
            delivery::Reason::Resend => "Resend",
            delivery::Reason::Test => "Test",
        }
        .to_owned(),
    }
}

/// "200 OK", or the error in words.
pub(super) fn outcome(attempt: &attempts::Attempt) -> String {
    match (attempt.status, &attempt.message) {
        (Some(status), _) => answer(status.into()),
        (None, Some(message)) => message.trim_end_matches('.').to_owned(),
        (None, None) => "No answer".to_owned(),
    }
}

/// One HTTP exchange with what was answered.
pub(super) fn exchange(attempt: &attempts::Attempt) -> Exchange {
    let body = attempt.response_body.as_deref().unwrap_or_default();
    Exchange {
        number: attempt.number,
        answered: attempt.status.is_some(),
        headers: attempt.response_headers.clone().unwrap_or_default(),
        cut: body.len() >= KEPT,
        body: json::pretty(body),
    }
}

/// Bytes that are kept of an answer.
const KEPT: usize = 4096;

/// Why an inactive webhook is inactive.
pub(super) fn reason(why: &StatusReason) -> Reason {
    match why.code {
        Code::Manual => Reason::Manual,
        Code::Gone => Reason::Gone,
        Code::DestinationForbidden => Reason::DestinationForbidden,
        Code::Failing => {
            let first = why.evidence.as_ref().and_then(|evidence| evidence.first_failure_at).unwrap_or(why.at);
            Reason::Failing { for_time: length(why.at.since(first)) }
        }
    }
}

/// What the person who turned a webhook off wrote. What Bellwire writes is in the sentence of the reason already.
pub(super) fn message(why: &StatusReason) -> String {
    let written = why.code == Code::Manual && why.message != BY_HAND;
    if written { why.message.clone() } else { String::new() }
}

/// What stands where somebody who turned a webhook off wrote nothing.
const BY_HAND: &str = "Turned off by hand.";

/// What a change was decided on. `at` is the time of the last error, as far as it is known.
pub(super) fn evidence(seen: Option<&status_changes::Evidence>, at: Timestamp) -> Evidence {
    let Some(seen) = seen else { return Evidence::default() };
    Evidence {
        first_failure: seen.first_failure_at.map(moment),
        attempts: u64::try_from(seen.failed_attempts).unwrap_or(0),
        last_error: seen.last_error.as_ref().map(|text| LastError {
            text: text.trim_end_matches('.').to_owned(),
            at: moment(at),
            delivery: seen.last_delivery_id.map(|id| id.to_string()),
        }),
    }
}

/// One line of the status history. The oldest line is the creation.
pub(super) fn status_change(change: &status_changes::StatusChange) -> HistoryLine {
    let why = &change.reason;
    let written = why.message.trim();
    let text = match change.status {
        Status::Active if written.is_empty() => "Turned on.".to_owned(),
        Status::Active => written.to_owned(),
        Status::Inactive => turned_off(why),
    };
    HistoryLine {
        at: moment(why.at),
        turn: if change.status == Status::Active { Turn::Active } else { Turn::Inactive },
        by: Some(actor(&why.by)),
        text,
        evidence: evidence(why.evidence.as_ref(), why.at),
    }
}

/// The line of the history that tells of another owner.
pub(super) fn handed_over(before: &PreviousOwner) -> HistoryLine {
    let text = match before.owner.kind {
        PrincipalKind::ApiKey => format!("The API key {} was deleted.", before.owner.name),
        PrincipalKind::User | PrincipalKind::System => format!("{} left or was removed.", before.owner.name),
    };
    HistoryLine { at: moment(before.until), turn: Turn::HandedOver, by: None, text, evidence: Evidence::default() }
}

/// Why a webhook was turned off.
fn turned_off(why: &StatusReason) -> String {
    match reason(why) {
        Reason::Failing { for_time } => format!("Every attempt failed for {for_time}."),
        Reason::Gone => "The receiver answered 410 Gone.".to_owned(),
        Reason::DestinationForbidden => "The URL leads to an address that may not be called.".to_owned(),
        Reason::Manual | Reason::StillActive { .. } => match message(why).as_str() {
            "" => BY_HAND.to_owned(),
            written => format!("{BY_HAND} “{written}”"),
        },
    }
}

/// What the dot of a webhook means; nothing for one that is active and works.
pub(super) fn why(webhook: &WebhookDetails) -> String {
    match (webhook.status, &webhook.status_reason, webhook.will_turn_off_at) {
        (Status::Inactive, Some(why), _) => {
            format!("{} By {}, {} UTC.", turned_off(why), actor(&why.by).name, moment(why.at).text)
        }
        (Status::Inactive, None, _) => BY_HAND.to_owned(),
        (Status::Active, _, Some(off_at)) => {
            format!("All attempts fail. Will be turned off on {} UTC.", moment(off_at).text)
        }
        (Status::Active, _, None) => String::new(),
    }
}

/// The newest deliveries of a webhook as bars.
pub(super) fn strip(newest: &[RecentDelivery]) -> Strip {
    let bar = |delivery: &RecentDelivery| match delivery.state {
        State::Delivered => Bar::Delivered,
        State::Failed => Bar::Failed,
        State::Pending | State::Held if delivery.tried => Bar::Failed,
        State::Pending | State::Held | State::Cancelled => Bar::Waiting,
    };
    let from = newest.len().saturating_sub(Strip::BARS);
    Strip { bars: newest[from..].iter().map(bar).collect() }
}

/// Whether a receiver took something of these, and whether it took a test.
pub(super) fn first_steps(newest: &[RecentDelivery]) -> (bool, bool) {
    let mut taken = newest.iter().filter(|delivery| delivery.state == State::Delivered).peekable();
    (taken.peek().is_some(), taken.any(|delivery| delivery.is_test))
}

/// What an event is about, by its data: the name, e-mail address or URL of its object, with the role or group's member.
pub(super) fn object(data: &str) -> String {
    let data: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
    let name = |of: &serde_json::Value| {
        let known = ["name", "email", "url", "plan", "id"].into_iter().filter_map(|key| of.get(key)?.as_str());
        known.map(str::to_owned).find(|name| !name.is_empty())
    };
    let object = data.get("object").and_then(name);
    let member = ["principal", "member"].into_iter().find_map(|key| data.get(key).and_then(name));
    match (object, member) {
        (Some(object), Some(member)) => format!("{object}: {member}"),
        (Some(object), None) => object,
        (None, _) if data.get("license_id").is_some() => "License".to_owned(),
        (None, _) => data.get("message").and_then(|text| text.as_str()).unwrap_or("–").to_owned(),
    }
}

/// The id of what an event is about.
pub(super) fn object_id(data: &str) -> Option<String> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    Some(data.get("object")?.get("id")?.as_str()?.to_owned())
}

/// The name of the thing with this id, wherever in an event's data it is.
pub(super) fn named(data: &str, id: &str) -> Option<String> {
    fn search<'a>(value: &'a serde_json::Value, id: &str) -> Option<&'a str> {
        if value.get("id").and_then(|it| it.as_str()) == Some(id) {
            return ["name", "email", "url", "plan"].into_iter().find_map(|key| value.get(key)?.as_str());
        }
        match value {
            serde_json::Value::Object(fields) => fields.values().find_map(|value| search(value, id)),
            serde_json::Value::Array(values) => values.iter().find_map(|value| search(value, id)),
            _ => None,
        }
    }
    search(&serde_json::from_str(data).ok()?, id).map(str::to_owned)
}

/// How an event came about.
pub(super) fn origin(origin: &Origin) -> OriginView {
    let way = match origin.via {
        Via::Console => "Console",
        Via::Api => "API",
        Via::CommandLine => "Command line",
        Via::System => "Bellwire itself",
    };
    let text =
        origin.address.map_or_else(|| way.to_owned(), |address| format!("{way}, from {}", address.to_canonical()));
    OriginView { text, api_key: origin.api_key_id.map(|id| id.to_string()) }
}

/// The title of an event type; one of another version of the catalogue keeps its name.
pub(super) fn type_title(name: &str) -> String {
    EventType::parse(name).map_or_else(|_| name.to_owned(), |event_type| event_type.entry().title.to_owned())
}

/// The options of a choice of event types, under their names.
pub(super) fn type_choices(types: impl Iterator<Item = EventType>, chosen: &str) -> Vec<Choice> {
    types.map(|it| Choice::new(it.as_str(), it.as_str(), it.as_str() == chosen)).collect()
}

#[cfg(test)]
mod tests;
