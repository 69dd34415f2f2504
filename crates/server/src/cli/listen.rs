//! `bellwire listen`: a receiver for trying things out. It verifies and prints what arrives, answers as told, and can pass it on.

use std::{
    convert::Infallible,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bellwire_core::{
    json,
    sign::{self, Secret},
};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1 as client, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Clock;

/// The largest request that is taken.
const MAX_BODY: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Receives webhooks, verifies and prints them
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// The port to listen on, on this machine only
    #[arg(long, default_value_t = 9000)]
    port: u16,

    /// The webhook's secret, to verify what arrives: whsec_… Give it twice while it is being changed
    #[arg(long, env = "BELLWIRE_WEBHOOK_SECRET", hide_env_values = true, value_delimiter = ',')]
    secret: Vec<Secret>,

    /// The status to answer with
    #[arg(long, default_value = "204")]
    status: StatusCode,

    /// Pass what is valid on to this address, such as http://127.0.0.1:3000/webhooks
    #[arg(long, value_parser = forward_address)]
    forward: Option<http::Uri>,
}

/// Listens until it is told to stop.
///
/// # Errors
/// When the port can't be used.
pub async fn run(listen: Listen, clock: Clock) -> std::io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port))).await?;
    say(&format!("Listening on http://{}", listener.local_addr()?));
    serve(listener, listen, clock).await
}

async fn serve(listener: TcpListener, listen: Listen, clock: Clock) -> std::io::Result<()> {
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            stopped = tokio::signal::ctrl_c() => return stopped,
        };
        let (listen, clock) = (listen.clone(), clock.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &listen, &clock));
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            let _ = connection.await; // the sender broke off: nothing to do about it
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    listen: &Listen,
    clock: &Clock,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let (status, note) = match Limited::new(body, MAX_BODY).collect().await {
        Err(error) => (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        Ok(body) => receive(&parts.headers, body.to_bytes(), listen, clock).await,
    };
    let mut response = Response::new(Full::new(Bytes::from(note)));
    *response.status_mut() = status;
    Ok(response)
}

async fn receive(headers: &HeaderMap, body: Bytes, listen: &Listen, clock: &Clock) -> (StatusCode, String) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header(sign::ID_HEADER), header(sign::TIMESTAMP_HEADER));
    let secrets: Vec<&Secret> = listen.secret.iter().collect();
    let now = clock.now();
    let verified = if secrets.is_empty() {
        Ok("not verified: give --secret")
    } else {
        let signatures = header(sign::SIGNATURE_HEADER);
        let result = sign::verify(&secrets, id, timestamp, signatures, &body, now.as_seconds(), sign::TOLERANCE);
        result.map(|()| "verified")
    };
    let verdict = verified.as_ref().map_or_else(|error| format!("REFUSED: {error}"), |word| (*word).to_owned());
    let event_type = serde_json::from_slice::<Head>(&body).map(|head| head.event_type).unwrap_or_default();
    say(&format!("{now} {} {} {verdict}\n{}", tidy(&event_type), tidy(id), pretty(&body)));
    if verified.is_err() {
        return (StatusCode::UNAUTHORIZED, verdict);
    }
    let Some(address) = &listen.forward else { return (listen.status, String::new()) };
    let passed = tokio::time::timeout(PATIENCE, forward(address, headers, body)).await;
    match passed {
        Ok(Ok(status)) => {
            say(&format!("  passed on: {status}"));
            (status, String::new())
        }
        Ok(Err(error)) => (StatusCode::BAD_GATEWAY, complain(&error)),
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, complain("it did not answer in time")),
    }
}

fn complain(error: &str) -> String {
    let text = format!("can't pass it on: {error}");
    say(&format!("  {text}"));
    text
}

async fn forward(address: &http::Uri, headers: &HeaderMap, body: Bytes) -> Result<StatusCode, String> {
    let host = address.host().unwrap_or_default();
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), address.port_u16().unwrap_or(80))).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        client::handshake(TokioIo::new(stream)).await.map_err(|error: hyper::Error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let mut request = Request::post(address.path_and_query().map_or("/", |path| path.as_str()));
    if let Some(kept) = request.headers_mut() {
        kept.clone_from(headers);
        for name in [http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING, http::header::CONNECTION] {
            kept.remove(name);
        }
        let host = address.authority().and_then(|authority| authority.as_str().parse().ok());
        host.map(|host| kept.insert(http::header::HOST, host));
    }
    let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
    let status = sender.send_request(request).await.map(|response| response.status());
    driver.abort(); // the answer's body is nobody's business
    status.map_err(|error| error.to_string())
}

fn forward_address(text: &str) -> Result<http::Uri, String> {
    let uri: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    if uri.scheme_str() == Some("http") && uri.host().is_some() {
        Ok(uri)
    } else {
        Err("must look like http://127.0.0.1:3000/webhooks".to_owned())
    }
}

/// What of a body is said first.
#[derive(serde::Deserialize)]
struct Head {
    #[serde(rename = "type")]
    event_type: String,
}

/// JSON over several lines; anything else as it is, without what could command a terminal.
fn pretty(body: &[u8]) -> String {
    tidy(&json::pretty(&String::from_utf8_lossy(body)))
}

fn tidy(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn say(text: &str) {
    // Nobody may be reading: that must not stop the receiver.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use bellwire_core::time::Timestamp;

    use super::*;

    async fn post(port: u16, headers: &[(&str, String)], body: &str) -> StatusCode {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::post("/").header("host", "127.0.0.1");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        sender.send_request(request).await.unwrap().status()
    }

    async fn start(status: u16, secret: Option<&Secret>, forward: Option<u16>, clock: &Clock) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listen = Listen {
            port,
            secret: secret.into_iter().cloned().collect(),
            status: StatusCode::from_u16(status).unwrap(),
            forward: forward.map(|port| forward_address(&format!("http://127.0.0.1:{port}/x")).unwrap()),
        };
        tokio::spawn(serve(listener, listen, clock.clone()));
        port
    }

    #[tokio::test]
    async fn verifies_answers_as_told_and_passes_on() {
        let clock = Clock::fake(Timestamp::from_micros(1_795_424_400_000_000));
        let seconds = clock.now().as_seconds();
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let behind = start(202, None, None, &clock).await;
        let plain = start(503, Some(&secret), None, &clock).await;
        let passing = start(204, Some(&secret), Some(behind), &clock).await;
        let headers = |signature: String| {
            [
                ("webhook-id", "evt_1".to_owned()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", signature),
            ]
        };
        let good = headers(sign::v1(&secret, "evt_1", seconds, b"{}"));
        assert_eq!(post(plain, &good, "{}").await, 503);
        assert_eq!(post(passing, &good, "{}").await, 202);
        assert_eq!(post(passing, &good, "{ }").await, 401);
        assert_eq!(post(passing, &headers("v1,x".to_owned()), "{}").await, 401);
        assert_eq!(post(passing, &[], "{}").await, 401);
    }

    #[test]
    fn prints_nothing_that_commands_a_terminal() {
        assert_eq!(pretty(b"\x1b[2Jx"), "\u{fffd}[2Jx");
        assert_eq!(pretty(b"{\"b\":1,\"a\":\"\x7f\"}"), "{\n  \"b\": 1,\n  \"a\": \"\u{fffd}\"\n}");
    }
}
