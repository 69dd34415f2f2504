//! The license: its balance, the use of each day, the credits, and what can be done to them.

use bellwire_core::{
    license::{Amount, CreditSource, Included, LicensePatch, LicenseStatus as Status, LicenseView, Thresholds},
    permission::Permission,
    text::{Name, Reason},
    time::Timestamp,
};
use http::StatusCode;
use std::time::Duration;

use super::{
    reply::{self, Answer, field, field_error, moment, parse},
    request::{Fields, Signed},
    table::{ROWS, Table},
    view::{
        Dialog, Section, Toast,
        license::{
            Balance, BlockDialog, CreditDialog, CreditRow, Day, EditDialog, LicenseStatus, ShowPage, ThresholdsDialog,
            Usage, whole,
        },
        listing::Order,
        parts::{Choice, Field},
    },
    words,
};
use crate::{
    app::App,
    db::{license_credits, license_usage, page::PageRequest},
    error::{Error, FieldError},
    ops::{
        license::{self, NewCredit, usage},
        publish::IdempotencyKey,
    },
    routes::{Routes, get, post},
};

const PATH: &str = "/license";
/// The most days of the picture.
const DAYS: u32 = 92;
const DAY: Duration = Duration::from_hours(24);

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route(PATH, get(show))
        .route("/license/credit", get(credit_dialog).post(credit))
        .route("/license/edit", get(edit_dialog).post(edit))
        .route("/license/thresholds", get(thresholds_dialog).post(thresholds))
        .route("/license/block", get(block_dialog).post(block))
        .route("/license/unblock", post(unblock))
}

async fn show(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

/// The page, with a dialog over it or without.
async fn page(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let (app, actor) = (&signed.app, &signed.actor);
    let table = Table::read(PATH, &signed.query, &[], &[], ("at", Order::Descending));
    let it = license::get(app, actor).await?;
    let (since, until) = span(&it, app.clock.now());
    let used = usage::days(app, actor, Some(since), Some(until)).await?;
    let total = license::count_credits(app, actor).await?;
    let asked = PageRequest::numbered(table.page, ROWS, license_credits::ByTime, true);
    let credits = license::credits(app, actor, asked).await?.data;
    let view = ShowPage {
        page: signed.page("License"),
        chrome: signed.chrome(Section::License, "license", dialog),
        id: it.id.to_string(),
        plan: it.plan.to_string(),
        status: match it.status {
            Status::Active => LicenseStatus::Active,
            Status::Expired => LicenseStatus::Expired,
            Status::Blocked => LicenseStatus::Blocked { reason: it.status_reason.clone().unwrap_or_default() },
        },
        renews: it.renews && it.status != Status::Expired,
        period_start: moment(it.period_start),
        period_end: moment(it.period_end),
        balance: balance(&it),
        usage: Usage {
            days: days(&used, since, until, app.clock.now()),
            newest_only: since > it.period_start.start_of_day(),
        },
        pager: table.pager(credits.len(), total),
        credits: credits.iter().map(row).collect(),
        can_manage: signed.may(Permission::LicenseManage),
    };
    reply::render_with(status, &view)
}

fn balance(it: &LicenseView) -> Balance {
    let all = i128::from(it.included + it.extra);
    let reached = |percent: u8| i128::from(it.used) * 100 >= i128::from(percent) * all;
    Balance {
        included: it.included,
        extra: it.extra,
        used: it.used,
        thresholds: it.thresholds.iter().map(|percent| (percent, reached(percent))).collect(),
    }
}

/// The days of the picture: those of the period, but of a long one only the newest.
fn span(it: &LicenseView, now: Timestamp) -> (Timestamp, Timestamp) {
    let longest = DAY * DAYS;
    let start = it.period_start.start_of_day();
    if it.period_end <= start.saturating_add(longest) {
        return (start, it.period_end);
    }
    let end = now.max(start).min(it.period_end).start_of_day().saturating_add(DAY);
    (start.max(end.saturating_sub(longest)), end)
}

/// Every day from `since` on and before `until`, whether something was used on it or not.
fn days(used: &[license_usage::Day], since: Timestamp, until: Timestamp, now: Timestamp) -> Vec<Day> {
    let starts = std::iter::successors(Some(since), |day| Some(day.saturating_add(DAY)));
    let day = |start: Timestamp| Day {
        text: date(start),
        amount: used.iter().find(|day| day.start == start).map_or(0, |day| day.amount),
        is_ahead: start > now,
    };
    starts.take_while(|start| *start < until).map(day).collect()
}

/// `23 Nov 2026`
fn date(time: Timestamp) -> String {
    moment(time).text.split(',').next().unwrap_or_default().to_owned()
}

fn row(credit: &license_credits::Credit) -> CreditRow {
    CreditRow {
        at: moment(credit.at),
        amount: credit.amount,
        source: source_word(credit.source).to_owned(),
        note: credit.note.clone().unwrap_or_default(),
        by: words::actor(&credit.by),
        balance: credit.balance,
    }
}

const fn source_word(source: CreditSource) -> &'static str {
    match source {
        CreditSource::Purchase => "Purchase",
        CreditSource::Renewal => "Renewal",
        CreditSource::Bonus => "Bonus",
        CreditSource::Adjustment => "Adjustment",
    }
}

fn sources(chosen: &str) -> Vec<Choice> {
    let choice = |it: &CreditSource| Choice::new(it.as_str(), source_word(*it), it.as_str() == chosen);
    CreditSource::ALL.iter().map(choice).collect()
}

async fn credit_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::LicenseManage)?;
    let return_to = signed.query.return_to(PATH);
    let dialog = CreditDialog {
        key: crate::crypt::hex(&signed.app.random.bytes::<16>()),
        amount: Field::default(),
        sources: sources(CreditSource::Purchase.as_str()),
        note: Field::default(),
        error: None,
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn credit(signed: Signed, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    let mut errors: Vec<FieldError> = Vec::new();
    let amount = parse("amount", Amount::parse(form.text("amount")), &mut errors);
    let source = parse("source", form.text("source").parse::<CreditSource>(), &mut errors);
    let note = parse("note", Reason::parse(form.text("note")), &mut errors);
    // Sending the same form twice is sending it once.
    let key = IdempotencyKey::parse(&format!("console-{}", form.text("key")))?;
    let refused = match (amount, source, note) {
        (Some(amount), Some(source), Some(note)) => {
            let new = NewCredit { amount, source, note: Some(note) };
            match license::credit(&signed.app, &signed.actor, new, Some(key)).await {
                Err(Error::Invalid(fields)) => errors.extend(fields),
                done => {
                    return reply::back(&return_to, done, |credit| {
                        Toast::success(format!("{} state changes were credited.", whole(credit.amount)))
                    });
                }
            }
            errors
        }
        _ => errors,
    };
    let dialog = CreditDialog {
        key: form.text("key").to_owned(),
        amount: field("amount", form.text("amount"), &refused),
        sources: sources(form.text("source")),
        note: field("note", form.text("note"), &refused),
        error: field_error("source", &refused).map(|_| "Choose where they come from.".to_owned()),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await
}

/// The day of a time, as a field of the type `date` has it: `2026-12-01`.
fn day_field(time: Timestamp) -> String {
    time.to_string().split('T').next().unwrap_or_default().to_owned()
}

async fn edit_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::LicenseManage)?;
    let it = license::get(&signed.app, &signed.actor).await?;
    let return_to = signed.query.return_to(PATH);
    let is_expired = it.status == Status::Expired;
    let end = if is_expired { signed.app.clock.now().start_of_next_month() } else { it.period_end };
    let dialog = EditDialog {
        plan: Field::of(it.plan.as_str()),
        included: Field::of(whole(it.included)),
        period_end: Field::of(day_field(end)),
        renews: it.renews,
        is_expired,
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn edit(signed: Signed, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    let before = license::get(&signed.app, &signed.actor).await?;
    let mut errors: Vec<FieldError> = Vec::new();
    let day = Timestamp::parse(&format!("{}T00:00:00Z", form.text("period_end").trim()));
    let day = parse("period_end", day.map_err(|_| "must be a day like 2026-12-01"), &mut errors);
    let plan = parse("plan", Name::parse(form.text("plan")), &mut errors);
    let included = parse("included", Included::parse(form.text("included")), &mut errors);
    if errors.is_empty() {
        // A form knows the day only: the same day is the same end.
        let is_same = before.status != Status::Expired && day == Some(before.period_end.start_of_day());
        let patch = LicensePatch {
            plan,
            included,
            period_end: day.filter(|_| !is_same),
            renews: Some(form.text("renews") == "yes"),
            thresholds: None,
        };
        match license::update(&signed.app, &signed.actor, patch).await {
            Err(Error::Invalid(fields)) => errors = fields,
            done => return reply::back(&return_to, done, |_| Toast::success("The license was modified.")),
        }
    }
    let dialog = EditDialog {
        plan: field("plan", form.text("plan"), &errors),
        included: field("included", form.text("included"), &errors),
        period_end: field("period_end", form.text("period_end"), &errors),
        renews: form.text("renews") == "yes",
        is_expired: before.status == Status::Expired,
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await
}

async fn thresholds_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::LicenseManage)?;
    let it = license::get(&signed.app, &signed.actor).await?;
    let return_to = signed.query.return_to(PATH);
    let dialog = ThresholdsDialog { thresholds: Field::of(it.thresholds.to_string()), return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn thresholds(signed: Signed, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    let mut errors: Vec<FieldError> = Vec::new();
    let typed = form.text("thresholds");
    let Some(thresholds) = parse("thresholds", Thresholds::parse(typed), &mut errors) else {
        let dialog = ThresholdsDialog { thresholds: field("thresholds", typed, &errors), return_to: return_to.clone() };
        return signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await;
    };
    let patch = LicensePatch { thresholds: Some(thresholds), ..LicensePatch::default() };
    let done = license::update(&signed.app, &signed.actor, patch).await;
    reply::back(&return_to, done, |_| Toast::success("The thresholds were changed."))
}

async fn block_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::LicenseManage)?;
    let return_to = signed.query.return_to(PATH);
    let dialog = BlockDialog { reason: Field::default(), return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn block(signed: Signed, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    let mut errors: Vec<FieldError> = Vec::new();
    let Some(reason) = parse("reason", Reason::parse(form.text("reason")), &mut errors) else {
        let dialog =
            BlockDialog { reason: field("reason", form.text("reason"), &errors), return_to: return_to.clone() };
        return signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await;
    };
    let done = license::block(&signed.app, &signed.actor, Some(reason)).await;
    reply::back(&return_to, done, |_| Toast::success("The license is blocked."))
}

async fn unblock(signed: Signed, form: Fields) -> Answer {
    let done = license::unblock(&signed.app, &signed.actor).await;
    reply::back(&form.return_to(PATH), done, |_| Toast::success("The license can be used again."))
}
