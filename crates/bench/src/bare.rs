//! The bare client: signs the bodies that the server would send and posts them. Nothing that delivers webhooks can do less.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bellwire_core::sign::{self, Secret};
use bytes::Bytes;
use clap::Args;

use crate::{Failure, connection::Connection, receiver::micros_now};

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
}

impl Bare {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let left = Arc::new(AtomicU64::new(self.count));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..self.connections {
            tasks.spawn(client(self.to.clone(), Arc::clone(&left)));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        crate::process::print_own_cpu()
    }
}

async fn client(to: String, left: Arc<AtomicU64>) -> Result<(), Failure> {
    let secret = Secret::from_bytes(&[7; 32])?;
    // Made once: the limit is what signing and sending cost, and nothing else.
    let body = Bytes::from(crate::publish::delivered_body());
    let mut connection = Connection::open(&to).await?;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
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
