//! The roles of one user: which ones they hold, given and taken in one go.
//!
//! The form sends what was ticked when it was shown beside what is ticked now, and only the difference is done: two tabs, or a
//! page that is hours old, never undo what somebody else did meanwhile.

use std::collections::BTreeSet;

use axum::extract::Path;
use bellwire_core::{
    event::PrincipalId,
    id::RoleId,
    permission::{BuiltInRole, Permission},
};
use http::StatusCode;

use super::{
    reply::{self, Answer, Failure},
    request::{Fields, Signed},
    users,
    view::{
        Toast,
        account::PageError,
        users::{RoleChoice, RolesDialog},
    },
};
use crate::{
    app::App,
    db::roles::Role,
    error::Error,
    ops::roles,
    routes::{Routes, get},
};

const USERS: &str = "/users";

pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/users/{id}/roles", get(dialog).post(change))
}

async fn dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let return_to = signed.query.return_to(USERS);
    show(signed, id, return_to, None).await
}

/// The dialog as it is, or with what was ticked and why it was refused.
async fn show(signed: Signed, id: String, return_to: String, refused: Option<(&Fields, &Error)>) -> Answer {
    signed.actor.require(Permission::RolesManage)?;
    let user = users::named(&signed, &id).await?;
    let ticked = refused.map(|(form, _)| ids(form, "roles")).transpose()?;
    let all = roles::list(&signed.app, &signed.actor).await?;
    let choice = |role: &Role| {
        let held = user.roles.iter().any(|other| other.id == role.id);
        let locked = lock(&signed, role);
        let now = ticked.as_ref().filter(|_| locked.is_none()).map_or(held, |ticked| ticked.contains(&role.id));
        RoleChoice {
            id: role.id.to_string(),
            name: role.name.clone(),
            description: role.description.clone(),
            is_owner: role.is(BuiltInRole::Owner),
            chosen: now,
            held,
            locked,
        }
    };
    let dialog = RolesDialog {
        id,
        name: user.name.clone(),
        roles: all.iter().map(choice).collect(),
        error: refused.map(|(_, error)| reply::sentence(error)),
        return_to: return_to.clone(),
    };
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    signed.dialog(status, &dialog, &return_to, users::page).await
}

/// Why the reader may neither give nor take a role: the first thing that it allows and they may not do.
fn lock(signed: &Signed, role: &Role) -> Option<String> {
    let missing = role.permissions.iter().find(|permission| !signed.may(*permission))?;
    Some(format!("It allows what you may not do yourself ({missing})", missing = missing.as_str()))
}

fn ids(form: &Fields, field: &str) -> Result<BTreeSet<RoleId>, Failure> {
    let ids: Result<_, _> = form.all(field).map(str::parse).collect();
    ids.map_err(|_| PageError::BadRequest.into())
}

async fn change(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let return_to = form.return_to(USERS);
    let user = PrincipalId::User(users::user_id(&id)?);
    let (ticked, held) = (ids(&form, "roles")?, ids(&form, "held")?);
    let give = ticked.difference(&held).copied().collect();
    let take = held.difference(&ticked).copied().collect();
    match roles::exchange(&signed.app, &signed.actor, user, give, take).await {
        Err(error @ (Error::Conflict { .. } | Error::Invalid(_))) => {
            show(signed, id, return_to, Some((&form, &error))).await
        }
        done => reply::back(&return_to, done, |name| Toast::success(format!("The roles of {name} were changed."))),
    }
}
