//! The network between a node and the database is cut: nothing gets through, and nobody is told.

use std::{collections::BTreeSet, time::Duration};

use super::{Cluster, NODES, rounds};
use crate::support::{machine::until, postgres::fresh_database};

const CONFIRMED: &str = "bellwire_database_confirmed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_cut_off_and_nothing_is_lost() {
    let Some(database) = fresh_database().await else { return };
    let mut cluster = Cluster::start(database.url()).await;
    let publishers = cluster.publishers();
    let rounds = rounds(2);
    for round in 0..rounds {
        cluster.ledger.grow(10 + round * 7 % 40).await;
        let victim = round % NODES;
        cluster.nodes[victim].line.cut();
        let confirmed = async || cluster.nodes[victim].metric(CONFIRMED).await;
        until("it notices", async || confirmed().await == 0).await;
        cluster.excuse(victim).await;
        cluster.examine(&format!("cut {round}")).await;
        // What was held back arrives late, or never.
        if round % 2 == 0 {
            cluster.nodes[victim].line.mend();
        } else {
            cluster.nodes[victim].line.renew();
        }
        let confirmed = async || cluster.nodes[victim].metric(CONFIRMED).await;
        until("it goes on", async || confirmed().await == 1).await;
    }
    cluster.settle(publishers, &format!("{rounds} times one of {NODES} nodes cut off")).await;
}

/// Nobody waits for the leases by moving them: the node that is cut off lives, and believes in them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_begins_nothing_and_the_others_take_over() {
    const EVENTS: usize = 10;
    let Some(database) = fresh_database().await else { return };
    let cluster = Cluster::start(database.url()).await;
    let held = cluster.hold(2);
    let (node, published) = (&cluster.nodes[0], cluster.publish(0, EVENTS).await);
    until("it sends", async || !cluster.ledger.arrivals().is_empty()).await;
    node.line.cut();
    until("it notices", async || node.metric(CONFIRMED).await == 0).await;
    // What was under way ends; the rest stays where it is, though the receiver is there and the leases last for a while yet.
    let under_way: BTreeSet<String> = cluster.ledger.arrivals().into_keys().collect();
    assert!(under_way.len() < EVENTS, "{under_way:?}");
    drop(held);
    until("what was under way has ended", async || node.metric("bellwire_exchanges").await == 0).await;
    assert_eq!(cluster.ledger.arrivals().into_keys().collect::<BTreeSet<_>>(), under_way, "it begins nothing");

    let id = cluster.id_of(0).await;
    for _ in 0..12_000 {
        if cluster.ledger.arrivals().len() == EVENTS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let others = "SELECT id FROM deliveries WHERE state = 'pending' AND leased_by = $1";
    until("the others have taken over", async || cluster.list(others, &[&id]).await.is_empty()).await;
    let pending = "SELECT id FROM deliveries WHERE state = 'pending'";
    until("all is written", async || cluster.list(pending, &[]).await.is_empty()).await;

    node.line.mend();
    until("it goes on", async || node.metric(CONFIRMED).await == 1).await;
    until("it has forgotten", async || node.metric("bellwire_deliveries_in_memory").await == 0).await;
    let arrivals = cluster.ledger.arrivals();
    assert_eq!(arrivals.keys().cloned().collect::<BTreeSet<_>>(), published);
    let twice: Vec<_> =
        arrivals.iter().filter(|(id, count)| **count > 1 + usize::from(under_way.contains(*id))).collect();
    assert!(twice.is_empty(), "arrived again, and were not under way: {twice:?}");
}
