//! The license of the workspace and its balance of state changes.
//!
//! What a change does to a license, and what is told of it, `core::license` decides; here the license is read and locked,
//! brought up to date by the clock, changed, and written down together with its events. Because every change brings it up to
//! date first, nothing depends on how often the clock looks ([`clock`]). Use is reported by programs, at any rate ([`usage`]).

pub mod clock;
pub mod usage;

use bellwire_core::{
    catalogue::EventType,
    event::{By, EventActor},
    id::{self, WorkspaceId},
    license::{Amount, CreditSource, License, LicensePatch, LicenseView, News, Refusal},
    permission::Permission,
    text::Reason,
    time::Timestamp,
};
use serde_json::Value;

use super::{
    Actor, Tx, change,
    idempotency::{self, Earlier, IdempotencyKey, Key, Seen},
    users::said,
};
use crate::{
    app::App,
    db::{
        self, Conn,
        license_credits::{ByTime, Credit},
        page::{Page, PageRequest},
    },
    error::Error,
};

/// State changes to add to the balance.
#[derive(Clone, Debug)]
pub struct NewCredit {
    /// How many.
    pub amount: Amount,
    /// Where they come from.
    pub source: CreditSource,
    /// What for, in words.
    pub note: Option<Reason>,
}

/// The license of the workspace.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Unavailable`] just after an update, until the workspace has got one.
pub async fn get(app: &App, actor: &Actor) -> Result<LicenseView, Error> {
    actor.require(Permission::LicenseView)?;
    let workspace = actor.workspace;
    let found = app.db.read(move |conn| Box::pin(async move { db::licenses::get(conn, workspace).await })).await?;
    Ok(found.ok_or_else(not_issued_yet)?.view())
}

fn not_issued_yet() -> Error {
    Error::Unavailable("the workspace has no license yet: the engine issues it when it starts".to_owned())
}

/// Changes what is given. An expired license becomes active when it is given a `period_end` that lies ahead.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] for `period_end`.
pub async fn update(app: &App, actor: &Actor, patch: LicensePatch) -> Result<LicenseView, Error> {
    changed(app, actor, move |license, now| license.update(patch, now)).await
}

/// Blocks the license: use can't be reported until it is unblocked. One that is blocked stays as it is.
///
/// # Errors
/// [`Error::Forbidden`]; the conflict `license_expired`.
pub async fn block(app: &App, actor: &Actor, reason: Option<Reason>) -> Result<LicenseView, Error> {
    changed(app, actor, move |license, now| license.block(reason.as_ref(), now)).await
}

/// Ends a block. What the clock passed over meanwhile is done at once.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn unblock(app: &App, actor: &Actor) -> Result<LicenseView, Error> {
    changed(app, actor, |license, now| Ok(license.unblock(now))).await
}

async fn changed<F>(app: &App, actor: &Actor, decide: F) -> Result<LicenseView, Error>
where
    F: FnOnce(&mut License, Timestamp) -> Result<Vec<News>, Refusal> + Send + 'static,
{
    let view = change(app, actor, Some(Permission::LicenseManage), move |tx| {
        Box::pin(async move {
            let mut open = Open::lock(&tx.app, tx.conn, tx.workspace, tx.now).await?;
            let news = decide(&mut open.license, tx.now).map_err(|refusal| refused(refusal, "period_end"))?;
            open.tell(tx.by(), &news);
            open.advance(&tx.app, tx.now);
            let view = open.license.view();
            open.close(tx).await?;
            Ok(view)
        })
    })
    .await?;
    app.changed(actor.workspace, "license");
    Ok(view)
}

/// A refusal as an error; what is about a number or a time is about `field`.
fn refused(refusal: Refusal, field: &str) -> Error {
    match refusal {
        Refusal::Blocked => Error::conflict("license_blocked", refusal.to_string()),
        Refusal::Expired => Error::conflict("license_expired", refusal.to_string()),
        Refusal::TooMuchUsed | Refusal::TooMuchCredited | Refusal::EndHasPassed | Refusal::EndTooFar => {
            Error::invalid(field, refusal)
        }
    }
}

/// Adds state changes to the balance. With a key it is safe to repeat.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] for `amount`; the conflict `idempotency_key_reused`.
pub async fn credit(app: &App, actor: &Actor, new: NewCredit, key: Option<IdempotencyKey>) -> Result<Credit, Error> {
    let note = said(new.note.as_ref()).map(str::to_owned);
    let asked = serde_json::to_string(&("credit", new.amount.get(), new.source, &note))?;
    let key = key.map(|key| Key::new(key, &asked));
    let credit = change(app, actor, Some(Permission::LicenseManage), move |tx| {
        Box::pin(async move {
            let mut open = Open::lock(&tx.app, tx.conn, tx.workspace, tx.now).await?;
            if let Some(key) = &key {
                let seen = Seen::load(tx.conn, tx.workspace, std::iter::once(key), tx.now).await?;
                if let Some(Earlier::Stored(answer)) = seen.look(key)? {
                    tx.unchanged();
                    return Ok(serde_json::from_str::<Credit>(answer)?);
                }
            }
            let news = open.license.credit(new.amount, new.source, tx.now);
            let news = news.map_err(|refusal| refused(refusal, "amount"))?;
            open.tell(tx.by(), &news);
            let credit = Credit {
                id: tx.app.random.id(tx.now),
                amount: new.amount.get(),
                source: new.source,
                note,
                by: tx.actor().clone(),
                at: tx.now,
                balance: open.license.balance(),
            };
            open.close(tx).await?;
            db::license_credits::insert(tx.conn, tx.workspace, &credit).await?;
            if let Some(key) = key {
                let answer = serde_json::to_string(&credit)?;
                idempotency::store(tx.conn, tx.workspace, &[(key, answer)], tx.now).await?;
            }
            Ok(credit)
        })
    })
    .await?;
    app.changed(actor.workspace, "license");
    Ok(credit)
}

/// One page of the credits.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn credits(app: &App, actor: &Actor, request: PageRequest<ByTime>) -> Result<Page<Credit>, Error> {
    actor.require(Permission::LicenseView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| Box::pin(async move { Ok(db::license_credits::list(conn, workspace, &request).await?) }))
        .await
}

/// How many credits there are on all pages.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn count_credits(app: &App, actor: &Actor) -> Result<u64, Error> {
    actor.require(Permission::LicenseView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::license_credits::count(conn, workspace).await?) })).await
}

/// Gives the transaction's workspace its first license. The caller correlates.
pub(super) async fn issue(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let license = License::first(tx.app.random.id::<id::License>(tx.now), tx.now);
    let new = db::licenses::insert(tx.conn, tx.workspace, &license).await?;
    if new {
        tx.record(EventType::LICENSE_ISSUED, &News::Issued.data(&license))?;
    }
    Ok(new)
}

/// The license of a workspace inside a transaction that holds it: up to date, with what is to be told of it.
struct Open {
    license: License,
    /// As it is stored.
    before: License,
    told: Vec<(By, EventType, Value)>,
    renewals: Vec<Credit>,
}

impl Open {
    /// Reads it, makes others who want to change it wait, and brings it up to date.
    async fn lock(app: &App, conn: &mut Conn, workspace: WorkspaceId, now: Timestamp) -> Result<Self, Error> {
        Self::find(app, conn, workspace, now).await?.ok_or_else(not_issued_yet)
    }

    /// As [`Open::lock`]; nothing when there is none.
    async fn find(app: &App, conn: &mut Conn, workspace: WorkspaceId, now: Timestamp) -> Result<Option<Self>, Error> {
        let Some(license) = db::licenses::lock(conn, workspace).await? else { return Ok(None) };
        let mut open = Self { before: license.clone(), license, told: Vec::new(), renewals: Vec::new() };
        open.advance(app, now);
        Ok(Some(open))
    }

    /// Does what is due by the clock.
    fn advance(&mut self, app: &App, now: Timestamp) {
        let news = self.license.advance(now);
        self.tell(&By::system(), &news);
        let credits = news.iter().filter_map(|it| match it {
            News::Credited { amount, source } => Some(Credit {
                id: app.random.id(now),
                amount: *amount,
                source: *source,
                note: None,
                by: EventActor::system(),
                at: now,
                balance: self.license.balance(),
            }),
            _ => None,
        });
        self.renewals.extend(credits);
    }

    /// Notes what is to be told, now that the license is as it is.
    fn tell(&mut self, by: &By, news: &[News]) {
        self.told.extend(news.iter().map(|it| (by.clone(), it.event_type(), it.data(&self.license))));
    }

    fn is_changed(&self) -> bool {
        self.license != self.before
    }

    /// Writes the license; what is told is left to the caller.
    async fn write(&self, conn: &mut Conn, workspace: WorkspaceId) -> Result<(), Error> {
        if !self.is_changed() {
            return Ok(());
        }
        let with_use = License { used: self.license.used, updated_at: self.license.updated_at, ..self.before.clone() };
        if with_use == self.license {
            db::licenses::put_used(conn, workspace, &self.license).await?;
        } else {
            db::licenses::put(conn, workspace, &self.license).await?;
        }
        for credit in &self.renewals {
            db::license_credits::insert(conn, workspace, credit).await?;
        }
        Ok(())
    }

    /// Writes it with its events; a license that is as it was is left alone.
    async fn close(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.write(tx.conn, tx.workspace).await?;
        if self.told.is_empty() {
            tx.unchanged();
        } else if self.told.len() > 1 {
            tx.correlate();
        }
        for (by, event_type, data) in self.told {
            tx.record_by(by, event_type, &data)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
