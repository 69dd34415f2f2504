//! The receiver of the demo: on this machine, it answers by the beginning of the path.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What is wrong with the receiver. Everything goes well until something is.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// `/slow` takes its time.
    pub(super) slow: AtomicBool,
    /// `/broken` is.
    pub(super) broken: AtomicBool,
    /// `/gone` is.
    pub(super) gone: AtomicBool,
}

/// Listens, and says where.
///
/// # Errors
/// When there is no port to listen on.
pub(super) async fn receive(trouble: Arc<Trouble>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let trouble = Arc::clone(&trouble);
            let service = service_fn(move |request| answer(request, Arc::clone(&trouble)));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

async fn answer(request: Request<Incoming>, trouble: Arc<Trouble>) -> Result<Response<Empty<Bytes>>, Infallible> {
    const MAX_BODY: usize = 1024 * 1024;
    let (parts, body) = request.into_parts();
    // What can't be read has been broken off: nobody waits for the answer.
    let _ = Limited::new(body, MAX_BODY).collect().await;
    let status = match parts.uri.path().split('/').nth(1) {
        Some("broken") if trouble.broken.load(Ordering::Relaxed) => StatusCode::SERVICE_UNAVAILABLE,
        Some("gone") if trouble.gone.load(Ordering::Relaxed) => StatusCode::GONE,
        Some("slow") if trouble.slow.load(Ordering::Relaxed) => {
            tokio::time::sleep(Duration::from_millis(400)).await;
            StatusCode::OK
        }
        _ => StatusCode::NO_CONTENT,
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}
