//! The days before the demo begins. They pass hour by hour on a clock that is moved, with the engine at work: so the pages have
//! a history, and everything in it happened.

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use bellwire_core::{catalogue::EventType, delivery::State, text::Reason, time::Timestamp};

use super::{Cast, PAUSED, receiver::Trouble, seed, tell, told_types, use_up};
use crate::{
    app::App,
    cli::serve,
    clock::{Clock, Randomness},
    config::Config,
    db::{
        page::PageRequest,
        recent::RecentDelivery,
        webhooks::{Sort, StatusFilter, Wanted},
    },
    error::Error,
    ops::{overview, webhooks},
};

const HOUR: Duration = Duration::from_hours(1);
/// How many hours there are to tell of.
const HOURS: u32 = 72;
/// How many hours ago things went wrong.
const PAUSED_AGO: u32 = 30;
const BROKEN_AGO: u32 = 14;
const GONE_AGO: u32 = 7;

/// Lives through them, from the set-up of the workspace on.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn live_through(config: &Config, receiver: SocketAddr, trouble: &Trouble) -> Result<Cast, String> {
    let now = Clock::System.now();
    let clock = Clock::fake(now.saturating_sub(HOUR.saturating_mul(HOURS)));
    // Nobody looks yet: any port will do.
    let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..config.clone() };
    let server = serve::start(config, clock, Randomness::from_system()).await?;
    let lived = live(&server.app, receiver, trouble, now).await;
    server.stop().await;
    lived.map_err(|error| format!("can't fill the demo: {error}"))
}

async fn live(app: &App, receiver: SocketAddr, trouble: &Trouble, now: Timestamp) -> Result<Cast, Error> {
    let cast = seed(app, receiver).await?;
    let types = told_types();
    let mut round = 0;
    for ago in (1..=HOURS).rev() {
        trouble.broken.store(ago <= BROKEN_AGO, Ordering::Relaxed);
        trouble.gone.store(ago <= GONE_AGO, Ordering::Relaxed);
        if ago == PAUSED_AGO {
            pause(app, &cast).await?;
        }
        let events = events_in(ago);
        for _ in 0..events {
            app.clock.advance(HOUR / (events + 1));
            happens(app, &cast, &types, round).await?;
            round += 1;
        }
        app.clock.advance(HOUR / (events + 1));
    }
    // What the division left over.
    app.clock.advance(now.since(app.clock.now()));
    settle(app, &cast).await?;
    Ok(cast)
}

/// Some hours are busier than others.
fn events_in(ago: u32) -> u32 {
    if ago % 24 < 12 { 3 + ago * 7 % 4 } else { 1 }
}

async fn happens(app: &App, cast: &Cast, types: &[EventType], round: usize) -> Result<(), Error> {
    if round % 5 == 4 {
        use_up(app, &cast.automation, round).await?;
    } else {
        tell(app, &cast.automation, types, round).await?;
    }
    settle(app, cast).await
}

async fn pause(app: &App, cast: &Cast) -> Result<(), Error> {
    let wanted = Wanted { search: Some(PAUSED.0.to_owned()), ..Wanted::default() };
    let found = webhooks::list(app, &cast.ann, wanted, PageRequest::numbered(1, 1, Sort::Url, false)).await?;
    let why = Reason::parse(PAUSED.1).map_err(|error| Error::invalid("reason", error))?;
    match found.data.first() {
        Some(webhook) => webhooks::deactivate(app, &cast.ann, webhook.id, why).await.map(drop),
        None => Ok(()),
    }
}

/// Waits until what just happened was sent, so that it was sent when it happened; not for ever.
async fn settle(app: &App, cast: &Cast) -> Result<(), Error> {
    const TRIES: u32 = 200;
    const AGAIN: Duration = Duration::from_millis(5);
    for _ in 0..TRIES {
        let wanted = Wanted { status: Some(StatusFilter::Active), ..Wanted::default() };
        let all = webhooks::list(app, &cast.ann, wanted, PageRequest::numbered(1, 50, Sort::Url, false)).await?;
        let recent = overview::deliveries(app, &cast.ann, &all.data, app.clock.now().saturating_sub(HOUR)).await?;
        let untried = |it: &RecentDelivery| it.state == State::Pending && !it.tried;
        if !recent.values().flatten().any(untried) {
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}
