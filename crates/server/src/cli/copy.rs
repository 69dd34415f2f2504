//! `bellwire copy`: from SQLite to PostgreSQL, when one machine is not enough any more; and back.

use std::io::{IsTerminal, Write};

use clap::Args;

use super::open::{self, about_database};
use crate::{
    config::Config,
    db::copy::{self, Progress},
};

/// Copy everything into another database, which must be empty
#[derive(Args, Clone, Debug)]
pub(super) struct Copy {
    /// Where to: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, value_name = "DATABASE_URL")]
    to: String,
}

/// Does what is asked.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn run(Copy { to }: Copy, config: Config) -> Result<(), String> {
    let from = &config.database_url;
    let _places = (open::alone(from).await?, open::alone(&to).await.map_err(|error| about_to(&error))?);
    let mut bar = Bar::default();
    let copied = copy::run(from, &to, |progress| bar.show(progress)).await;
    bar.end();
    let copied = copied.map_err(about_database)?;
    for table in &copied {
        super::print(format_args!("{:>12}  {}", table.rows, table.table));
    }
    super::print(format_args!("All rows were read back from the target and are the same."));
    let key = config.master_key_file.display();
    super::print(format_args!(
        "Serve it with the same master key file ({key}) and BELLWIRE_DATABASE_URL set to the target."
    ));
    Ok(())
}

fn about_to(error: &str) -> String {
    error.replace("the setting --database-url (BELLWIRE_DATABASE_URL)", "--to")
}

/// Shows how far it is, on the standard error: a line that is written over on a terminal, else one for each tenth.
#[derive(Default)]
struct Bar {
    shown: Option<u64>,
}

impl Bar {
    const WIDTH: usize = 40;

    fn show(&mut self, Progress { table, done, of }: Progress<'_>) {
        let terminal = std::io::stderr().is_terminal();
        let (percent, step) = (done * 100 / of.max(1), if terminal { 1 } else { 10 });
        let next = self.shown.map_or(0, |shown| (shown + step).min(100));
        if percent < next || self.shown == Some(100) {
            return;
        }
        self.shown = Some(percent);
        let full = usize::try_from(percent).unwrap_or(0) * Self::WIDTH / 100;
        let bar = format!("[{:<width$}] {percent:>3} %  {table}", "#".repeat(full), width = Self::WIDTH);
        // Nobody may be looking.
        let _ =
            if terminal { write!(std::io::stderr(), "\r\x1b[K{bar}") } else { writeln!(std::io::stderr(), "{bar}") };
    }

    fn end(&self) {
        if self.shown.is_some() && std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr());
        }
    }
}
