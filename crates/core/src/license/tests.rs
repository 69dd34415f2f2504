use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::catalogue::{ActorType, EventType};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn start() -> Timestamp {
    at("2026-11-23T09:00:00Z")
}

fn license() -> License {
    License::first(LicenseId::new(start(), [7; 10]), start())
}

fn amount(number: i64) -> Amount {
    Amount::new(number).unwrap()
}

fn names(news: &[News]) -> Vec<String> {
    let name = |it: &News| match it {
        News::ThresholdReached(percent) => format!("{percent} %"),
        News::Credited { amount, source } => format!("{source} {amount}"),
        other => other.event_type().as_str().rsplit('.').next().unwrap_or_default().to_owned(),
    };
    news.iter().map(name).collect()
}

/// The compiled schema of every type that is told of a license.
struct Schemas(boon::Schemas, Vec<(EventType, boon::SchemaIndex)>);

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    let (mut schemas, mut known) = (boon::Schemas::new(), Vec::new());
    for event_type in ActorType::StateChanges.types() {
        let name = format!("https://example.com/{event_type}");
        compiler.add_resource(&name, event_type.entry().data_schema()).unwrap();
        known.push((event_type, compiler.compile(&name, &mut schemas).unwrap()));
    }
    Schemas(schemas, known)
});

fn valid(event_type: EventType, data: &Value) {
    let Schemas(schemas, known) = &*SCHEMAS;
    let (_, schema) = known.iter().find(|(it, _)| *it == event_type).unwrap();
    schemas.validate(data, *schema).unwrap_or_else(|error| panic!("{event_type}: {error}\n{data:#}"));
}

#[test]
fn one_debit_that_crosses_several_tells_of_them_in_order() {
    let mut it = license();
    assert!(it.debit(amount(79_999), start()).unwrap().is_empty());
    assert_eq!(names(&it.debit(amount(1), start()).unwrap()), ["80 %"]);
    assert_eq!(names(&it.debit(amount(30_000), start()).unwrap()), ["90 %", "exhausted"]);
    assert_eq!((it.balance(), it.is_exhausted()), (-10_000, true));
    assert!(it.debit(amount(1), start()).unwrap().is_empty());
    let news = it.credit(amount(10_001), CreditSource::Bonus, start()).unwrap();
    assert_eq!((names(&news), it.balance()), (vec!["bonus 10001".to_owned()], 0));
    let news = it.credit(amount(99_999), CreditSource::Purchase, start()).unwrap();
    assert_eq!(names(&news), ["purchase 99999", "replenished"]);
    // 210,000 in all, and 110,001 used: both thresholds are above the use again.
    assert_eq!(names(&it.debit(amount(60_000), start()).unwrap()), ["80 %"]);
}

#[test]
fn thresholds_that_are_set_below_the_use_are_not_told() {
    let mut it = license();
    it.debit(amount(60_000), start()).unwrap();
    let thresholds = Thresholds::new(&[50, 70]).unwrap();
    let patch = LicensePatch { thresholds: Some(thresholds), ..LicensePatch::default() };
    assert_eq!(names(&it.update(patch.clone(), start()).unwrap()), ["updated"]);
    assert!(it.update(patch, start()).unwrap().is_empty(), "nothing changed");
    assert_eq!(names(&it.debit(amount(10_000), start()).unwrap()), ["70 %"]);
    let smaller = LicensePatch { included: Some(Included::new(0).unwrap()), ..LicensePatch::default() };
    assert_eq!(names(&it.update(smaller, start()).unwrap()), ["updated", "exhausted"]);
}

#[test]
fn a_renewal_keeps_the_credits_that_are_left() {
    let mut it = license();
    it.credit(amount(50_000), CreditSource::Purchase, start()).unwrap();
    it.debit(amount(120_000), start()).unwrap();
    assert!(it.advance(at("2026-11-30T23:59:59.999999Z")).is_empty());
    assert_eq!(names(&it.advance(at("2026-12-01T00:00:00Z"))), ["renewal 100000"]);
    assert_eq!((it.used, it.extra, it.balance()), (0, 30_000, 130_000));
    assert_eq!((it.period_start, it.period_end), (at("2026-12-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
    it.debit(amount(200_000), at("2026-12-02T00:00:00Z")).unwrap();
    // Half a year in which nobody looked: one renewal, of the month that it is now.
    assert_eq!(names(&it.advance(at("2027-07-15T12:00:00Z"))), ["renewal 100000", "replenished"]);
    assert_eq!((it.period_start, it.period_end), (at("2027-07-01T00:00:00Z"), at("2027-08-01T00:00:00Z")));
    assert_eq!((it.used, it.extra, it.balance()), (0, 0, 100_000));
    assert!(it.advance(at("2027-07-15T12:00:00Z")).is_empty());
}

#[test]
fn a_license_that_does_not_renew_ends() {
    let mut it = license();
    let patch =
        LicensePatch { renews: Some(false), period_end: Some(at("2026-12-15T12:00:00Z")), ..LicensePatch::default() };
    let news = it.update(patch, start()).unwrap();
    assert_eq!(names(&news), ["updated"]);
    assert_eq!(it.next_look(), Some(at("2026-12-08T12:00:00Z")));
    assert_eq!(names(&it.advance(at("2026-12-08T12:00:00Z"))), ["expiring"]);
    assert!(it.advance(at("2026-12-15T11:59:59Z")).is_empty(), "once");
    assert_eq!(names(&it.advance(at("2026-12-15T12:00:00Z"))), ["expired"]);
    let now = at("2026-12-20T00:00:00Z");
    assert!(it.advance(now).is_empty());
    assert_eq!(it.debit(amount(1), now), Err(Refusal::Expired));
    assert_eq!(it.block(None, now), Err(Refusal::Expired));
    assert_eq!(names(&it.credit(amount(5), CreditSource::Bonus, now).unwrap()), ["bonus 5"]);
    let until = |end: &str| LicensePatch { period_end: Some(at(end)), ..LicensePatch::default() };
    assert_eq!(it.update(until("2026-12-15T12:00:00Z"), now), Err(Refusal::EndHasPassed));
    assert_eq!(it.update(until("2036-12-31T12:00:00Z"), now), Err(Refusal::EndTooFar));
    assert_eq!(names(&it.update(until("2027-02-01T00:00:00Z"), now).unwrap()), ["issued"]);
    assert_eq!((it.status, it.period_start, it.used, it.extra), (LicenseStatus::Active, now, 0, 5));
    // Nobody looked for a long time: it is over, and nobody needs to hear that it will be.
    assert_eq!(names(&it.advance(at("2027-03-01T00:00:00Z"))), ["expired"]);
}

#[test]
fn a_blocked_license_stands_still_and_catches_up() {
    let mut it = license();
    let reason = Reason::parse("invoice overdue").unwrap();
    assert_eq!(names(&it.block(Some(&reason), start()).unwrap()), ["blocked"]);
    assert!(it.block(None, start()).unwrap().is_empty());
    assert_eq!(it.status_reason.as_deref(), Some("invoice overdue"));
    assert_eq!(it.debit(amount(1), start()), Err(Refusal::Blocked));
    let later = at("2027-01-05T00:00:00Z");
    assert!(it.advance(later).is_empty());
    assert_eq!(names(&it.unblock(later)), ["unblocked"]);
    assert!(it.unblock(later).is_empty());
    assert_eq!(names(&it.advance(later)), ["renewal 100000"]);
    assert_eq!((it.status_reason.clone(), it.period_start), (None, at("2027-01-01T00:00:00Z")));
}

#[test]
fn sums_that_no_parser_reads_exactly_are_refused() {
    let mut it = license();
    it.used = MAX_TOTAL - 5;
    it.extra = MAX_TOTAL - 5;
    let before = it.clone();
    assert_eq!(it.debit(amount(6), start()), Err(Refusal::TooMuchUsed));
    assert_eq!(it.credit(amount(6), CreditSource::Bonus, start()), Err(Refusal::TooMuchCredited));
    assert_eq!(it, before);
    it.debit(amount(5), start()).unwrap();
    assert_eq!(it.balance(), 99_995);
}

#[test]
fn numbers_are_read_and_refused() {
    assert_eq!(Amount::parse(" 1,000 000_0 ").unwrap().get(), 10_000_000);
    for bad in ["", "0", "-1", "1.5", "1e3", "1000000000001", "99999999999999999999"] {
        assert_eq!(Amount::parse(bad).unwrap_err().to_string(), "must be a whole number from 1 to 1,000,000,000,000");
    }
    assert_eq!(Included::parse("0").unwrap().get(), 0);
    let error = |value: Value| serde_json::from_value::<Amount>(value).unwrap_err().to_string();
    insta::assert_snapshot!(error(json!(0)), @"must be a whole number from 1 to 1,000,000,000,000");
    insta::assert_snapshot!(error(json!(1.5)), @"invalid type: floating point `1.5`, expected a whole number from 1 to 1,000,000,000,000");
    insta::assert_snapshot!(error(json!(u64::MAX)), @"must be a whole number from 1 to 1,000,000,000,000");
    assert!(serde_json::from_value::<Amount>(json!("5")).is_err());
}

#[test]
fn thresholds_are_read_and_refused() {
    let error = |text: &str| Thresholds::parse(text).unwrap_err().to_string();
    assert_eq!(Thresholds::parse("80%, 90 %").unwrap(), Thresholds::default());
    assert_eq!(Thresholds::default().to_string(), "80, 90");
    assert_eq!(Thresholds::parse(" ").unwrap().iter().count(), 0);
    insta::assert_snapshot!(error("90, 80"), @"are out of order: 80 must not come after 90");
    insta::assert_snapshot!(error("80, 80"), @"are out of order: 80 must not come after 80");
    insta::assert_snapshot!(error("80, 100"), @"must be whole numbers from 1 to 99: 100 is not");
    insta::assert_snapshot!(error("0"), @"must be whole numbers from 1 to 99: 0 is not");
    insta::assert_snapshot!(error("a lot"), @"must be whole numbers from 1 to 99 with commas between them, like 80, 90");
    insta::assert_snapshot!(error("1,2,3,4,5,6,7,8,9,10,11"), @"must be at most 10 thresholds");
}

/// What may happen to a license.
#[derive(Clone, Debug)]
enum Step {
    Debit(i64),
    Credit(i64, CreditSource),
    Thresholds(Vec<i64>),
    Included(i64),
    Renews(bool),
    Block,
    Unblock,
    Hours(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = || prop_oneof![8 => 1_i64..60_000, 1 => 1..=MAX_AMOUNT];
    let source = prop::sample::select(CreditSource::ALL);
    let step = prop_oneof![
        10 => amount().prop_map(Step::Debit),
        4 => (amount(), source).prop_map(|(amount, source)| Step::Credit(amount, source)),
        1 => prop::collection::btree_set(1_i64..100, 0..=10).prop_map(|it| Step::Thresholds(it.into_iter().collect())),
        1 => prop_oneof![0_i64..200_000, 0..=MAX_AMOUNT].prop_map(Step::Included),
        1 => any::<bool>().prop_map(Step::Renews),
        1 => Just(Step::Block),
        2 => Just(Step::Unblock),
        3 => (0_u64..2_000).prop_map(Step::Hours),
    ];
    prop::collection::vec(step, 1..80)
}

/// The naive way: a ledger of all that was ever said, and a memory of what was told, exactly as the design puts it.
struct Model {
    included: i128,
    extra: i128,
    used: i128,
    thresholds: Vec<u8>,
    told: BTreeSet<u8>,
    exhausted: bool,
}

impl Model {
    fn passed(&self, percent: u8) -> bool {
        self.used * 100 >= i128::from(percent) * (self.included + self.extra)
    }

    /// What is told when the use, or what there is, has changed.
    fn told(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        for percent in self.thresholds.clone() {
            if !self.passed(percent) {
                self.told.remove(&percent);
            } else if self.told.insert(percent) {
                said.push(format!("{percent} %"));
            }
        }
        let exhausted = self.included + self.extra - self.used <= 0;
        if exhausted != self.exhausted {
            said.push(if exhausted { "exhausted" } else { "replenished" }.to_owned());
        }
        self.exhausted = exhausted;
        said
    }
}

proptest! {
    #[test]
    fn behaves_like_a_ledger_with_a_memory(steps in steps()) {
        let mut it = license();
        let mut now = start();
        let mut model = Model {
            included: 100_000, extra: 0, used: 0, thresholds: vec![80, 90], told: BTreeSet::new(), exhausted: false,
        };
        let mut alternation = Vec::new();
        for step in steps {
            let before = it.clone();
            let (result, mut expected) = match step {
                Step::Debit(amount) => {
                    let fits = before.used + amount <= MAX_TOTAL;
                    let result = it.debit(Amount::new(amount).unwrap(), now);
                    prop_assert_eq!(result.is_ok(), fits && before.status == LicenseStatus::Active);
                    if result.is_ok() {
                        model.used += i128::from(amount);
                    }
                    (result, Vec::new())
                }
                Step::Credit(amount, source) => {
                    let result = it.credit(Amount::new(amount).unwrap(), source, now);
                    prop_assert_eq!(result.is_ok(), before.extra + amount <= MAX_TOTAL);
                    if result.is_ok() {
                        model.extra += i128::from(amount);
                    }
                    (result, vec![format!("{source} {amount}")])
                }
                Step::Thresholds(percentages) => {
                    let thresholds = Thresholds::new(&percentages).unwrap();
                    let changed = thresholds != before.thresholds;
                    model.thresholds = thresholds.iter().collect();
                    model.told = model.thresholds.iter().copied().filter(|percent| model.passed(*percent)).collect();
                    let patch = LicensePatch { thresholds: Some(thresholds), ..LicensePatch::default() };
                    (it.update(patch, now), if changed { vec!["updated".to_owned()] } else { vec![] })
                }
                Step::Included(included) => {
                    let changed = included != before.included;
                    model.included = included.into();
                    let patch = LicensePatch { included: Included::new(included).ok(), ..LicensePatch::default() };
                    (it.update(patch, now), if changed { vec!["updated".to_owned()] } else { vec![] })
                }
                Step::Renews(renews) => {
                    let changed = renews != before.renews;
                    let patch = LicensePatch { renews: Some(renews), ..LicensePatch::default() };
                    (it.update(patch, now), if changed { vec!["updated".to_owned()] } else { vec![] })
                }
                Step::Block => {
                    let expected = if before.status == LicenseStatus::Active { vec!["blocked".to_owned()] } else { vec![] };
                    (it.block(None, now), expected)
                }
                Step::Unblock => {
                    let expected = if before.status == LicenseStatus::Blocked { vec!["unblocked".to_owned()] } else { vec![] };
                    (Ok(it.unblock(now)), expected)
                }
                Step::Hours(hours) => {
                    now = now.saturating_add(Duration::from_hours(hours));
                    (Ok(Vec::new()), Vec::new())
                }
            };
            match &result {
                Err(_) => prop_assert_eq!(&it, &before, "what is refused changes nothing"),
                Ok(news) => {
                    expected.extend(model.told());
                    prop_assert_eq!(names(news), expected);
                }
            }
            // Then the clock.
            let due = it.clone();
            let ticked = it.advance(now);
            let mut expected = Vec::new();
            if due.status == LicenseStatus::Active && now >= due.period_end && due.renews {
                let left = model.extra - (model.used - model.included).max(0);
                (model.extra, model.used) = (left.max(0), 0);
                expected.push(if due.included > 0 { format!("renewal {}", due.included) } else { "updated".to_owned() });
                expected.extend(model.told());
                prop_assert!(it.period_start <= now && now < it.period_end && it.period_start >= due.period_end);
            } else if due.status == LicenseStatus::Active && now >= due.period_end {
                expected.push("expired".to_owned());
            } else if due.status == LicenseStatus::Active && !due.renews && !due.expiring_told && now >= due.period_end.saturating_sub(NOTICE) {
                expected.push("expiring".to_owned());
            }
            prop_assert_eq!(names(&ticked), expected);
            prop_assert!(it.advance(now).is_empty(), "the clock does a thing once");
            prop_assert!(it.next_look().is_none_or(|next| next > now));
            prop_assert_eq!(i128::from(it.balance()), model.included + model.extra - model.used);
            for news in result.into_iter().flatten().chain(ticked) {
                valid(news.event_type(), &news.data(&it));
                if matches!(news, News::Exhausted | News::Replenished) {
                    alternation.push(news);
                }
            }
        }
        prop_assert!(alternation.iter().zip([News::Exhausted, News::Replenished].iter().cycle()).all(|(is, should)| is == should));
    }
}
