//! Tests of the decision about a delivery.

use proptest::prelude::*;

use super::*;
use crate::address::AddressPolicy;
use crate::retry::Schedule;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn answer(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None }
}

fn busy(retry_after: Duration) -> Outcome {
    Outcome::Answered { status: 503, retry_after: Some(retry_after) }
}

fn after(tries: u32, reason: Reason, outcome: &Outcome) -> Next {
    next(tries, reason, outcome, NOW, Jitter::NONE, &RetryPolicy::default())
}

fn retry_in(wait: Duration) -> Next {
    Next::Retry { at: NOW.saturating_add(wait) }
}

#[test]
fn only_2xx_is_success() {
    for status in 0..=u16::MAX {
        assert_eq!(is_success(status), status / 100 == 2, "{status}");
    }
    for reason in Reason::ALL {
        assert_eq!(after(3, reason, &answer(204)), Next::Delivered);
        assert_eq!(after(99, reason, &answer(200)), Next::Delivered);
    }
    assert_eq!(after(0, Reason::Automatic, &answer(301)), retry_in(Duration::from_secs(5)));
}

#[test]
fn automatic_tries_follow_the_schedule_to_its_end() {
    let refused = Outcome::Error(SendError::ConnectionRefused);
    let waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (tries, wait) in (0..).zip(waits) {
        assert_eq!(after(tries, Reason::Automatic, &refused), retry_in(Duration::from_secs(wait)), "{tries}");
    }
    assert_eq!(after(9, Reason::Automatic, &refused), Next::Failed);
    assert_eq!(after(u32::MAX, Reason::Automatic, &refused), Next::Failed);
}

#[test]
fn retry_after_makes_it_later_up_to_a_day() {
    let secs = Duration::from_secs;
    assert_eq!(after(0, Reason::Automatic, &busy(secs(90))), retry_in(secs(90)));
    assert_eq!(after(1, Reason::Automatic, &busy(secs(90))), retry_in(secs(300)));
    assert_eq!(after(0, Reason::Automatic, &busy(secs(90_000))), retry_in(secs(86_400)));
    assert_eq!(after(0, Reason::Automatic, &busy(Duration::MAX)), retry_in(secs(86_400)));
    assert_eq!(after(9, Reason::Automatic, &busy(secs(90))), Next::Failed);
}

#[test]
fn gone_turns_off_but_not_for_a_test() {
    for tries in [0, 9, 99] {
        assert_eq!(after(tries, Reason::Automatic, &answer(410)), Next::Gone);
        assert_eq!(after(tries, Reason::Resend, &answer(410)), Next::Gone);
        assert_eq!(after(tries, Reason::Test, &answer(410)), Next::Failed);
    }
}

#[test]
fn a_failed_resend_changes_nothing_and_a_failed_test_is_not_tried_again() {
    for outcome in
        [answer(500), busy(Duration::from_secs(1)), Outcome::Error(SendError::Timeout(Duration::from_secs(15)))]
    {
        for tries in [0, 5, 99] {
            assert_eq!(after(tries, Reason::Resend, &outcome), Next::Restore);
            assert_eq!(after(tries, Reason::Test, &outcome), Next::Failed);
        }
    }
}

#[test]
fn words_round_trip() {
    for state in State::ALL {
        assert_eq!(state.as_str().parse(), Ok(state));
        assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
    }
    for reason in Reason::ALL {
        assert_eq!(reason.as_str().parse(), Ok(reason));
        assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{reason}\""));
    }
    assert_eq!("done".parse::<State>().unwrap_err().to_string(), "'done' is not a state of a delivery");
    assert_eq!("".parse::<Reason>().unwrap_err().to_string(), "'' is not a reason of an attempt");
}

/// The codes are stored and shown by the API: they never change.
#[test]
fn errors_have_stable_codes_and_sentences() {
    let forbidden = AddressPolicy::default().permits("10.0.0.1".parse().unwrap()).unwrap_err();
    let errors = [
        SendError::Timeout(Duration::from_secs(15)),
        SendError::Unfinished(Duration::from_secs(15)),
        SendError::ConnectTimeout(Duration::from_millis(500)),
        SendError::ConnectionRefused,
        SendError::ConnectionReset,
        SendError::Unreachable("no route to host".to_owned()),
        SendError::DnsFailed("nowhere.example".to_owned(), "it has no address".to_owned()),
        forbidden.into(),
        SendError::TlsFailed("the certificate expired on 2026-01-31".to_owned()),
        SendError::ProtocolError("the header is too large".to_owned()),
        SendError::ClosedEarly,
    ];
    let lines: Vec<_> = errors.iter().map(|error| format!("{}: {error}", error.code())).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    timeout: There was no answer within 15 s.
    timeout: The answer was not complete within 15 s.
    connect_timeout: The connection could not be made within 0.5 s.
    connection_refused: The receiver refused the connection.
    connection_reset: The receiver broke the connection off.
    unreachable: There is no way to the receiver: no route to host.
    dns_failed: The name nowhere.example could not be resolved: it has no address.
    address_forbidden: The address may not be called: 10.0.0.1 is a private address (RFC 1918).
    tls_failed: A secure connection could not be made: the certificate expired on 2026-01-31.
    protocol_error: The answer is not valid HTTP: the header is too large.
    closed_early: The receiver closed the connection before its answer was complete.
    ");
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    prop::collection::vec((0_u64..=2_592_000).prop_map(Duration::from_secs), 1..=50)
        .prop_map(|waits| RetryPolicy { schedule: Schedule::new(waits).unwrap(), ..RetryPolicy::default() })
}

fn any_failure() -> impl Strategy<Value = Outcome> {
    let status = prop_oneof![100..200_u16, 300..410_u16, 411..600_u16];
    let wish = prop::option::of((0..200_000_u64).prop_map(Duration::from_secs));
    prop_oneof![
        (status, wish).prop_map(|(status, retry_after)| Outcome::Answered { status, retry_after }),
        Just(Outcome::Error(SendError::Timeout(Duration::from_secs(15)))),
        Just(Outcome::Error(SendError::ConnectionReset)),
    ]
}

proptest! {
    /// A delivery that only fails is tried exactly as often as the schedule says, each time later than before, and
    /// with resends in between no differently.
    #[test]
    fn a_delivery_is_tried_as_often_as_the_schedule_says(
        policy in any_policy(), failures in prop::collection::vec((any_failure(), 0.0..1.0_f64), 60),
    ) {
        let (mut tries, mut now) = (0, NOW);
        for (failure, unit) in failures {
            let jitter = Jitter::new(unit);
            prop_assert_eq!(next(tries, Reason::Resend, &failure, now, jitter, &policy), Next::Restore);
            let decided = next(tries, Reason::Automatic, &failure, now, jitter, &policy);
            tries += 1;
            match decided {
                Next::Retry { at } => {
                    prop_assert!(at >= now);
                    now = at;
                }
                other => {
                    prop_assert_eq!(other, Next::Failed);
                    prop_assert_eq!(tries as usize, policy.schedule.waits().len());
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "tried for ever");
    }

    /// A wish never makes the next try earlier than without it, and never puts it off by more than a day.
    #[test]
    fn retry_after_never_shortens(policy in any_policy(), tries in 0..60_u32, unit in 0.0..1.0_f64, wish in 0..u64::MAX) {
        let decide = |outcome: &Outcome| next(tries, Reason::Automatic, outcome, NOW, Jitter::new(unit), &policy);
        let wish = Duration::from_secs(wish);
        for wish in [wish, Duration::from_secs(wish.as_secs() % 200_000)] {
            match (decide(&answer(503)), decide(&busy(wish))) {
                (Next::Retry { at: plain }, Next::Retry { at: asked }) => {
                    prop_assert!(asked >= plain);
                    prop_assert!(asked >= NOW.saturating_add(wish.min(MAX_RETRY_AFTER)));
                    prop_assert!(asked <= plain.max(NOW.saturating_add(MAX_RETRY_AFTER)));
                }
                (plain, asked) => prop_assert_eq!(plain, asked),
            }
        }
    }

    /// A receiver's success always ends the delivery and nothing else does, whatever the reason of the attempt.
    #[test]
    fn delivered_means_2xx(status: u16, tries: u32, reason in 0..3_usize, policy in any_policy()) {
        let decided = next(tries, Reason::ALL[reason], &answer(status), NOW, Jitter::NONE, &policy);
        prop_assert_eq!(decided == Next::Delivered, (200..300).contains(&status));
    }
}
