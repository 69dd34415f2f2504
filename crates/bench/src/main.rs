//! Measures Bellwire beside the bare limit of the same machine, in the same run.
//!
//! Who is there: a *receiver* (a hyper server that answers 204), the *bare client* (a plain hyper client that signs the
//! same bodies and posts them to the same receiver: the least that any sender of webhooks must do), and the *server under test*
//! with a *publisher*. The receiver lives in this process; the client, the publisher and the server are processes of their
//! own, so that the CPU of each can be told apart. Machines differ and are shared: only the ratios within one run say something.
//!
//! What is honest here: the server is the release binary with its ordinary settings (durable commits), requests are real HTTP
//! over loopback, every delivery is signed, and a delivery counts when the server has *recorded* it as delivered. Latency is
//! taken from the moment when a request should have been sent, whether or not somebody was free to send it.

mod bare;
mod connection;
mod disk;
mod model;
mod pace;
mod pages;
mod process;
mod publish;
mod receiver;
mod report;
mod reporting;
mod scenarios;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// An error that ends the run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    All(scenarios::All),
    /// The bare client (started by `all`)
    #[command(hide = true)]
    Bare(bare::Bare),
    /// The publisher (started by `all`)
    #[command(hide = true)]
    Publish(publish::Publish),
    /// Opens every list of a large workspace, and prints how long each took
    Pages(pages::Pages),
    Model(model::Model),
    /// The client that reports use (started by `all`)
    #[command(hide = true)]
    Report(reporting::Report),
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::All(all) => all.run().await,
        Command::Bare(bare) => bare.run().await,
        Command::Publish(publish) => publish.run().await,
        Command::Pages(pages) => pages.run().await,
        Command::Model(model) => model.run(),
        Command::Report(report) => report.run().await,
    }
}

/// Where `cargo build --release` puts the server, beside this program.
fn server_binary() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name("bellwire");
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} is missing: run cargo build --release --workspace", path.display()).into())
    }
}
