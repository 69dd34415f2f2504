//! The URL of a webhook.
//!
//! A person types it, so the errors here are sentences to be shown beside the field. What is kept is the URL as the
//! WHATWG URL standard reads it: `http://0x7f.1/`, `http://２１３０７０６４３３/` and `http://127.0.0.1/` are one URL, and
//! nobody behind this module meets the other spellings.
//!
//! What always holds for a [`WebhookUrl`]:
//! - It is http or https, has a host that a resolver or an address can answer, and neither user name, password nor fragment.
//! - Its host, when it is an address in any spelling, is found by [`WebhookUrl::literal_address`].
//!
//! Being well-formed says nothing about whether it may be called. [`WebhookUrl::check`] says early what can be known
//! without a resolver; whoever connects asks [`AddressPolicy`] again, for the address that it got.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, ParseError, Url};

use crate::address::{AddressPolicy, Forbidden};

/// A well-formed URL to which events can be sent, in its normal form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(Url);

/// Why a text is not the URL of a webhook; shown beside the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// Nothing, or only white space.
    #[error("Enter a URL.")]
    Empty,
    /// More characters than [`WebhookUrl::MAX_LENGTH`], as typed or in normal form.
    #[error("The URL is too long: at most 2,048 characters.")]
    TooLong,
    /// White space or a control character inside.
    #[error("The URL must not contain spaces, line breaks or other invisible characters.")]
    InvisibleCharacter,
    /// No scheme, or one that is not HTTP.
    #[error("The URL must begin with https:// or http://.")]
    Scheme,
    /// No host at all.
    #[error("The URL must name a host, such as https://example.com/webhooks.")]
    NoHost,
    /// A host that is neither an IP address nor a name of letters, digits, hyphens and underscores in labels of 1 to 63
    /// (RFC 1035).
    #[error("The URL's host is neither a valid name nor a valid IP address.")]
    Host,
    /// A port that is 0, over 65,535 or no number.
    #[error("The URL's port must be a number from 1 to 65535.")]
    Port,
    /// A user name or a password before the host.
    #[error("The URL must not contain a user name or password. Use a header instead.")]
    UserInfo,
    /// A `#` and what follows it, which would never be sent.
    #[error("The URL must not contain a fragment (# and what follows it).")]
    Fragment,
    /// Anything else that the URL standard refuses.
    #[error("This is not a valid URL.")]
    Malformed,
}

impl WebhookUrl {
    /// The most characters.
    pub const MAX_LENGTH: usize = 2048;

    /// Reads what a person typed. White space around it is dropped.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<WebhookUrl, WebhookUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(WebhookUrlError::Empty);
        }
        if text.chars().count() > WebhookUrl::MAX_LENGTH {
            return Err(WebhookUrlError::TooLong);
        }
        // The URL standard would silently drop tabs and line breaks: then what is called is not what was shown.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(WebhookUrlError::InvisibleCharacter);
        }
        let url = Url::parse(text).map_err(|error| match error {
            ParseError::RelativeUrlWithoutBase => WebhookUrlError::Scheme,
            ParseError::EmptyHost => WebhookUrlError::NoHost,
            ParseError::InvalidPort => WebhookUrlError::Port,
            ParseError::IdnaError
            | ParseError::InvalidIpv4Address
            | ParseError::InvalidIpv6Address
            | ParseError::InvalidDomainCharacter => WebhookUrlError::Host,
            ParseError::Overflow => WebhookUrlError::TooLong,
            _ => WebhookUrlError::Malformed,
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookUrlError::Scheme);
        }
        match url.host() {
            None => return Err(WebhookUrlError::NoHost),
            Some(Host::Domain(name)) if !is_dns_name(name) => return Err(WebhookUrlError::Host),
            Some(_) => {}
        }
        if url.port() == Some(0) {
            return Err(WebhookUrlError::Port);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookUrlError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(WebhookUrlError::Fragment);
        }
        if url.as_str().len() > WebhookUrl::MAX_LENGTH {
            return Err(WebhookUrlError::TooLong);
        }
        Ok(WebhookUrl(url))
    }

    /// The whole URL in its normal form: ASCII only.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host in its normal form: a lower-case name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host_str(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port to connect to: the one given, or 80 or 443.
    pub fn port(&self) -> u16 {
        self.0.port().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address, when the host is one: such a host never reaches a resolver.
    pub fn literal_address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            // The URL standard reads `127.0.0.1.` as an address already; this holds if its reading ever changes.
            Host::Domain(name) => name.trim_end_matches('.').parse().ok(),
        }
    }

    /// Whether the host is a name that always means this machine: `localhost` and names below it (RFC 6761, section 6.3).
    pub fn names_loopback(&self) -> bool {
        let Some(Host::Domain(name)) = self.0.host() else { return false };
        let name = name.strip_suffix('.').unwrap_or(name);
        name == "localhost" || name.ends_with(".localhost")
    }

    /// What can be known without a resolver about whether this URL may be called. A name of this machine is judged as
    /// 127.0.0.1; other names pass here and are judged by the addresses that they resolve to, at every connection.
    ///
    /// # Errors
    /// [`Forbidden`] for an address or a name that the policy does not permit.
    pub fn check(&self, policy: &AddressPolicy) -> Result<(), Forbidden> {
        if let Some(ip) = self.literal_address() {
            return policy.permits(ip);
        }
        if self.names_loopback() && policy.permits(Ipv4Addr::LOCALHOST.into()).is_err() {
            return Err(Forbidden::loopback_name(self.host_str()));
        }
        Ok(())
    }
}

/// Whether a resolver could be asked for this name (RFC 1035, section 2.3.4, and underscores). The URL standard takes
/// more: empty labels, and characters such as `*` and `"` that are no part of any host.
fn is_dns_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<WebhookUrl, WebhookUrlError> {
        WebhookUrl::parse(text)
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = WebhookUrlError;

    fn try_from(text: String) -> Result<WebhookUrl, WebhookUrlError> {
        WebhookUrl::parse(&text)
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> String {
        url.0.into()
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
