//! A kept-alive HTTP/1.1 connection to a server on this machine: the same few lines for the bare client and the publisher.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode, client::conn::http1::SendRequest, header::HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Failure;

/// One connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// Opens it to `authority`, such as `127.0.0.1:8080`.
    pub(crate) async fn open(authority: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: authority.to_owned() })
    }

    /// One exchange.
    pub(crate) async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let (status, _, body) = self.whole(method, path, headers, body).await?;
        Ok((status, body))
    }

    /// One exchange, with the headers of the answer. The body is JSON unless a header says otherwise.
    pub(crate) async fn whole(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Failure> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        if headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value)?);
        }
        // The answer before may be read while its connection is still putting things away.
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request.body(Full::new(body))?).await?.into_parts();
        Ok((head.status, head.headers, body.collect().await?.to_bytes()))
    }
}
