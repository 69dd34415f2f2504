//! The newest replay on the page of its webhook: how far it is, and how to end it.

use std::time::Duration;

use axum::extract::Path;
use bellwire_core::id::{ReplayId, WebhookId};

use super::{
    reply::{self, Answer},
    request::{Fields, Signed},
    view::{Toast, parts::thousands, replays::ReplayLine},
    webhooks::id,
};
use crate::{
    app::App,
    db::{
        page::PageRequest,
        replays::{ByTime, Replay, ReplayStatus},
    },
    error::Error,
    ops::replays,
    routes::{Routes, post},
};

/// How long one that has ended is still told of.
const TOLD: Duration = Duration::from_mins(10);

pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/replays/{id}/cancel", post(cancel))
}

/// The newest replay of a webhook, while there is something to tell of it.
pub(super) async fn newest(signed: &Signed, webhook: WebhookId) -> Result<Option<ReplayLine>, Error> {
    let request = PageRequest::numbered(1, 1, ByTime, true);
    let newest = replays::list(&signed.app, &signed.actor, webhook, request).await?.data.pop();
    let now = signed.app.clock.now();
    Ok(newest
        .filter(|replay| replay.total > 0 && replay.ended_at.is_none_or(|ended| now.since(ended) < TOLD))
        .map(|replay| line(&replay)))
}

fn line(replay: &Replay) -> ReplayLine {
    let looked_at = u32::try_from(replay.looked_at).unwrap_or(u32::MAX);
    let total = replay.total.max(looked_at);
    let so_far = format!("{} of {} deliveries", thousands(looked_at), thousands(total));
    ReplayLine {
        id: replay.id.to_string(),
        text: match replay.status {
            ReplayStatus::Running => format!("Replay: {so_far} are on their way again."),
            ReplayStatus::Paused => format!("Replay: {so_far}; it goes on when the webhook is turned on."),
            ReplayStatus::Done => format!("Replay: all of {} deliveries are on their way again.", thousands(total)),
            ReplayStatus::Cancelled => format!("Replay: ended after {so_far}."),
        },
        looked_at,
        total,
        is_over: replay.status.is_over(),
    }
}

async fn cancel(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let replay: ReplayId = id(&text)?;
    let done = replays::cancel(&signed.app, &signed.actor, replay).await;
    let webhook = done.as_ref().map_or_else(|_| "/webhooks".to_owned(), |it| format!("/webhooks/{}", it.webhook_id));
    reply::back(&fields.return_to(&webhook), done, |_| Toast::success("Replay ended."))
}

#[cfg(test)]
mod tests {
    use bellwire_core::{delivery::State, event::EventActor, time::Timestamp};

    use super::*;
    use crate::clock::Randomness;

    #[test]
    fn a_line_says_how_far_it_is() {
        let (random, now) = (Randomness::seeded(1), Timestamp::default());
        let mut replay = Replay {
            id: random.id(now),
            webhook_id: random.id(now),
            by: EventActor::system(),
            state: State::Failed,
            event_type: None,
            since: now,
            until: now,
            status: ReplayStatus::Running,
            total: 12_000,
            looked_at: 1_200,
            sent: 1_190,
            created_at: now,
            updated_at: now,
            ended_at: None,
        };
        assert_eq!(line(&replay).text, "Replay: 1,200 of 12,000 deliveries are on their way again.");
        replay.status = ReplayStatus::Done;
        replay.looked_at = 13_000;
        let done = line(&replay);
        assert_eq!(done.text, "Replay: all of 13,000 deliveries are on their way again.");
        assert!(done.is_over && done.looked_at == done.total);
    }
}
