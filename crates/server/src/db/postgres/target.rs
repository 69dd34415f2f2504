//! Which PostgreSQL a URL names, and how far the connection to it is trusted.
//!
//! `sslmode` and `sslrootcert` mean what they mean to libpq (PostgreSQL's manual, "SSL Support"), so that a URL that works with
//! `psql` works here. Two things are better: without a file, `verify-ca` and `verify-full` trust the authorities that browsers
//! trust (libpq needs `sslrootcert=system` for that); and `allow`, which encrypts only what refuses to talk plainly, is refused.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::{Config, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{super::DbError, PATIENCE, with_causes};

/// A server, who we are there, and whom we take it for.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// Whether a connection stays the same from one transaction to the next, so that statements can be prepared once. Not so
    /// behind a pooler in transaction mode: there the URL says `prepared_statements=false`.
    pub(super) keeps_statements: bool,
}

/// How far the server is trusted to be the one that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Anybody: what is sent is encrypted, perhaps for somebody in between.
    Anybody,
    /// Whoever has a certificate of a trusted authority, for whatever name.
    Authority,
    /// Whoever has one for the name in the URL.
    Name,
}

impl Target {
    /// Reads a URL. Keeps what it holds for itself: there may be a password in it, and errors never repeat it.
    pub(super) fn parse(url: &str) -> Result<Self, DbError> {
        let (url, Ours { mode, roots, prepared }) = without_ours(url);
        let mut config: Config = url
            .parse()
            .map_err(|error| DbError::Fault(format!("the database's URL can't be read: {}", with_causes(&error))))?;
        // By this name the server knows our connections.
        if config.get_application_name().is_none() {
            config.application_name("bellwire");
        }
        // A server that is gone without a word is noticed in time.
        config.tcp_user_timeout(PATIENCE).keepalives_idle(PATIENCE).keepalives_interval(PATIENCE / 3);
        config.keepalives_retries(2);
        let (mode, trust) = match (mode.as_deref().unwrap_or("prefer"), &roots) {
            ("disable", _) => (SslMode::Disable, Trust::Anybody),
            ("prefer", None) => (SslMode::Prefer, Trust::Anybody),
            ("prefer", Some(_)) => (SslMode::Prefer, Trust::Authority),
            ("require", None) => (SslMode::Require, Trust::Anybody),
            ("require", Some(_)) | ("verify-ca", _) => (SslMode::Require, Trust::Authority),
            ("verify-full", _) => (SslMode::Require, Trust::Name),
            (other, _) => {
                return Err(DbError::Fault(format!(
                    "the database's URL has sslmode={other}: it can be disable, prefer, require, verify-ca or verify-full"
                )));
            }
        };
        config.ssl_mode(mode);
        let tls = client(trust, roots.as_deref())
            .map_err(|error| DbError::Fault(format!("the database's URL has sslrootcert={error}")))?;
        let keeps_statements = match prepared.as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => {
                return Err(DbError::Fault(format!(
                    "the database's URL has prepared_statements={other}: it can be true or false"
                )));
            }
        };
        Ok(Self { config, tls: MakeRustlsConnect::new(tls), keeps_statements })
    }
}

/// The parameters of a URL that the library knows by half or not at all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ours {
    /// `sslmode`
    mode: Option<String>,
    /// `sslrootcert`
    roots: Option<String>,
    /// `prepared_statements`
    prepared: Option<String>,
}

/// The URL without our parameters, and those.
fn without_ours(url: &str) -> (String, Ours) {
    let mut ours = Ours::default();
    // A password may hold a question mark: whatever is no parameter of ours stays as it is.
    let Some((address, query)) = url.rsplit_once('?') else { return (url.to_owned(), ours) };
    let others: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let Some((name, value)) = url::form_urlencoded::parse(pair.as_bytes()).next() else { return true };
            let place = match name.as_ref() {
                "sslmode" => &mut ours.mode,
                "sslrootcert" => &mut ours.roots,
                "prepared_statements" => &mut ours.prepared,
                _ => return true,
            };
            *place = Some(value.into_owned());
            false
        })
        .collect();
    (if others.is_empty() { address.to_owned() } else { format!("{address}?{}", others.join("&")) }, ours)
}

fn client(trust: Trust, file: Option<&str>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(match file {
        None | Some("system") => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        Some(path) => read(Path::new(path)).map_err(|error| format!("{path}: {error}"))?,
    });
    let strict = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3");
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Name => strict,
        Trust::Authority => Arc::new(Lenient { strict, asks_authority: true }),
        Trust::Anybody => Arc::new(Lenient { strict, asks_authority: false }),
    };
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn read(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| format!("it is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a certificate in it is not one: {error}"))?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

/// Verifies less than a name and a chain of authorities. That the server holds the key of its certificate is always verified.
#[derive(Debug)]
struct Lenient {
    /// What would verify everything.
    strict: Arc<WebPkiServerVerifier>,
    /// `verify-ca`: the certificate must be good, but may be for another name. If not (`require`, `prefer`), it may say anything.
    asks_authority: bool,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.asks_authority {
            return Ok(ServerCertVerified::assertion());
        }
        match self.strict.verify_server_cert(certificate, others, name, ocsp, now) {
            // The name is looked at last, when all else is good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_parameters_are_ours_and_the_rest_is_the_librarys() {
        let none = || ("postgres://u:a?b@h/d".to_owned(), Ours::default());
        assert_eq!(without_ours("postgres://u:a?b@h/d"), none());
        let (url, ours) = without_ours(
            "postgres://h,i/d?sslmode=verify-full&connect_timeout=3&prepared_statements=false&sslrootcert=%2Fa%20b.pem",
        );
        assert_eq!(url, "postgres://h,i/d?connect_timeout=3");
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(ours, Ours { mode: text("verify-full"), roots: text("/a b.pem"), prepared: text("false") });
    }

    #[test]
    fn what_can_not_be_used_is_said_without_the_password() {
        for (parameters, says) in [
            ("sslmode=allow", "sslmode=allow"),
            ("sslmode=", "sslmode="),
            ("sslrootcert=/no/such.pem", "/no/such.pem"),
            ("prepared_statements=no", "prepared_statements=no"),
            ("nonsense=1", "nonsense"),
        ] {
            let error = Target::parse(&format!("postgres://u:hunter2@h/d?{parameters}")).err().unwrap().to_string();
            assert!(error.contains(says) && !error.contains("hunter2"), "{parameters}: {error}");
        }
    }
}
