//! The invites of the workspace, and the page on which somebody accepts one.

use axum::extract::Path;
use bellwire_core::{
    id::{InviteId, RoleId},
    permission::{BuiltInRole, Permission},
    text::Email,
};
use http::StatusCode;

use super::{
    auth,
    reply::{self, Answer, field, field_error, moment, parse},
    request::{Fields, Signed, Visitor},
    table::{ROWS, Table, choices},
    users,
    view::{
        Dialog, Section, Toast,
        account::{AcceptInvitePage, InvitedReader, PageError},
        invites::{DeleteDialog, FormDialog, InviteRow, InviteStatus, ListPage},
        listing::Order,
        parts::{Choice, Field},
    },
    words,
};
use crate::{
    app::App,
    db::{
        invites::{self as stored, Invite, InviteFilter, InviteSort},
        page::PageRequest,
        roles::Role,
    },
    error::{Error, FieldError},
    ops::{invites, roles},
    routes::{Routes, get, post},
};

const PATH: &str = "/invites";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route(PATH, get(list).post(create))
        .route("/invites/new", get(create_dialog))
        .route("/invites/{id}/resend", post(resend))
        .route("/invites/{id}/delete", get(delete_dialog).post(delete))
        .route("/invites/accept/{token}", get(accept_page).post(accept))
}

async fn list(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

async fn page(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let columns = ["email", "created_at", "expires_at", "status"];
    let table = Table::read(PATH, &signed.query, &["q", "status"], &columns, ("created_at", Order::Descending));
    let sort = match table.sort {
        "email" => InviteSort::Email,
        "expires_at" => InviteSort::ExpiresAt,
        "status" => InviteSort::Status,
        _ => InviteSort::CreatedAt,
    };
    let asked = PageRequest::numbered(table.page, ROWS, sort, table.descending);
    let filter = InviteFilter {
        search: table.filter("q").map(str::to_owned),
        status: table.filter("status").and_then(|status| status.parse().ok()),
    };
    let found = invites::list(&signed.app, &signed.actor, filter.clone(), asked).await?;
    let total = table.total(&found, invites::count(&signed.app, &signed.actor, filter)).await?;
    let words = [("pending", "Pending"), ("accepted", "Accepted"), ("expired", "Expired"), ("deleted", "Deleted")];
    let mut rows = Vec::with_capacity(found.data.len());
    for invite in &found.data {
        rows.push(row(&signed, invite).await?);
    }
    let view = ListPage {
        page: signed.page("Invites"),
        chrome: signed.chrome(Section::Invites, "invites", dialog),
        statuses: choices("All statuses", words, table.list.filter("status")),
        pager: table.pager(rows.len(), total),
        rows,
        list: table.list,
        can_manage: signed.may(Permission::InvitesManage),
    };
    reply::render_with(status, &view)
}

async fn row(signed: &Signed, invite: &Invite) -> Result<InviteRow, Error> {
    let status = match invite.status {
        stored::InviteStatus::Pending => InviteStatus::Pending,
        stored::InviteStatus::Accepted => InviteStatus::Accepted,
        stored::InviteStatus::Expired => InviteStatus::Expired,
        stored::InviteStatus::Deleted => InviteStatus::Deleted,
    };
    let url = match status {
        // Whoever could not give its roles doesn't see it; and it may have been accepted since the list was read.
        InviteStatus::Pending => match invites::url(&signed.app, &signed.actor, invite.id).await {
            Err(Error::Forbidden(_) | Error::Conflict { .. } | Error::NotFound(_)) => None,
            url => Some(url?),
        },
        _ => None,
    };
    Ok(InviteRow {
        id: invite.id.to_string(),
        email: invite.email.clone(),
        roles: invite.roles.iter().map(|role| role.name.clone()).collect(),
        status,
        invited_by: words::actor(&invite.invited_by),
        created_at: moment(invite.created_at),
        expires_at: moment(invite.expires_at),
        url,
    })
}

/// The roles that the form offers: nobody can give what they don't have.
async fn role_choices(signed: &Signed, chosen: impl Fn(&Role) -> bool) -> Result<Vec<Choice>, Error> {
    let roles = roles::offered(&signed.app, &signed.actor).await?;
    let may_give = |role: &&Role| signed.actor.permissions.covers(role.permissions);
    Ok(roles.iter().filter(may_give).map(|role| Choice::new(role.id.to_string(), &role.name, chosen(role))).collect())
}

async fn create_dialog(signed: Signed) -> Answer {
    signed.actor.require(Permission::InvitesManage)?;
    let return_to = signed.query.return_to(PATH);
    let roles = role_choices(&signed, |role| role.is(BuiltInRole::Member)).await?;
    let dialog = FormDialog { email: Field::default(), roles, roles_error: None, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

/// The page under the form: where it was opened.
async fn beneath(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    if signed.here.starts_with("/users") {
        users::page(signed, status, dialog).await
    } else {
        page(signed, status, dialog).await
    }
}

async fn create(signed: Signed, form: Fields) -> Answer {
    signed.actor.require(Permission::InvitesManage)?;
    let return_to = form.return_to(PATH);
    let done = match read_invite(&form) {
        Ok(wanted) => invites::create(&signed.app, &signed.actor, wanted).await,
        Err(error) => Err(error),
    };
    let errors = match done {
        Err(Error::Invalid(errors)) => errors,
        Err(error @ Error::Conflict { .. }) => {
            vec![FieldError { field: "email".to_owned(), message: reply::sentence(&error) }]
        }
        // Wherever the form was opened: the URL that is to be sent is on this list.
        done => return reply::back(PATH, done, |sent| invited(&sent.invite.email)),
    };
    let ticked = |role: &Role| form.all("roles").any(|id| id == role.id.to_string());
    let roles = role_choices(&signed, ticked).await?;
    let email = field("email", form.text("email"), &errors);
    let dialog =
        FormDialog { email, roles, roles_error: field_error("role_ids", &errors), return_to: return_to.clone() };
    signed.dialog(StatusCode::UNPROCESSABLE_ENTITY, &dialog, &return_to, beneath).await
}

fn read_invite(form: &Fields) -> Result<invites::NewInvite, Error> {
    let mut errors: Vec<FieldError> = Vec::new();
    let email = parse("email", Email::parse(form.text("email")), &mut errors);
    let roles: Result<Vec<RoleId>, _> = form.all("roles").map(str::parse).collect();
    let role_ids = parse("role_ids", roles, &mut errors);
    match (email, role_ids) {
        (Some(email), Some(role_ids)) => Ok(invites::NewInvite { email, role_ids: Some(role_ids) }),
        _ => Err(Error::Invalid(errors)),
    }
}

fn invited(email: &impl std::fmt::Display) -> Toast {
    Toast::success(format!("{email} is invited. Copy the URL with the icon beside the address, and send it to them."))
}

async fn resend(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = invites::resend(&signed.app, &signed.actor, invite_id(&id)?).await;
    reply::back(&form.return_to(PATH), done, |sent| {
        let invite = sent.invite;
        Toast::success(format!("The invite for {} has a new URL. Copy it and send it to them.", invite.email))
    })
}

fn invite_id(text: &str) -> Result<InviteId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

async fn delete_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let invite = invites::get(&signed.app, &signed.actor, invite_id(&id)?).await?;
    let return_to = signed.query.return_to(PATH);
    let dialog = DeleteDialog { id, email: invite.email, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, page).await
}

async fn delete(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = invites::delete(&signed.app, &signed.actor, invite_id(&id)?).await;
    reply::back(&form.return_to(PATH), done, |invite| {
        Toast::success(format!("The invite for {} was deleted.", invite.email))
    })
}

async fn accept_page(visitor: Visitor, Path(token): Path<String>) -> Answer {
    show_accept(&visitor, token, StatusCode::OK, "", &[]).await
}

/// The page of an invite, for whoever opened its URL.
async fn show_accept(
    visitor: &Visitor,
    token: String,
    status: StatusCode,
    name: &str,
    errors: &[FieldError],
) -> Answer {
    let invite = match invites::peek(&visitor.app, &token).await {
        Err(Error::NotFound(_) | Error::Conflict { .. }) => return Err(PageError::LinkGone.into()),
        found => found?,
    };
    let password = field("password", "", errors);
    let reader = if invite.has_account {
        InvitedReader::Known { password }
    } else {
        InvitedReader::New { name: field("name", name, errors), password }
    };
    let view = AcceptInvitePage {
        page: visitor.page("Join"),
        token,
        workspace: invite.workspace,
        invited_by: invite.invited_by,
        email: invite.email,
        reader,
    };
    reply::render_with(status, &view)
}

async fn accept(visitor: Visitor, Path(token): Path<String>, form: Fields) -> Answer {
    let (name, password) = (form.text("name"), form.text("password"));
    match invites::accept(&visitor.app, &token, name, password, visitor.client_ip).await {
        Ok(session) => Ok(auth::signed_in(&visitor.app, &session, "/")),
        Err(Error::Invalid(errors)) => {
            show_accept(&visitor, token, StatusCode::UNPROCESSABLE_ENTITY, name, &errors).await
        }
        Err(Error::TooMany(seconds)) => {
            let errors = [FieldError { field: "password".to_owned(), message: auth::too_many(seconds) }];
            show_accept(&visitor, token, StatusCode::TOO_MANY_REQUESTS, name, &errors).await
        }
        Err(Error::NotFound(_) | Error::Conflict { .. }) => Err(PageError::LinkGone.into()),
        Err(error) => Err(error.into()),
    }
}
