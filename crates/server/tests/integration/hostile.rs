//! Five hundred receivers that do harm at once, against a real server with its real limits: each ends in time with an error, the
//! server's memory hardly grows, and no proxy of the environment is asked.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use crate::support::client::Client;

const RECEIVERS: usize = 500;
/// In MiB.
const MAY_GROW: f64 = 50.0;

/// What the receiver with this number does with a connection; ends when the server has hung up.
async fn harm(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = vec![0; 8192];
    let length = stream.read(&mut request).await?;
    let text = String::from_utf8_lossy(&request[..length]);
    let number: usize = text.split_whitespace().nth(1).and_then(|path| path.get(1..)?.parse().ok()).unwrap_or(0);
    let (first, again, pause): (&[u8], &[u8], u64) = match number % 10 {
        0 => (b"", b"", 1_000),
        1 => (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", b"", 1_000),
        2 => (b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b"x", 1_000),
        3 => (b"HTTP/1.1 200 OK\r\nx-slow: ", b"x", 1_000),
        4 => (b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65_536], 0),
        5 => (b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n", &[b'x'; 65_536], 0),
        6 => (b"HTTP/1.1 200 OK\r\nx-large: ", &[b'x'; 65_536], 0),
        7 => (b"HTTP/1.1 200 OK\r\n", b"x-many: of them\r\nx-more: of them\r\n", 0),
        8 => (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n", 0),
        _ => (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0),
    };
    stream.write_all(first).await?;
    loop {
        stream.write_all(again).await?;
        if pause > 0 {
            // What hangs must not keep the other end's goodbye from being seen.
            let mut byte = [0];
            tokio::select! {
                read = stream.read(&mut byte) => if read? == 0 { return Ok(()) },
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            }
        }
    }
}

fn bellwire(folder: &Path, address: SocketAddr, proxy: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwire"));
    command
        .current_dir(folder)
        .env("BELLWIRE_LISTEN", address.to_string())
        .env("BELLWIRE_ALLOW_NETWORKS", "127.0.0.0/8")
        // No retries: each receiver has one attempt.
        .env("BELLWIRE_RETRY_SCHEDULE", "0s,1d")
        .env("BELLWIRE_LOG", "warn")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .kill_on_drop(true);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, format!("http://{proxy}"));
    }
    command
}

/// In MiB: `VmRSS` or its highest value, `VmHWM`.
fn memory(pid: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// From the server's own database, while it runs.
fn attempts(folder: &Path, columns: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(folder.join("bellwire.db"), flags).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    database.query_row(&format!("SELECT {columns} FROM attempts"), [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_hostile_receivers_cost_little() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let receivers = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = receivers.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = receivers.accept().await {
            tokio::spawn(harm(stream));
        }
    });

    let command = || bellwire(folder.path(), address, proxy.local_addr().unwrap());
    let names = ["--workspace", "W", "--owner-email", "o@example.com", "--owner-name", "O", "--password-stdin"];
    let mut child =
        command().arg("bootstrap").args(names).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a long enough password\n").await.unwrap();
    let made: Value = serde_json::from_slice(&child.wait_with_output().await.unwrap().stdout).unwrap();
    let client = Client { address, key: made["api_key"].as_str().unwrap().to_owned() };
    let server = command().arg("serve").stdout(Stdio::null()).spawn().unwrap();
    let pid = server.id().unwrap();
    while client.request("GET", "/healthz", &Value::Null).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    for number in 0..RECEIVERS {
        let webhook = json!({"url": format!("http://127.0.0.1:{port}/{number}"), "event_types": ["user.left"]});
        let (status, answer) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
        assert_eq!(status, 201, "{answer}");
    }
    let before = memory(pid, "VmRSS:");
    let event = json!({"type": "user.left", "data": {"text": "x".repeat(1000)}});
    client.request("POST", "/api/v1/events", &event).await.unwrap();
    let wanted = i64::try_from(RECEIVERS).unwrap();
    let ended = async {
        while attempts(folder.path(), "COUNT(*)") < wanted {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), ended).await.expect("every exchange ends");

    let grown = memory(pid, "VmHWM:") - before;
    let slowest = attempts(folder.path(), "MAX(duration) / 1000");
    println!(
        "{RECEIVERS} hostile receivers: memory grew from {before:.1} by {grown:.1} MiB, the slowest ended after {slowest} ms"
    );
    assert!(grown <= MAY_GROW, "from {before} by {grown} MiB");
    // 15 s, and what a machine needs that is busy with much else.
    assert!(slowest <= 20_000, "{slowest} ms");
    // Four kinds never come to an end, three break the rules of HTTP, three are cut after they have said 200.
    let kinds = "SUM(error = 'timeout') * 1000 + SUM(error = 'protocol_error')";
    assert_eq!(attempts(folder.path(), kinds), wanted / 10 * 4 * 1000 + wanted / 10 * 3);
    assert_eq!(attempts(folder.path(), "SUM(status = 200)"), wanted / 10 * 3);
    assert!(proxy.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "no proxy is asked");
}
