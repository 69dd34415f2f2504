//! A plain HTTP client for tests: JSON in, JSON out, one connection each, nothing retried.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Speaks to one server with one API key.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Who.
    pub(crate) key: String,
}

impl Client {
    /// One exchange on a connection of its own. An error means that no complete answer came.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &Value) -> Result<(StatusCode, Value), String> {
        let (status, bytes) = self.exchange(method, path, None, body).await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Publishes an event with an idempotency key. An error means that no complete answer came.
    pub(crate) async fn publish(&self, event: &Value, key: &str) -> Result<(StatusCode, Value), String> {
        let (status, bytes) = self.exchange("POST", "/api/v1/events", Some(key), event).await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// What is not JSON.
    ///
    /// # Panics
    /// When it does not come.
    pub(crate) async fn text(&self, path: &str) -> String {
        let (status, bytes) = self.exchange("GET", path, None, &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{path}");
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        idempotency_key: Option<&str>,
        body: &Value,
    ) -> Result<(StatusCode, Bytes), String> {
        let say = |what: &'static str| move |error: &dyn std::fmt::Display| format!("{what}: {error}");
        let stream = TcpStream::connect(self.address).await.map_err(|error| say("connect")(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| say("handshake")(&error))?;
        let connection = tokio::spawn(connection);
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(bytes)).map_err(|error| say("request")(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| say("send")(&error))?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(|error| say("answer")(&error))?.to_bytes();
        connection.abort();
        Ok((status, bytes))
    }
}
