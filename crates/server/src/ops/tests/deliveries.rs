//! Looking at deliveries and events, and sending them again.

use bellwire_core::{
    catalogue::ActorType,
    delivery::{Reason, State},
    id::DeliveryId,
};

use super::*;
use crate::{
    db::{
        deliveries::{ByTime, Delivery, Wanted},
        event_views::{self, BySequence},
        page::PageRequest,
    },
    ops,
};

pub(super) async fn list(world: &World, webhook: WebhookId, wanted: Wanted) -> Vec<Delivery> {
    let mut request = PageRequest::new(Some(3), None, ByTime, true).unwrap();
    let mut all = Vec::new();
    loop {
        let page = ops::deliveries::list(&world.app, &world.owner, webhook, wanted.clone(), request.clone()).await;
        let page = page.unwrap();
        all.extend(page.data);
        let Some(next) = page.next else { return all };
        request = request.following(&next).unwrap();
    }
}

/// As the engine writes it down, with one attempt.
pub(super) async fn finish(world: &World, delivery: DeliveryId, state: &'static str) {
    let sql = "UPDATE deliveries SET state = $2, attempts = 1, tries = 1, leased_by = NULL, due_at = $3 WHERE id = $1";
    execute(&world.app, sql, vec![delivery.into(), state.into(), world.app.clock.now().into()]).await;
    let sql = "INSERT INTO attempts (delivery_id, number, reason, started_at, duration, status, response_headers) \
               VALUES ($1, 1, 'automatic', $2, 1500, 503, '[[\"server\",\"x\"]]')";
    execute(&world.app, sql, vec![delivery.into(), world.app.clock.now().into()]).await;
}

/// The numbers of the events of deliveries.
async fn numbers(world: &World, deliveries: &[Delivery]) -> Vec<i64> {
    let sql = "SELECT id, sequence FROM events";
    let rows = query(&world.app, sql, Vec::new()).await;
    let number = |event: String| rows.iter().find(|row| row.get::<String>("id").unwrap() == event);
    let number = |delivery: &Delivery| number(delivery.event_id.to_string()).unwrap().get("sequence").unwrap();
    deliveries.iter().map(number).collect()
}

#[tokio::test]
async fn what_is_of_one_moment_stands_in_the_order_of_the_events() {
    for world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        let one = || event(EventType::USER_BLOCKED, "{}");
        let batch = (0..40).map(|_| one()).collect();
        ops::publish::publish_batch(&world.app, &world.owner, batch, None).await.unwrap();
        let publishes = (0..10).map(|_| ops::publish::publish(&world.app, &world.owner, one(), None));
        futures_util::future::try_join_all(publishes).await.unwrap();
        let listed = list(&world, id, Wanted::default()).await;
        let numbers = numbers(&world, &listed).await;
        assert_eq!((listed.len(), numbers.is_sorted_by(|a, b| a > b)), (50, true), "{numbers:?}");
        assert!(listed.iter().all(|delivery| delivery.created_at == listed[0].created_at), "the clock stands still");
    }
}

#[tokio::test]
async fn lists_filter_and_page() {
    for world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*", "role.*"]).await.id;
        let start = world.app.clock.now();
        for number in 0..10 {
            let event_type = if number % 2 == 0 { EventType::USER_BLOCKED } else { EventType::ROLE_CREATED };
            ops::publish::publish(&world.app, &world.owner, event(event_type, "{}"), None).await.unwrap();
            second(&world);
        }
        let all = list(&world, id, Wanted::default()).await;
        assert_eq!(all.len(), 10);
        assert!(all.is_sorted_by(|a, b| (a.created_at, a.id) > (b.created_at, b.id)));
        assert!(all.iter().all(|delivery| delivery.next_attempt_at.is_none()), "they are being sent now");
        finish(&world, all[0].id, "delivered").await;
        finish(&world, all[1].id, "failed").await;
        let of_type = Wanted { event_type: Some("role.created".to_owned()), ..Wanted::default() };
        assert_eq!(list(&world, id, of_type).await.len(), 5);
        let with = async |state| list(&world, id, Wanted { state: Some(state), ..Wanted::default() }).await.len();
        assert_eq!(with(State::Pending).await, 8);
        assert_eq!((with(State::Delivered).await, with(State::Failed).await), (1, 1));
        assert_eq!((with(State::Held).await, with(State::Cancelled).await), (0, 0));
        let since = start.saturating_add(Duration::from_secs(2));
        let until = start.saturating_add(Duration::from_secs(5));
        let window = Wanted { since: Some(since), until: Some(until), ..Wanted::default() };
        assert_eq!(list(&world, id, window).await.len(), 3);

        let details = ops::deliveries::get(&world.app, &world.owner, all[1].id).await.unwrap();
        assert_eq!((details.attempts.len(), details.attempts[0].status), (1, Some(503)));
        let last = details.last_attempt.clone().unwrap();
        assert_eq!((last.status, last.duration_ms.to_bits()), (Some(503), 1.5_f64.to_bits()));
        let shown = json(&details);
        assert_eq!((&shown["state"], &shown["attempt_count"]), (&"failed".into(), &1.into()));
        assert_eq!(shown["event"]["id"], json(&details.event_id));

        let day_before = start.saturating_sub(Duration::from_hours(23));
        let recent = ops::overview::recent(&world.app, &world.owner, id, day_before).await.unwrap();
        let mut outcomes: Vec<_> = recent.outcomes.iter().map(|it| (it.step, it.state.as_str(), it.count)).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, [(23, "delivered", 1), (23, "failed", 1), (23, "pending", 8)]);
        assert_eq!((recent.attempts.len(), recent.cut), (2, false));
    }
}

#[tokio::test]
async fn a_resend_is_due_at_once_and_takes_nothing_away() {
    for mut world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        publish_one(&world).await;
        let in_flight = list(&world, id, Wanted::default()).await[0].id;
        drain(&mut world);
        let same = ops::deliveries::resend(&world.app, &world.owner, in_flight).await.unwrap();
        assert_eq!(same.reason, Reason::Automatic, "it is being sent: nothing more to do");

        // A retry in an hour.
        finish(&world, in_flight, "pending").await;
        let due = world.app.clock.now().saturating_add(Duration::from_hours(1));
        execute(&world.app, "UPDATE deliveries SET due_at = $1", vec![due.into()]).await;
        drain(&mut world);
        let resent = ops::deliveries::resend(&world.app, &world.owner, in_flight).await.unwrap();
        assert_eq!((resent.reason, resent.state), (Reason::Resend, State::Pending));
        assert_eq!(resent.next_attempt_at, Some(world.app.clock.now()));
        assert_eq!(handed_over(&drain(&mut world)), (0, vec![id]));
        let prior = "SELECT prior_state, prior_due_at, tries FROM deliveries";
        let kept = async || {
            let row = &query(&world.app, prior, vec![]).await[0];
            let text: String = row.get("prior_state").unwrap();
            (text, row.get::<Timestamp>("prior_due_at").unwrap(), row.get::<i64>("tries").unwrap())
        };
        assert_eq!(kept().await, ("pending".to_owned(), due, 1));
        second(&world);
        ops::deliveries::resend(&world.app, &world.owner, in_flight).await.unwrap();
        assert_eq!(kept().await, ("pending".to_owned(), due, 1), "asking twice is asking once");

        let off = bellwire_core::text::Reason::parse("").unwrap();
        ops::webhooks::deactivate(&world.app, &world.owner, id, off).await.unwrap();
        let refused = ops::deliveries::resend(&world.app, &world.owner, in_flight).await;
        assert_eq!(code(refused), "webhook_inactive");
        let missing = ops::deliveries::resend(&world.app, &world.owner, super::id(&world.app)).await;
        assert_eq!(code(missing), "not_found");
    }
}

#[tokio::test]
async fn a_resend_of_what_was_skipped_is_sent_and_goes_back_to_cancelled() {
    for world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        let off = bellwire_core::text::Reason::parse("").unwrap();
        ops::webhooks::deactivate(&world.app, &world.owner, id, off).await.unwrap();
        publish_one(&world).await;
        ops::webhooks::activate(&world.app, &world.owner, id, ops::webhooks::Missed::Skip).await.unwrap();
        let skipped = list(&world, id, Wanted::default()).await[0].clone();
        assert_eq!(skipped.state, State::Cancelled);
        let resent = ops::deliveries::resend(&world.app, &world.owner, skipped.id).await.unwrap();
        assert_eq!(resent.state, State::Pending);
        let row = &query(&world.app, "SELECT prior_state FROM deliveries", vec![]).await[0];
        assert_eq!(row.get::<String>("prior_state").unwrap(), "cancelled");
    }
}

#[tokio::test]
async fn the_feed_filters_and_pages() {
    for world in worlds().await {
        let start = world.app.clock.now();
        let about = ["usr_a", "usr_b"];
        for number in 0..8 {
            let event_type = if number < 3 { EventType::LICENSE_ISSUED } else { EventType::USER_BLOCKED };
            let data = format!("{{ \"object\" : {{\"id\" : \"{}\"}} }}", about[number % 2]);
            let mut new = event(event_type, &data);
            if number == 7 {
                new.actor = Some(serde_json::from_str(r#"{"type":"system","id":"erp_1","name":"ERP"}"#).unwrap());
            }
            ops::publish::publish(&world.app, &world.owner, new, None).await.unwrap();
            second(&world);
        }
        let find = async |wanted: event_views::Wanted| -> Vec<i64> {
            let mut request = PageRequest::new(Some(2), None, BySequence, true).unwrap();
            let mut all = Vec::new();
            loop {
                let page = ops::events::list(&world.app, &world.owner, wanted.clone(), request.clone()).await.unwrap();
                all.extend(page.data.iter().map(|event| event.sequence));
                let Some(next) = page.next else { return all };
                request = request.following(&next).unwrap();
            }
        };
        let any = event_views::Wanted::default;
        assert_eq!(find(any()).await, [8, 7, 6, 5, 4, 3, 2, 1]);
        let of = event_views::Wanted { event_types: Some(EventType::LICENSE_ISSUED.into()), ..any() };
        assert_eq!(find(of).await, [3, 2, 1]);
        let of = event_views::Wanted { event_types: Some(ActorType::Users.types().collect()), ..any() };
        assert_eq!(find(of).await, [8, 7, 6, 5, 4]);
        let by = event_views::Wanted { actor_id: Some("erp_1".to_owned()), ..any() };
        assert_eq!(find(by).await, [8]);
        let by = event_views::Wanted { actor_id: Some(world.owner.principal.to_string()), ..any() };
        assert_eq!(find(by).await.len(), 7);
        let about = event_views::Wanted { object_id: Some("usr_a".to_owned()), ..any() };
        assert_eq!(find(about).await, [7, 5, 3, 1]);
        let since = start.saturating_add(Duration::from_secs(6));
        assert_eq!(find(event_views::Wanted { since: Some(since), ..any() }).await, [8, 7]);
        assert_eq!(find(event_views::Wanted { until: Some(since), ..any() }).await.len(), 6);
    }
}
