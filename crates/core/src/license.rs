//! The license of a workspace and its balance of state changes: what each change does to it, and what is told of it.
//!
//! A license has a *period*. In it, `included` state changes come with the license, `extra` ones were credited, and `used`
//! ones were reported; the balance is what is left. Nothing here asks for the time or a database: a change takes the license
//! as it is and gives the license as it will be, and the [`News`] that it makes, in the order in which they are told.
//!
//! What always holds:
//! * The balance is `included + extra − used`, exactly. It may be below zero: what was used was used, and a report that is
//!   refused would make the balance wrong. All numbers stay below 2^53, so that every JSON parser reads them exactly.
//! * Which thresholds have been told isn't remembered, it is known: those that the use has reached. A change tells of the
//!   thresholds that it makes reached, in order; so each is told once on the way up, and again only after a credit or a
//!   renewal has put it above the use. 100 % is `exhausted`, and leaving it is `replenished`: the two alternate.
//! * Whatever is refused leaves the license as it was.
//! * The clock renews or ends an active license ([`License::advance`]); it passes over a blocked one, which catches up when
//!   it is unblocked. Periods that nobody saw are skipped: however long nobody looked, there is one renewal.

mod news;
mod numbers;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    news::{BalanceView, Before, LicenseView, News},
    numbers::{Amount, Included, NumberError, Thresholds, ThresholdsError},
};
use crate::{
    id::LicenseId,
    text::{Name, Reason},
    time::Timestamp,
};

/// The most state changes of one credit or one report of use, and the most that a license includes.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000;
/// The most that a period's credits, and its use, come to: 10^15 is exact in every JSON parser.
pub const MAX_TOTAL: i64 = 1_000_000_000_000_000;
/// How long before the end of a period that won't be renewed it is told.
pub const NOTICE: Duration = Duration::from_hours(7 * 24);
/// How far ahead the end of a period may lie: ten years.
pub const LONGEST: Duration = Duration::from_hours(3_660 * 24);
/// The plan of a new workspace.
pub const FIRST_PLAN: &str = "Standard";
/// State changes that the first plan includes in a month.
pub const FIRST_INCLUDED: i64 = 100_000;
/// The thresholds of a new license, in percent.
pub const FIRST_THRESHOLDS: [u8; 2] = [80, 90];

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text).ok_or(UnknownWord)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Whether a license can be used.
    LicenseStatus {
        /// It can.
        Active = "active",
        /// Its period ended without renewal.
        Expired = "expired",
        /// Somebody blocked it.
        Blocked = "blocked",
    }
}

words! {
    /// Where credited state changes came from.
    CreditSource {
        /// They were bought.
        Purchase = "purchase",
        /// A new period began.
        Renewal = "renewal",
        /// They were given.
        Bonus = "bonus",
        /// Something was put right.
        Adjustment = "adjustment",
    }
}

/// The text is none of the known words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown value")]
pub struct UnknownWord;

/// Why a change of a license is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Use is reported, and the license is blocked.
    #[error("the license is blocked: no use can be reported until it is unblocked")]
    Blocked,
    /// Use is reported, or it is to be blocked, and the license has expired.
    #[error("the license has expired: give it a period that ends later first")]
    Expired,
    /// The use of the period would be beyond [`MAX_TOTAL`].
    #[error("would bring the use of this period above 1,000,000,000,000,000")]
    TooMuchUsed,
    /// The credits of the period would be beyond [`MAX_TOTAL`].
    #[error("would bring the credits of this period above 1,000,000,000,000,000")]
    TooMuchCredited,
    /// The new end of the period has passed, or is now.
    #[error("must lie in the future")]
    EndHasPassed,
    /// The new end of the period is more than [`LONGEST`] ahead.
    #[error("must not be more than ten years ahead")]
    EndTooFar,
}

/// A license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// Its id.
    pub id: LicenseId,
    /// What was bought.
    pub plan: Name,
    /// Whether it can be used.
    pub status: LicenseStatus,
    /// Why it is blocked, if whoever did it said so.
    pub status_reason: Option<String>,
    /// Whether a new period begins when this one ends.
    pub renews: bool,
    /// When the period began.
    pub period_start: Timestamp,
    /// When it ends: the first moment that is not in it.
    pub period_end: Timestamp,
    /// State changes that each period includes.
    pub included: i64,
    /// State changes credited, and what was left of earlier credits when the period began.
    pub extra: i64,
    /// State changes used in the period.
    pub used: i64,
    /// At which use an event tells of it.
    pub thresholds: Thresholds,
    /// Whether it was told that the period ends soon.
    pub expiring_told: bool,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// What to change of a license; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct LicensePatch {
    /// What was bought.
    pub plan: Option<Name>,
    /// Whether a new period begins when this one ends.
    pub renews: Option<bool>,
    /// When the period ends. Gives an expired license a new period, which begins now.
    pub period_end: Option<Timestamp>,
    /// State changes that each period includes.
    pub included: Option<Included>,
    /// At which use an event tells of it.
    pub thresholds: Option<Thresholds>,
}

/// How far the use has come, to be compared with how far it has come after a change.
#[derive(Clone, Copy)]
struct Reached {
    /// So many of the thresholds, from the lowest.
    thresholds: usize,
    exhausted: bool,
}

impl License {
    /// The license that a workspace begins with: a renewing one, for the calendar month (UTC).
    pub fn first(id: LicenseId, now: Timestamp) -> Self {
        Self {
            id,
            plan: Name::parse(FIRST_PLAN).expect("the first plan has a name"),
            status: LicenseStatus::Active,
            status_reason: None,
            renews: true,
            period_start: now.start_of_month(),
            period_end: now.start_of_next_month(),
            included: FIRST_INCLUDED,
            extra: 0,
            used: 0,
            thresholds: Thresholds::default(),
            expiring_told: false,
            updated_at: now,
        }
    }

    /// State changes left; below zero when more was used than there was.
    pub fn balance(&self) -> i64 {
        self.included + self.extra - self.used
    }

    /// Whether nothing is left.
    pub fn is_exhausted(&self) -> bool {
        self.balance() <= 0
    }

    /// Whether the use has reached so many percent of what there is.
    pub fn has_reached(&self, percent: u8) -> bool {
        i128::from(self.used) * 100 >= i128::from(percent) * i128::from(self.included + self.extra)
    }

    fn reached(&self) -> Reached {
        let thresholds = self.thresholds.iter().take_while(|percent| self.has_reached(*percent)).count();
        Reached { thresholds, exhausted: self.is_exhausted() }
    }

    /// What is to be told of the balance, after it was `before`.
    fn tell_balance(&self, before: Reached, news: &mut Vec<News>) {
        let now = self.reached();
        let crossed = self.thresholds.iter().take(now.thresholds).skip(before.thresholds);
        news.extend(crossed.map(News::ThresholdReached));
        match (before.exhausted, now.exhausted) {
            (false, true) => news.push(News::Exhausted),
            (true, false) => news.push(News::Replenished),
            _ => {}
        }
    }

    /// State changes were used. The balance may go below zero.
    ///
    /// # Errors
    /// [`Refusal::Blocked`], [`Refusal::Expired`], [`Refusal::TooMuchUsed`].
    pub fn debit(&mut self, amount: Amount, now: Timestamp) -> Result<Vec<News>, Refusal> {
        match self.status {
            LicenseStatus::Active => {}
            LicenseStatus::Blocked => return Err(Refusal::Blocked),
            LicenseStatus::Expired => return Err(Refusal::Expired),
        }
        let used = self.used.checked_add(amount.get()).filter(|used| *used <= MAX_TOTAL);
        let used = used.ok_or(Refusal::TooMuchUsed)?;
        let before = self.reached();
        (self.used, self.updated_at) = (used, now);
        let mut news = Vec::new();
        self.tell_balance(before, &mut news);
        Ok(news)
    }

    /// State changes are added, whatever the status.
    ///
    /// # Errors
    /// [`Refusal::TooMuchCredited`].
    pub fn credit(&mut self, amount: Amount, source: CreditSource, now: Timestamp) -> Result<Vec<News>, Refusal> {
        let extra = self.extra.checked_add(amount.get()).filter(|extra| *extra <= MAX_TOTAL);
        let extra = extra.ok_or(Refusal::TooMuchCredited)?;
        let before = self.reached();
        (self.extra, self.updated_at) = (extra, now);
        let mut news = vec![News::Credited { amount: amount.get(), source }];
        self.tell_balance(before, &mut news);
        Ok(news)
    }

    /// Changes what is given. Nothing is told when it is all as it was. Thresholds that the use has passed already when they
    /// are set are not told; those that a smaller `included` makes reached are. An expired license that is given a later end
    /// is issued anew.
    ///
    /// # Errors
    /// [`Refusal::EndHasPassed`] and [`Refusal::EndTooFar`], for `period_end`.
    pub fn update(&mut self, patch: LicensePatch, now: Timestamp) -> Result<Vec<News>, Refusal> {
        let expired = self.status == LicenseStatus::Expired;
        let new_end = patch.period_end.filter(|end| expired || *end != self.period_end);
        match new_end {
            Some(end) if end <= now => return Err(Refusal::EndHasPassed),
            Some(end) if end > now.saturating_add(LONGEST) => return Err(Refusal::EndTooFar),
            _ => {}
        }
        let mut before = Before::default();
        change(&mut self.plan, patch.plan, &mut before.plan);
        change(&mut self.renews, patch.renews, &mut before.renews);
        change(&mut self.thresholds, patch.thresholds, &mut before.thresholds);
        let reached = self.reached();
        let issues_anew = expired && new_end.is_some();
        if issues_anew {
            self.begin_period(now);
        }
        change(&mut self.included, patch.included.map(Included::get), &mut before.included);
        change(&mut self.period_end, new_end, &mut before.period_end);
        if before.is_empty() {
            return Ok(Vec::new());
        }
        if before.period_end.is_some() || before.renews.is_some() {
            self.expiring_told = false;
        }
        self.updated_at = now;
        let mut news = Vec::new();
        if issues_anew {
            self.status = LicenseStatus::Active;
            news.push(News::Issued);
        } else {
            news.push(News::Updated(before));
        }
        self.tell_balance(reached, &mut news);
        Ok(news)
    }

    /// Blocks it: use can't be reported, and the clock passes over it. One that is blocked stays as it is.
    ///
    /// # Errors
    /// [`Refusal::Expired`]
    pub fn block(&mut self, reason: Option<&Reason>, now: Timestamp) -> Result<Vec<News>, Refusal> {
        match self.status {
            LicenseStatus::Blocked => return Ok(Vec::new()),
            LicenseStatus::Expired => return Err(Refusal::Expired),
            LicenseStatus::Active => {}
        }
        let reason = reason.map(Reason::as_str).filter(|reason| !reason.is_empty()).map(str::to_owned);
        self.status = LicenseStatus::Blocked;
        self.status_reason.clone_from(&reason);
        self.updated_at = now;
        Ok(vec![News::Blocked { reason }])
    }

    /// Ends a block; what the clock has missed is done by the next [`License::advance`].
    pub fn unblock(&mut self, now: Timestamp) -> Vec<News> {
        if self.status != LicenseStatus::Blocked {
            return Vec::new();
        }
        self.status = LicenseStatus::Active;
        self.status_reason = None;
        self.updated_at = now;
        vec![News::Unblocked]
    }

    /// Does what is due by the clock: renews, expires, or tells that it will expire.
    ///
    /// A renewal begins where the period ended and ends with that calendar month (UTC); when whole months were missed, it is
    /// the month of `now`. Credits that are left stay; what was used beyond the balance isn't taken from the new period.
    pub fn advance(&mut self, now: Timestamp) -> Vec<News> {
        if self.next_look().is_none_or(|due| now < due) {
            return Vec::new();
        }
        let mut news = Vec::new();
        self.updated_at = now;
        if now < self.period_end {
            self.expiring_told = true;
            news.push(News::Expiring);
        } else if self.renews {
            let reached = self.reached();
            let (start, end) = (self.period_start, self.period_end);
            self.begin_period(self.period_end.max(now.start_of_month()));
            self.period_end = now.start_of_next_month();
            self.expiring_told = false;
            news.push(if self.included > 0 {
                News::Credited { amount: self.included, source: CreditSource::Renewal }
            } else {
                News::Updated(Before { period_start: Some(start), period_end: Some(end), ..Before::default() })
            });
            self.tell_balance(reached, &mut news);
        } else {
            self.status = LicenseStatus::Expired;
            news.push(News::Expired);
        }
        news
    }

    /// When the clock has something to do here next.
    pub fn next_look(&self) -> Option<Timestamp> {
        match self.status {
            LicenseStatus::Active if self.renews || self.expiring_told => Some(self.period_end),
            LicenseStatus::Active => Some(self.period_end.saturating_sub(NOTICE)),
            LicenseStatus::Expired | LicenseStatus::Blocked => None,
        }
    }

    /// Nothing is used, and of the credits there is what the use has left: it takes what is included first.
    fn begin_period(&mut self, start: Timestamp) {
        let from_extra = (self.used - self.included).max(0);
        (self.period_start, self.extra, self.used) = (start, (self.extra - from_extra).max(0), 0);
    }
}

/// Puts `new` in the place of `current` when it differs, and what was there into `before`.
fn change<T: PartialEq>(current: &mut T, new: Option<T>, before: &mut Option<T>) {
    if let Some(new) = new.filter(|new| new != current) {
        *before = Some(std::mem::replace(current, new));
    }
}
