use super::*;
use crate::testing::{World, actor, because, bootstrap, code, fields};

fn id_of(actor: &Actor) -> ApiKeyId {
    match actor.principal {
        PrincipalId::ApiKey(id) => id,
        PrincipalId::User(_) => panic!("not an API key"),
    }
}

fn wanted(name: &str, role_ids: Option<Vec<RoleId>>) -> NewApiKey {
    NewApiKey { name: Name::parse(name).unwrap(), role_ids }
}

#[test]
fn secrets_are_recognised_by_their_form() {
    let secret = new_secret(&Randomness::seeded(1));
    assert_eq!(secret.len(), 52);
    assert!(is_well_formed(&secret));
    // The example of docs/api-keys.md, whose checksum was made with sha256sum.
    assert!(is_well_formed("bw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh86797ce"));
    let mut typo = secret.clone().into_bytes();
    typo[10] = if typo[10] == b'a' { b'b' } else { b'a' };
    assert!(!is_well_formed(&String::from_utf8(typo).unwrap()));
    for bad in ["", "bw_", &secret[1..], &secret[..51], &format!("{secret}0"), &"ü".repeat(26)] {
        assert!(!is_well_formed(bad), "{bad}");
    }
}

#[tokio::test]
async fn creating_tells_the_secret_once() {
    for world in World::each().await {
        let app = &world.app;
        let admin = world.role("Admin").await;
        let (key, secret) = create(app, &world.owner, wanted("Sync", Some(vec![admin.id]))).await.unwrap();
        assert!(secret.ends_with(&key.hint) && key.hint.len() == 4);
        let seen = world.news().await;
        assert_eq!(seen[0].event_type, "api_key.created");
        assert_eq!(seen[0].data, json!({"object": key}));
        assert_eq!(seen[0].data["object"]["created_by"]["name"], "Ann Lee");
        assert_eq!((seen[1].event_type.as_str(), seen.len()), ("role.assigned", 2));
        assert!(seen[0].correlation.is_some() && seen[0].correlation == seen[1].correlation);
        assert_eq!(get(app, &world.owner, key.id).await.unwrap(), key);
        let stored =
            crate::testing::query(app, "SELECT secret_hash FROM api_keys WHERE id = $1", vec![key.id.into()]).await;
        assert_eq!(stored[0].get::<String>("secret_hash").unwrap(), crypt::token_hash(&secret));

        let (plain, _) = create(app, &world.owner, wanted("Plain", None)).await.unwrap();
        assert_eq!(plain.roles[0].name, "Member");
        assert_eq!(fields(create(app, &world.owner, wanted("X", Some(Vec::new()))).await), ["role_ids"]);
        let unknown = RoleId::new(app.clock.now(), [0; 10]);
        assert_eq!(fields(create(app, &world.owner, wanted("X", Some(vec![unknown]))).await), ["role_ids"]);
        let bob = world.user("bob@example.com", "Bob", "Admin").await;
        let owner = world.role("Owner").await.id;
        assert_eq!(code(create(app, &bob, wanted("X", Some(vec![owner]))).await), "forbidden");
    }
}

#[tokio::test]
async fn whoever_asks_is_known_by_the_secret() {
    for world in World::each().await {
        let app = &world.app;
        let (key, secret) = world.key("Sync", "Admin").await;
        assert_eq!((key.workspace, key.name.as_str()), (world.workspace, "Sync"));
        assert_eq!(key.permissions, world.role("Admin").await.permissions);
        assert_eq!(code(authenticate(app, &new_secret(&app.random)).await), "unauthenticated");
        assert_eq!(code(authenticate(app, "").await), "unauthenticated");
        let admin = world.role("Admin").await.id;
        crate::ops::roles::unassign(app, &world.owner, admin, key.principal).await.unwrap();
        let bare = authenticate(app, &secret).await.unwrap();
        assert_eq!(bare.permissions.iter().count(), 0, "without roles it may do nothing");
    }
}

#[tokio::test]
async fn the_last_use_is_kept_to_the_minute() {
    for world in World::each().await {
        let app = &world.app;
        let (key, _) = world.key("Sync", "Member").await;
        let id = id_of(&key);
        let uses = Uses::default();
        let begin = app.clock.now();
        assert!(uses.is_new(id, begin) && !uses.is_new(id, begin));
        world.wait(59);
        assert!(!uses.is_new(id, app.clock.now()));
        world.wait(1);
        assert!(uses.is_new(id, app.clock.now()));

        write_use(app.clone(), id, app.clock.now()).await;
        write_use(app.clone(), id, begin).await;
        let used = get(app, &world.owner, id).await.unwrap();
        assert_eq!(used.last_used_at, Some(app.clock.now()), "never back in time");
        assert!(world.news().await.is_empty());
    }
}

#[tokio::test]
async fn renaming_and_rotating() {
    for world in World::each().await {
        let app = &world.app;
        let (key, old) = world.key("Sync", "Member").await;
        let (id, hook) = (id_of(&key), world.webhook_of(&key).await);
        let name = || ApiKeyPatch { name: Some(Name::parse("Billing").unwrap()), ..ApiKeyPatch::default() };
        let renamed = update(app, &world.owner, id, name()).await.unwrap();
        let event = world.only("api_key.updated").await;
        assert_eq!(event.data, json!({"object": renamed, "previous": {"name": "Sync"}}));
        assert_eq!(world.owner_of(hook).await, ["api_key", &id.to_string(), "Billing", "billing"]);
        update(app, &world.owner, id, name()).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");

        let (rotated, new) = rotate(app, &world.owner, id).await.unwrap();
        let event = world.only("api_key.secret_rotated").await;
        assert_eq!(event.data, json!({"object": rotated, "previous": {"hint": renamed.hint}}));
        assert_eq!(code(authenticate(app, &old).await), "unauthenticated");
        assert_eq!(authenticate(app, &new).await.unwrap().principal, key.principal);
        let bob = world.user("bob@example.com", "Bob", "Admin").await;
        let automation = id_of(&authenticate(app, &world.api_key).await.unwrap());
        assert_eq!(code(rotate(app, &bob, automation).await), "forbidden", "its secret would make Bob an owner");
    }
}

#[tokio::test]
async fn a_name_and_roles_change_together_or_not_at_all() {
    for world in World::each().await {
        let app = &world.app;
        let (key, _) = world.key("Sync", "Member").await;
        let id = id_of(&key);
        let [owner, admin, member] =
            [world.role("Owner").await.id, world.role("Admin").await.id, world.role("Member").await.id];
        let patch = |give: Vec<RoleId>, take: Vec<RoleId>| ApiKeyPatch {
            name: Some(Name::parse("Billing").unwrap()),
            give,
            take,
        };
        let bob = world.user("bob@example.com", "Bob", "Admin").await;
        assert_eq!(code(update(app, &bob, id, patch(vec![owner], Vec::new())).await), "forbidden");
        assert_eq!(get(app, &bob, id).await.unwrap().name, "Sync");
        world.news().await;

        let changed = update(app, &bob, id, patch(vec![admin, member], vec![member])).await.unwrap();
        assert_eq!(
            (changed.name.as_str(), changed.roles.len(), changed.roles[0].name.as_str()),
            ("Billing", 1, "Admin")
        );
        let seen = world.news().await;
        let types: Vec<&str> = seen.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["api_key.updated", "role.assigned", "role.unassigned"]);
        assert!(seen[0].correlation.is_some() && seen.iter().all(|event| event.correlation == seen[0].correlation));

        update(app, &bob, id, patch(vec![admin], vec![member])).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");
        let many = std::iter::repeat_with(|| app.random.id(app.clock.now())).take(51).collect();
        assert_eq!(fields(update(app, &bob, id, patch(many, Vec::new())).await), ["role_ids"]);
    }
}

#[tokio::test]
async fn what_a_key_owns_is_counted_and_handed_over() {
    for world in World::each().await {
        let app = &world.app;
        let (key, _) = world.key("Sync", "Admin").await;
        let owned = async || crate::ops::principals::owned(app, &world.owner, key.principal).await.unwrap();
        assert!(owned().await.is_nothing());
        world.webhook_of(&key).await;
        world.webhook_of(&key).await;
        let group = crate::ops::groups::NewGroup { name: Name::parse("Finance").unwrap(), owner: None };
        crate::ops::groups::create(app, &key, group).await.unwrap();
        let both = owned().await;
        assert_eq!((both.webhooks, both.groups), (2, 1));
        let member = world.user("eve@example.com", "Eve", "Member").await;
        assert_eq!(code(crate::ops::principals::owned(app, &member, key.principal).await), "forbidden");
        delete(app, &world.owner, id_of(&key)).await.unwrap();
        assert!(owned().await.is_nothing());
        let heirs = crate::ops::principals::owned(app, &world.owner, world.owner.principal).await.unwrap();
        assert_eq!((heirs.webhooks, heirs.groups), (2, 1));
    }
}

#[tokio::test]
async fn blocking_and_unblocking() {
    for world in World::each().await {
        let app = &world.app;
        let (key, secret) = world.key("Sync", "Admin").await;
        let id = id_of(&key);
        assert_eq!(code(block(app, &key, id, None).await), "self");
        let blocked = block(app, &world.owner, id, because("leaked")).await.unwrap();
        let event = world.only("api_key.blocked").await;
        assert_eq!(event.data, json!({"object": blocked, "previous": {"status": "active"}, "reason": "leaked"}));
        assert_eq!(code(authenticate(app, &secret).await), "unauthenticated");
        assert_eq!(code(create(app, &key, wanted("X", None)).await), "unauthenticated");
        block(app, &world.owner, id, None).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");
        let active = unblock(app, &world.owner, id).await.unwrap();
        let event = world.only("api_key.unblocked").await;
        let previous = json!({"status": "blocked", "status_reason": "leaked"});
        assert_eq!(event.data, json!({"object": active, "previous": previous}));
        assert!(authenticate(app, &secret).await.is_ok());
        unblock(app, &world.owner, id).await.unwrap();
        assert!(world.news().await.is_empty(), "nothing changed");
        let automation = id_of(&authenticate(app, &world.api_key).await.unwrap());
        assert_eq!(code(block(app, &key, automation, None).await), "forbidden");
    }
}

#[tokio::test]
async fn deleting_hands_webhooks_over() {
    for world in World::each().await {
        let app = &world.app;
        let (key, secret) = world.key("Sync", "Admin").await;
        let (id, hook) = (id_of(&key), world.webhook_of(&key).await);
        assert_eq!(code(delete(app, &key, id).await), "self");
        let automation = id_of(&authenticate(app, &world.api_key).await.unwrap());
        assert_eq!(code(delete(app, &key, automation).await), "forbidden");
        // That the key was used is written down beside the request: from then on nothing changes by itself.
        let before = loop {
            let key = get(app, &world.owner, id).await.unwrap();
            if key.last_used_at.is_some() {
                break key;
            }
            tokio::task::yield_now().await;
        };
        delete(app, &world.owner, id).await.unwrap();
        let seen = world.news().await;
        assert_eq!(
            seen.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>(),
            ["role.unassigned", "api_key.deleted"]
        );
        assert_eq!(seen[1].data, json!({"object": before}));
        assert!(seen[0].correlation.is_some() && seen[0].correlation == seen[1].correlation);
        assert_eq!(world.owner_of(hook).await, ["user", &world.ann.to_string(), "Ann Lee", "ann lee"]);
        assert_eq!(code(authenticate(app, &secret).await), "unauthenticated");
        assert_eq!(code(get(app, &world.owner, id).await), "not_found");
    }
}

#[tokio::test]
async fn api_keys_of_other_workspaces_are_not_there() {
    for world in World::each().await {
        let app = &world.app;
        let other = bootstrap(app, "Globex", "bob@example.com", "Bob").await;
        let foreign = id_of(&authenticate(app, &other.api_key).await.unwrap());
        let owner = &world.owner;
        assert_eq!(code(get(app, owner, foreign).await), "not_found");
        assert_eq!(code(update(app, owner, foreign, ApiKeyPatch::default()).await), "not_found");
        assert_eq!(code(rotate(app, owner, foreign).await), "not_found");
        assert_eq!(code(block(app, owner, foreign, None).await), "not_found");
        assert_eq!(code(unblock(app, owner, foreign).await), "not_found");
        assert_eq!(code(delete(app, owner, foreign).await), "not_found");
        let other_owner = actor(app, other.workspace_id, PrincipalId::User(other.user_id)).await.unwrap();
        let foreign_role = crate::ops::roles::list(app, &other_owner).await.unwrap()[2].id;
        assert_eq!(fields(create(app, owner, wanted("X", Some(vec![foreign_role]))).await), ["role_ids"]);
        let page = PageRequest::numbered(1, 50, ApiKeySort::CreatedAt, true);
        let listed = list(app, owner, ApiKeyFilter::default(), page).await.unwrap();
        assert_eq!(listed.data.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["Automation"]);
        assert_eq!(count(app, owner, ApiKeyFilter::default()).await.unwrap(), 1);
        assert!(world.news().await.is_empty());
    }
}

#[tokio::test]
async fn lists_are_filtered() {
    for world in World::each().await {
        let app = &world.app;
        let (sync, _) = world.key("Billing sync", "Member").await;
        block(app, &world.owner, id_of(&sync), None).await.unwrap();
        let all = ApiKeyFilter::default;
        for (wanted, found) in [
            (all(), vec!["Automation", "Billing sync"]),
            (ApiKeyFilter { search: Some("SYNC".to_owned()), ..all() }, vec!["Billing sync"]),
            (ApiKeyFilter { status: Some(PrincipalStatus::Active), ..all() }, vec!["Automation"]),
        ] {
            for sort in [ApiKeySort::Name, ApiKeySort::LastUsedAt] {
                let request = PageRequest::numbered(1, 50, sort, false);
                let page = list(app, &world.owner, wanted.clone(), request).await.unwrap();
                let mut names: Vec<_> = page.data.into_iter().map(|key| key.name).collect();
                names.sort();
                assert_eq!(names, found);
            }
        }
    }
}
