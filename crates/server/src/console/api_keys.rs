//! The API keys of the workspace, and what can be done to them.
//!
//! A secret is shown once: creating and rotating answer with the dialog that shows it, over the list, instead of a redirect. It is in
//! no address, no cookie and no other page, and no cache may keep the answer.

use axum::extract::Path;
use bellwire_core::{
    event::PrincipalId,
    id::ApiKeyId,
    permission::{BuiltInRole, Permission},
    text::{Name, Reason},
};
use http::StatusCode;

use super::{
    reply::{self, Answer, Failure, field, field_error, moment, parse},
    request::{Fields, Signed},
    role_choices,
    table::{ROWS, Table, choices},
    view::{
        Dialog, Section, Toast,
        account::PageError,
        api_keys::{ApiKeyRow, BlockDialog, DeleteDialog, FormDialog, ListPage, RotateDialog, SecretDialog},
        listing::Order,
        parts::Field,
        roles::RoleChoice,
    },
    words,
};
use crate::{
    app::App,
    db::{
        api_keys::{ApiKey, ApiKeyFilter, ApiKeySort},
        page::PageRequest,
        principals::PrincipalStatus,
    },
    error::{Error, FieldError},
    ops::{
        api_keys::{self, ApiKeyPatch, NewApiKey},
        principals,
    },
    routes::{Routes, get, post},
};

const PATH: &str = "/api-keys";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route(PATH, get(list).post(create))
        .route("/api-keys/new", get(create_dialog))
        .route("/api-keys/{id}", post(update))
        .route("/api-keys/{id}/edit", get(edit_dialog))
        .route("/api-keys/{id}/rotate", get(rotate_dialog).post(rotate))
        .route("/api-keys/{id}/block", get(block_dialog).post(block))
        .route("/api-keys/{id}/unblock", post(unblock))
        .route("/api-keys/{id}/delete", get(delete_dialog).post(delete))
}

async fn list(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

/// The list, with a dialog over it or without.
async fn page(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let columns = ["name", "created_at", "last_used_at", "status"];
    let table = Table::read(PATH, &signed.query, &["q", "status"], &columns, ("name", Order::Ascending));
    let sort = match table.sort {
        "created_at" => ApiKeySort::CreatedAt,
        "last_used_at" => ApiKeySort::LastUsedAt,
        "status" => ApiKeySort::Status,
        _ => ApiKeySort::Name,
    };
    let asked = PageRequest::numbered(table.page, ROWS, sort, table.descending);
    let filter = ApiKeyFilter {
        search: table.filter("q").map(str::to_owned),
        status: table.filter("status").and_then(|status| status.parse().ok()),
    };
    let found = api_keys::list(&signed.app, &signed.actor, filter.clone(), asked).await?;
    let total = table.total(&found, api_keys::count(&signed.app, &signed.actor, filter)).await?;
    let view = ListPage {
        page: signed.page("API Keys"),
        chrome: signed.chrome(Section::ApiKeys, "api_keys", dialog),
        statuses: choices("All statuses", [("active", "Active"), ("blocked", "Blocked")], table.list.filter("status")),
        rows: found.data.iter().map(|key| row(&signed, key)).collect(),
        pager: table.pager(found.data.len(), total),
        list: table.list,
        can_manage: signed.may(Permission::ApiKeysManage),
    };
    reply::render_with(status, &view)
}

fn row(signed: &Signed, key: &ApiKey) -> ApiKeyRow {
    ApiKeyRow {
        id: key.id.to_string(),
        name: key.name.clone(),
        hint: key.hint.clone(),
        roles: key.roles.iter().map(|role| role.name.clone()).collect(),
        created_at: moment(key.created_at),
        created_by: words::actor(&key.created_by),
        last_used_at: key.last_used_at.map(moment),
        blocked: key.status == PrincipalStatus::Blocked,
        reason: key.status_reason.clone(),
        can_act: !key.is_owner() || signed.may(Permission::WorkspaceOwn),
    }
}

fn key_id(text: &str) -> Result<ApiKeyId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

/// The API key that a path names, for whoever may change it.
async fn managed(signed: &Signed, id: &str) -> Result<ApiKey, Failure> {
    signed.actor.require(Permission::ApiKeysManage)?;
    Ok(api_keys::get(&signed.app, &signed.actor, key_id(id)?).await?)
}

async fn create_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::ApiKeysManage)?;
    let return_to = signed.query.return_to(PATH);
    let mut roles = offered(&signed, None, None).await?;
    for role in &mut roles {
        role.chosen = role.name == BuiltInRole::Member.name() && role.locked.is_none();
    }
    let dialog = FormDialog {
        id: None,
        name: Field::default(),
        roles,
        roles_error: None,
        error: None,
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

/// The roles that the form offers: whoever makes a key chooses among those that they see; those of a key that exists are changed by
/// whoever gives and takes roles.
async fn offered(signed: &Signed, key: Option<&ApiKey>, form: Option<&Fields>) -> Result<Vec<RoleChoice>, Failure> {
    let needed = if key.is_some() { Permission::RolesManage } else { Permission::RolesView };
    if !signed.may(needed) || !signed.may(Permission::RolesView) {
        return Ok(Vec::new());
    }
    let ticked = form.map(role_choices::ticked).transpose()?;
    role_choices::choices(signed, key.map_or(&[], |key| &key.roles), ticked.as_ref()).await
}

async fn edit_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let key = managed(&signed, &id).await?;
    let return_to = signed.query.return_to(PATH);
    let dialog = FormDialog {
        id: Some(id),
        roles: offered(&signed, Some(&key), None).await?,
        name: Field::of(key.name),
        roles_error: None,
        error: None,
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

/// The form with what was sent and what is wrong with it.
async fn refused(signed: Signed, id: Option<String>, form: &Fields, error: Error, return_to: String) -> Answer {
    let key = match &id {
        Some(id) => Some(managed(&signed, id).await?),
        None => None,
    };
    let errors: &[FieldError] = if let Error::Invalid(errors) = &error { errors } else { &[] };
    let dialog = FormDialog {
        name: field("name", form.text("name"), errors),
        roles: offered(&signed, key.as_ref(), Some(form)).await?,
        roles_error: field_error("role_ids", errors),
        error: (!matches!(error, Error::Invalid(_))).then(|| reply::sentence(&error)),
        id,
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await
}

async fn create(signed: Signed, form: Fields) -> Answer {
    signed.actor.require(Permission::ApiKeysManage)?;
    let return_to = form.return_to(PATH);
    let ticked = role_choices::ticked(&form)?;
    // Whoever may not see roles was offered none: then it is the usual one.
    let asked = signed.may(Permission::RolesView) || !ticked.is_empty();
    let role_ids = asked.then(|| ticked.into_iter().collect());
    let mut errors = Vec::new();
    let done = match parse("name", Name::parse(form.text("name")), &mut errors) {
        Some(name) => api_keys::create(&signed.app, &signed.actor, NewApiKey { name, role_ids }).await,
        None => Err(Error::Invalid(errors)),
    };
    match done {
        Ok((key, secret)) => show(signed, key, secret, false, return_to).await,
        Err(error @ (Error::Invalid(_) | Error::Conflict { .. } | Error::Forbidden(_))) => {
            refused(signed, None, &form, error, return_to).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows a new secret, this once.
async fn show(signed: Signed, key: ApiKey, secret: String, rotated: bool, return_to: String) -> Answer {
    let dialog = SecretDialog { name: key.name, secret, rotated, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn update(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let (key, return_to) = (key_id(&id)?, form.return_to(PATH));
    let (give, take) = role_choices::difference(&form)?;
    let mut errors = Vec::new();
    let done = match parse("name", Name::parse(form.text("name")), &mut errors) {
        Some(name) => {
            let patch = ApiKeyPatch { name: Some(name), give, take };
            api_keys::update(&signed.app, &signed.actor, key, patch).await
        }
        None => Err(Error::Invalid(errors)),
    };
    match done {
        Err(error @ (Error::Invalid(_) | Error::Conflict { .. })) => {
            refused(signed, Some(id), &form, error, return_to).await
        }
        done => reply::back(&return_to, done, |key| Toast::success(format!("{} was modified.", key.name))),
    }
}

async fn rotate_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let return_to = signed.query.return_to(PATH);
    ask_to_rotate(signed, id, None, return_to).await
}

async fn ask_to_rotate(signed: Signed, id: String, error: Option<String>, return_to: String) -> Answer {
    let key = managed(&signed, &id).await?;
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let dialog = RotateDialog { id, name: key.name, hint: key.hint, error, return_to: return_to.clone() };
    signed.dialog(status, &dialog, &return_to, page).await
}

async fn rotate(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    match api_keys::rotate(&signed.app, &signed.actor, key_id(&id)?).await {
        Ok((key, secret)) => show(signed, key, secret, true, return_to).await,
        Err(error @ Error::Forbidden(_)) if signed.may(Permission::ApiKeysManage) => {
            ask_to_rotate(signed, id, Some(reply::sentence(&error)), return_to).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn block_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let key = managed(&signed, &id).await?;
    let return_to = signed.query.return_to(PATH);
    let dialog = BlockDialog { id, name: key.name, reason: Field::default(), return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn block(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    let mut errors = Vec::new();
    let Some(reason) = parse("reason", Reason::parse(form.text("reason")), &mut errors) else {
        let name = managed(&signed, &id).await?.name;
        let reason = field("reason", form.text("reason"), &errors);
        let dialog = BlockDialog { id, name, reason, return_to: return_to.clone() };
        return signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await;
    };
    let done = api_keys::block(&signed.app, &signed.actor, key_id(&id)?, Some(reason)).await;
    reply::back(&return_to, done, |key| Toast::success(format!("{} is blocked.", key.name)))
}

async fn unblock(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = api_keys::unblock(&signed.app, &signed.actor, key_id(&id)?).await;
    reply::back(&form.return_to(PATH), done, |key| Toast::success(format!("{} is active again.", key.name)))
}

async fn delete_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let key = managed(&signed, &id).await?;
    let return_to = signed.query.return_to(PATH);
    let owned = principals::owned(&signed.app, &signed.actor, PrincipalId::ApiKey(key.id)).await?;
    let heritage = words::heritage("It owns", owned, "you");
    let dialog = DeleteDialog { id, name: key.name, heritage, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn delete(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = api_keys::delete(&signed.app, &signed.actor, key_id(&id)?).await;
    reply::back(&form.return_to(PATH), done, |key| Toast::success(format!("{} was deleted.", key.name)))
}
