//! Processes and what they cost, from `/proc` (Linux).

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::{Failure, connection::Connection};

/// `/proc` counts in hundredths of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that a process has used, its threads included.
pub(crate) fn cpu(pid: &str) -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Fields 14 and 15 of proc(5); the second field may have spaces but ends with the last parenthesis.
    let after = stat.rsplit_once(')').ok_or("unreadable /proc")?.1;
    let ticks = after.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

/// How a child process tells `run` what it has used.
pub(crate) fn print_own_cpu() -> Result<(), Failure> {
    println!("{}", cpu("self")?.as_micros());
    Ok(())
}

/// Runs this program as a child with other arguments; returns the CPU that it used.
pub(crate) async fn child(arguments: &[&str], key: &str) -> Result<Duration, Failure> {
    let child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env("BENCH_API_KEY", key)
        .stderr(Stdio::inherit())
        .output();
    let output = child.await?;
    if !output.status.success() {
        return Err(format!("{} failed", arguments[0]).into());
    }
    Ok(Duration::from_micros(String::from_utf8(output.stdout)?.trim().parse()?))
}

/// A server under test in a folder of its own; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) authority: String,
    /// With every permission.
    pub(crate) key: String,
}

impl Server {
    /// Bootstraps a workspace and serves it.
    pub(crate) async fn start(folder: &Path, database: Option<&str>) -> Result<Self, Failure> {
        let binary = crate::server_binary()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let authority = format!("127.0.0.1:{port}");
        let command = |name: &str| {
            let mut command = Command::new(&binary);
            command
                .arg(name)
                .current_dir(folder)
                .env("BELLWIRE_LISTEN", &authority)
                .env("BELLWIRE_ALLOW_NETWORKS", "127.0.0.0/8")
                .env("BELLWIRE_LOG", "warn");
            if let Some(database) = database {
                command.env("BELLWIRE_DATABASE_URL", database);
            }
            command
        };
        let mut bootstrap = command("bootstrap")
            .args([
                "--workspace",
                "Bench",
                "--owner-email",
                "bench@example.com",
                "--owner-name",
                "Bench",
                "--password-stdin",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = bootstrap.stdin.take().ok_or("no standard input")?;
        tokio::io::AsyncWriteExt::write_all(&mut stdin, b"a long enough password\n").await?;
        drop(stdin);
        let output = bootstrap.wait_with_output().await?;
        let made: Value = serde_json::from_slice(&output.stdout)?;
        let key = made["api_key"].as_str().ok_or("bootstrap printed no api_key")?.to_owned();
        let child = command("serve").stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let server = Self { child, authority, key };
        for _ in 0..500 {
            if Connection::open(&server.authority).await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("the server did not start".into())
    }

    /// Its process id, as text.
    pub(crate) fn pid(&self) -> Result<String, Failure> {
        Ok(self.child.id().ok_or("the server has ended")?.to_string())
    }

    /// One request to its API.
    pub(crate) async fn request(&self, method: &str, path: &str, body: Value) -> Result<Value, Failure> {
        let bearer = format!("Bearer {}", self.key);
        let body = if body.is_null() { bytes::Bytes::new() } else { body.to_string().into() };
        let (status, answer) = Connection::open(&self.authority)
            .await?
            .exchange(method, path, &[("authorization", &bearer)], body)
            .await?;
        if !status.is_success() {
            return Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}
