//! What the other tests stand on holds: the database is fresh, the receiver keeps, answers, and goes away and comes back.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use crate::support::{
    postgres::fresh_database,
    receiver::{Answer, Receiver},
};

/// One POST on a connection of its own: the answer's status, `x-name` header and body, or that there was none.
async fn post(receiver: &Receiver, path: &str, body: &'static str) -> Option<(StatusCode, String, String)> {
    let stream = TcpStream::connect(receiver.address()).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    let request = Request::post(path)
        .header("host", "receiver")
        .header("x-name", "ring")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .expect("a request");
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    drop(sender);
    connection.await.expect("no panic").expect("an orderly end");
    let name = head.headers.get("x-name").map_or("", |value| value.to_str().expect("text"));
    Some((head.status, name.to_owned(), String::from_utf8(body.to_vec()).expect("text")))
}

fn bare(status: u16) -> Option<(StatusCode, String, String)> {
    Some((StatusCode::from_u16(status).expect("a status"), String::new(), String::new()))
}

#[tokio::test]
async fn a_receiver_keeps_what_it_gets_and_answers_as_told() {
    let receiver = Receiver::start().await;
    assert_eq!(post(&receiver, "/a?b=c", r#"{"n":1}"#).await, bare(204));
    receiver.answer(503);
    assert_eq!(post(&receiver, "/", "").await, bare(503));
    receiver
        .answer_with(|request| Answer::status(200).header("x-name", "gnir").body(request.body.to_ascii_uppercase()));
    assert_eq!(post(&receiver, "/", "loud").await, Some((StatusCode::OK, "gnir".into(), "LOUD".into())));

    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert_eq!((received[0].method.as_str(), received[0].path.as_str()), ("POST", "/a?b=c"));
    assert_eq!(received[0].header("x-name"), Some("ring"));
    assert_eq!(received[0].json(), serde_json::json!({"n": 1}));
    assert_eq!(received[2].body, "loud");
}

#[tokio::test]
async fn a_receiver_is_waited_for() {
    let receiver = Receiver::start().await;
    let (received, first, second) =
        tokio::join!(receiver.wait_for(2), post(&receiver, "/1", ""), post(&receiver, "/2", ""));
    assert_eq!((first, second), (bare(204), bare(204)));
    assert_eq!(received.len(), 2);
    assert_eq!(receiver.wait_for(1).await.len(), 2, "more than enough is enough");
}

#[tokio::test]
async fn a_receiver_goes_away_and_comes_back() {
    let mut receiver = Receiver::start().await;
    let url = receiver.url();
    // An idle connection does not survive the outage, and does not delay it.
    let idle = TcpStream::connect(receiver.address()).await.unwrap();
    assert_eq!(post(&receiver, "/before", "").await, bare(204));

    receiver.stop().await;
    assert_eq!(post(&receiver, "/during", "").await, None);
    let mut byte = [0];
    idle.readable().await.unwrap();
    assert!(matches!(idle.try_read(&mut byte), Ok(0) | Err(_)), "cut");

    receiver.restart().await;
    assert_eq!(receiver.url(), url);
    assert_eq!(post(&receiver, "/after", "").await, bare(204));
    let paths: Vec<_> = receiver.received().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/before", "/after"]);
}

#[tokio::test]
async fn a_database_is_fresh_and_goes_with_its_test() {
    let Some(one) = fresh_database().await else { return };
    let Some(other) = fresh_database().await else { return };
    assert_ne!(one.url(), other.url());

    let (client, connection) = tokio_postgres::connect(one.url(), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
    client.batch_execute("CREATE TABLE kept (id bigint)").await.unwrap();
    assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 1);

    let url = one.url().to_owned();
    drop(one); // although we are still connected
    assert!(connection.await.unwrap().is_err(), "the server ends the connection");
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err(), "the database is gone");
    assert!(tokio_postgres::connect(other.url(), NoTls).await.is_ok());
}
