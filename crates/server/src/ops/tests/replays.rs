//! Sending many deliveries again: step by step, across restarts, until the end or until somebody ends it.

use bellwire_core::{
    delivery::{Reason, State},
    id::{ReplayId, WebhookId},
};

use super::{
    deliveries::{finish, list},
    *,
};
use crate::{
    db::{
        deliveries::Wanted,
        page::PageRequest,
        replays::{ByTime, Replay, ReplayStatus},
    },
    ops::{
        self,
        replays::NewReplay,
        webhooks::{Missed, NewTest},
    },
};

/// All that failed until now.
fn failed() -> NewReplay {
    NewReplay { since: Timestamp::default(), until: None, state: State::Failed, event_type: None }
}

async fn replay(world: &World, webhook: WebhookId, new: NewReplay) -> Result<Replay, Error> {
    ops::replays::create(&world.app, &world.owner, webhook, new).await
}

async fn now_is(world: &World, id: ReplayId) -> (ReplayStatus, i64, i64) {
    let replay = ops::replays::get(&world.app, &world.owner, id).await.unwrap();
    assert_eq!(replay.status.is_over(), replay.ended_at.is_some());
    (replay.status, replay.looked_at, replay.sent)
}

/// A webhook with so many deliveries, one a second, all of which failed.
async fn webhook(world: &World, count: usize) -> WebhookId {
    let id = create(world, "https://example.com/", &["user.*"]).await.id;
    for _ in 0..count {
        publish_one(world).await;
        second(world);
    }
    for delivery in list(world, id, Wanted::default()).await {
        finish(world, delivery.id, "failed").await;
    }
    id
}

async fn by_hand(world: &World, webhook: WebhookId) -> usize {
    let all = list(world, webhook, Wanted::default()).await;
    all.iter().filter(|delivery| delivery.reason == Reason::Resend).count()
}

async fn off(world: &World, webhook: WebhookId) {
    let reason = bellwire_core::text::Reason::parse("").unwrap();
    ops::webhooks::deactivate(&world.app, &world.owner, webhook, reason).await.unwrap();
}

#[tokio::test]
async fn what_failed_since_a_time_is_sent_again() {
    for mut world in worlds().await {
        let start = world.app.clock.now();
        let id = webhook(&world, 12).await;
        drain(&mut world);
        let since = start.saturating_add(Duration::from_secs(5));
        let asked = replay(&world, id, NewReplay { since, ..failed() }).await.unwrap();
        assert_eq!((asked.status, asked.total, asked.looked_at), (ReplayStatus::Running, 7, 0));
        assert_eq!(asked.until, world.app.clock.now());
        assert_eq!(by_hand(&world, id).await, 0, "the engine does it");
        assert_eq!(code(replay(&world, id, failed()).await), "replay_running");

        assert!(ops::replays::step(&world.app).await.unwrap());
        assert_eq!(now_is(&world, asked.id).await, (ReplayStatus::Done, 7, 7));
        assert_eq!(handed_over(&drain(&mut world)), (0, vec![id]));
        assert_eq!(by_hand(&world, id).await, 7);
        assert!(!ops::replays::step(&world.app).await.unwrap());

        second(&world);
        let nothing = replay(&world, id, NewReplay { since, ..failed() }).await.unwrap();
        assert_eq!((nothing.status, nothing.total), (ReplayStatus::Done, 0));
        let request = PageRequest::new(None, None, ByTime, true).unwrap();
        let all = ops::replays::list(&world.app, &world.owner, id, request).await.unwrap().data;
        assert_eq!(all.iter().map(|replay| replay.id).collect::<Vec<_>>(), [nothing.id, asked.id]);
        assert_eq!(all[1].by.name, world.owner.name);
    }
}

#[tokio::test]
async fn a_replay_is_refused_to_who_may_not_and_when_it_makes_no_sense() {
    for world in worlds().await {
        let id = webhook(&world, 1).await;
        for state in [State::Held, State::Pending] {
            assert_eq!(code(replay(&world, id, NewReplay { state, ..failed() }).await), "invalid");
        }
        let running = replay(&world, id, failed()).await.unwrap();
        let eve = stranger(&world.app).await;
        assert_eq!(code(ops::replays::create(&world.app, &eve, id, failed()).await), "not_found");
        assert_eq!(code(ops::replays::get(&world.app, &eve, running.id).await), "not_found");
        assert_eq!(code(ops::replays::cancel(&world.app, &eve, running.id).await), "not_found");
        off(&world, id).await;
        assert_eq!(code(replay(&world, id, failed()).await), "webhook_inactive");
    }
}

#[tokio::test]
async fn a_test_that_failed_is_not_sent_again() {
    for world in worlds().await {
        let id = webhook(&world, 2).await;
        let test = ops::webhooks::test(&world.app, &world.owner, id, NewTest::default()).await.unwrap();
        finish(&world, test, "failed").await;
        second(&world);
        let asked = replay(&world, id, failed()).await.unwrap();
        assert_eq!(asked.total, 2);
        assert!(ops::replays::step(&world.app).await.unwrap());
        assert_eq!(now_is(&world, asked.id).await, (ReplayStatus::Done, 2, 2));
        assert_eq!(by_hand(&world, id).await, 2);
    }
}

#[tokio::test]
async fn what_was_held_and_skipped_is_sent_again() {
    for world in worlds().await {
        let id = webhook(&world, 0).await;
        off(&world, id).await;
        publish_one(&world).await;
        second(&world);
        ops::webhooks::activate(&world.app, &world.owner, id, Missed::Skip).await.unwrap();
        second(&world);
        replay(&world, id, NewReplay { state: State::Cancelled, ..failed() }).await.unwrap();
        ops::replays::step(&world.app).await.unwrap();
        assert_eq!(by_hand(&world, id).await, 1);
    }
}

/// More than one step. The process may end after each: what is to be done next is read from the database alone. While the
/// webhook is inactive nothing is done.
#[tokio::test]
async fn a_long_replay_goes_on_where_it_was() {
    for world in worlds().await {
        let id = webhook(&world, 2).await;
        // The rest of a long history, at one blow: the same deliveries under other ids.
        let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 250) \
                   INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, event_type, state, due_at, reason, tries, attempts, \
                   created_at, updated_at) \
                   SELECT SUBSTR(d.id, 1, 20) || SUBSTR(CAST(10000000000 + n * 10 AS TEXT), 2), workspace_id, webhook_id, event_id, \
                   event_type, state, due_at, reason, tries, attempts, created_at - n, updated_at FROM deliveries d CROSS JOIN n";
        execute(&world.app, sql, vec![]).await;
        let asked = replay(&world, id, failed()).await.unwrap();
        assert_eq!(asked.total, 502);
        assert!(ops::replays::step(&world.app).await.unwrap());
        assert_eq!(now_is(&world, asked.id).await, (ReplayStatus::Running, 200, 200));
        off(&world, id).await;
        assert!(!ops::replays::step(&world.app).await.unwrap());
        assert_eq!(now_is(&world, asked.id).await, (ReplayStatus::Paused, 200, 200));
        ops::webhooks::activate(&world.app, &world.owner, id, Missed::Skip).await.unwrap();
        // Two nodes at once: each step is made once.
        let (one, other) = tokio::join!(ops::replays::step(&world.app), ops::replays::step(&world.app));
        assert!(one.unwrap() && other.unwrap());
        while ops::replays::step(&world.app).await.unwrap() {}
        assert_eq!(now_is(&world, asked.id).await, (ReplayStatus::Done, 502, 502));
        assert_eq!(by_hand(&world, id).await, 502);
    }
}

#[tokio::test]
async fn a_replay_can_be_ended() {
    for world in worlds().await {
        let id = webhook(&world, 3).await;
        let asked = replay(&world, id, failed()).await.unwrap();
        let ended = ops::replays::cancel(&world.app, &world.owner, asked.id).await.unwrap();
        assert_eq!(ended.status, ReplayStatus::Cancelled);
        assert!(!ops::replays::step(&world.app).await.unwrap());
        assert_eq!(by_hand(&world, id).await, 0);
        assert_eq!(ops::replays::cancel(&world.app, &world.owner, asked.id).await.unwrap(), ended);
        // Another may be begun; it ends with its webhook.
        let asked = replay(&world, id, failed()).await.unwrap();
        ops::webhooks::delete(&world.app, &world.owner, id).await.unwrap();
        assert!(!ops::replays::step(&world.app).await.unwrap());
        assert_eq!(now_is(&world, asked.id).await, (ReplayStatus::Cancelled, 0, 0));
    }
}

/// `cargo test --release -p bellwire --lib ops::tests::replays -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement, by hand"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn how_long_a_hundred_thousand_take() {
    for world in worlds().await {
        let id = webhook(&world, 1).await;
        let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 99999) \
                   INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, event_type, state, due_at, reason, tries, attempts, \
                   created_at, updated_at) \
                   SELECT SUBSTR(d.id, 1, 20) || SUBSTR(CAST(10000000000 + n * 10 AS TEXT), 2), workspace_id, webhook_id, event_id, \
                   event_type, state, due_at, reason, tries, attempts, created_at - n, updated_at FROM deliveries d CROSS JOIN n";
        execute(&world.app, sql, vec![]).await;
        let began = std::time::Instant::now();
        let asked = replay(&world, id, failed()).await.unwrap();
        let (answered, mut steps) = (began.elapsed(), Vec::new());
        loop {
            let step = std::time::Instant::now();
            if !ops::replays::step(&world.app).await.unwrap() {
                break;
            }
            steps.push(step.elapsed());
        }
        steps.sort_unstable();
        let (half, longest, all) = (steps[steps.len() / 2], steps[steps.len() - 1], began.elapsed());
        let engine = world.app.db.engine();
        println!(
            "{engine}: answered within {answered:?}; {} steps, half within {half:?}, the longest {longest:?}; {all:?} in all",
            steps.len()
        );
        assert_eq!(now_is(&world, asked.id).await, (ReplayStatus::Done, 100_000, 100_000));
    }
}
