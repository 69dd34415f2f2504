//! The bare client: signs the bodies that the server would send and posts them. Nothing that delivers webhooks can do less.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bellwire_core::sign::{self, Secret};
use bytes::Bytes;
use clap::Args;
use tokio::sync::{Mutex, mpsc::UnboundedReceiver};

use crate::{Failure, connection::Connection, pace, receiver::micros_now};

/// Posts signed bodies.
#[derive(Args)]
pub(crate) struct Bare {
    /// Where: 127.0.0.1:PORT
    #[arg(long)]
    to: String,
    /// How many
    #[arg(long)]
    count: u64,
    /// Over how many connections
    #[arg(long)]
    connections: usize,
    /// Requests a second; as fast as possible when not given. Each body says when it should have been sent
    #[arg(long)]
    rate: Option<u64>,
}

impl Bare {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let left = Arc::new(AtomicU64::new(self.count));
        let ticks = self.rate.map(|rate| Arc::new(Mutex::new(pace::ticks(self.count, rate))));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..self.connections {
            tasks.spawn(client(self.to.clone(), Arc::clone(&left), ticks.clone()));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        crate::process::print_own_cpu()
    }
}

async fn client(
    to: String,
    left: Arc<AtomicU64>,
    ticks: Option<Arc<Mutex<UnboundedReceiver<u64>>>>,
) -> Result<(), Failure> {
    let secret = Secret::from_bytes(&[7; 32])?;
    // Made once: the limit is what signing and sending cost, and nothing else.
    let made = Bytes::from(crate::publish::delivered_body(None));
    let mut connection = Connection::open(&to).await?;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let body = match &ticks {
            None => made.clone(),
            Some(ticks) => match ticks.lock().await.recv().await {
                Some(due) => Bytes::from(crate::publish::delivered_body(Some(due))),
                None => return Ok(()),
            },
        };
        let id = "evt_01kat1b2c3d4e5f6g7h8j9k0mn";
        let seconds = i64::try_from(micros_now() / 1_000_000)?;
        let signature = sign::header(&[&secret], None, id, seconds, &body);
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", &seconds.to_string()),
            ("webhook-signature", &signature),
            ("user-agent", "bare"),
        ];
        let (status, _) = connection.exchange("POST", "/hook", &headers, body.clone()).await?;
        if !status.is_success() {
            return Err(format!("the receiver answered {status}").into());
        }
    }
    Ok(())
}
