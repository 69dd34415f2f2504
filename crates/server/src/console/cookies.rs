//! The console's three cookies: who is signed in, which colours, and the message that the next page shows.
//!
//! All are `HttpOnly`, `SameSite=Lax`, for the whole site and for no other host; over https they are `Secure` too and
//! carry the prefix `__Host-`, so that no sibling host can set them (RFC 6265bis section 4.1.3). The message is sealed with
//! the master key and is valid for a short time: nobody but this server can make a page say something.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bellwire_core::time::Timestamp;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::view::{Theme, Toast, ToastKind, ToastLink};
use crate::app::App;

/// How long a browser keeps the session's cookie. The session itself may end earlier.
const SESSION_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const THEME_AGE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The next page comes at once: a message that is older belongs to nothing that the reader does now.
const FLASH_AGE: Duration = Duration::from_secs(60);
/// What the message is sealed for.
const FLASH_PLACE: &str = "console/flash";

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    Session,
    Theme,
    Flash,
}

impl Cookie {
    const fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Session, true) => "__Host-session",
            (Self::Session, false) => "session",
            (Self::Theme, true) => "__Host-theme",
            (Self::Theme, false) => "theme",
            (Self::Flash, true) => "__Host-flash",
            (Self::Flash, false) => "flash",
        }
    }

    const fn age(self) -> Duration {
        match self {
            Self::Session => SESSION_AGE,
            Self::Theme => THEME_AGE,
            Self::Flash => FLASH_AGE,
        }
    }

    /// The value that the browser sent, if it did. Of two with the same name none is believed.
    pub(super) fn read(self, app: &App, headers: &HeaderMap) -> Option<String> {
        let name = self.name(app.config.is_https());
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, value)| *key == name && !value.is_empty());
        let (_, value) = values.next()?;
        values.next().is_none().then(|| value.to_owned())
    }

    /// The header that makes the browser keep `value` (visible ASCII without `;`).
    pub(super) fn set(self, app: &App, value: &str) -> HeaderValue {
        self.header(app, value, self.age())
    }

    /// The header that makes the browser forget it.
    pub(super) fn clear(self, app: &App) -> HeaderValue {
        self.header(app, "", Duration::ZERO)
    }

    fn header(self, app: &App, value: &str, age: Duration) -> HeaderValue {
        let https = app.config.is_https();
        let (name, secure, age) = (self.name(https), if https { "; Secure" } else { "" }, age.as_secs());
        HeaderValue::from_str(&format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"))
            .expect("cookie values are tokens, theme keys and base64: visible ASCII")
    }
}

/// The reader's colours.
pub(super) fn theme(app: &App, headers: &HeaderMap) -> Theme {
    Cookie::Theme.read(app, headers).map(|key| Theme::from_key(&key)).unwrap_or_default()
}

#[derive(Serialize, Deserialize)]
struct Flash {
    until: Timestamp,
    error: bool,
    text: String,
    link: Option<(String, String)>,
}

/// The header that keeps a message for the next page.
pub(super) fn set_flash(app: &App, toast: &Toast) -> HeaderValue {
    let flash = Flash {
        until: app.clock.now().saturating_add(FLASH_AGE),
        error: toast.is_error(),
        text: toast.text.clone(),
        link: toast.link.as_ref().map(|link| (link.href.clone(), link.text.clone())),
    };
    let json = serde_json::to_vec(&flash).expect("text and numbers are always JSON");
    let sealed = app.key.seal(&app.random, FLASH_PLACE, &json);
    Cookie::Flash.set(app, &URL_SAFE_NO_PAD.encode(sealed))
}

/// The message that an earlier answer kept, when this server made it a moment ago.
pub(super) fn flash(app: &App, headers: &HeaderMap) -> Option<Toast> {
    let sealed = URL_SAFE_NO_PAD.decode(Cookie::Flash.read(app, headers)?).ok()?;
    let flash: Flash = serde_json::from_slice(&app.key.open(FLASH_PLACE, &sealed).ok()?).ok()?;
    (app.clock.now() <= flash.until).then(|| Toast {
        kind: if flash.error { ToastKind::Error } else { ToastKind::Success },
        text: flash.text,
        link: flash.link.map(|(href, text)| ToastLink { href, text }),
    })
}
