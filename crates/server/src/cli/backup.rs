//! `bellwire backup`: a consistent copy of a SQLite database, also while a server is at work.

use std::path::PathBuf;

use clap::Args;

use super::open::about_database;
use crate::{config::Config, db::Db};

/// Copy a SQLite database into a file, also while a server is at work
#[derive(Args, Clone, Debug)]
pub(super) struct Backup {
    /// The file to make; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Does what is asked.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn run(Backup { file }: Backup, config: Config) -> Result<(), String> {
    let bytes = Db::backup(&config.database_url, &file).map_err(about_database)?;
    let (file, key) = (file.display(), config.master_key_file.display());
    super::print(format_args!("{file} is a copy of the database, of {bytes} bytes, and was checked."));
    super::print(format_args!("It can be used with the master key only: keep a copy of {key} too, in another place."));
    Ok(())
}
