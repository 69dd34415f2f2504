//! Nodes are killed with SIGKILL while they publish and deliver. What they had in memory is pending, with the end of a lease.
//!
//! The test lets the leases of the dead run out by moving their ends: nobody waits for a minute each time.

use tokio_postgres::NoTls;

use super::{Cluster, NODES, rounds};
use crate::support::{machine::until, postgres::fresh_database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_of_three_is_killed_and_nothing_is_lost() {
    kill(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_three_are_killed_and_nothing_is_lost() {
    kill(2).await;
}

async fn kill(at_once: usize) {
    let Some(database) = fresh_database().await else { return };
    let mut cluster = Cluster::start(database.url()).await;
    let publishers = cluster.publishers();
    let rounds = rounds(3);
    for round in 0..rounds {
        // Kills fall at ever different moments: after a number of acknowledgements, not after a time.
        cluster.ledger.grow(10 + round * 7 % 40).await;
        let victims: Vec<usize> = (0..at_once).map(|next| (round + next) % NODES).collect();
        for victim in &victims {
            cluster.nodes[*victim].kill().await;
        }
        for victim in &victims {
            bury(&mut cluster, *victim).await;
        }
        cluster.examine(&format!("kill {round}")).await;
        for victim in victims {
            cluster.nodes[victim].start().await;
        }
    }
    cluster.settle(publishers, &format!("{rounds} times {at_once} of {NODES} nodes killed")).await;
}

/// Waits until the database knows that it is dead, and lets its leases run out.
async fn bury(cluster: &mut Cluster, node: usize) {
    let connections =
        "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1";
    let name = cluster.nodes[node].name.clone();
    until("its connections have ended", async || cluster.list(connections, &[&name]).await.is_empty()).await;
    cluster.excuse(node).await;
    let id = cluster.id_of(node).await;
    let (client, connection) = tokio_postgres::connect(&cluster.database_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "UPDATE deliveries SET due_at = 0 WHERE state = 'pending' AND leased_by = $1";
    client.execute(sql, &[&id]).await.unwrap();
}
