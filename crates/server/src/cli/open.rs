//! Opens what a command needs: the place of the one server of a SQLite file, the database, the master key.
//!
//! One SQLite file belongs to one server: a second one is refused by a lock on a file beside it, which the system takes away
//! with the process, however it ends. Other commands work beside a server, but leave its tables as they are. What changes
//! everything (a copy, a new key) works alone.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use tokio::sync::mpsc;

use crate::{
    app::{App, Signal},
    clock::{Clock, Randomness},
    config::Config,
    db::Db,
    ops::master_key,
};

/// The place of the one server, until it is dropped. PostgreSQL bears many.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "locked while it is open")] Option<File>);

/// A sentence about the database.
pub(super) fn about_database(error: impl std::fmt::Display) -> String {
    format!("the setting --database-url (BELLWIRE_DATABASE_URL): {error}")
}

/// Takes the place of the one server of a SQLite file. `None` when a server has it.
///
/// # Errors
/// With a sentence for the operator.
pub(super) fn place(database_url: &str) -> Result<Option<Place>, String> {
    let Some(path) = lock_path(database_url) else { return Ok(Some(Place(None))) };
    let open = File::options().create(true).write(true).truncate(false).open(&path);
    let file = open.map_err(|error| about_database(format!("can't open {}: {error}", path.display())))?;
    Ok(if try_lock(&file, &path)? { Some(Place(Some(file))) } else { None })
}

/// Whether a server has a SQLite file, without leaving a trace; `None` on PostgreSQL, which bears many and keeps no list.
///
/// # Errors
/// With a sentence for the operator.
pub(super) fn is_served(database_url: &str) -> Result<Option<bool>, String> {
    let Some(path) = lock_path(database_url) else { return Ok(None) };
    match File::open(&path) {
        Ok(file) => try_lock(&file, &path).map(|locked| Some(!locked)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Some(false)),
        Err(error) => Err(about_database(format!("can't open {}: {error}", path.display()))),
    }
}

fn lock_path(database_url: &str) -> Option<PathBuf> {
    let path = database_url.strip_prefix("sqlite:").filter(|path| !path.is_empty())?;
    Some(PathBuf::from(format!("{path}.lock")))
}

fn try_lock(file: &File, path: &Path) -> Result<bool, String> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(about_database(format!("can't lock {}: {error}", path.display())))
        }
    }
}

/// The place of the one server, or a sentence that says who has it.
///
/// # Errors
/// With a sentence for the operator.
pub(super) fn only_place(database_url: &str) -> Result<Place, String> {
    place(database_url)?.ok_or_else(|| about_database("another bellwire serves this database"))
}

/// Makes sure that nobody else is at work on a database, as far as that can be known.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn alone(database_url: &str) -> Result<Place, String> {
    let place = only_place(database_url)?;
    match Db::others(database_url).await.map_err(about_database)? {
        0 => Ok(place),
        others => {
            let what = format!("bellwire is at work on this database ({others} connections): stop all its nodes first");
            Err(about_database(what))
        }
    }
}

/// The application in a process of a server, which brings the tables up to date.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn server(
    config: Config,
    clock: Clock,
    random: Randomness,
) -> Result<(App, mpsc::UnboundedReceiver<Signal>), String> {
    let db = Db::open(&config.database_url).await.map_err(about_database)?;
    db.hurry();
    application(config, db, clock, random).await
}

/// The application in a process that only writes, perhaps beside a server: whatever it owes is that one's to send.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn command(config: Config) -> Result<App, String> {
    let db = Db::connect(&config.database_url).await.map_err(about_database)?;
    if place(&config.database_url)?.is_some() {
        db.migrate().await.map_err(about_database)?;
    } else if !db.missing_migrations().await.map_err(about_database)?.is_empty() {
        return Err(about_database("an older version of bellwire serves this database: stop it, and start this one"));
    }
    let (app, _) = application(config, db, Clock::System, Randomness::from_system()).await?;
    app.wake.close();
    Ok(app)
}

async fn application(
    config: Config,
    db: Db,
    clock: Clock,
    random: Randomness,
) -> Result<(App, mpsc::UnboundedReceiver<Signal>), String> {
    let key = master_key::open(&db, &config.master_key_file, &random).await;
    let key = key.map_err(|error| format!("the setting --master-key-file (BELLWIRE_MASTER_KEY_FILE): {error}"))?;
    let (app, signals) = App::new(config, db, clock, random, key);
    app.measure_database_clock().await.map_err(about_database)?;
    Ok((app, signals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_for_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/b.db", folder.path().display());
        let held = only_place(&url).unwrap();
        assert!(only_place(&url).unwrap_err().contains("another bellwire serves this database"));
        assert_eq!(is_served(&url).unwrap(), Some(true));
        drop(held);
        assert_eq!(is_served(&url).unwrap(), Some(false));
        assert!(place(&url).unwrap().is_some());
        let postgres = "postgres://localhost/b";
        let _first = only_place(postgres).unwrap();
        assert!(place(postgres).unwrap().is_some(), "PostgreSQL bears many");
    }
}
