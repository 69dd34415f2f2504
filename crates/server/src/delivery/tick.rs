//! What is due by the clock, once a second: webhooks that fail for too long are turned off, invites end, licenses are renewed or expire, what was skipped is written down, and what is old is deleted.
//!
//! Each step is a small transaction of its own and can be cut off or done twice without harm. Nothing here is asked for by
//! anybody; it looks at the data, so that it does the same after a restart.

use std::time::Duration;

use bellwire_core::{
    event::By,
    id::{WebhookId, WorkspaceId},
    time::Timestamp,
};

use super::{Shared, finish::Attempted};
use crate::{
    app::{App, Owed, Signal},
    clock::Moment,
    db::{
        self, DbError,
        health::{HealthRow, LastError},
        prune::STEP,
        status_changes::{Evidence, StatusCode},
    },
    error::Error,
    ops,
};

const EVERY: Duration = Duration::from_secs(1);
/// Steps of clearing in one second: at the most 10,000 rows of a table.
const STEPS: usize = 100;
/// How long an idempotency key is known.
const KEYS: Duration = Duration::from_hours(24);

/// Runs until the engine stops.
pub(super) async fn run(shared: &Shared) {
    let app = shared.app.clone();
    let mut watch = Watch::default();
    let mut first = ops::license::clock::issue_missing(&app).await;
    loop {
        let next = app.clock.moment().plus(EVERY);
        if first.is_err() {
            first = ops::license::clock::issue_missing(&app).await;
        }
        let done = [
            std::mem::replace(&mut first, Ok(())),
            watch.go_on(&app).await,
            ops::invites::expire_due(&app).await.map(drop),
            ops::license::clock::advance_due(&app).await.map(drop),
            clear(shared).await,
        ];
        for result in done {
            if let Err(error) = result {
                error.log();
            }
        }
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = app.clock.sleep_until(next) => {}
        }
    }
}

/// Writes down what was skipped, deletes what is old.
async fn clear(shared: &Shared) -> Result<(), Error> {
    let app = &shared.app;
    let due = app.database_clock.now();
    // A clock that was set forward makes nothing old.
    let now = app.clock.now().min(due);
    let (old, keys) = (now.saturating_sub(app.config.retention), now.saturating_sub(KEYS));
    for _ in 0..STEPS {
        let changed = app
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let skipped = db::deliveries::cancel_skipped(conn, due, STEP).await?;
                    let history = db::prune::history(conn, old, STEP).await?;
                    let replays = db::prune::replays(conn, old, STEP).await?;
                    Ok::<_, DbError>(skipped + history + replays + db::prune::short_lived(conn, now, keys, STEP).await?)
                })
            })
            .await?;
        if changed == 0 || shared.stopping() {
            break;
        }
    }
    Ok(())
}

/// How long this engine has been at work.
#[derive(Default)]
struct Watch {
    /// When it last said so.
    said: Option<Moment>,
}

impl Watch {
    /// Between two times of saying so.
    const EVERY: Duration = Duration::from_secs(30);

    /// Says, now and then, that an engine is at work. Only then turns off what has failed for too long: a time in which nobody
    /// was at work must not count.
    async fn go_on(&mut self, app: &App) -> Result<(), Error> {
        let moment = app.clock.moment();
        if self.said.is_none_or(|said| moment.since(said) >= Self::EVERY) {
            let now = app.database_clock.now();
            let since = now.saturating_sub(self.said.map_or(Duration::ZERO, |said| moment.since(said)));
            app.db.write(move |conn| Box::pin(async move { db::health::at_work(conn, now, since).await })).await?;
            self.said = Some(moment);
        }
        turn_off_failing(app).await
    }
}

/// Turns off the webhooks all of whose attempts have failed for as long as the policy says.
async fn turn_off_failing(app: &App) -> Result<(), Error> {
    let since = app.database_clock.now().saturating_sub(app.retry.deactivate_after);
    let failing =
        app.db.read(move |conn| Box::pin(async move { db::health::failing_since(conn, since, STEP).await })).await?;
    for (workspace, webhook) in failing {
        let after = words(app.retry.deactivate_after);
        let turned_off = turn_off(app, workspace, webhook, move |health, _| {
            // It may have worked again a moment ago.
            let first = health.failing_since.filter(|first| first.shifted(health.failing_uncounted) <= since)?;
            let forbidden =
                health.last_error.as_ref().filter(|error| error.code.as_deref() == Some("address_forbidden"));
            let (code, message) = match forbidden {
                Some(error) => (StatusCode::DestinationForbidden, error.message.clone()),
                None => (StatusCode::Failing, format!("All attempts failed for {after}.")),
            };
            Some((code, message, evidence(first, health)))
        });
        // One that can't be turned off keeps nobody from turning off the others.
        if let Err(error) = turned_off.await {
            error.log();
        }
    }
    Ok(())
}

/// Turns a webhook off whose receiver answered `410 Gone`: `error` is that answer. One that was turned on after the attempt had begun
/// stays on: whoever did that knows more than the answer.
pub(super) async fn turn_off_gone(app: &App, attempted: &Attempted, error: LastError) -> Result<(), Error> {
    let Owed { workspace, webhook, .. } = attempted.owed;
    let activations = attempted.activations;
    let turned_off = turn_off(app, workspace, webhook, move |health, turned_on| {
        if turned_on != activations {
            return None;
        }
        let first = health.failing_since.unwrap_or(error.at);
        let failing_attempts = health.failing_attempts.saturating_add(1);
        let health = HealthRow { failing_attempts, last_error: Some(error), ..health };
        let message = "The receiver answered 410 Gone: it wants no more events.".to_owned();
        Some((StatusCode::Gone, message, evidence(first, health)))
    });
    if !turned_off.await? {
        app.wake.send(Signal::Changed(webhook)); // what the lane knows of it is old
    }
    Ok(())
}

/// Asks `decide` in the transaction, and does what it says. Returns whether the webhook was turned off. The second argument is how often the webhook was turned on.
async fn turn_off(
    app: &App,
    workspace: WorkspaceId,
    webhook: WebhookId,
    decide: impl FnOnce(HealthRow, i64) -> Option<(StatusCode, String, Evidence)> + Send + 'static,
) -> Result<bool, Error> {
    let turned_off = ops::journal::transact(app, workspace, By::system(), false, move |tx| {
        Box::pin(async move {
            let Some(health) = db::health::get(tx.conn, webhook).await? else { return Ok(false) };
            let activations = db::status_changes::activations(tx.conn, webhook).await?;
            let Some((code, message, evidence)) = decide(health, activations) else { return Ok(false) };
            ops::webhooks::turn_off(tx, webhook, code, &message, Some(evidence)).await
        })
    });
    let turned_off = turned_off.await?;
    if turned_off {
        app.metrics.turned_off.add(1);
        app.changed(workspace, "webhooks");
        tracing::info!(%webhook, "turned off");
    }
    Ok(turned_off)
}

fn evidence(first: Timestamp, health: HealthRow) -> Evidence {
    let (message, delivery) = health.last_error.map(|error| (error.message, error.delivery_id)).unzip();
    Evidence {
        first_failure_at: Some(first),
        failed_attempts: health.failing_attempts.into(),
        last_error: message,
        last_delivery_id: delivery,
    }
}

/// A duration in words, in its largest unit that fits: "5 days", "36 hours".
fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let (size, unit) =
        units.into_iter().find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size)).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases =
            [(432_000, "5 days"), (86_400, "1 day"), (129_600, "36 hours"), (60, "1 minute"), (61, "61 seconds")];
        for (seconds, text) in cases {
            assert_eq!(words(Duration::from_secs(seconds)), text);
        }
    }
}
