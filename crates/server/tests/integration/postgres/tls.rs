//! Encrypted connections to a real PostgreSQL: what each `sslmode` accepts and refuses, as libpq's manual has it.

use bellwire::db::{Db, DbError};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::support::postgres::Server;

/// An authority of our own: its certificate, and one that it signed for `localhost`, with the key.
fn certificates(name: &str) -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (authority, certificate.pem(), key.serialize_pem())
}

/// Whether a connection of ours is encrypted, or why there is none.
async fn encrypted(url: &str) -> Result<bool, String> {
    let db = Db::connect(url).await.map_err(|error| error.to_string())?;
    let sql = "SELECT CASE WHEN ssl THEN 1 ELSE 0 END AS ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = db.read(move |conn| Box::pin(async move { conn.query_one(sql, &[]).await }));
    row.await.map_err(|error: DbError| error).unwrap().get("ssl").map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sslmode_trusts_as_far_as_it_says() {
    let (authority, certificate, key) = certificates("Ours");
    let files = [("server.crt", certificate.as_str()), ("server.key", key.as_str())];
    let Some(server) = Server::start_with(&["ssl=on"], &files).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.pem");
    std::fs::write(&ours, authority).unwrap();
    let theirs = folder.path().join("theirs.pem");
    std::fs::write(&theirs, certificates("Theirs").0).unwrap();
    let (ours, theirs) = (ours.display(), theirs.display());

    for (host, parameters, expected) in [
        ("localhost", String::new(), Ok(true)),
        ("localhost", "?sslmode=disable".to_owned(), Ok(false)),
        ("localhost", "?sslmode=require".to_owned(), Ok(true)),
        ("localhost", format!("?sslmode=require&sslrootcert={theirs}"), Err("UnknownIssuer")),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={ours}"), Ok(true)),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={theirs}"), Err("UnknownIssuer")),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={ours}"), Ok(true)),
        ("127.0.0.1", format!("?sslmode=verify-full&sslrootcert={ours}"), Err("not valid for name")),
        ("localhost", "?sslmode=verify-full".to_owned(), Err("UnknownIssuer")),
        ("localhost", "?sslmode=verify-full&sslrootcert=system".to_owned(), Err("UnknownIssuer")),
    ] {
        match (encrypted(&format!("{}{parameters}", server.url_of(host))).await, expected) {
            (Ok(is), Ok(expected)) => assert_eq!(is, expected, "{host} {parameters}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{host} {parameters}: {error}"),
            (got, _) => panic!("{host} {parameters}: {got:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_encrypt_is_refused_when_encryption_is_required() {
    let Some(server) = Server::start().await else { return };
    assert_eq!(encrypted(&server.url()).await, Ok(false));
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = encrypted(&format!("{}?sslmode={mode}", server.url())).await.unwrap_err();
        assert!(error.contains("server does not support TLS"), "{mode}: {error}");
    }
}
