//! The license: its balance as a number and as a bar, the use of each day as a picture, the credits, and the dialogs.
//!
//! Pictures are plain geometry in a fixed box; the same numbers stand beside them, as words or in a table.

use askama::Template;

use super::parts::{Choice, Field, Moment, Pager, Who, thousands};
use super::{Chrome, DialogView, Page};

/// `GET /license`
#[derive(Debug, Clone, Template)]
#[template(path = "license/show.html")]
pub(crate) struct ShowPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) id: String,
    pub(crate) plan: String,
    pub(crate) status: LicenseStatus,
    pub(crate) renews: bool,
    pub(crate) period_start: Moment,
    pub(crate) period_end: Moment,
    pub(crate) balance: Balance,
    pub(crate) usage: Usage,
    /// The newest first.
    pub(crate) credits: Vec<CreditRow>,
    pub(crate) pager: Pager,
    /// Whether the reader may change any of it.
    pub(crate) can_manage: bool,
}

/// Whether the license can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LicenseStatus {
    Active,
    Expired,
    Blocked {
        /// Empty when nobody said why.
        reason: String,
    },
}

impl LicenseStatus {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Expired => "Expired",
            Self::Blocked { .. } => "Blocked",
        }
    }

    pub(crate) const fn tone(&self) -> &'static str {
        match self {
            Self::Active => "ok",
            Self::Expired | Self::Blocked { .. } => "bad",
        }
    }

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }

    pub(crate) const fn is_blocked(&self) -> bool {
        matches!(self, Self::Blocked { .. })
    }
}

/// A whole number with commas between its digits, and a real minus sign.
pub(crate) fn whole(number: i64) -> String {
    format!("{}{}", if number < 0 { "−" } else { "" }, thousands(number.unsigned_abs()))
}

/// State changes: what there is, and what is used of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Balance {
    pub(crate) included: i64,
    pub(crate) extra: i64,
    pub(crate) used: i64,
    /// Percentages, the lowest first, and whether the use has reached them.
    pub(crate) thresholds: Vec<(u8, bool)>,
}

impl Balance {
    /// The width of the bar's box.
    pub(crate) const WIDTH: f32 = 1000.0;

    fn all(&self) -> i64 {
        self.included + self.extra
    }

    pub(crate) fn left(&self) -> String {
        whole(self.all() - self.used)
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.used >= self.all()
    }

    /// "42 % used"; rounded down, so that 100 % means all of it.
    pub(crate) fn percent(&self) -> String {
        match i128::from(self.all()) {
            0 => "–".to_owned(),
            all => format!("{} %", thousands(i128::from(self.used) * 100 / all)),
        }
    }

    /// The highest threshold that the use has reached.
    pub(crate) fn reached(&self) -> Option<u8> {
        self.thresholds.iter().rev().find(|(_, reached)| *reached).map(|(percent, _)| *percent)
    }

    /// How it stands, in words and as a tone.
    pub(crate) fn word(&self) -> (String, &'static str) {
        match self.reached() {
            _ if self.is_exhausted() => ("Exhausted".to_owned(), "bad"),
            Some(percent) => (format!("{percent} % reached"), "warn"),
            None => (String::new(), "ok"),
        }
    }

    /// The width of the bar. What is used at all can be seen.
    pub(crate) fn bar(&self) -> f32 {
        if self.is_exhausted() {
            return Self::WIDTH;
        }
        match self.used {
            0 => 0.0,
            used => (ratio(used, self.all()) * Self::WIDTH).clamp(4.0, Self::WIDTH),
        }
    }

    /// Where the thresholds are on the bar.
    pub(crate) fn marks(&self) -> Vec<f32> {
        self.thresholds.iter().map(|(percent, _)| f32::from(*percent) / 100.0 * Self::WIDTH).collect()
    }
}

/// What was used on each day, in the order of the days.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    pub(crate) days: Vec<Day>,
    /// Whether the period is longer than what is shown.
    pub(crate) newest_only: bool,
}

/// One day (UTC).
#[derive(Debug, Clone, Default)]
pub(crate) struct Day {
    /// For example `23 Nov 2026`.
    pub(crate) text: String,
    pub(crate) amount: i64,
    /// Whether it has not begun yet.
    pub(crate) is_ahead: bool,
}

/// One day's bar: `y` from the top of the box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: f32,
    pub(crate) width: f32,
    pub(crate) y: f32,
    pub(crate) height: f32,
}

impl Usage {
    /// The box.
    pub(crate) const WIDTH: f32 = 720.0;
    pub(crate) const HEIGHT: f32 = 120.0;
    /// A bar that stands for something is never thinner than this.
    const LEAST: f32 = 2.0;

    pub(crate) fn is_empty(&self) -> bool {
        self.days.iter().all(|day| day.amount == 0)
    }

    pub(crate) fn total(&self) -> String {
        whole(self.days.iter().map(|day| day.amount).sum())
    }

    fn most_on_a_day(&self) -> i64 {
        self.days.iter().map(|day| day.amount).max().unwrap_or(0)
    }

    pub(crate) fn most(&self) -> String {
        whole(self.most_on_a_day())
    }

    pub(crate) fn first(&self) -> &str {
        self.days.first().map_or("", |day| &day.text)
    }

    pub(crate) fn last(&self) -> &str {
        self.days.last().map_or("", |day| &day.text)
    }

    /// The days that have begun, the newest first.
    pub(crate) fn begun(&self) -> impl Iterator<Item = &Day> {
        self.days.iter().rev().filter(|day| !day.is_ahead)
    }

    /// A bar for each day on which something was used.
    pub(crate) fn bars(&self) -> Vec<Bar> {
        let most = self.most_on_a_day().max(1);
        let step = Self::WIDTH / f32::from(u16::try_from(self.days.len().max(1)).unwrap_or(u16::MAX));
        let bar = |(at, day): (usize, &Day)| {
            let height = (ratio(day.amount, most) * Self::HEIGHT).max(Self::LEAST);
            let x = f32::from(u16::try_from(at).unwrap_or(u16::MAX)) * step;
            Bar { x: x + step * 0.15, width: step * 0.7, y: Self::HEIGHT - height, height }
        };
        self.days.iter().enumerate().filter(|(_, day)| day.amount > 0).map(bar).collect()
    }
}

fn ratio(part: i64, whole: i64) -> f32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a picture needs few digits")]
    let ratio = (part as f64 / whole.max(1) as f64) as f32;
    ratio
}

/// State changes that were added.
#[derive(Debug, Clone)]
pub(crate) struct CreditRow {
    pub(crate) at: Moment,
    pub(crate) amount: i64,
    /// In words: "Purchase".
    pub(crate) source: String,
    /// Empty for none.
    pub(crate) note: String,
    pub(crate) by: Who,
    /// Just after it.
    pub(crate) balance: i64,
}

/// `GET /license/credit`
#[derive(Debug, Clone, Template)]
#[template(path = "license/credit_dialog.html")]
pub(crate) struct CreditDialog {
    /// Makes sending the form twice the same as sending it once.
    pub(crate) key: String,
    pub(crate) amount: Field,
    pub(crate) sources: Vec<Choice>,
    pub(crate) note: Field,
    pub(crate) error: Option<String>,
    pub(crate) return_to: String,
}

impl DialogView for CreditDialog {}

/// `GET /license/edit`
#[derive(Debug, Clone, Template)]
#[template(path = "license/edit_dialog.html")]
pub(crate) struct EditDialog {
    pub(crate) plan: Field,
    pub(crate) included: Field,
    /// `2026-12-01`
    pub(crate) period_end: Field,
    pub(crate) renews: bool,
    pub(crate) is_expired: bool,
    pub(crate) return_to: String,
}

impl DialogView for EditDialog {}

/// `GET /license/thresholds`
#[derive(Debug, Clone, Template)]
#[template(path = "license/thresholds_dialog.html")]
pub(crate) struct ThresholdsDialog {
    /// `80, 90`
    pub(crate) thresholds: Field,
    pub(crate) return_to: String,
}

impl DialogView for ThresholdsDialog {}

/// `GET /license/block`
#[derive(Debug, Clone, Template)]
#[template(path = "license/block_dialog.html")]
pub(crate) struct BlockDialog {
    /// Optional; goes into the event.
    pub(crate) reason: Field,
    pub(crate) return_to: String,
}

impl DialogView for BlockDialog {}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(used: i64, reached: bool) -> Balance {
        Balance { included: 100_000, extra: 20_000, used, thresholds: vec![(80, reached)] }
    }

    #[test]
    fn a_balance_is_told_in_words_and_as_a_bar() {
        let fresh = balance(0, false);
        assert_eq!((fresh.left().as_str(), fresh.percent().as_str(), fresh.bar()), ("120,000", "0 %", 0.0));
        assert_eq!(balance(1, false).bar(), 4.0, "what is used at all can be seen");
        assert_eq!((balance(60_000, false).bar(), fresh.marks()), (500.0, vec![800.0]));
        assert_eq!(balance(96_000, true).word(), ("80 % reached".to_owned(), "warn"));
        let over = balance(1_200_001, true);
        assert_eq!((over.left().as_str(), over.percent().as_str()), ("−1,080,001", "1,000 %"));
        assert_eq!((over.word().0.as_str(), over.bar()), ("Exhausted", 1000.0));
        let nothing = Balance::default();
        assert_eq!((nothing.percent().as_str(), nothing.bar()), ("–", 1000.0));
    }

    #[test]
    fn the_days_are_bars() {
        let day = |amount| Day { text: String::new(), amount, is_ahead: false };
        let usage = Usage { days: vec![day(0), day(1), day(1_000_000), day(0)], newest_only: false };
        let bars = usage.bars();
        assert_eq!((bars.len(), bars[0].height, bars[1].height, bars[1].y), (2, 2.0, Usage::HEIGHT, 0.0));
        assert_eq!(bars[1].x, 2.0 * 180.0 + 27.0);
        assert_eq!((usage.total().as_str(), usage.most().as_str()), ("1,000,001", "1,000,000"));
        assert!(Usage::default().is_empty() && Usage::default().bars().is_empty());
    }
}
