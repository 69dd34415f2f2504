//! The health of a webhook over 24 hours, laid out as bars and lines.
//!
//! The picture is plain geometry in two boxes that are stretched to the width of the page; all that is written stands beside
//! them, so that it stays as large as text is. The same numbers are in a table for whoever doesn't see the picture.

use std::fmt::Write as _;

use super::parts::{Moment, thousands};

/// Hours, oldest first; normally 24 of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) hours: Vec<Hour>,
    /// Times in milliseconds that half, and 95 of 100, attempts took over the whole span.
    pub(crate) p50_ms: Option<u32>,
    pub(crate) p95_ms: Option<u32>,
    /// How many deliveries were looked at, when there were too many to look at all of them.
    pub(crate) newest_only: Option<u32>,
}

/// What happened within one hour.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hour {
    pub(crate) from: Moment,
    /// Deliveries that the receiver took.
    pub(crate) delivered: u32,
    /// Deliveries that it didn't.
    pub(crate) failed: u32,
    /// Deliveries that are still owed: pending or held.
    pub(crate) waiting: u32,
    pub(crate) p50_ms: Option<u32>,
    pub(crate) p95_ms: Option<u32>,
}

impl Hour {
    fn total(&self) -> u32 {
        self.delivered + self.failed + self.waiting
    }

    /// What the pointer is told over an hour.
    pub(crate) fn title(&self) -> String {
        let mut title = format!("From {}: {} delivered", self.from.utc(), thousands(self.delivered));
        for (count, word) in [(self.failed, "failed"), (self.waiting, "waiting")] {
            if count > 0 {
                let _ = write!(title, ", {} {word}", thousands(count));
            }
        }
        if let (Some(p50), Some(p95)) = (self.p50_ms, self.p95_ms) {
            let _ = write!(title, "; latency {} ms (median), {} ms (95 %)", thousands(p50), thousands(p95));
        }
        title
    }
}

/// A part of one hour's bar: `y` from the top of the box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    pub(crate) y: f32,
    pub(crate) height: f32,
    /// The end of its class.
    pub(crate) kind: &'static str,
}

impl Health {
    /// The boxes: their width and height.
    pub(crate) const WIDTH: f32 = 720.0;
    pub(crate) const HEIGHT: f32 = 100.0;
    /// A piece that stands for something is never thinner than this.
    const LEAST: f32 = 3.0;

    pub(crate) fn delivered(&self) -> u64 {
        self.sum(|hour| hour.delivered)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.sum(|hour| hour.failed)
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.sum(|hour| hour.waiting)
    }

    fn sum(&self, of: impl Fn(&Hour) -> u32) -> u64 {
        self.hours.iter().map(|hour| u64::from(of(hour))).sum()
    }

    /// Whether there is nothing to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.sum(Hour::total) == 0 && self.p50_ms.is_none()
    }

    /// "99.2 %" of what is settled was delivered; rounded down, so that 100 % means all of it.
    pub(crate) fn success(&self) -> String {
        let all = self.delivered() + self.failed();
        if all == 0 {
            return "–".to_owned();
        }
        let per_mille = self.delivered() * 1000 / all;
        if per_mille == 1000 { "100 %".to_owned() } else { format!("{}.{} %", per_mille / 10, per_mille % 10) }
    }

    pub(crate) fn total_text(&self) -> String {
        thousands(self.sum(Hour::total))
    }

    pub(crate) fn failed_text(&self) -> String {
        thousands(self.failed())
    }

    pub(crate) fn waiting_text(&self) -> String {
        thousands(self.waiting())
    }

    /// What the top of the upper box stands for: deliveries in an hour.
    pub(crate) fn most(&self) -> u32 {
        round_up(self.hours.iter().map(Hour::total).max().unwrap_or(0))
    }

    pub(crate) fn most_text(&self) -> String {
        thousands(self.most())
    }

    /// What the top of the lower box stands for, in milliseconds.
    pub(crate) fn slowest_ms(&self) -> u32 {
        round_up(self.hours.iter().filter_map(|hour| hour.p95_ms.or(hour.p50_ms)).max().unwrap_or(0))
    }

    pub(crate) fn slowest_text(&self) -> String {
        format!("{} ms", thousands(self.slowest_ms()))
    }

    /// The width of a bar, and of the place that it stands in.
    pub(crate) fn bar_width(&self) -> f32 {
        self.step() * 0.7
    }

    pub(crate) fn step(&self) -> f32 {
        Self::WIDTH / number(self.hours.len().max(1))
    }

    /// Where the place of an hour begins (as templates hold its number).
    pub(crate) fn x(&self, at: &usize) -> f32 {
        number(*at) * self.step()
    }

    /// The pieces of an hour's bar, from the ground up: delivered, failed, waiting.
    pub(crate) fn pieces(&self, hour: &Hour) -> Vec<Piece> {
        let most = self.most();
        let mut y = Self::HEIGHT;
        let parts = [(hour.delivered, "ok"), (hour.failed, "bad"), (hour.waiting, "wait")];
        let pieces = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, kind)| {
            let height = (ratio(count, most) * Self::HEIGHT).max(Self::LEAST);
            y -= height;
            Piece { y: y.max(0.0), height, kind }
        });
        pieces.collect()
    }

    /// The line of p50.
    pub(crate) fn p50_line(&self) -> String {
        self.line(|hour| hour.p50_ms)
    }

    /// The line of p95.
    pub(crate) fn p95_line(&self) -> String {
        self.line(|hour| hour.p95_ms)
    }

    /// A path through the hours that have a value. Where hours have none it is interrupted; one that stands alone is a dot
    /// (a line of no length with round ends).
    fn line(&self, of: impl Fn(&Hour) -> Option<u32>) -> String {
        let (slowest, mut path, mut drawing) = (self.slowest_ms(), String::new(), false);
        for (at, hour) in self.hours.iter().enumerate() {
            let Some(ms) = of(hour) else {
                drawing = false;
                continue;
            };
            let y = Self::HEIGHT - ratio(ms, slowest) * Self::HEIGHT;
            let x = self.x(&at) + self.step() * 0.5;
            let _ = if drawing { write!(path, "L{x:.1} {y:.1}") } else { write!(path, "M{x:.1} {y:.1}h0") };
            drawing = true;
        }
        path
    }
}

/// The next number that is easy to read: 1, 2 or 5 times a power of ten; at least 1.
fn round_up(most: u32) -> u32 {
    let mut power: u32 = 1;
    loop {
        for step in [1, 2, 5] {
            match power.checked_mul(step) {
                Some(round) if round >= most => return round,
                Some(_) => {}
                None => return u32::MAX,
            }
        }
        power = power.saturating_mul(10);
    }
}

fn number(at: usize) -> f32 {
    f32::from(u16::try_from(at).unwrap_or(u16::MAX))
}

/// `part` of `whole`, at most 1.
#[expect(clippy::cast_possible_truncation, reason = "a length on the screen needs no more than single precision")]
fn ratio(part: u32, whole: u32) -> f32 {
    (f64::from(part) / f64::from(whole.max(1))).min(1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(counts: &[(u32, u32, u32)]) -> Health {
        let hour = |&(delivered, failed, waiting): &_| Hour { delivered, failed, waiting, ..Hour::default() };
        Health { hours: counts.iter().map(hour).collect(), ..Health::default() }
    }

    #[test]
    fn bars_stand_on_the_ground_and_stay_in_the_box() {
        let it = health(&[(100, 0, 0), (0, 0, 0), (1, 1, 0), (50, 25, 25)]);
        let pieces: Vec<_> = it.hours.iter().map(|hour| it.pieces(hour)).collect();
        assert_eq!(pieces[0], [Piece { y: 0.0, height: Health::HEIGHT, kind: "ok" }]);
        assert!(pieces[1].is_empty());
        assert_eq!(pieces[2][1].height, Health::LEAST, "a single failure can be seen");
        assert_eq!(pieces[3].iter().map(|piece| piece.kind).collect::<Vec<_>>(), ["ok", "bad", "wait"]);
        assert_eq!(pieces[3][2].y, 0.0);
        assert!(it.x(&3) + it.bar_width() <= Health::WIDTH);
    }

    #[test]
    fn a_single_failure_is_not_rounded_away() {
        assert_eq!(health(&[(99_999, 1, 0)]).success(), "99.9 %");
        assert_eq!(health(&[(7, 0, 3)]).success(), "100 %", "what waits may still arrive");
        assert_eq!(health(&[]).success(), "–");
    }

    #[test]
    fn lines_end_where_nothing_is_known_and_a_lone_hour_is_a_dot() {
        let mut it = health(&[(1, 0, 0); 4]);
        for (at, ms) in [(0, 50), (1, 100), (3, 100)] {
            it.hours[at].p50_ms = Some(ms);
        }
        assert_eq!(it.p50_line(), "M90.0 50.0h0L270.0 0.0M630.0 0.0h0");
        assert_eq!(it.p95_line(), "");
    }

    #[test]
    fn the_top_of_a_box_is_a_round_number() {
        let rounded = [0, 1, 3, 7, 10, 11, 312, 900, 4_000_000_000].map(round_up);
        assert_eq!(rounded, [1, 1, 5, 10, 10, 20, 500, 1_000, u32::MAX]);
    }
}
