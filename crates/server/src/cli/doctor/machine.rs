//! The machine: files that may be open, room on the disk, who can read the key.

use std::path::Path;

use super::{Finding, fine, thought, wrong};
use crate::{config::Config, metrics::Process};

/// Connections to receivers and from clients are files too.
const FILES: u64 = 4_096;
const MIB: u64 = 1024 * 1024;
/// Less room than this is wrong: a busy hour may fill it.
const LEAST_ROOM: u64 = 100 * MIB;
/// Less room than this is worth a thought.
const GOOD_ROOM: u64 = 1024 * MIB;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(Process::look().map(|process| files(process.max_files)));
    if let Some(path) = config.database_url.strip_prefix("sqlite:") {
        findings.push(disk(Path::new(path)));
    }
    findings.extend(key_mode(&config.master_key_file));
    findings
}

fn files(max: u64) -> Finding {
    let about = "open files";
    if max < FILES {
        thought(about, format!("{max} may be open; set the limit (ulimit -n, LimitNOFILE=) to {FILES} or more"))
    } else {
        fine(about, format!("{max} may be open"))
    }
}

fn disk(database: &Path) -> Finding {
    let about = "disk";
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = match rustix::fs::statvfs(folder) {
        Ok(stat) => stat,
        Err(error) => return wrong(about, format!("can't look at {}: {error}", folder.display())),
    };
    let size = std::fs::metadata(database).map_or(0, |file| file.len());
    room(stat.f_bavail.saturating_mul(stat.f_frsize), size)
}

/// `free` bytes of room beside a database of `size` bytes.
fn room(free: u64, size: u64) -> Finding {
    let about = "disk";
    let says = format!("{} MiB are free, the database has {} MiB", free / MIB, size / MIB);
    if free < LEAST_ROOM {
        wrong(about, format!("{says}: make room, or shorten --retention; when it is full, nothing is accepted"))
    } else if free < GOOD_ROOM.max(size) {
        thought(about, format!("{says}: a backup beside it would not fit, or little else would"))
    } else {
        fine(about, says)
    }
}

/// Nothing when there is no file: the database says whether there must be one.
#[cfg(unix)]
fn key_mode(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let about = "master key";
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    Some(if mode & 0o077 == 0 {
        fine(about, format!("only its owner can read {}", path.display()))
    } else {
        wrong(about, format!("others can read {} (mode {mode:o}): chmod 600 {}", path.display(), path.display()))
    })
}

#[cfg(not(unix))]
fn key_mode(_: &Path) -> Option<Finding> {
    None
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn says_what_gets_scarce() {
        assert_eq!(files(1_024).verdict, Verdict::Thought);
        assert_eq!(files(65_536).verdict, Verdict::Fine);
        assert_eq!(room(50 * MIB, 0).verdict, Verdict::Wrong);
        assert_eq!(room(2_000 * MIB, 3_000 * MIB).verdict, Verdict::Thought);
        assert_eq!(room(20_000 * MIB, 3_000 * MIB).verdict, Verdict::Fine);
        assert_eq!(disk(Path::new("/no/such/folder/x.db")).verdict, Verdict::Wrong);
        assert_ne!(disk(Path::new("x.db")).says, disk(Path::new("/no/such/folder/x.db")).says);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_its_owners() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(key_mode(&path), None);
        std::fs::write(&path, "x").unwrap();
        for (mode, verdict) in [(0o600, Verdict::Fine), (0o640, Verdict::Wrong), (0o604, Verdict::Wrong)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(key_mode(&path).unwrap().verdict, verdict);
        }
    }
}
