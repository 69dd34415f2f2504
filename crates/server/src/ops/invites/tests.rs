use bellwire_core::event::PrincipalId;
use serde_json::Value;

use super::*;
use crate::testing::{PASSWORD, START, World, actor, bootstrap, code, fields, query, token_of};

fn wanted(email: &str, role_ids: Option<Vec<RoleId>>) -> NewInvite {
    NewInvite { email: Email::parse(email).unwrap(), role_ids }
}

async fn invite(world: &World, email: &str) -> SentInvite {
    let sent = create(&world.app, &world.owner, wanted(email, None)).await.unwrap();
    world.news().await;
    sent
}

async fn join(world: &World, sent: &SentInvite) -> Result<SessionToken, Error> {
    accept(&world.app, token_of(&sent.url), "Sam Rivera", PASSWORD, None).await
}

#[tokio::test]
async fn somebody_new_joins() {
    for world in World::each().await {
        let app = &world.app;
        let sent = create(app, &world.owner, wanted("Sam@Example.com", None)).await.unwrap();
        assert_eq!(world.only("invite.created").await.data, json!({"object": sent.invite}));
        assert_eq!(sent.invite.expires_at, START.saturating_add(AGE));
        let shown = serde_json::to_value(&sent).unwrap();
        assert_eq!((&shown["email"], &shown["url"]), (&json!("sam@example.com"), &json!(sent.url)));
        assert_eq!(url(app, &world.owner, sent.invite.id).await.unwrap(), sent.url, "it can be copied again");
        let token = token_of(&sent.url);
        let seen = peek(app, token).await.unwrap();
        assert_eq!((seen.email.as_str(), seen.workspace.as_str()), ("sam@example.com", "Acme"));
        assert_eq!((seen.invited_by.as_str(), seen.has_account), ("Ann Lee", false));

        assert_eq!(fields(accept(app, token, " ", "short", None).await), ["name", "password"]);
        world.wait(60);
        let session = join(&world, &sent).await.unwrap();
        let session = sign_in::session(app, session.as_str()).await.unwrap().unwrap();
        let sam = session.workspace.unwrap();
        assert_eq!((sam.workspace, sam.name.as_str()), (world.workspace, "Sam Rivera"));

        let events = world.news().await;
        let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["invite.accepted", "user.joined", "role.assigned"]);
        let accepted = get(app, &world.owner, sent.invite.id).await.unwrap();
        assert_eq!(events[0].data, json!({"object": accepted}));
        assert_eq!((accepted.accepted_at, accepted.user_id), (Some(app.clock.now()), Some(session.user_id)));
        let user = crate::ops::users::get(app, &sam, session.user_id).await.unwrap();
        assert_eq!(events[1].data, json!({"object": user}));
        assert_eq!(events[2].data["object"]["name"], "Member");
        for event in &events {
            assert_eq!(event.actor, json!({"type": "user", "id": session.user_id, "name": "Sam Rivera"}));
            assert!(event.correlation.is_some() && event.correlation == events[0].correlation);
        }
        assert_eq!(code(join(&world, &sent).await), "invite_accepted");
        assert_eq!(code(resend(app, &world.owner, sent.invite.id).await), "invite_closed");
        assert_eq!(code(delete(app, &world.owner, sent.invite.id).await), "invite_closed");
        assert_eq!(code(url(app, &world.owner, sent.invite.id).await), "invite_closed");
    }
}

#[tokio::test]
async fn a_person_with_an_account_gives_its_password() {
    for world in World::each().await {
        let app = &world.app;
        bootstrap(app, "Globex", "bob@example.com", "Bob").await;
        let sent = invite(&world, "bob@example.com").await;
        let token = token_of(&sent.url);
        assert!(peek(app, token).await.unwrap().has_account);
        for _ in 0..10 {
            assert_eq!(fields(accept(app, token, "Eve", "wrong horse battery", None).await), ["password"]);
        }
        assert_eq!(code(accept(app, token, "Eve", PASSWORD, None).await), "too_many_requests");
        world.wait(15 * 60);
        let session = accept(app, token, "Eve", PASSWORD, None).await.unwrap();
        let session = sign_in::session(app, session.as_str()).await.unwrap().unwrap();
        assert_eq!(session.workspace.unwrap().name, "Bob", "the name is kept");
        assert_eq!(session.workspaces.len(), 2);
        assert_eq!(world.new_types().await, ["invite.accepted", "user.joined", "role.assigned"]);
    }
}

#[tokio::test]
async fn one_of_several_that_accept_at_once() {
    for world in World::each().await {
        let sent = invite(&world, "sam@example.com").await;
        let (a, b) = tokio::join!(join(&world, &sent), join(&world, &sent));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        assert_eq!(world.new_types().await, ["invite.accepted", "user.joined", "role.assigned"]);
    }
}

#[tokio::test]
async fn who_can_be_invited() {
    for world in World::each().await {
        let app = &world.app;
        assert_eq!(fields(create(app, &world.owner, wanted("ann@example.com", None)).await), ["email"]);
        let sent = invite(&world, "sam@example.com").await;
        assert_eq!(code(create(app, &world.owner, wanted("sam@example.com", None)).await), "invite_pending");
        delete(app, &world.owner, sent.invite.id).await.unwrap();
        invite(&world, "sam@example.com").await;
        assert_eq!(fields(create(app, &world.owner, wanted("x@example.com", Some(Vec::new()))).await), ["role_ids"]);
        let member = world.user("eve@example.com", "Eve", "Member").await;
        assert_eq!(code(create(app, &member, wanted("x@example.com", None)).await), "forbidden");
    }
}

#[tokio::test]
async fn an_invite_is_worth_its_roles() {
    for world in World::each().await {
        let app = &world.app;
        let admin = world.user("bob@example.com", "Bob", "Admin").await;
        let owner_role = vec![world.role("Owner").await.id];
        let refused = create(app, &admin, wanted("x@example.com", Some(owner_role.clone()))).await.unwrap_err();
        assert!(matches!(refused, Error::Forbidden("workspace.own")), "{refused:?}");
        let sent = create(app, &world.owner, wanted("x@example.com", Some(owner_role))).await.unwrap();
        // With the URL, Bob could become an owner.
        assert_eq!(code(url(app, &admin, sent.invite.id).await), "forbidden");
        assert_eq!(code(resend(app, &admin, sent.invite.id).await), "forbidden");
        assert_eq!(get(app, &admin, sent.invite.id).await.unwrap().roles[0].name, "Owner");
        delete(app, &admin, sent.invite.id).await.unwrap();
    }
}

#[tokio::test]
async fn resending_makes_a_new_url() {
    for world in World::each().await {
        let app = &world.app;
        let sent = invite(&world, "sam@example.com").await;
        world.wait(60);
        let again = resend(app, &world.owner, sent.invite.id).await.unwrap();
        let event = world.only("invite.resent").await;
        let previous = json!({"expires_at": sent.invite.expires_at});
        assert_eq!(event.data, json!({"object": again.invite, "previous": previous}));
        assert_eq!(again.invite.expires_at, app.clock.now().saturating_add(AGE));
        assert_eq!(again.invite.created_at, sent.invite.created_at);
        assert_eq!(code(peek(app, token_of(&sent.url)).await), "not_found");
        assert_eq!(code(join(&world, &sent).await), "not_found");
        assert_eq!(url(app, &world.owner, sent.invite.id).await.unwrap(), again.url);
        join(&world, &again).await.unwrap();
    }
}

#[tokio::test]
async fn deleting_ends_the_url() {
    for world in World::each().await {
        let app = &world.app;
        let sent = invite(&world, "sam@example.com").await;
        let deleted = delete(app, &world.owner, sent.invite.id).await.unwrap();
        assert_eq!(deleted.status, InviteStatus::Deleted);
        assert_eq!(world.only("invite.deleted").await.data, json!({"object": deleted}));
        assert_eq!(delete(app, &world.owner, sent.invite.id).await.unwrap(), deleted);
        assert!(world.news().await.is_empty(), "nothing changed");
        assert_eq!(code(join(&world, &sent).await), "not_found");
        assert_eq!(code(resend(app, &world.owner, sent.invite.id).await), "invite_closed");
    }
}

#[tokio::test]
async fn invites_run_out_after_7_days_and_can_be_sent_again() {
    for world in World::each().await {
        let app = &world.app;
        let sent = invite(&world, "sam@example.com").await;
        world.wait(AGE.as_secs() - 1);
        assert_eq!(expire_due(app).await.unwrap(), 0);
        world.wait(1);
        assert_eq!(code(join(&world, &sent).await), "invite_expired", "before the sweep has seen it too");
        assert_eq!(expire_due(app).await.unwrap(), 1);
        let expired = get(app, &world.owner, sent.invite.id).await.unwrap();
        assert_eq!(expired.status, InviteStatus::Expired);
        let event = world.only("invite.expired").await;
        assert_eq!(event.data, json!({"object": expired}));
        assert_eq!(event.actor["type"], "system");
        assert_eq!(event.actor["id"], Value::Null);
        assert_eq!(expire_due(app).await.unwrap(), 0);
        assert_eq!(code(peek(app, token_of(&sent.url)).await), "invite_expired");

        let again = resend(app, &world.owner, sent.invite.id).await.unwrap();
        assert_eq!(again.invite.status, InviteStatus::Pending);
        world.only("invite.resent").await;
        join(&world, &again).await.unwrap();

        let old = invite(&world, "eve@example.com").await;
        world.wait(AGE.as_secs());
        expire_due(app).await.unwrap();
        invite(&world, "eve@example.com").await;
        assert_eq!(code(resend(app, &world.owner, old.invite.id).await), "invite_pending", "one for each address");
    }
}

#[tokio::test]
async fn tokens_are_stored_so_that_the_database_alone_opens_nothing() {
    for world in World::each().await {
        let sent = invite(&world, "sam@example.com").await;
        let token = token_of(&sent.url);
        let sql = "SELECT token_hash, token_sealed FROM invites WHERE id = $1";
        let rows = query(&world.app, sql, vec![sent.invite.id.into()]).await;
        assert_ne!(rows[0].get::<String>("token_hash").unwrap(), token);
        let sealed: Vec<u8> = rows[0].get("token_sealed").unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains(token));
    }
}

#[tokio::test]
async fn invites_of_other_workspaces_are_not_there() {
    for world in World::each().await {
        let app = &world.app;
        let sent = invite(&world, "sam@example.com").await;
        let other = bootstrap(app, "Globex", "bob@example.com", "Bob").await;
        let bob = actor(app, other.workspace_id, PrincipalId::User(other.user_id)).await.unwrap();
        let id = sent.invite.id;
        assert_eq!(code(get(app, &bob, id).await), "not_found");
        assert_eq!(code(url(app, &bob, id).await), "not_found");
        assert_eq!(code(resend(app, &bob, id).await), "not_found");
        assert_eq!(code(delete(app, &bob, id).await), "not_found");
        let foreign = world.role("Member").await.id;
        assert_eq!(fields(create(app, &bob, wanted("x@example.com", Some(vec![foreign]))).await), ["role_ids"]);
        assert_eq!(count(app, &bob, InviteFilter::default()).await.unwrap(), 0);
        assert!(world.news().await.is_empty());
    }
}

#[tokio::test]
async fn lists_are_filtered() {
    for world in World::each().await {
        let app = &world.app;
        let sent = invite(&world, "sam@example.com").await;
        invite(&world, "eve@example.com").await;
        delete(app, &world.owner, sent.invite.id).await.unwrap();
        let all = InviteFilter::default;
        for (wanted, found) in [
            (all(), vec!["eve@example.com", "sam@example.com"]),
            (InviteFilter { status: Some(InviteStatus::Deleted), ..all() }, vec!["sam@example.com"]),
            (InviteFilter { search: Some("EVE".to_owned()), ..all() }, vec!["eve@example.com"]),
        ] {
            let request = PageRequest::numbered(1, 50, InviteSort::Email, false);
            let page = list(app, &world.owner, wanted, request).await.unwrap();
            assert_eq!(page.data.iter().map(|invite| invite.email.as_str()).collect::<Vec<_>>(), found);
        }
    }
}
