use std::time::Duration;

use bellwire_core::license::{Included, LicenseStatus, Thresholds};
use futures_util::future::join_all;
use serde_json::json;

use super::*;
use crate::{
    ops::publish::{NewPublish, publish},
    testing::{Seen as Event, World, actor, because, bootstrap, code, fields, query},
};

fn amount(number: i64) -> Amount {
    Amount::new(number).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn key(text: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey::parse(text).unwrap())
}

fn bonus(number: i64) -> NewCredit {
    NewCredit { amount: amount(number), source: CreditSource::Bonus, note: None }
}

async fn report(world: &World, number: i64) -> Result<usage::Reported, Error> {
    usage::report(&world.app, &world.owner, amount(number), None).await
}

async fn balance(world: &World) -> i64 {
    get(&world.app, &world.owner).await.unwrap().balance
}

fn types(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.event_type.as_str()).collect()
}

/// Moves the clock there and lets the engine look.
async fn clock_strikes(world: &World, time: &str) {
    world.app.clock.advance(at(time).since(world.app.clock.now()));
    clock::advance_due(&world.app).await.unwrap();
}

async fn credited(world: &World) -> Vec<(CreditSource, i64, i64)> {
    let request = PageRequest::new(None, None, ByTime, false).unwrap();
    let credits = credits(&world.app, &world.owner, request).await.unwrap().data;
    assert_eq!(count_credits(&world.app, &world.owner).await.unwrap(), credits.len() as u64);
    credits.into_iter().map(|credit| (credit.source, credit.amount, credit.balance)).collect()
}

#[tokio::test]
async fn every_workspace_has_a_license_from_the_start() {
    for world in World::each().await {
        let license = get(&world.app, &world.owner).await.unwrap();
        assert_eq!(
            (license.plan.as_str(), license.status, license.balance),
            ("Standard", LicenseStatus::Active, 100_000)
        );
        assert_eq!(
            (license.period_start, license.period_end),
            (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"))
        );
        let sql = "SELECT data FROM events WHERE workspace_id = $1 AND type = 'license.issued'";
        let issued = query(&world.app, sql, vec![world.workspace.into()]).await;
        assert_eq!(issued.len(), 1);
        assert_eq!(issued[0].json::<Value>("data").unwrap(), json!({"object": license}));

        // A database that is older than licenses.
        let delete = "DELETE FROM licenses";
        let emptied =
            world.app.db.write(move |conn| Box::pin(async move { Ok::<_, Error>(conn.execute(delete, &[]).await?) }));
        assert_eq!(emptied.await.unwrap(), 1);
        assert_eq!(code(get(&world.app, &world.owner).await), "unavailable");
        assert_eq!(code(report(&world, 1).await), "unavailable");
        clock::issue_missing(&world.app).await.unwrap();
        world.only("license.issued").await;
        clock::issue_missing(&world.app).await.unwrap();
        assert!(world.news().await.is_empty());
        assert_eq!(balance(&world).await, 100_000);
    }
}

#[tokio::test]
async fn use_is_told_when_it_crosses_thresholds() {
    for world in World::each().await {
        let first = report(&world, 79_999).await.unwrap();
        assert_eq!((first.used, first.balance, first.exhausted), (79_999, 20_001, false));
        assert!(world.news().await.is_empty(), "nobody is told of each use");
        let over = report(&world, 30_001).await.unwrap();
        assert_eq!((over.amount, over.used, over.balance, over.exhausted), (30_001, 110_000, -10_000, true));
        let seen = world.news().await;
        let threshold = "state_changes.threshold_reached";
        assert_eq!(types(&seen), [threshold, threshold, "state_changes.exhausted"]);
        assert_eq!((&seen[0].data["threshold"], &seen[1].data["threshold"]), (&json!(80), &json!(90)));
        assert!(seen.iter().all(|event| event.data["balance"] == -10_000 && event.correlation == seen[0].correlation));
        assert_eq!((&seen[0].actor["name"], seen[0].correlation.is_some()), (&json!("Ann Lee"), true));
        report(&world, 1).await.unwrap();
        assert!(world.news().await.is_empty(), "once");

        let credit = credit(&world.app, &world.owner, bonus(20_001), None).await.unwrap();
        assert_eq!((credit.balance, credit.by.name.as_str()), (10_000, "Ann Lee"));
        let seen = world.news().await;
        assert_eq!(types(&seen), ["state_changes.credited", "state_changes.replenished"]);
        assert_eq!((&seen[0].data["amount"], &seen[0].data["source"]), (&json!(20_001), &json!("bonus")));
        assert_eq!(credited(&world).await, [(CreditSource::Bonus, 20_001, 10_000)]);

        world.wait(24 * 3_600);
        report(&world, 7).await.unwrap();
        let days = usage::days(&world.app, &world.owner, None, None).await.unwrap();
        let days: Vec<_> = days.into_iter().map(|day| (day.start.to_string(), day.amount)).collect();
        let expected = [("2026-11-23T00:00:00.000000Z", 110_001), ("2026-11-24T00:00:00.000000Z", 7)];
        assert_eq!(days, expected.map(|(day, amount)| (day.to_owned(), amount)));
        let days = async |since: &str, until: &str| {
            usage::days(&world.app, &world.owner, Some(at(since)), Some(at(until))).await
        };
        assert_eq!(days("2026-11-23T23:59:00Z", "2026-11-24T00:00:00Z").await.unwrap().len(), 1);
        assert_eq!(fields(days("2025-11-01T00:00:00Z", "2026-11-24T00:00:00Z").await), ["since"]);
        assert_eq!(fields(days("2026-11-25T00:00:00Z", "2026-11-24T00:00:00Z").await), ["until"]);
    }
}

#[tokio::test]
async fn reports_that_come_at_once_end_at_the_exact_figure() {
    for world in World::each().await {
        let eve = bootstrap(&world.app, "Other", "eve@example.com", "Eve").await;
        let eve =
            actor(&world.app, eve.workspace_id, bellwire_core::event::PrincipalId::User(eve.user_id)).await.unwrap();
        let reports = (1..=300).map(|number| {
            let who = if number % 3 == 0 { &eve } else { &world.owner };
            usage::report(&world.app, who, amount(number * 10), None)
        });
        let credits = (0..10).map(|_| credit(&world.app, &world.owner, bonus(1_000), None));
        let (reports, credits) = tokio::join!(join_all(reports), join_all(credits));
        let reports: Vec<_> = reports.into_iter().map(Result::unwrap).collect();
        assert!(credits.into_iter().all(|credit| credit.is_ok()));
        assert!(reports.iter().all(|it| it.balance == it.included + it.extra - it.used));
        let license = get(&world.app, &world.owner).await.unwrap();
        assert_eq!((license.used, license.extra, license.balance), (300_000, 10_000, -190_000));
        let mut own: Vec<_> = reports
            .iter()
            .enumerate()
            .filter(|(index, _)| (index + 1) % 3 != 0)
            .map(|(_, it)| (it.used, it.amount))
            .collect();
        own.sort_unstable();
        let mut sum = 0;
        for (used, amount) in own {
            sum += amount;
            assert_eq!(used, sum, "each report sees those before it, and itself");
        }
        assert_eq!(get(&world.app, &eve).await.unwrap().used, 151_500);
        let seen = world.news().await;
        let count = |name: &str| seen.iter().filter(|event| event.event_type == name).count();
        assert!(count("state_changes.exhausted") == count("state_changes.replenished") + 1, "{:?}", types(&seen));
        let days = usage::days(&world.app, &world.owner, None, None).await.unwrap();
        assert_eq!((days.len(), days[0].amount), (1, 300_000));
    }
}

#[tokio::test]
async fn a_key_makes_reports_and_credits_happen_once() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let report = |number, name| usage::report(app, owner, amount(number), key(name));
        let (first, same, other) = tokio::join!(report(5, "a"), report(5, "a"), report(6, "a"));
        assert_eq!((first.as_ref().unwrap().used, code(other)), (5, "idempotency_key_reused"));
        assert_eq!(same.unwrap(), *first.as_ref().unwrap());
        report(10, "b").await.unwrap();
        assert_eq!(report(5, "a").await.unwrap(), first.unwrap(), "the answer of then");
        assert_eq!(code(report(10, "a").await), "idempotency_key_reused");

        let once = credit(app, owner, bonus(50), key("c")).await.unwrap();
        world.only("state_changes.credited").await;
        world.wait(60);
        assert_eq!(credit(app, owner, bonus(50), key("c")).await.unwrap(), once);
        assert!(world.news().await.is_empty());
        assert_eq!(code(credit(app, owner, bonus(51), key("c")).await), "idempotency_key_reused");
        let noted = NewCredit { note: because("for the outage"), ..bonus(50) };
        assert_eq!(code(credit(app, owner, noted, key("c")).await), "idempotency_key_reused");
        assert_eq!(code(report(50, "c").await), "idempotency_key_reused", "keys are shared by all kinds of requests");
        let published = serde_json::from_value::<NewPublish>(json!({"type": "user.blocked", "data": {}})).unwrap();
        assert_eq!(code(publish(app, owner, published, key("a")).await), "idempotency_key_reused");
        assert_eq!((balance(&world).await, credited(&world).await.len()), (100_035, 1));

        let at_once = join_all((0..20).map(|_| credit(app, owner, bonus(100), key("d")))).await;
        assert!(at_once.iter().all(|it| it.as_ref().unwrap().id == at_once[0].as_ref().unwrap().id));
        assert_eq!((balance(&world).await, credited(&world).await.len()), (100_135, 2));
        app.clock.advance(Duration::from_hours(25));
        assert_eq!(report(5, "a").await.unwrap().used, 20, "keys are kept for 24 hours");
    }
}

#[tokio::test]
async fn what_is_wrong_with_one_report_is_its_own_answer() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        assert_eq!(code(usage::report(app, &bob, amount(1), None).await), "forbidden");
        // As of the request's start he might.
        let late = Actor { permissions: owner.permissions, ..bob.clone() };
        let nearly = "UPDATE licenses SET used = 999999999999990, included = 0";
        let write = app.db.write(move |conn| Box::pin(async move { Ok::<_, Error>(conn.execute(nearly, &[]).await?) }));
        write.await.unwrap();
        let (fits, too_much, refused, fits_too) = tokio::join!(
            report(&world, 4),
            usage::report(app, owner, amount(7), key("k")),
            usage::report(app, &late, amount(1), None),
            report(&world, 6)
        );
        assert_eq!((fits.unwrap().used, code(refused)), (999_999_999_999_994, "forbidden"));
        assert_eq!(fields(too_much), ["amount"]);
        assert_eq!(fits_too.unwrap().balance, -1_000_000_000_000_000);
        assert_eq!(fields(usage::report(app, owner, amount(1), key("k")).await), ["amount"], "a refusal keeps no key");
        assert_eq!(code(get(app, &bob).await), "forbidden");
        assert_eq!(code(credit(app, &late, bonus(1), None).await), "forbidden");
        assert_eq!(code(block(app, &late, None).await), "forbidden");
    }
}

#[tokio::test]
async fn a_blocked_license_refuses_use() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let license = block(app, owner, because("invoice overdue")).await.unwrap();
        assert_eq!(
            (license.status, license.status_reason.as_deref()),
            (LicenseStatus::Blocked, Some("invoice overdue"))
        );
        let event = world.only("license.blocked").await;
        assert_eq!(
            event.data,
            json!({"object": license, "previous": {"status": "active"}, "reason": "invoice overdue"})
        );
        block(app, owner, because("again")).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");
        assert_eq!(code(report(&world, 1).await), "license_blocked");
        assert_eq!(balance(&world).await, 100_000);
        clock_strikes(&world, "2027-03-05T00:00:00Z").await;
        assert!(world.news().await.is_empty(), "the clock passes over it");
        let license = unblock(app, owner).await.unwrap();
        assert_eq!((license.status, license.period_end), (LicenseStatus::Active, at("2027-04-01T00:00:00Z")));
        let seen = world.news().await;
        assert_eq!(types(&seen), ["license.unblocked", "state_changes.credited"]);
        assert_eq!((&seen[0].actor["name"], &seen[1].actor["name"]), (&json!("Ann Lee"), &json!("Bellwire")));
        unblock(app, owner).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");
    }
}

#[tokio::test]
async fn the_clock_renews() {
    for world in World::each().await {
        report(&world, 100_000).await.unwrap();
        world.news().await;
        clock_strikes(&world, "2026-11-30T23:59:59Z").await;
        assert!(world.news().await.is_empty());
        clock_strikes(&world, "2026-12-01T00:00:00Z").await;
        let seen = world.news().await;
        assert_eq!(types(&seen), ["state_changes.credited", "state_changes.replenished"]);
        assert_eq!((&seen[0].data["source"], &seen[0].actor["type"]), (&json!("renewal"), &json!("system")));
        assert_eq!(credited(&world).await, [(CreditSource::Renewal, 100_000, 100_000)]);
        clock::advance_due(&world.app).await.unwrap();
        assert!(world.news().await.is_empty(), "once");
        // Nobody ran for five months: one renewal. Whoever comes before the clock finds the new period all the same.
        world.app.clock.advance(at("2027-05-20T00:00:00Z").since(world.app.clock.now()));
        assert_eq!(report(&world, 10).await.unwrap().balance, 99_990);
        assert_eq!(world.only("state_changes.credited").await.actor["name"], "Bellwire");
        clock::advance_due(&world.app).await.unwrap();
        assert!(world.news().await.is_empty());
        assert_eq!(credited(&world).await.len(), 2);
        let days = usage::days(&world.app, &world.owner, None, None).await.unwrap();
        assert_eq!((days.len(), days[0].amount), (1, 10), "those of this period");
    }
}

#[tokio::test]
async fn the_clock_ends_what_is_not_renewed() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let patch = LicensePatch { renews: Some(false), ..LicensePatch::default() };
        let license = update(app, owner, patch.clone()).await.unwrap();
        assert!(!license.renews);
        assert_eq!(world.only("license.updated").await.data["previous"], json!({"renews": true}));
        update(app, owner, patch).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");
        clock_strikes(&world, "2026-11-24T00:00:00Z").await;
        let event = world.only("license.expiring").await;
        assert_eq!((&event.data["object"]["status"], &event.actor["type"]), (&json!("active"), &json!("system")));
        clock_strikes(&world, "2026-11-30T00:00:00Z").await;
        assert!(world.news().await.is_empty(), "once");
        clock_strikes(&world, "2026-12-01T00:00:00Z").await;
        assert_eq!(world.only("license.expired").await.data["previous"], json!({"status": "active"}));
        assert_eq!(code(report(&world, 1).await), "license_expired");
        assert_eq!(code(block(app, owner, None).await), "license_expired");

        let until = |end: &str| LicensePatch { period_end: Some(at(end)), ..LicensePatch::default() };
        assert_eq!(fields(update(app, owner, until("2026-11-30T00:00:00Z")).await), ["period_end"]);
        assert_eq!(fields(update(app, owner, until("2046-11-30T00:00:00Z")).await), ["period_end"]);
        // Within the last week of its new period, too.
        let license = update(app, owner, until("2026-12-04T00:00:00Z")).await.unwrap();
        assert_eq!((license.status, license.used), (LicenseStatus::Active, 0));
        assert_eq!(world.new_types().await, ["license.issued", "license.expiring"]);
        report(&world, 1).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_changed_is_told() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        report(&world, 60_000).await.unwrap();
        let patch = LicensePatch {
            plan: Some(bellwire_core::text::Name::parse("Business").unwrap()),
            included: Some(Included::new(60_000).unwrap()),
            thresholds: Some(Thresholds::new(&[50, 95]).unwrap()),
            ..LicensePatch::default()
        };
        let license = update(app, owner, patch).await.unwrap();
        assert_eq!((license.plan.as_str(), license.balance), ("Business", 0));
        let seen = world.news().await;
        let expected = ["license.updated", "state_changes.threshold_reached", "state_changes.exhausted"];
        assert_eq!(types(&seen), expected);
        let previous = json!({"plan": "Standard", "included": 100_000, "thresholds": [80, 90]});
        assert_eq!((&seen[0].data["previous"], &seen[1].data["threshold"]), (&previous, &json!(95)));
    }
}
