//! First-run set-up, signing in and out, choosing a workspace, and the colours.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use bellwire_core::text::{Email, Name};
use http::{HeaderValue, StatusCode, header};

use super::{
    cookies::Cookie,
    reply::{self, Answer, field, parse, safe_return_to, see_other},
    request::{Fields, Person, Signed, Visitor},
    view::{
        Theme, Toast,
        account::{PageError, SetupPage, SignInPage, WorkspacesPage},
        parts::Field,
    },
};
use crate::{
    app::App,
    error::{Error, FieldError},
    ops::{setup, sign_in},
    password::Password,
    routes::{Routes, get, post},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/setup", get(setup_page).post(set_up))
        .route("/sign-in", get(sign_in_page).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/workspaces", get(workspaces))
        .route("/workspaces/{id}/open", post(open_workspace))
        .route("/theme", post(theme))
}

/// `GET /`: the first page that the reader may open.
pub(super) async fn start(signed: Signed) -> Response {
    see_other(reply::sections(&signed.actor).next().map_or("/profile", super::view::Section::path))
}

/// Goes on, signed in with a new session.
pub(super) fn signed_in(app: &App, token: &sign_in::SessionToken, path: &str) -> Response {
    let mut response = see_other(path);
    response.headers_mut().append(header::SET_COOKIE, Cookie::Session.set(app, token.as_str()));
    response
}

async fn setup_page(visitor: Visitor) -> Answer {
    let token = visitor.query.text("token").to_owned();
    if !setup::is_open(&visitor.app, &token).await? {
        return Err(PageError::LinkGone.into());
    }
    reply::render(&SetupPage {
        page: visitor.page("Set up"),
        token,
        workspace: Field::default(),
        name: Field::default(),
        email: Field::default(),
        password: Field::default(),
    })
}

async fn set_up(visitor: Visitor, form: Fields) -> Answer {
    let token = form.text("token");
    let done = match read_setup(&form) {
        Ok(wanted) => setup::complete(&visitor.app, token, wanted, visitor.client_ip).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(session) => Ok(signed_in(&visitor.app, &session, "/")),
        Err(Error::Invalid(errors)) => {
            let shown = |name| field(name, form.text(name), &errors);
            let page = SetupPage {
                page: visitor.page("Set up"),
                token: token.to_owned(),
                workspace: shown("workspace"),
                name: shown("name"),
                email: shown("email"),
                password: field("password", "", &errors),
            };
            reply::render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(Error::NotFound(_) | Error::Conflict { .. }) => Err(PageError::LinkGone.into()),
        Err(error) => Err(error.into()),
    }
}

fn read_setup(form: &Fields) -> Result<setup::SetUp, Error> {
    let mut errors: Vec<FieldError> = Vec::new();
    let workspace = parse("workspace", Name::parse(form.text("workspace")), &mut errors);
    let name = parse("name", Name::parse(form.text("name")), &mut errors);
    let email = parse("email", Email::parse(form.text("email")), &mut errors);
    let password = parse("password", Password::parse(form.text("password")), &mut errors);
    match (workspace, name, email, password) {
        (Some(workspace), Some(name), Some(email), Some(password)) => {
            Ok(setup::SetUp { workspace, name, email, password })
        }
        _ => Err(Error::Invalid(errors)),
    }
}

async fn sign_in_page(visitor: Visitor) -> Answer {
    let return_to = visitor.query.return_to("");
    if visitor.session().await?.is_some() {
        return Ok(see_other(&safe_return_to(&return_to, "/")));
    }
    let page = visitor.page("Sign in");
    reply::render(&SignInPage { page, email: Field::default(), error: None, return_to })
}

async fn sign_in(visitor: Visitor, form: Fields) -> Answer {
    let return_to = form.return_to("");
    let signed = sign_in::sign_in(&visitor.app, form.text("email"), form.text("password"), visitor.client_ip).await;
    let (status, error, wait) = match signed {
        Ok(token) => return Ok(signed_in(&visitor.app, &token, &safe_return_to(&return_to, "/"))),
        Err(error @ (Error::Invalid(_) | Error::Conflict { .. })) => {
            (StatusCode::UNPROCESSABLE_ENTITY, reply::sentence(&error), None)
        }
        Err(Error::TooMany(seconds)) => (StatusCode::TOO_MANY_REQUESTS, too_many(seconds), Some(seconds)),
        Err(error) => return Err(error.into()),
    };
    let email = Field::of(form.text("email"));
    let mut response = reply::render_with(
        status,
        &SignInPage { page: visitor.page("Sign in"), email, error: Some(error), return_to },
    )?;
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// "Too many tries. Wait 12 minutes, then try again."
pub(super) fn too_many(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60).max(1);
    let minutes = if minutes == 1 { "a minute".to_owned() } else { format!("{minutes} minutes") };
    format!("Too many tries. Wait {minutes}, then try again.")
}

async fn sign_out(visitor: Visitor) -> Answer {
    if let Some(token) = &visitor.token {
        sign_in::sign_out(&visitor.app, token).await?;
    }
    let mut response = reply::see_other_with("/sign-in", Toast::success("You are signed out."));
    response.headers_mut().append(header::SET_COOKIE, Cookie::Session.clear(&visitor.app));
    Ok(response)
}

async fn workspaces(person: Person) -> Answer {
    reply::render(&WorkspacesPage { page: person.page("Choose a workspace"), workspaces: person.workspaces() })
}

async fn open_workspace(person: Person, Path(id): Path<String>) -> Answer {
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    sign_in::open_workspace(&person.app, &person.session, id).await?;
    Ok(see_other("/"))
}

async fn theme(visitor: Visitor, form: Fields) -> Response {
    let theme = Theme::from_key(form.text("theme"));
    let cookie = Cookie::Theme.set(&visitor.app, theme.key());
    ([(header::SET_COOKIE, cookie)], see_other(&form.return_to("/"))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_said_in_minutes() {
        assert_eq!(too_many(0), "Too many tries. Wait a minute, then try again.");
        assert_eq!(too_many(60), "Too many tries. Wait a minute, then try again.");
        assert_eq!(too_many(61), "Too many tries. Wait 2 minutes, then try again.");
    }
}
