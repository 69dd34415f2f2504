//! The settings: one struct, each a flag and an environment variable of the same name.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use bellwire_core::retry::{RetryPolicy, Schedule};
use clap::Args;
use http::HeaderMap;
use ipnet::IpNet;

/// Everything that an operator can set.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address and port to serve on
    #[arg(long, env = "BELLWIRE_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub listen: SocketAddr,

    /// Where the data is: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "BELLWIRE_DATABASE_URL",
        default_value = "sqlite:bellwire.db",
        hide_env_values = true,
        global = true
    )]
    pub database_url: String,

    /// Where nodes hear each other, when a pooler is between: the same database without it
    #[arg(long, env = "BELLWIRE_DATABASE_LISTEN_URL", hide_env_values = true, global = true)]
    pub database_listen_url: Option<String>,

    /// The address that people type into their browsers, such as https://hooks.example.com; made from --listen when not given
    #[arg(long, env = "BELLWIRE_PUBLIC_URL", value_parser = public_url, global = true)]
    pub public_url: Option<String>,

    /// The file with the key that encrypts stored secrets; made at the first start
    #[arg(long, env = "BELLWIRE_MASTER_KEY_FILE", default_value = "bellwire.key", global = true)]
    pub master_key_file: PathBuf,

    /// Private networks that webhooks may reach, such as 10.1.0.0/16,127.0.0.0/8
    #[arg(long, env = "BELLWIRE_ALLOW_NETWORKS", value_delimiter = ',', value_parser = network, global = true)]
    pub allow_networks: Vec<IpNet>,

    /// A file with certificate authorities (PEM) that receivers may have their certificates from, besides the public ones
    #[arg(long, env = "BELLWIRE_EXTRA_CA_FILE", global = true)]
    pub extra_ca_file: Option<PathBuf>,

    /// Waits before each attempt of a delivery, after the one before
    #[arg(long, env = "BELLWIRE_RETRY_SCHEDULE", default_value = "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h", global = true)]
    pub retry_schedule: Schedule,

    /// How long all attempts must fail before a webhook is turned off
    #[arg(long, env = "BELLWIRE_DEACTIVATE_AFTER", default_value = "5d", value_parser = humantime::parse_duration, global = true)]
    pub deactivate_after: Duration,

    /// How long events, deliveries and attempts are kept
    #[arg(long, env = "BELLWIRE_RETENTION", default_value = "30d", value_parser = humantime::parse_duration, global = true)]
    pub retention: Duration,

    /// How long to go on serving after SIGTERM, while /readyz already says no and load balancers turn away; at most 10s
    #[arg(long, env = "BELLWIRE_DRAIN_DELAY", default_value = "5s", value_parser = drain_delay, global = true)]
    pub drain_delay: Duration,

    /// What to log: a level such as info, or a filter such as bellwire=debug
    #[arg(long, env = "BELLWIRE_LOG", default_value = "info", global = true)]
    pub log: String,

    /// How to log: text for people, json (an object a line) for programs
    #[arg(long, env = "BELLWIRE_LOG_FORMAT", value_enum, default_value_t, global = true)]
    pub log_format: LogFormat,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl Config {
    /// Where browsers find the console: no slash at the end.
    pub fn public_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }

    /// Whether browsers come over https, so that cookies must be `Secure`.
    pub fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Where a request comes from, as far as it can be known. Over https there is a proxy in front (this server speaks plain HTTP),
    /// and whoever asks is the last address that it wrote into `X-Forwarded-For`: the others come from whoever asks. Otherwise it
    /// is the peer.
    pub fn client_ip(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.is_https() {
            return peer;
        }
        let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        line.rsplit(',').next()?.trim().parse().ok()
    }

    /// The retry times.
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy { schedule: self.retry_schedule.clone(), deactivate_after: self.deactivate_after }
    }
}

fn public_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https")
        || url.path() != "/"
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must look like https://hooks.example.com, without a path".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn drain_delay(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(10);
    let delay = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if delay > LONGEST { Err("must be at most 10s".to_owned()) } else { Ok(delay) }
}

fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| "must be a network like 10.1.0.0/16".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn only_what_the_proxy_wrote_is_believed() {
        let at = |url: &str| Flags::parse_from(["bellwire", "--public-url", url]).config;
        let (plain, https) = (at("http://hooks.example.com"), at("https://hooks.example.com"));
        let peer = Some("127.0.0.1".parse().unwrap());
        let mut headers = HeaderMap::new();
        assert_eq!(https.client_ip(peer, &headers), None);
        headers.append("x-forwarded-for", "1.2.3.4".parse().unwrap());
        headers.append("x-forwarded-for", "5.6.7.8, 203.0.113.9".parse().unwrap());
        assert_eq!(https.client_ip(peer, &headers), Some("203.0.113.9".parse().unwrap()));
        assert_eq!(plain.client_ip(peer, &headers), peer);
    }
}
