//! Receivers that do harm, and addresses that may not be called.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use tokio::io::AsyncWriteExt;

use super::{
    super::Limits,
    receiver::{self, Receiver, Reply},
    world::{Settings, World, world},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_delays_nobody_else() {
    let hanging = Receiver::start(|_| Reply::Hang).await;
    let good = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    world.webhook(&hanging.url()).await;
    let webhook = world.webhook(&good.url()).await;
    for _ in 0..20 {
        world.publish(50).await;
    }
    let sql = format!("SELECT id FROM deliveries WHERE state = 'delivered' AND webhook_id = '{webhook}'");
    world.rows(1000, &sql).await;
    assert!(hanging.seen().len() <= 2, "a receiver that never answered gets few requests at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_ends_at_its_deadline() {
    let hanging = Receiver::start(|_| Reply::Hang).await;
    let dripping = receiver::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nab").await;
        std::future::pending::<()>().await;
    })
    .await;
    let limits = Limits { connect: Duration::from_millis(100), exchange: Duration::from_millis(100) };
    let world = World::with(Settings { limits, ..Settings::default() }).await;
    world.webhook(&hanging.url()).await;
    world.webhook(&dripping).await;
    world.publish(1).await;
    let rows = world.rows(2, "SELECT * FROM attempts WHERE error = 'timeout' AND status IS NULL").await;
    assert_eq!(rows[0].get::<Option<String>>("message").unwrap().unwrap(), "The receiver did not answer in time.");
    world.rows(2, "SELECT id FROM deliveries WHERE state = 'pending' AND tries = 1 AND leased_by IS NULL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_answer_is_cut_and_a_broken_one_is_named() {
    let endless = receiver::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        receiver::pour(&mut stream, &[b'x'; 8192]).await;
    })
    .await;
    let headers = receiver::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        receiver::pour(&mut stream, b"x-header: some value that is repeated\r\n").await;
    })
    .await;
    let nonsense = receiver::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n\r\n").await;
    })
    .await;
    let closing = receiver::raw(|stream, _| async move { drop(stream) }).await;
    let world = world().await;
    let mut webhooks = Vec::new();
    for url in [&endless, &headers, &nonsense, &closing, "http://127.0.0.1:1/"] {
        webhooks.push(world.webhook(url).await);
    }
    let plain = Receiver::start(|_| Reply::Status(200)).await;
    let no_tls = world.webhook(&plain.url().replace("http:", "https:")).await;
    world.publish(1).await;
    world.rows(6, "SELECT number FROM attempts").await;
    let of = async |webhook| {
        let sql = "SELECT a.* FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.webhook_id = ";
        world.row(&format!("{sql}'{webhook}'")).await
    };
    let cut = of(webhooks[0]).await;
    assert_eq!(cut.get::<Option<u32>>("status").unwrap(), Some(200));
    assert_eq!(cut.get::<Vec<u8>>("response_body").unwrap(), [b'x'; 4096]);
    let mut errors = Vec::new();
    for webhook in webhooks[1..].iter().chain([&no_tls]) {
        errors.push(of(*webhook).await.get::<String>("error").unwrap());
    }
    // What closes without an answer may show as a reset, when bytes were still on the way.
    assert!(["closed_early", "connection_reset"].contains(&errors[2].as_str()), "{errors:?}");
    errors.remove(2);
    assert_eq!(errors, ["protocol_error", "protocol_error", "connection_refused", "tls_failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    // Answers one request on each connection, says nothing about closing it, and closes it.
    let once = receiver::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    let world = world().await;
    world.webhook(&once).await;
    for count in 1..=5 {
        world.publish(1).await;
        world.rows(count, "SELECT id FROM deliveries WHERE state = 'delivered' AND attempts = 1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_a_forbidden_address() {
    let sink = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    sink.set_nonblocking(true).unwrap();
    let port = sink.local_addr().unwrap().port();
    let world = World::with(Settings { allow: "", ..Settings::default() }).await;
    let hosts = [
        "127.0.0.1",
        "localhost",
        "a.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "0x7f.1",
    ];
    for host in hosts {
        world.webhook(&format!("http://{host}:{port}/")).await;
    }
    world.publish(1).await;
    world.rows(hosts.len(), "SELECT number FROM attempts WHERE error = 'address_forbidden'").await;
    assert_eq!(sink.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// The name is not known to be this machine's before it is resolved, as with a receiver whose name changes its address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_a_name_resolves_to_is_checked() {
    use bellwire_core::{address::AddressPolicy, delivery::SendError};

    use super::super::dial::{Dialer, Failure};
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    // The first spelling of the name passes the check of the URL, because 127.0.0.1 is allowed; ::1 is not.
    let found: Vec<_> = tokio::net::lookup_host(("localhost", receiver.address.port())).await.unwrap().collect();
    let allow = |network: &str| Dialer::new(AddressPolicy::new(vec![network.parse().unwrap()]));
    let url = format!("http://localhost:{}/", receiver.address.port()).parse().unwrap();
    let outcome = allow("127.0.0.1/32").dial(&url, super::world::GUARD).await;
    if found.iter().all(|address| address.is_ipv4()) {
        assert!(outcome.is_ok());
    } else {
        assert!(matches!(outcome, Err(Failure::Attempt(SendError::AddressForbidden(_)))));
    }
    assert!(matches!(
        allow("192.0.2.0/24").dial(&url, super::world::GUARD).await,
        Err(Failure::Attempt(SendError::AddressForbidden(_)))
    ));
    assert!(receiver.connections.load(SeqCst) <= 1);
    assert!(receiver.seen().is_empty());
}
