//! Encrypted connections: whom the engine trusts, and what it says when it doesn't.

use std::{path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{
    super::{Limits, Transport, resolve::Resolver},
    table::Table,
    world::{GUARD, Settings, World},
};

/// A certificate authority of our own, and the file that the operator would name.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authorities.pem");
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file, _folder: folder }
    }

    /// Serves with a certificate for these names; returns the port.
    async fn serve(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> u16 {
        let key = KeyPair::generate().unwrap();
        let params = params(names, change);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serve(certificate.der().clone(), &key).await
    }
}

fn params(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    change(&mut params);
    params
}

/// Answers 200 to every request that comes over an encrypted connection.
async fn serve(certificate: rustls::pki_types::CertificateDer<'static>, key: &KeyPair) -> u16 {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 64 * 1024];
                while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if stream.write_all(answer).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// What the one attempt to each of these URLs came to: `200` or the error's message.
async fn outcomes(world: &World, urls: &[String]) -> Vec<String> {
    let mut webhooks = Vec::new();
    for url in urls {
        webhooks.push(world.webhook(url).await);
    }
    world.publish(1).await;
    world.rows(urls.len(), "SELECT number FROM attempts").await;
    let mut outcomes = Vec::new();
    for webhook in webhooks {
        let sql = "SELECT a.* FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.webhook_id = ";
        let row = world.row(&format!("{sql}'{webhook}'")).await;
        let status: Option<u32> = row.get("status").unwrap();
        let message: Option<String> = row.get("message").unwrap();
        outcomes.push(status.map(|status| status.to_string()).or(message).unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_checked_and_what_is_wrong_is_said() {
    let authority = Authority::new("Ours");
    let stranger = Authority::new("Theirs");
    let good = authority.serve(&["hooks.example"], |_| {}).await;
    let numbered = authority.serve(&["127.0.0.1"], |_| {}).await;
    let other = authority.serve(&["other.example"], |_| {}).await;
    let many = authority.serve(&["a.example", "*.b.example", "c.example", "d.example"], |_| {}).await;
    let old = authority.serve(&["hooks.example"], |params| params.not_after = date_time_ymd(2026, 1, 31)).await;
    let early = authority.serve(&["hooks.example"], |params| params.not_before = date_time_ymd(2999, 12, 1)).await;
    let unknown = stranger.serve(&["hooks.example"], |_| {}).await;
    let key = KeyPair::generate().unwrap();
    let own = params(&["hooks.example"], |_| {}).self_signed(&key).unwrap();
    let own = serve(own.der().clone(), &key).await;

    let cases = [
        (format!("https://hooks.example:{good}/"), "200"),
        (format!("https://127.0.0.1:{numbered}/"), "200"),
        (format!("https://127.0.0.1:{good}/"), "the certificate is for hooks.example"),
        (format!("https://hooks.example:{other}/"), "the certificate is for other.example"),
        (
            format!("https://hooks.example:{many}/"),
            "the certificate is for a.example, *.b.example, c.example and others",
        ),
        (format!("https://hooks.example:{numbered}/"), "the certificate is for 127.0.0.1"),
        (format!("https://hooks.example:{old}/"), "the certificate expired on 2026-01-31"),
        (format!("https://hooks.example:{early}/"), "the certificate is not valid before 2999-12-01"),
        (
            format!("https://hooks.example:{unknown}/"),
            "the certificate is signed by an authority that is not trusted, or by itself",
        ),
        (
            format!("https://hooks.example:{own}/"),
            "the certificate is signed by an authority that is not trusted, or by itself",
        ),
    ];
    let resolver = Resolver::Table(Arc::new(Table::new([("hooks.example", &["127.0.0.1"])])));
    let extra_ca_file = Some(authority.file.clone());
    let world = World::with(Settings { resolver, extra_ca_file, ..Settings::default() }).await;
    let (urls, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let expected: Vec<_> =
        expected
            .into_iter()
            .map(|text| {
                if text == "200" { text.to_owned() } else { format!("A secure connection could not be made: {text}.") }
            })
            .collect();
    assert_eq!(outcomes(&world, &urls).await, expected);
}

/// An authority of our own is trusted only where the operator says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_file_nobody_but_public_authorities_is_trusted() {
    let port = Authority::new("Ours").serve(&["127.0.0.1"], |_| {}).await;
    let world = World::with(Settings::default()).await;
    let said = outcomes(&world, &[format!("https://127.0.0.1:{port}/")]).await;
    assert!(said[0].contains("an authority that is not trusted"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_use_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authorities.pem");
    let start = async || {
        let settings = Settings { extra_ca_file: Some(path.clone()), ..Settings::default() };
        let app = World::without_engine(&settings).await.app.clone();
        let limits = Limits { connect: GUARD, exchange: GUARD };
        Transport::network(&app, limits, Resolver::default()).err().unwrap().replace(path.to_str().unwrap(), "FILE")
    };
    let setting = "the setting --extra-ca-file (BELLWIRE_EXTRA_CA_FILE): FILE: ";
    assert_eq!(start().await, format!("{setting}No such file or directory (os error 2)"));
    std::fs::write(&path, "nothing").unwrap();
    assert_eq!(start().await, format!("{setting}there is no certificate in it"));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(start().await.starts_with(&format!("{setting}it is not PEM: ")));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(start().await.starts_with(&format!("{setting}a certificate in it is not one: ")));
}
