//! The engine: sends what is owed, and writes down what became of it.
//!
//! * `dispatch` takes what was just committed ([`Signal::Owed`]) and gives it to the *lanes* ([`lanes`]), one for each webhook
//!   ([`lane`]). How many exchanges are under way at once, and whose turn is next, is a matter of [`exchanges`].
//! * A lane's workers sign and send ([`send`]) over connections that were opened after checking the address ([`dial`]).
//! * [`finish`] writes outcomes in batches: as many as have come in while the batch before was being committed.
//! * [`sweep`] claims what is due in the database: retries, resends, what did not fit in memory, what a dead node left. It looks
//!   when the *agenda* says so ([`agenda`]) and walks through an index every few seconds, for hints may be lost.
//! * [`replay`] makes due, step by step, what somebody replays.
//! * [`nodes`] says that this node lives, and knows whether the database can be reached: if it can't, no attempt begins.
//! * [`tick`] does what is due by the clock: turns off webhooks that fail for too long, ends invites, prunes.
//!
//! What always holds:
//! - A delivery that is in memory holds a lease in the database and a place in memory. The place is given back only after the
//!   outcome is committed, so that memory stays bounded when the database is slow, and nobody else sends it meanwhile.
//! - Whatever is lost from memory, at any moment, is found again by the sweep when its lease ends: at least once.
//! - Everything that waits asks the app's clock, except the two limits of an exchange and the patience of [`Engine::drain`].

mod agenda;
mod dial;
mod exchanges;
mod finish;
mod lane;
mod lanes;
mod nodes;
mod replay;
mod resolve;
mod send;
mod sweep;
mod target;
#[cfg(test)]
mod tests;
mod tick;
mod tls;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bellwire_core::time::Timestamp;
use futures_util::FutureExt;
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use self::{
    agenda::Agenda,
    dial::{Dialer, Failure},
    exchanges::Exchanges,
    finish::Finished,
    lanes::Lanes,
    resolve::Resolver,
    send::{Answer, Connection},
    target::Target,
};
use crate::{
    app::{App, Owed, Signal},
    clock::Moment,
    ops,
};

/// How far transactions are apart of which the last wrote something of so many webhooks, a millisecond for each: what belongs to one
/// lies on pages of its own, and the larger the steps, the more share a page that is written.
fn apart([least, most]: [Duration; 2], webhooks: usize) -> Duration {
    Duration::from_millis(webhooks.try_into().unwrap_or(u64::MAX)).clamp(least, most)
}

/// Idle connections that are kept, of all webhooks together.
const IDLE_CONNECTIONS: usize = 1_024;
/// How long [`Engine::drain`] waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a task of the engine rests after it has panicked.
const AGAIN: Duration = Duration::from_secs(1);

/// How long an exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until there is a connection: resolving, connecting and encrypting.
    pub connect: Duration,
    /// In all, from resolving to the last byte of the answer.
    pub exchange: Duration,
}

impl Default for Limits {
    /// 5 s to connect, 15 s in all.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), exchange: Duration::from_secs(15) }
    }
}

/// The running engine.
pub struct Engine {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    finish: JoinHandle<()>,
    /// Goes on until all is written: others are to hear of what is given back.
    nodes: JoinHandle<()>,
}

/// What takes requests to receivers.
enum Transport {
    /// Connections over the network.
    Network { dialer: Dialer, limits: Limits },
    /// Receivers in this process, with a clock that is moved by hand.
    #[cfg(test)]
    Simulated(Arc<tests::simulation::Receivers>),
}

impl Transport {
    fn network(app: &App, limits: Limits, resolver: Resolver) -> Result<Self, String> {
        let tls = tls::connector(app.config.extra_ca_file.as_deref())
            .map_err(|error| format!("the setting --extra-ca-file (BELLWIRE_EXTRA_CA_FILE): {error}"))?;
        Ok(Self::Network { dialer: Dialer { addresses: app.addresses.clone(), resolver, tls }, limits })
    }

    /// How many exchanges at once.
    fn places(&self) -> Exchanges {
        match self {
            Self::Network { .. } => Exchanges::default(),
            // So few that lanes have to stand in line for them.
            #[cfg(test)]
            Self::Simulated(_) => Exchanges::new(4, 3),
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        open: Option<Connection>,
        owed: &Owed,
        now: Timestamp,
    ) -> Result<(Answer, Option<Connection>), Failure> {
        match self {
            Self::Network { dialer, limits } => send::exchange(dialer, limits, target, open, owed, now).await,
            #[cfg(test)]
            Self::Simulated(receivers) => receivers.exchange(target, owed).await,
        }
    }
}

/// What the engine's tasks share.
struct Shared {
    app: App,
    transport: Transport,
    lanes: Lanes,
    exchanges: Exchanges,
    agenda: Arc<Agenda>,
    /// When this engine began.
    started: Moment,
    /// Places for idle connections.
    idle: Arc<Semaphore>,
    finish: mpsc::UnboundedSender<Finished>,
    /// A replay was begun.
    replay: Notify,
    /// There may be more to send than is known.
    look: Notify,
    stop: watch::Sender<bool>,
}

/// Starts the engine on the current runtime.
///
/// # Errors
/// With a sentence for the operator when the file of certificate authorities can't be used.
pub fn start(app: &App, signals: mpsc::UnboundedReceiver<Signal>) -> Result<Engine, String> {
    Ok(start_with(app, signals, Transport::network(app, Limits::default(), Resolver::default())?))
}

fn start_with(app: &App, mut signals: mpsc::UnboundedReceiver<Signal>, transport: Transport) -> Engine {
    // Bounded by the places in memory: every outcome holds the place of its delivery.
    let (finish, mut finished) = mpsc::unbounded_channel();
    let agenda = Arc::new(Agenda::default());
    let shared = Arc::new(Shared {
        app: app.clone(),
        exchanges: transport.places(),
        transport,
        lanes: Lanes::default(),
        started: app.clock.moment(),
        agenda: Arc::clone(&agenda),
        idle: Arc::new(Semaphore::new(IDLE_CONNECTIONS)),
        finish,
        replay: Notify::new(),
        look: Notify::new(),
        stop: watch::Sender::new(false),
    });
    let [dispatching, sweeping, ticking, replaying] = [(); 4].map(|()| Arc::clone(&shared));
    let tasks = vec![
        tokio::spawn(async move { while panicked(&dispatching.app, dispatch(&dispatching, &mut signals)).await {} }),
        tokio::spawn(async move { while panicked(&sweeping.app, sweep::run(&sweeping)).await {} }),
        tokio::spawn(async move { while panicked(&ticking.app, tick::run(&ticking)).await {} }),
        tokio::spawn(async move { while panicked(&replaying.app, replay::run(&replaying)).await {} }),
    ];
    // It ends when nobody can hand it anything any more, so it must not hold `shared`.
    let (app, living, lanes) = (app.clone(), app.clone(), Arc::downgrade(&shared));
    let finish = tokio::spawn(async move { while panicked(&app, finish::run(&app, &agenda, &mut finished)).await {} });
    let nodes = tokio::spawn(async move { while panicked(&living, nodes::run(&living, &lanes)).await {} });
    Engine { shared, tasks, finish, nodes }
}

/// Runs a task of the engine to its end. `true`: it has panicked, and is to be run again. What it had in hand is found again
/// when the leases end; an engine that stands still would be found by nobody.
async fn panicked(app: &App, task: impl Future<Output = ()>) -> bool {
    let result = AssertUnwindSafe(task).catch_unwind().await;
    if result.is_err() {
        tracing::error!("a task of the engine panicked; it is started again");
        app.clock.sleep(AGAIN).await;
    }
    result.is_err()
}

impl Engine {
    /// Takes nothing new, waits up to 30 s for what is under way to end and be written, and gives all other leases back.
    pub async fn drain(self) {
        let Self { shared, tasks, finish, nodes } = self;
        let app = shared.app.clone();
        // What is recorded from here on is left to whoever comes next: nobody here would send it.
        app.wake.close();
        shared.stop.send_replace(true);
        shared.lanes.stop(&shared);
        drop(shared);
        let ended = timeout(PATIENCE, async {
            for task in tasks {
                let _ = task.await;
            }
            let _ = finish.await;
            nodes.abort();
            if let Err(error) = ops::nodes::leave(&app).await {
                tracing::debug!(%error, "the other nodes can't be told; they will see");
            }
        });
        if ended.await.is_err() {
            tracing::warn!("some deliveries were still under way; they are sent again when their leases end");
        }
    }
}

impl Shared {
    fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    async fn stopped(&self) {
        // Fails only when the sender is gone, which `self` holds.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    fn finish(&self, finished: Finished) {
        // Nobody listens only after a panic of `finish`: the leases end by themselves.
        let _ = self.finish.send(finished);
    }

    /// Gives a lease back without an attempt; it is due again at `due`, by the database's clock.
    fn release(&self, owed: Owed, due: Timestamp) {
        self.finish(Finished::Release(owed, due));
    }
}

async fn dispatch(shared: &Arc<Shared>, signals: &mut mpsc::UnboundedReceiver<Signal>) {
    loop {
        let signal = tokio::select! {
            biased;
            signal = signals.recv() => signal,
            () = shared.stopped() => break,
        };
        let Some(signal) = signal else { return };
        match signal {
            Signal::Owed(owed) => shared.lanes.push(shared, owed, |_| false),
            Signal::Due(webhooks) => {
                let now = shared.app.database_clock.now();
                webhooks.into_iter().for_each(|(workspace, webhook)| shared.agenda.note(workspace, webhook, now));
            }
            Signal::Replay => shared.replay.notify_one(),
            Signal::Changed(webhook) => shared.lanes.changed(shared, webhook),
            Signal::Look => {
                shared.lanes.all_changed(shared);
                shared.look.notify_one();
            }
        }
    }
    signals.close();
    let now = shared.app.database_clock.now();
    while let Some(signal) = signals.recv().await {
        if let Signal::Owed(owed) = signal {
            owed.into_iter().for_each(|owed| shared.release(owed, now));
        }
    }
}
