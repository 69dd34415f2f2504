use super::*;
use crate::testing::{World, actor, because, bootstrap, code};

fn id_of(actor: &Actor) -> UserId {
    match actor.principal {
        PrincipalId::User(id) => id,
        PrincipalId::ApiKey(_) => panic!("not a user"),
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[tokio::test]
async fn renaming_keeps_the_owner_of_webhooks_in_step() {
    for world in World::each().await {
        let app = &world.app;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let (id, hook) = (id_of(&bob), world.webhook_of(&bob).await);
        world.wait(1);
        let user = update(app, &bob, id, name("Robert")).await.unwrap();
        assert_eq!((user.name.as_str(), user.updated_at), ("Robert", app.clock.now()));
        let event = world.only("user.updated").await;
        assert_eq!(event.data["previous"], json!({"name": "Bob"}));
        assert_eq!(event.data["object"], json!(user));
        assert_eq!(event.actor, json!({"type": "user", "id": id.to_string(), "name": "Bob"}));
        assert_eq!(world.owner_of(hook).await, ["user", &id.to_string(), "Robert", "robert"]);

        update(app, &bob, id, name("Robert")).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");
        assert_eq!(code(update(app, &bob, world.ann, name("X")).await), "forbidden");
        assert_eq!(update(app, &world.owner, id, name("Bobby")).await.unwrap().name, "Bobby");
    }
}

#[tokio::test]
async fn blocking_and_unblocking() {
    for world in World::each().await {
        let app = &world.app;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let id = id_of(&bob);
        let user = block(app, &world.owner, id, because("left the company")).await.unwrap();
        assert_eq!((user.status, user.status_reason.as_deref()), (PrincipalStatus::Blocked, Some("left the company")));
        let event = world.only("user.blocked").await;
        assert_eq!(event.data["object"], json!(user));
        assert_eq!(event.data["previous"], json!({"status": "active"}));
        assert_eq!(event.data["reason"], "left the company");
        assert!(actor(app, world.workspace, bob.principal).await.is_none());
        assert_eq!(
            code(update(app, &bob, id, name("X")).await),
            "unauthenticated",
            "whatever the actor says it may do"
        );

        assert_eq!(block(app, &world.owner, id, because("again")).await.unwrap(), user);
        assert!(world.news().await.is_empty(), "nothing changed");
        let user = unblock(app, &world.owner, id).await.unwrap();
        assert_eq!((user.status, user.status_reason), (PrincipalStatus::Active, None));
        let event = world.only("user.unblocked").await;
        assert_eq!(event.data["previous"], json!({"status": "blocked", "status_reason": "left the company"}));
        unblock(app, &world.owner, id).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");

        block(app, &world.owner, id, because("")).await.unwrap();
        assert_eq!(world.only("user.blocked").await.data["reason"], serde_json::Value::Null);
    }
}

#[tokio::test]
async fn removing_takes_roles_first_and_hands_webhooks_over() {
    for world in World::each().await {
        let app = &world.app;
        let (bob, eve) =
            (world.user("bob@example.com", "Bob", "Member").await, world.user("eve@example.com", "Eve", "Admin").await);
        let hook = world.webhook_of(&bob).await;
        let before = get(app, &eve, id_of(&bob)).await.unwrap();
        remove(app, &eve, id_of(&bob), because("contract ended")).await.unwrap();
        let seen = world.news().await;
        assert_eq!(seen[0].event_type, "role.unassigned");
        assert_eq!(seen[0].data["principal"], json!({"type": "user", "id": bob.principal.to_string(), "name": "Bob"}));
        assert_eq!(seen[0].data["object"]["name"], "Member");
        assert_eq!(seen[1].event_type, "user.removed");
        assert_eq!(seen[1].data, json!({"object": before, "reason": "contract ended"}));
        assert!(seen.len() == 2 && seen[0].correlation.is_some() && seen[0].correlation == seen[1].correlation);
        assert_eq!(world.owner_of(hook).await, ["user", &eve.principal.to_string(), "Eve", "eve"]);
        assert_eq!(code(get(app, &eve, id_of(&bob)).await), "not_found");
        assert_eq!(code(remove(app, &eve, id_of(&bob), None).await), "not_found");

        let again = world.user("bob@example.com", "Bob", "Member").await;
        assert_eq!(again.principal, bob.principal, "the person and their password stay");
    }
}

#[tokio::test]
async fn leaving_hands_webhooks_to_an_owner() {
    for world in World::each().await {
        let app = &world.app;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let hook = world.webhook_of(&bob).await;
        let before = get(app, &bob, id_of(&bob)).await.unwrap();
        leave(app, &bob).await.unwrap();
        let seen = world.news().await;
        assert_eq!(
            seen.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>(),
            ["role.unassigned", "user.left"]
        );
        assert_eq!(seen[1].data, json!({"object": before}));
        assert_eq!(seen[1].actor["id"], bob.principal.to_string());
        assert_eq!(world.owner_of(hook).await, ["user", &world.ann.to_string(), "Ann Lee", "ann lee"]);
        let (key, _) = world.key("Sync", "Member").await;
        assert_eq!(code(leave(app, &key).await), "not_a_user");
    }
}

#[tokio::test]
async fn the_last_owner_stays() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let key = crate::ops::api_keys::authenticate(app, &world.api_key).await.unwrap();
        assert_eq!(code(leave(app, owner).await), "last_owner");
        // The key holds the role Owner too, and doesn't count.
        assert_eq!(code(block(app, &key, *ann, None).await), "last_owner");
        assert_eq!(code(remove(app, &key, *ann, None).await), "last_owner");
        assert!(world.news().await.is_empty());

        let bob = world.user("bob@example.com", "Bob", "Owner").await;
        block(app, &key, *ann, None).await.unwrap();
        assert_eq!(code(leave(app, &bob).await), "last_owner", "a blocked owner doesn't count");
        unblock(app, &key, *ann).await.unwrap();
        leave(app, &bob).await.unwrap();
    }
}

#[tokio::test]
async fn two_owners_who_end_each_other_leave_one() {
    for world in World::each().await {
        let app = &world.app;
        let bob = world.user("bob@example.com", "Bob", "Owner").await;
        let (a, b) = tokio::join!(block(app, &world.owner, id_of(&bob), None), remove(app, &bob, world.ann, None));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        let mut left = Vec::new();
        for principal in [world.owner.principal, bob.principal] {
            left.extend(actor(app, world.workspace, principal).await);
        }
        assert_eq!(left.len(), 1);
    }
}

#[tokio::test]
async fn nobody_ends_themselves_and_no_admin_an_owner() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let bob = world.user("bob@example.com", "Bob", "Admin").await;
        assert_eq!(code(block(app, owner, *ann, None).await), "self");
        assert_eq!(code(remove(app, owner, *ann, None).await), "self");
        assert_eq!(code(block(app, &bob, *ann, None).await), "forbidden");
        assert_eq!(code(remove(app, &bob, *ann, None).await), "forbidden");
        let second = world.user("carl@example.com", "Carl", "Owner").await;
        block(app, owner, id_of(&second), None).await.unwrap();
        assert_eq!(code(unblock(app, &bob, id_of(&second)).await), "forbidden");
        let member = world.user("eve@example.com", "Eve", "Member").await;
        for refused in [
            code(block(app, &member, id_of(&bob), None).await),
            code(unblock(app, &member, id_of(&bob)).await),
            code(remove(app, &member, id_of(&bob), None).await),
        ] {
            assert_eq!(refused, "forbidden");
        }
    }
}

#[tokio::test]
async fn users_of_other_workspaces_are_not_there() {
    for world in World::each().await {
        let app = &world.app;
        let other = bootstrap(app, "Globex", "bob@example.com", "Bob").await;
        let (owner, id) = (&world.owner, other.user_id);
        assert_eq!(code(get(app, owner, id).await), "not_found");
        assert_eq!(code(update(app, owner, id, name("X")).await), "not_found");
        assert_eq!(code(block(app, owner, id, None).await), "not_found");
        assert_eq!(code(unblock(app, owner, id).await), "not_found");
        assert_eq!(code(remove(app, owner, id, None).await), "not_found");
        assert!(world.news().await.is_empty());
    }
}

#[tokio::test]
async fn lists_are_sorted_searched_and_paged() {
    for world in World::each().await {
        let app = &world.app;
        let bob = world.user("bob@example.com", "bob", "Member").await;
        world.user("zoe@example.com", "Carl_50%", "Admin").await;
        block(app, &world.owner, id_of(&bob), None).await.unwrap();
        let all = UserFilter::default;
        let names = |page: Page<User>| page.data.into_iter().map(|user| user.name).collect::<Vec<_>>();

        let mut walked = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let request = PageRequest::new(Some(1), cursor.as_deref(), UserSort::Name, false).unwrap();
            let page = list(app, &world.owner, all(), request).await.unwrap();
            cursor.clone_from(&page.next);
            walked.extend(names(page));
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(walked, ["Ann Lee", "bob", "Carl_50%"], "whatever the case");
        assert_eq!(count(app, &world.owner, all()).await.unwrap(), 3);
        for (sort, first) in [(UserSort::Email, "Carl_50%"), (UserSort::Status, "bob"), (UserSort::Name, "Carl_50%")] {
            let page = list(app, &world.owner, all(), PageRequest::numbered(1, 50, sort, true)).await.unwrap();
            assert_eq!(names(page)[0], first, "{sort:?}");
        }
        let admin = world.role("Admin").await.id;
        for (wanted, found) in [
            (UserFilter { search: Some("BOB@".to_owned()), ..all() }, vec!["bob"]),
            (UserFilter { search: Some("_50%".to_owned()), ..all() }, vec!["Carl_50%"]),
            (UserFilter { search: Some("5_%".to_owned()), ..all() }, vec![]),
            (UserFilter { search: Some(world.ann.to_string()), ..all() }, vec!["Ann Lee"]),
            (UserFilter { status: Some(PrincipalStatus::Blocked), ..all() }, vec!["bob"]),
            (UserFilter { role: Some(admin), ..all() }, vec!["Carl_50%"]),
        ] {
            let request = PageRequest::numbered(1, 50, UserSort::Name, false);
            assert_eq!(count(app, &world.owner, wanted.clone()).await.unwrap(), found.len() as u64);
            assert_eq!(names(list(app, &world.owner, wanted, request).await.unwrap()), found);
        }
    }
}
