//! What is told of a license: events of the catalogue and their data.

use serde::Serialize;
use serde_json::{Value, json};

use super::{CreditSource, License, LicenseStatus, Thresholds};
use crate::{catalogue::EventType, id::LicenseId, text::Name, time::Timestamp};

/// Something to tell of a license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// State changes were added.
    Credited {
        /// How many.
        amount: i64,
        /// Where they came from.
        source: CreditSource,
    },
    /// The use reached so many percent.
    ThresholdReached(u8),
    /// Nothing is left.
    Exhausted,
    /// Something is left again.
    Replenished,
    /// The workspace got it.
    Issued,
    /// These fields were different before.
    Updated(Before),
    /// Its period ends soon, and won't be renewed.
    Expiring,
    /// Its period ended without renewal.
    Expired,
    /// It was blocked.
    Blocked {
        /// Why, if whoever did it said so.
        reason: Option<String>,
    },
    /// It can be used again.
    Unblocked,
}

/// The fields of a license that changed, as they were before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Before {
    /// What was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Name>,
    /// Whether it renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renews: Option<bool>,
    /// When the period began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// What was included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub included: Option<i64>,
    /// At which use an event told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,
}

impl Before {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl News {
    /// The type of the event that tells it.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Credited { .. } => EventType::STATE_CHANGES_CREDITED,
            Self::ThresholdReached(_) => EventType::STATE_CHANGES_THRESHOLD_REACHED,
            Self::Exhausted => EventType::STATE_CHANGES_EXHAUSTED,
            Self::Replenished => EventType::STATE_CHANGES_REPLENISHED,
            Self::Issued => EventType::LICENSE_ISSUED,
            Self::Updated(_) => EventType::LICENSE_UPDATED,
            Self::Expiring => EventType::LICENSE_EXPIRING,
            Self::Expired => EventType::LICENSE_EXPIRED,
            Self::Blocked { .. } => EventType::LICENSE_BLOCKED,
            Self::Unblocked => EventType::LICENSE_UNBLOCKED,
        }
    }

    /// The event's data, as the catalogue describes it, when the license has become `license`.
    pub fn data(&self, license: &License) -> Value {
        match self {
            Self::Credited { amount, source } => balance_and(license, &json!({"amount": amount, "source": source})),
            Self::ThresholdReached(percent) => balance_and(license, &json!({"threshold": percent})),
            Self::Exhausted | Self::Replenished => balance_and(license, &json!({})),
            Self::Issued | Self::Expiring => json!({"object": license.view()}),
            Self::Updated(before) => json!({"object": license.view(), "previous": before}),
            Self::Expired => json!({"object": license.view(), "previous": {"status": LicenseStatus::Active}}),
            Self::Blocked { reason } => {
                json!({"object": license.view(), "previous": {"status": LicenseStatus::Active}, "reason": reason})
            }
            Self::Unblocked => json!({"object": license.view(), "previous": {"status": LicenseStatus::Blocked}}),
        }
    }
}

fn balance_and(license: &License, more: &Value) -> Value {
    let mut data = json!(license.balance_view());
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more.clone());
    }
    data
}

/// A license, as the API shows it and events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LicenseView {
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
    /// When the period ends.
    pub period_end: Timestamp,
    /// State changes that each period includes.
    pub included: i64,
    /// State changes credited in this period, or left of earlier credits.
    pub extra: i64,
    /// State changes used in this period.
    pub used: i64,
    /// State changes left: included and extra, less used. Below zero when more was used than there was.
    pub balance: i64,
    /// Percentages of use at which an event tells of it.
    pub thresholds: Thresholds,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// A balance, as events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BalanceView {
    /// Whose balance it is.
    pub license_id: LicenseId,
    /// When the period began.
    pub period_start: Timestamp,
    /// When the period ends.
    pub period_end: Timestamp,
    /// State changes that the period includes.
    pub included: i64,
    /// State changes credited in this period, or left of earlier credits.
    pub extra: i64,
    /// State changes used in this period.
    pub used: i64,
    /// State changes left.
    pub balance: i64,
}

impl License {
    /// As the API shows it and events carry it.
    pub fn view(&self) -> LicenseView {
        LicenseView {
            id: self.id,
            plan: self.plan.clone(),
            status: self.status,
            status_reason: self.status_reason.clone(),
            renews: self.renews,
            period_start: self.period_start,
            period_end: self.period_end,
            included: self.included,
            extra: self.extra,
            used: self.used,
            balance: self.balance(),
            thresholds: self.thresholds.clone(),
            updated_at: self.updated_at,
        }
    }

    /// The balance, as events carry it.
    pub fn balance_view(&self) -> BalanceView {
        BalanceView {
            license_id: self.id,
            period_start: self.period_start,
            period_end: self.period_end,
            included: self.included,
            extra: self.extra,
            used: self.used,
            balance: self.balance(),
        }
    }
}
