//! The reader's own name and password.

use bellwire_core::text::Name;
use http::StatusCode;

use super::{
    auth::too_many,
    reply::{self, Answer, field, parse, see_other_with},
    request::{Fields, Signed},
    view::{Toast, account::ProfilePage, parts::Field},
};
use crate::{
    app::App,
    error::{Error, FieldError},
    ops::{sign_in, users},
    password::Password,
    routes::{Routes, get, post},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/profile", get(profile).post(save)).route("/profile/password", post(change_password))
}

async fn profile(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None, &[])
}

/// The page as it is, or with what was typed and refused.
fn page(mut signed: Signed, status: StatusCode, name: Option<&str>, errors: &[FieldError]) -> Answer {
    "/profile".clone_into(&mut signed.visitor.here);
    let email = signed.session.email.clone();
    reply::render_with(
        status,
        &ProfilePage {
            page: signed.page("Profile"),
            chrome: signed.chrome(None, "", None),
            name: field("name", name.unwrap_or(&signed.actor.name), errors),
            email,
            current_password: Field { value: String::new(), error: reply::field_error("current_password", errors) },
            new_password: Field { value: String::new(), error: reply::field_error("new_password", errors) },
        },
    )
}

async fn save(signed: Signed, form: Fields) -> Answer {
    let mut errors = Vec::new();
    let name = form.text("name");
    let Some(parsed) = parse("name", Name::parse(name), &mut errors) else {
        return page(signed, StatusCode::UNPROCESSABLE_ENTITY, Some(name), &errors);
    };
    let done = users::update(&signed.app, &signed.actor, signed.session.user_id, parsed).await;
    reply::back("/profile", done, |_| Toast::success("Your name was changed."))
}

async fn change_password(signed: Signed, form: Fields) -> Answer {
    let mut errors = Vec::new();
    let new = parse("new_password", Password::parse(form.text("new_password")), &mut errors);
    let Some(new) = new else { return page(signed, StatusCode::UNPROCESSABLE_ENTITY, None, &errors) };
    match sign_in::change_password(&signed.app, &signed.session, form.text("current_password"), new).await {
        Ok(()) => Ok(see_other_with(
            "/profile",
            Toast::success("Your password was changed. You are signed out everywhere else."),
        )),
        Err(Error::Invalid(errors)) => page(signed, StatusCode::UNPROCESSABLE_ENTITY, None, &errors),
        Err(Error::TooMany(seconds)) => {
            let errors = [FieldError { field: "current_password".to_owned(), message: too_many(seconds) }];
            page(signed, StatusCode::TOO_MANY_REQUESTS, None, &errors)
        }
        Err(error) => Err(error.into()),
    }
}
