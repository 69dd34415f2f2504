//! Two nodes on one PostgreSQL: what happens on one of them is seen on pages of the other.

use std::time::Duration;

use bellwire::ops::webhooks;
use bellwire_core::text::Reason;

use super::{Journey, journey_at};
use crate::{site::Site, support::postgres::fresh_database, webdriver::Kind};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_one_node_changes_when_another_switches_the_webhook_off() {
    let Some(database) = fresh_database().await else { return };
    let site = Site::on(Some(database.url())).await;
    let other = site.beside().await;
    know_each_other(&[&site, &other]).await;
    journey_at(site, Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook("https://hooks.example.com/a", &["user.*"]).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        let row = ".webhooks tbody tr:first-child";
        browser.says(&format!("{row} .status-word"), "Active").await;
        let why = Reason::parse("The receiver moves on Friday.").unwrap();
        webhooks::deactivate(&other.app, &it.site.ann, webhook.id, why).await.unwrap();
        browser.says(&format!("{row} .status-word"), "Inactive").await;
        browser.has(&format!("{row} .switch"), "aria-checked", "false").await;
        browser.picture("nodes-switched-off-elsewhere").await;
        webhooks::activate(&other.app, &it.site.ann, webhook.id, webhooks::Missed::Send).await.unwrap();
        browser.says(&format!("{row} .status-word"), "Active").await;
    })
    .await;
    other.stop().await;
}

/// Until then a node may believe that it is alone, and tells nobody what its pages show.
async fn know_each_other(sites: &[&Site]) {
    for _ in 0..3_000 {
        if sites.iter().all(|site| site.app.nodes.alive() == sites.len() && site.app.nodes.hears()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the nodes do not hear each other");
}
