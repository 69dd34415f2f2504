use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn chips_count_what_is_wanted_in_the_order_of_the_page() {
    let wanted = EventTypes::parse(["roles.*", "user.blocked", "webhook.deactivated"]).unwrap();
    let shown: Vec<_> =
        chips(wanted).into_iter().map(|chip| (chip.title.clone(), chip.wanted, chip.of, chip.is_whole())).collect();
    assert_eq!(shown, [("Users".to_owned(), 1, 7, false), ("Roles".to_owned(), 5, 5, true)]);
}

#[test]
fn lengths_of_time_are_said_in_one_unit() {
    for (seconds, said) in [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (3_599, "60 minutes"),
        (86_400, "1 day"),
        (432_000, "5 days"),
        (432_900, "5 days"),
    ] {
        assert_eq!(length(Duration::from_secs(seconds)), said);
    }
}

#[test]
fn answers_have_their_names() {
    assert_eq!(answer(503), "503 Service Unavailable");
    assert_eq!(answer(599), "599");
    let last =
        LastAttempt { started_at: at("2026-11-23T09:00:00Z"), duration_ms: 1_203.7, status: Some(503), error: None };
    assert_eq!(last_answer(&last), "503 in 1,204 ms");
    let error = Some("There was no answer within 15 s.".to_owned());
    assert_eq!(last_answer(&LastAttempt { status: None, error, ..last }), "There was no answer within 15 s");
}

#[test]
fn an_active_webhook_can_be_failing_and_an_inactive_one_is_inactive() {
    assert_eq!(webhook_status(Status::Active, Health::Failing), WebhookStatus::Failing);
    assert_eq!(webhook_status(Status::Active, Health::Unknown), WebhookStatus::Active);
    assert_eq!(webhook_status(Status::Inactive, Health::Failing), WebhookStatus::Inactive);
}

fn why(code: Code, message: &str) -> StatusReason {
    let evidence = status_changes::Evidence {
        first_failure_at: Some(at("2026-11-18T09:00:00Z")),
        failed_attempts: 412,
        last_error: Some("503 Service Unavailable".to_owned()),
        last_delivery_id: None,
    };
    StatusReason {
        code,
        message: message.to_owned(),
        at: at("2026-11-23T09:00:00Z"),
        by: EventActor::system(),
        evidence: Some(evidence),
    }
}

#[test]
fn a_reason_says_for_how_long_it_failed_and_on_what_evidence() {
    let failing = why(Code::Failing, "All attempts failed for 5 days.");
    assert_eq!(reason(&failing), Reason::Failing { for_time: "5 days".to_owned() });
    assert_eq!(message(&failing), "", "the sentence says it already");
    assert_eq!(message(&why(Code::Manual, "We are moving.")), "We are moving.");
    let seen = evidence(failing.evidence.as_ref(), failing.at);
    assert_eq!((seen.attempts, seen.first_failure.unwrap().text.as_str()), (412, "18 Nov 2026, 09:00"));
    assert_eq!(seen.last_error.unwrap().text, "503 Service Unavailable");
}

#[test]
fn the_history_quotes_what_people_wrote() {
    let change = |status, reason| status_changes::StatusChange {
        id: bellwire_core::id::Id::new(at("2026-11-23T09:00:00Z"), [1; 10]),
        webhook_id: bellwire_core::id::Id::new(at("2026-11-23T09:00:00Z"), [2; 10]),
        status,
        reason,
    };
    let off = status_change(&change(Status::Inactive, why(Code::Manual, "We are moving.")));
    assert_eq!((off.turn, off.text.as_str()), (Turn::Inactive, "Turned off by hand. “We are moving.”"));
    let off = status_change(&change(Status::Inactive, why(Code::Failing, "whatever")));
    assert_eq!(off.text, "Every attempt failed for 5 days.");
    let on = status_change(&change(Status::Active, why(Code::Manual, "")));
    assert_eq!((on.turn, on.text.as_str()), (Turn::Active, "Turned on."));
}

#[test]
fn every_event_of_the_catalogue_says_what_it_is_about() {
    for event_type in EventType::all() {
        let data = event_type.entry().example_data().to_string();
        assert!(!["–", ""].contains(&object(&data).as_str()), "{event_type}");
    }
    assert_eq!(object(r#"{"object":{"id":"role_1","name":"Admin"},"principal":{"name":"Bo Chen"}}"#), "Admin: Bo Chen");
    assert_eq!(object(r#"{"object":{"id":"inv_1","email":"a@example.com"}}"#), "a@example.com");
    assert_eq!(object(r#"{"license_id":"lic_1","used":3}"#), "License");
    assert_eq!(object("no JSON"), "–");
}

#[test]
fn a_schedule_reads_as_a_sentence() {
    let say = |text: &str| schedule(&text.parse().unwrap());
    assert_eq!(say("0s,5s,5m,24h"), "at once, then after 5 seconds, 5 minutes, 1 day");
    assert_eq!((say("0s"), say("1m")), ("at once".to_owned(), "after 1 minute".to_owned()));
}

#[test]
fn things_are_named_wherever_they_are() {
    let data = r#"{"object":{"id":"role_1","name":"Admin"},"principals":[{"id":"usr_1","name":"Bo"},{"id":"wh_1","url":"https://a.b/"}]}"#;
    assert_eq!(object_id(data).as_deref(), Some("role_1"));
    let name = |id| named(data, id);
    assert_eq!((name("role_1").as_deref(), name("usr_1").as_deref()), (Some("Admin"), Some("Bo")));
    assert_eq!((name("wh_1").as_deref(), name("usr_2")), (Some("https://a.b/"), None));
    assert_eq!((object_id("no JSON"), named("[]", "x")), (None, None));
}

#[test]
fn where_an_event_came_from_is_said() {
    let address = Some("::ffff:192.0.2.1".parse().unwrap());
    assert_eq!(origin(&Origin::console(address)).text, "Console, from 192.0.2.1");
    assert_eq!(origin(&Origin::via(Via::System)).text, "Bellwire itself");
    let key: bellwire_core::id::ApiKeyId = "key_01kjsesxm0f0jr6ad9518fdn9s".parse().unwrap();
    let by_key = origin(&Origin { api_key_id: Some(key), ..Origin::via(Via::Api) });
    assert_eq!((by_key.text.as_str(), by_key.api_key), ("API", Some(key.to_string())));
}

#[test]
fn what_is_left_behind_is_counted() {
    let owned = |webhooks, groups| heritage("They own", Owned { webhooks, groups }, "you");
    assert_eq!(owned(0, 0), "They own no webhooks and no groups.");
    assert_eq!(owned(1, 0), "They own 1 webhook: this stays and goes to you.");
    assert_eq!(owned(1_200, 1), "They own 1,200 webhooks and 1 group: these stay and go to you.");
}

#[test]
fn types_have_titles() {
    assert_eq!(type_title("user.blocked"), "User blocked");
    assert_eq!(type_title("order.paid"), "order.paid");
}

#[test]
fn a_strip_shows_what_became_of_the_newest_deliveries() {
    let delivery =
        |state, tried, is_test| RecentDelivery { created_at: at("2026-11-23T09:00:00Z"), state, tried, is_test };
    let newest = [
        delivery(State::Delivered, true, false),
        delivery(State::Failed, true, false),
        delivery(State::Pending, true, false),
        delivery(State::Pending, false, true),
        delivery(State::Cancelled, false, false),
    ];
    assert_eq!(strip(&newest).bars, [Bar::Delivered, Bar::Failed, Bar::Failed, Bar::Waiting, Bar::Waiting]);
    assert_eq!(strip(&[newest[0]; 30]).bars.len(), Strip::BARS);
    assert_eq!(first_steps(&newest), (true, false));
    assert_eq!(first_steps(&[newest[0], delivery(State::Delivered, true, true)]), (true, true));
    assert_eq!(first_steps(&[delivery(State::Pending, true, true)]), (false, false));
}
