use bellwire_core::{catalogue::EventTypes, text::Description};

use super::*;
use crate::{
    ops::{
        invites::{self, NewInvite},
        webhooks::{self, NewWebhook},
    },
    testing::{World, query},
};

#[tokio::test]
async fn every_sealed_column_is_known() {
    let world = &World::each().await[0];
    let sql = "SELECT m.name AS name, c.name AS column_name FROM sqlite_master m, pragma_table_info(m.name) c \
               WHERE m.type = 'table' AND c.name LIKE '%\\_sealed' ESCAPE '\\'";
    let mut found: Vec<(String, String)> = query(&world.app, sql, vec![])
        .await
        .iter()
        .map(|row| (row.get("name").unwrap(), row.get("column_name").unwrap()))
        .collect();
    let mut known: Vec<(String, String)> =
        SEALED.iter().map(|(column, _)| (column.table.to_owned(), column.column.to_owned())).collect();
    known.push(("master_key".to_owned(), "check_sealed".to_owned()));
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

async fn tried(world: &World, path: &Path) -> Result<MasterKey, String> {
    open(&world.app.db, path, &Randomness::seeded(1)).await
}

#[tokio::test]
async fn a_database_knows_its_key() {
    for world in World::each().await {
        let folder = tempfile::tempdir().unwrap();
        let [right, wrong, missing] = ["right", "wrong", "missing"].map(|name| folder.path().join(name));
        tried(&world, &right).await.expect("nothing is sealed yet: a file is made");
        tried(&world, &right).await.expect("it is the right one");
        assert!(check(&world.app.db, &right).await.unwrap());
        MasterKey::create(&wrong, &Randomness::seeded(2)).unwrap();
        let error = tried(&world, &wrong).await.err().unwrap();
        assert!(error.contains("wrong is not the master key of this database"), "{error}");
        let error = tried(&world, &missing).await.err().unwrap();
        assert!(error.contains("restore it from your backup"), "{error}");
        assert!(!missing.exists(), "no key is made for a database that has one");
    }
}

#[tokio::test]
async fn the_key_of_another_database_is_not_replaced() {
    for world in World::each().await {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        MasterKey::create(&path, &Randomness::seeded(1)).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = rotate(&world.app.db, &path, &Randomness::seeded(2)).await.unwrap_err();
        assert!(error.contains("is it the right database?"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is left");
    }
}

#[tokio::test]
async fn a_new_key_opens_everything() {
    for world in World::each().await {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        // The key that the tests' applications have.
        let text = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\n";
        std::fs::write(&path, text).unwrap();
        let new = NewWebhook {
            url: "https://example.com/".parse().unwrap(),
            event_types: EventTypes::parse(["users.*"]).unwrap(),
            description: Description::parse("").unwrap(),
            headers: vec![("x-token".to_owned(), "secret".to_owned())],
            rate_limit: None,
        };
        let (webhook, secret) = {
            let made = webhooks::create(&world.app, &world.owner, new).await.unwrap();
            let secret = webhooks::reveal_secret(&world.app, &world.owner, made.0.id).await.unwrap().secret;
            (made.0.id, secret)
        };
        let wanted = NewInvite { email: bellwire_core::text::Email::parse("kim@example.com").unwrap(), role_ids: None };
        invites::create(&world.app, &world.owner, wanted).await.unwrap();

        let random = Randomness::seeded(3);
        open(&world.app.db, &path, &random).await.expect("a value of a database without the word is opened instead");
        let count = rotate(&world.app.db, &path, &random).await.unwrap();
        assert_eq!(count, 3, "a token, a secret and headers");
        assert_ne!(std::fs::read_to_string(&path).unwrap(), text);
        assert!(!new_path(&path).exists());

        let key = open(&world.app.db, &path, &random).await.unwrap();
        for (column, field) in SEALED {
            let rows = world.app.db.read(move |conn| {
                Box::pin(async move { Ok::<_, Error>(db::master_key::sealed(conn, column, "", 10).await?) })
            });
            for row in rows.await.unwrap() {
                let opened = key.open(&place(column, field, &row), &row.sealed).unwrap();
                assert!(world.app.key.open(&place(column, field, &row), &row.sealed).is_err());
                if column.column == "secret_sealed" {
                    assert_eq!(row.id, webhook.to_string());
                    assert_eq!(bellwire_core::sign::Secret::from_bytes(&opened).unwrap().reveal(), secret);
                }
            }
        }
    }
}
