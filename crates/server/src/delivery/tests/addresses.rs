//! Nothing is sent to an address that may not be called, on any path that sends. The sink is a real listener.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    sync::Arc,
    time::Duration,
};

use bellwire_core::{delivery::State, id::WebhookId, time::Timestamp};
use url::Url;

use super::{
    super::resolve::Resolver,
    receiver::{Receiver, Reply},
    table::Table,
    world::{Settings, World},
};
use crate::{
    error::Error,
    ops::{
        self,
        webhooks::{Missed, WebhookPatch},
    },
};

const ADDRESSES: &str = include_str!("../../../../core/tests/addresses.txt");

/// Listens on every address of this machine.
struct Sink(TcpListener);

impl Sink {
    fn new() -> Self {
        let any: [std::net::IpAddr; 2] = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
        let listener = any.iter().find_map(|ip| TcpListener::bind((*ip, 0)).ok()).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A connection that was made and closed again would be found here too.
    fn is_empty(&self) -> bool {
        self.0.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

#[tokio::test]
async fn the_sink_is_real() {
    let sink = Sink::new();
    drop(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, sink.port())).unwrap());
    assert!(!sink.is_empty());
}

/// As if they had been written down by a program that checks nothing: the engine checks by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_forbidden_address_is_connected_to() {
    let sink = Sink::new();
    let world = World::with(Settings { allow: "", ..Settings::default() }).await;
    let forms = ADDRESSES.lines().filter_map(|line| line.strip_prefix("forbidden "));
    let urls: BTreeSet<String> = forms
        .map(|form| {
            let mut url = Url::parse(&serde_json::from_str::<String>(form).unwrap()).unwrap();
            url.set_port(Some(sink.port())).unwrap();
            url.into()
        })
        .collect();
    for url in &urls {
        world.webhook(url).await;
    }
    world.publish(1).await;
    world.rows(urls.len(), "SELECT number FROM attempts").await;
    world.rows(urls.len(), "SELECT number FROM attempts WHERE error = 'address_forbidden'").await;
    assert!(urls.len() >= 250 && sink.is_empty(), "{}", urls.len());
}

fn resolver(names: [(&'static str, &[&str]); 3]) -> Resolver {
    Resolver::Table(Arc::new(Table::new(names)))
}

/// A name can't be judged when it is written down: every way in which anything is sent must judge it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_of_a_forbidden_address_is_refused_on_every_path() {
    let sink = Sink::new();
    let resolver = resolver([
        ("inside.example", &["127.0.0.1"]),
        ("mixed.example", &["192.0.2.1 127.0.0.1"]),
        ("last.example", &["8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 ::ffff:127.0.0.1"]),
    ]);
    let world = World::with(Settings { allow: "192.0.2.1/32", resolver, ..Settings::default() }).await;
    let (app, actor) = (&world.app, &world.actor);
    let mut made = 0;
    let mut expect = async |more: usize| {
        made += more;
        world.rows(made, "SELECT number FROM attempts WHERE error = 'address_forbidden'").await;
    };

    let mut webhooks: Vec<WebhookId> = Vec::new();
    for name in ["inside.example", "mixed.example", "last.example"] {
        webhooks.push(world.webhook(&format!("http://{name}:{}/", sink.port())).await);
    }
    let [first, ..] = webhooks[..] else { unreachable!() };
    world.publish(1).await;
    expect(3).await;
    for webhook in &webhooks {
        ops::webhooks::test(app, actor, *webhook, ops::webhooks::NewTest::default()).await.unwrap();
    }
    expect(3).await;
    let sql =
        format!("SELECT id FROM deliveries WHERE webhook_id = '{first}' AND state = 'pending' AND leased_by IS NULL");
    let delivery = world.row(&sql).await.get("id").unwrap();
    ops::deliveries::resend(app, actor, delivery).await.unwrap();
    expect(1).await;
    // What was held, and what a person replays.
    world.deactivate(first).await;
    world.publish(1).await;
    expect(2).await;
    world.activate(first, Missed::Send).await;
    expect(1).await;
    world
        .execute("UPDATE deliveries SET state = 'failed', leased_by = NULL WHERE webhook_id = $1", &[first.into()])
        .await;
    let all =
        ops::replays::NewReplay { since: Timestamp::default(), until: None, state: State::Failed, event_type: None };
    // Its time is up to now, not included.
    world.app.clock.advance(Duration::from_millis(1));
    ops::replays::create(app, actor, first, all).await.unwrap();
    // Without the test.
    expect(2).await;
    assert!(sink.is_empty());
}

/// The name answers with a permitted address and, when it is asked again, with a forbidden one. Were it resolved once to be
/// checked and once more to be connected to, the sink would be reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let good = Receiver::start(|_| Reply::Status(500)).await;
    let sink = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), good.address.port())).unwrap();
    sink.set_nonblocking(true).unwrap();
    let resolver = resolver([
        ("rebinds.example", &["127.0.0.1", "127.0.0.2"]),
        ("returns.example", &["127.0.0.2", "127.0.0.1"]),
        ("stays.example", &["127.0.0.1"]),
    ]);
    let world = World::with(Settings { allow: "127.0.0.1/32", resolver, ..Settings::default() }).await;
    for name in ["rebinds.example", "returns.example", "stays.example"] {
        world.webhook(&format!("http://{name}:{}/", good.address.port())).await;
    }
    world.publish(1).await;
    // The first answer of each name is the one that counts.
    world.rows(2, "SELECT number FROM attempts WHERE status = 500").await;
    world.rows(1, "SELECT number FROM attempts WHERE error = 'address_forbidden'").await;
    assert_eq!(good.seen().len(), 2);
    assert!(sink.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
}

/// What is refused when a webhook is created or modified, and that nothing is changed then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_not_pointed_at_a_forbidden_address() {
    let world = World::with(Settings { allow: "", ..Settings::default() }).await;
    let webhook = world.webhook("https://example.com/").await;
    for form in ADDRESSES.lines().filter_map(|line| line.strip_prefix("forbidden ")) {
        let url = serde_json::from_str::<String>(form).unwrap().parse().unwrap();
        let patch = WebhookPatch { url: Some(url), ..WebhookPatch::default() };
        let refused = ops::webhooks::update(&world.app, &world.actor, webhook, patch).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid(fields) if fields[0].field == "url"), "{form}: {refused}");
    }
    world.row("SELECT id FROM webhooks WHERE url = 'https://example.com/'").await;
}
