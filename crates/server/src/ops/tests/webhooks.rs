//! Creating, modifying, switching, testing and deleting webhooks.

use bellwire_core::{
    catalogue::ActorType,
    delivery::{Health, Reason, State},
    text::Reason as Why,
};

use super::*;
use crate::{
    db::{
        self,
        page::PageRequest,
        status_changes::{ByTime, Evidence, Status, StatusCode},
        webhooks::Wanted,
    },
    ops::{
        self,
        webhooks::{Missed, NewTest, WebhookPatch},
    },
};

fn why(text: &str) -> Why {
    Why::parse(text).unwrap()
}

async fn state(world: &World, webhook: WebhookId) -> Vec<State> {
    let request = PageRequest::new(Some(200), None, db::deliveries::ByTime, false).unwrap();
    let page = ops::deliveries::list(&world.app, &world.owner, webhook, db::deliveries::Wanted::default(), request);
    page.await.unwrap().data.iter().map(|delivery| delivery.state).collect()
}

async fn target(world: &World, id: WebhookId) -> Option<db::webhooks::Target> {
    let target = world.app.db.read(move |conn| Box::pin(async move { db::webhooks::target(conn, id).await })).await;
    target.map_err(db).unwrap()
}

#[tokio::test]
async fn a_new_webhook_is_active_and_its_secrets_are_sealed() {
    for mut world in worlds().await {
        let mut new = new_webhook("https://Hooks.Example.com:443/a", &["users.*", "invite.created"]);
        new.headers = vec![("X-Api-Key".to_owned(), "s3cret".to_owned())];
        new.rate_limit = Some(50);
        let (made, secret) = ops::webhooks::create(&world.app, &world.owner, new).await.unwrap();
        assert_eq!(made.url.as_str(), "https://hooks.example.com/a");
        assert_eq!((made.status, made.health), (Status::Active, Health::Unknown));
        assert_eq!(made.actor_types, [ActorType::Users, ActorType::Invites]);
        assert_eq!(made.owner.name, "Ann Lee");
        assert_eq!(ops::webhooks::get(&world.app, &world.owner, made.id).await.unwrap(), made);
        let shown = json(&made);
        assert_eq!(shown["headers"], serde_json::json!(["x-api-key"]));
        assert!(!shown.to_string().contains("s3cret") && !shown.to_string().contains("whsec"));
        assert!(matches!(&drain(&mut world)[..], [Signal::Changed(id)] if *id == made.id));

        let view = ops::webhooks::reveal_secret(&world.app, &world.owner, made.id).await.unwrap();
        assert_eq!((view.secret.as_str(), view.old_secret_until, view.public_key), (secret.as_str(), None, None));
        let target = target(&world, made.id).await.unwrap();
        assert_eq!((target.rate_limit, target.workspace), (Some(50), world.owner.workspace));
        let opened = ops::webhooks::open(&world.app, &target).unwrap();
        assert_eq!(opened.secret.reveal(), secret);
        assert_eq!(opened.headers, [("x-api-key".to_owned(), "s3cret".to_owned())]);
        let sealed = target.secret_sealed.iter().chain(target.headers_sealed.iter().flatten()).copied();
        assert!(!String::from_utf8_lossy(&sealed.collect::<Vec<_>>()).contains("s3cret"));

        let history = PageRequest::new(None, None, ByTime, true).unwrap();
        let history = ops::webhooks::status_changes(&world.app, &world.owner, made.id, history).await.unwrap();
        assert_eq!(history.data.len(), 1);
        assert_eq!(history.data[0].reason.by.name, "Ann Lee");
    }
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_refused() {
    for world in worlds().await {
        let field = async |new: NewWebhook| match ops::webhooks::create(&world.app, &world.owner, new).await {
            Err(Error::Invalid(fields)) => fields[0].field.clone(),
            other => format!("{other:?}"),
        };
        for url in
            ["http://127.0.0.1/", "http://10.1.2.3/", "http://[::1]/", "http://localhost/", "http://169.254.169.254/"]
        {
            assert_eq!(field(new_webhook(url, &["user.*"])).await, "url", "{url}");
        }
        let good = || new_webhook("https://example.com/", &["user.*"]);
        assert_eq!(field(NewWebhook { rate_limit: Some(0), ..good() }).await, "rate_limit");
        let headers = vec![("Webhook-Id".to_owned(), "x".to_owned())];
        assert_eq!(field(NewWebhook { headers, ..good() }).await, "headers");
        assert_eq!(field(NewWebhook { event_types: EventTypes::default(), ..good() }).await, "event_types");
        let test = EventTypes::from(EventType::WEBHOOK_TEST);
        assert_eq!(field(NewWebhook { event_types: test, ..good() }).await, "event_types");
        assert_eq!(ops::webhooks::count(&world.app, &world.owner, Wanted::default()).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_workspace_has_no_more_webhooks_than_it_may_and_deleting_one_makes_room() {
    for world in worlds().await {
        let make = async || {
            ops::webhooks::create(&world.app, &world.owner, new_webhook("https://example.com/", &["user.*"])).await
        };
        let one = make().await.unwrap().0.id;
        let sql = "UPDATE workspaces SET webhooks = webhooks + $1";
        execute(&world.app, sql, vec![i64::from(ops::webhooks::MAX_WEBHOOKS - 2).into()]).await;
        make().await.unwrap();
        assert_eq!(code(make().await), "too_many_webhooks");
        ops::webhooks::delete(&world.app, &world.owner, one).await.unwrap();
        make().await.unwrap();
        assert_eq!(code(make().await), "too_many_webhooks");
    }
}

#[tokio::test]
async fn nobody_reaches_into_another_workspace_or_beyond_their_role() {
    for world in worlds().await {
        let (app, eve) = (&world.app, stranger(&world.app).await);
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        publish_one(&world).await;
        let request = PageRequest::new(None, None, db::deliveries::ByTime, true).unwrap();
        let wanted = db::deliveries::Wanted::default;
        let page = ops::deliveries::list(app, &world.owner, id, wanted(), request.clone()).await.unwrap();
        let (delivery, event) = (page.data[0].id, page.data[0].event_id);
        let history = PageRequest::new(None, None, ByTime, true).unwrap();
        for (actor, expected) in [(&eve, "not_found"), (&world.member, "forbidden")] {
            assert_eq!(code(ops::webhooks::get(app, actor, id).await), expected);
            assert_eq!(code(ops::webhooks::update(app, actor, id, WebhookPatch::default()).await), expected);
            assert_eq!(code(ops::webhooks::delete(app, actor, id).await), expected);
            assert_eq!(code(ops::webhooks::activate(app, actor, id, Missed::Send).await), expected);
            assert_eq!(code(ops::webhooks::deactivate(app, actor, id, why("")).await), expected);
            assert_eq!(code(ops::webhooks::reveal_secret(app, actor, id).await), expected);
            assert_eq!(code(ops::webhooks::rotate_secret(app, actor, id, 0).await), expected);
            assert_eq!(code(ops::webhooks::test(app, actor, id, NewTest::default()).await), expected);
            assert_eq!(code(ops::webhooks::held_count(app, actor, id).await), expected);
            assert_eq!(code(ops::webhooks::status_changes(app, actor, id, history.clone()).await), expected);
            assert_eq!(code(ops::deliveries::list(app, actor, id, wanted(), request.clone()).await), expected);
            assert_eq!(code(ops::overview::recent(app, actor, id, world.app.clock.now()).await), expected);
            assert_eq!(code(ops::deliveries::signed(app, actor, delivery).await), expected);
            assert_eq!(code(ops::deliveries::get(app, actor, delivery).await), expected);
            assert_eq!(code(ops::deliveries::resend(app, actor, delivery).await), expected);
            assert_eq!(code(ops::events::get(app, actor, event).await), expected);
        }
        let all = PageRequest::new(None, None, db::webhooks::Sort::Url, false).unwrap();
        assert!(ops::webhooks::list(app, &eve, Wanted::default(), all).await.unwrap().data.is_empty());
        assert_eq!(ops::webhooks::get(app, &world.owner, id).await.unwrap().status, Status::Active);
    }
}

#[tokio::test]
async fn modifying_changes_what_is_sent_from_then_on() {
    for mut world in worlds().await {
        let id = create(&world, "https://example.com/old", &["user.*"]).await.id;
        publish_one(&world).await;
        execute(&world.app, "UPDATE webhooks SET health = 'failing', failing_since = 1, failing_attempts = 9", vec![])
            .await;
        second(&world);
        let patch = WebhookPatch { event_types: Some(types(&["license.*"])), ..WebhookPatch::default() };
        let modified = ops::webhooks::update(&world.app, &world.owner, id, patch).await.unwrap();
        assert_eq!(modified.actor_types, [ActorType::StateChanges]);
        assert_eq!((modified.url.as_str(), modified.health), ("https://example.com/old", Health::Failing));
        assert!(modified.updated_at > modified.created_at && modified.will_turn_off_at.is_some());
        publish_one(&world).await;
        assert_eq!(state(&world, id).await.len(), 1, "it no longer wants what was published");

        let patch = WebhookPatch {
            url: Some("https://example.com/new".parse().unwrap()),
            description: Some(Description::parse("for the CRM").unwrap()),
            headers: Some(vec![("X-A".to_owned(), "1".to_owned())]),
            rate_limit: Some(Some(5)),
            key_pair: Some(true),
            ..WebhookPatch::default()
        };
        drain(&mut world);
        let modified = ops::webhooks::update(&world.app, &world.owner, id, patch).await.unwrap();
        assert!(matches!(&drain(&mut world)[..], [Signal::Changed(changed)] if *changed == id));
        assert_eq!((modified.health, modified.failing_since, modified.failing_attempts), (Health::Unknown, None, 0));
        assert_eq!((modified.headers.as_slice(), modified.rate_limit), (&["x-a".to_owned()][..], Some(5)));
        assert_eq!(modified.description, "for the CRM");
        let view = ops::webhooks::reveal_secret(&world.app, &world.owner, id).await.unwrap();
        assert!(view.public_key.unwrap().starts_with("whpk_"));
        assert!(ops::webhooks::open(&world.app, &target(&world, id).await.unwrap()).unwrap().seed.is_some());

        let patch = WebhookPatch {
            rate_limit: Some(None),
            headers: Some(vec![]),
            key_pair: Some(false),
            ..WebhookPatch::default()
        };
        let modified = ops::webhooks::update(&world.app, &world.owner, id, patch).await.unwrap();
        assert_eq!((modified.headers.len(), modified.rate_limit), (0, None));
        assert_eq!(ops::webhooks::reveal_secret(&world.app, &world.owner, id).await.unwrap().public_key, None);
        let forbidden = WebhookPatch { url: Some("http://192.168.0.1/".parse().unwrap()), ..WebhookPatch::default() };
        assert_eq!(code(ops::webhooks::update(&world.app, &world.owner, id, forbidden).await), "invalid");
    }
}

#[tokio::test]
async fn what_is_missed_is_held_and_sent_afterwards() {
    for mut world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        let off = ops::webhooks::deactivate(&world.app, &world.owner, id, why("moving house")).await.unwrap();
        let reason = off.status_reason.clone().unwrap();
        assert_eq!(
            (off.status, reason.code, reason.message.as_str()),
            (Status::Inactive, StatusCode::Manual, "moving house")
        );
        drain(&mut world);
        for _ in 0..3 {
            publish_one(&world).await;
        }
        assert_eq!(handed_over(&drain(&mut world)), (0, vec![]));
        assert_eq!(state(&world, id).await, [State::Held; 3]);
        assert_eq!(ops::webhooks::held_count(&world.app, &world.owner, id).await.unwrap(), 3);

        let again = ops::webhooks::deactivate(&world.app, &world.owner, id, why("again")).await.unwrap();
        assert_eq!(again.status_reason, off.status_reason, "it was inactive already");
        let on = ops::webhooks::activate(&world.app, &world.owner, id, Missed::Send).await.unwrap();
        assert_eq!((on.status, &on.status_reason), (Status::Active, &None));
        assert_eq!(handed_over(&drain(&mut world)), (0, vec![id]));
        assert_eq!(state(&world, id).await, [State::Pending; 3]);
        assert_eq!(ops::webhooks::held_count(&world.app, &world.owner, id).await.unwrap(), 0);

        let skip = ops::webhooks::activate(&world.app, &world.owner, id, Missed::Skip).await.unwrap();
        assert_eq!(skip, on, "it was active already: nothing is skipped");
        assert_eq!(state(&world, id).await, [State::Pending; 3]);
        assert!(drain(&mut world).is_empty());
        let history = PageRequest::new(None, None, ByTime, false).unwrap();
        let history = ops::webhooks::status_changes(&world.app, &world.owner, id, history).await.unwrap();
        assert_eq!(history.data.len(), 3);
    }
}

#[tokio::test]
async fn what_is_missed_is_skipped_and_nothing_after_it() {
    for mut world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        for round in 0..2 {
            ops::webhooks::deactivate(&world.app, &world.owner, id, why("")).await.unwrap();
            publish_one(&world).await;
            publish_one(&world).await;
            ops::webhooks::activate(&world.app, &world.owner, id, Missed::Skip).await.unwrap();
            drain(&mut world);
            // At the very same moment, and even by a node whose clock is behind.
            publish_one(&world).await;
            let owed = drain(&mut world);
            assert_eq!(handed_over(&owed).0, 1);
            let Some(Signal::Owed(owed)) = owed.first() else { panic!("it is owed") };
            assert!(owed[0].created_at > target(&world, id).await.unwrap().cancel_before);
            // In the second round also what was in flight when the webhook was turned off.
            assert_eq!(count(&world, id, State::Cancelled).await, [2, 5][round]);
            assert_eq!(count(&world, id, State::Pending).await, 1);
        }
        let stored = async || {
            let sql = "SELECT COUNT(*) AS total FROM deliveries WHERE state = 'cancelled'";
            query(&world.app, sql, vec![]).await[0].get::<i64>("total").unwrap()
        };
        let step = async || -> u64 {
            let now = world.app.clock.now();
            let step = world
                .app
                .db
                .write(move |conn| Box::pin(async move { db::deliveries::cancel_skipped(conn, now, 3).await }));
            step.await.map_err(db).unwrap()
        };
        assert_eq!(stored().await, 0);
        assert_eq!((step().await, step().await, step().await), (3, 1, 0));
        assert_eq!(stored().await, 4);
        assert!(target(&world, id).await.unwrap().cancel_before.as_micros() > 0, "one is in flight");
        world.app.clock.advance(Duration::from_mins(2));
        assert_eq!((step().await, step().await, stored().await), (1, 0, 5));
        assert!(target(&world, id).await.unwrap().cancel_before.as_micros() < 0, "all of them are written down");
        publish_one(&world).await;
        assert_eq!(count(&world, id, State::Cancelled).await, 5);
        assert_eq!(count(&world, id, State::Pending).await, 2);
    }
}

async fn count(world: &World, webhook: WebhookId, wanted: State) -> usize {
    state(world, webhook).await.iter().filter(|state| **state == wanted).count()
}

#[tokio::test]
async fn it_is_turned_off_once_and_the_others_are_told() {
    for world in worlds().await {
        let id = create(&world, "https://example.com/gone", &["*"]).await.id;
        let other = create(&world, "https://example.com/other", &["webhook.deactivated"]).await.id;
        let evidence = Evidence {
            first_failure_at: Some(world.app.clock.now()),
            failed_attempts: 214,
            last_error: Some("503 Service Unavailable".to_owned()),
            last_delivery_id: Some(super::id(&world.app)),
        };
        let turn_off = async || -> bool {
            let evidence = Some(evidence.clone());
            let system = bellwire_core::event::By::system();
            let done = ops::journal::transact(&world.app, world.owner.workspace, system, false, move |tx| {
                Box::pin(async move {
                    let message = "All attempts failed for 5 days.";
                    ops::webhooks::turn_off(tx, id, StatusCode::Failing, message, evidence).await
                })
            });
            done.await.unwrap()
        };
        assert_eq!((turn_off().await, turn_off().await), (true, false));
        let off = ops::webhooks::get(&world.app, &world.owner, id).await.unwrap();
        assert_eq!(off.status_reason.as_ref().unwrap().evidence, Some(evidence));
        assert!(state(&world, id).await.is_empty(), "it is never owed its own end");
        assert_eq!(state(&world, other).await, [State::Pending]);

        let request = PageRequest::new(None, None, db::event_views::BySequence, true).unwrap();
        let events = ops::events::list(&world.app, &world.owner, db::event_views::Wanted::default(), request);
        let events = events.await.unwrap().data;
        assert_eq!((events.len(), events[0].event_type.as_str()), (3, "webhook.deactivated"), "two were created");
        let data: Json = serde_json::from_str(events[0].data.get()).unwrap();
        let schema = EventType::WEBHOOK_DEACTIVATED.entry().data_schema();
        let required: Vec<_> = schema["properties"]["object"]["required"].as_array().unwrap().iter().collect();
        assert_eq!(data["object"].as_object().unwrap().len(), required.len(), "as the catalogue says");
        for field in required {
            assert!(data["object"].get(field.as_str().unwrap()).is_some(), "{field}");
        }
        assert_eq!(data["reason"], json(&off.status_reason));
        let after = json(&off.webhook);
        assert_eq!(data["object"], after, "the event shows the webhook as the API does");
    }
}

#[tokio::test]
async fn a_deleted_webhook_is_gone_and_owed_nothing() {
    for world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        let published = publish_one(&world).await;
        ops::webhooks::delete(&world.app, &world.owner, id).await.unwrap();
        assert_eq!(code(ops::webhooks::get(&world.app, &world.owner, id).await), "not_found");
        assert_eq!(code(ops::webhooks::delete(&world.app, &world.owner, id).await), "not_found");
        assert_eq!(ops::webhooks::count(&world.app, &world.owner, Wanted::default()).await.unwrap(), 0);
        assert!(target(&world, id).await.is_none());
        publish_one(&world).await;
        let event = ops::events::get(&world.app, &world.owner, published.id).await.unwrap();
        assert_eq!((event.deliveries.len(), event.deliveries[0].state), (1, State::Cancelled));
        let resent = ops::deliveries::resend(&world.app, &world.owner, event.deliveries[0].id).await;
        assert_eq!(code(resent), "webhook_deleted");
        let rows = query(&world.app, "SELECT secret_sealed FROM webhooks", vec![]).await;
        assert_eq!(rows[0].get::<Vec<u8>>("secret_sealed").unwrap(), b"");
        // What is in flight may still come back; when its lease is over it is written down.
        for (minutes, expected) in [(0, 0), (2, 1), (0, 0)] {
            world.app.clock.advance(Duration::from_mins(minutes));
            let now = world.app.clock.now();
            let step = world
                .app
                .db
                .write(move |conn| Box::pin(async move { db::deliveries::cancel_skipped(conn, now, 10).await }));
            assert_eq!(step.await.map_err(db).unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn both_secrets_sign_for_a_while() {
    for world in worlds().await {
        let (made, first) =
            ops::webhooks::create(&world.app, &world.owner, new_webhook("https://example.com/", &["*"])).await.unwrap();
        let rotated = ops::webhooks::rotate_secret(&world.app, &world.owner, made.id, 3600).await.unwrap();
        assert_ne!(rotated.secret, first);
        let until = world.app.clock.now().saturating_add(Duration::from_hours(1));
        assert_eq!(rotated.old_secret_until, Some(until));
        let opened = ops::webhooks::open(&world.app, &target(&world, made.id).await.unwrap()).unwrap();
        let (old, old_until) = opened.old_secret.unwrap();
        assert_eq!((old.reveal(), old_until, opened.secret.reveal()), (first, until, rotated.secret));
        world.app.clock.advance(Duration::from_hours(1));
        let view = ops::webhooks::reveal_secret(&world.app, &world.owner, made.id).await.unwrap();
        assert_eq!(view.old_secret_until, None);
        let at_once = ops::webhooks::rotate_secret(&world.app, &world.owner, made.id, 0).await.unwrap();
        assert_eq!(at_once.old_secret_until, None);
        assert!(target(&world, made.id).await.unwrap().old_secret.is_none());
        assert_eq!(code(ops::webhooks::rotate_secret(&world.app, &world.owner, made.id, 604_801).await), "invalid");
    }
}

#[tokio::test]
async fn a_test_goes_to_one_webhook_even_when_it_is_inactive() {
    for mut world in worlds().await {
        let id = create(&world, "https://example.com/", &["user.*"]).await.id;
        create(&world, "https://example.com/other", &["*"]).await;
        ops::webhooks::deactivate(&world.app, &world.owner, id, why("")).await.unwrap();
        drain(&mut world);
        let role = NewTest { event_type: Some(EventType::ROLE_CREATED), data: None };
        let test = ops::webhooks::test(&world.app, &world.owner, id, role).await.unwrap();
        let signals = drain(&mut world);
        let [Signal::Owed(owed)] = &signals[..] else { panic!("{signals:?}") };
        assert_eq!((owed.len(), owed[0].id, owed[0].reason), (1, test, Reason::Test));
        let body: Json = serde_json::from_slice(&owed[0].body).unwrap();
        assert_eq!((&body["type"], &body["test"]), (&"role.created".into(), &true.into()));
        assert_eq!(body["data"], EventType::ROLE_CREATED.entry().example_data());
        let delivery = ops::deliveries::get(&world.app, &world.owner, test).await.unwrap();
        assert_eq!((delivery.state, delivery.webhook_id), (State::Pending, id));
        assert_eq!(json(&delivery.event), body, "the page shows what was sent");
        let default = ops::webhooks::test(&world.app, &world.owner, id, NewTest::default()).await.unwrap();
        let delivery = ops::deliveries::get(&world.app, &world.owner, default).await.unwrap();
        assert_eq!(delivery.event_type, "webhook.test");
        // With data of one's own, within the bounds of any event.
        let with = async |data: &str| {
            let data = Some(serde_json::value::RawValue::from_string(data.to_owned()).unwrap());
            ops::webhooks::test(&world.app, &world.owner, id, NewTest { event_type: None, data }).await
        };
        let own = with(r#"{ "a": [1, 2.50] }"#).await.unwrap();
        let delivery = ops::deliveries::get(&world.app, &world.owner, own).await.unwrap();
        assert_eq!(delivery.event.data.get(), r#"{"a":[1,2.50]}"#);
        assert_eq!(code(with("[]").await), "invalid");
    }
}
