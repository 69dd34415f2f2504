//! How a receiver has behaved lately, and what follows from it: how many exchanges with it at once, and whether it is left alone for
//! a while. ([ADR 17](../../../../../docs/adr/0017-a-dead-receiver-costs-probes.md))
//!
//! It begins with few exchanges at once, gets one more with every answer, and half as many when it doesn't answer, breaks off or
//! asks for rest. One that fails again and again is left alone for some seconds after each attempt; the first answer ends that.

use std::time::Duration;

use bellwire_core::time::Timestamp;

/// Exchanges at once, at the most.
pub(super) const MAX_WIDTH: usize = 32;
/// Exchanges at once with a receiver that is not known yet.
pub(super) const FIRST_WIDTH: usize = 2;
/// Failures in a row after which a receiver is left alone between attempts.
pub(super) const STRIKES: u32 = 8;
/// For so long: less than the shortest wait of the usual schedule, so that no delivery's own retry is late.
pub(super) const REST: Duration = Duration::from_secs(4);

/// How an exchange has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Answered,
    Strained,
}

/// What is known of a receiver.
pub(super) struct Conduct {
    width: usize,
    /// How the last exchange ended; before the first one, what the database says.
    answers: bool,
    is_first: bool,
    /// Failures in a row.
    strikes: u32,
    rests_until: Timestamp,
}

impl Conduct {
    /// Nothing is known yet.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { width: FIRST_WIDTH, answers: false, is_first: true, strikes: 0, rests_until: now }
    }

    /// What the database says of its health, which counts until something was sent to it.
    pub(super) fn is_said_to_be(&mut self, healthy: bool) {
        if self.is_first {
            self.answers = healthy;
        }
    }

    pub(super) fn note(&mut self, ended: Ended, now: Timestamp) {
        self.is_first = false;
        self.answers = ended == Ended::Answered;
        if self.answers {
            self.width = (self.width + 1).min(MAX_WIDTH);
            self.strikes = 0;
            self.rests_until = self.rests_until.min(now);
        } else {
            self.width = (self.width / 2).max(1);
            self.strikes = self.strikes.saturating_add(1);
            if self.strikes >= STRIKES {
                self.rests_until = now.saturating_add(REST);
            }
        }
    }

    /// How many exchanges at once.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Whether it is one of those that may hang: it failed last, or was never sent to.
    pub(super) fn is_in_doubt(&self) -> bool {
        !self.answers
    }

    /// While it is left alone: until when.
    pub(super) fn rest(&self, now: Timestamp) -> Option<Timestamp> {
        (now < self.rests_until).then_some(self.rests_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn after(ended: &[(Ended, usize)]) -> Conduct {
        let mut conduct = Conduct::new(NOW);
        for (ended, count) in ended {
            (0..*count).for_each(|_| conduct.note(*ended, NOW));
        }
        conduct
    }

    #[test]
    fn the_width_grows_with_answers_and_is_halved_by_failures() {
        use Ended::{Answered, Strained};
        assert_eq!(after(&[]).width(), FIRST_WIDTH);
        assert_eq!(after(&[(Answered, 5)]).width(), FIRST_WIDTH + 5);
        assert_eq!(after(&[(Answered, 100)]).width(), MAX_WIDTH);
        assert_eq!(after(&[(Answered, 100), (Strained, 2)]).width(), MAX_WIDTH / 4);
        assert_eq!(after(&[(Answered, 100), (Strained, 20)]).width(), 1, "there is always a probe");
    }

    #[test]
    fn it_rests_after_eight_failures_in_a_row_and_after_each_one_more() {
        let eight = STRIKES as usize;
        assert_eq!(after(&[(Ended::Strained, eight - 1)]).rest(NOW), None);
        let until = NOW.saturating_add(REST);
        let mut conduct = after(&[(Ended::Strained, eight)]);
        assert_eq!(conduct.rest(NOW), Some(until));
        assert_eq!(conduct.rest(until), None, "then one is tried");
        conduct.note(Ended::Strained, until);
        assert_eq!(conduct.rest(until), Some(until.saturating_add(REST)));
        let broken = [(Ended::Strained, eight - 1), (Ended::Answered, 1), (Ended::Strained, eight - 1)];
        assert_eq!(after(&broken).rest(NOW), None, "an answer between them begins anew");
    }

    #[test]
    fn the_first_answer_ends_the_rest() {
        let conduct = after(&[(Ended::Strained, 20), (Ended::Answered, 1)]);
        assert_eq!((conduct.rest(NOW), conduct.is_in_doubt(), conduct.width()), (None, false, 2));
    }

    #[test]
    fn the_database_is_believed_until_something_was_sent() {
        let mut conduct = Conduct::new(NOW);
        assert!(conduct.is_in_doubt(), "of an unknown one nobody knows whether it hangs");
        conduct.is_said_to_be(true);
        assert!(!conduct.is_in_doubt());
        conduct.note(Ended::Strained, NOW);
        conduct.is_said_to_be(true);
        assert!(conduct.is_in_doubt());
    }

    #[test]
    fn the_rest_is_shorter_than_any_wait_of_the_usual_schedule() {
        let schedule: bellwire_core::retry::Schedule = "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h".parse().unwrap();
        let shortest = schedule.waits().iter().filter(|wait| !wait.is_zero()).min().unwrap();
        assert!(REST < shortest.mul_f64(0.9));
    }
}
