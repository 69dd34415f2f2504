//! A PostgreSQL server of a test's own: for what can't be asked of the one that all tests share, such as to be encrypted or to be
//! restarted. In a temporary folder, on a free loopback port; it is gone when the value is dropped.
//!
//! Its programs are those that Debian installs. They refuse to run as root, so then they run as nobody.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// The rights of files that hold keys: PostgreSQL insists.
const PRIVATE: u32 = 0o600;
/// Looks, 100 ms apart, until a server must be ready.
const LOOKS: u32 = 600;

/// See the module.
pub(crate) struct Cluster {
    server: Option<Child>,
    settings: Vec<String>,
    folder: TempDir,
    /// On 127.0.0.1.
    pub(crate) port: u16,
}

impl Cluster {
    /// Makes one with these `files` in its data folder and these settings (`ssl=on`), and starts it.
    ///
    /// `None`, after saying so, when `BELLWIRE_TEST_SKIP_POSTGRES=1`.
    pub(crate) async fn start(settings: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        if env::var_os("BELLWIRE_TEST_SKIP_POSTGRES").is_some_and(|value| value == "1") {
            eprintln!("skipped: BELLWIRE_TEST_SKIP_POSTGRES=1");
            return None;
        }
        let folder = open_folder();
        let data = folder.path().join("data");
        let made = as_nobody(folder.path(), &programs().join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        for (name, text) in files {
            give(&data.join(name), text);
        }
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut cluster = Self { server: None, settings, folder, port: free_port() };
        cluster.run().await;
        Some(cluster)
    }

    /// Starts the server, and waits until it takes connections.
    pub(crate) async fn run(&mut self) {
        let data = self.folder.path().join("data");
        let mut command = as_nobody(self.folder.path(), &programs().join("postgres"));
        command.arg("-D").arg(&data).args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "fsync=off"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        self.server = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let file = data.join("postmaster.pid");
        for _ in 0..LOOKS {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if text.lines().nth(7).is_some_and(|line| line.starts_with("ready")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("PostgreSQL did not start: {}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
    }

    /// Stops the server as a restart does: whoever is connected is cut off.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            end(server, "-INT");
        }
    }

    /// As `BELLWIRE_DATABASE_URL` takes it; `host` is a name for 127.0.0.1.
    pub(crate) fn url(&self, host: &str, parameters: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres{parameters}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks a process to end, and waits until it has.
pub(crate) fn end(mut process: Child, signal: &str) {
    let _ = Command::new("kill").args([signal, &process.id().to_string()]).status();
    let _ = process.wait();
}

/// A temporary folder that nobody may write to, in which nobody's programs run.
pub(crate) fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    folder
}

/// Writes a file that belongs to who runs the programs.
pub(crate) fn give(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(PRIVATE)).unwrap();
    if is_root() {
        let id = Some(nobody("-u"));
        std::os::unix::fs::chown(path, id, Some(nobody("-g"))).unwrap();
    }
}

/// A command that runs as somebody who is not root, in this folder.
pub(crate) fn as_nobody(folder: &Path, program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", nobody("-u"))).arg(format!("--regid={}", nobody("-g"))).arg("--clear-groups");
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_root() -> bool {
    said_by("id", &["-u"]) == "0"
}

fn nobody(what: &str) -> u32 {
    said_by("id", &[what, "nobody"]).parse().unwrap()
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(Command::new(program).args(arguments).output().unwrap().stdout).unwrap().trim().to_owned()
}

/// The folder of the newest PostgreSQL's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed (scripts/test does it)");
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(version);
    newest.expect("PostgreSQL is installed (scripts/test does it)").join("bin")
}
