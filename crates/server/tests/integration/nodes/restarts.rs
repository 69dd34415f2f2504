//! PostgreSQL itself is stopped and started again, orderly and in a crash, while transactions are committed. A commit whose answer
//! was lost may have happened or not: with its key the publish is repeated, and happens once.

use super::{Cluster, NODES, rounds};
use crate::support::postgres::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_restarted_and_nothing_is_lost_or_done_twice() {
    let Some(mut server) = Server::start().await else { return };
    let mut cluster = Cluster::start(&server.url()).await;
    let publishers = cluster.publishers();
    let rounds = rounds(3);
    for round in 0..rounds {
        cluster.ledger.grow(10 + round * 7 % 40).await;
        // Everybody's connections break: whatever was under way anywhere may arrive again.
        for id in cluster.list("SELECT event_id FROM deliveries WHERE state = 'pending'", &[]).await {
            *cluster.excused.entry(id).or_default() += 1;
        }
        let before = cluster.ledger.acknowledged(0).len();
        server.stop(round % 2 == 0).await;
        server.run().await;
        // Also what was published since the look.
        for id in cluster.ledger.acknowledged(before.saturating_sub(1)) {
            *cluster.excused.entry(id).or_default() += 1;
        }
        for id in cluster.list("SELECT event_id FROM deliveries WHERE state = 'pending'", &[]).await {
            *cluster.excused.entry(id).or_default() += 1;
        }
        cluster.examine(&format!("restart {round}")).await;
    }
    cluster.settle(publishers, &format!("{rounds} restarts of PostgreSQL under {NODES} nodes")).await;
}
