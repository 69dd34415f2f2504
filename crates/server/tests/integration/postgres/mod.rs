//! What is true of PostgreSQL alone: encrypted connections, a pooler before it, a server that goes away.

mod pooler;
mod restart;
mod tls;

use std::{path::Path, time::Duration};

use bellwire::config::{Config, LogFormat};

/// What a server is started with that retries soon and keeps its key in this folder.
fn settings(database_url: &str, folder: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: database_url.to_owned(),
        public_url: None,
        master_key_file: folder.join("bellwire.key"),
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        retry_schedule: "0s,100ms,1s,1s,1s,1s,1s,1s".parse().unwrap(),
        deactivate_after: Duration::from_hours(5 * 24),
        retention: Duration::from_hours(30 * 24),
        log: "off".to_owned(),
        log_format: LogFormat::Text,
        drain_delay: Duration::ZERO,
        extra_ca_file: None,
        database_listen_url: None,
    }
}
