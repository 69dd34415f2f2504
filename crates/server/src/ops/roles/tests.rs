use bellwire_core::id::UserId;
use serde_json::json;

use super::*;
use crate::{
    ops::{api_keys, invites},
    testing::{World, actor, bootstrap, code, fields},
};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn wanted(called: &str, permissions: &[Permission]) -> NewRole {
    let description = Description::parse("Sees what happens").unwrap();
    NewRole { name: name(called), description, permissions: permissions.iter().copied().collect() }
}

fn only(permissions: &[Permission]) -> RolePatch {
    RolePatch { permissions: Some(permissions.iter().copied().collect()), ..RolePatch::default() }
}

#[tokio::test]
async fn every_workspace_has_the_built_in_roles() {
    for world in World::each().await {
        let roles = list(&world.app, &world.owner).await.unwrap();
        let shown: Vec<_> = roles.iter().map(|role| (role.name.as_str(), role.built_in, role.permissions)).collect();
        assert_eq!(shown, BuiltInRole::ALL.map(|role| (role.name(), true, role.permissions())));
        assert_eq!(get(&world.app, &world.owner, roles[1].id).await.unwrap(), roles[1]);
    }
}

#[tokio::test]
async fn giving_and_taking() {
    for world in World::each().await {
        let app = &world.app;
        let (key, _) = world.key("Sync", "Member").await;
        let admin = world.role("Admin").await;
        assign(app, &world.owner, admin.id, key.principal).await.unwrap();
        let event = world.only("role.assigned").await;
        assert_eq!(event.data["object"], json!(admin));
        let named = json!({"type": "api_key", "id": key.principal.to_string(), "name": "Sync"});
        assert_eq!(event.data["principal"], named);
        let now = actor(app, world.workspace, key.principal).await.unwrap();
        assert_eq!(now.permissions, admin.permissions, "from the next request on");
        assign(app, &world.owner, admin.id, key.principal).await.unwrap();
        assert!(world.news().await.is_empty(), "it is held already");

        unassign(app, &world.owner, admin.id, key.principal).await.unwrap();
        assert_eq!(world.only("role.unassigned").await.data["principal"], named);
        unassign(app, &world.owner, admin.id, key.principal).await.unwrap();
        assert!(world.news().await.is_empty(), "it isn't held any more");
    }
}

#[tokio::test]
async fn nobody_gives_or_takes_what_they_do_not_have() {
    for world in World::each().await {
        let app = &world.app;
        let admin = world.user("bob@example.com", "Bob", "Admin").await;
        let (owner, role) = (PrincipalId::User(world.ann), world.role("Owner").await);
        assert_eq!(code(assign(app, &admin, role.id, admin.principal).await), "forbidden");
        assert_eq!(code(unassign(app, &admin, role.id, owner).await), "forbidden");
        let member = world.user("eve@example.com", "Eve", "Member").await;
        let lowest = world.role("Member").await;
        assert_eq!(code(assign(app, &member, lowest.id, admin.principal).await), "forbidden");
        assign(app, &admin, lowest.id, admin.principal).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_owner_keeps_the_role() {
    for world in World::each().await {
        let app = &world.app;
        let (ann, role) = (PrincipalId::User(world.ann), world.role("Owner").await);
        assert_eq!(code(unassign(app, &world.owner, role.id, ann).await), "last_owner");
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        assign(app, &world.owner, role.id, bob.principal).await.unwrap();
        world.news().await;
        // Both give it up at once: one of them has to keep it.
        let bob = actor(app, world.workspace, bob.principal).await.unwrap();
        let (a, b) =
            tokio::join!(unassign(app, &world.owner, role.id, ann), unassign(app, &bob, role.id, bob.principal));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        assert_eq!(code(a.and(b)), "last_owner");
        world.only("role.unassigned").await;
    }
}

#[tokio::test]
async fn other_workspaces_are_not_there() {
    for world in World::each().await {
        let app = &world.app;
        let other = bootstrap(app, "Globex", "bob@example.com", "Bob").await;
        let stranger = PrincipalId::User(other.user_id);
        let other_owner = actor(app, other.workspace_id, stranger).await.unwrap();
        let foreign = list(app, &other_owner).await.unwrap()[2].id;
        let own = world.role("Member").await.id;
        assert_eq!(code(get(app, &world.owner, foreign).await), "not_found");
        assert_eq!(code(assign(app, &world.owner, foreign, world.owner.principal).await), "not_found");
        assert_eq!(code(unassign(app, &world.owner, foreign, stranger).await), "not_found");
        assert_eq!(code(assign(app, &world.owner, own, stranger).await), "not_found");
        let nobody = PrincipalId::User(UserId::new(app.clock.now(), [0; 10]));
        assert_eq!(code(assign(app, &world.owner, own, nobody).await), "not_found");
        assert!(world.news().await.is_empty());
    }
}

#[tokio::test]
async fn a_role_is_made_changed_and_deleted() {
    use Permission as P;
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let made = create(app, owner, wanted("Auditor", &[P::UsersView, P::EventsView])).await.unwrap();
        assert_eq!(serde_json::to_string(&made.permissions).unwrap(), r#"["events.view","users.view"]"#);
        assert_eq!(world.only("role.created").await.data, json!({"object": made}));
        assert_eq!(get(app, owner, made.id).await.unwrap(), made);

        world.wait(1);
        let patch = RolePatch { name: Some(name("auditor")), ..RolePatch::default() };
        let renamed = update(app, owner, made.id, patch.clone()).await.unwrap();
        let event = world.only("role.updated").await;
        assert_eq!(event.data, json!({"object": renamed, "previous": {"name": "Auditor"}}), "only what changed");
        assert_eq!((renamed.created_at, renamed.updated_at), (made.created_at, app.clock.now()));
        update(app, owner, made.id, patch).await.unwrap();
        update(app, owner, made.id, RolePatch::default()).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");

        let changed = update(app, owner, made.id, only(&[P::EventsView])).await.unwrap();
        let previous = json!({"permissions": ["events.view", "users.view"]});
        assert_eq!(world.only("role.updated").await.data, json!({"object": changed, "previous": previous}));
        delete(app, owner, made.id).await.unwrap();
        assert_eq!(world.only("role.deleted").await.data, json!({"object": changed}));
        assert_eq!(code(delete(app, owner, made.id).await), "not_found", "a second click");
        assert_eq!(code(update(app, owner, made.id, only(&[P::EventsView])).await), "not_found", "a stale page");
    }
}

#[tokio::test]
async fn what_a_role_allows_counts_from_the_next_request_on() {
    use Permission as P;
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let role = create(app, owner, wanted("Auditor", &[P::EventsView])).await.unwrap();
        let now = async || actor(app, world.workspace, bob.principal).await.unwrap().permissions;
        assert!(!now().await.allow(P::EventsView));
        assign(app, owner, role.id, bob.principal).await.unwrap();
        assert!(now().await.allow(P::EventsView) && !now().await.allow(P::WebhooksView));
        update(app, owner, role.id, only(&[P::WebhooksView])).await.unwrap();
        assert!(!now().await.allow(P::EventsView) && now().await.allow(P::WebhooksView));
        unassign(app, owner, role.id, bob.principal).await.unwrap();
        assert!(!now().await.allow(P::WebhooksView));
    }
}

#[tokio::test]
async fn fields_are_checked() {
    use Permission as P;
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        for taken in ["Owner", "owner", "ADMIN", "member"] {
            assert_eq!(fields(create(app, owner, wanted(taken, &[P::EventsView])).await), ["name"], "{taken}");
        }
        assert_eq!(fields(create(app, owner, wanted("Auditor", &[])).await), ["permissions"]);
        assert_eq!(
            fields(create(app, owner, wanted("Auditor", &[P::EventsView, P::WorkspaceOwn])).await),
            ["permissions"]
        );
        let role = create(app, owner, wanted("Prüfer", &[P::EventsView])).await.unwrap();
        assert_eq!(fields(create(app, owner, wanted("PRÜFER", &[P::EventsView])).await), ["name"], "in any script");
        let other = create(app, owner, wanted("Other", &[P::EventsView])).await.unwrap();
        let rename = |to: &str| RolePatch { name: Some(name(to)), ..RolePatch::default() };
        assert_eq!(fields(update(app, owner, other.id, rename("prüfer")).await), ["name"]);
        assert_eq!(fields(update(app, owner, role.id, only(&[])).await), ["permissions"]);
        assert_eq!(fields(update(app, owner, role.id, only(&[P::WorkspaceOwn])).await), ["permissions"]);
        let seen: Vec<_> = world.news().await.into_iter().map(|event| event.event_type).collect();
        assert_eq!(seen, ["role.created", "role.created"]);
    }
}

#[tokio::test]
async fn two_at_once_with_one_name_make_one_role() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let new = |called| create(app, owner, wanted(called, &[Permission::EventsView]));
        let (a, b) = tokio::join!(new("Auditor"), new("auditor"));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        world.only("role.created").await;
    }
}

#[tokio::test]
async fn built_in_roles_stay_as_they_are() {
    for world in World::each().await {
        let app = &world.app;
        for built_in in BuiltInRole::ALL {
            let role = world.role(built_in.name()).await;
            let patch = only(&[Permission::EventsView]);
            assert_eq!(code(update(app, &world.owner, role.id, patch).await), "built_in");
            assert_eq!(code(delete(app, &world.owner, role.id).await), "built_in");
            assert_eq!(get(app, &world.owner, role.id).await.unwrap(), role);
        }
        assert!(world.news().await.is_empty());
    }
}

/// Every way in which somebody could become more than they are, or touch what is more than they are.
#[tokio::test]
async fn roles_are_no_way_up() {
    use Permission as P;
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let admin = world.user("bob@example.com", "Bob", "Admin").await;
        assert_eq!(fields(create(app, &admin, wanted("King", &[P::WorkspaceOwn])).await), ["permissions"]);

        let clerk = create(app, owner, wanted("Clerk", &[P::RolesView, P::RolesManage, P::EventsView])).await.unwrap();
        let auditor = create(app, owner, wanted("Auditor", &[P::EventsView])).await.unwrap();
        let strong = create(app, owner, wanted("Strong", &[P::EventsView, P::UsersManage])).await.unwrap();
        let eve = world.user("eve@example.com", "Eve", "Clerk").await;
        let member = world.user("sam@example.com", "Sam", "Member").await;
        world.news().await;
        assert_eq!(code(create(app, &eve, wanted("More", &[P::UsersManage])).await), "forbidden");
        assert_eq!(code(update(app, &eve, auditor.id, only(&[P::EventsView, P::UsersManage])).await), "forbidden");
        assert_eq!(code(update(app, &eve, clerk.id, only(&[P::RolesManage, P::ApiKeysManage])).await), "forbidden");
        assert_eq!(
            code(update(app, &eve, strong.id, only(&[P::EventsView])).await),
            "forbidden",
            "it is more than she is"
        );
        let rename = RolePatch { name: Some(name("Weak")), ..RolePatch::default() };
        assert_eq!(code(update(app, &eve, strong.id, rename).await), "forbidden");
        assert_eq!(code(delete(app, &eve, strong.id).await), "forbidden");
        assert_eq!(code(assign(app, &eve, strong.id, eve.principal).await), "forbidden");
        assert_eq!(code(exchange(app, &eve, eve.principal, vec![auditor.id, strong.id], vec![]).await), "forbidden");
        for refused in [
            code(create(app, &member, wanted("Mine", &[P::UsersView])).await),
            code(update(app, &member, auditor.id, only(&[P::UsersView])).await),
            code(delete(app, &member, auditor.id).await),
            code(exchange(app, &member, member.principal, vec![auditor.id], vec![]).await),
        ] {
            assert_eq!(refused, "forbidden");
        }
        assert!(world.news().await.is_empty(), "nothing half done");

        // A key that was asked before its role shrank is asked again inside the transaction.
        let (key, secret) = world.key("Sync", "Admin").await;
        let admin_role = world.role("Admin").await;
        unassign(app, owner, admin_role.id, key.principal).await.unwrap();
        assert_eq!(code(create(app, &key, wanted("Late", &[P::UsersView])).await), "forbidden");
        assert!(api_keys::authenticate(app, &secret).await.unwrap().permissions.is_empty());
        // What she has, she can give, change and delete.
        assign(app, &eve, auditor.id, member.principal).await.unwrap();
        update(app, &eve, auditor.id, only(&[P::EventsView, P::RolesView])).await.unwrap();
        unassign(app, &eve, auditor.id, member.principal).await.unwrap();
        delete(app, &eve, auditor.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_in_use_stays() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let role = create(app, owner, wanted("Auditor", &[Permission::EventsView])).await.unwrap();
        let bob = world.user("bob@example.com", "Bob", "Auditor").await;
        let (key, _) = world.key("Sync", "Auditor").await;
        let email = bellwire_core::text::Email::parse("new@example.com").unwrap();
        let invite = invites::NewInvite { email, role_ids: Some(vec![role.id]) };
        let sent = invites::create(app, owner, invite).await.unwrap();
        world.news().await;
        let message = |error: Error| error.to_string();
        assert_eq!(code(delete(app, owner, role.id).await), "role_in_use");
        let told = message(delete(app, owner, role.id).await.unwrap_err());
        assert!(told.contains("1 user, 1 API key and 1 pending invite"), "{told}");
        assert_eq!(holders(app, owner).await.unwrap()[&role.id], Holders { users: 1, api_keys: 1 });
        let request = |number| PageRequest::numbered(number, 1, ByHolder, false);
        let first = members(app, owner, role.id, request(1)).await.unwrap();
        assert_eq!((first.data[0].name.as_str(), first.next.is_some()), ("Sync", true));
        let next = request(1).following(&first.next.unwrap()).unwrap();
        let second = members(app, owner, role.id, next).await.unwrap();
        assert_eq!((second.data[0].name.as_str(), second.next), ("Bob", None));

        unassign(app, owner, role.id, bob.principal).await.unwrap();
        unassign(app, owner, role.id, key.principal).await.unwrap();
        let told = message(delete(app, owner, role.id).await.unwrap_err());
        assert!(told.contains("in use by 1 pending invite:"), "{told}");
        // An invite that has run out doesn't keep the role, and can't bring it back.
        world.wait(invites::AGE.as_secs() + 1);
        invites::expire_due(app).await.unwrap();
        delete(app, owner, role.id).await.unwrap();
        assert_eq!(code(invites::resend(app, owner, sent.invite.id).await), "invite_without_roles");
    }
}

#[tokio::test]
async fn a_stale_page_overwrites_nothing() {
    use Permission as P;
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let made = create(app, owner, wanted("Auditor", &[P::EventsView])).await.unwrap();
        world.wait(1);
        update(app, owner, made.id, only(&[P::WebhooksView])).await.unwrap();
        let stale = RolePatch { seen: Some(made.updated_at), ..only(&[P::EventsView, P::UsersView]) };
        assert_eq!(code(update(app, owner, made.id, stale.clone()).await), "changed_meanwhile");
        let now = get(app, owner, made.id).await.unwrap();
        update(app, owner, made.id, RolePatch { seen: Some(now.updated_at), ..stale }).await.unwrap();
    }
}

#[tokio::test]
async fn several_roles_change_hands_at_once() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let [admin, member, own] =
            [world.role("Admin").await.id, world.role("Member").await.id, world.role("Owner").await.id];
        exchange(app, owner, bob.principal, vec![admin], vec![member]).await.unwrap();
        assert_eq!(world.new_types().await, ["role.assigned", "role.unassigned"]);
        // The same from another tab.
        exchange(app, owner, bob.principal, vec![admin], vec![member]).await.unwrap();
        assert!(world.news().await.is_empty());
        let ann = PrincipalId::User(world.ann);
        assert_eq!(code(exchange(app, owner, ann, vec![member], vec![own]).await), "last_owner");
        assert!(world.news().await.is_empty(), "nothing half done");
        let many = vec![member; AT_ONCE + 1];
        assert_eq!(fields(exchange(app, owner, ann, many, vec![]).await), ["role_ids"]);
    }
}

#[tokio::test]
async fn there_is_a_most_of_roles() {
    for world in World::each().await {
        let (app, owner) = (&world.app, &world.owner);
        let made = create(app, owner, wanted("Role 3", &[Permission::EventsView])).await.unwrap();
        for number in 4..MAX_ROLES {
            let (workspace, id) = (world.workspace, app.random.id(app.clock.now()));
            let role = Role { id, name: format!("Role {number}"), ..made.clone() };
            let insert =
                app.db.write(move |conn| Box::pin(async move { db::roles::insert(conn, workspace, &role).await }));
            insert.await.unwrap();
        }
        assert_eq!(code(create(app, owner, wanted("One more", &[Permission::EventsView])).await), "too_many_roles");
        delete(app, owner, made.id).await.unwrap();
        create(app, owner, wanted("One more", &[Permission::EventsView])).await.unwrap();
    }
}

#[tokio::test]
async fn roles_of_other_workspaces_are_not_there() {
    for world in World::each().await {
        let app = &world.app;
        let other = bootstrap(app, "Globex", "bob@example.com", "Bob").await;
        let stranger = actor(app, other.workspace_id, PrincipalId::User(other.user_id)).await.unwrap();
        let foreign = create(app, &stranger, wanted("Auditor", &[Permission::EventsView])).await.unwrap().id;
        create(app, &world.owner, wanted("Auditor", &[Permission::EventsView])).await.unwrap();
        world.only("role.created").await;
        let request = PageRequest::numbered(1, 50, ByHolder, false);
        for refused in [
            code(update(app, &world.owner, foreign, only(&[Permission::UsersView])).await),
            code(delete(app, &world.owner, foreign).await),
            code(members(app, &world.owner, foreign, request).await),
            code(usage(app, &world.owner, foreign).await),
            code(exchange(app, &world.owner, world.owner.principal, vec![foreign], vec![]).await),
            code(exchange(app, &world.owner, world.owner.principal, vec![], vec![foreign]).await),
        ] {
            assert_eq!(refused, "not_found");
        }
        assert!(world.news().await.is_empty());
    }
}

#[test]
fn usage_is_said_in_words() {
    let said = |users, api_keys, invites| Usage { holders: Holders { users, api_keys }, invites }.to_string();
    assert_eq!(said(0, 0, 0), "nobody");
    assert_eq!(said(1, 0, 0), "1 user");
    assert_eq!(said(2, 1, 0), "2 users and 1 API key");
    assert_eq!(said(2, 2, 2), "2 users, 2 API keys and 2 pending invites");
}
