//! `--size large`: the workspace of an enterprise, to see that its lists are as fast as those of a small one.
//!
//! People are written straight into their tables. Groups and webhooks are made as anybody makes them, many at a time, so that they
//! have their events, secrets and subscriptions. The webhooks lead nowhere: `.example` is a name that is never given (RFC 2606).

use std::time::Duration;

use bellwire_core::{
    catalogue::{ActorType, EventTypes},
    event::PrincipalId,
    id::UserId,
    permission::BuiltInRole,
    text::{Description, Name},
};
use futures_util::future::try_join_all;

use crate::{
    app::App,
    db::{
        self,
        bulk::{self, NewUser},
    },
    error::Error,
    ops::{
        Actor,
        groups::{self, NewGroup},
        roles,
        webhooks::{self, Change, NewWebhook},
    },
};

const USERS: usize = 100_000;
const GROUPS: usize = 1_000;
/// Members of each group.
const MEMBERS: usize = 20;
/// Users that are written, and things that are made, at a time.
const AT_ONCE: (usize, usize) = (10_000, 200);

const FIRST: [&str; 16] = [
    "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Femi", "Greta", "Hiroshi", "Ines", "Jonas", "Kaya", "Liam", "Mei",
    "Noor", "Olga", "Pedro",
];
const LAST: [&str; 16] = [
    "Abebe", "Berger", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jansen", "Khan",
    "Lopez", "Moreau", "Nakamura", "Okafor", "Petrov",
];

/// Fills a workspace.
///
/// # Errors
/// When the database fails.
pub(super) async fn fill(app: &App, owner: &Actor, count: usize) -> Result<(), Error> {
    people(app, owner).await?;
    webhooks(app, owner, count).await
}

/// Writes the people, and puts some of them into groups.
async fn people(app: &App, owner: &Actor) -> Result<(), Error> {
    let now = app.clock.now();
    let user = |number: usize| NewUser {
        id: app.random.id(now),
        email: format!("user{number}@northwind.example"),
        name: format!("{} {} {number}", FIRST[number % 16], LAST[number / 16 % 16]),
        active: number % 50 != 49,
        joined_at: now.saturating_sub(Duration::from_secs(60 * u64::try_from(USERS - number).unwrap_or_default())),
    };
    let users: Vec<NewUser> = (0..USERS).map(user).collect();
    let role = roles::list(app, owner).await?.into_iter().find(|role| role.is(BuiltInRole::Member));
    let role = role.ok_or_else(|| Error::Internal("a workspace has no role Member".to_owned()))?.id;
    let workspace = owner.workspace;
    for some in users.chunks(AT_ONCE.0) {
        let some = some.to_vec();
        let write = app.db.write(move |conn| Box::pin(async move { bulk::users(conn, workspace, role, &some).await }));
        write.await.map_err(|error: db::DbError| Error::from(error))?;
    }
    let active: Vec<UserId> = users.iter().filter(|user| user.active).map(|user| user.id).collect();
    let numbers: Vec<usize> = (0..GROUPS).collect();
    for some in numbers.chunks(AT_ONCE.1) {
        let members = |number: usize| {
            let members = (0..MEMBERS).map(|n| active[(number * 97 + n * 31) % active.len()]);
            members.map(PrincipalId::User).collect()
        };
        try_join_all(some.iter().map(|number| group(app, owner, *number, members(*number)))).await?;
    }
    Ok(())
}

async fn group(app: &App, owner: &Actor, number: usize, members: Vec<PrincipalId>) -> Result<(), Error> {
    let name = Name::parse(&format!("{} team {number}", LAST[number % 16]));
    let name = name.map_err(|error| Error::invalid("name", error))?;
    let group = groups::create(app, owner, NewGroup { name, owner: members.first().copied() }).await?;
    groups::add_members(app, owner, group.id, members).await.map(drop)
}

/// Makes the webhooks: each wants what one actor type tells; one of ten is inactive.
async fn webhooks(app: &App, owner: &Actor, count: usize) -> Result<(), Error> {
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(webhooks::MAX_SEVERAL) {
        let new = some.iter().map(|number| webhook(*number)).collect::<Result<_, _>>()?;
        let made = webhooks::create_several(app, owner, new).await?;
        let left = made.iter().zip(some).filter(|(_, number)| *number % 10 == 9).map(|((it, _), _)| it.webhook.id);
        webhooks::change_several(app, owner, left.collect(), Change::Deactivate).await?;
    }
    Ok(())
}

fn webhook(number: usize) -> Result<NewWebhook, Error> {
    let actor_type = ActorType::ALL[number % ActorType::ALL.len()];
    let types: Vec<&str> = actor_type.types().map(|it| it.as_str()).collect();
    let url =
        format!("https://{}{number}.customer.example/hooks/{}", LAST[number % 16].to_lowercase(), actor_type.key());
    Ok(NewWebhook {
        url: url.parse().map_err(|error| Error::invalid("url", error))?,
        event_types: EventTypes::parse(types).map_err(|error| Error::invalid("event_types", error))?,
        description: Description::parse(&format!("Customer {number}"))
            .map_err(|error| Error::invalid("description", error))?,
        headers: Vec::new(),
        rate_limit: None,
    })
}
