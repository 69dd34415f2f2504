//! Receivers within the process: they answer by the clock of the simulation and keep what they got.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwire_core::delivery::{Reason, SendError};

use crate::{
    app::Owed,
    clock::{Clock, Moment, Randomness},
    db::faulty::WANTED,
    delivery::{
        dial::Failure,
        send::{Answer, Connection},
        target::Target,
    },
};

/// How the receiver of a webhook behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Answers, after some seconds.
    Slow,
    Broken,
    Refuses,
    /// Until the deadline.
    Hangs,
    Gone,
    /// Asks for two minutes.
    Resting,
    /// The machine has no sockets.
    NotTried,
    /// The engine itself is broken.
    Panics,
}

impl Mood {
    /// The first ones more often.
    pub(super) const ALL: [Self; 12] = [
        Self::Well,
        Self::Well,
        Self::Well,
        Self::Slow,
        Self::Broken,
        Self::Broken,
        Self::Refuses,
        Self::Hangs,
        Self::Gone,
        Self::Resting,
        Self::NotTried,
        Self::Panics,
    ];
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) node: usize,
    pub(super) webhook: usize,
    pub(super) event: String,
    pub(super) began: Moment,
    /// When it will be answered.
    pub(super) until: Moment,
    /// And its status, when it was answered.
    pub(super) ended: Option<(Moment, Option<u16>)>,
}

impl Exchange {
    pub(super) fn taken(&self) -> bool {
        matches!(self.ended, Some((_, Some(200..=299))))
    }
}

#[derive(Default)]
pub(super) struct Book {
    pub(super) moods: BTreeMap<usize, Mood>,
    pub(super) exchanges: Vec<Exchange>,
    /// Webhooks that are deleted, and those that are switched off: which nodes know it.
    pub(super) deleted: BTreeSet<(usize, usize)>,
    pub(super) off: BTreeSet<(usize, usize)>,
    /// How often it was asked to switch a webhook on, and how many of these requests are over.
    pub(super) activations: BTreeMap<usize, (usize, usize)>,
    /// What was being sent to whom when the engine panicked: its lease ends by itself.
    pub(super) panicked: BTreeSet<(usize, String)>,
    pub(super) violations: Vec<String>,
}

/// The receivers as one node reaches them.
#[derive(Clone)]
pub(in crate::delivery) struct Receivers {
    pub(super) node: usize,
    pub(super) clock: Clock,
    pub(super) random: Randomness,
    pub(super) book: Arc<Mutex<Book>>,
    /// Counts what happens.
    pub(super) activity: Arc<AtomicU64>,
}

impl Receivers {
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::delivery) async fn exchange(
        &self,
        target: &Target,
        owed: &Owed,
    ) -> Result<(Answer, Option<Connection>), Failure> {
        let webhook = number(target.url.host_str());
        let event = owed.event.to_string();
        let is_test = owed.reason == Reason::Test;
        let (mood, until, index) = {
            let mut book = self.book();
            if book.deleted.contains(&(self.node, webhook)) {
                book.violations.push(format!("{event} was sent to webhook {webhook}, which was deleted"));
            }
            if !is_test && book.off.contains(&(self.node, webhook)) {
                book.violations.push(format!("{event} was sent to webhook {webhook}, which was switched off"));
            }
            let mood = book.moods.get(&webhook).copied().unwrap_or(Mood::Well);
            let began = self.clock.moment();
            let seconds = match mood {
                Mood::Slow => 2.0 + 10.0 * self.random.fraction(),
                Mood::Hangs => 15.0,
                _ => 0.001 + 0.05 * self.random.fraction(),
            };
            let until = began.plus(Duration::from_secs_f64(seconds));
            book.exchanges.push(Exchange { node: self.node, webhook, event, began, until, ended: None });
            (mood, until, book.exchanges.len() - 1)
        };
        self.activity.fetch_add(1, Relaxed);
        if mood == Mood::Panics {
            {
                let mut book = self.book();
                let exchange = &mut book.exchanges[index];
                exchange.ended = Some((self.clock.moment(), None));
                let what = (webhook, exchange.event.clone());
                book.panicked.insert(what);
            }
            panic!("{WANTED}: the engine is broken");
        }
        self.clock.sleep_until(until).await;
        self.activity.fetch_add(1, Relaxed);
        let result = match mood {
            Mood::Well | Mood::Slow => Ok(200),
            Mood::Broken => Ok(500),
            Mood::Gone => Ok(410),
            Mood::Resting => Ok(429),
            Mood::Refuses => Err(Failure::Attempt(SendError::ConnectionRefused)),
            Mood::Hangs => Err(Failure::Attempt(SendError::Timeout(Duration::from_secs(15)))),
            Mood::NotTried | Mood::Panics => Err(Failure::NotTried(io::Error::other("no more sockets"))),
        };
        self.book().exchanges[index].ended = Some((self.clock.moment(), result.as_ref().ok().copied()));
        let retry_after = (mood == Mood::Resting).then(|| "120".to_owned());
        result.map(|status| (Answer { status, retry_after, headers: "[]".to_owned(), body: Vec::new() }, None))
    }
}

/// Webhook 3 is at `https://w3.example.com/`.
fn number(host: &str) -> usize {
    host.trim_start_matches('w').split('.').next().and_then(|number| number.parse().ok()).unwrap()
}
