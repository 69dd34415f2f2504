//! The health of a webhook over 24 hours, laid out as bars and lines.
//!
//! The picture is plain geometry in a fixed box; the same numbers are in a table beside it for whoever doesn't see it.

use super::parts::{Moment, thousands};

/// Hours, oldest first; normally 24 of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) hours: Vec<Hour>,
    /// Times in milliseconds that half, and 95 of 100, deliveries took over the whole span.
    pub(crate) p50_ms: Option<u32>,
    pub(crate) p95_ms: Option<u32>,
    /// How many attempts were looked at, when there were too many to look at all of them.
    pub(crate) newest_only: Option<usize>,
}

/// What happened within one hour.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hour {
    pub(crate) from: Moment,
    /// Attempts that succeeded.
    pub(crate) delivered: u32,
    /// Attempts that failed.
    pub(crate) failed: u32,
    pub(crate) p50_ms: Option<u32>,
    pub(crate) p95_ms: Option<u32>,
}

/// One hour's bar: `y` from the top of the box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: f32,
    pub(crate) width: f32,
    pub(crate) delivered_y: f32,
    pub(crate) delivered_height: f32,
    pub(crate) failed_y: f32,
    pub(crate) failed_height: f32,
}

impl Health {
    /// The box: its width, and the heights of the two pictures in it.
    pub(crate) const WIDTH: f32 = 720.0;
    pub(crate) const BARS: f32 = 96.0;
    pub(crate) const LINES: f32 = 48.0;
    /// A bar that stands for something is never thinner than this.
    const LEAST: f32 = 2.0;

    pub(crate) fn delivered(&self) -> u64 {
        self.hours.iter().map(|hour| u64::from(hour.delivered)).sum()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.hours.iter().map(|hour| u64::from(hour.failed)).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.delivered() + self.failed() == 0
    }

    /// "99.2 %" of the attempts succeeded; rounded down, so that 100 % means all of them.
    pub(crate) fn success(&self) -> String {
        let all = self.delivered() + self.failed();
        if all == 0 {
            return "–".to_owned();
        }
        let per_mille = self.delivered() * 1000 / all;
        if per_mille == 1000 { "100 %".to_owned() } else { format!("{}.{} %", per_mille / 10, per_mille % 10) }
    }

    pub(crate) fn total_text(&self) -> String {
        thousands(self.delivered() + self.failed())
    }

    pub(crate) fn failed_text(&self) -> String {
        thousands(self.failed())
    }

    /// One bar an hour; failures stand on top of successes.
    pub(crate) fn bars(&self) -> Vec<Bar> {
        let most = self.hours.iter().map(|hour| hour.delivered + hour.failed).max().unwrap_or(0).max(1);
        let height = |count: u32| match count {
            0 => 0.0,
            _ => (ratio(count, most) * Self::BARS).max(Self::LEAST),
        };
        let step = self.step();
        self.hours
            .iter()
            .enumerate()
            .map(|(at, hour)| {
                let (delivered_height, failed_height) = (height(hour.delivered), height(hour.failed));
                let delivered_y = Self::BARS - delivered_height;
                Bar {
                    x: x(at, step) + step * 0.15,
                    width: step * 0.7,
                    delivered_y,
                    delivered_height,
                    failed_y: (delivered_y - failed_height).max(0.0),
                    failed_height,
                }
            })
            .collect()
    }

    /// The slowest p95 of an hour: the top of the second picture.
    pub(crate) fn slowest_ms(&self) -> u32 {
        self.hours.iter().filter_map(|hour| hour.p95_ms.or(hour.p50_ms)).max().unwrap_or(0)
    }

    /// `points` of the line of p50.
    pub(crate) fn p50_points(&self) -> String {
        self.points(|hour| hour.p50_ms)
    }

    /// `points` of the line of p95.
    pub(crate) fn p95_points(&self) -> String {
        self.points(|hour| hour.p95_ms)
    }

    fn points(&self, of: impl Fn(&Hour) -> Option<u32>) -> String {
        let step = self.step();
        let slowest = self.slowest_ms().max(1);
        let point = |(at, hour): (usize, &Hour)| {
            let ms = of(hour)?;
            let y = Self::LINES - ratio(ms, slowest) * (Self::LINES - 2.0) - 1.0;
            Some(format!("{:.1},{y:.1}", x(at, step) + step * 0.5))
        };
        self.hours.iter().enumerate().filter_map(point).collect::<Vec<_>>().join(" ")
    }

    fn step(&self) -> f32 {
        Self::WIDTH / f32::from(u16::try_from(self.hours.len()).unwrap_or(u16::MAX).max(1))
    }
}

fn x(at: usize, step: f32) -> f32 {
    f32::from(u16::try_from(at).unwrap_or(u16::MAX)) * step
}

/// `part` of `whole`, at most 1.
#[expect(clippy::cast_possible_truncation, reason = "a length on the screen needs no more than single precision")]
fn ratio(part: u32, whole: u32) -> f32 {
    (f64::from(part) / f64::from(whole)).min(1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(counts: &[(u32, u32)]) -> Health {
        let hours = counts.iter().map(|&(delivered, failed)| Hour { delivered, failed, ..Hour::default() }).collect();
        Health { hours, ..Health::default() }
    }

    #[test]
    fn bars_stand_on_the_ground_and_stay_in_the_box() {
        let bars = health(&[(100, 0), (0, 0), (1, 1), (50, 50)]).bars();
        assert_eq!((bars[0].delivered_y, bars[0].delivered_height), (0.0, Health::BARS));
        assert_eq!((bars[1].delivered_height, bars[1].failed_height), (0.0, 0.0));
        assert_eq!(bars[2].failed_height, Health::LEAST, "a single failure can be seen");
        assert_eq!(bars[3].failed_y, 0.0);
        assert!(bars.iter().all(|bar| bar.x + bar.width <= Health::WIDTH));
    }

    #[test]
    fn a_single_failure_is_not_rounded_away() {
        assert_eq!(health(&[(99_999, 1)]).success(), "99.9 %");
        assert_eq!(health(&[(7, 0)]).success(), "100 %");
        assert_eq!(health(&[]).success(), "–");
    }
}
