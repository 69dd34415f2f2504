//! Carries replays out: one short step after the other, of all replays in turn, until none has anything left to do.

use std::time::Duration;

use super::Shared;
use crate::ops;

/// How often to look for what nobody told us of: replays of a webhook that was turned on, of another node, of before a restart.
const EVERY: Duration = Duration::from_secs(5);

/// Runs until the engine stops.
pub(super) async fn run(shared: &Shared) {
    let clock = &shared.app.clock;
    while !shared.stopping() {
        match ops::replays::step(&shared.app).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => error.log(),
        }
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = shared.replay.notified() => {}
            () = clock.sleep(EVERY) => {}
        }
    }
}
