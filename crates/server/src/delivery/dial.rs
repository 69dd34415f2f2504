//! Opens connections to webhooks: resolve, check, connect, encrypt.
//!
//! What always holds: no connection is opened to an address that the policy doesn't permit. The very address that is about
//! to be connected to is checked, after resolving, at every connection; an address written into the URL is checked the same
//! way. One forbidden address among several refuses the host: a name that answers with both is a trick or a mistake.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bellwire_core::{address::AddressPolicy, delivery::SendError, webhook_url::WebhookUrl};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The operating system's "too many open files", in the process and in the whole system, on every Unix.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

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
    tls: TlsConnector,
    addresses: AddressPolicy,
}

impl Dialer {
    /// Trusts the certificate authorities that browsers trust.
    pub(super) fn new(addresses: AddressPolicy) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3");
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { tls: TlsConnector::from(Arc::new(config)), addresses }
    }

    /// Opens a connection within `patience`.
    pub(super) async fn dial(&self, url: &WebhookUrl, patience: Duration) -> Result<Stream, Failure> {
        let opened = timeout(patience, self.open(url, patience)).await;
        opened.unwrap_or(Err(Failure::Attempt(SendError::ConnectTimeout)))
    }

    async fn open(&self, url: &WebhookUrl, patience: Duration) -> Result<Stream, Failure> {
        let addresses = self.resolve(url).await?;
        // Each address gets its share of the time, so that a silent one does not keep the others from being tried.
        let share = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = Failure::Attempt(SendError::DnsFailed);
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without it a small request may wait for the answer to the one before.
                    let _ = stream.set_nodelay(true);
                    return self.encrypt(url, stream).await;
                }
                Ok(Err(error)) => last = failure(error),
                Err(_) => last = Failure::Attempt(SendError::ConnectTimeout),
            }
        }
        Err(last)
    }

    async fn resolve(&self, url: &WebhookUrl) -> Result<Vec<SocketAddr>, Failure> {
        let permits = |ip: IpAddr| self.addresses.permits(ip).map_err(SendError::from);
        if let Some(ip) = url.literal_address() {
            permits(ip)?;
            return Ok(vec![SocketAddr::new(ip, url.port())]);
        }
        url.check(&self.addresses).map_err(SendError::from)?;
        let found = lookup_host((url.host_str(), url.port())).await;
        let found: Vec<SocketAddr> = found.map_err(|_| SendError::DnsFailed)?.take(MAX_ADDRESSES).collect();
        if found.is_empty() {
            return Err(SendError::DnsFailed.into());
        }
        for address in &found {
            permits(address.ip())?;
        }
        Ok(found)
    }

    async fn encrypt(&self, url: &WebhookUrl, stream: TcpStream) -> Result<Stream, Failure> {
        if !url.is_https() {
            return Ok(Stream::Plain(stream));
        }
        let name = match url.literal_address() {
            Some(ip) => Ok(ServerName::from(ip)),
            None => ServerName::try_from(url.host_str().trim_end_matches('.').to_owned()),
        };
        let name = name.map_err(|error| SendError::TlsFailed(error.to_string()))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SendError::TlsFailed("the receiver closed the connection".to_owned()),
            io::ErrorKind::ConnectionReset => SendError::ConnectionReset,
            _ => SendError::TlsFailed(tidy(&error.to_string())),
        })?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

fn failure(error: io::Error) -> Failure {
    if error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
        return Failure::NotTried(error);
    }
    Failure::Attempt(match error.kind() {
        io::ErrorKind::ConnectionRefused => SendError::ConnectionRefused,
        io::ErrorKind::TimedOut => SendError::ConnectTimeout,
        _ => SendError::ConnectionReset,
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

/// A connection, encrypted or not.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
