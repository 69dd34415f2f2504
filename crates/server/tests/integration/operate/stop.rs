//! SIGTERM: readiness goes red first, what was begun is finished, and a second signal ends it at once.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Machine, number, signal, until};
use crate::support::receiver::{Answer, Receiver};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_goes_red_while_everything_is_still_answered() {
    let machine = Machine::new().with("BELLWIRE_DRAIN_DELAY", "10s");
    let client = machine.bootstrap().await;
    let mut server = machine.serve().await;
    signal(&server, "-TERM").await;
    let ready = async || client.request("GET", "/readyz", &Value::Null).await;
    until("red", async || ready().await.is_ok_and(|(status, _)| status == 503)).await;
    let event = json!({"type": "user.blocked", "data": {}});
    let (status, answer) = client.request("POST", "/api/v1/events", &event).await.expect("the port is still open");
    assert_eq!(status, 202, "{answer}");
    assert_eq!(client.request("GET", "/healthz", &Value::Null).await.unwrap().0, 200);

    signal(&server, "-TERM").await;
    let status = server.wait().await.unwrap();
    assert_eq!(status.code(), Some(1), "told twice: it ends at once, and says so");
    assert_eq!(number(&machine.path("bellwire.db"), "SELECT COUNT(*) FROM events WHERE type = 'user.blocked'"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_is_finished_and_written() {
    let machine = Machine::new().with("BELLWIRE_DRAIN_DELAY", "0s");
    let client = machine.bootstrap().await;
    let receiver = Receiver::start().await;
    // The answer is held until the test lets it go.
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    receiver.answer_with(move |_| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(10));
        Answer::status(204)
    });
    let mut server = machine.serve().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.blocked"]});
    assert_eq!(client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap().0, 201);
    let event = json!({"type": "user.blocked", "data": {}});
    assert_eq!(client.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
    receiver.wait_for(1).await;

    signal(&server, "-TERM").await;
    until("the port closed", async || client.request("GET", "/healthz", &Value::Null).await.is_err()).await;
    release.send(()).unwrap();
    assert!(server.wait().await.unwrap().success());
    let delivered = "SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'";
    assert_eq!(number(&machine.path("bellwire.db"), delivered), 1, "the answer was waited for and written");
}
