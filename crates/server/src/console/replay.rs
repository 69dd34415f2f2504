//! *Replay failed…*: begun in a dialog, with its progress on the webhook's page, where it can be ended.

use std::time::Duration;

use axum::extract::Path;
use bellwire_core::{
    delivery::State,
    id::{ReplayId, WebhookId},
};
use http::StatusCode;

use super::{
    reply::{self, Answer, Failure},
    request::{Fields, Signed},
    view::{
        Toast,
        parts::{Choice, thousands},
        webhook::{ReplayDialog, ReplayProgress},
    },
    webhook::{SPANS, own_page, span},
    webhooks::{beneath, id, managed},
};
use crate::{
    app::App,
    db::{
        page::PageRequest,
        replays::{ByTime, Replay, ReplayStatus},
    },
    error::Error,
    ops::replays::{self, NewReplay},
    routes::{Routes, get, post},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/webhooks/{id}/replay", get(replay_dialog).post(replay))
        .route("/replays/{id}/cancel", post(cancel))
}

/// For how long a replay that has ended is shown.
const REMEMBERED: Duration = Duration::from_mins(10);

/// How far the newest replay of a webhook is, unless it ended long ago.
pub(super) async fn latest(signed: &Signed, webhook: WebhookId) -> Result<Option<ReplayProgress>, Failure> {
    let newest = PageRequest::numbered(1, 1, ByTime, true);
    let found = replays::list(&signed.app, &signed.actor, webhook, newest).await?.data;
    let long_ago = signed.app.clock.now().saturating_sub(REMEMBERED);
    Ok(found.first().filter(|it| it.ended_at.is_none_or(|ended| ended > long_ago) && it.total > 0).map(progress))
}

fn progress(it: &Replay) -> ReplayProgress {
    let (done, sent, total) = (thousands(it.looked_at), thousands(it.sent), thousands(it.total));
    ReplayProgress {
        id: it.id.to_string(),
        sentence: match it.status {
            ReplayStatus::Running => format!("Replay: {done} of {total} deliveries looked at, {sent} sent again."),
            ReplayStatus::Paused => {
                format!("Replay paused at {done} of {total} deliveries. It goes on when the webhook is turned on.")
            }
            ReplayStatus::Done => format!("Replay done: {sent} of {total} deliveries were sent again."),
            ReplayStatus::Cancelled => {
                format!("Replay ended: {sent} of {total} deliveries were sent again until then.")
            }
        },
        looked_at: it.looked_at,
        // What was counted may have grown meanwhile.
        total: it.looked_at.max(it.total.into()),
        is_over: it.status.is_over(),
    }
}

async fn cancel(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let replay: ReplayId = id(&text)?;
    let done = replays::cancel(&signed.app, &signed.actor, replay).await;
    reply::back(&fields.return_to("/webhooks"), done, |_| {
        Toast::success("Replay ended. What it has sent again by then stays sent.")
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
    use bellwire_core::{event::EventActor, id::Id, time::Timestamp};

    use super::*;

    #[test]
    fn progress_is_said_in_a_sentence() {
        let at = Timestamp::parse("2026-11-23T09:00:00Z").unwrap();
        let replay = Replay {
            id: Id::new(at, [1; 10]),
            webhook_id: Id::new(at, [2; 10]),
            by: EventActor::system(),
            state: State::Failed,
            event_type: None,
            since: at,
            until: at,
            status: ReplayStatus::Running,
            total: 1_284,
            looked_at: 400,
            sent: 398,
            created_at: at,
            updated_at: at,
            ended_at: None,
        };
        let shown = progress(&replay);
        assert_eq!(shown.sentence, "Replay: 400 of 1,284 deliveries looked at, 398 sent again.");
        assert_eq!((shown.looked_at, shown.total, shown.is_over), (400, 1_284, false));
        let more = progress(&Replay { looked_at: 1_300, status: ReplayStatus::Done, ..replay });
        assert_eq!((more.total, more.is_over), (1_300, true));
    }
}
