//! A receiver of webhooks: a real HTTP/1.1 server on the loopback that keeps what it gets and answers as it is told.
//!
//! A request is kept when its body has been read to the end, and before it is answered. What to answer can be changed at
//! any time and counts for the requests that are complete from then on. `stop` is an outage: connections are cut, new ones
//! are refused, and nobody else gets the port before `restart`.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{Notify, oneshot},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

/// Ends a test that waits for what never comes. Far longer than anything takes: it decides nothing else.
const GUARD: Duration = Duration::from_secs(20);

/// A request that a receiver has got.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    /// With the query, if there was one.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    /// The value of the header, the first one if there are several.
    ///
    /// # Panics
    ///
    /// When it is not text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header of text"))
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} {}", self.method, self.path, self.headers, self.body.escape_ascii())
    }
}

/// What a receiver says to a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// An answer without a body.
    ///
    /// # Panics
    ///
    /// When `status` is none (100 to 999).
    pub(crate) fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// With one header more.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    /// With this body.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

type Answers = Arc<dyn Fn(&Received) -> Answer + Send + Sync>;

struct Shared {
    received: Mutex<Vec<Received>>,
    arrived: Notify,
    answers: Mutex<Answers>,
}

/// A running, or stopped, receiver. Gone when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    state: State,
}

enum State {
    Running {
        stop: oneshot::Sender<()>,
        accepting: JoinHandle<()>,
    },
    /// Bound without listening: the port stays ours and refuses.
    Stopped(TcpSocket),
    /// Between the two, and nothing that anybody sees.
    Changing,
}

impl Receiver {
    /// Starts a receiver on a free port. It answers 204 until it is told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            arrived: Notify::new(),
            answers: Mutex::new(Arc::new(|_| Answer::status(204))),
        });
        let state = run(listener, Arc::clone(&shared));
        Self { address, shared, state }
    }

    /// Where it is: `http://127.0.0.1:PORT/`, without a path of its own: any path will do.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Where it is, as an address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, this status with an empty body.
    pub(crate) fn answer(&self, status: u16) {
        let answer = Answer::status(status);
        self.answer_with(move |_| answer.clone());
    }

    /// From now on, what `answers` makes of the request.
    pub(crate) fn answer_with(&self, answers: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *locked(&self.shared.answers) = Arc::new(answers);
    }

    /// Everything that it has got so far, in the order of arrival.
    pub(crate) fn received(&self) -> Vec<Received> {
        locked(&self.shared.received).clone()
    }

    /// Waits until it has got `n` requests in all; returns everything that it has got, which may be more.
    ///
    /// # Panics
    ///
    /// When they have not come in 20 s, with what has.
    pub(crate) async fn wait_for(&self, n: usize) -> Vec<Received> {
        let enough = async {
            loop {
                let arrived = self.shared.arrived.notified(); // counts what arrives from here on
                let received = self.received();
                if received.len() >= n {
                    return received;
                }
                arrived.await;
            }
        };
        timeout(GUARD, enough).await.unwrap_or_else(|_| {
            let received = self.received();
            panic!("{n} requests were expected, {} came: {received:#?}", received.len())
        })
    }

    /// Cuts every connection, answered or not, and refuses new ones, until `restart`. What it has got stays.
    pub(crate) async fn stop(&mut self) {
        if let State::Running { stop, accepting } = std::mem::replace(&mut self.state, State::Changing) {
            stop.send(()).expect("it accepts until it is told to stop");
            accepting.await.expect("it does not panic");
            self.state = State::Stopped(bound(self.address));
        } else {
            panic!("the receiver is not running");
        }
    }

    /// Listens again on the same port.
    pub(crate) async fn restart(&mut self) {
        if let State::Stopped(socket) = std::mem::replace(&mut self.state, State::Changing) {
            let listener = socket.listen(1024).expect("the port is ours");
            self.state = run(listener, Arc::clone(&self.shared));
        } else {
            panic!("the receiver is not stopped");
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let State::Running { accepting, .. } = &self.state {
            accepting.abort();
        }
    }
}

/// A lock that a panicking test has poisoned is still good: no value is left half-written under it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("connections that are just being closed do not count");
    socket.bind(address).expect("the port that was ours a moment ago");
    socket
}

fn run(listener: TcpListener, shared: Arc<Shared>) -> State {
    let (stop, stopped) = oneshot::channel();
    let accepting = tokio::spawn(accept(listener, shared, stopped));
    State::Running { stop, accepting }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new(); // dropping it ends them
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            // A connection that was given up before it was accepted is nobody's.
            Ok((stream, _)) = listener.accept() => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    let serve = service_fn(|request| receive(request, &shared));
                    // A sender that hangs up early is part of what is tested.
                    let _: Result<(), hyper::Error> = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
                });
            }
            Some(ended) = connections.join_next() => ended.expect("a connection does not panic"),
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn receive(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let body = body.collect().await?.to_bytes();
    let received = Received { method: head.method, path, headers: head.headers, body };

    let answers = Arc::clone(&locked(&shared.answers));
    let answer = answers(&received);
    locked(&shared.received).push(received);
    shared.arrived.notify_waiters();

    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
