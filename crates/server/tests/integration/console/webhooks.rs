//! `/webhooks`: as a file, for several at once, and how much of it goes over the wire.

use http::Method;

use super::browser::{Answer, Browser, Console};

async fn create(ann: &mut Browser, url: &str) {
    let fields = [("url", url), ("event_types", "users.*"), ("event_types", "roles.*"), ("description", "=1+1,\"x\"")];
    ann.post("/webhooks", &fields).await.leads_to("/webhooks");
}

/// The id of the first webhook of the list.
fn first_id(list: &Answer) -> String {
    let box_of_row = list.body.split("name=\"ids\" value=\"").nth(1).unwrap();
    box_of_row.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_list_is_a_file_too() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    for name in ["b", "a", "c"] {
        create(&mut ann, &format!("https://{name}.example.com/")).await;
    }
    ann.get("/webhooks?sort=url&order=asc").await.says("/webhooks.csv?sort=url&#38;order=asc");
    let csv = ann.get("/webhooks.csv?sort=url&order=asc").await.is(200);
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert!(csv.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"webhooks.csv"));
    let lines: Vec<&str> = csv.body.split("\r\n").collect();
    assert_eq!((lines.len(), lines[4]), (5, ""));
    assert!(lines[0].starts_with("id,url,description,actor_types,"));
    for (line, name) in lines[1..4].iter().zip(["a", "b", "c"]) {
        assert!(line.contains(&format!(",https://{name}.example.com/,\"'=1+1,\"\"x\"\"\",users roles,")), "{line}");
    }
    let json = ann.get("/webhooks.json?q=b.example").await.is(200);
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!((json["data"].as_array().unwrap().len(), &json["next"]), (1, &serde_json::Value::Null));
    assert_eq!(
        (&json["data"][0]["url"], &json["data"][0]["status"]),
        (&"https://b.example.com/".into(), &"active".into())
    );
    let none = ann.get("/webhooks.json?status=paused").await.is(200);
    assert!(none.body.contains("\"data\": []"), "{}", none.body);

    let mut sam = console.member(&mut ann).await;
    for path in ["/webhooks.csv", "/webhooks.json", "/webhooks/selected?change=delete"] {
        sam.get(path).await.is(403);
    }
}

#[tokio::test]
async fn the_selected_ones_are_changed_after_a_question() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    create(&mut ann, "https://a.example.com/").await;
    let id = first_id(&ann.get("/webhooks").await);
    ann.dialog(&format!("/webhooks/selected?change=deactivate&ids={id}"))
        .await
        .is(200)
        .says("Deactivate 1 webhook")
        .says("https://a.example.com/")
        .says(&format!("name=\"ids\" value=\"{id}\""));
    ann.post("/webhooks/selected", &[("change", "deactivate"), ("ids", &id)]).await.leads_to("/webhooks");
    ann.get("/webhooks").await.says("1 webhook was turned off.").says("aria-checked=\"false\"");
    ann.get("/webhooks/selected").await.leads_to("/webhooks");
    ann.get("/webhooks/selected?change=delete").await.leads_to("/webhooks");
    ann.get("/webhooks").await.says("Select at least one webhook.");
    ann.get(&format!("/webhooks/selected?change=explode&ids={id}")).await.is(400);
    ann.post("/webhooks/selected", &[("change", "explode"), ("ids", &id)]).await.is(400);
}

/// The first page with 50 rows that say much, its stylesheet and its script.
#[tokio::test]
async fn the_first_page_is_at_most_30_kb_over_the_wire() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    for number in 0..50 {
        let url =
            format!("https://hooks-{number}.eu-central-1.example.net/{:x}/account-events", number * 7_919 + 65_537);
        let fields = [
            ("url", url.as_str()),
            ("event_types", "users.*"),
            ("event_types", "invite.created"),
            ("event_types", "groups.*"),
            ("event_types", "roles.*"),
            ("event_types", "api_keys.*"),
            ("event_types", "state_changes.*"),
            ("description", "Into the warehouse"),
        ];
        ann.post("/webhooks", &fields).await.leads_to("/webhooks");
    }
    ann.get("/webhooks").await;
    let mut sizes = Vec::new();
    let page = ann.get("/webhooks").await;
    let assets = ["/static/console.css", "/static/console.js"].map(|name| {
        let from = page.body.find(name).unwrap();
        page.body[from..].split('"').next().unwrap().to_owned()
    });
    for path in [&["/webhooks".to_owned()][..], &assets[..]].concat() {
        let answer = ann.send(Method::GET, &path, &[("accept-encoding", "gzip")], String::new()).await.is(200);
        assert_eq!(answer.headers["content-encoding"], "gzip");
        sizes.push((path, answer.length));
    }
    let total: usize = sizes.iter().map(|(_, bytes)| bytes).sum();
    assert!(total <= 30 * 1024, "{total} bytes: {sizes:?}");
}

#[tokio::test]
async fn a_page_with_a_secret_is_not_compressed() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    create(&mut ann, "https://a.example.com/").await;
    let id = first_id(&ann.get("/webhooks").await);
    for path in [format!("/webhooks/{id}/secret"), "/webhooks/new".to_owned()] {
        let answer = ann.send(Method::GET, &path, &[("accept-encoding", "gzip")], String::new()).await.is(200);
        assert!(!answer.headers.contains_key("content-encoding"), "{path}");
    }
}
