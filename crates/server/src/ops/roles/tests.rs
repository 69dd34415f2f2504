use bellwire_core::id::UserId;
use serde_json::json;

use super::*;
use crate::testing::{World, actor, bootstrap, code};

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
