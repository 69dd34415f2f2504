//! The other nodes: processes of this program on the same PostgreSQL. All are equal, each does everything.
//!
//! What one of them changes, the others have to know soon: that a webhook is another than they remember, that an account was
//! changed, that a page is old, that there are due deliveries which nobody has in memory. They tell each other in notices
//! ([`crate::db::notices`]).
//!
//! What always holds:
//! - **Nothing depends on a notice.** It saves waiting for a look that is made anyway: the engine walks through what is pending every
//!   few seconds, does not rely for longer on what it knows of a webhook, and claims check it in their transaction; API keys are
//!   checked in the transaction of what they ask for; open pages look at the feed every 15 s.
//! - A change of a webhook or of an account is told inside its transaction ([`announce`]): who listens hears of it if and only if
//!   it was committed. Such changes are rare.
//! - All the rest is told after the commit, gathered, a few times a second at the most ([`tell`]), and not at all by a node that is
//!   alone: a transaction that notifies takes a lock that all others wait for, and publishes must not.
//! - Whoever begins to listen, again or for the first time, takes everything as changed.
//!
//! ([ADR 30](../../../../docs/adr/0030-nodes-tell-each-other.md))

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwire_core::{
    id::{NodeId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::timeout};

use crate::{
    app::{App, LiveChange, Signal, TOPICS},
    clock::Moment,
    db::{
        self, Conn, Db, DbError,
        nodes::{Node, SILENCE},
        notices::Heard,
    },
    error::Error,
};

/// A node asks the database's clock so often.
const PULSE: Duration = Duration::from_secs(1);
/// And says so often that it lives.
const SIGN: Duration = Duration::from_secs(5);
/// What is gathered is told no more often.
const APART: Duration = Duration::from_millis(250);
/// When nothing was heard for so long, a node tells itself something, to know that it would be heard.
const QUIET: Duration = Duration::from_secs(20);
/// How long to wait before listening again.
const AGAIN: Duration = Duration::from_secs(5);
/// Webhooks, and workspaces, that wait to be told of. More are left to be found.
const GATHERED: usize = 1_000;
/// Webhooks, or workspaces with their topics, in one notice: fewer bytes than [`db::notices::LONGEST`].
const TOGETHER: usize = 40;

/// What this process knows of the others, and has to tell them.
#[derive(Debug)]
pub struct Nodes {
    /// How many live, this one included.
    alive: AtomicUsize,
    hears: AtomicBool,
    news: Mutex<News>,
    /// There is something to tell.
    waiting: Notify,
    /// The nodes are others than before.
    others: Notify,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            alive: AtomicUsize::new(1),
            hears: AtomicBool::new(false),
            news: Mutex::default(),
            waiting: Notify::new(),
            others: Notify::new(),
        }
    }
}

/// What has been gathered since it was told last.
#[derive(Debug, Default)]
struct News {
    due: BTreeSet<WebhookId>,
    pages: BTreeMap<WorkspaceId, BTreeSet<&'static str>>,
}

/// What one node tells the others, as JSON. Nodes of other versions may tell more; what is not known is passed over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Notice {
    from: Option<NodeId>,
    /// An account was changed: API keys, their roles, what these allow.
    #[serde(skip_serializing_if = "is_false")]
    account: bool,
    /// Nodes have come or gone.
    #[serde(skip_serializing_if = "is_false")]
    nodes: bool,
    /// Deliveries were given back: look for them.
    #[serde(skip_serializing_if = "is_false")]
    look: bool,
    /// These webhooks were changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    webhooks: Vec<WebhookId>,
    /// There are due deliveries for these.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    due: BTreeSet<WebhookId>,
    /// Pages that list these are old.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pages: BTreeMap<WorkspaceId, BTreeSet<String>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Notice {
    fn of(app: &App) -> Self {
        Self { from: Some(app.node), ..Self::default() }
    }

    fn to_text(&self) -> Result<String, DbError> {
        serde_json::to_string(self).map_err(|error| DbError::Fault(error.to_string()))
    }
}

impl Nodes {
    /// How many live, this one included; at least 1.
    pub fn alive(&self) -> usize {
        self.alive.load(Relaxed)
    }

    /// Whether this node hears what the others tell. If not, it sees what they change some seconds later.
    pub fn hears(&self) -> bool {
        self.hears.load(Relaxed)
    }

    /// This node's share of what all nodes together may do, rounded up: at least 1.
    pub fn share(&self, of_all: u32) -> u32 {
        of_all.div_ceil(u32::try_from(self.alive()).unwrap_or(u32::MAX)).max(1)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node that is alone has nobody to tell.
    fn is_alone(&self) -> bool {
        self.alive() <= 1
    }

    /// The open pages of the others have to look again.
    pub fn tell_pages(&self, workspace: WorkspaceId, topic: &'static str) {
        if self.is_alone() {
            return;
        }
        let mut news = self.news();
        if news.pages.len() < GATHERED || news.pages.contains_key(&workspace) {
            news.pages.entry(workspace).or_default().insert(topic);
        }
        drop(news);
        self.waiting.notify_one();
    }

    /// There are due deliveries that this node has no room for, or has given back.
    pub fn tell_due(&self, webhooks: &BTreeSet<WebhookId>) {
        if self.is_alone() || webhooks.is_empty() {
            return;
        }
        let mut news = self.news();
        let room = GATHERED.saturating_sub(news.due.len());
        news.due.extend(webhooks.iter().take(room));
        drop(news);
        self.waiting.notify_one();
    }
}

/// After a commit: tells the engine of this node, and the others what it may not have room for.
pub(super) fn wake(app: &App, signals: Vec<Signal>) {
    for signal in signals {
        if let Signal::Due(webhooks) = &signal {
            app.nodes.tell_due(webhooks);
        }
        app.wake.send(signal);
    }
}

/// Inside a transaction that changes an account: tells the others, should it be committed.
pub(super) async fn announce(app: &App, conn: &mut Conn, webhooks: BTreeSet<WebhookId>) -> Result<(), Error> {
    if !app.db.is_shared() {
        return Ok(());
    }
    let webhooks: Vec<WebhookId> = webhooks.into_iter().collect();
    let first = Notice { account: true, ..Notice::of(app) };
    let mut texts = vec![first.to_text()?];
    for part in webhooks.chunks(TOGETHER) {
        texts.push(Notice { webhooks: part.to_vec(), ..Notice::of(app) }.to_text()?);
    }
    Ok(db::notices::send(conn, &texts).await?)
}

/// Tells what was gathered. Never ends.
pub async fn tell(app: &App) {
    let mut next = app.clock.moment();
    loop {
        app.nodes.waiting.notified().await;
        app.clock.rest_until(next).await;
        next = app.clock.moment().plus(APART);
        let news = std::mem::take(&mut *app.nodes.news());
        let told = match texts(app, news) {
            Ok(texts) => say(app, texts).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::debug!(%error, "the other nodes can't be told; they will see");
        }
    }
}

fn texts(app: &App, News { due, pages }: News) -> Result<Vec<String>, DbError> {
    let mut texts = Vec::new();
    let due: Vec<WebhookId> = due.into_iter().collect();
    for part in due.chunks(TOGETHER) {
        texts.push(Notice { due: part.iter().copied().collect(), ..Notice::of(app) }.to_text()?);
    }
    let pages: Vec<_> = pages.into_iter().collect();
    for part in pages.chunks(TOGETHER) {
        let owned = |topics: &BTreeSet<&str>| topics.iter().map(|topic| (*topic).to_owned()).collect();
        let pages = part.iter().map(|(workspace, topics)| (*workspace, owned(topics))).collect();
        texts.push(Notice { pages, ..Notice::of(app) }.to_text()?);
    }
    Ok(texts)
}

async fn say(app: &App, texts: Vec<String>) -> Result<(), DbError> {
    app.db.write(move |conn| Box::pin(async move { db::notices::send(conn, &texts).await })).await
}

/// Listens to the others. Never ends.
pub async fn listen(app: &App) {
    let mut said = false;
    loop {
        let error = match hear(app).await {
            Ok(()) => return std::future::pending().await, // nobody else can be there
            Err(error) => error,
        };
        if app.nodes.hears.swap(false, Relaxed) || !said {
            tracing::warn!(%error, "what other nodes tell is not heard; what they change is seen some seconds later");
            said = true;
        }
        app.clock.sleep(AGAIN).await;
    }
}

/// Returns when there is nobody to listen to.
async fn hear(app: &App) -> Result<(), DbError> {
    if !app.db.is_shared() {
        return Ok(());
    }
    let url = app.config.database_listen_url.as_ref().unwrap_or(&app.config.database_url);
    let Some(mut listener) = Db::listen(url).await? else { return Ok(()) };
    // From here on all is heard. What was told before is not.
    look_at_everything(app);
    let mut asked = false;
    loop {
        // At first, to see that it is heard at all: some poolers take a LISTEN and never tell anything.
        if !asked && !app.nodes.hears() {
            say(app, vec![Notice::of(app).to_text()?]).await?;
            asked = true;
        }
        match timeout(QUIET, listener.next()).await {
            Ok(None) => return Err(DbError::Unavailable("the connection has ended".to_owned())),
            Ok(Some(heard)) => {
                asked = false;
                app.nodes.hears.store(true, Relaxed);
                match heard {
                    Heard::Notice(text) => take(app, &text),
                    Heard::Missed => look_at_everything(app),
                }
            }
            Err(_) if asked => {
                return Err(DbError::Unavailable(
                    "NOTIFY does not arrive: is a pooler between, in transaction mode?".to_owned(),
                ));
            }
            Err(_) => {
                say(app, vec![Notice::of(app).to_text()?]).await?;
                asked = true;
            }
        }
    }
}

fn take(app: &App, text: &str) {
    let Ok(notice) = serde_json::from_str::<Notice>(text) else { return look_at_everything(app) };
    if notice.from == Some(app.node) {
        return;
    }
    if notice.account {
        app.known_keys.forget();
    }
    if notice.nodes {
        app.nodes.others.notify_one();
    }
    notice.webhooks.into_iter().for_each(|webhook| app.wake.send(Signal::Changed(webhook)));
    if !notice.due.is_empty() {
        app.wake.send(Signal::Due(notice.due));
    }
    if notice.look {
        app.wake.send(Signal::Look);
    }
    for (workspace, topics) in notice.pages {
        for topic in TOPICS.into_iter().filter(|topic| topics.contains(*topic)) {
            app.show(LiveChange::Of { workspace, topic });
        }
    }
}

/// News were missed, or can't be read.
fn look_at_everything(app: &App) {
    app.known_keys.forget();
    app.wake.send(Signal::Look);
    app.show(LiveChange::Anything);
}

/// How a node lives among others: when it last gave signs of it.
#[derive(Debug)]
pub struct Pulse {
    place: String,
    started_at: Option<Timestamp>,
    /// Whether the others were told that it has come.
    announced: bool,
    next_sign: Option<Moment>,
}

impl Pulse {
    /// Of this process.
    pub fn new(app: &App) -> Self {
        let host = rustix::system::uname();
        let place = format!("{} {}", host.nodename().to_string_lossy(), app.config.listen);
        Self { place, started_at: None, announced: false, next_sign: None }
    }

    /// Waits until the next beat is due.
    pub async fn rest(&mut self, app: &App) {
        tokio::select! {
            () = app.nodes.others.notified() => self.next_sign = None,
            () = app.clock.sleep(PULSE) => {}
        }
    }

    /// Looks at the database's clock; now and then says that this node lives, and counts those that do.
    ///
    /// # Errors
    /// When the database can't be reached.
    pub async fn beat(&mut self, app: &App) -> Result<(), DbError> {
        app.measure_database_clock().await?;
        let moment = app.clock.moment();
        if !app.db.is_shared() || self.next_sign.is_some_and(|next| moment < next) {
            return Ok(());
        }
        let now = app.database_clock.now();
        let node = Node {
            id: app.node,
            place: self.place.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: *self.started_at.get_or_insert(now),
            seen_at: now,
        };
        let has_come = Notice { nodes: true, ..Notice::of(app) }.to_text()?;
        let texts = if self.announced { Vec::new() } else { vec![has_come] };
        let written = app.db.write(move |conn| {
            Box::pin(async move {
                db::nodes::live(conn, &node).await?;
                db::notices::send(conn, &texts).await?;
                db::nodes::count(conn, now.saturating_sub(SILENCE)).await
            })
        });
        let alive = written.await?;
        app.nodes.alive.store(usize::try_from(alive).unwrap_or(1).max(1), Relaxed);
        self.announced = true;
        self.next_sign = Some(moment.plus(SIGN));
        Ok(())
    }
}

/// Says that this node ends, and has given back what it held.
///
/// # Errors
/// When the database can't be reached: the others will see.
pub async fn leave(app: &App) -> Result<(), DbError> {
    if !app.db.is_shared() {
        return Ok(());
    }
    let (node, texts) = (app.node, vec![Notice { nodes: true, look: true, ..Notice::of(app) }.to_text()?]);
    app.db
        .write(move |conn| {
            Box::pin(async move {
                db::nodes::leave(conn, node).await?;
                db::notices::send(conn, &texts).await
            })
        })
        .await
}

#[cfg(test)]
mod tests;
