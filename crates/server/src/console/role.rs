//! One role: what it allows and who holds it; giving it to somebody and taking it.

use axum::extract::Path;
use bellwire_core::{event::PrincipalId, id::RoleId, permission::Permission};
use http::StatusCode;

use super::{
    reply::{self, Answer, moment},
    request::{Fields, Signed},
    role_form::matrix,
    roles::{PATH, beneath, may_give, role_id, row},
    table::{ROWS, Table},
    view::{
        Dialog, Section, Toast,
        account::PageError,
        listing::Order,
        parts::{Who, WhoKind},
        roles::{Candidate, GiveDialog, MemberRow, ShowPage},
    },
    words,
};
use crate::{
    app::App,
    db::{
        api_keys::{ApiKeyFilter, ApiKeySort},
        page::PageRequest,
        roles::{ByHolder, Holders, RoleMember},
        users::{UserFilter, UserSort},
    },
    error::Error,
    ops::{
        api_keys,
        roles::{self, Usage},
        users,
    },
    routes::{Routes, get, post},
};

/// Users, and API keys, of which one is chosen at a time.
const CANDIDATES: u32 = 10;

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/roles/{id}", get(show))
        .route("/roles/{id}/give", get(give_dialog).post(give))
        .route("/roles/{id}/take", post(take))
}

async fn show(signed: Signed, Path(id): Path<String>) -> Answer {
    let id = role_id(&id)?;
    page(signed, id, StatusCode::OK, None).await
}

/// The page, with a dialog over it or without.
pub(super) async fn page(signed: Signed, id: RoleId, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let (app, actor) = (&signed.app, &signed.actor);
    let role = roles::get(app, actor, id).await?;
    let usage = roles::usage(app, actor, id).await?;
    let path = format!("{PATH}/{id}");
    let table = Table::read(&path, &signed.query, &[], &["id"], ("id", Order::Ascending));
    let request = PageRequest::numbered(table.page, ROWS, ByHolder, false);
    let members = roles::members(app, actor, id, request).await?.data;
    let invites = (usage.invites > 0 && signed.may(Permission::InvitesManage))
        .then(|| Usage { holders: Holders::default(), invites: usage.invites }.to_string());
    let view = ShowPage {
        page: signed.page(&role.name),
        chrome: signed.chrome(Section::Roles, "roles users api_keys", dialog),
        role: row(&signed, &role, usage.holders),
        created_at: moment(role.created_at),
        allows: matrix(role.permissions.iter(), &[]),
        members: members.iter().map(|member| member_row(&signed, member)).collect(),
        pager: table.pager(members.len(), usage.holders.all()),
        list: table.list,
        invites,
        can_give: may_give(&signed, &role),
    };
    reply::render_with(status, &view)
}

fn member_row(signed: &Signed, member: &RoleMember) -> MemberRow {
    MemberRow {
        id: member.id.clone(),
        who: words::who(member.kind, &member.name),
        blocked: member.status == crate::db::principals::PrincipalStatus::Blocked,
        is_self: member.id == signed.session.user_id.to_string(),
    }
}

async fn give_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let fallback = format!("{PATH}/{id}");
    let (q, return_to) = (signed.query.text("q").to_owned(), signed.query.return_to(&fallback));
    offer(signed, id, q, "", None, return_to).await
}

/// The dialog: who could hold the role, of those that the reader may see.
async fn offer(
    signed: Signed,
    id: String,
    q: String,
    chosen: &str,
    error: Option<String>,
    return_to: String,
) -> Answer {
    signed.actor.require(Permission::RolesManage)?;
    let role = roles::get(&signed.app, &signed.actor, role_id(&id)?).await?;
    let search = Some(q.trim().to_owned()).filter(|text| !text.is_empty());
    let mut candidates = Vec::new();
    let mut more = false;
    if signed.may(Permission::UsersView) {
        let wanted = UserFilter { search: search.clone(), ..UserFilter::default() };
        let request = PageRequest::numbered(1, CANDIDATES, UserSort::Name, false);
        let found = users::list(&signed.app, &signed.actor, wanted, request).await?;
        more |= found.next.is_some();
        candidates.extend(found.data.into_iter().map(|user| Candidate {
            chosen: user.id.to_string() == chosen,
            id: user.id.to_string(),
            holds: user.roles.iter().any(|held| held.id == role.id),
            who: Who { name: user.name, kind: WhoKind::User },
            detail: user.email,
        }));
    }
    if signed.may(Permission::ApiKeysView) {
        let wanted = ApiKeyFilter { search, ..ApiKeyFilter::default() };
        let request = PageRequest::numbered(1, CANDIDATES, ApiKeySort::Name, false);
        let found = api_keys::list(&signed.app, &signed.actor, wanted, request).await?;
        more |= found.next.is_some();
        candidates.extend(found.data.into_iter().map(|key| Candidate {
            chosen: key.id.to_string() == chosen,
            id: key.id.to_string(),
            holds: key.roles.iter().any(|held| held.id == role.id),
            who: Who { name: key.name, kind: WhoKind::ApiKey },
            detail: format!("API key …{}", key.hint),
        }));
    }
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let dialog = GiveDialog { id, name: role.name, q, candidates, more, error, return_to: return_to.clone() };
    signed.dialog(status, &dialog, &return_to, beneath).await
}

async fn give(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let return_to = form.return_to(&format!("{PATH}/{id}"));
    let chosen = form.text("principal").to_owned();
    if chosen.is_empty() {
        let error = Some("Choose who shall hold the role.".to_owned());
        return offer(signed, id, form.text("q").to_owned(), "", error, return_to).await;
    }
    let done = roles::assign(&signed.app, &signed.actor, role_id(&id)?, principal(&chosen)?).await;
    match done {
        Err(error @ (Error::Conflict { .. } | Error::Invalid(_))) => {
            let error = Some(reply::sentence(&error));
            offer(signed, id, form.text("q").to_owned(), &chosen, error, return_to).await
        }
        done => reply::back(&return_to, done, |role| Toast::success(format!("{} was given.", role.name))),
    }
}

fn principal(text: &str) -> Result<PrincipalId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

async fn take(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = roles::unassign(&signed.app, &signed.actor, role_id(&id)?, principal(form.text("principal"))?).await;
    let return_to = form.return_to(&format!("{PATH}/{id}"));
    reply::back(&return_to, done, |role| Toast::success(format!("{} was taken.", role.name)))
}
