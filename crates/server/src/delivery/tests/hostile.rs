//! Receivers that do harm: each ends within the limits, costs little, and leaves an error that a person understands.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::{
    super::{Limits, resolve::Resolver},
    receiver::{self, Receiver, Reply, pour},
    table::Table,
    world::{Settings, World},
};

/// What was written down of a webhook's only attempt: status, error, message, the length of what was kept of the body.
type Noted = (Option<u32>, Option<String>, Option<String>, usize);

/// Sends one event to each of these and returns what came of it, in their order.
async fn attempts(settings: Settings, urls: &[String]) -> Vec<Noted> {
    let world = World::with(settings).await;
    let mut webhooks = Vec::new();
    for url in urls {
        webhooks.push(world.webhook(url).await);
    }
    world.publish(1).await;
    world.rows(urls.len(), "SELECT number FROM attempts").await;
    let mut noted = Vec::new();
    for webhook in webhooks {
        let sql = "SELECT a.* FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.webhook_id = ";
        let row = world.row(&format!("{sql}'{webhook}'")).await;
        let body = row.get::<Option<Vec<u8>>>("response_body").unwrap().map_or(0, |body| body.len());
        let (status, error) = (row.get("status").unwrap(), row.get("error").unwrap());
        noted.push((status, error, row.get("message").unwrap(), body));
    }
    noted
}

fn failed(code: &str, message: &str) -> Noted {
    (None, Some(code.to_owned()), Some(message.to_owned()), 0)
}

/// Writes this, then keeps the connection open and says no more.
async fn writes(bytes: &'static [u8]) -> String {
    receiver::raw(move |mut stream, _| async move {
        let _ = stream.write_all(bytes).await;
        std::future::pending::<()>().await;
    })
    .await
}

/// Writes this, then closes the connection.
async fn writes_and_closes(bytes: &'static [u8]) -> String {
    receiver::raw(move |mut stream, _| async move {
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
    })
    .await
}

/// Writes the first, then the second for as long as anybody reads.
async fn pours(first: &'static [u8], again: &'static [u8]) -> String {
    receiver::raw(move |mut stream, _| async move {
        let _ = stream.write_all(first).await;
        pour(&mut stream, again).await;
    })
    .await
}

/// Writes the first, then a byte now and then, for ever.
async fn drips(first: &'static [u8]) -> String {
    receiver::raw(move |mut stream, _| async move {
        let _ = stream.write_all(first).await;
        while stream.write_all(b"1").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

/// Does as told with a connection of which nothing was read.
async fn unread<F>(then: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(then(stream));
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_ends_is_ended() {
    let hang = "There was no answer within 3 s.";
    let part = "The answer was not complete within 3 s.";
    let quiet = || {
        unread(|stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
    };
    let cases = [
        (writes(b"").await, failed("timeout", hang)),
        (quiet().await, failed("timeout", hang)),
        (writes(b"HTTP/1.1 200 OK\r\ncontent-le").await, failed("timeout", hang)),
        (drips(b"HTTP/1.1 200 OK\r\nx-slow: ").await, failed("timeout", hang)),
        (writes(b"HTTP/1.1 100 Continue\r\n\r\n").await, failed("timeout", hang)),
        (writes(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nab").await, failed("timeout", part)),
        (writes(b"HTTP/1.1 200 OK\r\n\r\n").await, failed("timeout", part)),
        (drips(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await, failed("timeout", part)),
        (drips(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=").await, failed("timeout", part)),
        // A receiver that accepts the connection and never begins to encrypt it.
        (
            quiet().await.replace("http:", "https:"),
            failed("connect_timeout", "The connection could not be made within 2 s."),
        ),
    ];
    let limits = Limits { connect: Duration::from_secs(2), exchange: Duration::from_secs(3) };
    let (urls, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    assert_eq!(attempts(Settings { limits, ..Settings::default() }, &urls).await, expected);
}

/// One MiB of zeros in 1,051 bytes; any number of them one after the other is one gzip file.
const BOMB: &[u8] = include_bytes!("bomb.gz");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_cut_and_what_is_broken_is_named() {
    let ok = |kept| (Some(200), None, None, kept);
    let too_large = "The answer is not valid HTTP: its headers are too large.";
    let closed = "The receiver closed the connection before its answer was complete.";
    let plain = Receiver::start(|_| Reply::Status(200)).await;
    let cases = [
        // Bodies without end are cut; that the receiver has taken the event was said before.
        (pours(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 8192]).await, ok(4096)),
        (pours(b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n", &[b'x'; 8192]).await, ok(4096)),
        (pours(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n").await, ok(4096)),
        (pours(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", BOMB).await, ok(4096)),
        (pours(b"HTTP/1.1 200 OK\r\nx-large: ", &[b'x'; 8192]).await, failed("protocol_error", too_large)),
        (pours(b"HTTP/1.1 200 OK\r\n", b"x-many: of them\r\n").await, failed("protocol_error", too_large)),
        (
            pours(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n").await,
            failed("protocol_error", "The answer is not valid HTTP: it goes on for more than 256 KiB."),
        ),
        (
            writes_and_closes(b"<html>HTTP/0.9 has no head</html>").await,
            failed("protocol_error", "The answer is not valid HTTP: invalid HTTP version parsed."),
        ),
        (
            writes_and_closes(b"220 mail.example.com ESMTP\r\n\r\n").await,
            failed("protocol_error", "The answer is not valid HTTP: invalid HTTP version parsed."),
        ),
        (writes_and_closes(b"").await, failed("closed_early", closed)),
        (writes_and_closes(b"HTTP/1.1 200 OK\r\ncontent-le").await, failed("closed_early", closed)),
        (writes_and_closes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab").await, failed("closed_early", closed)),
        (
            writes_and_closes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab").await,
            failed("closed_early", closed),
        ),
        (
            receiver::raw(|stream, _| async move { stream.set_zero_linger().unwrap() }).await,
            failed("connection_reset", "The receiver broke the connection off."),
        ),
        ("http://127.0.0.1:1/".to_owned(), failed("connection_refused", "The receiver refused the connection.")),
        (
            plain.url().replace("http:", "https:"),
            failed("tls_failed", "A secure connection could not be made: the receiver does not speak TLS."),
        ),
        (
            "http://nowhere.example/".to_owned(),
            failed("dns_failed", "The name nowhere.example could not be resolved: Name or service not known."),
        ),
        (
            "http://empty.example/".to_owned(),
            failed("dns_failed", "The name empty.example could not be resolved: it has no address."),
        ),
    ];
    let resolver = Resolver::Table(Arc::new(Table::new([("empty.example", &[""])])));
    let (urls, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    assert_eq!(attempts(Settings { resolver, ..Settings::default() }, &urls).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let target = Receiver::start(|_| Reply::Status(200)).await;
    let to = target.url();
    let elsewhere = Receiver::start(move |_| Reply::Redirect(Some(to.clone()))).await;
    // Round and round: it names itself.
    let round = Receiver::start(|_| Reply::Redirect(None)).await;
    let world = World::with(Settings::default()).await;
    for receiver in [&elsewhere, &round] {
        world.webhook(&receiver.url()).await;
    }
    world.publish(1).await;
    world.rows(2, "SELECT number FROM attempts WHERE status = 302 AND error IS NULL").await;
    world.rows(2, "SELECT id FROM deliveries WHERE state = 'pending' AND tries = 1 AND leased_by IS NULL").await;
    let said = "SELECT id FROM webhooks WHERE last_error LIKE '%302 Found (redirects are not followed)%'";
    world.rows(2, said).await;
    assert_eq!((target.seen().len(), elsewhere.seen().len(), round.seen().len()), (0, 1, 1));
}

/// What we ask for, and what is kept: the bytes as they came, never what they would unpack to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_decompressed() {
    let receiver = Receiver::start(|_| Reply::Packed(BOMB)).await;
    let world = World::with(Settings::default()).await;
    world.webhook(&receiver.url()).await;
    world.publish(1).await;
    let kept = world.row("SELECT * FROM attempts WHERE status = 200").await;
    assert_eq!(kept.get::<Vec<u8>>("response_body").unwrap(), BOMB);
    assert!(!receiver.seen()[0].headers.contains_key("accept-encoding"));
}
