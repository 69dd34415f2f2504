//! What must be known of a webhook to send to it: read once, kept in memory, forgotten when the webhook is changed.

use std::time::Duration;

use bellwire_core::{
    delivery::{Health, Reason},
    sign::{self, Secret, SigningSeed},
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};

use crate::{
    app::{App, Owed},
    db,
    db::status_changes::Status,
    error::Error,
    ops,
};

const AGENT: &str = concat!("Bellwire/", env!("CARGO_PKG_VERSION"));
const ID: HeaderName = HeaderName::from_static(sign::ID_HEADER);
const TIMESTAMP: HeaderName = HeaderName::from_static(sign::TIMESTAMP_HEADER);
const SIGNATURE: HeaderName = HeaderName::from_static(sign::SIGNATURE_HEADER);

/// A webhook as the engine knows it.
pub(super) struct Target {
    /// Where to connect to.
    pub(super) url: WebhookUrl,
    /// Path and query: the request's target.
    pub(super) path: Uri,
    /// The least time between two requests.
    pub(super) pace: Option<Duration>,
    headers: HeaderMap,
    secret: Secret,
    old_secret: Option<(Secret, Timestamp)>,
    seed: Option<SigningSeed>,
    /// Whether it was answering when it was read.
    pub(super) healthy: bool,
    active: bool,
    cancel_before: Timestamp,
}

impl Target {
    /// Opens the secrets.
    ///
    /// # Errors
    /// When they can't be opened, or what is stored can't be sent.
    pub(super) fn open(app: &App, stored: &db::webhooks::Target) -> Result<Self, Error> {
        let opened = ops::webhooks::open(app, stored)?;
        let fault = |error: http::Error| Error::Internal(format!("webhook {}: {error}", stored.id));
        let url = &stored.url;
        let mut headers = HeaderMap::with_capacity(opened.headers.len() + 6);
        for (name, value) in &opened.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| fault(error.into()))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|error| fault(error.into()))?);
        }
        let default_port = if url.is_https() { 443 } else { 80 };
        let host = if url.port() == default_port {
            url.host_str().to_owned()
        } else {
            format!("{}:{}", url.host_str(), url.port())
        };
        headers.insert(HOST, HeaderValue::from_str(&host).map_err(|error| fault(error.into()))?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for name in [ID, TIMESTAMP, SIGNATURE] {
            headers.insert(name, HeaderValue::from_static("")); // each request puts its own there: the copies never grow
        }
        let uri: Uri = url.as_str().parse().map_err(|error: http::uri::InvalidUri| fault(error.into()))?;
        let path = uri.into_parts().path_and_query.map_or_else(|| Uri::from_static("/"), Uri::from);
        Ok(Self {
            url: url.clone(),
            path,
            // All nodes together keep the limit, each its share.
            pace: stored.rate_limit.filter(|rate| *rate > 0).map(|rate| {
                let nodes = u32::try_from(app.nodes.alive()).unwrap_or(u32::MAX);
                Duration::from_secs(1).saturating_mul(nodes) / rate
            }),
            headers,
            secret: opened.secret,
            old_secret: opened.old_secret,
            seed: opened.seed,
            healthy: stored.health == Health::Ok,
            active: stored.status == Status::Active,
            cancel_before: stored.cancel_before,
        })
    }

    /// Whether a delivery is to be sent now: tests always are, the rest only to an active webhook, and what was skipped
    /// only when somebody resends it.
    pub(super) fn wants(&self, owed: &Owed) -> bool {
        match owed.reason {
            Reason::Test => true,
            Reason::Resend => self.active,
            Reason::Automatic => self.active && owed.created_at > self.cancel_before,
        }
    }

    /// All headers of a request made at `now`, signed.
    pub(super) fn headers(&self, owed: &Owed, now: Timestamp) -> HeaderMap {
        let mut headers = self.headers.clone();
        let id = owed.event.to_string();
        let seconds = now.as_seconds();
        let old = self.old_secret.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        let both = [&self.secret, old.unwrap_or(&self.secret)];
        let secrets = if old.is_some() { &both[..] } else { &both[..1] };
        let signature = sign::header(secrets, self.seed.as_ref(), &id, seconds, &owed.body);
        for (name, text) in [(ID, id), (SIGNATURE, signature)] {
            headers.insert(name, HeaderValue::try_from(text).expect("ids and signatures are visible ASCII"));
        }
        headers.insert(TIMESTAMP, HeaderValue::from(seconds));
        headers
    }
}
