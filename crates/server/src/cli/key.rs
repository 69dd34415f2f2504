//! `bellwire key rotate`: another master key, when the old one may be known to somebody.

use clap::Subcommand;

use super::open::{self, about_database};
use crate::{clock::Randomness, config::Config, db::Db, ops::master_key};

/// Change the master key
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Key {
    /// Make a new master key, and seal everything with it; no server may be at work
    Rotate,
}

/// Does what is asked.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn run(Key::Rotate: Key, config: Config) -> Result<(), String> {
    let _place = open::alone(&config.database_url).await?;
    // A new database would know no key: the file of another one must not be replaced because of it.
    let db = Db::connect_existing(&config.database_url).await.map_err(about_database)?;
    db.migrate().await.map_err(about_database)?;
    let file = config.master_key_file;
    let rotated = master_key::rotate(&db, &file, &Randomness::from_system()).await;
    let count =
        rotated.map_err(|error| format!("the setting --master-key-file (BELLWIRE_MASTER_KEY_FILE): {error}"))?;
    super::print(format_args!("{} holds a new key; {count} secrets were sealed with it.", file.display()));
    super::print(format_args!(
        "Backups made before can be used with the old key only. On other nodes, replace the file."
    ));
    Ok(())
}
