//! A network between a program and a server that can be cut: a forwarder on the loopback.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How it is between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    is_open: bool,
    /// Grows when all connections are broken.
    age: u32,
}

/// A running forwarder. Gone when dropped.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    line: watch::Sender<Line>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Forwards to `server`, in both directions.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let line = watch::Sender::new(Line { is_open: true, age: 0 });
        let told = line.clone();
        let accepting = tokio::spawn(async move {
            loop {
                // A connection that was given up before it was accepted is nobody's.
                let Ok((client, _)) = listener.accept().await else { continue };
                tokio::spawn(forward(client, server, told.subscribe()));
            }
        });
        Self { address, line, accepting }
    }

    /// From now on nothing gets through, and nobody is told: connections stay, and new ones are made, without an answer.
    pub(crate) fn cut(&self) {
        self.line.send_modify(|line| line.is_open = false);
    }

    /// What was held back gets through.
    pub(crate) fn mend(&self) {
        self.line.send_modify(|line| line.is_open = true);
    }

    /// What was held back is lost: all connections break, and new ones work.
    pub(crate) fn renew(&self) {
        self.line.send_modify(|line| *line = Line { is_open: true, age: line.age + 1 });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.renew();
    }
}

async fn forward(client: TcpStream, server: SocketAddr, mut line: watch::Receiver<Line>) {
    let age = line.borrow().age;
    let mut broken = line.clone();
    let both = async move {
        if line.wait_for(|line| line.is_open).await.is_err() {
            return;
        }
        let Ok(server) = TcpStream::connect(server).await else { return };
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::join!(pipe(from_client, to_server, line.clone()), pipe(from_server, to_client, line));
    };
    tokio::select! {
        () = both => {}
        _ = broken.wait_for(|line| line.age != age) => {}
    }
}

async fn pipe(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if line.wait_for(|line| line.is_open).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await; // the other side may be gone
}
