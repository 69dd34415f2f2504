//! The command line: what to do, with which settings.
//!
//! Every setting is a flag and an environment variable. A setting that is wrong, and a variable `BELLWIRE_…` that is none,
//! end the program at once, with a sentence that names it: a mistyped setting that is silently ignored is worse than a
//! program that doesn't start.

mod api_key;
mod backup;
pub mod bootstrap;
mod copy;
mod demo;
mod doctor;
mod environment;
mod key;
pub mod listen;
mod migrate;
mod open;
mod password;
pub mod serve;
mod user;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    clock::Clock,
    config::{Config, LogFormat},
    error::Error,
};

/// The Webhooks page of an account console, and everything that has to be true behind it
///
/// Without a command, bellwire serves.
#[derive(Debug, Parser)]
#[command(name = "bellwire", version)]
struct Arguments {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the console and the API, and deliver events
    Serve,
    /// Make a workspace, its owner and an API key, and print their ids and the key as JSON
    Bootstrap(bootstrap::Bootstrap),
    /// Make an API key, and print it as JSON
    #[command(subcommand)]
    ApiKey(api_key::ApiKey),
    /// Give a person another password
    #[command(subcommand)]
    User(user::User),
    /// Bring the database's tables up to date, or say what is missing
    Migrate(migrate::Migrate),
    /// Copy a SQLite database into a file, also while a server is at work
    Backup(backup::Backup),
    /// Copy everything into another database, which must be empty
    Copy(copy::Copy),
    /// Look at settings, key, database and machine, and say what to do
    Doctor(doctor::Doctor),
    /// Change the master key
    #[command(subcommand)]
    Key(key::Key),
    /// Receive webhooks on this machine, check and print them, and pass them on
    Listen(listen::Listen),
    /// Serve a workspace in which much happens, to look at
    Demo(demo::Demo),
    /// Print the OpenAPI document
    Openapi,
}

/// Does what the command line says. What went wrong is written to stderr, as one sentence.
pub fn main() -> ExitCode {
    if let Err(sentence) = environment::check(&Arguments::command(), std::env::vars_os()) {
        return fail(&sentence);
    }
    let Arguments { config, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => match environment::wrong_setting(&Arguments::command(), &error) {
            Some(sentence) => return fail(&sentence),
            None => error.exit(),
        },
    };
    if let Err(sentence) = log_to_stderr(&config) {
        return fail(&sentence);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("can't start the program's threads: {error}")),
    };
    let done = runtime.block_on(run(command.unwrap_or(Command::Serve), config));
    // What still runs on other threads (a password's hash) is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => fail(&sentence),
    }
}

/// Threads that answer and send: a core is left to the thread that writes into the database, or to the database's server. More
/// of them would only take it from each other.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

async fn run(command: Command, config: Config) -> Result<(), String> {
    match command {
        Command::Serve => serve::run(config).await,
        Command::Bootstrap(bootstrap) => {
            let app = open::command(config).await?;
            let done = bootstrap::run(&app, bootstrap, std::io::stdin().lock(), std::io::stdout()).await;
            done.map_err(in_a_sentence)
        }
        Command::ApiKey(api_key) => api_key::run(api_key, config).await,
        Command::User(user) => user::run(user, config).await,
        Command::Migrate(migrate) => migrate::run(migrate, config).await,
        Command::Backup(backup) => backup::run(backup, config).await,
        Command::Copy(copy) => copy::run(copy, config).await,
        Command::Doctor(doctor) => doctor::run(doctor, config).await,
        Command::Key(key) => key::run(key, config).await,
        Command::Listen(listen) => {
            listen::run(listen, Clock::System).await.map_err(|error| format!("can't listen: {error}"))
        }
        Command::Demo(demo) => demo::run(demo, config).await,
        Command::Openapi => {
            print(format_args!("{:#}", crate::api::openapi::document()));
            Ok(())
        }
    }
}

/// What an operator is told: unlike a user of the console, they may know what it was.
fn in_a_sentence(error: Error) -> String {
    match error {
        Error::Internal(detail) | Error::Unavailable(detail) => detail,
        other => other.to_string(),
    }
}

/// Writes a line to stdout. Whoever reads it may be gone: that ends nothing.
fn print(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn fail(sentence: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "bellwire: {sentence}");
    ExitCode::FAILURE
}

/// Logs to stderr: stdout is for what commands print.
fn log_to_stderr(config: &Config) -> Result<(), String> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .map_err(|error| format!("the setting --log (BELLWIRE_LOG) can't be used: {error}"))?;
    // At other levels it tells notices, and the parameters of statements: what is in these is in no line.
    let quiet = "tokio_postgres=warn".parse().map_err(|error| format!("a filter for the log: {error}"))?;
    let filter = filter.add_directive(quiet);
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.with_ansi(colours).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn settings_come_before_and_behind_the_command() {
        for line in [
            &["bellwire", "--listen", "127.0.0.1:9"][..],
            &["bellwire", "--listen", "127.0.0.1:9", "serve"],
            &["bellwire", "serve", "--listen", "127.0.0.1:9"],
        ] {
            let arguments = Arguments::try_parse_from(line).unwrap();
            assert_eq!(arguments.config.listen.to_string(), "127.0.0.1:9");
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        for (flag, value) in [
            ("--listen", "nowhere"),
            ("--public-url", "hooks.example.com"),
            ("--allow-networks", "10.0.0.0/99"),
            ("--retry-schedule", "5 parsecs"),
            ("--deactivate-after", "soon"),
            ("--retention", "-1"),
            ("--drain-delay", "1h"),
            ("--log-format", "xml"),
        ] {
            let error = Arguments::try_parse_from(["bellwire", &format!("{flag}={value}")]).unwrap_err();
            let sentence = environment::wrong_setting(&Arguments::command(), &error).unwrap();
            let variable = format!("BELLWIRE_{}", flag[2..].replace('-', "_").to_uppercase());
            let begin = format!("the setting {flag} ({variable}) can't be {value:?}: ");
            assert!(sentence.starts_with(&begin) && !sentence.contains('\n'), "{sentence}");
        }
        let other = Arguments::try_parse_from(["bellwire", "--no-such-flag"]).unwrap_err();
        assert_eq!(environment::wrong_setting(&Arguments::command(), &other), None);
    }
}
