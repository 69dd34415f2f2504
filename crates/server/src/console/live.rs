//! `GET /live`: tells open pages that something they show has changed (server-sent events).
//!
//! Only the name of what changed is sent; the page then loads itself again, with all the checks of loading. A stream ends
//! when the process is about to, and when its session does: that is looked at every [`CHECK`]. Who lags behind is told that everything changed.
//!
//! Other nodes tell what they change ([`crate::ops::nodes`]). Should that get lost, the workspace's feed has gone on all the same when
//! it is looked at, and the page is told that everything changed.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use bellwire_core::id::WorkspaceId;
use futures_util::{Stream, stream};
use http::StatusCode;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{reply::Answer, request::Visitor};
use crate::{
    app::{App, LiveChange, TOPICS},
    clock::Moment,
    ops::{events, sign_in},
    routes::{Routes, get},
};

/// How often an open stream asks whether its session is still good.
const CHECK: Duration = Duration::from_secs(15);
pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/live", get(live))
}

async fn live(visitor: Visitor) -> Answer {
    let session = visitor.session().await?;
    let actor = session.and_then(|session| session.workspace);
    // 204 tells the browser not to come back; a redirect to the sign-in page would be read as a broken stream.
    let (Some(actor), Some(token)) = (actor, visitor.token) else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    // As of now, before the page looks again because the stream has begun.
    let sequence = match visitor.app.db.is_shared() {
        true => Some(events::newest(&visitor.app, actor.workspace).await?),
        false => None,
    };
    Ok(respond(Listener {
        changes: visitor.app.live.subscribe(),
        check_at: visitor.app.clock.moment().plus(CHECK),
        workspace: actor.workspace,
        app: visitor.app,
        token,
        sequence,
        told: false,
        waiting: Vec::new(),
    }))
}

fn respond(listener: Listener) -> Response {
    Sse::new(listener.into_stream()).keep_alive(KeepAlive::default()).into_response()
}

/// One open page.
struct Listener {
    app: App,
    changes: Receiver<LiveChange>,
    workspace: WorkspaceId,
    token: String,
    check_at: Moment,
    /// Where there may be other nodes: the number of the newest event when it was last looked at, and whether there was news of
    /// events since.
    sequence: Option<i64>,
    told: bool,
    /// Topics that are still to be sent.
    waiting: Vec<&'static str>,
}

impl Listener {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut listener| async move {
            let topic = listener.next().await?;
            Some((Ok(Event::default().event("changed").data(topic)), listener))
        })
    }

    /// The next topic, or nothing when the stream is over.
    async fn next(&mut self) -> Option<&'static str> {
        loop {
            if let Some(topic) = self.waiting.pop() {
                return Some(topic);
            }
            let (clock, app) = (self.app.clock.clone(), self.app.clone());
            tokio::select! {
                () = app.stopped() => return None,
                change = self.changes.recv() => match change {
                    Ok(LiveChange::Of { workspace, topic }) if workspace == self.workspace => {
                        self.told |= topic == "events";
                        self.waiting.push(topic);
                    }
                    Ok(LiveChange::Of { .. }) => {}
                    Ok(LiveChange::Anything) | Err(RecvError::Lagged(_)) => self.waiting.extend(TOPICS),
                    Err(RecvError::Closed) => return None,
                },
                () = clock.sleep_until(self.check_at) => {
                    self.check_at = self.app.clock.moment().plus(CHECK);
                    let session = sign_in::session(&self.app, &self.token).await.ok()??;
                    if session.workspace.is_none_or(|actor| actor.workspace != self.workspace) {
                        return None;
                    }
                    self.catch_up().await?;
                }
            }
        }
    }

    /// Looks whether another node has changed something of which no news came. `None`: the database can't say.
    async fn catch_up(&mut self) -> Option<()> {
        let Some(before) = self.sequence else { return Some(()) };
        let sequence = events::newest(&self.app, self.workspace).await.ok()?;
        if !std::mem::take(&mut self.told) && before != sequence {
            self.waiting.extend(TOPICS);
        }
        self.sequence = Some(sequence);
        Some(())
    }
}
