//! The real program, started as a process, in a folder of its own.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use super::client::Client;

/// A folder, a free port, and the settings that the program gets there.
pub(crate) struct Machine {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    variables: Vec<(&'static str, String)>,
}

/// What a command has said.
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), address, variables: Vec::new() }
    }

    /// With one setting more; it overrides the one before.
    pub(crate) fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellwire"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("BELLWIRE_LISTEN", self.address.to_string())
            .env("BELLWIRE_ALLOW_NETWORKS", "127.0.0.0/8")
            .env("BELLWIRE_LOG", "warn")
            .envs(self.variables.iter().map(|(variable, value)| (variable, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = self.command(arguments).spawn().unwrap();
        // Whoever ends without reading closes the pipe: then nobody misses what could not be written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        said(child).await
    }

    /// As [`Machine::run`], of a command that must do what it is told. Returns what it has printed.
    pub(crate) async fn done(&self, arguments: &[&str], input: &str) -> String {
        let said = self.run(arguments, input).await;
        assert!(said.success, "{arguments:?}: {}", said.stderr);
        said.stdout
    }

    /// As [`Machine::run`], of a command that must refuse. Returns its one sentence.
    pub(crate) async fn refused(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments, "").await;
        assert!(!said.success, "{arguments:?} did it: {}", said.stdout);
        assert_eq!(said.stderr.lines().count(), 1, "one sentence: {}", said.stderr);
        said.stderr.strip_prefix("bellwire: ").unwrap_or_else(|| panic!("{}", said.stderr)).trim_end().to_owned()
    }

    /// A workspace and its API key.
    pub(crate) async fn bootstrap(&self) -> Client {
        let line = "bootstrap --workspace Acme --owner-email ann@example.com --owner-name Ann --password-stdin";
        let printed = self.done(&line.split(' ').collect::<Vec<_>>(), "a long enough password\n").await;
        let made: Value = serde_json::from_str(&printed).unwrap();
        Client { address: self.address, key: made["api_key"].as_str().unwrap().to_owned() }
    }

    /// A server that is ready.
    pub(crate) async fn serve(&self) -> Child {
        let mut child = self.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let client = Client { address: self.address, key: String::new() };
        for _ in 0..3_000 {
            if client.request("GET", "/readyz", &Value::Null).await.is_ok_and(|(status, _)| status == 200) {
                return child;
            }
            assert!(child.try_wait().unwrap().is_none(), "the server ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server did not start");
    }
}

async fn said(child: Child) -> Said {
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Sends a signal to a process of ours.
pub(crate) async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
}

/// Waits for something that must come.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..3_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}

/// One number from a SQLite file.
pub(crate) fn number(file: &Path, sql: &str) -> i64 {
    rusqlite::Connection::open(file).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
