//! `/license`: the license of the workspace, and its balance of state changes.

use axum::{Json as Answer, extract::State};
use bellwire_core::{
    license::{Amount, CreditSource, Included, LicensePatch, LicenseView, Thresholds},
    text::{Name, Reason},
    time::Timestamp,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::{Json, OptionalJson},
    parameters::{Caller, FrequentCaller, Idempotency, Order, Query, given},
    webhooks::Because,
};
use crate::{
    app::App,
    db::{
        license_credits::{ByTime, Credit},
        license_usage::Day,
        page::{Page, PageRequest},
    },
    ops::{
        self,
        license::{
            NewCredit,
            usage::{self, Reported},
        },
    },
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![
        routes!(get, update),
        routes!(list_credits, credit),
        routes!(list_usage, report),
        routes!(block),
        routes!(unblock),
    ]
}

/// Get the license
///
/// With its period and the balance of state changes.
#[utoipa::path(get, path = "/license", operation_id = "get_license", tag = "License",
    responses((status = 200, description = "The license", body = LicenseView)))]
async fn get(State(app): State<App>, Caller(actor): Caller) -> ApiResult<Answer<LicenseView>> {
    Ok(Answer(ops::license::get(&app, &actor).await?))
}

/// What to change of the license. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateLicense {
    /// What was bought.
    #[serde(default, deserialize_with = "given")]
    plan: Option<Name>,
    /// Whether a new period begins when this one ends: until the end of that calendar month (UTC).
    #[serde(default, deserialize_with = "given")]
    renews: Option<bool>,
    /// When the period ends, at most ten years ahead. Gives an expired license a new period, which begins now.
    #[serde(default, deserialize_with = "given")]
    period_end: Option<Timestamp>,
    /// State changes that each period includes.
    #[serde(default, deserialize_with = "given")]
    included: Option<Included>,
    /// Percentages of use at which an event tells of it: up to 10, in ascending order.
    #[serde(default, deserialize_with = "given")]
    thresholds: Option<Thresholds>,
}

/// Modify the license
#[utoipa::path(patch, path = "/license", operation_id = "update_license", tag = "License", request_body = UpdateLicense,
    responses((status = 200, description = "The license as it is now", body = LicenseView)))]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(patch): Json<UpdateLicense>,
) -> ApiResult<Answer<LicenseView>> {
    let UpdateLicense { plan, renews, period_end, included, thresholds } = patch;
    let patch = LicensePatch { plan, renews, period_end, included, thresholds };
    Ok(Answer(ops::license::update(&app, &actor, patch).await?))
}

/// How credits are sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CreditSort {
    /// Chronologically.
    At,
}

/// Which credits to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListCredits {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what: there is one way.
    #[serde(rename = "sort")]
    #[param(inline)]
    _sort: Option<CreditSort>,
    /// Which way; `desc` when not given.
    #[param(inline)]
    order: Option<Order>,
}

/// List the credits
///
/// Everything that was added to the balance, by people, programs and renewals.
#[utoipa::path(get, path = "/license/credits", operation_id = "list_credits", tag = "License", params(ListCredits),
    responses((status = 200, description = "A page of the list", body = Page<Credit>)))]
async fn list_credits(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListCredits>,
) -> ApiResult<Answer<Page<Credit>>> {
    let descending = Order::is_descending(query.order, Order::Desc);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), ByTime, descending)?;
    Ok(Answer(ops::license::credits(&app, &actor, request).await?))
}

/// State changes to add to the balance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateCredit {
    /// How many.
    amount: Amount,
    /// Where they come from.
    source: CreditSource,
    /// What for, in words: up to 500 characters.
    #[serde(default, deserialize_with = "given")]
    note: Option<Reason>,
}

/// Credit state changes
///
/// With an `Idempotency-Key` it is safe to repeat for 24 hours.
#[utoipa::path(post, path = "/license/credits", operation_id = "create_credit", tag = "License", request_body = CreateCredit,
    params(("Idempotency-Key" = Option<String>, Header, description = "What you call this credit: 1 to 255 visible ASCII characters")),
    responses((status = 201, description = "The credit, with the balance just after it", body = Credit)))]
async fn credit(
    State(app): State<App>,
    Caller(actor): Caller,
    Idempotency(key): Idempotency,
    Json(new): Json<CreateCredit>,
) -> ApiResult<(StatusCode, Answer<Credit>)> {
    let CreateCredit { amount, source, note } = new;
    let credit = ops::license::credit(&app, &actor, NewCredit { amount, source, note }, key).await?;
    Ok((StatusCode::CREATED, Answer(credit)))
}

/// What was used on one day.
#[derive(Debug, Serialize, ToSchema)]
struct UsageDay {
    /// When the day began (UTC).
    day: Timestamp,
    /// State changes used on it.
    amount: i64,
}

impl From<Day> for UsageDay {
    fn from(Day { start, amount }: Day) -> Self {
        Self { day: start, amount }
    }
}

/// Which days to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListUsage {
    /// From the day (UTC) of this time on; from the beginning of the period when not given.
    since: Option<Timestamp>,
    /// Only days that began before this time, at most 366 days later; to the end of the period when not given.
    until: Option<Timestamp>,
}

/// List the use by day
///
/// The days (UTC) on which something was used, the earliest first, all on one page.
#[utoipa::path(get, path = "/license/usage", operation_id = "list_usage", tag = "License", params(ListUsage),
    responses((status = 200, description = "The days", body = Page<UsageDay>)))]
async fn list_usage(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListUsage>,
) -> ApiResult<Answer<Page<UsageDay>>> {
    let days = usage::days(&app, &actor, query.since, query.until).await?;
    Ok(Answer(Page { data: days.into_iter().map(UsageDay::from).collect(), next: None }))
}

/// State changes that were used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportUsage {
    /// How many.
    amount: Amount,
}

/// Report use
///
/// The answer means that it is on disk, and carries the balance just after it. The balance may go below zero: whoever wants to
/// stop then looks at `exhausted`. With an `Idempotency-Key` it is safe to repeat for 24 hours. Made to be called for every step.
#[utoipa::path(post, path = "/license/usage", operation_id = "report_usage", tag = "License", request_body = ReportUsage,
    params(("Idempotency-Key" = Option<String>, Header, description = "What you call this report: 1 to 255 visible ASCII characters")),
    responses((status = 200, description = "It is on disk", body = Reported)))]
pub(super) async fn report(
    State(app): State<App>,
    FrequentCaller(actor): FrequentCaller,
    Idempotency(key): Idempotency,
    Json(new): Json<ReportUsage>,
) -> ApiResult<Answer<Reported>> {
    Ok(Answer(usage::report(&app, &actor, new.amount, key).await?))
}

/// Block the license
///
/// No use can be reported until it is unblocked.
#[utoipa::path(post, path = "/license/block", operation_id = "block_license", tag = "License",
    request_body(content = Option<Because>),
    responses((status = 200, description = "The license as it is now", body = LicenseView)))]
async fn block(
    State(app): State<App>,
    Caller(actor): Caller,
    OptionalJson(because): OptionalJson<Because>,
) -> ApiResult<Answer<LicenseView>> {
    Ok(Answer(ops::license::block(&app, &actor, because.given()).await?))
}

/// Unblock the license
#[utoipa::path(post, path = "/license/unblock", operation_id = "unblock_license", tag = "License",
    responses((status = 200, description = "The license as it is now", body = LicenseView)))]
async fn unblock(State(app): State<App>, Caller(actor): Caller) -> ApiResult<Answer<LicenseView>> {
    Ok(Answer(ops::license::unblock(&app, &actor).await?))
}
