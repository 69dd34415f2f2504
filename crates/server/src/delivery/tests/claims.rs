//! Nodes that look for work at the same moment.

use std::time::Duration;

use bellwire_core::id::WebhookId;
use tokio::{sync::oneshot, time::timeout};

use super::world::{GUARD, Settings, World, postgres};
use crate::db::{self, DbError, leases::Claim};

impl World {
    /// Claims, and keeps the transaction open until it is told to go on.
    async fn claim(
        &self,
        webhook: WebhookId,
        room: u32,
        claimed: oneshot::Sender<()>,
        go_on: oneshot::Receiver<()>,
    ) -> Claim {
        let (node, now) = (self.app.node, self.app.database_clock.now());
        let until = now.saturating_add(Duration::from_secs(60));
        let done = self.app.db.write(move |conn| {
            Box::pin(async move {
                let claim = db::leases::claim(conn, node, &[(webhook, room)], now, until).await?.remove(0);
                let _ = claimed.send(()); // whoever waits has given up
                let _ = go_on.await;
                Ok::<_, DbError>(claim)
            })
        });
        done.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_claim_at_once_share_the_work_and_do_not_wait() {
    let Some(database_url) = postgres().await else { return };
    let settings = Settings { database_url: Some(database_url), ..Settings::default() };
    let world = World::without_engine(&settings).await;
    let webhook = world.webhook("https://example.com/").await;
    world.publish(4).await;
    world.execute("UPDATE deliveries SET due_at = 0", &[]).await;
    let other = world.beside(0);

    let ((has_claimed, claimed), (go_on, going_on)) = (oneshot::channel(), oneshot::channel());
    let first = world.claim(webhook, 2, has_claimed, going_on);
    let second = async {
        claimed.await.unwrap();
        let at_once = oneshot::channel().1; // nobody holds the other end
        let second = timeout(GUARD, other.claim(webhook, 4, oneshot::channel().0, at_once)).await;
        go_on.send(()).unwrap();
        second.expect("it does not wait for the first")
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.deliveries.len(), second.deliveries.len()), (2, 2));
    assert!(first.deliveries.iter().all(|one| !second.deliveries.contains(one)), "{first:?} {second:?}");
    world.rows(2, &format!("SELECT id FROM deliveries WHERE leased_by = '{}' AND due_at > 0", other.app.node)).await;
}
