//! What signs the requests of a webhook: its secret, which can be seen and rotated, and its key pair.

use axum::extract::Path;
use http::StatusCode;

use super::{
    reply::{self, Answer, moment},
    request::{Fields, Signed},
    view::{
        Toast,
        account::PageError,
        parts::Choice,
        webhook::{KeyPairDialog, RotateDialog, SecretDialog},
    },
    webhook::own_page,
    webhooks::{beneath, id, managed},
};
use crate::{
    app::App,
    error::Error,
    ops::webhooks::{self, WebhookPatch},
    routes::{Routes, get},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/webhooks/{id}/secret", get(secret_dialog))
        .route("/webhooks/{id}/secret/rotate", get(rotate_dialog).post(rotate))
        .route("/webhooks/{id}/key-pair", get(key_pair_dialog).post(key_pair))
}

async fn secret_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = id(&text)?;
    let secret = webhooks::reveal_secret(&signed.app, &signed.actor, webhook).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let dialog = SecretDialog {
        id: text,
        secret: secret.secret,
        // The one before it is not shown any more: receivers have it, and it goes.
        rotating_until: secret.old_secret_until.map(moment),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

/// For how long the old secret signs too, in seconds.
const OVERLAPS: [(&str, &str); 4] =
    [("86400", "24 hours"), ("3600", "1 hour"), ("604800", "7 days"), ("0", "Not at all")];

async fn rotate_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let overlaps = OVERLAPS.iter().enumerate().map(|(n, (value, title))| Choice::new(*value, *title, n == 0));
    let dialog = RotateDialog {
        id: text,
        url: webhook.url.to_string(),
        overlaps: overlaps.collect(),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn rotate(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let overlap = fields.text("overlap_seconds").parse::<u64>();
    let overlap = overlap.map_err(|_| Error::invalid("overlap_seconds", "must be a number of seconds"));
    let done = match overlap {
        Ok(seconds) => webhooks::rotate_secret(&signed.app, &signed.actor, id(&text)?, seconds).await,
        Err(error) => Err(error),
    };
    reply::back(&fields.return_to(&own_page(&text)), done, |secret| {
        let said = match secret.old_secret_until {
            Some(_) => "Secret rotated. Until the old one ends, both sign.",
            None => "Secret rotated. The old one signs no more.",
        };
        Toast::success(said).with_link(format!("/webhooks/{text}/secret"), "See the new secret")
    })
}

async fn key_pair_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let secret = webhooks::secret_hint(&signed.app, &signed.actor, webhook.id).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let dialog = KeyPairDialog {
        id: text,
        url: webhook.url.to_string(),
        has_pair: secret.public_key.is_some(),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn key_pair(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let wanted = fields.text("key_pair").parse::<bool>().map_err(|_| PageError::BadRequest)?;
    let patch = WebhookPatch { key_pair: Some(wanted), ..WebhookPatch::default() };
    let done = webhooks::update(&signed.app, &signed.actor, id(&text)?, patch).await;
    let said = if wanted { "Key pair added. Receivers can use its public key." } else { "Key pair removed." };
    reply::back(&fields.return_to(&own_page(&text)), done, |_| Toast::success(said))
}
