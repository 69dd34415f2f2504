use bellwire_core::id::RoleId;

use super::*;
use crate::{
    ops::{api_keys, roles},
    testing::{World, actor, bootstrap, code},
};

fn id_of(actor: &Actor) -> UserId {
    match actor.principal {
        PrincipalId::User(id) => id,
        PrincipalId::ApiKey(_) => panic!("not a user"),
    }
}

async fn names_of_roles(world: &World, user: UserId) -> Vec<String> {
    let user = users::get(&world.app, &world.owner, user).await.unwrap();
    user.roles.into_iter().map(|role| role.name).collect()
}

#[tokio::test]
async fn what_is_offered_is_accepted() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let made = offer(app, owner, *ann, id_of(&bob)).await.unwrap();
        assert_eq!((made.from.name.as_str(), made.to.name.as_str()), ("Ann Lee", "Bob"));
        assert_eq!(made.expires_at, app.clock.now().saturating_add(AGE));
        assert_eq!(
            world.only("ownership_offer.created").await.data,
            json!({"object": made}),
            "nothing else has changed yet"
        );
        assert_eq!(names_of_roles(&world, *ann).await, ["Owner"]);
        assert_eq!(offered_to(app, &bob).await.unwrap().as_ref(), Some(&made));
        assert_eq!(offered_by(app, owner).await.unwrap().as_ref(), Some(&made));
        assert_eq!((offered_to(app, owner).await.unwrap(), offered_by(app, &bob).await.unwrap()), (None, None));

        world.wait(60);
        let user = accept(app, &bob, made.id).await.unwrap();
        let seen = world.news().await;
        let types: Vec<&str> = seen.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["role.assigned", "role.assigned", "role.unassigned", "user.ownership_transferred"]);
        assert!(seen.iter().all(|event| event.correlation.is_some() && event.correlation == seen[0].correlation));
        assert!(seen.iter().all(|event| event.actor["name"] == "Bob"), "who accepts does it");
        let named = |index: usize| {
            (&seen[index].data["object"]["name"], seen[index].data["principal"]["name"].as_str().unwrap())
        };
        assert_eq!(named(0), (&json!("Owner"), "Bob"), "first there are two owners, so there is never none");
        assert_eq!(named(1), (&json!("Admin"), "Ann Lee"));
        assert_eq!(named(2), (&json!("Owner"), "Ann Lee"));
        let last = &seen[3].data;
        assert_eq!(last["object"], json!(user));
        assert_eq!(last["previous_owner"], json!({"type": "user", "id": ann.to_string(), "name": "Ann Lee"}));
        assert_eq!(last["previous"]["roles"][0]["name"], "Member");
        assert_eq!(names_of_roles(&world, id_of(&bob)).await, ["Owner", "Member"]);
        assert_eq!(names_of_roles(&world, *ann).await, ["Admin"]);
        assert_eq!(user.updated_at, app.clock.now());

        assert_eq!(code(accept(app, &bob, made.id).await), "not_found", "a second click");
        assert_eq!(code(offer(app, owner, *ann, id_of(&bob)).await), "forbidden", "she is an owner no more");
    }
}

#[tokio::test]
async fn only_whom_it_was_made_to_answers() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let eve = world.user("eve@example.com", "Eve", "Admin").await;
        let made = offer(app, owner, *ann, id_of(&bob)).await.unwrap();
        for other in [&eve, owner] {
            assert_eq!(code(accept(app, other, made.id).await), "not_found");
            assert_eq!(code(decline(app, other, made.id).await), "not_found");
        }
        assert_eq!(code(get(app, &eve, made.id).await), "not_found");
        assert_eq!(code(withdraw(app, &eve, made.id).await), "forbidden");
        assert_eq!(code(withdraw(app, &bob, made.id).await), "forbidden");
        let other = bootstrap(app, "Globex", "carl@example.com", "Carl").await;
        let stranger = actor(app, other.workspace_id, PrincipalId::User(other.user_id)).await.unwrap();
        for refused in [
            code(get(app, &stranger, made.id).await),
            code(accept(app, &stranger, made.id).await),
            code(decline(app, &stranger, made.id).await),
            code(withdraw(app, &stranger, made.id).await),
            code(offer(app, &stranger, other.user_id, id_of(&bob)).await),
            code(offer(app, owner, *ann, other.user_id).await),
            code(offer(app, owner, other.user_id, *ann).await),
        ] {
            assert_eq!(refused, "not_found");
        }
        assert_eq!(get(app, &bob, made.id).await.unwrap(), made);
        assert_eq!(get(app, owner, made.id).await.unwrap(), made);

        decline(app, &bob, made.id).await.unwrap();
        assert_eq!(code(accept(app, &bob, made.id).await), "not_found");
        assert_eq!(offered_by(app, owner).await.unwrap(), None);
        let seen = world.news().await;
        let types: Vec<&str> = seen.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["ownership_offer.created", "ownership_offer.declined"]);
        assert_eq!((seen[1].data.clone(), &seen[1].actor["name"]), (json!({"object": made}), &json!("Bob")));
    }
}

#[tokio::test]
async fn what_can_not_be_offered() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let admin = world.user("eve@example.com", "Eve", "Admin").await;
        let second = world.user("carl@example.com", "Carl", "Owner").await;
        assert_eq!(code(offer(app, &admin, id_of(&admin), id_of(&bob)).await), "forbidden");
        assert_eq!(code(offer(app, &admin, *ann, id_of(&bob)).await), "forbidden");
        assert_eq!(code(offer(app, owner, id_of(&second), id_of(&bob)).await), "not_yours");
        assert_eq!(code(offer(app, owner, *ann, *ann).await), "self");
        users::block(app, owner, id_of(&bob), None).await.unwrap();
        assert_eq!(code(offer(app, owner, *ann, id_of(&bob)).await), "blocked");
        users::unblock(app, owner, id_of(&bob)).await.unwrap();

        let key = api_keys::authenticate(app, &world.api_key).await.unwrap();
        assert_eq!(code(offer(app, &key, id_of(&admin), id_of(&bob)).await), "not_an_owner");
        let made = offer(app, &key, *ann, id_of(&bob)).await.unwrap();
        assert_eq!(offer(app, owner, *ann, id_of(&bob)).await.unwrap(), made, "a second click, another tab");
        assert_eq!(code(offer(app, owner, *ann, id_of(&admin)).await), "offer_pending");
        assert_eq!(code(accept(app, &key, made.id).await), "not_found", "accepting is for people");
        let all = PageRequest::numbered(1, 50, ByCreated, true);
        assert_eq!(list(app, &key, all.clone()).await.unwrap().data, std::slice::from_ref(&made));
        assert_eq!(code(list(app, &admin, all).await), "forbidden");
        withdraw(app, &second, made.id).await.unwrap();
        assert_eq!(code(withdraw(app, owner, made.id).await), "not_found");
        offer(app, owner, *ann, id_of(&admin)).await.unwrap();
    }
}

/// The ways in which an offer ends by itself. Each leaves nothing that could be accepted, not even when it is undone.
#[tokio::test]
async fn an_offer_dies_with_what_it_stands_on() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let second = world.user("carl@example.com", "Carl", "Owner").await;
        let role: RoleId = world.role("Owner").await.id;
        let (giver, to) = (id_of(&second), id_of(&bob));

        let made = offer(app, &second, giver, to).await.unwrap();
        world.wait(AGE.as_secs() - 1);
        assert!(offered_to(app, &bob).await.unwrap().is_some());
        world.wait(1);
        assert_eq!(code(accept(app, &bob, made.id).await), "not_found", "its time has run out");
        assert_eq!(offered_to(app, &bob).await.unwrap(), None);

        let made = offer(app, &second, giver, to).await.unwrap();
        users::block(app, owner, to, None).await.unwrap();
        users::unblock(app, owner, to).await.unwrap();
        assert_eq!(code(accept(app, &bob, made.id).await), "not_found", "the one was blocked");

        let made = offer(app, &second, giver, to).await.unwrap();
        users::block(app, owner, giver, None).await.unwrap();
        users::unblock(app, owner, giver).await.unwrap();
        assert_eq!(code(accept(app, &bob, made.id).await), "not_found", "the other was blocked");

        let made = offer(app, &second, giver, to).await.unwrap();
        roles::unassign(app, owner, role, second.principal).await.unwrap();
        roles::assign(app, owner, role, second.principal).await.unwrap();
        assert_eq!(code(accept(app, &bob, made.id).await), "not_found", "the other was no owner any more");

        let made = offer(app, &second, giver, to).await.unwrap();
        users::remove(app, owner, giver, None).await.unwrap();
        assert_eq!(code(accept(app, &bob, made.id).await), "not_found", "the other went");

        let made = offer(app, owner, *ann, to).await.unwrap();
        users::leave(app, &bob).await.unwrap();
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        assert_eq!(code(accept(app, &bob, made.id).await), "not_found", "the one went and came back");
        assert_eq!(offered_by(app, owner).await.unwrap(), None);
    }
}

#[tokio::test]
async fn accepting_and_withdrawing_at_once_is_one_of_the_two() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let made = offer(app, owner, *ann, id_of(&bob)).await.unwrap();
        let (accepted, withdrawn) = tokio::join!(accept(app, &bob, made.id), withdraw(app, owner, made.id));
        assert!(accepted.is_ok() != withdrawn.is_ok(), "{accepted:?} {withdrawn:?}");
        let owners = names_of_roles(&world, *ann).await == ["Owner"];
        assert_eq!(owners, withdrawn.is_ok());
        assert_eq!(world.news().await.len(), if accepted.is_ok() { 5 } else { 2 });
    }
}

#[tokio::test]
async fn an_owner_who_takes_over_from_another_gets_nothing_new() {
    for world in World::each().await {
        let World { app, owner, ann, .. } = &world;
        let second = world.user("carl@example.com", "Carl", "Owner").await;
        let made = offer(app, owner, *ann, id_of(&second)).await.unwrap();
        accept(app, &second, made.id).await.unwrap();
        let seen = world.news().await;
        let types: Vec<&str> = seen.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(
            types,
            ["ownership_offer.created", "role.assigned", "role.unassigned", "user.ownership_transferred"]
        );
        assert_eq!(seen[3].data.get("previous"), None);
    }
}
