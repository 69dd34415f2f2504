use super::*;
use crate::db::recent::RecentAttempt;

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
    assert_eq!((off.active, off.text.as_str()), (false, "Turned off by hand. “We are moving.”"));
    let off = status_change(&change(Status::Inactive, why(Code::Failing, "whatever")));
    assert_eq!(off.text, "Every attempt failed for 5 days.");
    let on = status_change(&change(Status::Active, why(Code::Manual, "")));
    assert_eq!((on.active, on.text.as_str()), (true, "Turned on."));
}

#[test]
fn the_picture_has_24_hours_and_every_attempt_once() {
    let now = at("2026-11-23T09:30:00Z");
    let attempt = |text, duration, succeeded| RecentAttempt { started_at: at(text), duration, succeeded };
    let attempts = vec![
        attempt("2026-11-22T09:29:59Z", 1_000, true), // too old
        attempt("2026-11-22T09:30:00Z", 2_000, true),
        attempt("2026-11-23T09:29:00Z", 10_000, false),
        attempt("2026-11-23T09:30:00Z", 30_400, true), // at the very end: still the last hour
    ];
    let shown = health(&Recent { attempts, cut: false }, now);
    assert_eq!(shown.hours.len(), 24);
    assert_eq!((shown.delivered(), shown.failed()), (2, 1));
    assert_eq!((shown.hours[0].delivered, shown.hours[0].p50_ms), (1, Some(2)));
    assert_eq!((shown.hours[23].failed, shown.hours[23].p50_ms, shown.hours[23].p95_ms), (1, Some(10), Some(30)));
    assert_eq!((shown.p50_ms, shown.newest_only), (Some(10), None));
    assert_eq!(shown.hours[1].p95_ms, None);
}

#[test]
fn percentiles_are_by_nearest_rank() {
    let mut micros: Vec<i64> = (1..=100).map(|ms| ms * 1_000).collect();
    micros.reverse();
    assert_eq!(percentile(&mut micros, 50), Some(50));
    assert_eq!(percentile(&mut micros, 95), Some(95));
    assert_eq!(percentile(&mut [], 50), None);
    assert_eq!(percentile(&mut [10], 95), Some(1), "nothing takes no time");
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
fn types_have_titles() {
    assert_eq!(type_title("user.blocked"), "User blocked");
    assert_eq!(type_title("order.paid"), "order.paid");
}
