//! `bellwire serve`: the whole application in one process.
//!
//! It opens what it needs (the key, the database, the port) and says in one sentence what it could not; starts the engine;
//! answers requests; and when it is told to stop, takes no more of them, finishes what it has begun, and ends within
//! [`STOP_WITHIN`]. Nothing that was acknowledged depends on a clean end.
//!
//! One SQLite file belongs to one server: a second one is refused by a lock on a file beside it, which the system takes away
//! with the process, however it ends.

use std::{fs::File, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};
use tower::Layer as _;

use crate::{
    api,
    app::{App, Signal},
    clock::{Clock, Randomness},
    config::Config,
    console,
    crypt::MasterKey,
    db::Db,
    delivery, ops,
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
    _lock: Option<File>,
}

/// Opens the key and the database.
///
/// # Errors
/// With a sentence for the operator.
pub async fn open(
    config: Config,
    clock: Clock,
    random: Randomness,
) -> Result<(App, mpsc::UnboundedReceiver<Signal>), String> {
    let key = MasterKey::load_or_create(&config.master_key_file, &random)
        .map_err(|error| format!("the setting --master-key-file (BELLWIRE_MASTER_KEY_FILE): {error}"))?;
    let db = Db::open(&config.database_url)
        .await
        .map_err(|error| format!("the setting --database-url (BELLWIRE_DATABASE_URL): {error}"))?;
    Ok(App::new(config, db, clock, random, key))
}

/// Starts everything.
///
/// # Errors
/// With a sentence for the operator.
pub async fn start(mut config: Config, clock: Clock, random: Randomness) -> Result<Server, String> {
    let lock = lock_file(&config.database_url)?;
    let listen = config.listen;
    let say = |error| format!("the setting --listen (BELLWIRE_LISTEN): can't listen on {listen}: {error}");
    let listener = TcpListener::bind(listen).await.map_err(say)?;
    let address = listener.local_addr().map_err(say)?;
    // Port 0 has become a real one.
    config.listen = address;
    let (app, signals) = open(config, clock, random).await?;
    let engine = delivery::start(&app, signals);
    let router = api::router(&app).merge(console::router(app.clone()));
    let listener = tokio::spawn(accept(listener, router, app.clone()));
    Ok(Server { app, address, listener, engine, _lock: lock })
}

impl Server {
    /// Takes no more requests, finishes what was begun, and ends within [`STOP_WITHIN`].
    pub async fn stop(self) {
        self.app.stop();
        let stopped = tokio::time::timeout(STOP_WITHIN, async {
            if let Err(error) = self.listener.await {
                tracing::error!(%error, "the listener failed");
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
    told.stop().await;
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

/// Takes the place of the one server of a SQLite file.
fn lock_file(database_url: &str) -> Result<Option<File>, String> {
    let Some(path) = database_url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) else { return Ok(None) };
    let path = PathBuf::from(format!("{path}.lock"));
    let open = File::options().create(true).write(true).truncate(false).open(&path);
    let file = open.map_err(|error| {
        format!("the setting --database-url (BELLWIRE_DATABASE_URL): can't open {}: {error}", path.display())
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(format!(
            "the setting --database-url (BELLWIRE_DATABASE_URL): another bellwire serves this database ({} is locked)",
            path.display()
        )),
        Err(std::fs::TryLockError::Error(error)) => Err(format!("can't lock {}: {error}", path.display())),
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
        // The console looks at who asks; the API doesn't.
        let router = axum::Extension(axum::extract::ConnectInfo(peer)).layer(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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

/// The signals that end the process: SIGTERM and SIGINT.
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

    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_for_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/b.db", folder.path().display());
        let held = lock_file(&url).unwrap();
        assert!(lock_file(&url).unwrap_err().contains("another bellwire serves this database"));
        drop(held);
        assert!(lock_file(&url).unwrap().is_some());
        assert!(lock_file("postgres://localhost/b").unwrap().is_none());
    }
}
