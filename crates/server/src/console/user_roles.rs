//! The roles of one user, given and taken in one go.

use axum::extract::Path;
use bellwire_core::{event::PrincipalId, permission::Permission};
use http::StatusCode;

use super::{
    reply::{self, Answer},
    request::{Fields, Signed},
    role_choices, users,
    view::{Toast, users::RolesDialog},
};
use crate::{
    app::App,
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
    let ticked = refused.map(|(form, _)| role_choices::ticked(form)).transpose()?;
    let dialog = RolesDialog {
        id,
        name: user.name.clone(),
        roles: role_choices::choices(&signed, &user.roles, ticked.as_ref()).await?,
        error: refused.map(|(_, error)| reply::sentence(error)),
        return_to: return_to.clone(),
    };
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    signed.dialog(status, &dialog, &return_to, users::page).await
}

async fn change(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let return_to = form.return_to(USERS);
    let user = PrincipalId::User(users::user_id(&id)?);
    let (give, take) = role_choices::difference(&form)?;
    match roles::exchange(&signed.app, &signed.actor, user, give, take).await {
        Err(error @ (Error::Conflict { .. } | Error::Invalid(_))) => {
            show(signed, id, return_to, Some((&form, &error))).await
        }
        done => reply::back(&return_to, done, |name| Toast::success(format!("The roles of {name} were changed."))),
    }
}
