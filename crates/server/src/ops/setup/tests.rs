use serde_json::json;

use super::*;
use crate::{
    ops::sign_in::sign_in,
    testing::{PASSWORD, World, actor, app, bootstrap, code},
};

fn wanted(email: &str) -> SetUp {
    SetUp {
        workspace: Name::parse("Acme").unwrap(),
        name: Name::parse("Ann Lee").unwrap(),
        email: Email::parse(email).unwrap(),
        password: Password::parse(PASSWORD).unwrap(),
    }
}

async fn new_token(app: &App) -> String {
    let link = link(app).await.unwrap().unwrap();
    link.strip_prefix("https://hooks.example.com/setup?token=").unwrap().to_owned()
}

#[tokio::test]
async fn the_link_works_once_and_only_the_last_one() {
    let (app, _signals, _folder) = app().await;
    let (old, token) = (new_token(&app).await, new_token(&app).await);
    assert!(!is_open(&app, &old).await.unwrap() && is_open(&app, &token).await.unwrap());
    assert_eq!(code(complete(&app, &old, wanted("ann@example.com"), None).await), "not_found");

    let (a, b) = tokio::join!(
        complete(&app, &token, wanted("ann@example.com"), None),
        complete(&app, &token, wanted("bob@example.com"), None)
    );
    assert_eq!([&a, &b].iter().filter(|outcome| outcome.is_ok()).count(), 1, "{a:?} {b:?}");
    let session = a.or(b).unwrap();
    let session = sign_in::session(&app, session.as_str()).await.unwrap().unwrap();
    let owner = session.workspace.unwrap();
    assert_eq!(owner.name, "Ann Lee");
    assert_eq!(owner.permissions, bellwire_core::permission::BuiltInRole::Owner.permissions());
    assert_eq!(session.workspaces, [(owner.workspace, "Acme".to_owned())]);

    assert_eq!(link(&app).await.unwrap(), None);
    assert!(!is_open(&app, &token).await.unwrap());
    assert_eq!(code(complete(&app, &token, wanted("eve@example.com"), None).await), "not_found");
}

#[tokio::test]
async fn bootstrap_makes_a_workspace_each_time() {
    for world in World::each().await {
        let World { app, ann, .. } = &world;
        assert_eq!(code(setup_again(app, "another password").await), "invalid", "it may be somebody else's account");
        let other = setup_again(app, PASSWORD).await.unwrap();
        assert_eq!(other.user_id, *ann, "the same person");
        assert_ne!(other.workspace_id, world.workspace);
        let in_other = actor(app, other.workspace_id, PrincipalId::User(*ann)).await.unwrap();
        assert_eq!(in_other.name, "Ann of Globex", "names belong to the workspace");
        assert!(sign_in(app, "ann@example.com", PASSWORD, None).await.is_ok(), "the password stays");
        assert_eq!(link(app).await.unwrap(), None);

        let key = api_keys::authenticate(app, &other.api_key).await.unwrap();
        assert_eq!((key.workspace, key.name.as_str()), (other.workspace_id, "Automation"));
        assert_eq!(key.permissions, in_other.permissions);
    }
}

async fn setup_again(app: &App, password: &str) -> Result<Bootstrapped, Error> {
    let (name, workspace) = (Name::parse("Ann of Globex").unwrap(), Name::parse("Globex").unwrap());
    let (email, password) = (Email::parse("ann@example.com").unwrap(), Password::parse(password).unwrap());
    super::bootstrap(app, workspace, email, name, password).await
}

#[tokio::test]
async fn the_beginning_is_told_as_it_is() {
    let (app, _signals, _folder) = app().await;
    let made = bootstrap(&app, "Acme", "ann@example.com", "Ann Lee").await;
    let rows = crate::testing::query(&app, "SELECT type, actor FROM events ORDER BY sequence", Vec::new()).await;
    let types: Vec<String> = rows.iter().map(|row| row.get("type").unwrap()).collect();
    assert_eq!(types, ["user.joined", "role.assigned", "license.issued", "api_key.created", "role.assigned"]);
    for row in rows {
        let actor: serde_json::Value = row.json("actor").unwrap();
        assert_eq!(actor, json!({"type": "system", "id": null, "name": "Bellwire"}));
    }
    assert!(made.api_key.starts_with("bw_"));
}
