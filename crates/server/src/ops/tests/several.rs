//! What is done to several webhooks at once, and what the list shows of their last hours.

use bellwire_core::delivery::State;

use super::*;
use crate::{
    db::{
        recent::{IN_ROW, RecentDelivery},
        status_changes::Status,
    },
    ops::{
        overview,
        webhooks::{self, Change, MAX_SEVERAL, Missed, change_several},
    },
};

#[tokio::test]
async fn several_webhooks_are_changed_together() {
    for mut world in worlds().await {
        let mut made = Vec::new();
        for name in ["a", "b", "c"] {
            made.push(create(&world, &format!("https://{name}.example.com/"), &["user.*"]).await.id);
        }
        let foreign = stranger(&world.app).await;
        let change = async |actor: &Actor, ids: &[WebhookId], change| {
            change_several(&world.app, actor, ids.to_vec(), change).await
        };
        let status = async |id| webhooks::get(&world.app, &world.owner, id).await.map(|it| it.status);

        assert_eq!(code(change(&world.member, &made, Change::Delete).await), "forbidden");
        assert_eq!(change(&foreign, &made, Change::Delete).await.unwrap(), 0, "they are another workspace's");
        assert_eq!(code(change(&world.owner, &vec![made[0]; MAX_SEVERAL + 1], Change::Deactivate).await), "invalid");

        assert_eq!(change(&world.owner, &made[..2], Change::Deactivate).await.unwrap(), 2);
        assert_eq!(change(&world.owner, &made, Change::Deactivate).await.unwrap(), 1, "two were inactive already");
        for id in &made {
            assert_eq!(status(*id).await.unwrap(), Status::Inactive);
        }
        assert_eq!(change(&world.owner, &made, Change::Activate(Missed::Send)).await.unwrap(), 3);
        assert_eq!(change(&world.owner, &made[1..], Change::Delete).await.unwrap(), 2);
        assert_eq!(change(&world.owner, &made, Change::Delete).await.unwrap(), 1, "two are gone");
        assert_eq!(code(status(made[0]).await), "not_found");
        let told = drain(&mut world);
        let changed = told.iter().filter(|signal| matches!(signal, Signal::Changed(_))).count();
        let due = told.iter().filter(|signal| matches!(signal, Signal::Due(_))).count();
        assert_eq!(
            (changed, due),
            (3 + 5 + 3 + 3, 3),
            "the engine hears of each: made, off (two were asked twice), on, deleted"
        );
    }
}

#[tokio::test]
async fn the_newest_deliveries_of_a_page_come_in_one_statement() {
    for world in worlds().await {
        let (busy, quiet) = (
            create(&world, "https://busy.example.com/", &["user.*"]).await,
            create(&world, "https://quiet.example.com/", &["role.*"]).await,
        );
        publish_one(&world).await;
        world.app.clock.advance(Duration::from_hours(2));
        let since = world.app.clock.now();
        for _ in 0..IN_ROW + 3 {
            second(&world);
            publish_one(&world).await;
        }
        let done = "UPDATE deliveries SET state = 'failed', attempts = 2 WHERE created_at = $1";
        execute(&world.app, done, vec![world.app.clock.now().into()]).await;
        let ask = async |actor: &Actor, since| {
            overview::deliveries(&world.app, actor, &[busy.clone(), quiet.clone()], since).await
        };
        let found = ask(&world.owner, since).await.unwrap();
        let newest = &found[&busy.id];
        assert_eq!(newest.len(), usize::try_from(IN_ROW).unwrap());
        assert!(newest.is_sorted_by_key(|delivery| delivery.created_at));
        let last =
            RecentDelivery { created_at: world.app.clock.now(), state: State::Failed, tried: true, is_test: false };
        assert_eq!((newest[0].state, newest[0].tried, newest[newest.len() - 1]), (State::Pending, false, last));
        assert!(!found.contains_key(&quiet.id));
        assert_eq!(ask(&world.owner, world.app.clock.now()).await.unwrap()[&busy.id], [last]);
        assert_eq!(code(ask(&world.member, since).await), "forbidden");
    }
}
