//! The users of the workspace, and what can be done to them.

use axum::extract::Path;
use bellwire_core::{
    event::PrincipalId,
    id::UserId,
    permission::Permission,
    text::{Name, Reason},
};
use http::StatusCode;

use super::{
    reply::{self, Answer, field, moment, parse, see_other_with},
    request::{Fields, Signed},
    table::{ROWS, Table, choices},
    view::{
        Dialog, Section, Toast,
        account::PageError,
        listing::Order,
        ownership::Offered,
        parts::Field,
        users::{BlockDialog, LeaveDialog, ListPage, ProfileDialog, RemoveDialog, UserActions, UserRow},
    },
    words,
};
use crate::{
    app::App,
    db::{
        ownership_offers::OwnershipOffer,
        page::PageRequest,
        principals::PrincipalStatus,
        users::{User, UserFilter, UserSort},
    },
    error::{Error, FieldError},
    ops::{ownership, principals, roles, users},
    routes::{Routes, get, post},
};

const PATH: &str = "/users";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route(PATH, get(list))
        .route("/users/leave", get(leave_dialog).post(leave))
        .route("/users/{id}", post(update))
        .route("/users/{id}/edit", get(edit_dialog))
        .route("/users/{id}/block", get(block_dialog).post(block))
        .route("/users/{id}/unblock", post(unblock))
        .route("/users/{id}/remove", get(remove_dialog).post(remove))
}

async fn list(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

/// The list, with a dialog over it or without.
pub(super) async fn page(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let columns = ["name", "email", "joined_at", "status"];
    let table = Table::read(PATH, &signed.query, &["q", "status", "role"], &columns, ("name", Order::Ascending));
    let sort = match table.sort {
        "email" => UserSort::Email,
        "joined_at" => UserSort::JoinedAt,
        "status" => UserSort::Status,
        _ => UserSort::Name,
    };
    let asked = PageRequest::numbered(table.page, ROWS, sort, table.descending);
    let filter = UserFilter {
        search: table.filter("q").map(str::to_owned),
        status: table.filter("status").and_then(|status| status.parse().ok()),
        role: table.filter("role").and_then(|id| id.parse().ok()),
    };
    let found = users::list(&signed.app, &signed.actor, filter.clone(), asked).await?;
    let total = table.total(&found, users::count(&signed.app, &signed.actor, filter)).await?;
    let roles =
        if signed.may(Permission::RolesView) { roles::list(&signed.app, &signed.actor).await? } else { Vec::new() };
    let roles: Vec<(String, &str)> = roles.iter().map(|role| (role.id.to_string(), role.name.as_str())).collect();
    let offer = match signed.may(Permission::WorkspaceOwn) {
        true => ownership::offered_by(&signed.app, &signed.actor).await?,
        false => None,
    };
    let view = ListPage {
        page: signed.page("Users"),
        chrome: signed.chrome(Section::Users, "users", dialog),
        statuses: choices("All statuses", [("active", "Active"), ("blocked", "Blocked")], table.list.filter("status")),
        roles: choices("All roles", roles.iter().map(|(id, name)| (id.as_str(), *name)), table.list.filter("role")),
        rows: found.data.iter().map(|user| row(&signed, user, offer.as_ref())).collect(),
        offered: offer.map(|offer| Offered {
            id: offer.id.to_string(),
            name: offer.to.name,
            until: moment(offer.expires_at),
        }),
        pager: table.pager(found.data.len(), total),
        list: table.list,
        can_invite: signed.may(Permission::InvitesManage),
    };
    reply::render_with(status, &view)
}

fn row(signed: &Signed, user: &User, offer: Option<&OwnershipOffer>) -> UserRow {
    let is_self = signed.session.user_id == user.id;
    let is_active = user.status == PrincipalStatus::Active;
    let manages = signed.may(Permission::UsersManage);
    let may_end = manages && !is_self && (!user.is_owner() || signed.may(Permission::WorkspaceOwn));
    let may_offer = offer.is_none() && signed.may(Permission::WorkspaceOwn);
    UserRow {
        id: user.id.to_string(),
        name: user.name.clone(),
        email: user.email.clone(),
        roles: user.roles.iter().map(|role| role.name.clone()).collect(),
        groups: user.groups.iter().map(|group| group.name.clone()).collect(),
        joined_at: moment(user.joined_at),
        blocked: !is_active,
        is_self,
        is_offered: offer.is_some_and(|offer| offer.to.id.as_deref() == Some(user.id.to_string().as_str())),
        can: UserActions {
            change: manages || is_self,
            block: may_end,
            remove: may_end,
            leave: is_self,
            roles: signed.may(Permission::RolesManage),
            offer: may_offer && !is_self && !user.is_owner() && is_active,
        },
    }
}

/// The user that a path names.
pub(super) async fn named(signed: &Signed, id: &str) -> Result<User, reply::Failure> {
    Ok(users::get(&signed.app, &signed.actor, user_id(id)?).await?)
}

pub(super) fn user_id(text: &str) -> Result<UserId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

async fn edit_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let user = named(&signed, &id).await?;
    if signed.actor.principal != PrincipalId::User(user.id) {
        signed.actor.require(Permission::UsersManage)?;
    }
    let return_to = signed.query.return_to(PATH);
    let dialog = ProfileDialog {
        id,
        email: user.email.clone(),
        name: Field::of(user.name.clone()),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn update(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    let mut errors: Vec<FieldError> = Vec::new();
    let Some(name) = parse("name", Name::parse(form.text("name")), &mut errors) else {
        let email = named(&signed, &id).await?.email;
        let name = field("name", form.text("name"), &errors);
        let dialog = ProfileDialog { id, email, name, return_to: return_to.clone() };
        return signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await;
    };
    let done = users::update(&signed.app, &signed.actor, user_id(&id)?, name).await;
    reply::back(&return_to, done, |user| Toast::success(format!("{} was changed.", user.name)))
}

async fn block_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.actor.require(Permission::UsersManage)?;
    let user = named(&signed, &id).await?;
    let return_to = signed.query.return_to(PATH);
    let dialog = BlockDialog { id, name: user.name.clone(), reason: Field::default(), return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn block(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let return_to = form.return_to(PATH);
    let mut errors = Vec::new();
    let Some(reason) = parse("reason", Reason::parse(form.text("reason")), &mut errors) else {
        let name = named(&signed, &id).await?.name;
        let reason = field("reason", form.text("reason"), &errors);
        let dialog = BlockDialog { id, name, reason, return_to: return_to.clone() };
        return signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, page).await;
    };
    let done = users::block(&signed.app, &signed.actor, user_id(&id)?, Some(reason)).await;
    reply::back(&return_to, done, |user| Toast::success(format!("{} is blocked.", user.name)))
}

async fn unblock(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = users::unblock(&signed.app, &signed.actor, user_id(&id)?).await;
    reply::back(&form.return_to(PATH), done, |user| Toast::success(format!("{} is active again.", user.name)))
}

async fn remove_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.actor.require(Permission::UsersManage)?;
    let user = named(&signed, &id).await?;
    let return_to = signed.query.return_to(PATH);
    let owned = principals::owned(&signed.app, &signed.actor, PrincipalId::User(user.id)).await?;
    let heritage = words::heritage("They own", owned, "you");
    let dialog = RemoveDialog { id, name: user.name.clone(), heritage, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn remove(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let user = named(&signed, &id).await?;
    let done = users::remove(&signed.app, &signed.actor, user.id, None).await;
    reply::back(&form.return_to(PATH), done, |()| Toast::success(format!("{} was removed.", user.name)))
}

async fn leave_dialog(signed: Signed) -> Answer {
    ask_to_leave(signed, None).await
}

async fn ask_to_leave(signed: Signed, error: Option<String>) -> Answer {
    let owned = principals::owned(&signed.app, &signed.actor, signed.actor.principal).await?;
    let heritage = words::heritage("You own", owned, "the owner who joined first");
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let workspace = signed.workspace_name().to_owned();
    let dialog = LeaveDialog { workspace, heritage, error, return_to: PATH.to_owned() };
    signed.dialog(status, &dialog, PATH, page).await
}

async fn leave(signed: Signed) -> Answer {
    let workspace = signed.workspace_name().to_owned();
    match users::leave(&signed.app, &signed.actor).await {
        Ok(()) => Ok(see_other_with("/workspaces", Toast::success(format!("You left {workspace}.")))),
        Err(error @ Error::Conflict { .. }) => ask_to_leave(signed, Some(reply::sentence(&error))).await,
        Err(error) => Err(error.into()),
    }
}
