//! One HTTP exchange: the request is written, the answer read, both bounded.
//!
//! A connection is driven by whoever uses it: there is no task behind it, so an exchange wakes nobody else, and an idle
//! connection is a socket and two buffers. That it was closed meanwhile shows when it is used again; then, and only when not
//! a byte of an answer had arrived, the request is sent once more over a new one.

use std::{
    error::Error as _,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::Poll,
};

use bellwire_core::{delivery::SendError, time::Timestamp};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{
    Limits,
    dial::{Budget, Dialer, Endless, Failure, Stream, tidy},
    target::Target,
};
use crate::app::Owed;

/// How much of an answer's body is read.
const READ: usize = 64 * 1024;
/// What a piece of it counts at the least: pieces of one byte cost far more time than bytes.
const LEAST: usize = 16;
/// How much of it is kept.
const KEPT: usize = 4 * 1024;
/// Headers of an answer that are read, and the bytes of all of them.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Headers that are kept, and the bytes of the value of each.
const KEPT_HEADERS: usize = 40;
const KEPT_VALUE: usize = 256;

/// What the receiver said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The `Retry-After` header.
    pub(super) retry_after: Option<String>,
    /// A JSON list of names and values.
    pub(super) headers: String,
    /// The first 4 KiB.
    pub(super) body: Vec<u8>,
}

type Driver = http1::Connection<TokioIo<Stream>, Full<Bytes>>;

/// An open connection on which nothing is under way.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Option<Pin<Box<Driver>>>,
    budget: Budget,
}

/// Sends what is owed as of `now`, over `open` when there is one, and returns the connection when it can be used again.
pub(super) async fn exchange(
    dialer: &Dialer,
    limits: &Limits,
    target: &Target,
    open: Option<Connection>,
    owed: &Owed,
    now: Timestamp,
) -> Result<(Answer, Option<Connection>), Failure> {
    let mut begun = false;
    let exchange = async {
        if let Some(open) = open {
            match open.send(request(target, owed, now), &mut begun).await {
                Err(Broken { stale: true, .. }) => {}
                result => return result.map_err(|broken| Failure::Attempt(explain(&broken.error))),
            }
        }
        // Boxed, for it is rare and large: a future is moved several times, all of it, before it runs.
        let open = Box::pin(async {
            let stream = dialer.dial(&target.url, limits.connect).await?;
            Connection::on(stream).await.map_err(|error| Failure::Attempt(explain(&error)))
        });
        let open = open.await?;
        let result = open.send(request(target, owed, now), &mut begun).await;
        result.map_err(|broken| Failure::Attempt(explain(&broken.error)))
    };
    let ended = timeout(limits.exchange, exchange).await;
    let late = if begun { SendError::Unfinished } else { SendError::Timeout };
    ended.unwrap_or(Err(Failure::Attempt(late(limits.exchange))))
}

fn request(target: &Target, owed: &Owed, now: Timestamp) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(owed.body.clone()));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = target.path.clone();
    *request.headers_mut() = target.headers(owed, now);
    request
}

struct Broken {
    error: hyper::Error,
    /// The connection had been closed before the first byte of an answer.
    stale: bool,
}

impl Connection {
    async fn on(stream: Stream) -> Result<Self, hyper::Error> {
        let mut builder = http1::Builder::new();
        builder.max_headers(MAX_HEADERS).max_buf_size(MAX_HEADER_BYTES);
        let budget = stream.budget.clone();
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), budget })
    }

    /// Sets `begun` when the head of an answer has arrived.
    async fn send(self, request: Request<Full<Bytes>>, begun: &mut bool) -> Result<(Answer, Option<Self>), Broken> {
        let Self { mut sender, mut driver, budget } = self;
        budget.renew();
        let answered = drive(&mut driver, async {
            sender.ready().await?;
            sender.send_request(request).await
        })
        .await;
        let (parts, body) = answered.map_err(|error| Broken { stale: is_stale(&error), error })?.into_parts();
        *begun = true;
        let (kept, whole) = drive(&mut driver, read(body)).await.map_err(|error| Broken { error, stale: false })?;
        let answer = Answer {
            status: parts.status.as_u16(),
            retry_after: text(&parts.headers, &header::RETRY_AFTER),
            headers: to_json(&parts.headers),
            body: kept,
        };
        let again = whole && parts.status != StatusCode::SWITCHING_PROTOCOLS && driver.is_some();
        Ok((answer, again.then_some(Self { sender, driver, budget })))
    }
}

/// Runs `work` and the connection that it waits for in turns, on the task that is here.
async fn drive<T>(driver: &mut Option<Pin<Box<Driver>>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // The first poll hands a request over, the driver writes it and reads the answer, the second poll takes that.
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            *driver = None; // it has ended: what still waits for it learns so now
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// Reads up to 64 KiB and keeps 4. Says whether that was all.
async fn read(mut body: Incoming) -> Result<(Vec<u8>, bool), hyper::Error> {
    let (mut kept, mut seen) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = KEPT.saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(&data[..room]);
        seen += data.len().max(LEAST);
        if seen > READ {
            return Ok((kept, false));
        }
    }
    Ok((kept, true))
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn to_json(headers: &HeaderMap) -> String {
    let value = |value: &[u8]| String::from_utf8_lossy(&value[..value.len().min(KEPT_VALUE)]).into_owned();
    let kept: Vec<(&str, String)> =
        headers.iter().take(KEPT_HEADERS).map(|(name, text)| (name.as_str(), value(text.as_bytes()))).collect();
    serde_json::to_string(&kept).unwrap_or_else(|_| "[]".to_owned())
}

fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    error.source().and_then(|source| source.downcast_ref())
}

fn is_stale(error: &hyper::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || io_error(error).is_some_and(|error| {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
        })
}

fn explain(error: &hyper::Error) -> SendError {
    if let Some(io) = io_error(error) {
        if io.get_ref().is_some_and(|inner| inner.is::<Endless>()) {
            return SendError::ProtocolError(Endless.to_string());
        }
        return match io.kind() {
            io::ErrorKind::UnexpectedEof => SendError::ClosedEarly,
            io::ErrorKind::InvalidData => SendError::TlsFailed(tidy(&io.to_string())),
            _ => SendError::ConnectionReset,
        };
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return SendError::ClosedEarly;
    }
    if error.is_parse_too_large() {
        return SendError::ProtocolError("its headers are too large".to_owned());
    }
    SendError::ProtocolError(tidy(&error.to_string()))
}
