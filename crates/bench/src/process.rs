//! Processes and what they cost, from `/proc` (Linux).

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::{Failure, connection::Connection, receiver::micros_now};

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

/// Memory of a process, in MiB.
pub(crate) struct Memory {
    /// What it has now.
    pub(crate) resident: f64,
    /// The most that it had.
    pub(crate) peak: f64,
    /// What it has now and shares with no file: without the program itself.
    pub(crate) anonymous: f64,
}

/// See [`Memory`].
pub(crate) fn memory(pid: &str) -> Result<Memory, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name: &str| -> Result<f64, Failure> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("unreadable /proc")?;
        Ok(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    };
    Ok(Memory { resident: of("VmRSS")?, peak: of("VmHWM")?, anonymous: of("RssAnon")? })
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
    folder: PathBuf,
    database: Option<String>,
    /// `127.0.0.1:PORT`
    pub(crate) authority: String,
    /// With every permission.
    pub(crate) key: String,
}

fn command(name: &str, folder: &Path, authority: &str, database: Option<&str>) -> Result<Command, Failure> {
    let mut command = Command::new(crate::server_binary()?);
    command
        .arg(name)
        .current_dir(folder)
        .env("BELLWIRE_LISTEN", authority)
        .env("BELLWIRE_ALLOW_NETWORKS", "127.0.0.0/8")
        .env("BELLWIRE_LOG", "error");
    if let Some(database) = database {
        command.env("BELLWIRE_DATABASE_URL", database);
    }
    Ok(command)
}

impl Server {
    /// Bootstraps a workspace and serves it.
    pub(crate) async fn start(folder: &Path, database: Option<&str>) -> Result<Self, Failure> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let authority = format!("127.0.0.1:{port}");
        let mut bootstrap = command("bootstrap", folder, &authority, database)?
            .args(["--workspace", "Bench", "--owner-email", "bench@example.com", "--owner-name", "Bench"])
            .arg("--password-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = bootstrap.stdin.take().ok_or("no standard input")?;
        tokio::io::AsyncWriteExt::write_all(&mut stdin, b"a long enough password\n").await?;
        drop(stdin);
        let output = bootstrap.wait_with_output().await?;
        let made: Value = serde_json::from_slice(&output.stdout)?;
        let key = made["api_key"].as_str().ok_or("bootstrap printed no api_key")?.to_owned();
        let child = serve(folder, &authority, database)?;
        let server = Self { child, folder: folder.to_owned(), database: database.map(str::to_owned), authority, key };
        server.ready().await?;
        Ok(server)
    }

    /// Kills the process, as a crash would, and starts another one on the same data. Returns how long it took to be ready.
    pub(crate) async fn restart(&mut self) -> Result<Duration, Failure> {
        self.child.kill().await?;
        let start = micros_now();
        self.child = serve(&self.folder, &self.authority, self.database.as_deref())?;
        self.ready().await?;
        Ok(Duration::from_micros(micros_now() - start))
    }

    async fn ready(&self) -> Result<(), Failure> {
        for _ in 0..3_000 {
            if let Ok(mut connection) = Connection::open(&self.authority).await
                && let Ok((status, _)) = connection.exchange("GET", "/readyz", &[], Bytes::new()).await
                && status.is_success()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("the server did not start within 30 s".into())
    }

    /// Deliveries that it has in memory: those whose outcome is not recorded yet.
    pub(crate) async fn in_memory(&self) -> Result<u64, Failure> {
        let mut connection = Connection::open(&self.authority).await?;
        let (_, answer) = connection.exchange("GET", "/metrics", &[], Bytes::new()).await?;
        let text = String::from_utf8_lossy(&answer);
        let value = text.lines().find_map(|line| line.strip_prefix("bellwire_deliveries_in_memory "));
        Ok(value.ok_or("/metrics says nothing of deliveries in memory")?.parse()?)
    }

    /// Waits until everything that was sent is recorded.
    pub(crate) async fn recorded(&self) -> Result<(), Failure> {
        while self.in_memory().await? > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Its process id, as text.
    pub(crate) fn pid(&self) -> Result<String, Failure> {
        Ok(self.child.id().ok_or("the server has ended")?.to_string())
    }

    /// Many requests to one path of its API, over several connections.
    pub(crate) async fn post_all(&self, path: &'static str, bodies: Vec<String>) -> Result<(), Failure> {
        let bodies = Arc::new(Mutex::new(bodies));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (bodies, bearer) = (Arc::clone(&bodies), format!("Bearer {}", self.key));
            let mut connection = Connection::open(&self.authority).await?;
            tasks.spawn(async move {
                loop {
                    let next = bodies.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some(body) = next else { return Ok::<(), Failure>(()) };
                    let headers = [("authorization", bearer.as_str())];
                    let (status, answer) = connection.exchange("POST", path, &headers, body.into()).await?;
                    if !status.is_success() {
                        return Err(format!("POST {path}: {status} {}", String::from_utf8_lossy(&answer)).into());
                    }
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    }

    /// One request to its API.
    pub(crate) async fn request(&self, method: &str, path: &str, body: Value) -> Result<Value, Failure> {
        let bearer = format!("Bearer {}", self.key);
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let (status, answer) = Connection::open(&self.authority)
            .await?
            .exchange(method, path, &[("authorization", &bearer)], body)
            .await?;
        if !status.is_success() {
            return Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer)? })
    }
}

fn serve(folder: &Path, authority: &str, database: Option<&str>) -> Result<Child, Failure> {
    Ok(command("serve", folder, authority, database)?.stdout(Stdio::null()).kill_on_drop(true).spawn()?)
}
