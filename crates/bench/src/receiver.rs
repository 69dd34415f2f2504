//! The receiver: answers 204, counts, and takes the time of bodies that say when they were published.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};

use crate::Failure;

/// A running receiver.
pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    count: AtomicU64,
    /// Those of them that did not say when they were published.
    untimed: AtomicU64,
    /// Requests that were answered 503.
    refused: AtomicU64,
    closed: AtomicBool,
    latencies: Mutex<Vec<Duration>>,
}

/// Takes connections and answers nothing.
pub(crate) struct Hanging(SocketAddr);

impl Hanging {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = listen()?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
            }
        });
        Ok(Self(address))
    }

    /// A URL there.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.0)
    }
}

/// Listens on a free port, with room for all who connect at once: whoever found none would try again after a whole second, and that
/// would be what is measured.
fn listen() -> Result<TcpListener, Failure> {
    const WAITING: u32 = 4_096;
    let socket = TcpSocket::new_v4()?;
    socket.bind((std::net::Ipv4Addr::LOCALHOST, 0).into())?;
    Ok(socket.listen(WAITING)?)
}

/// An address where nobody listens.
pub(crate) fn nobody() -> Result<SocketAddr, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Microseconds since the epoch: the time that publisher and receiver share.
pub(crate) fn micros_now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a measuring program reads the machine's clock")]
    let now = SystemTime::now();
    u64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

impl Receiver {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = listen()?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let state = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let state = Arc::clone(&state);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(Self { address, seen })
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// A URL there.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// From now on every request is answered 503 and not counted as received.
    pub(crate) fn close(&self) {
        self.seen.closed.store(true, Ordering::Relaxed);
    }

    /// The end of [`Receiver::close`].
    pub(crate) fn open(&self) {
        self.seen.closed.store(false, Ordering::Relaxed);
    }

    /// How many requests were answered 503.
    pub(crate) fn refused(&self) -> u64 {
        self.seen.refused.load(Ordering::Relaxed)
    }

    /// How many requests came so far.
    pub(crate) fn count(&self) -> u64 {
        self.seen.count.load(Ordering::Relaxed)
    }

    /// Waits until `count` requests have come; fails when none comes for a minute.
    pub(crate) async fn wait_for(&self, count: u64) -> Result<(), Failure> {
        wait(|| self.count(), count).await
    }

    /// As [`Receiver::wait_for`], of those that did not say when they were published.
    pub(crate) async fn wait_for_untimed(&self, count: u64) -> Result<(), Failure> {
        wait(|| self.seen.untimed.load(Ordering::Relaxed), count).await
    }

    /// Takes the latencies measured so far, sorted.
    pub(crate) fn take_latencies(&self) -> Vec<Duration> {
        let mut latencies = std::mem::take(&mut *self.seen.latencies.lock().unwrap_or_else(PoisonError::into_inner));
        latencies.sort_unstable();
        latencies
    }
}

async fn wait(come: impl Fn() -> u64, count: u64) -> Result<(), Failure> {
    let mut last = (come(), micros_now());
    while come() < count {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if come() != last.0 {
            last = (come(), micros_now());
        } else if micros_now() - last.1 > 60_000_000 {
            return Err(format!("only {} of {count} deliveries came", last.0).into());
        }
    }
    Ok(())
}

async fn answer(seen: Arc<Seen>, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let arrived = micros_now();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut response = Response::new(Empty::new());
    if seen.closed.load(Ordering::Relaxed) {
        seen.refused.fetch_add(1, Ordering::Relaxed);
        *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        return Ok(response);
    }
    if let Some(sent) = sent_at(&body) {
        let latency = Duration::from_micros(arrived.saturating_sub(sent));
        seen.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(latency);
    } else {
        seen.untimed.fetch_add(1, Ordering::Relaxed);
    }
    seen.count.fetch_add(1, Ordering::Relaxed);
    *response.status_mut() = hyper::StatusCode::NO_CONTENT;
    Ok(response)
}

/// The number behind `"sent_at":`, without reading the rest as JSON: the receiver should cost little.
fn sent_at(body: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"sent_at\":";
    let start = body.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = body[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
