//! The examples of docs/receivers.md, taken from the page as it is and run as receivers of real deliveries.
//!
//! What they need is put into `target/receivers` by `scripts/receivers`, which `scripts/test` runs.

use std::{net::TcpListener, path::PathBuf, process::Stdio, time::Duration};

use bellwire::clock::Clock;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::world::{World, world_at};
use crate::support::receiver::Receiver;

#[path = "../../receivers/rust.rs"]
#[expect(unreachable_pub, reason = "as the page shows it")]
mod rust;

const PAGE: &str = include_str!("../../../../../docs/receivers.md");
/// Ends a test that waits for what never comes.
const GUARD: Duration = Duration::from_secs(60);

/// The example in this language below this heading.
fn example(heading: &str, language: &str) -> &'static str {
    let (_, below) = PAGE.split_once(&format!("\n{heading}\n")).expect("the heading is there");
    let (_, code) = below.split_once(&format!("\n```{language}\n")).expect("the example is there");
    code.split_once("```\n").expect("the example ends").0
}

/// Where the languages' packages are.
fn packages() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "../../target".into(), PathBuf::from);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(target).join("receivers");
    folder.canonicalize().expect("run scripts/receivers, which gets what the examples need")
}

/// A running example.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Program {
    /// Starts it with this in its environment, and waits until it listens.
    async fn start(code: &str, file: &str, variable: &str, value: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), code).unwrap();
        std::os::unix::fs::symlink(packages().join("node_modules"), folder.path().join("node_modules")).unwrap();
        let program = if file.ends_with(".py") { packages().join("python/bin/python") } else { PathBuf::from("node") };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(program)
            .arg(file)
            .current_dir(folder.path())
            .env("PORT", port.to_string())
            .env(variable, value)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program = Self { child, lines, port, _folder: folder };
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                assert!(program.child.try_wait().unwrap().is_none(), "{file} has ended");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(GUARD, listens).await.expect("it listens");
        program
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The next line that it prints.
    async fn says(&mut self) -> String {
        let line = tokio::time::timeout(GUARD, self.lines.next_line());
        line.await.expect("it prints something").unwrap().expect("it goes on")
    }

    /// Sends what was delivered to somebody else, changed: it must be refused.
    async fn refuses_changes(&self, headers: &HeaderMap, body: &[u8]) {
        let old = (headers["webhook-timestamp"].to_str().unwrap().parse::<i64>().unwrap() - 301).to_string();
        for (change, value) in
            [("body", ""), ("webhook-id", "evt_1"), ("webhook-timestamp", &old), ("webhook-signature", "v1,AAAA")]
        {
            let mut request = http::Request::post("/").header("host", "receiver");
            for (name, was) in headers.iter().filter(|(name, _)| name.as_str().starts_with("webhook-")) {
                request = request.header(name, if name == change { value.as_bytes() } else { was.as_bytes() });
            }
            let mut body = body.to_vec();
            if change == "body" {
                body[20] ^= 1;
            }
            assert_eq!(send(self.port, request, body).await, StatusCode::BAD_REQUEST, "{change}");
        }
    }
}

async fn send(port: u16, request: http::request::Builder, body: Vec<u8>) -> StatusCode {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let body = http_body_util::Full::new(bytes::Bytes::from(body));
    let status = sender.send_request(request.body(body).unwrap()).await.unwrap().status();
    connection.abort();
    status
}

/// A webhook that signs with a key pair too; its id, secret and public key.
async fn webhook(world: &World, url: &str) -> (String, String, String) {
    let made = world.ask("POST", "/api/v1/webhooks", json!({"url": url, "event_types": ["user.*"]})).await;
    let id = made.text("/id");
    world.ask("PATCH", &format!("/api/v1/webhooks/{id}"), json!({"key_pair": true})).await;
    let secret = world.ask("GET", &format!("/api/v1/webhooks/{id}/secret"), Value::Null).await;
    (id, secret.text("/secret"), secret.text("/public_key"))
}

async fn publish(world: &World) -> String {
    world.ask("POST", "/api/v1/events", json!({"type": "user.left", "data": {"name": "Zoë"}})).await.text("/id")
}

/// Waits until each of the webhook's deliveries is delivered: that the example's answer was 204.
async fn delivered(world: &World, webhook: &str, count: usize) {
    let path = format!("/api/v1/webhooks/{webhook}/deliveries?state=delivered");
    let all = async {
        while world.ask("GET", &path, Value::Null).await.json()["data"].as_array().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(GUARD, all).await.expect("the deliveries are taken");
}

/// Points a webhook at the example, sends it an event, rotates the secret (with an overlap) and sends it another one.
async fn takes_deliveries(heading: &str, language: &str, file: &str, variable: &str) {
    // The libraries read the real clock.
    let world = world_at(Clock::System.now()).await;
    let plain = Receiver::start().await;
    let (id, secret, public_key) = webhook(&world, &plain.url()).await;
    let value = if variable == "WEBHOOK_PUBLIC_KEY" { &public_key } else { &secret };
    let mut program = Program::start(example(heading, language), file, variable, value).await;
    publish(&world).await;
    let sample = plain.wait_for(1).await.remove(0);
    program.refuses_changes(&sample.headers, &sample.body).await;

    world.ask("PATCH", &format!("/api/v1/webhooks/{id}"), json!({"url": program.url()})).await;
    let event = publish(&world).await;
    assert!(program.says().await.starts_with(&event));
    delivered(&world, &id, 2).await;
    world.ask("POST", &format!("/api/v1/webhooks/{id}/secret/rotate"), json!({"overlap_seconds": 60})).await;
    let event = publish(&world).await;
    assert!(program.says().await.starts_with(&event), "the old secret signs too");
    delivered(&world, &id, 3).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_example_takes_deliveries() {
    takes_deliveries("### Python", "python", "receiver.py", "WEBHOOK_SECRET").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_example_takes_deliveries() {
    takes_deliveries("### JavaScript", "javascript", "receiver.mjs", "WEBHOOK_SECRET").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_with_a_public_key_takes_deliveries() {
    takes_deliveries("## With a public key", "javascript", "receiver.mjs", "WEBHOOK_PUBLIC_KEY").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_example_takes_deliveries() {
    assert_eq!(example("### Rust", "rust"), include_str!("../../receivers/rust.rs"), "what is shown is what is run");
    let world = world_at(Clock::System.now()).await;
    let receiver = Receiver::start().await;
    let (id, secret, _) = webhook(&world, &receiver.url()).await;
    let known = secret.clone();
    receiver.answer_with(move |request| {
        let status = rust::receive(&known, &request.headers, &request.body);
        crate::support::receiver::Answer::status(status.as_u16())
    });
    publish(&world).await;
    delivered(&world, &id, 1).await;
    world.ask("POST", &format!("/api/v1/webhooks/{id}/secret/rotate"), json!({"overlap_seconds": 60})).await;
    publish(&world).await;
    delivered(&world, &id, 2).await;
    let sample = receiver.wait_for(2).await.remove(1);
    assert_eq!(sample.header("webhook-signature").unwrap().split(' ').count(), 3, "two secrets and the key pair");
    for change in 0..sample.body.len() {
        let mut body = sample.body.to_vec();
        body[change] ^= 1;
        assert_eq!(rust::receive(&secret, &sample.headers, &body), StatusCode::BAD_REQUEST);
    }
    world.server.stop().await;
}
