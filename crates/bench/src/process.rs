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
    // Fields 14 and 15 of proc(5).
    let ticks = u32::try_from(stat(pid)?.iter().skip(11).take(2).sum::<u64>())?;
    Ok(TICK * ticks)
}

/// A PostgreSQL on this machine, whose work counts too.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    postmaster: String,
}

impl Postgres {
    /// `place` is its data directory, or the id of its first process.
    pub(crate) fn find(place: &str) -> Result<Self, Failure> {
        let file = Path::new(place).join("postmaster.pid");
        let postmaster = match std::fs::read_to_string(file) {
            Ok(text) => text.lines().next().unwrap_or_default().trim().to_owned(),
            Err(_) => place.to_owned(),
        };
        let postgres = Self { postmaster };
        postgres.cpu().map_err(|_| format!("{place} is neither a data directory in use nor a process"))?;
        Ok(postgres)
    }

    /// CPU time of all its processes, also of those that have ended.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        // What a process counts for its children is that of those that have ended.
        let mut ticks = stat(&self.postmaster)?.iter().skip(11).take(4).sum::<u64>();
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else {
                continue;
            };
            // One that ends meanwhile is counted the next time.
            let Ok(fields) = stat(pid) else { continue };
            if fields.get(1).is_some_and(|parent| parent.to_string() == self.postmaster) {
                ticks += fields.iter().skip(11).take(2).sum::<u64>();
            }
        }
        Ok(TICK * u32::try_from(ticks)?)
    }
}

/// The fields of `/proc/PID/stat` from the third on, as numbers; what is none (the state, what is negative) is 0.
fn stat(pid: &str) -> Result<Vec<u64>, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field may have spaces but ends with the last parenthesis.
    let after = stat.rsplit_once(')').ok_or("unreadable /proc")?.1;
    Ok(after.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
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

/// A server under test in a folder of its own: one process, or several on one PostgreSQL. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// The other nodes, and where they listen.
    others: Vec<(Child, String)>,
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
        // All scenarios of a run share the database, and so its key.
        let key = folder.parent().unwrap_or(folder).join("bellwire.key");
        command.env("BELLWIRE_DATABASE_URL", database).env("BELLWIRE_MASTER_KEY_FILE", key);
    }
    Ok(command)
}

impl Server {
    /// Bootstraps a workspace and serves it with so many nodes.
    pub(crate) async fn start(folder: &Path, database: Option<&str>, nodes: usize) -> Result<Self, Failure> {
        let authority = free_authority()?;
        let mut bootstrap = command("bootstrap", folder, &authority, database)?
            .args(["--workspace", "Bench", "--owner-name", "Bench", "--owner-email"])
            .arg(format!("bench-{}@example.com", micros_now()))
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
        let mut server = Self {
            child,
            others: Vec::new(),
            folder: folder.to_owned(),
            database: database.map(str::to_owned),
            authority,
            key,
        };
        server.ready().await?;
        for _ in 1..nodes {
            let authority = free_authority()?;
            server.others.push((serve(folder, &authority, database)?, authority));
        }
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

    /// Where its nodes listen.
    pub(crate) fn authorities(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.authority.as_str()).chain(self.others.iter().map(|(_, authority)| authority.as_str()))
    }

    /// CPU time that its nodes have used.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let others = self.others.iter().map(|(child, _)| child.id().ok_or("a node has ended"));
        let mut all = cpu(&self.pid()?)?;
        for pid in others {
            all += cpu(&pid?.to_string())?;
        }
        Ok(all)
    }

    async fn ready(&self) -> Result<(), Failure> {
        for authority in self.authorities() {
            Self::answers(authority).await?;
        }
        Ok(())
    }

    async fn answers(authority: &str) -> Result<(), Failure> {
        for _ in 0..3_000 {
            if let Ok(mut connection) = Connection::open(authority).await
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
        let mut all = 0;
        for authority in self.authorities() {
            let mut connection = Connection::open(authority).await?;
            let (_, answer) = connection.exchange("GET", "/metrics", &[], Bytes::new()).await?;
            let text = String::from_utf8_lossy(&answer);
            let value = text.lines().find_map(|line| line.strip_prefix("bellwire_deliveries_in_memory "));
            all += value.ok_or("/metrics says nothing of deliveries in memory")?.parse::<u64>()?;
        }
        Ok(all)
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

fn free_authority() -> Result<String, Failure> {
    Ok(format!("127.0.0.1:{}", std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()))
}

fn serve(folder: &Path, authority: &str, database: Option<&str>) -> Result<Child, Failure> {
    Ok(command("serve", folder, authority, database)?.stdout(Stdio::null()).kill_on_drop(true).spawn()?)
}
