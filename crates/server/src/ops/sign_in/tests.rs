use super::*;
use crate::{
    ops::users,
    testing::{PASSWORD, START, World, bootstrap, code, fields},
};

const WRONG: &str = "wrong horse battery";

#[tokio::test]
async fn a_person_of_one_workspace_finds_it_open_for_14_days() {
    for world in World::each().await {
        let app = &world.app;
        let token = sign_in(app, " ANN@example.com ", PASSWORD, None).await.unwrap();
        let found = session(app, token.as_str()).await.unwrap().unwrap();
        assert_eq!((found.user_id, found.email.as_str()), (world.ann, "ann@example.com"));
        assert_eq!(found.workspaces, [(world.workspace, "Acme".to_owned())]);
        let actor = found.workspace.unwrap();
        assert_eq!((actor.name.as_str(), actor.permissions), ("Ann Lee", world.owner.permissions));

        assert!(session(app, "made up").await.unwrap().is_none());
        world.wait(SESSION_AGE.as_secs() - 1);
        assert!(session(app, token.as_str()).await.unwrap().is_some());
        world.wait(1);
        assert!(session(app, token.as_str()).await.unwrap().is_none());
        assert_eq!(format!("{token:?}"), "SessionToken(…)");
    }
}

#[tokio::test]
async fn wrong_passwords_and_unknown_addresses_get_the_same_answer() {
    for world in World::each().await {
        let answers = [
            sign_in(&world.app, "ann@example.com", WRONG, None).await.unwrap_err().to_string(),
            sign_in(&world.app, "nobody@example.com", PASSWORD, None).await.unwrap_err().to_string(),
            sign_in(&world.app, "no address", PASSWORD, None).await.unwrap_err().to_string(),
        ];
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
}

#[tokio::test]
async fn ten_failures_for_an_address_close_it_for_a_while() {
    for world in World::each().await {
        let app = &world.app;
        for _ in 0..9 {
            assert_eq!(fields(sign_in(app, "ann@example.com", WRONG, None).await), ["password"]);
        }
        assert!(sign_in(app, "ann@example.com", PASSWORD, None).await.is_ok(), "a success begins anew");
        for _ in 0..10 {
            assert_eq!(code(sign_in(app, "ann@example.com", WRONG, None).await), "invalid");
            world.wait(1);
        }
        let refused = sign_in(app, "ann@example.com", PASSWORD, None).await.unwrap_err();
        assert!(matches!(refused, Error::TooMany(890)), "{refused:?}");
        assert_eq!(code(sign_in(app, "bob@example.com", WRONG, None).await), "invalid", "others are not concerned");
        world.wait(890);
        assert!(sign_in(app, "ann@example.com", PASSWORD, None).await.is_ok());
    }
}

#[test]
fn ten_failures_of_a_network_close_it_whatever_the_addresses() {
    let throttle = Throttle::default();
    let ip = |last: u16| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, last)));
    for n in 0..10 {
        let email = Email::parse(&format!("user{n}@example.com")).unwrap();
        throttle.attempt(Some(&email), ip(n), FAILURES, START).unwrap();
    }
    let email = Email::parse("ann@example.com").unwrap();
    assert!(matches!(throttle.attempt(Some(&email), ip(99), FAILURES, START), Err(Error::TooMany(900))));
    let elsewhere = Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1)));
    let tries = throttle.attempt(Some(&email), elsewhere, FAILURES, START).unwrap();
    throttle.succeeded(&tries);
    assert!(throttle.attempt(None, ip(99), FAILURES, START).is_err(), "a success elsewhere opens nothing");
    assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
}

#[test]
fn the_throttle_is_bounded_and_counts_what_is_under_way() {
    let throttle = Throttle::default();
    let email = Email::parse("ann@example.com").unwrap();
    let later = START.saturating_add(Duration::from_secs(1));
    let under_way: Vec<Try> = (0..10).map(|_| throttle.attempt(Some(&email), None, FAILURES, later).unwrap()).collect();
    assert!(throttle.attempt(Some(&email), None, FAILURES, later).is_err());
    throttle.forget(&under_way[0]);
    assert!(throttle.attempt(Some(&email), None, FAILURES, later).is_ok(), "one came to nothing for another reason");
    for n in 0..20_000_u32 {
        throttle.attempt(None, Some(IpAddr::V4(n.into())), FAILURES, START).unwrap();
    }
    assert_eq!(throttle.0.lock().unwrap().len(), REMEMBERED);
    assert!(throttle.attempt(Some(&email), None, FAILURES, later).is_err(), "the newest failures are remembered");
}

#[tokio::test]
async fn signing_out_ends_one_session() {
    for world in World::each().await {
        let app = &world.app;
        let token = sign_in(app, "ann@example.com", PASSWORD, None).await.unwrap();
        let other = sign_in(app, "ann@example.com", PASSWORD, None).await.unwrap();
        sign_out(app, token.as_str()).await.unwrap();
        sign_out(app, token.as_str()).await.unwrap();
        assert!(session(app, token.as_str()).await.unwrap().is_none());
        assert!(session(app, other.as_str()).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_person_of_several_workspaces_chooses() {
    for world in World::each().await {
        let app = &world.app;
        let globex = bootstrap(app, "Globex", "ann@example.com", "Ann of Globex").await;
        let foreign = bootstrap(app, "Initech", "bob@example.com", "Bob").await;
        let token = sign_in(app, "ann@example.com", PASSWORD, None).await.unwrap();
        let chosen = session(app, token.as_str()).await.unwrap().unwrap();
        assert!(chosen.workspace.is_none());
        assert_eq!(chosen.workspaces.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["Acme", "Globex"]);
        assert_eq!(code(open_workspace(app, &chosen, foreign.workspace_id).await), "not_found");
        open_workspace(app, &chosen, globex.workspace_id).await.unwrap();
        let open = session(app, token.as_str()).await.unwrap().unwrap().workspace.unwrap();
        assert_eq!((open.workspace, open.name.as_str()), (globex.workspace_id, "Ann of Globex"));
    }
}

#[tokio::test]
async fn whoever_is_blocked_or_removed_is_out_with_the_next_request() {
    for world in World::each().await {
        let app = &world.app;
        let bob = world.user("bob@example.com", "Bob", "Admin").await;
        let PrincipalId::User(id) = bob.principal else { unreachable!() };
        let globex = bootstrap(app, "Globex", "bob@example.com", "Bob of Globex").await;
        let token = sign_in(app, "bob@example.com", PASSWORD, None).await.unwrap();
        let signed = session(app, token.as_str()).await.unwrap().unwrap();
        open_workspace(app, &signed, world.workspace).await.unwrap();

        users::block(app, &world.owner, id, None).await.unwrap();
        let blocked = session(app, token.as_str()).await.unwrap().unwrap();
        assert!(blocked.workspace.is_none());
        assert_eq!(blocked.workspaces, [(globex.workspace_id, "Globex".to_owned())]);
        assert_eq!(code(open_workspace(app, &blocked, world.workspace).await), "not_found");
        users::unblock(app, &world.owner, id).await.unwrap();
        assert!(session(app, token.as_str()).await.unwrap().unwrap().workspace.is_some());

        users::remove(app, &world.owner, id, None).await.unwrap();
        assert!(session(app, token.as_str()).await.unwrap().unwrap().workspace.is_none());
    }
}

#[tokio::test]
async fn without_a_workspace_there_is_no_session() {
    for world in World::each().await {
        let app = &world.app;
        let bob = world.user("bob@example.com", "Bob", "Member").await;
        let PrincipalId::User(id) = bob.principal else { unreachable!() };
        let token = sign_in(app, "bob@example.com", PASSWORD, None).await.unwrap();
        users::block(app, &world.owner, id, None).await.unwrap();
        assert!(session(app, token.as_str()).await.unwrap().is_none());
        assert_eq!(code(sign_in(app, "bob@example.com", PASSWORD, None).await), "no_workspace");
        users::unblock(app, &world.owner, id).await.unwrap();
        assert!(session(app, token.as_str()).await.unwrap().is_none(), "it ended for good");
        assert!(sign_in(app, "bob@example.com", PASSWORD, None).await.is_ok());
    }
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    for world in World::each().await {
        let app = &world.app;
        let mine = sign_in(app, "ann@example.com", PASSWORD, None).await.unwrap();
        let stolen = sign_in(app, "ann@example.com", PASSWORD, None).await.unwrap();
        let signed = session(app, mine.as_str()).await.unwrap().unwrap();
        let new = Password::parse("new horse battery").unwrap();
        assert_eq!(fields(change_password(app, &signed, WRONG, new.clone()).await), ["current_password"]);
        assert!(session(app, stolen.as_str()).await.unwrap().is_some());
        let late = right_password(app, "ann@example.com", PASSWORD, None).await.unwrap().unwrap();
        change_password(app, &signed, PASSWORD, new).await.unwrap();
        let held = late.clone();
        let began = app.db.write(move |conn| Box::pin(async move { still_right(conn, &held).await })).await;
        assert_eq!(code(began), "invalid", "a session that is about to begin with the old one");
        assert!(session(app, mine.as_str()).await.unwrap().is_some());
        assert!(session(app, stolen.as_str()).await.unwrap().is_none());
        assert_eq!(code(sign_in(app, "ann@example.com", PASSWORD, None).await), "invalid");
        assert!(sign_in(app, "ann@example.com", "new horse battery", None).await.is_ok());
    }
}
