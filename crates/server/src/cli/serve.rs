//! `bellwire serve`: the whole application in one process.
//!
//! It opens what it needs (the database, the key, the port) and says in one sentence what it could not; starts the engine;
//! answers requests; and when it is told to stop, takes no more of them, finishes what it has begun, and ends within
//! [`STOP_WITHIN`]. A supervisor's SIGTERM is announced first: for a while it is still answered, but `/readyz` says no, so
//! that load balancers turn away before the port closes. A second signal ends the process at once: nothing that was
//! acknowledged depends on a clean end.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::{FutureExt as _, future::Either};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};
use tower::Service as _;

use super::open;
use crate::{
    api,
    app::App,
    clock::{Clock, Randomness},
    config::Config,
    console, delivery,
    metrics::Part,
    ops,
};

/// How long stopping takes at the most.
pub const STOP_WITHIN: Duration = Duration::from_secs(30);
/// What requests get of that; the rest is the engine's.
const FINISH_REQUESTS_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are open at once.
const MAX_CONNECTIONS: usize = 10_000;
/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 100;

/// A running application.
pub struct Server {
    /// What it holds.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    listener: JoinHandle<()>,
    engine: delivery::Engine,
    _place: open::Place,
}

/// Starts everything.
///
/// # Errors
/// With a sentence for the operator.
pub async fn start(mut config: Config, clock: Clock, random: Randomness) -> Result<Server, String> {
    let place = open::only_place(&config.database_url)?;
    let listen = config.listen;
    let say = |error| format!("the setting --listen (BELLWIRE_LISTEN): can't listen on {listen}: {error}");
    let listener = TcpListener::bind(listen).await.map_err(say)?;
    let address = listener.local_addr().map_err(say)?;
    // Port 0 has become a real one.
    config.listen = address;
    let (app, signals) = open::server(config, clock, random).await?;
    let engine = delivery::start(&app, signals)?;
    let router = api::router(&app).merge(console::router(app.clone()));
    let listener = tokio::spawn(accept(listener, router, app.clone()));
    Ok(Server { app, address, listener, engine, _place: place })
}

impl Server {
    /// Takes no more requests, finishes what was begun, and ends within [`STOP_WITHIN`].
    pub async fn stop(self) {
        self.stop_after(Duration::ZERO).await;
    }

    /// As [`Server::stop`], and for `delay` of that time still serves and says that it is not ready.
    async fn stop_after(self, delay: Duration) {
        self.app.leave();
        let stopped = tokio::time::timeout(STOP_WITHIN, async {
            self.app.clock.sleep(delay).await;
            self.app.stop();
            if let Err(error) = self.listener.await {
                tracing::error!(%error, "the listener failed");
            }
            self.app.committing.close();
            if tokio::time::timeout(FINISH_REQUESTS_WITHIN, self.app.committing.wait()).await.is_err() {
                tracing::warn!("the database has not answered in time");
            }
            self.engine.drain().await;
        });
        if stopped.await.is_err() {
            tracing::warn!("stopping took too long: what was being sent will be sent again");
        }
    }
}

/// Serves until the process is told to stop.
///
/// # Errors
/// With a sentence for the operator.
pub async fn run(config: Config) -> Result<(), String> {
    let mut told = Told::new()?;
    let server = start(config, Clock::System, Randomness::from_system()).await?;
    let url = server.app.config.public_url();
    super::print(format_args!("Bellwire serves on {url}"));
    match ops::setup::link(&server.app).await {
        Ok(Some(link)) => super::print(format_args!("Set it up: {link}")),
        Ok(None) => {}
        Err(error) => {
            error.log();
            return Err(format!("can't read the database: {error}"));
        }
    }
    // Who presses Ctrl-C has nobody to warn.
    let delay = if told.stop().await == Signal::Terminate { server.app.config.drain_delay } else { Duration::ZERO };
    tracing::info!("stopping");
    tokio::select! {
        () = server.stop_after(delay) => Ok(()),
        _ = told.stop() => Err("told to stop a second time, ended at once: what was being sent will be sent again".to_owned()),
    }
}

async fn accept(listener: TcpListener, router: Router, app: App) {
    let (places, connections) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), GracefulShutdown::new());
    loop {
        let accepted = tokio::select! {
            accepted = accept_one(&listener, &places) => accepted,
            () = app.stopped() => break,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), answering(router.clone(), app.clone(), peer));
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH_REQUESTS_WITHIN, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

/// Answers the requests of a connection, and counts them.
fn answering(
    router: Router,
    app: App,
    peer: SocketAddr,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> {
    service_fn(move |request: Request<Incoming>| {
        let (app, part, begun) = (app.clone(), Part::of(request.uri().path()), app.clock.moment());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = match api::frequent::answer(&app, request) {
            Ok(answer) => Either::Left(answer.map(Ok)),
            Err(request) => Either::Right(router.clone().call(*request)),
        };
        async move {
            let response = answer.await?;
            app.metrics.requests.note(part, response.status().as_u16(), app.clock.moment().since(begun));
            Ok(response)
        }
    })
}

/// The next connection, and its place among the open ones.
async fn accept_one(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // An answer is written at once: waiting to fill a packet would only delay it.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(error) => {
            // Out of file descriptors, perhaps: the wait lets connections end.
            tracing::warn!(%error, "can't accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// What ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGTERM: from a supervisor.
    Terminate,
    /// SIGINT: from somebody at a terminal.
    Interrupt,
}

/// Waits for the signals that end the process.
pub(super) struct Told {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Told {
    pub(super) fn new() -> Result<Self, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|error| format!("can't listen for signals: {error}"));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub(super) async fn stop(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}
