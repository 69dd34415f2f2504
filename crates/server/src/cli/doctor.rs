//! `bellwire doctor`: looks at settings, key, database and machine, and says what to do. It changes nothing, and may be asked
//! while a server is at work.
//!
//! Each thing that it looks at is fine, is worth a thought, or is wrong; only what is wrong makes it fail.

mod database;
mod machine;
mod settings;

use clap::Args;

use super::open;
use crate::{clock::Clock, config::Config, db::Db};

/// Look at settings, key, database and machine, and say what to do
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Doctor {
    /// Read every page of a SQLite file too, which takes a while
    #[arg(long)]
    deep: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// It works, and may not work well.
    Thought,
    /// It does not work, or not safely.
    Wrong,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    verdict: Verdict,
    /// What was looked at: "clock", "the setting --listen".
    about: &'static str,
    /// What was seen; and what to do, unless it is fine.
    says: String,
}

fn fine(about: &'static str, says: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Fine, about, says: says.into() }
}

fn thought(about: &'static str, says: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Thought, about, says: says.into() }
}

fn wrong(about: &'static str, says: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Wrong, about, says: says.into() }
}

/// Does what is asked.
///
/// # Errors
/// When something is wrong.
pub(super) async fn run(doctor: Doctor, config: Config) -> Result<(), String> {
    let mut wrongs = 0;
    for Finding { verdict, about, says } in look(doctor, &config).await {
        let word = match verdict {
            Verdict::Fine => "ok   ",
            Verdict::Thought => "think",
            Verdict::Wrong => "WRONG",
        };
        super::print(format_args!("{word}  {about}: {says}"));
        wrongs += u32::from(verdict == Verdict::Wrong);
    }
    match wrongs {
        0 => Ok(()),
        1 => Err("one thing is wrong".to_owned()),
        more => Err(format!("{more} things are wrong")),
    }
}

async fn look(doctor: Doctor, config: &Config) -> Vec<Finding> {
    let mut findings = settings::look(config);
    findings.extend(machine::look(config));
    let db = match Db::connect_existing(&config.database_url).await {
        Ok(db) => db,
        Err(error) => {
            let first = "; a first start makes a new one";
            let hint = if config.database_url.starts_with("sqlite:") { first } else { "" };
            findings.push(wrong("database", format!("{error}{hint}")));
            return findings;
        }
    };
    let is_served = open::is_served(&config.database_url).unwrap_or_else(|error| {
        findings.push(wrong("database", error));
        None
    });
    let now = Clock::System.now();
    findings.extend(database::look(&db, config, now, is_served, doctor.deep).await);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_empty_folder_has_no_database() {
        let (app, _signals, folder) = crate::testing::app().await;
        let mut config = app.config.clone();
        config.database_url = format!("sqlite:{}", folder.path().join("none.db").display());
        let findings = look(Doctor { deep: false }, &config).await;
        let last = findings.last().unwrap();
        assert_eq!((last.verdict, last.about), (Verdict::Wrong, "database"));
        assert!(last.says.ends_with("; a first start makes a new one"), "{}", last.says);
    }
}
