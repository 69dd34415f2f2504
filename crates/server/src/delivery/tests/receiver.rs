//! Receivers: well-behaved ones on hyper that do as they are told, and raw ones that don't speak HTTP at all.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

/// A request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a receiver answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Status(u16),
    /// With `Retry-After`.
    Later(u16, &'static str),
    /// 302, to there or else to itself.
    Redirect(Option<String>),
    /// 200, with this body, which is said to be packed.
    Packed(&'static [u8]),
    /// Never.
    Hang,
    /// 200, when the receiver is told to go on.
    WhenTold,
    /// 410, likewise.
    GoneWhenTold,
}

type Behaviour = Arc<dyn Fn(usize) -> Reply + Send + Sync>;

/// A running receiver.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Sender<usize>,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) go_on: Arc<Semaphore>,
}

impl Receiver {
    /// Answers its `n`-th request (from 0) as `behaviour` says.
    pub(super) async fn start(behaviour: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            count: watch::Sender::new(0),
            connections: Arc::default(),
            go_on: Arc::new(Semaphore::new(0)),
        };
        let (shared, behaviour): (_, Behaviour) = (receiver.clone(), Arc::new(behaviour));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, SeqCst);
                let (shared, behaviour) = (shared.clone(), Arc::clone(&behaviour));
                let service = service_fn(move |request| shared.clone().answer(request, Arc::clone(&behaviour)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        receiver
    }

    async fn answer(
        self,
        request: Request<Incoming>,
        behaviour: Behaviour,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let sent = body.collect().await.unwrap().to_bytes();
        let nth = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Seen { path: parts.uri.to_string(), headers: parts.headers, body: sent });
            seen.len() - 1
        };
        self.count.send_modify(|count| *count += 1);
        let mut response = Response::builder();
        let mut body = Bytes::from_static(b"thanks");
        match behaviour(nth) {
            Reply::Status(status) => response = response.status(status),
            Reply::Later(status, after) => response = response.status(status).header("retry-after", after),
            Reply::Redirect(to) => {
                response = response.status(302).header("location", to.unwrap_or_else(|| self.url()));
            }
            Reply::Packed(packed) => {
                response = response.header("content-encoding", "gzip");
                body = Bytes::from_static(packed);
            }
            Reply::Hang => std::future::pending().await,
            Reply::WhenTold => self.go_on.acquire().await.unwrap().forget(),
            Reply::GoneWhenTold => {
                self.go_on.acquire().await.unwrap().forget();
                response = response.status(410);
            }
        }
        Ok(response.body(Full::new(body)).unwrap())
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.address)
    }

    /// Waits until `count` requests have arrived, and returns all there are.
    pub(super) async fn wait(&self, count: usize) -> Vec<Seen> {
        let mut changes = self.count.subscribe();
        let arrived = changes.wait_for(|arrived| *arrived >= count);
        tokio::time::timeout(super::world::GUARD, arrived).await.expect("requests arrive").unwrap();
        self.seen()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Reads the head of a request, then does what `then` does with the connection. Returns the URL.
pub(super) async fn raw<F>(then: impl Fn(TcpStream, usize) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut nth = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            tokio::spawn(then(stream, nth));
            nth += 1;
        }
    });
    url
}

/// Reads one request: tests send bodies that end with `}`.
pub(super) async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !(seen.ends_with(b"}") && seen.windows(4).any(|window| window == b"\r\n\r\n")) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => seen.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
}

/// Writes for as long as the other side reads.
pub(super) async fn pour(stream: &mut TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).await.is_ok() {}
}
