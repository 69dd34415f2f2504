//! Commands that change something, beside a server that is at work.

use serde_json::{Value, json};

use super::{Machine, until};
use crate::support::{client::Client, receiver::Receiver};

#[tokio::test]
async fn a_key_is_made_and_a_password_reset_while_a_server_runs() {
    let machine = Machine::new();
    let client = machine.bootstrap().await;
    let receiver = Receiver::start().await;
    let _server = machine.serve().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["api_key.created"]});
    assert_eq!(client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap().0, 201);

    let printed =
        machine.done(&["api-key", "create", "--workspace", "Acme", "--name", "Deploy", "--role", "admin"], "").await;
    let made: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&made["name"], &made["roles"]), (&json!("Deploy"), &json!(["Admin"])));
    let key = Client { address: machine.address, key: made["secret"].as_str().unwrap().to_owned() };
    let (status, seen) = key.request("GET", "/api/v1/api-keys", &Value::Null).await.unwrap();
    assert_eq!(status, 200);
    assert!(!seen.to_string().contains(&key.key), "the secret is told once");
    // The server did not know of it, and sends it all the same.
    let told = receiver.wait_for(1).await;
    assert_eq!(told[0].json()["data"]["object"]["id"], made["id"]);

    let reset = ["user", "reset-password", "--email", "ann@example.com", "--password-stdin"];
    let printed = machine.done(&reset, "an even longer password\n").await;
    assert_eq!(printed, "ann@example.com has a new password, and is signed out everywhere\n");
    assert_eq!(
        machine.run(&reset, "short\n").await.stderr,
        "bellwire: password: must be at least 12 characters long\n"
    );
    let nobody = machine
        .run(&["user", "reset-password", "--email", "no@example.com", "--password-stdin"], "a long enough password")
        .await;
    assert_eq!(nobody.stderr, "bellwire: email: nobody has no@example.com\n");
    let said = machine.refused(&["api-key", "create", "--name", "X", "--role", "Boss"]).await;
    assert_eq!(said, "role: there is no role \"Boss\"; there are Owner, Admin, Member");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_key_signs_with_the_same_secrets() {
    let machine = Machine::new().with("BELLWIRE_DRAIN_DELAY", "0s");
    let client = machine.bootstrap().await;
    let receiver = Receiver::start().await;
    let mut server = machine.serve().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.blocked"]});
    let (_, webhook) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    super::signal(&server, "-TERM").await;
    server.wait().await.unwrap();

    let old = std::fs::read(machine.path("bellwire.key")).unwrap();
    let said = machine.done(&["key", "rotate"], "").await;
    assert!(said.starts_with("bellwire.key holds a new key; 1 secrets were sealed with it."), "{said}");
    assert_ne!(std::fs::read(machine.path("bellwire.key")).unwrap(), old);

    let _server = machine.serve().await;
    let event = json!({"type": "user.blocked", "data": {}});
    assert_eq!(client.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
    let received = &receiver.wait_for(1).await[0];
    let verifier = standardwebhooks::Webhook::new(webhook["secret"].as_str().unwrap()).unwrap();
    verifier.verify(&received.body, &received.headers).unwrap();
    std::fs::write(machine.path("old.key"), old).unwrap();
    let before = Machine::new()
        .with("BELLWIRE_DATABASE_URL", format!("sqlite:{}", machine.path("bellwire.db").display()))
        .with("BELLWIRE_MASTER_KEY_FILE", machine.path("old.key").display().to_string());
    let said = before.refused(&["api-key", "create", "--name", "X"]).await;
    assert!(said.contains("is not the master key of this database"), "{said}");
    until("the delivery is written", async || {
        super::number(&machine.path("bellwire.db"), "SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'") == 1
    })
    .await;
}
