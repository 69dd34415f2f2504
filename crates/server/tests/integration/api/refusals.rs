//! What the API refuses: requests without a key, of the wrong form, and about what belongs to others.

use serde_json::{Value, json};

use super::world::{Answer, World, assert_shown, assert_text, world, worlds};

/// Every operation of the document: the method, and the path with ids that nobody has.
fn operations() -> Vec<(String, String)> {
    let document = bellwire::api::openapi::document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut path = path.clone();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] == "path" {
                    path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), "wh_unknown");
                }
            }
            assert!(!path.contains('{'), "a parameter of {path} is not described");
            operations.push((method.to_uppercase(), path));
        }
    }
    assert!(operations.len() > 40);
    operations
}

#[tokio::test]
async fn nothing_without_a_key() {
    let world = world().await;
    let no_key = world.send("GET", "/api/v1/webhooks", &[], "").await;
    assert_shown!(no_key, @r#"
    401 Unauthorized
    www-authenticate: Bearer
    {
      "type": "about:blank",
      "title": "Unauthorized",
      "status": 401,
      "detail": "sign in first, or send a valid API key",
      "code": "unauthenticated"
    }
    "#);
    let json = ("content-type", "application/json");
    for (method, path) in operations() {
        for headers in [
            vec![json],
            vec![json, ("authorization", "Bearer")],
            vec![json, ("authorization", "Bearer bw_wrong")],
            vec![json, ("authorization", "Basic YTpi")],
            vec![json, ("authorization", &world.acme.api_key)],
            vec![json, ("cookie", "session=x")],
        ] {
            let answer = world.send(&method, &path, &headers, "{").await;
            assert_eq!((answer.status.as_u16(), &answer.body), (401, &no_key.body), "{method} {path} {headers:?}");
        }
    }
    world.server.stop().await;
}

/// An unknown id, no id at all and an id of another workspace can't be told apart.
#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    for world in worlds().await {
        let theirs = async |path: &str, body: Value| {
            world.ask_as(&world.other.api_key, "POST", &format!("/api/v1/{path}"), body).await.text("/id")
        };
        let webhook = theirs("webhooks", json!({"url": "https://o.example.com", "event_types": ["*"]})).await;
        let event = theirs("events", json!({"type": "user.left", "data": {}})).await;
        let invite = theirs("invites", json!({"email": "x@example.com"})).await;
        let api_key = theirs("api-keys", json!({"name": "K"})).await;
        let user = world.other.user_id.to_string();
        let of_key = async |path: &str| world.ask_as(&world.other.api_key, "GET", path, Value::Null).await;
        let role = of_key("/api/v1/roles").await.text("/data/0/id");
        let replayed = theirs(&format!("webhooks/{webhook}/replay"), json!({"since": "2026-11-23T00:00:00Z"})).await;
        let delivery = of_key(&format!("/api/v1/webhooks/{webhook}/deliveries")).await.text("/data/0/id");
        let ids = [
            ("/webhooks/", webhook.as_str()),
            ("/deliveries/", &delivery),
            ("/replays/", &replayed),
            ("/events/", &event),
            ("/users/", &user),
            ("/invites/", &invite),
            ("/roles/", &role),
            ("/api-keys/", &api_key),
        ];
        let mut asked = 0;
        for (method, path) in operations() {
            let Some((prefix, id)) = ids.iter().find(|(prefix, _)| path.contains(&format!("{prefix}wh_unknown")))
            else {
                continue;
            };
            let body = match path.rsplit('/').next().unwrap() {
                "replay" => json!({"since": "2026-11-23T00:00:00Z"}),
                _ if method == "PATCH" && *prefix != "/webhooks/" => json!({"name": "N"}),
                _ if method == "PATCH" => json!({"description": "D"}),
                _ => Value::Null,
            };
            let mut answers = Vec::new();
            let unknown = format!("{}_01kjw16mm0em4ry1jygtts6an2", id.split_once('_').unwrap().0);
            for tried in [id, unknown.as_str(), "wh_unknown", "%FF", "%00", "x"] {
                let member = format!("members/{}", world.acme.user_id);
                let path = path.replace("members/wh_unknown", &member).replace("wh_unknown", tried);
                let Answer { status, body, .. } = world.ask(&method, &path, body.clone()).await;
                assert_eq!(status, 404, "{method} {path} {}", String::from_utf8_lossy(&body));
                answers.push(body);
            }
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{method} {path}: {answers:?}");
            asked += 1;
        }
        assert!(asked > 25, "{asked}");
        // It is all still there for its owner.
        assert_eq!(of_key(&format!("/api/v1/webhooks/{webhook}")).await.status, 200);
        world.server.stop().await;
    }
}

async fn problem(world: &World, method: &str, path: &str, body: Value) -> String {
    let answer = world.ask(method, path, body).await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status.as_u16());
    format!("{} {}: {}", answer.status.as_u16(), problem["code"].as_str().unwrap(), problem["detail"].as_str().unwrap())
}

#[tokio::test]
async fn wrong_fields_are_named() {
    for world in worlds().await {
        let with = |field: &str, value: Value| {
            let mut body = json!({"url": "https://a.example.com", "event_types": ["user.*"]});
            body[field] = value;
            body
        };
        let create = async |body: Value| problem(&world, "POST", "/api/v1/webhooks", body).await;
        assert_shown!(world.ask("POST", "/api/v1/webhooks", with("url", json!("ftp://a.example.com"))).await, @r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "url: The URL must begin with https:// or http://.",
          "code": "invalid",
          "errors": [
            {
              "field": "url",
              "message": "The URL must begin with https:// or http://."
            }
          ]
        }
        "#);
        assert_text!(create(json!({})).await, @"422 invalid: url: is missing");
        assert_text!(create(json!([1])).await, @"422 invalid: body: must be a JSON object");
        assert_text!(create(with("colour", json!(1))).await, @"422 invalid: colour: is not known here: expected one of url, event_types, description, headers, rate_limit");
        assert_text!(create(with("url", json!(5))).await, @"422 invalid: url: must be a string, not integer 5");
        assert_text!(create(with("url", json!("http://10.0.0.1/"))).await, @"422 invalid: url: webhooks can't be sent there: 10.0.0.1 is a private address (RFC 1918)");
        assert_text!(create(with("url", json!("http://[::ffff:10.0.0.1]/"))).await, @"422 invalid: url: webhooks can't be sent there: ::ffff:10.0.0.1 is an IPv4-mapped address (RFC 4291)");
        assert_text!(create(with("event_types", json!([]))).await, @"422 invalid: event_types: choose at least one event type");
        assert_text!(create(with("event_types", json!(["user.bloked"]))).await, @r#"422 invalid: event_types: unknown event type "user.bloked", did you mean "user.blocked"?"#);
        assert_text!(create(with("event_types", json!(["webhook.test"]))).await, @"422 invalid: event_types: webhook.test can't be subscribed to");
        assert_text!(create(with("rate_limit", json!(0))).await, @"422 invalid: rate_limit: must be from 1 to 10000 requests per second");
        assert_text!(create(with("rate_limit", json!(-1))).await, @"422 invalid: rate_limit: must be a whole number, 0 or more, not integer -1");
        assert_text!(create(with("headers", json!({"host": "x"}))).await, @"422 invalid: headers: the header host can't be set");
        assert_text!(create(with("headers", json!({"x-a": "b\r\nc: d"}))).await, @"422 invalid: headers: the value of the header x-a must be at most 1024 visible ASCII characters");
        assert_text!(create(with("description", json!("x".repeat(501)))).await, @"422 invalid: description: must be at most 500 characters long");
        assert_text!(create(with("description", json!("\u{202e}"))).await, @"422 invalid: description: must not contain control characters");

        let list = async |query: &str| problem(&world, "GET", &format!("/api/v1/webhooks?{query}"), Value::Null).await;
        assert_text!(list("limit=0").await, @"422 invalid: limit: must be from 1 to 200");
        assert_text!(list("limit=201").await, @"422 invalid: limit: must be from 1 to 200");
        assert_text!(list("limit=many").await, @"422 invalid: limit: must be a whole number, 0 or more");
        assert_text!(list("limit=1&limit=2").await, @"422 invalid: limit: must be given once only");
        assert_text!(list("cursor=x").await, @"422 invalid: cursor: this is not a cursor that a list has given you");
        assert_text!(list("sort=colour").await, @"422 invalid: sort: unknown value colour, expected one of url, owner, created_at, status");
        assert_text!(list("order=up").await, @"422 invalid: order: unknown value up, expected asc or desc");
        assert_text!(list("page=2").await, @"422 invalid: page: is not known here: expected one of limit, cursor, sort, order, search, status, actor_type");
        world.server.stop().await;
    }
}

#[tokio::test]
async fn bodies_have_a_form_and_a_size() {
    let world = world().await;
    let authorization = format!("Bearer {}", world.acme.api_key);
    let send = async |content_type: &str, body: String| {
        let headers = [("authorization", authorization.as_str()), ("content-type", content_type)];
        world.send("POST", "/api/v1/events", &headers, body).await
    };
    let fine = json!({"type": "user.blocked", "data": {}}).to_string();
    assert_eq!(send("application/json", fine.clone()).await.status, 202);
    assert_shown!(send("text/plain", fine.clone()).await, @r#"
    415 Unsupported Media Type
    {
      "type": "about:blank",
      "title": "Unsupported Media Type",
      "status": 415,
      "detail": "send the body as JSON, with the header Content-Type: application/json",
      "code": "unsupported_media_type"
    }
    "#);
    assert_shown!(send("application/json", "{\"type\": nope}".to_owned()).await, @r#"
    400 Bad Request
    {
      "type": "about:blank",
      "title": "Bad Request",
      "status": 400,
      "detail": "the body is not JSON: expected ident at line 1 column 11",
      "code": "not_json"
    }
    "#);
    assert_shown!(send("application/json", String::new()).await, @r#"
    400 Bad Request
    {
      "type": "about:blank",
      "title": "Bad Request",
      "status": 400,
      "detail": "the body is not JSON: EOF while parsing a value at line 1 column 0",
      "code": "not_json"
    }
    "#);

    // Exactly 256 KiB pass; one byte more does not.
    let padded = |size: usize| format!("{fine}{}", " ".repeat(size - fine.len()));
    assert_eq!(send("application/json", padded(256 * 1024)).await.status, 202);
    assert_shown!(send("application/json", padded(256 * 1024 + 1)).await, @r#"
    413 Payload Too Large
    {
      "type": "about:blank",
      "title": "Payload Too Large",
      "status": 413,
      "detail": "the body is too large: at most 262144 bytes",
      "code": "too_large"
    }
    "#);
    assert_eq!(send("application/json", padded(3 * 1024 * 1024)).await.status, 413);
    world.server.stop().await;
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let world = world().await;
    assert_shown!(world.ask("GET", "/api/v1/nothing", Value::Null).await, @r#"
    404 Not Found
    {
      "type": "about:blank",
      "title": "Not Found",
      "status": 404,
      "detail": "there is nothing at this path",
      "code": "no_such_path"
    }
    "#);
    assert_shown!(world.ask("GET", "/api/v2/webhooks", Value::Null).await, @r#"
    404 Not Found
    {
      "type": "about:blank",
      "title": "Not Found",
      "status": 404,
      "detail": "there is nothing at this path",
      "code": "no_such_path"
    }
    "#);
    let wrong_method = world.ask("PUT", "/api/v1/webhooks", Value::Null).await;
    assert_shown!(wrong_method, @r#"
    405 Method Not Allowed
    {
      "type": "about:blank",
      "title": "Method Not Allowed",
      "status": 405,
      "detail": "this path does not have this method",
      "code": "method_not_allowed"
    }
    "#);
    assert_eq!(wrong_method.header("allow"), "GET,HEAD,POST");
    world.server.stop().await;
}
