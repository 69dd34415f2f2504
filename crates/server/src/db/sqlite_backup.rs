//! A copy of a SQLite file as it is at one moment, made while others read and write it.
//!
//! `VACUUM INTO` reads one snapshot; writers go on, and their log is kept until the copy is done. The copy gets its name only when it is
//! whole, checked, and on disk.

use std::{fs::OpenOptions, path::Path};

use super::{DbError, sqlite};

pub(super) fn run(path: &str, file: &Path) -> Result<u64, DbError> {
    sqlite::must_exist(path)?;
    let say = |error: std::io::Error| DbError::Unavailable(format!("can't write {}: {error}", file.display()));
    if file.exists() {
        return Err(DbError::Fault(format!("there is a file {} already", file.display())));
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    // Made first, so that nobody else can ever read it. SQLite accepts a file that is empty.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(part).map_err(say)?;
    let copied = copy(path, part).and_then(|()| {
        let copy = OpenOptions::new().write(true).open(part).map_err(say)?;
        copy.sync_all().map_err(say)?;
        std::fs::rename(part, file).map_err(say)?;
        crate::crypt::sync_folder(file).map_err(say)?;
        Ok(copy.metadata().map_err(say)?.len())
    });
    if copied.is_err() {
        let _ = std::fs::remove_file(part); // what matters is the error that is told
    }
    copied
}

fn copy(path: &str, part: &Path) -> Result<(), DbError> {
    let name = part.to_str().ok_or_else(|| DbError::Fault("the file's name must be UTF-8".to_owned()))?;
    sqlite::connect(path, true)?.execute("VACUUM INTO ?1", [name])?;
    let check: String = sqlite::connect(name, true)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check == "ok" { Ok(()) } else { Err(DbError::Fault(format!("the copy is damaged: {check}"))) }
}
