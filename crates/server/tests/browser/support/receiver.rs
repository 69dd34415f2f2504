//! A receiver on this machine: takes every request, answers with the status that it is told to.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering::SeqCst},
    },
    time::Duration,
};

use bellwire_core::sign::{self, Secret};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, time::timeout};

/// Ends a test that waits for what never comes.
const GUARD: Duration = Duration::from_secs(30);

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// The event's type.
    pub(crate) fn event_type(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["type"].as_str().unwrap().to_owned()
    }

    /// Whether the signature was made with this secret (`whsec_…`), as Standard Webhooks says.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let header = |name| self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let secret: Secret = secret.parse().unwrap();
        let time: i64 = header(sign::TIMESTAMP_HEADER).parse().unwrap();
        let expected = sign::v1(&secret, header(sign::ID_HEADER), time, &self.body);
        header(sign::SIGNATURE_HEADER).split(' ').any(|signature| signature == expected)
    }
}

/// A running receiver.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    status: Arc<AtomicU16>,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    /// One that answers 200.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            status: Arc::new(AtomicU16::new(200)),
            seen: Arc::default(),
            count: watch::Sender::new(0),
        };
        let shared = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                let service = service_fn(move |request| shared.clone().answer(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        receiver
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let status = self.status.load(SeqCst);
        self.seen.lock().unwrap().push(Seen { headers: parts.headers, body });
        self.count.send_modify(|count| *count += 1);
        let text = if status < 300 { "thank you" } else { "the receiver is broken" };
        let response = Response::builder().status(status).body(Full::from(text));
        Ok(response.unwrap())
    }

    /// From here on it answers this.
    pub(crate) fn answers(&self, status: u16) {
        self.status.store(status, SeqCst);
    }

    /// Waits until `count` requests have arrived, and returns them all.
    pub(crate) async fn has(&self, count: usize) -> Vec<Seen> {
        let mut counts = self.count.subscribe();
        let arrived = timeout(GUARD, counts.wait_for(|now| *now >= count)).await;
        assert!(arrived.is_ok(), "{} of {count} requests have arrived", *self.count.borrow());
        self.seen.lock().unwrap().clone()
    }

    /// What has arrived so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}
