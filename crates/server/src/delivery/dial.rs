//! Opens connections to webhooks: resolve, check, connect, encrypt.
//!
//! What always holds:
//! - No connection is opened to an address that the policy doesn't permit. The name is resolved once for a connection, all its
//!   addresses are checked, and those very addresses are connected to: a name that changes its mind in between gains nothing.
//!   An address written into the URL is checked the same way.
//! - One forbidden address among several refuses the host: a name that answers with both is a trick or a mistake.
//! - There is no proxy, whatever the environment says.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bellwire_core::{address::AddressPolicy, delivery::SendError, webhook_url::WebhookUrl};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{resolve::Resolver, tls};

/// The operating system's "too many open files", in the process and in the whole system, on every Unix.
const TOO_MANY_FILES: [i32; 2] = [24, 23];
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// An attempt that failed.
    Attempt(SendError),
    /// This machine could not try: the receiver is not to blame, and nothing is counted.
    NotTried(io::Error),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self::Attempt(error)
    }
}

/// What is needed to open a connection.
pub(super) struct Dialer {
    pub(super) addresses: AddressPolicy,
    pub(super) resolver: Resolver,
    pub(super) tls: TlsConnector,
}

impl Dialer {
    /// Opens a connection within `patience`.
    pub(super) async fn dial(&self, url: &WebhookUrl, patience: Duration) -> Result<Stream, Failure> {
        let opened = timeout(patience, self.open(url, patience)).await;
        opened.unwrap_or(Err(Failure::Attempt(SendError::ConnectTimeout(patience))))
    }

    async fn open(&self, url: &WebhookUrl, patience: Duration) -> Result<Stream, Failure> {
        let addresses = self.resolve(url, patience / 2).await?;
        // Each address gets its share of the time, so that a silent one does not keep the others from being tried.
        let share = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = Failure::Attempt(SendError::ConnectTimeout(patience));
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without it a small request may wait for the answer to the one before.
                    let _ = stream.set_nodelay(true);
                    return self.encrypt(url, stream).await;
                }
                Ok(Err(error)) => last = failure(error, patience),
                Err(_) => last = Failure::Attempt(SendError::ConnectTimeout(patience)),
            }
        }
        Err(last)
    }

    /// The addresses that may be connected to: at least one. Waits for its turn to ask no longer than `patience`.
    async fn resolve(&self, url: &WebhookUrl, patience: Duration) -> Result<Vec<SocketAddr>, Failure> {
        let permits = |ip: IpAddr| self.addresses.permits(ip).map_err(SendError::from);
        if let Some(ip) = url.literal_address() {
            permits(ip)?;
            return Ok(vec![SocketAddr::new(ip, url.port())]);
        }
        url.check(&self.addresses).map_err(SendError::from)?;
        let mut found = self.resolver.addresses(url, patience).await?;
        for address in &found {
            permits(address.ip())?;
        }
        found.truncate(MAX_ADDRESSES);
        Ok(found)
    }

    async fn encrypt(&self, url: &WebhookUrl, stream: TcpStream) -> Result<Stream, Failure> {
        if !url.is_https() {
            return Ok(Stream::new(Socket::Plain(stream)));
        }
        let name = match url.literal_address() {
            Some(ip) => Ok(ServerName::from(ip)),
            None => ServerName::try_from(url.host_str().trim_end_matches('.').to_owned()),
        };
        let name = name.map_err(|error| SendError::TlsFailed(error.to_string()))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| tls::explain(&error))?;
        Ok(Stream::new(Socket::Tls(Box::new(stream))))
    }
}

fn failure(error: io::Error, patience: Duration) -> Failure {
    use io::ErrorKind as Kind;
    if error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
        return Failure::NotTried(error);
    }
    Failure::Attempt(match error.kind() {
        Kind::ConnectionRefused => SendError::ConnectionRefused,
        Kind::TimedOut => SendError::ConnectTimeout(patience),
        Kind::ConnectionReset | Kind::ConnectionAborted => SendError::ConnectionReset,
        kind => SendError::Unreachable(kind.to_string()),
    })
}

/// A library's message as the end of a sentence: short, on one line, without characters that nobody can see.
pub(super) fn tidy(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect::<String>()
        .trim_end_matches('.')
        .into()
}

/// Bytes that are read of one answer, whatever they are: its head is bounded besides and its body is cut at far less, but
/// interim answers (1xx) may come without end.
const MAX_ANSWER: usize = 256 * 1024;

/// A receiver that went on beyond [`MAX_ANSWER`].
#[derive(Debug, thiserror::Error)]
#[error("it goes on for more than 256 KiB")]
pub(super) struct Endless;

/// How many more bytes are read of the answer that is awaited.
#[derive(Clone)]
pub(super) struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// Another answer is awaited.
    pub(super) fn renew(&self) {
        self.0.store(MAX_ANSWER, Relaxed);
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes));
        left.map(drop).map_err(|_| io::Error::other(Endless))
    }
}

/// A connection whose answers are bounded.
pub(super) struct Stream {
    socket: Socket,
    pub(super) budget: Budget,
}

/// Encrypted or not.
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn new(socket: Socket) -> Self {
        Self { socket, budget: Budget(Arc::new(AtomicUsize::new(MAX_ANSWER))) }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = self.get_mut();
        ready!(match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        })?;
        Poll::Ready(this.budget.spend(buf.filled().len() - before))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Socket::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(stream) => stream.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
