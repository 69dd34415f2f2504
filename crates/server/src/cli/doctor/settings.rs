//! Settings that are valid one by one, and may not be meant so.

use std::{net::IpAddr, time::Duration};

use super::{Finding, fine, thought, wrong};
use crate::config::Config;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    [public_url(config), networks(config), times(config)].into_iter().collect()
}

fn public_url(config: &Config) -> Finding {
    let about = "the setting --public-url (BELLWIRE_PUBLIC_URL)";
    let url = config.public_url();
    let is_local = config.listen.ip().is_loopback();
    if config.is_https() {
        fine(about, url)
    } else if config.public_url.is_none() && config.listen.ip().is_unspecified() {
        wrong(about, format!("{url} leads nowhere: say which address people type, as links in invites are made of it"))
    } else if is_local && config.public_url.is_none() {
        fine(about, format!("{url}, for this machine alone"))
    } else {
        thought(
            about,
            format!("{url} is not https: passwords and cookies can be read on the way; put a proxy with TLS before it"),
        )
    }
}

fn networks(config: &Config) -> Finding {
    let about = "the setting --allow-networks (BELLWIRE_ALLOW_NETWORKS)";
    let metadata: IpAddr = [169, 254, 169, 254].into();
    let list = config.allow_networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if let Some(all) = config.allow_networks.iter().find(|network| network.prefix_len() == 0) {
        wrong(
            about,
            format!("{all} lets webhooks reach everything inside your network: name the networks that they need"),
        )
    } else if config.allow_networks.iter().any(|network| network.contains(&metadata)) {
        wrong(about, format!("{list} lets webhooks reach {metadata}, where clouds keep this machine's credentials"))
    } else if config.allow_networks.is_empty() {
        fine(about, "webhooks reach public addresses only")
    } else {
        fine(about, format!("webhooks reach public addresses and {list}"))
    }
}

fn times(config: &Config) -> Finding {
    let about = "the setting --retention (BELLWIRE_RETENTION)";
    let (retention, patience) = (config.retention, config.deactivate_after);
    let words = |duration: Duration| humantime::format_duration(duration).to_string();
    if retention < patience {
        let (retention, patience) = (words(retention), words(patience));
        wrong(
            about,
            format!("{retention} is less than --deactivate-after ({patience}): deliveries go before they are given up"),
        )
    } else {
        fine(about, words(retention))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{super::Verdict, *};

    #[derive(Parser)]
    struct Settings {
        #[command(flatten)]
        config: Config,
    }

    fn verdicts(arguments: &[&str]) -> Vec<Verdict> {
        let line = ["bellwire"].iter().chain(arguments);
        look(&Settings::parse_from(line).config).into_iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn says_what_may_not_be_meant() {
        use Verdict::{Fine, Thought, Wrong};
        assert_eq!(verdicts(&[]), [Fine, Fine, Fine]);
        assert_eq!(verdicts(&["--public-url", "https://hooks.example.com"]), [Fine, Fine, Fine]);
        assert_eq!(verdicts(&["--public-url", "http://hooks.example.com"])[0], Thought);
        assert_eq!(verdicts(&["--listen", "0.0.0.0:80"])[0], Wrong);
        assert_eq!(verdicts(&["--listen", "10.0.0.1:80"])[0], Thought);
        assert_eq!(verdicts(&["--allow-networks", "10.0.0.0/8"])[1], Fine);
        assert_eq!(verdicts(&["--allow-networks", "0.0.0.0/0"])[1], Wrong);
        assert_eq!(verdicts(&["--allow-networks", "169.254.0.0/16"])[1], Wrong);
        assert_eq!(verdicts(&["--retention", "1d"])[2], Wrong);
    }
}
