//! Use of state changes: reported by programs, for every step of a busy system, at the rate of the disk.
//!
//! Reports that arrive while a commit is under way share the next one ([`group_commit`]): those of one workspace are one reading
//! and one writing of its license, one of the day, and events only when a threshold is crossed. Each is still answered with the
//! balance just after itself.
//!
//! A report may bring the balance below zero: it says what was used, and refusing it would make the balance wrong. Whoever wants
//! to stop looks at `exhausted` in the answer. A blocked or expired license refuses use.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bellwire_core::{
    catalogue::EventType,
    event::By,
    id::{CorrelationId, WorkspaceId},
    license::{Amount, License},
    permission::Permission,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Open, not_issued_yet, refused};
use crate::{
    app::App,
    db::{
        self, Conn,
        events::{Audience, NewEvent},
        license_usage::Day,
    },
    error::Error,
    ops::{
        Actor,
        group_commit::{self, Allowed, Line, Shared, Written},
        idempotency::{self, Earlier, IdempotencyKey, Key, Seen},
        journal,
    },
};

/// The most days that are shown at once.
pub const MAX_DAYS: u32 = 366;

/// What a report of use is answered with: the balance just after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reported {
    /// How many were used.
    pub amount: i64,
    /// State changes that each period includes.
    pub included: i64,
    /// State changes credited in this period, or left of earlier credits.
    pub extra: i64,
    /// State changes used in this period, these among them.
    pub used: i64,
    /// State changes left: included and extra, less used. Below zero when more was used than there was.
    pub balance: i64,
    /// Whether nothing is left.
    pub exhausted: bool,
}

/// Reports of use that wait for the next commit.
pub type Reporting = Line<Report>;

/// Reports of use share commits.
pub struct Report;

/// One report.
pub struct Part {
    actor: Actor,
    amount: Amount,
    key: Option<Key>,
}

type Answer = Result<Reported, Error>;

/// State changes were used. Returns when it is on disk. With a key it is safe to repeat.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] for `amount`; the conflicts `license_blocked`, `license_expired` and
/// `idempotency_key_reused`; [`Error::Unavailable`] when too much waits already.
pub async fn report(app: &App, actor: &Actor, amount: Amount, key: Option<IdempotencyKey>) -> Answer {
    actor.require(Permission::UsageReport)?;
    let key = key.map(|key| Key::new(key, &format!("usage:{}", amount.get())));
    group_commit::submit::<Report>(app, Part { actor: actor.clone(), amount, key }).await
}

/// The days on which something was used, from the day of `since` on and before `until`; those of the current period when
/// nothing is said.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] for `since` and `until`.
pub async fn days(
    app: &App,
    actor: &Actor,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Vec<Day>, Error> {
    actor.require(Permission::LicenseView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let license = db::licenses::get(conn, workspace).await?.ok_or_else(not_issued_yet)?;
                let longest = Duration::from_hours(24) * MAX_DAYS;
                let until = until.unwrap_or(license.period_end);
                let default = license.period_start.min(until).max(until.saturating_sub(longest));
                let since = since.unwrap_or(default).start_of_day();
                if until < since {
                    return Err(Error::invalid("until", "must not be before since"));
                }
                if until > since.saturating_add(longest + Duration::from_hours(24)) {
                    return Err(Error::invalid("since", format!("must be at most {MAX_DAYS} days before until")));
                }
                Ok(db::license_usage::days(conn, workspace, since, until).await?)
            })
        })
        .await
}

impl Shared for Report {
    type Part = Part;
    type Answer = Reported;

    const NAME: &'static str = "reports of use";
    const GROUP: usize = 1_000;
    const MAX_WAITING: usize = 20_000;
    const MAX_WAITING_BYTES: usize = usize::MAX;

    fn line(app: &App) -> &Line<Self> {
        &app.reporting
    }

    fn size(_: &Part) -> (usize, usize) {
        (1, 0)
    }

    /// Workspace by workspace, always in the same order, so that two nodes can't wait for each other.
    async fn write(app: &App, conn: &mut Conn, parts: Vec<Part>) -> Result<Written<Reported>, Error> {
        let now = app.clock.now();
        let mut answers: Vec<Option<Answer>> = parts.iter().map(|_| None).collect();
        let mut groups: BTreeMap<WorkspaceId, Vec<(usize, Part)>> = BTreeMap::new();
        for (index, part) in parts.into_iter().enumerate() {
            groups.entry(part.actor.workspace).or_default().push((index, part));
        }
        let (mut events, mut signals, mut changed) = (0, Vec::new(), BTreeSet::new());
        for (workspace, group) in groups {
            let told = write_group(app, conn, workspace, group, now, &mut answers).await?;
            events += told.len();
            changed.insert((workspace, "license"));
            if !told.is_empty() {
                signals.extend(journal::append(app, conn, workspace, &told).await?.1);
                changed.insert((workspace, "events"));
            }
        }
        let unanswered = || Err(Error::Internal("a report of use was overlooked".to_owned()));
        let answers = answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect();
        Ok(Written { answers, events, signals, changed })
    }
}

/// Writes the reports of one workspace, in the order in which they came. Returns what is to be told.
async fn write_group(
    app: &App,
    conn: &mut Conn,
    workspace: WorkspaceId,
    group: Vec<(usize, Part)>,
    now: Timestamp,
    answers: &mut [Option<Answer>],
) -> Result<Vec<NewEvent>, Error> {
    // As every change of a workspace does: none waits for the license that another holds, nor uses its idempotency keys meanwhile.
    db::workspaces::lock(conn, workspace).await?;
    let Some(mut open) = Open::find(app, conn, workspace, now).await? else {
        group.iter().for_each(|(index, _)| answers[*index] = Some(Err(not_issued_yet())));
        return Ok(Vec::new());
    };
    let mut events = told(app, &mut open, now)?;
    let keys = group.iter().filter_map(|(_, part)| part.key.as_ref());
    let mut seen = Seen::load(conn, workspace, keys, now).await?;
    let mut allowed = Allowed::new(Permission::UsageReport);
    let (mut sum, mut stored) = (0, Vec::new());
    for (index, Part { actor, amount, key }) in group {
        let earlier = match (allowed.check(conn, &actor).await?, &key) {
            (Err(error), _) => Err(error),
            (Ok(()), None) => Ok(None),
            (Ok(()), Some(key)) => seen.look(key).map(Option::<&Earlier>::cloned),
        };
        answers[index] = Some(match earlier {
            Err(error) => Err(error),
            Ok(Some(Earlier::Stored(answer))) => Ok(serde_json::from_str(&answer)?),
            Ok(Some(Earlier::SameGroup(first))) => match &answers[first] {
                Some(Ok(reported)) => Ok(*reported),
                _ => Err(Error::Internal("a key was noted for a report that was refused".to_owned())),
            },
            Ok(None) => match open.license.debit(amount, now) {
                Err(refusal) => Err(refused(refusal, "amount")),
                Ok(news) => {
                    open.tell(&actor.by(), &news);
                    events.extend(told(app, &mut open, now)?);
                    sum += amount.get();
                    let reported = reported(&open.license, amount);
                    if let Some(key) = key {
                        seen.note(&key, index);
                        stored.push((key, serde_json::to_string(&reported)?));
                    }
                    Ok(reported)
                }
            },
        });
    }
    open.write(conn, workspace).await?;
    if sum > 0 {
        db::license_usage::add(conn, workspace, now, sum).await?;
    }
    idempotency::store(conn, workspace, &stored, now).await?;
    Ok(events)
}

fn reported(license: &License, amount: Amount) -> Reported {
    Reported {
        amount: amount.get(),
        included: license.included,
        extra: license.extra,
        used: license.used,
        balance: license.balance(),
        exhausted: license.is_exhausted(),
    }
}

/// What one report, or the clock, gives to tell: several events share a correlation.
fn told(app: &App, open: &mut Open, now: Timestamp) -> Result<Vec<NewEvent>, Error> {
    let several = open.told.len() > 1;
    let correlation: Option<CorrelationId> = several.then(|| app.random.id(now));
    let event = |(by, event_type, data): (By, EventType, Value)| {
        Ok(NewEvent {
            id: app.random.id(now),
            event_type,
            by: Arc::new(by),
            data: serde_json::value::to_raw_value(&data)?,
            occurred_at: now,
            correlation,
            audience: Audience::Subscribers,
        })
    };
    open.told.drain(..).map(event).collect()
}
