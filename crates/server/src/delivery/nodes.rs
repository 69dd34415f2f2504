//! This node among others: it gives signs of life, listens to the others and tells them what it does ([`ops::nodes`]).
//!
//! Once a second it asks the database's clock. As long as that is not answered no attempt begins: its leases may be running out,
//! and what became of it could not be written down. The moment that it is answered again, the lanes go on.

use std::sync::Weak;

use super::Shared;
use crate::{app::App, error::Error, ops};

/// Runs until it is ended.
pub(super) async fn run(app: &App, shared: &Weak<Shared>) {
    tokio::join!(live(app, shared), ops::nodes::listen(app), ops::nodes::tell(app));
}

async fn live(app: &App, shared: &Weak<Shared>) {
    let mut pulse = ops::nodes::Pulse::new(app);
    loop {
        let until = app.database_clock.confirmed_until();
        let beat = pulse.beat(app).await;
        // Somebody may have been kept from beginning until just now.
        if app.clock.moment() >= until
            && app.database_clock.is_confirmed()
            && let Some(shared) = shared.upgrade()
        {
            tracing::info!("the database answers again");
            shared.lanes.go_on(&shared);
        }
        match beat {
            // The answer took so long that it says nothing of now.
            Ok(()) if !app.database_clock.is_confirmed() => continue,
            Ok(()) => {}
            Err(error) => Error::from(error).log(),
        }
        pulse.rest(app).await;
    }
}
