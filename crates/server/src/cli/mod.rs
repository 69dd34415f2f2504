//! The command line: what to do, with which settings.
//!
//! Every setting is a flag and an environment variable. A setting that is wrong, and a variable `BELLWIRE_…` that is none,
//! end the program at once, with a sentence that names it: a mistyped setting that is silently ignored is worse than a
//! program that doesn't start.

pub mod bootstrap;
mod demo;
mod environment;
pub mod listen;
pub mod serve;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    clock::{Clock, Randomness},
    config::Config,
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
    let Arguments { config, command } = Arguments::parse();
    if let Err(sentence) = log_to_stderr(&config.log) {
        return fail(&sentence);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("can't start the program's threads: {error}")),
    };
    let done = match command {
        None | Some(Command::Serve) => runtime.block_on(serve::run(config)),
        Some(Command::Bootstrap(bootstrap)) => runtime.block_on(run_bootstrap(config, bootstrap)),
        Some(Command::Listen(listen)) => {
            runtime.block_on(listen::run(listen, Clock::System)).map_err(|error| format!("can't listen: {error}"))
        }
        Some(Command::Demo(demo)) => runtime.block_on(demo::run(demo, config)),
        Some(Command::Openapi) => {
            print(format_args!("{:#}", crate::api::openapi::document()));
            Ok(())
        }
    };
    // What still runs on other threads (a password's hash) is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => fail(&sentence),
    }
}

async fn run_bootstrap(config: Config, bootstrap: bootstrap::Bootstrap) -> Result<(), String> {
    let (app, _) = serve::open(config, Clock::System, Randomness::from_system()).await?;
    bootstrap::run(&app, bootstrap, std::io::stdin().lock(), std::io::stdout()).await.map_err(|error| {
        error.log();
        error.to_string()
    })
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
fn log_to_stderr(filter: &str) -> Result<(), String> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| format!("the setting --log (BELLWIRE_LOG) can't be used: {error}"))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
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
        ] {
            let error = Arguments::try_parse_from(["bellwire", &format!("{flag}={value}")]).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(value), "{error}");
        }
    }
}
