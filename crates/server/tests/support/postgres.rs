//! A PostgreSQL database for one test.
//!
//! The cluster is the one that `scripts/test` starts and names in `BELLWIRE_TEST_POSTGRES_URL`. Without it a test fails,
//! so that nobody takes silence for success; `BELLWIRE_TEST_SKIP_POSTGRES=1` says that leaving those tests out is meant.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    runtime,
};
use tokio_postgres::NoTls;
use url::Url;

/// An empty database, dropped with this value, whoever is still connected to it.
pub(crate) struct FreshDatabase {
    /// Of the new database: `postgres://…/bellwire_test_1234_0`.
    url: String,
    name: String,
    /// Of the database that the cluster always has: one cannot drop the database that one is connected to.
    cluster: String,
}

/// Makes an empty database.
///
/// `None`, after saying so, when `BELLWIRE_TEST_SKIP_POSTGRES=1`: then the test has nothing to do.
///
/// # Panics
///
/// When no cluster is named, and when the database cannot be made.
pub(crate) async fn fresh_database() -> Option<FreshDatabase> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);

    if is_left_out() {
        return None;
    }
    let cluster = env::var("BELLWIRE_TEST_POSTGRES_URL").expect("run scripts/test, which starts PostgreSQL");
    // Tests run in many processes and in many threads. What a killed one has left behind goes when its number comes again.
    let name = format!("bellwire_test_{}_{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let mut url = Url::parse(&cluster).expect("BELLWIRE_TEST_POSTGRES_URL is a URL");
    url.set_path(&name);

    execute(&cluster, &[&drop_statement(&name), &format!("CREATE DATABASE {name}")])
        .await
        .unwrap_or_else(|error| panic!("{cluster}: {error:?}"));
    Some(FreshDatabase { url: url.into(), name, cluster })
}

fn is_left_out() -> bool {
    let left_out = env::var_os("BELLWIRE_TEST_SKIP_POSTGRES").is_some_and(|value| value == "1");
    if left_out {
        eprintln!("skipped: BELLWIRE_TEST_SKIP_POSTGRES=1");
    }
    left_out
}

impl FreshDatabase {
    /// As `BELLWIRE_DATABASE_URL` takes it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let (cluster, statement) = (self.cluster.clone(), drop_statement(&self.name));
        // A runtime of its own: the test's may be the one that this thread is running.
        let dropped = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
            runtime.block_on(execute(&cluster, &[&statement]))
        })
        .join();
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("the database {} is left behind: {dropped:?}", self.name);
        }
    }
}

fn drop_statement(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

/// One after the other, each in a transaction of its own: databases are not made and dropped within one.
async fn execute(url: &str, statements: &[&str]) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    for statement in statements {
        client.batch_execute(statement).await?;
    }
    drop(client);
    connection.await.expect("the connection does not panic")
}

/// Whose processes need no rights: PostgreSQL refuses to run as root. Of Debian, and nearly everywhere.
const NOBODY: u32 = 65_534;

/// A PostgreSQL of a test's own, in a folder of its own, to be stopped and started again. It syncs as in production. Gone when
/// dropped.
pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    postmaster: Option<Child>,
}

impl Server {
    /// Makes one and starts it. `None`, after saying so, when `BELLWIRE_TEST_SKIP_POSTGRES=1`.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&[], &[]).await
    }

    /// As [`Server::start`], with settings (`ssl=on`), and files in its data folder that nobody else may read.
    pub(crate) async fn start_with(settings: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        if is_left_out() {
            return None;
        }
        let installed = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed").flatten();
        let programs = installed.map(|version| version.path().join("bin")).max().expect("PostgreSQL is installed");
        let folder = unprivileged_folder();
        let port = free_port();
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { folder, programs, port, settings, postmaster: None };
        let made = server
            .command("initdb")
            .args(["--pgdata=data", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"])
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for (name, text) in files {
            give(&server.folder.path().join("data").join(name), text);
        }
        server.run().await;
        Some(server)
    }

    /// As `BELLWIRE_DATABASE_URL` takes it.
    pub(crate) fn url(&self) -> String {
        self.url_of("127.0.0.1")
    }

    /// The same by another name of this machine.
    pub(crate) fn url_of(&self, host: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres", self.port)
    }

    /// Starts it, again.
    pub(crate) async fn run(&mut self) {
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories="]);
        command.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        self.postmaster = Some(command.stderr(log).kill_on_drop(true).spawn().unwrap());
        for _ in 0..6_000 {
            if tokio_postgres::connect(&self.url(), NoTls).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("PostgreSQL did not start: {}", fs::read_to_string(self.folder.path().join("log")).unwrap());
    }

    /// Stops it: as in a crash (SIGQUIT: it recovers at the next start), or orderly, but without waiting for anybody (SIGINT).
    pub(crate) async fn stop(&mut self, crash: bool) {
        let mut postmaster = self.postmaster.take().expect("it runs");
        let signal = if crash { "-QUIT" } else { "-INT" };
        let id = postmaster.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        postmaster.wait().await.unwrap();
    }

    fn command(&self, program: &str) -> Command {
        unprivileged(&self.programs.join(program), self.folder.path())
    }
}

/// A program that refuses to run as root, in this folder.
pub(crate) fn unprivileged(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Writes a file for such a program, that nobody else may read.
pub(crate) fn give(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// A folder for such a program.
pub(crate) fn unprivileged_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Drop for Server {
    fn drop(&mut self) {
        // A postmaster that is killed leaves its children behind, to end by themselves; one that is asked takes them along.
        if let Some(id) = self.postmaster.as_ref().and_then(Child::id) {
            let _ = process::Command::new("kill").args(["-QUIT", &id.to_string()]).status();
            for _ in 0..500 {
                if !matches!(self.postmaster.as_mut().map(Child::try_wait), Some(Ok(None))) {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
