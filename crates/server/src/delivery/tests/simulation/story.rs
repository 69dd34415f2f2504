//! What happens in a simulation. What people ask for meanwhile: [`people`].

mod people;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwire_core::{
    event::{Origin, PrincipalId, Via},
    id::{WebhookId, WorkspaceId},
    permission::BuiltInRole,
    time::Timestamp,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    super::{
        super::{Engine, Transport, lane::LEASE_MARGIN, start_with},
        world::{Settings, furnish},
    },
    laws,
    receivers::{Book, Exchange, Mood, Receivers},
};
use crate::{
    app::App,
    clock::{Clock, Randomness},
    crypt::MasterKey,
    db::{
        Db,
        faulty::{Fault, Faulty, Point},
        inline::Inline,
    },
    ops::{self, Actor, webhooks::Missed},
};

pub(super) const SCHEDULE: &str = "0s,5s,5m,1h";
pub(super) const DEACTIVATE_AFTER: Duration = Duration::from_hours(3);
const START: i64 = 1_795_424_400_000_000;
/// Steps of a story, besides its beginning and its end.
const STEPS: usize = 20;

fn actor() -> Actor {
    let start = Timestamp::from_micros(START);
    Actor {
        workspace: WorkspaceId::new(start, [1; 10]),
        principal: PrincipalId::ApiKey(bellwire_core::id::ApiKeyId::new(start, [2; 10])),
        name: "Test".to_owned(),
        permissions: BuiltInRole::Owner.permissions(),
        secret: None,
        origin: Origin::via(Via::System),
    }
}

fn app(db: Db, clock: Clock, random: Randomness) -> (App, tokio::sync::mpsc::UnboundedReceiver<crate::app::Signal>) {
    let settings = Settings { schedule: SCHEDULE, deactivate_after: DEACTIVATE_AFTER, ..Settings::default() };
    App::new(settings.config(std::path::Path::new("")), db, clock, random, MasterKey::from_bytes([1; 32]))
}

/// A database with a workspace, as every story begins with.
pub(super) async fn ground() -> Inline {
    let inline = Inline::open().await;
    let clock = Clock::fake(Timestamp::from_micros(START));
    let db = Db::Inline(inline.clone());
    let (app, _) = app(db.clone(), clock, Randomness::seeded(0));
    furnish(&db, &app, &actor()).await;
    inline.remember();
    inline
}

/// What may happen, told by the seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) two_nodes: bool,
    pub(super) kills: bool,
    pub(super) faults: bool,
    pub(super) clocks: bool,
}

/// What was asked and what came of it.
#[derive(Default)]
pub(super) struct Ledger {
    /// How many publishes were asked for.
    pub(super) asked: usize,
    /// The event, the webhooks that must get it, and how many publishes had been asked for before.
    pub(super) acknowledged: Vec<(String, Vec<usize>, usize)>,
    pub(super) webhooks: Vec<WebhookId>,
    /// Deletion was asked for; it may have failed.
    pub(super) doomed: BTreeSet<usize>,
    /// "Skip what was missed" was asked for: what was to be published before that was over may be skipped. One that was under way
    /// may be committed before the skip and acknowledged long after it.
    pub(super) skipped: Vec<(usize, usize)>,
    pub(super) resent: BTreeSet<String>,
    /// Events that were under way to a webhook when their node was killed.
    pub(super) in_flight: BTreeSet<(usize, String)>,
    /// How far clocks were set back in all.
    pub(super) set_back: Duration,
    pub(super) told: Vec<String>,
}

struct Node {
    runtime: Runtime,
    app: App,
    clock: Clock,
    engine: Option<Engine>,
}

pub(super) struct Story {
    pub(super) kind: Kind,
    seed: u64,
    random: Randomness,
    inline: Inline,
    nodes: Vec<Node>,
    /// How likely the store fails, in a thousandth.
    rate: Arc<AtomicU64>,
    activity: Arc<AtomicU64>,
    /// How much was asked for and is not answered yet.
    asking: Arc<AtomicU64>,
    book: Arc<Mutex<Book>>,
    ledger: Arc<Mutex<Ledger>>,
    lives: u64,
    /// By the clock of the database.
    database: Clock,
}

impl Story {
    /// Plays a seed: its story, or what was broken in it.
    pub(super) fn play(ground: &Inline, seed: u64) -> Result<String, String> {
        let kind =
            Kind { two_nodes: seed % 8 == 7, kills: seed % 4 >= 2, faults: seed % 5 >= 3, clocks: seed % 3 == 2 };
        let mut inline = ground.clone();
        inline.shared = kind.two_nodes;
        let mut story = Self {
            kind,
            seed,
            random: Randomness::seeded(seed),
            inline,
            nodes: Vec::new(),
            rate: Arc::default(),
            activity: Arc::default(),
            asking: Arc::default(),
            book: Arc::default(),
            ledger: Arc::default(),
            lives: 0,
            database: Clock::fake(Timestamp::from_micros(START)),
        };
        let result = story.tell();
        drop(story.nodes.drain(..));
        story.inline.go_back();
        let told = std::mem::take(&mut story.ledger().told).join("\n");
        result.map(|()| told.clone()).map_err(|broken| format!("seed {seed}, {kind:?}: {broken}\n{told}"))
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: impl Into<String>) {
        let at = self.database.moment().as_micros() / 1_000;
        self.ledger().told.push(format!("{at:>10} ms  {}", what.into()));
    }

    fn below(&self, limit: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let number = (self.random.fraction() * limit as f64) as usize;
        number
    }

    fn tell(&mut self) -> Result<(), String> {
        for number in 0..if self.kind.two_nodes { 2 } else { 1 } {
            let wrong = [0, 240_000_000, -240_000_000][self.below(if self.kind.clocks { 3 } else { 1 })];
            let clock = Clock::fake(Timestamp::from_micros(START + if self.kind.two_nodes { wrong } else { 0 }));
            let node = self.birth(number, clock);
            self.nodes.push(node);
        }
        for _ in 0..1 + self.below(3) {
            self.create();
        }
        self.settle()?;
        for _ in 0..STEPS {
            self.step()?;
        }
        self.end()?;
        laws::check(self)
    }

    fn birth(&mut self, number: usize, clock: Clock) -> Node {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        self.lives += 1;
        let random = Randomness::seeded(self.seed.wrapping_mul(1_000).wrapping_add(self.lives));
        let (faults, rate, activity) = (random.clone(), Arc::clone(&self.rate), Arc::clone(&self.activity));
        let db = Faulty::before(Db::Inline(self.inline.clone()), &clock, move |point, _| {
            activity.fetch_add(1, Relaxed);
            let rate = rate.load(Relaxed);
            (rate > 0 && faults.fraction() * 1_000.0 < rate as f64).then(|| fault(&faults, point)).flatten()
        });
        let (app, signals) = app(db, clock.clone(), random.clone());
        if self.kind.two_nodes {
            app.database_clock.measured(clock.moment(), self.database.now());
        }
        let receivers = Receivers {
            node: number,
            clock: clock.clone(),
            random,
            book: Arc::clone(&self.book),
            activity: Arc::clone(&self.activity),
        };
        let engine = {
            let _inside = runtime.enter();
            start_with(&app, signals, Transport::Simulated(Arc::new(receivers)))
        };
        Node { runtime, app, clock, engine: Some(engine) }
    }

    /// Lets everybody work until nothing happens any more.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..2_000 {
            let before = self.activity.load(Relaxed);
            for node in &self.nodes {
                node.runtime.block_on(async {
                    for _ in 0..24 {
                        tokio::task::yield_now().await;
                    }
                });
            }
            if self.activity.load(Relaxed) == before {
                return self.book().violations.pop().map_or(Ok(()), Err);
            }
        }
        Err("the engine is busy without end, and no time passes".to_owned())
    }

    /// How long until the next receiver answers.
    fn next_answer(&self) -> Option<Duration> {
        let (book, now) = (self.book(), self.database.moment());
        let under_way = book.exchanges.iter().filter(|exchange| exchange.ended.is_none());
        under_way.map(|exchange| exchange.until.since(now)).min()
    }

    /// Lets time pass, in steps from one thing that happens to the next.
    pub(super) fn pass(&mut self, time: Duration) -> Result<(), String> {
        let end = self.database.moment().plus(time);
        loop {
            self.settle()?;
            (0..self.nodes.len()).try_for_each(|number| self.leases_are_in_memory(number))?;
            let left = end.since(self.database.moment());
            if left.is_zero() {
                return Ok(());
            }
            let next = self.next_answer().or_else(|| self.next_due().map(|due| due.max(Duration::from_millis(250))));
            let step = next.unwrap_or(left).clamp(Duration::from_micros(1), left);
            self.database.advance(step);
            for node in &self.nodes {
                node.clock.advance(step);
            }
        }
    }

    pub(super) fn rows(&self, sql: &str) -> Vec<crate::db::Row> {
        self.inline.query(sql, &[])
    }

    /// How long until a pending delivery is due that is not due yet.
    fn next_due(&self) -> Option<Duration> {
        let now = self.nodes.first()?.app.database_clock.now();
        let sql = "SELECT MIN(due_at) AS due_at FROM deliveries WHERE state = 'pending' AND due_at > $1";
        let due: Option<Timestamp> = self.inline.query(sql, &[now.into()]).first()?.get("due_at").unwrap();
        due.map(|due| due.since(now))
    }

    fn step(&mut self) -> Result<(), String> {
        let node = self.below(self.nodes.len());
        match self.below(100) {
            0..28 => {
                for _ in 0..1 + self.below(3) {
                    self.publish(node);
                }
                self.settle()
            }
            28..42 => {
                let mood = Mood::ALL[self.below(Mood::ALL.len())];
                if let Some(webhook) = self.some_webhook() {
                    self.note(format!("the receiver of {webhook}: {mood:?}"));
                    self.book().moods.insert(webhook, mood);
                }
                Ok(())
            }
            42..58 => self.pass(Duration::from_millis(1 + self.below(20_000) as u64)),
            58..66 => self.pass(Duration::from_secs(1 + self.below(5_400) as u64)),
            66..71 => self.deactivate(node),
            71..76 => self.activate(node),
            76..79 => self.delete(node),
            79..83 => self.test(node),
            83..87 => self.resend(node),
            87..89 => self.pace(node),
            89..93 if self.kind.kills => self.kill(node),
            93..95 => self.restart(node),
            95..97 if self.kind.clocks => self.set_clock(node),
            97.. if self.kind.faults => {
                let rate = [0, 50, 200, 1_000][self.below(4)];
                self.note(format!("the store fails {rate} times in 1000"));
                self.rate.store(rate, Relaxed);
                Ok(())
            }
            _ => self.pass(Duration::from_secs(6)),
        }
    }

    /// Everybody is well again, and everything that is owed has to arrive.
    fn end(&mut self) -> Result<(), String> {
        self.note("the calm end");
        self.rate.store(0, Relaxed);
        self.book().moods.clear();
        self.pass(Duration::from_mins(2))?;
        // A SQLite file's clock is that of the process's start: set back before that, everything comes later by as much (ADR 18).
        let later = if self.kind.two_nodes { 0 } else { self.ledger().set_back.as_secs() / 61 };
        for _ in 0..200 + later {
            // Also what is turned off only now: its last attempt failed before the calm, and its next is later than that.
            self.activate_all()?;
            self.pass(Duration::from_secs(61))?;
            if self.rows("SELECT id FROM deliveries WHERE state = 'pending' LIMIT 1").is_empty() {
                for number in 0..self.nodes.len() {
                    self.drain(number)?;
                }
                return Ok(());
            }
        }
        Err(format!("still pending: {:?}", self.rows("SELECT * FROM deliveries WHERE state = 'pending'")))
    }

    fn activate_all(&mut self) -> Result<(), String> {
        for row in self.rows("SELECT id FROM webhooks WHERE status = 'inactive' AND deleted_at IS NULL") {
            let id: WebhookId = row.get("id").unwrap();
            let webhook = self.ledger().webhooks.iter().position(|known| *known == id).unwrap();
            self.begin_activation(webhook);
            let book = Arc::clone(&self.book);
            self.ask(0, format!("activate {webhook}"), move |app, actor| async move {
                let result = ops::webhooks::activate(&app, &actor, id, Missed::Send).await;
                end_activation(&book, webhook);
                result.map(drop)
            });
        }
        self.settle()
    }

    /// Ends a node in good order. All places in memory must be free then.
    fn drain(&mut self, number: usize) -> Result<(), String> {
        let engine = self.nodes[number].engine.take().ok_or("no engine")?;
        let done = self.nodes[number].runtime.spawn(engine.drain());
        let mut waited = 0;
        while !done.is_finished() {
            self.pass(Duration::from_secs(1))?;
            waited += 1;
            if waited > 120 {
                return Err("the engine does not stop".to_owned());
            }
        }
        let taken = self.nodes[number].app.wake.places.taken();
        // What is being recorded holds places until it is.
        if taken > 0 && self.asking.load(Relaxed) == 0 {
            return Err(format!("{taken} places are taken after the end"));
        }
        self.leases_are_in_memory(number)
    }

    /// Whatever is leased to a node it has in memory, so that it is sent or given back; after a good end it has nothing. Those of which
    /// less is left than an exchange needs end by themselves, and so do those whose worker panicked, or that a failing store took too
    /// long about.
    fn leases_are_in_memory(&self, number: usize) -> Result<(), String> {
        if self.kind.faults {
            return Ok(());
        }
        let app = &self.nodes[number].app;
        let sql =
            "SELECT webhook_id, event_id FROM deliveries WHERE state = 'pending' AND leased_by = $1 AND due_at > $2";
        let soon = app.database_clock.now().saturating_add(LEASE_MARGIN);
        let (ledger, book) = (self.ledger(), self.book());
        let is_lost = |(id, event): &(WebhookId, String)| {
            let webhook = ledger.webhooks.iter().position(|known| known == id).unwrap();
            !book.panicked.contains(&(webhook, event.clone()))
        };
        let leased = self.inline.query(sql, &[app.node.into(), soon.into()]);
        let leased = leased.iter().map(|row| (row.get("webhook_id").unwrap(), row.get("event_id").unwrap()));
        let leased: Vec<(WebhookId, String)> = leased.filter(is_lost).collect();
        let taken = app.wake.places.taken();
        if leased.len() > taken {
            return Err(format!("node {number} has {taken} deliveries in memory, and holds leases on {leased:?}"));
        }
        Ok(())
    }

    /// Ends a node with all that it has in memory, and starts another on the same database.
    fn kill(&mut self, number: usize) -> Result<(), String> {
        self.note(format!("node {number} is killed"));
        let recorded: BTreeSet<(String, String)> = self
            .rows("SELECT webhook_id, event_id FROM deliveries WHERE state = 'delivered'")
            .iter()
            .map(|row| (row.get("webhook_id").unwrap(), row.get("event_id").unwrap()))
            .collect();
        {
            let (book, mut ledger) = (self.book(), self.ledger());
            for exchange in &book.exchanges {
                let webhook = ledger.webhooks[exchange.webhook].to_string();
                if !recorded.contains(&(webhook, exchange.event.clone())) {
                    ledger.in_flight.insert((exchange.webhook, exchange.event.clone()));
                }
            }
        }
        self.replace(number)
    }

    fn replace(&mut self, number: usize) -> Result<(), String> {
        let clock = self.nodes[number].clock.clone();
        let dead = std::mem::replace(&mut self.nodes[number].runtime, Builder::new_current_thread().build().unwrap());
        drop(dead);
        let lost = |exchange: &&mut Exchange| exchange.node == number && exchange.ended.is_none();
        self.book()
            .exchanges
            .iter_mut()
            .filter(lost)
            .for_each(|exchange| exchange.ended = Some((exchange.began, None)));
        if self.nodes.len() == 1 {
            self.asking.store(0, Relaxed); // whoever asked is gone with it
        }
        self.nodes[number] = self.birth(number, clock);
        self.settle()
    }

    fn restart(&mut self, number: usize) -> Result<(), String> {
        self.note(format!("node {number} is stopped and started"));
        if self.kind.faults {
            self.rate.store(0, Relaxed);
        }
        self.drain(number)?;
        self.replace(number)
    }

    /// Somebody sets the time of day, by up to a day.
    fn set_clock(&mut self, number: usize) -> Result<(), String> {
        let by: i64 = [86_400, -86_400, 3_600, -3_600, 90, -90][self.below(6)];
        self.ledger().set_back += Duration::from_secs(by.min(0).unsigned_abs());
        self.note(format!("the clock of node {number} is set by {by} s"));
        let clock = &self.nodes[number].clock;
        clock.set(clock.now().shifted(by * 1_000_000));
        self.settle()
    }
}

fn end_activation(book: &Mutex<Book>, webhook: usize) {
    book.lock().unwrap_or_else(PoisonError::into_inner).activations.entry(webhook).or_default().1 += 1;
}

fn fault(random: &Randomness, point: Point) -> Option<Fault> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
    let which = (random.fraction() * 10.0) as usize;
    Some(match which {
        0..4 => Fault::Unavailable,
        4 => Fault::Full,
        5 => Fault::Wrong,
        6 if point == Point::Commit => Fault::Panic,
        7 => Fault::Panic,
        8 => Fault::Delay(Duration::from_secs(2)),
        _ => Fault::Delay(Duration::from_secs(70)),
    })
}
