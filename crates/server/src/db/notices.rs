//! What processes on one PostgreSQL tell each other: texts on one channel of LISTEN and NOTIFY.
//!
//! What is sent inside a transaction is heard after its commit, and not at all when it is rolled back. Who does not listen at
//! that moment never hears it, so nobody may depend on it. A SQLite file has one process: nobody is there to be told.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{Conn, DbError};

/// PostgreSQL bears less than 8,000 bytes.
pub const LONGEST: usize = 7_900;
/// Texts that wait for whoever listens. When there are more, they are lost, and that is told.
const WAITING: usize = 1_024;

const LISTEN: &str = "LISTEN bellwire";
const NOTIFY: &str = "SELECT pg_notify('bellwire', notice) FROM json_array_elements_text($1::text::json) AS notice";

/// Sends texts of up to [`LONGEST`] bytes each.
///
/// # Errors
/// See [`DbError`].
pub async fn send(conn: &mut Conn, notices: &[String]) -> Result<(), DbError> {
    if notices.is_empty() || matches!(conn, Conn::Sqlite(_)) {
        return Ok(());
    }
    let notices = serde_json::to_string(notices).map_err(|error| DbError::Fault(error.to_string()))?;
    conn.execute(NOTIFY, &[notices.into()]).await.map(drop)
}

/// Something was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// This text.
    Notice(String),
    /// Too much at once: some of it is lost.
    Missed,
}

/// A connection that listens, until it is dropped.
pub struct Listener {
    heard: mpsc::Receiver<String>,
    missed: Arc<AtomicBool>,
    connection: JoinHandle<()>,
    /// The connection ends with it.
    _client: tokio_postgres::Client,
}

impl Listener {
    /// Listens with `client`. `hear` is its connection's work: it takes what arrives, until the connection ends.
    pub(super) async fn new<F: Future<Output = ()> + Send + 'static>(
        client: tokio_postgres::Client,
        hear: impl FnOnce(Ears) -> F,
    ) -> Result<Self, DbError> {
        let (sender, heard) = mpsc::channel(WAITING);
        let missed = Arc::<AtomicBool>::default();
        let connection = tokio::spawn(hear(Ears { sender, missed: Arc::clone(&missed) }));
        client.batch_execute(LISTEN).await?;
        Ok(Self { heard, missed, connection, _client: client })
    }

    /// What is heard next; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Heard> {
        let text = self.heard.recv().await?;
        Some(if self.missed.swap(false, SeqCst) { Heard::Missed } else { Heard::Notice(text) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Where a connection puts what it hears.
pub(super) struct Ears {
    sender: mpsc::Sender<String>,
    missed: Arc<AtomicBool>,
}

impl Ears {
    pub(super) fn hear(&self, text: &str) {
        if self.sender.try_send(text.to_owned()).is_err() {
            self.missed.store(true, SeqCst);
        }
    }
}
