//! Sample content for the page of a webhook, the page of a delivery, and their dialogs.

use super::*;
use crate::console::view::{
    deliveries::{Attempt, CurlDialog, DeliveryPage, DeliveryRow, DeliveryState, Exchange, NextAttempt},
    health::{Health, Hour},
    webhook::{
        self, HistoryLine, KeyPairDialog, ReplayDialog, RotateDialog, SecretDialog, TestDialog, TestResult, Turn,
    },
};

pub(super) fn samples() -> Vec<(&'static str, askama::Result<String>)> {
    let mut all = Vec::new();
    let mut add = |name, html: askama::Result<String>| all.push((name, html));
    add("webhook", webhook_page().render());
    let quiet = Health::default();
    add("webhook-new", webhook::ShowPage { deliveries: vec![], health: quiet, ..webhook_page() }.render());
    add("dialog-secret", secret_dialog().render());
    add("dialog-rotate", rotate_dialog().render());
    add("dialog-test", test_dialog().render());
    let result = TestResult {
        delivery: "dlv_1".into(),
        tone: "ok",
        outcome: "200 OK".into(),
        sentence: "was the answer, after 35 ms.".into(),
        body: "thank you".into(),
    };
    add("dialog-test-result", TestDialog { result: Some(result), ..test_dialog() }.render());
    for (name, has_pair) in [("dialog-key-pair", false), ("dialog-no-key-pair", true)] {
        let return_to = "/webhooks/wh_01".to_owned();
        add(name, KeyPairDialog { id: "wh_01".into(), url: URLS[0].into(), has_pair, return_to }.render());
    }
    add("dialog-curl", curl_dialog().render());
    add("dialog-replay", replay_dialog().render());
    add("delivery", delivery_page().render());
    let untried = DeliveryPage { attempts: vec![], shown: None, next_attempt: None, ..delivery_page() };
    add("delivery-new", untried.render());
    all
}

fn health() -> Health {
    let hours = (0..24_u32).map(|hour| Hour {
        from: at(&format!("2026-11-22T{hour:02}:00:00Z"), &format!("22 Nov 2026, {hour:02}:00")),
        delivered: if hour < 3 { 0 } else { 120 + (hour * 37) % 190 },
        waiting: if hour > 21 { 40 } else { 0 },
        failed: if (14..17).contains(&hour) { 30 + hour } else { u32::from(hour == 9) },
        p50_ms: (hour >= 3).then_some(30 + (hour * 13) % 20),
        p95_ms: (hour >= 3).then_some(80 + (hour * 29) % 60 + if hour > 13 && hour < 18 { 240 } else { 0 }),
    });
    Health { hours: hours.collect(), p50_ms: Some(38), p95_ms: Some(142), newest_only: None }
}

fn delivery(n: u32, event_type: &str, state: DeliveryState, attempts: u32, answer: &str) -> DeliveryRow {
    DeliveryRow {
        id: format!("dlv_{n}"),
        event_type: event_type.into(),
        webhook: LongUrl::new(URLS[1]),
        state,
        at: today(),
        attempts,
        answer: answer.into(),
        next_attempt: (state == DeliveryState::Pending).then(|| at("2026-11-23T09:05:00Z", "23 Nov 2026, 09:05")),
    }
}

pub(super) fn deliveries() -> Vec<DeliveryRow> {
    vec![
        delivery(1, "user.blocked", DeliveryState::Delivered, 1, "200 in 35 ms"),
        delivery(2, "state_changes.threshold_reached", DeliveryState::Pending, 2, "503 in 1,204 ms"),
        delivery(3, "invite.created", DeliveryState::Failed, 10, "no answer within 15 s"),
        delivery(4, "group.member_added", DeliveryState::Held, 0, ""),
        delivery(5, "role.assigned", DeliveryState::Cancelled, 0, ""),
    ]
}

fn webhook_page() -> webhook::ShowPage {
    let change = |turn, by: Option<Who>, text: &str| {
        let evidence = if turn == Turn::Inactive { reasons().remove(4).1.evidence } else { Evidence::default() };
        HistoryLine { at: today(), turn, by, text: text.into(), evidence }
    };
    webhook::ShowPage {
        page: Page::new("Webhook", Theme::System),
        chrome: chrome(Some(Section::Webhooks)),
        id: "wh_01kaq7z3v8f9m2x4".into(),
        url: LongUrl::new(URLS[1]),
        description: "Tells the CRM about people".into(),
        owner: Who::api_key("Terraform"),
        formerly: Some(("was Bob Ray’s".into(), today())),
        created_at: today(),
        updated_at: today(),
        status: WebhookStatus::Failing,
        held: 0,
        actor_types: chips([7, 2, 0, 5, 0, 0]),
        event_types: vec!["user.joined".into(), "user.blocked".into(), "invite.created".into()],
        headers: vec![("X-Tenant".into(), "northwind".into())],
        rate_limit: Some("20 per second".into()),
        secret_ends: "x9Qd".into(),
        rotating_until: Some(at("2026-11-24T09:00:00Z", "24 Nov 2026, 09:00")),
        public_key: Some("whpk_6vJ1Yx9pQm0d3m0hV1mXyqGm9mVw0n2g4Q0l3l5mN0c=".into()),
        health: health(),
        replay: Some(crate::console::view::replays::ReplayLine {
            id: "rpl_01kjw16mm0em4ry1jygtts6an2".to_owned(),
            text: "Replay: 1,200 of 12,000 deliveries are on their way again.".to_owned(),
            looked_at: 1_200,
            total: 12_000,
            is_over: false,
        }),
        history: vec![
            change(Turn::Active, Some(Who::user("Ann Lee")), "Turned on; 1,284 missed events were sent."),
            change(Turn::Inactive, Some(Who::system()), "Every attempt failed for 5 days, so Bellwire turned it off."),
            change(Turn::HandedOver, None, "Bob Ray left or was removed."),
            change(Turn::Active, Some(Who::user("Bob Ray")), "Created."),
        ],
        list: Listing::new("/webhooks/wh_01", &[], "at", Order::Descending, true),
        states: choices(&[("", "All states"), ("pending", "Pending"), ("delivered", "Delivered")]),
        types: choices(&[("", "All event types"), ("user.blocked", "user.blocked")]),
        times: choices(&[("", "Any time"), ("24h", "Last 24 hours")]),
        deliveries: deliveries(),
        pager: Pager { first: 1, last: 5, total: Some(5), ..Pager::default() },
        export_csv: "/webhooks/wh_01/deliveries.csv".into(),
        export_json: "/webhooks/wh_01/deliveries.json".into(),
        can_manage: true,
    }
}

fn secret_dialog() -> SecretDialog {
    SecretDialog {
        id: "wh_01".into(),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
        rotating_until: Some(at("2026-11-24T09:00:00Z", "24 Nov 2026, 09:00")),
        return_to: "/webhooks/wh_01".into(),
    }
}

fn rotate_dialog() -> RotateDialog {
    let overlaps = choices(&[("86400", "24 hours"), ("604800", "7 days"), ("0", "Not at all")]);
    RotateDialog { id: "wh_01".into(), url: URLS[0].into(), overlaps, return_to: "/webhooks/wh_01".into() }
}

fn test_dialog() -> TestDialog {
    let types = choices(&[("webhook.test", "webhook.test"), ("user.blocked", "user.blocked")]);
    TestDialog {
        id: "wh_01".into(),
        url: URLS[0].into(),
        types,
        chosen: "webhook.test".into(),
        data: Field::of("{\n  \"message\": \"Hello\"\n}"),
        result: None,
        return_to: "/webhooks/wh_01".into(),
    }
}

fn replay_dialog() -> ReplayDialog {
    let since = choices(&[("1h", "the last hour"), ("24h", "the last 24 hours")]);
    ReplayDialog { id: "wh_01".into(), url: URLS[0].into(), since, return_to: "/webhooks/wh_01".into() }
}

pub(super) const BODY: &str = r#"{
  "id": "evt_01kaq7z3v8f9m2x4",
  "type": "user.blocked",
  "timestamp": "2026-11-23T09:00:00.000000Z",
  "workspace_id": "ws_01k9",
  "sequence": 1042,
  "actor": { "type": "user", "id": "usr_01k8", "name": "Ann Lee" },
  "data": {
    "object": { "id": "usr_01k7", "name": "Bo Chen", "status": "blocked" },
    "previous": { "status": "active" },
    "reason": "left the company"
  }
}"#;

fn delivery_page() -> DeliveryPage {
    let attempt = |number, succeeded, outcome: &str| Attempt {
        number,
        at: today(),
        duration_ms: 35 + number,
        succeeded,
        outcome: outcome.into(),
        why: if number == 3 { "Resend".into() } else { "Automatic".into() },
    };
    DeliveryPage {
        page: Page::new("Delivery", Theme::System),
        chrome: chrome(Some(Section::Webhooks)),
        id: "dlv_01kaq7z3v8f9m2x4".into(),
        event_id: "evt_01kaq7z3v8f9m2x4".into(),
        event_type: "user.blocked".into(),
        sequence: Some(1042),
        can_see_event: true,
        webhook_id: "wh_01".into(),
        webhook_url: LongUrl::new(URLS[1]),
        state: DeliveryState::Pending,
        at: today(),
        note: "Not delivered yet, after 3 attempts.".into(),
        next_attempt: Some(NextAttempt {
            at: at("2026-11-23T09:05:00Z", "23 Nov 2026, 09:05"),
            distance: "in 5 minutes".into(),
        }),
        request_headers: vec![
            ("webhook-id".into(), "evt_01kaq7z3v8f9m2x4".into()),
            ("webhook-timestamp".into(), "1795424400".into()),
            ("webhook-signature".into(), "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=".into()),
        ],
        request_body: BODY.into(),
        shown: Some(Exchange {
            number: 2,
            answered: true,
            headers: vec![("content-type".into(), "text/html".into())],
            body: "<html>upstream is not available</html>".into(),
            cut: true,
        }),
        attempts: vec![
            attempt(3, true, "200 OK"),
            attempt(2, false, "503 Service Unavailable"),
            attempt(1, false, "no answer within 15 s"),
        ],
        can_manage: true,
    }
}

fn curl_dialog() -> CurlDialog {
    CurlDialog {
        command: format!("curl -g -i 'https://example.com/' \\\n  --data-raw '{BODY}'"),
        until: today(),
        hidden: "authorization".into(),
        return_to: "/deliveries/dlv_1".into(),
    }
}
