//! Whom an encrypted connection trusts, and in plain words why it doesn't.
//!
//! Trusted are the certificate authorities that browsers trust (the list comes with the program, so that every machine has the
//! same) and those of the operator's file. There is no way to trust a receiver without a certificate that holds for its name.

use std::{io, path::Path, sync::Arc};

use bellwire_core::{delivery::SendError, time::Timestamp};
use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use super::dial::tidy;

/// Names of a certificate that an error tells.
const MAX_NAMES: usize = 3;

/// What makes connections secure; `extra` is the file with the operator's authorities.
///
/// # Errors
/// With a sentence for the operator when the file can't be used.
pub(super) fn connector(extra: Option<&Path>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra {
        add(&mut roots, path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("it is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a certificate in it is not one: {error}"))?;
    }
    if roots.len() == before { Err("there is no certificate in it".to_owned()) } else { Ok(()) }
}

/// Why the handshake failed.
pub(super) fn explain(error: &io::Error) -> SendError {
    if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref()) {
        return SendError::TlsFailed(in_words(error));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SendError::TlsFailed("the receiver closed the connection".to_owned()),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => SendError::ConnectionReset,
        _ => SendError::TlsFailed(tidy(&error.to_string())),
    }
}

fn in_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(error),
        rustls::Error::InvalidMessage(_) => "the receiver does not speak TLS".to_owned(),
        rustls::Error::PeerIncompatible(_) => "the receiver speaks no version or cipher of TLS that is safe".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("the receiver refused it ({alert:?})"),
        other => tidy(&other.to_string()),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => format!("the certificate expired on {}", day(*not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", day(*not_before))
        }
        CertificateError::NotValidForNameContext { presented, .. } => match presented.as_slice() {
            [] => "the certificate is for no name at all".to_owned(),
            names => format!("the certificate is for {}", list(names)),
        },
        CertificateError::UnknownIssuer => {
            "the certificate is signed by an authority that is not trusted, or by itself".to_owned()
        }
        CertificateError::Other(_) => tidy(&format!("the certificate can't be used: {error}")),
        other => tidy(&format!("the certificate is not valid: {other}")),
    }
}

/// `2026-01-31`
fn day(time: UnixTime) -> String {
    let micros = i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    Timestamp::from_micros(micros).to_string().chars().take(10).collect()
}

/// `DnsName("a.example")` and `IpAddress(192.0.2.1)`, as the library has them, without what is around the names.
fn list(names: &[String]) -> String {
    let bare = |name: &String| {
        let inside =
            name.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or(name.as_str(), |(it, _)| it);
        tidy(inside.trim_matches('"'))
    };
    let mut text = names.iter().take(MAX_NAMES).map(bare).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES {
        text.push_str(" and others");
    }
    text
}
