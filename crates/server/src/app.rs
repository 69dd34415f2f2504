//! What every request and worker holds: the settings, the database, the clock, and the ways to wake the others.

use std::{collections::BTreeSet, ops::Deref, sync::Arc};

use bellwire_core::{
    address::AddressPolicy,
    delivery::Reason,
    id::{DeliveryId, EventId, NodeId, WebhookId, WorkspaceId},
    retry::RetryPolicy,
    time::Timestamp,
};
use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::task::TaskTracker;

use crate::{
    clock::{Clock, DatabaseClock, Randomness},
    config::Config,
    crypt::MasterKey,
    db::{self, Db, DbError},
    metrics::Metrics,
    ops::{
        api_keys::{Known, Uses},
        license::usage::Reporting,
        nodes::Nodes,
        publish::Publishing,
        sign_in::Throttle,
    },
    places::{Place, Places},
};

/// Places for deliveries in memory. What does not fit waits in the database.
pub const ROOM: usize = 16_384;
/// Bytes of a body that one place is for: a delivery with a larger one holds several, so that all of them have 64 MiB at the most.
const PLACE: usize = 4 * 1024;
/// What open pages can listen to.
pub const TOPICS: [&str; 11] = [
    "webhooks",
    "deliveries",
    "events",
    "users",
    "invites",
    "groups",
    "roles",
    "ownership",
    "api_keys",
    "license",
    "workspace",
];
/// Changes that a slow live page may lag behind before it is told to look at everything again.
const LIVE: usize = 256;

/// Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// The settings, as given at start.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// What time it is for whoever shares the database: by it everything is due.
    pub database_clock: DatabaseClock,
    /// Random bytes and ids.
    pub random: Randomness,
    /// Seals secrets.
    pub key: MasterKey,
    /// Which addresses webhooks may reach.
    pub addresses: AddressPolicy,
    /// When failed deliveries are tried again.
    pub retry: RetryPolicy,
    /// This process, as the holder of leases.
    pub node: NodeId,
    /// To the engine.
    pub wake: Wake,
    /// Tasks that commit and then tell of it. They belong to nobody's request; the engine ends after them.
    pub committing: TaskTracker,
    /// Publishes that wait for the next commit.
    pub publishing: Publishing,
    /// Reports of use that wait for the next commit.
    pub reporting: Reporting,
    /// Slows down whoever guesses passwords.
    pub sign_ins: Throttle,
    /// API keys whose use was written down in the last minute.
    pub key_uses: Uses,
    /// API keys that were looked up a moment ago.
    pub known_keys: Known,
    /// The other processes on the same database.
    pub nodes: Nodes,
    /// What is counted.
    pub metrics: Metrics,
    /// To the open pages.
    pub live: broadcast::Sender<LiveChange>,
    stage: watch::Sender<Stage>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Puts the parts together. The second value is the engine's end of [`Wake`].
    pub fn new(
        config: Config,
        db: Db,
        clock: Clock,
        random: Randomness,
        key: MasterKey,
    ) -> (Self, mpsc::UnboundedReceiver<Signal>) {
        let (sender, signals) = mpsc::unbounded_channel();
        let app = Self(Arc::new(Parts {
            addresses: AddressPolicy::new(config.allow_networks.clone()),
            retry: config.retry_policy(),
            node: random.id(clock.now()),
            database_clock: DatabaseClock::new(&clock),
            wake: Wake { sender, places: Places::new(ROOM) },
            committing: TaskTracker::new(),
            publishing: Publishing::default(),
            reporting: Reporting::default(),
            sign_ins: Throttle::default(),
            key_uses: Uses::default(),
            known_keys: Known::default(),
            nodes: Nodes::default(),
            metrics: Metrics::default(),
            live: broadcast::Sender::new(LIVE),
            stage: watch::Sender::new(Stage::Serving),
            config,
            db,
            clock,
            random,
            key,
        }));
        (app, signals)
    }

    /// Sets [`Parts::database_clock`] by the database server, where there is one. A clock that is moved by hand is not set, but
    /// hears that the server answered.
    ///
    /// # Errors
    /// When the database can't be reached.
    pub async fn measure_database_clock(&self) -> Result<(), DbError> {
        if !self.db.is_shared() {
            return Ok(());
        }
        let asked = self.clock.moment();
        let time = self.db.read(|conn| Box::pin(async move { db::clock::now(conn).await })).await?;
        if let Some(time) = time
            && matches!(self.clock, Clock::System)
        {
            self.database_clock.measured(asked, time);
        }
        self.database_clock.confirm(asked);
        Ok(())
    }

    /// Says that this process wants no new clients: whoever asks whether it is ready sends them elsewhere.
    pub fn leave(&self) {
        self.stage.send_replace(Stage::Leaving);
    }

    /// Whether this process wants new clients.
    pub fn is_serving(&self) -> bool {
        *self.stage.borrow() == Stage::Serving
    }

    /// Says that the process is about to end.
    pub fn stop(&self) {
        self.stage.send_replace(Stage::Stopping);
    }

    /// Waits until the process is about to end: answers that would go on for ever end here.
    pub async fn stopped(&self) {
        // Fails only when the sender is gone, which `self` holds.
        let _ = self.stage.subscribe().wait_for(|stage| *stage == Stage::Stopping).await;
    }

    /// Tells open pages of `workspace` that what `topic` lists has changed, on this node at once and on the others soon.
    pub fn changed(&self, workspace: WorkspaceId, topic: &'static str) {
        self.show(LiveChange::Of { workspace, topic });
        self.nodes.tell_pages(workspace, topic);
    }

    /// Tells the open pages of this node.
    pub fn show(&self, change: LiveChange) {
        // Nobody may be looking.
        let _ = self.live.send(change);
    }
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// It still answers everything, but says that it is not ready.
    Leaving,
    Stopping,
}

/// Something that a page shows has changed.
#[derive(Clone, Copy, Debug)]
pub enum LiveChange {
    /// What this topic lists, in one workspace.
    Of {
        /// Where.
        workspace: WorkspaceId,
        /// One of [`TOPICS`].
        topic: &'static str,
    },
    /// Anything, anywhere: news were missed.
    Anything,
}

/// The way from those who owe deliveries to the engine. Deliveries that are sent over it hold places, of which there are [`ROOM`]; all
/// other signals are as many as the changes that caused them.
pub struct Wake {
    sender: mpsc::UnboundedSender<Signal>,
    /// What deliveries in memory hold.
    pub places: Places,
}

/// What the engine is told.
#[derive(Debug)]
pub enum Signal {
    /// These are committed, leased to this node, and wait to be sent.
    Owed(Vec<Owed>),
    /// There are due deliveries in the database for these webhooks, of these workspaces.
    Due(BTreeSet<(WorkspaceId, WebhookId)>),
    /// A replay was begun.
    Replay,
    /// This webhook was changed, switched or deleted: forget what is known about it.
    Changed(WebhookId),
    /// News of other nodes may have been missed: look at everything.
    Look,
}

/// A delivery in memory, leased to this node.
#[derive(Debug)]
pub struct Owed {
    /// Which.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// Where.
    pub workspace: WorkspaceId,
    /// The event's id: the `webhook-id` header.
    pub event: EventId,
    /// The request's body, shared by all deliveries of the event.
    pub body: Bytes,
    /// Why the next attempt is made.
    pub reason: Reason,
    /// Automatic attempts made so far.
    pub tries: u32,
    /// All attempts made so far.
    pub attempts: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when no other node takes it.
    pub leased_until: Timestamp,
    /// Its place in memory.
    pub place: Place,
}

impl Owed {
    /// How many places a delivery with a body of so many bytes holds.
    pub fn size(body: usize) -> usize {
        body.div_ceil(PLACE).max(1)
    }
}

impl Wake {
    /// There is no engine in this process: what is owed is due at once, for the engine of another one.
    pub fn close(&self) {
        self.places.close();
    }

    /// Tells the engine. Without an engine (a command that only writes) the sweep of the next one finds everything.
    pub fn send(&self, signal: Signal) {
        let _ = self.sender.send(signal);
    }
}
