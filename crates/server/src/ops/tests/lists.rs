//! Sorting, paging, searching and filtering of the Webhooks page.

use std::collections::BTreeSet;

use bellwire_core::{catalogue::ActorType, permission::BuiltInRole};

use super::*;
use crate::{
    db::{
        page::PageRequest,
        webhooks::{Sort, StatusFilter, Wanted},
    },
    ops,
};

/// Webhooks whose sort values have many ties: 3 URLs, 3 owners (one with capitals), 4 times, 2 statuses.
async fn many(world: &World) -> Vec<WebhookDetails> {
    let owners = [
        world.owner.clone(),
        user(&world.app, world.owner.workspace, "bea", BuiltInRole::Admin).await,
        user(&world.app, world.owner.workspace, "Zoë", BuiltInRole::Admin).await,
    ];
    let mut made = Vec::new();
    for number in 0..23 {
        let new = new_webhook(&format!("https://{}.example.com/hook", ["b", "a", "c"][number % 3]), &["user.*"]);
        made.push(ops::webhooks::create(&world.app, &owners[number / 2 % 3], new).await.unwrap().0);
        if number % 6 == 5 {
            second(world);
        }
    }
    for webhook in made.iter_mut().step_by(4) {
        let off = ops::webhooks::deactivate(&world.app, &world.owner, webhook.id, "".parse_reason());
        *webhook = off.await.unwrap();
    }
    made
}

trait ParseReason {
    fn parse_reason(&self) -> bellwire_core::text::Reason;
}

impl ParseReason for str {
    fn parse_reason(&self) -> bellwire_core::text::Reason {
        bellwire_core::text::Reason::parse(self).unwrap()
    }
}

fn key(sort: Sort, webhook: &WebhookDetails) -> String {
    match sort {
        Sort::Url => webhook.url.to_string(),
        Sort::Owner => webhook.owner.name.to_lowercase(),
        Sort::CreatedAt => webhook.created_at.to_string(),
        Sort::Status => webhook.status.as_str().to_owned(),
    }
}

#[tokio::test]
async fn every_column_sorts_both_ways_and_cursors_cover_every_row_once() {
    for world in worlds().await {
        let made = many(&world).await;
        for sort in Sort::ALL {
            for descending in [false, true] {
                let mut expected: Vec<_> = made.iter().map(|webhook| (key(sort, webhook), webhook.id)).collect();
                expected.sort();
                if descending {
                    expected.reverse();
                }
                let expected: Vec<WebhookId> = expected.into_iter().map(|(_, id)| id).collect();

                let mut request = PageRequest::new(Some(4), None, sort, descending).unwrap();
                let mut by_cursor = Vec::new();
                loop {
                    let page = ops::webhooks::list(&world.app, &world.owner, Wanted::default(), request.clone());
                    let page = page.await.unwrap();
                    by_cursor.extend(page.data.iter().map(|webhook| webhook.id));
                    let Some(next) = page.next else { break };
                    assert_eq!(page.data.len(), 4);
                    request = request.following(&next).unwrap();
                }
                assert_eq!(by_cursor, expected, "{} {sort:?} {descending}", world.app.db.engine());

                let mut by_number = Vec::new();
                for number in 1..=3 {
                    let request = PageRequest::numbered(number, 10, sort, descending);
                    let page = ops::webhooks::list(&world.app, &world.owner, Wanted::default(), request).await.unwrap();
                    by_number.extend(page.data.iter().map(|webhook| webhook.id));
                }
                assert_eq!(by_number, expected, "{} {sort:?} {descending}", world.app.db.engine());
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_stays_right_while_rows_come_and_go() {
    for world in worlds().await {
        let made = many(&world).await;
        let request = PageRequest::new(Some(10), None, Sort::Url, false).unwrap();
        let first = ops::webhooks::list(&world.app, &world.owner, Wanted::default(), request.clone()).await.unwrap();
        // The row that the cursor names is deleted, and another comes before it.
        ops::webhooks::delete(&world.app, &world.owner, first.data[9].id).await.unwrap();
        create(&world, "https://0.example.com/", &["user.*"]).await;
        let request = PageRequest::new(Some(200), first.next.as_deref(), Sort::Url, false).unwrap();
        let rest = ops::webhooks::list(&world.app, &world.owner, Wanted::default(), request).await.unwrap();
        let seen: Vec<_> = first.data.iter().chain(&rest.data).map(|webhook| webhook.id).collect();
        assert_eq!(seen.len(), made.len());
        assert_eq!(seen.iter().collect::<BTreeSet<_>>(), made.iter().map(|webhook| &webhook.webhook.id).collect());
        assert_eq!(rest.next, None);
    }
}

async fn found(world: &World, wanted: Wanted) -> BTreeSet<WebhookId> {
    let request = PageRequest::new(Some(200), None, Sort::Url, false).unwrap();
    let page = ops::webhooks::list(&world.app, &world.owner, wanted.clone(), request).await.unwrap();
    let count = ops::webhooks::count(&world.app, &world.owner, wanted).await.unwrap();
    assert_eq!(count, page.data.len() as u64);
    page.data.iter().map(|webhook| webhook.id).collect()
}

#[tokio::test]
async fn searches_and_filters() {
    for world in worlds().await {
        let eve = stranger(&world.app).await;
        let foreign = new_webhook("https://shop.example.com/", &["*"]);
        ops::webhooks::create(&world.app, &eve, foreign).await.unwrap();
        let shop = create(&world, "https://SHOP.example.com/a_b", &["invite.*", "role.created"]).await.id;
        let mut new = new_webhook("https://crm.example.com/axb", &["users.*"]);
        new.description = Description::parse("100% Offboarding").unwrap();
        let crm = ops::webhooks::create(&world.app, &world.owner, new).await.unwrap().0.id;
        let bea = user(&world.app, world.owner.workspace, "Bea Ö'Hara", BuiltInRole::Admin).await;
        let new = new_webhook("https://x.example.com/", &["license.*"]);
        let beas = ops::webhooks::create(&world.app, &bea, new).await.unwrap().0.id;

        let search =
            async |text: &str| found(&world, Wanted { search: Some(text.to_owned()), ..Wanted::default() }).await;
        assert_eq!(search("shop").await, [shop].into());
        assert_eq!(search(" EXAMPLE.com ").await, [shop, crm, beas].into());
        assert_eq!(search("offBOARDING").await, [crm].into());
        assert_eq!(search("a_b").await, [shop].into(), "_ means itself");
        assert_eq!(search("%").await, [crm].into(), "% means itself");
        assert_eq!(search("ö'h").await, [beas].into());
        assert_eq!(search(&crm.to_string()).await, [crm].into());
        assert_eq!(search("").await.len(), 3);
        assert_eq!(search("nothing like it\0'; --\\").await, BTreeSet::new());

        let of = async |actor_type| found(&world, Wanted { actor_type: Some(actor_type), ..Wanted::default() }).await;
        assert_eq!(of(ActorType::Users).await, [crm].into());
        assert_eq!(of(ActorType::Roles).await, [shop].into());
        assert_eq!(of(ActorType::StateChanges).await, [beas].into());
        assert_eq!(of(ActorType::ApiKeys).await, BTreeSet::new());

        ops::webhooks::deactivate(&world.app, &world.owner, shop, "".parse_reason()).await.unwrap();
        let failing = "UPDATE webhooks SET health = 'failing' WHERE id IN ($1, $2)";
        execute(&world.app, failing, vec![shop.into(), crm.into()]).await;
        let with = async |status| found(&world, Wanted { status: Some(status), ..Wanted::default() }).await;
        assert_eq!(with(StatusFilter::Active).await, [crm, beas].into());
        assert_eq!(with(StatusFilter::Inactive).await, [shop].into());
        assert_eq!(with(StatusFilter::Failing).await, [crm].into());
        let both = Wanted { search: Some("crm".to_owned()), status: Some(StatusFilter::Inactive), actor_type: None };
        assert_eq!(found(&world, both).await, BTreeSet::new());
    }
}
