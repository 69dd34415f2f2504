//! Where webhooks may not lead is refused when they are made and when they are modified, in every spelling.

use serde_json::json;

use super::world::closed_world;

const ADDRESSES: &str = include_str!("../../../../core/tests/addresses.txt");

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_is_taken() {
    let world = closed_world().await;
    let made =
        world.ask("POST", "/api/v1/webhooks", json!({"url": "https://a.example.com/", "event_types": ["*"]})).await;
    let path = format!("/api/v1/webhooks/{}", made.text("/id"));
    let (mut refused, mut taken) = (0, 0);
    for line in ADDRESSES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (verdict, form) = line.split_once(' ').unwrap();
        let url: serde_json::Value = serde_json::from_str(form).unwrap();
        let modified = world.ask("PATCH", &path, json!({"url": url})).await;
        if matches!(verdict, "forbidden" | "refused") {
            let created = world.ask("POST", "/api/v1/webhooks", json!({"url": url, "event_types": ["*"]})).await;
            for answer in [&created, &modified] {
                assert_eq!((answer.status.as_u16(), answer.text("/errors/0/field")), (422, "url".to_owned()), "{form}");
            }
            refused += 1;
        } else {
            assert_eq!(modified.status.as_u16(), 200, "{form}");
            taken += 1;
        }
    }
    assert!(refused >= 500 && taken >= 50, "{refused} {taken}");
    world.server.stop().await;
}
