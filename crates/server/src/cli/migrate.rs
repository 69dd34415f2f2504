//! `bellwire migrate`: brings the tables up to date without serving, for those who want that to be a step of its own.

use clap::Args;

use super::open::{self, about_database};
use crate::{config::Config, db::Db};

/// Bring the database's tables up to date, or say what is missing
#[derive(Args, Clone, Debug)]
pub(super) struct Migrate {
    /// Change nothing: say what is missing, and fail when something is
    #[arg(long)]
    check: bool,
}

/// Does what is asked.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn run(Migrate { check }: Migrate, config: Config) -> Result<(), String> {
    let url = &config.database_url;
    if check {
        let db = Db::connect_existing(url).await.map_err(about_database)?;
        let missing = db.missing_migrations().await.map_err(about_database)?;
        if missing.is_empty() {
            super::print(format_args!("The tables are up to date."));
            return Ok(());
        }
        return Err(format!("the database lacks {}: run bellwire migrate", missing.join(", ")));
    }
    let _place = open::only_place(url)?;
    let done = Db::connect(url).await.map_err(about_database)?.migrate().await.map_err(about_database)?;
    match done.as_slice() {
        [] => super::print(format_args!("The tables were up to date already.")),
        done => super::print(format_args!("The tables are up to date now: ran {}.", done.join(", "))),
    }
    Ok(())
}
