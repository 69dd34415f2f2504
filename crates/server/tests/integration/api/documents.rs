//! What needs no key: the OpenAPI document, its page, and what machines ask.

use serde_json::Value;

use super::world::{world, worlds};

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let world = world().await;
    let document = world.send("GET", "/api/v1/openapi.json", &[], "").await;
    assert_eq!(document.json(), bellwire::api::openapi::document());
    let page = world.send("GET", "/api/docs", &[], "").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(html.contains("Create a webhook") && html.contains("/api/docs.css"));
    let style = world.send("GET", "/api/docs.css", &[], "").await;
    assert_eq!((style.status.as_u16(), style.header("content-type")), (200, "text/css; charset=utf-8"));
    world.server.stop().await;
}

#[tokio::test]
async fn machines_see_that_it_works() {
    for world in worlds().await {
        for path in ["/healthz", "/readyz"] {
            let answer = world.send("GET", path, &[], "").await;
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"ok"[..]), "{path}");
        }
        world.ask("GET", "/api/v1/nothing", Value::Null).await;
        let metrics = world.send("GET", "/metrics", &[], "").await;
        let text = String::from_utf8(metrics.body.to_vec()).unwrap();
        assert!(text.contains(&format!("database=\"{}\"", world.server.app.db.engine())), "{text}");
        assert!(text.contains("bellwire_http_requests_total{part=\"api\",status=\"4xx\"} 1\n"), "{text}");
        world.server.stop().await;
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let world = world().await;
    for path in ["/api/v1/webhooks", "/api/v1/nothing", "/api/docs", "/healthz"] {
        let answer = world.send("GET", path, &[], "").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
    }
    world.server.stop().await;
}
