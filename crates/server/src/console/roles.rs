//! The roles of the workspace: the list, the matrix, and the dialogs that make, change and delete one.

use axum::extract::Path;
use bellwire_core::{
    id::RoleId,
    permission::{BuiltInRole, Permission},
};
use http::StatusCode;

use super::{
    reply::{self, Answer, moment},
    request::{Fields, Signed},
    role,
    role_form::{RoleForm, matrix},
    table::{ROWS, Table},
    view::{
        Dialog, Section, Toast,
        account::PageError,
        listing::Order,
        roles::{DeleteDialog, ListPage, MatrixPage, MatrixRole, RoleKind, RoleRow},
    },
};
use crate::{
    app::App,
    db::roles::{Holders, Role},
    error::Error,
    ops::roles::{self, NewRole, RolePatch, Usage},
    routes::{Routes, get, post},
};

pub(super) const PATH: &str = "/roles";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route(PATH, get(list).post(create))
        .route("/roles/new", get(create_dialog))
        .route("/roles/matrix", get(matrix_page))
        .route("/roles/{id}", post(update))
        .route("/roles/{id}/edit", get(edit_dialog))
        .route("/roles/{id}/delete", get(delete_dialog).post(delete))
}

async fn list(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

/// The list. A workspace has so few roles that they are sorted here, which the number of their holders needs.
async fn page(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let columns = ["name", "holders", "updated_at"];
    let table = Table::read(PATH, &signed.query, &["q"], &columns, ("name", Order::Ascending));
    let holders = roles::holders(&signed.app, &signed.actor).await?;
    let wanted = table.filter("q").unwrap_or_default().to_lowercase();
    let all = roles::list(&signed.app, &signed.actor).await?.into_iter();
    let found = all.filter(|role| {
        role.name.to_lowercase().contains(&wanted)
            || role.description.to_lowercase().contains(&wanted)
            || role.id.to_string() == wanted
    });
    let mut found: Vec<(Role, Holders)> = found
        .map(|role| (holders.get(&role.id).copied().unwrap_or_default(), role))
        .map(|(it, role)| (role, it))
        .collect();
    match table.sort {
        "holders" => found.sort_by_key(|(_, holders)| holders.all()),
        "updated_at" => found.sort_by_key(|(role, _)| role.updated_at),
        // By name, as they come: the built-in ones first.
        _ => {}
    }
    if table.descending {
        found.reverse();
    }
    let first = usize::try_from(table.page - 1).unwrap_or(usize::MAX).saturating_mul(ROWS as usize);
    let shown = found.iter().skip(first).take(ROWS as usize);
    let rows: Vec<RoleRow> = shown.map(|(role, holders)| row(&signed, role, *holders)).collect();
    let view = ListPage {
        page: signed.page("Roles"),
        chrome: signed.chrome(Section::Roles, "roles", dialog),
        pager: table.pager(rows.len(), u64::try_from(found.len()).unwrap_or(u64::MAX)),
        rows,
        list: table.list,
        can_manage: signed.may(Permission::RolesManage),
    };
    reply::render_with(status, &view)
}

/// One role, with what the reader may do to it.
pub(super) fn row(signed: &Signed, role: &Role, holders: Holders) -> RoleRow {
    let kind = match role.built_in {
        true if role.is(BuiltInRole::Owner) => RoleKind::Owner,
        true => RoleKind::BuiltIn,
        false => RoleKind::Custom,
    };
    RoleRow {
        id: role.id.to_string(),
        name: role.name.clone(),
        description: role.description.clone(),
        kind,
        permissions: role.permissions.iter().count(),
        of: Permission::ALL.len(),
        holders: Usage { holders, invites: 0 }.to_string(),
        updated_at: moment(role.updated_at),
        can_change: !role.built_in && may_give(signed, role),
    }
}

/// Whether the reader may give and take a role: nobody can give what they don't have.
pub(super) fn may_give(signed: &Signed, role: &Role) -> bool {
    signed.may(Permission::RolesManage) && signed.actor.permissions.covers(role.permissions)
}

/// The page under a dialog: where it was opened.
pub(super) async fn beneath(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    match of_path(&signed.here) {
        Some(id) => role::page(signed, id, status, dialog).await,
        None => page(signed, status, dialog).await,
    }
}

/// The role whose page is at `path`, if it is one.
fn of_path(path: &str) -> Option<RoleId> {
    path.split('?').next()?.strip_prefix("/roles/")?.parse().ok()
}

pub(super) fn role_id(text: &str) -> Result<RoleId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

async fn create_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::RolesManage)?;
    let return_to = signed.query.return_to(PATH);
    let dialog = RoleForm::default().dialog(&signed, None, return_to.clone(), None);
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn create(signed: Signed, fields: Fields) -> Answer {
    signed.actor.require(Permission::RolesManage)?;
    let (form, return_to) = (RoleForm::read(&fields), fields.return_to(PATH));
    let done = match form.parse() {
        Ok(it) => {
            let new = NewRole { name: it.name, description: it.description, permissions: it.permissions };
            roles::create(&signed.app, &signed.actor, new).await
        }
        Err(error) => Err(error),
    };
    match done {
        Err(error @ (Error::Invalid(_) | Error::Conflict { .. } | Error::Forbidden(_))) => {
            let dialog = form.dialog(&signed, None, return_to.clone(), Some(&error));
            signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, beneath).await
        }
        done => reply::back(&return_to, done, |role| {
            let path = format!("{PATH}/{}", role.id);
            Toast::success(format!("The role {} was created.", role.name)).with_link(path, "Give it to somebody")
        }),
    }
}

async fn edit_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.actor.require(Permission::RolesManage)?;
    let role = roles::get(&signed.app, &signed.actor, role_id(&id)?).await?;
    let return_to = signed.query.return_to(PATH);
    if role.built_in {
        return reply::back::<Role>(&return_to, Err(built_in(&role)), |_| Toast::success(""));
    }
    let dialog = RoleForm::of(&role).dialog(&signed, Some(id), return_to.clone(), None);
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

fn built_in(role: &Role) -> Error {
    Error::conflict("built_in", format!("{} is built in: it stays as it is", role.name))
}

async fn update(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let role_id = role_id(&id)?;
    let (mut form, return_to) = (RoleForm::read(&fields), fields.return_to(PATH));
    let done = match form.parse() {
        Ok(it) => {
            let patch = RolePatch {
                name: Some(it.name),
                description: Some(it.description),
                permissions: Some(it.permissions),
                seen: it.seen,
            };
            roles::update(&signed.app, &signed.actor, role_id, patch).await
        }
        Err(error) => Err(error),
    };
    match done {
        Err(error @ (Error::Invalid(_) | Error::Conflict { .. } | Error::Forbidden(_)))
            if signed.may(Permission::RolesManage) =>
        {
            let now = roles::get(&signed.app, &signed.actor, role_id).await?;
            if now.built_in {
                return reply::back::<Role>(&return_to, Err(built_in(&now)), |_| Toast::success(""));
            }
            if matches!(error, Error::Conflict { .. }) {
                // Whoever reads that and sends it again means it.
                form.seen = now.updated_at.as_micros().to_string();
            }
            let dialog = form.dialog(&signed, Some(id), return_to.clone(), Some(&error));
            signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, beneath).await
        }
        done => reply::back(&return_to, done, |role| {
            Toast::success(format!("The role {} was changed. It counts from the next click on.", role.name))
        }),
    }
}

async fn delete_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.actor.require(Permission::RolesManage)?;
    let role_id = role_id(&id)?;
    let role = roles::get(&signed.app, &signed.actor, role_id).await?;
    let usage = roles::usage(&signed.app, &signed.actor, role_id).await?;
    let return_to = signed.query.return_to(PATH);
    let dialog = DeleteDialog {
        id,
        name: role.name,
        used_by: (!usage.is_none()).then(|| usage.to_string()),
        by_invites: usage.invites > 0 && signed.may(Permission::InvitesManage),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn delete(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = roles::delete(&signed.app, &signed.actor, role_id(&id)?).await;
    // Its own page went with it.
    let return_to = form.return_to(PATH);
    let return_to = if done.is_ok() && of_path(&return_to).is_some() { PATH.to_owned() } else { return_to };
    reply::back(&return_to, done, |role| Toast::success(format!("The role {} was deleted.", role.name)))
}

async fn matrix_page(signed: Signed) -> Answer {
    let all = roles::list(&signed.app, &signed.actor).await?;
    let column = |role: &Role| MatrixRole { id: role.id.to_string(), name: role.name.clone() };
    reply::render(&MatrixPage {
        page: signed.page("Permissions of roles"),
        chrome: signed.chrome(Section::Roles, "roles", None),
        roles: all.iter().map(column).collect(),
        groups: matrix(Permission::ALL.iter().copied(), &all),
    })
}
