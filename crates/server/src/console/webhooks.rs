//! The Webhooks page: the list, and what is done to a webhook from it.

use std::net::Ipv4Addr;

use axum::extract::Path;
use bellwire_core::{
    catalogue::ActorType, id::WebhookId, permission::Permission, text::Reason as WrittenReason, time::Timestamp,
};
use http::StatusCode;

use super::{
    export::{self, Rows},
    reply::{self, Answer, Failure, moment, see_other, see_other_with},
    request::{Fields, Signed},
    table::{ROWS, Table, choices},
    view::{
        Dialog, Section, Toast,
        account::PageError,
        listing::Order,
        parts::{LongUrl, thousands},
        recent::Strip,
        webhooks::{
            ActivateDialog, DeleteDialog, Evidence, Guide, LastError, ListPage, Reason, ReasonDialog, WebhookRow,
        },
    },
    webhook,
    webhook_form::{self, WebhookForm},
    words,
};
use crate::{
    app::App,
    db::{
        page::{PageRequest, Position},
        recent::RecentDelivery,
        webhooks::{Sort, Status, StatusFilter, Wanted},
    },
    error::Error,
    ops::{
        overview,
        webhooks::{self, Missed, NewWebhook, WebhookDetails, WebhookPatch},
    },
    routes::{Routes, get, post},
};

pub(super) const PATH: &str = "/webhooks";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route(PATH, get(list).post(create))
        .route("/webhooks/new", get(create_dialog))
        .route("/webhooks.csv", get(csv))
        .route("/webhooks.json", get(json))
        .route("/webhooks/{id}", get(webhook::show).post(update))
        .route("/webhooks/{id}/edit", get(edit_dialog))
        .route("/webhooks/{id}/activate", get(activate_dialog).post(activate))
        .route("/webhooks/{id}/deactivate", post(deactivate))
        .route("/webhooks/{id}/reason", get(reason_dialog))
        .route("/webhooks/{id}/delete", get(delete_dialog).post(delete))
}

/// The id in a path. What is no id is nothing that exists.
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

/// The page beneath a dialog: the webhook's own when it was opened there, else the list.
pub(super) async fn beneath(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    match webhook_of_path(&signed.here) {
        Some(id) => webhook::page(signed, id, status, dialog).await,
        None => page(signed, status, dialog).await,
    }
}

/// The webhook whose page is at `path`, if it is one.
pub(super) fn webhook_of_path(path: &str) -> Option<WebhookId> {
    path.split('?').next()?.strip_prefix("/webhooks/")?.parse().ok()
}

async fn list(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

/// The statuses that the list is filtered by.
const STATUSES: [(&str, &str, StatusFilter); 3] = [
    ("active", "Active", StatusFilter::Active),
    ("failing", "Failing", StatusFilter::Failing),
    ("inactive", "Inactive", StatusFilter::Inactive),
];

/// What a query asks for: nothing at all when it has a filter that there isn't.
fn wanted(table: &Table) -> Option<Wanted> {
    let status = match table.filter("status") {
        None => None,
        Some(name) => Some(STATUSES.into_iter().find(|(key, ..)| *key == name)?.2),
    };
    let actor_type = match table.filter("actor_type") {
        None => None,
        Some(key) => Some(ActorType::parse(key)?),
    };
    Some(Wanted { search: table.filter("q").map(str::to_owned), status, actor_type })
}

/// The list as a query asks for it.
fn table(query: &Fields) -> (Table, Sort) {
    let columns = ["url", "owner", "created_at", "status"];
    let default = ("created_at", Order::Descending);
    let table = Table::read(PATH, query, &["q", "status", "actor_type"], &columns, default);
    let sort = match table.sort {
        "url" => Sort::Url,
        "owner" => Sort::Owner,
        "status" => Sort::Status,
        _ => Sort::CreatedAt,
    };
    (table, sort)
}

async fn page(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let (table, sort) = table(&signed.query);
    let (app, actor, now) = (&signed.app, &signed.actor, signed.app.clock.now());
    let (found, total) = match wanted(&table) {
        Some(wanted) => {
            let request = PageRequest::numbered(table.page, ROWS, sort, table.descending);
            let found = webhooks::list(app, actor, wanted.clone(), request).await?;
            let total = table.total(&found, webhooks::count(app, actor, wanted)).await?;
            (found.data, total)
        }
        None => {
            actor.require(Permission::WebhooksView)?;
            (Vec::new(), 0)
        }
    };
    let inactive = found.iter().filter(|webhook| webhook.status == Status::Inactive).map(|webhook| webhook.id);
    let held = overview::with_held(app, actor, inactive.collect()).await?;
    let recent = overview::deliveries(app, actor, &found, words::picture_since(now)).await?;
    let newest = |webhook: &WebhookDetails| recent.get(&webhook.id).map_or(&[][..], Vec::as_slice);
    let (status_chosen, type_chosen) = (table.list.filter("status"), table.list.filter("actor_type"));
    let can_manage = signed.may(Permission::WebhooksManage);
    let begins = can_manage && !table.list.is_filtered() && total == u64::try_from(found.len()).unwrap_or(0);
    // With a secret in the dialog over it, a page is not compressed.
    let has_dialog = dialog.is_some();
    let view = ListPage {
        page: signed.page("Webhooks"),
        chrome: signed.chrome(Section::Webhooks, "webhooks deliveries", dialog),
        statuses: choices("All statuses", STATUSES.map(|(key, title, _)| (key, title)), status_chosen),
        actor_types: choices("All actor types", ActorType::all().map(|it| (it.key(), it.title())), type_chosen),
        guide: begins
            .then(|| guide(&found, newest, now, app.addresses.permits(Ipv4Addr::LOCALHOST.into()).is_ok()))
            .flatten(),
        rows: found.iter().map(|it| row(it, held.contains(&it.id), words::strip(newest(it)))).collect(),
        pager: table.pager(found.len(), total),
        can_manage,
        list: table.list,
    };
    let answer = reply::render_with(status, &view);
    if has_dialog { answer } else { reply::compressed(answer) }
}

/// So many webhooks, or one that is older than a day, and nobody needs to be shown the first steps.
const BEGINNERS_HAVE: usize = 3;

/// The first steps, until they are all done.
fn guide<'a>(
    found: &[WebhookDetails],
    newest: impl Fn(&WebhookDetails) -> &'a [RecentDelivery],
    now: Timestamp,
    beside: bool,
) -> Option<Guide> {
    let since = words::picture_since(now);
    if found.len() > BEGINNERS_HAVE || found.iter().any(|webhook| webhook.created_at < since) {
        return None;
    }
    let of = |webhook: &WebhookDetails| words::first_steps(newest(webhook));
    let steps = found.iter().map(of).fold((false, false), |all, it| (all.0 || it.0, all.1 || it.1));
    let guide = Guide { webhook: found.last().map(|it| it.id.to_string()), heard: steps.0, tested: steps.1, beside };
    (!guide.is_done()).then_some(guide)
}

fn row(webhook: &WebhookDetails, has_held: bool, strip: Strip) -> WebhookRow {
    WebhookRow {
        id: webhook.id.to_string(),
        actor_types: words::chips(webhook.event_types),
        url: LongUrl::new(webhook.url.as_str()),
        description: webhook.description.clone(),
        owner: words::who(webhook.owner.kind, &webhook.owner.name),
        formerly: webhook.previous_owner.as_ref().map(words::formerly).unwrap_or_default(),
        created_at: moment(webhook.created_at),
        status: words::webhook_status(webhook.status, webhook.health),
        why: words::why(webhook),
        held: u64::from(has_held),
        strip,
    }
}

/// The list as it is filtered and sorted, on all of its pages: the first [`export::MOST`].
async fn exported(signed: &Signed) -> Result<Rows<WebhookDetails>, Failure> {
    signed.actor.require(Permission::WebhooksView)?;
    let (table, sort) = table(&signed.query);
    let mut rows = Rows::new();
    let Some(wanted) = wanted(&table) else { return Ok(rows) };
    let mut request =
        PageRequest { limit: export::STEP, position: Position::Offset(0), sort, descending: table.descending };
    while let Some(next) = rows.add(webhooks::list(&signed.app, &signed.actor, wanted.clone(), request.clone()).await?)
    {
        request = request.following(&next)?;
    }
    Ok(rows)
}

async fn json(signed: Signed) -> Answer {
    export::json("webhooks", &exported(&signed).await?)
}

async fn csv(signed: Signed) -> Answer {
    let rows = exported(&signed).await?;
    let columns = [
        "id",
        "url",
        "description",
        "actor_types",
        "event_types",
        "owner",
        "created_at",
        "status",
        "status_reason",
        "health",
        "updated_at",
    ];
    let cells = rows.data.iter().map(|it| {
        let actor_types: Vec<&str> = it.actor_types.iter().map(|it| it.key()).collect();
        let event_types: Vec<&str> = it.event_types.iter().map(|it| it.as_str()).collect();
        [
            it.id.to_string(),
            it.url.to_string(),
            it.description.clone(),
            actor_types.join(" "),
            event_types.join(" "),
            it.owner.name.clone(),
            it.created_at.to_string(),
            it.status.as_str().to_owned(),
            words::why(it),
            it.health.as_str().to_owned(),
            it.updated_at.to_string(),
        ]
    });
    Ok(export::csv("webhooks", columns, cells))
}

/// The webhook that a path names, for somebody who may change it.
pub(super) async fn managed(signed: &Signed, text: &str) -> Result<WebhookDetails, Failure> {
    signed.actor.require(Permission::WebhooksManage)?;
    Ok(webhooks::get(&signed.app, &signed.actor, id(text)?).await?)
}

async fn create_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::WebhooksManage)?;
    let return_to = signed.query.return_to(PATH);
    let dialog = WebhookForm::default().dialog(None, return_to.clone(), None);
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn create(signed: Signed, fields: Fields) -> Answer {
    let form = WebhookForm::read(&fields);
    let done = match form.parse() {
        Ok(it) => {
            let new = NewWebhook {
                url: it.url,
                event_types: it.event_types,
                description: it.description,
                headers: it.headers,
                rate_limit: it.rate_limit,
            };
            webhooks::create(&signed.app, &signed.actor, new).await
        }
        Err(errors) => Err(Error::Invalid(errors)),
    };
    match done {
        Ok((webhook, _)) => {
            let link = format!("/webhooks/{}/secret", webhook.id);
            // The plain list shows the newest first: whatever was filtered before, the new webhook is in it.
            Ok(see_other_with(PATH, Toast::success("Webhook created.").with_link(link, "See its secret")))
        }
        Err(error) => refused(signed, &form, None, fields.return_to(PATH), error).await,
    }
}

/// The form again, with what is wrong beside the fields.
async fn refused(signed: Signed, form: &WebhookForm, id: Option<String>, return_to: String, error: Error) -> Answer {
    if !matches!(error, Error::Invalid(_) | Error::Conflict { .. }) {
        return Err(error.into());
    }
    let dialog = form.dialog(id, return_to.clone(), Some(&error));
    signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, beneath).await
}

async fn edit_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let webhook = managed(&signed, &id).await?;
    let return_to = signed.query.return_to(PATH);
    let form = WebhookForm::of(
        &webhook.url,
        &webhook.description,
        webhook.event_types,
        &webhook_form::masked(&webhook.headers),
        webhook.rate_limit,
    );
    let dialog = form.dialog(Some(id), return_to.clone(), None);
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn update(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let return_to = fields.return_to(PATH);
    let form = WebhookForm::read(&fields);
    let webhook = id(&text)?;
    let done = match form.parse() {
        Ok(it) => {
            let patch = WebhookPatch {
                url: Some(it.url),
                event_types: Some(it.event_types),
                description: Some(it.description),
                headers: Some(it.headers),
                rate_limit: Some(it.rate_limit),
                key_pair: None,
            };
            update_keeping(&signed, webhook, patch).await
        }
        Err(errors) => Err(Error::Invalid(errors)),
    };
    match done {
        Ok(_) => Ok(see_other_with(&return_to, Toast::success("Webhook modified."))),
        Err(error) => refused(signed, &form, Some(text), return_to, error).await,
    }
}

/// Modifies a webhook. A header whose value is still masked keeps the value that it has.
async fn update_keeping(signed: &Signed, id: WebhookId, mut patch: WebhookPatch) -> Result<WebhookDetails, Error> {
    if let Some(headers) = &mut patch.headers
        && headers.iter().any(|(_, value)| value == webhook_form::MASK)
    {
        let stored = webhooks::header_values(&signed.app, &signed.actor, id).await?;
        *headers = webhook_form::keep_masked(std::mem::take(headers), &stored)
            .map_err(|problem| Error::invalid("headers", problem))?;
    }
    webhooks::update(&signed.app, &signed.actor, id, patch).await
}

async fn activate_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let return_to = signed.query.return_to(PATH);
    if webhook.status == Status::Active {
        return Ok(see_other_with(&return_to, Toast::success("This webhook is active.")));
    }
    let held = webhooks::held_count(&signed.app, &signed.actor, webhook.id).await?;
    let dialog = ActivateDialog { id: text, url: webhook.url.to_string(), held, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn activate(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let webhook = id(&text)?;
    let missed = match fields.text("missed") {
        "send" | "" => Missed::Send,
        "skip" => Missed::Skip,
        _ => return Err(PageError::BadRequest.into()),
    };
    // Only for the message: whoever may switch webhooks needn't be allowed to see what they are owed.
    let held = match signed.may(Permission::WebhooksView) {
        true => webhooks::held_count(&signed.app, &signed.actor, webhook).await?,
        false => 0,
    };
    let done = webhooks::activate(&signed.app, &signed.actor, webhook, missed).await;
    reply::back(&fields.return_to(PATH), done, |_| Toast::success(turned_on(held, missed)))
}

fn turned_on(held: u64, missed: Missed) -> String {
    let what = match (held, missed) {
        (0, _) => return "Webhook turned on.".to_owned(),
        (1, _) => "The event that it missed".to_owned(),
        (held, _) => format!("The {} events that it missed", thousands(held)),
    };
    let verb = if held == 1 { "is" } else { "are" };
    let end = if missed == Missed::Send { "being sent" } else { "skipped" };
    format!("Webhook turned on. {what} {verb} {end}.")
}

async fn deactivate(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let why = WrittenReason::parse(fields.text("reason")).map_err(|error| Error::invalid("reason", error));
    let done = match why {
        Ok(why) => webhooks::deactivate(&signed.app, &signed.actor, id(&text)?, why).await,
        Err(error) => Err(error),
    };
    let kept = words::length(signed.app.config.retention);
    let said = format!("Webhook turned off. Events are held until you turn it on again, for {kept} at the most.");
    reply::back(&fields.return_to(PATH), done, |_| Toast::success(said))
}

async fn reason_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = webhooks::get(&signed.app, &signed.actor, id(&text)?).await?;
    let return_to = signed.query.return_to(PATH);
    let held = webhooks::held_count(&signed.app, &signed.actor, webhook.id).await?;
    let can_manage = signed.may(Permission::WebhooksManage);
    let Some(dialog) = reason(&webhook, held, can_manage, return_to.clone()) else {
        // It became active, or recovered, since the dot was shown.
        return Ok(see_other(&return_to));
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

/// What the dot of a webhook means; nothing for one that is active and not failing.
fn reason(webhook: &WebhookDetails, held: u64, can_manage: bool, return_to: String) -> Option<ReasonDialog> {
    let last = webhook.last_error.as_ref();
    let last_error = last.map(|last| LastError {
        text: last.message.trim_end_matches('.').to_owned(),
        at: moment(last.at),
        delivery: Some(last.delivery_id.to_string()),
    });
    let dialog = ReasonDialog {
        id: webhook.id.to_string(),
        url: webhook.url.to_string(),
        reason: Reason::Manual,
        at: moment(webhook.updated_at),
        by: super::view::parts::Who::system(),
        message: String::new(),
        evidence: Evidence::default(),
        held,
        can_manage,
        return_to,
    };
    match (webhook.status, &webhook.status_reason) {
        (Status::Inactive, Some(why)) => {
            let mut evidence = words::evidence(why.evidence.as_ref(), why.at);
            if let (Some(shown), Some(known)) = (&mut evidence.last_error, last_error)
                && shown.delivery == known.delivery
            {
                shown.at = known.at;
            }
            let (by, message) = (words::actor(&why.by), words::message(why));
            Some(ReasonDialog { reason: words::reason(why), at: moment(why.at), by, message, evidence, ..dialog })
        }
        (Status::Inactive, None) => Some(dialog),
        (Status::Active, _) => {
            let (since, off_at) = Option::zip(webhook.failing_since, webhook.will_turn_off_at)?;
            let evidence = Evidence {
                // Said already: it has been failing since then.
                first_failure: None,
                attempts: u64::try_from(webhook.failing_attempts).unwrap_or(0),
                last_error,
            };
            let reason = Reason::StillActive { off_at: moment(off_at) };
            Some(ReasonDialog { reason, at: moment(since), evidence, ..dialog })
        }
    }
}

async fn delete_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let back = signed.query.return_to(PATH);
    let pending = webhooks::owed_count(&signed.app, &signed.actor, webhook.id).await?;
    let return_to = if webhook_of_path(&back) == Some(webhook.id) { PATH.to_owned() } else { back.clone() };
    let dialog = DeleteDialog { id: text, url: webhook.url.to_string(), pending, back: back.clone(), return_to };
    signed.dialog(StatusCode::OK, &dialog, &back, beneath).await
}

async fn delete(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let webhook = id(&text)?;
    let return_to = fields.return_to(PATH);
    // Never back to the page of what is gone.
    let return_to = if webhook_of_path(&return_to) == Some(webhook) { PATH.to_owned() } else { return_to };
    let done = webhooks::delete(&signed.app, &signed.actor, webhook).await;
    reply::back(&return_to, done, |()| Toast::success("Webhook deleted."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(query: &str) -> Table {
        super::table(&Fields::parse(query.as_bytes())).0
    }

    #[test]
    fn filters_that_there_are_not_match_nothing() {
        let known = wanted(&table("q=+crm+&status=failing&actor_type=api_keys")).unwrap();
        assert_eq!(known.search.as_deref(), Some("crm"));
        assert_eq!((known.status, known.actor_type), (Some(StatusFilter::Failing), Some(ActorType::ApiKeys)));
        assert!(wanted(&table("")).is_some());
        assert!(wanted(&table("status=paused")).is_none());
        assert!(wanted(&table("actor_type=robots")).is_none());
    }

    #[test]
    fn turning_on_says_what_becomes_of_held_events() {
        assert_eq!(turned_on(0, Missed::Send), "Webhook turned on.");
        assert_eq!(turned_on(1, Missed::Send), "Webhook turned on. The event that it missed is being sent.");
        assert_eq!(turned_on(1_284, Missed::Skip), "Webhook turned on. The 1,284 events that it missed are skipped.");
    }

    #[test]
    fn a_dialog_knows_the_page_beneath_it() {
        let id = "wh_01kjw16mm0em4ry1jygtts6an2";
        assert_eq!(webhook_of_path(&format!("/webhooks/{id}?state=failed")).unwrap().to_string(), id);
        for path in ["/webhooks", "/webhooks?q=a", "/webhooks/new", "/webhooks/usr_01ke6jq300ejcsw3bx9d02wc0q", "/"] {
            assert_eq!(webhook_of_path(path), None, "{path}");
        }
    }
}
