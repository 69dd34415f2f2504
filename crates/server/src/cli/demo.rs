//! `bellwire demo`: a workspace in which much happens, to look at.
//!
//! It serves from a temporary folder that is gone at the end, with a receiver of its own that answers well, slowly, badly or
//! *gone*, and makes things happen all the time, through the same use cases as pages and the API. Nothing of it is prepared
//! data: the red dot is there because a receiver said 410. The days before are lived through as well, with a clock that is
//! moved ([`past`]).

mod past;
mod receiver;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bellwire_core::{
    catalogue::{EventType, EventTypes},
    event::{Origin, PrincipalId, Via},
    id::WorkspaceId,
    license::{Amount, CreditSource},
    permission::BuiltInRole,
    text::{Description, Email, Name, Reason},
};
use clap::Args;

use self::receiver::{Trouble, receive};
use super::serve;
use crate::{
    app::App,
    clock::{Clock, Randomness},
    config::Config,
    db::{
        page::PageRequest,
        users::{UserFilter, UserSort},
    },
    error::Error,
    ops::{
        Actor,
        invites::{self, NewInvite},
        license::{self, NewCredit, usage},
        publish::{self, NewPublish},
        setup, users,
        webhooks::{self, NewWebhook},
    },
    password::Password,
};

/// Who signs in. This is no secret: the demo serves one machine and forgets everything.
const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "bellwire demo password";
/// People of the workspace, beside the owner.
const PEOPLE: [(&str, &str); 4] = [
    ("Bo Chen", "bo@example.com"),
    ("Maximiliane von Hohenstein", "max@example.com"),
    ("Ravi Patel", "ravi@example.com"),
    ("Zoë Quist", "zoe@example.com"),
];
/// Webhooks: path at the demo's receiver, event types, what for.
const WEBHOOKS: [(&str, &[&str], &str); 8] = [
    ("/warehouse/account-events", &["*"], "Everything, into the data warehouse"),
    ("/chat/people", &["users.*", "invites.*"], "Tells #people who comes and goes"),
    ("/slow/audit", &["users.*", "roles.*", "api_keys.*"], "The audit archive, which takes its time"),
    ("/gone/old-tool", &["groups.*", "state_changes.*"], "A tool that was switched off for good"),
    ("/broken/crm", &["users.*", "invites.*"], "The CRM, which has a bad day"),
    ("/billing/usage-alerts", &["state_changes.*"], "Warns finance before the balance runs out"),
    ("/staging/everything", &["users.*", "invites.*", "groups.*", "roles.*"], "The next version, tried by the team"),
    ("/directory/sync?tenant=northwind&source=bellwire", &["users.*", "groups.*"], "Keeps the directory in step"),
];
/// The webhook that somebody turned off, and why.
const PAUSED: (&str, &str) = ("/staging/everything", "Paused until the new version is out.");

/// Serve a workspace in which much happens, to look at
#[derive(Args, Clone, Debug)]
pub(super) struct Demo {
    /// How long to wait between two events
    #[arg(long, default_value = "700ms", value_parser = humantime::parse_duration)]
    pause: Duration,
}

/// Serves until the process is told to stop.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn run(demo: Demo, mut config: Config) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("bellwire-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("can't make {}: {error}", folder.display()))?;
    config.database_url = format!("sqlite:{}", folder.join("demo.db").display());
    config.master_key_file = folder.join("demo.key");
    config.allow_networks.extend("127.0.0.0/8".parse::<ipnet::IpNet>().ok());
    let result = serve_and_play(&demo, config).await;
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        tracing::warn!(%error, "can't remove {}", folder.display());
    }
    result
}

async fn serve_and_play(demo: &Demo, config: Config) -> Result<(), String> {
    let mut told = serve::Told::new()?;
    let trouble = Arc::new(Trouble::default());
    let receiver = receive(Arc::clone(&trouble)).await;
    let receiver = receiver.map_err(|error| format!("can't start the receiver: {error}"))?;
    let cast = past::live_through(&config, receiver, &trouble).await?;
    trouble.slow.store(true, Ordering::Relaxed);
    let server = serve::start(config, Clock::System, Randomness::from_system()).await?;
    super::print(format_args!("Bellwire serves a demo on {}", server.app.config.public_url()));
    super::print(format_args!("Sign in as {EMAIL} with the password: {PASSWORD}"));
    let play = tokio::spawn(play(server.app.clone(), cast, demo.pause));
    told.stop().await;
    play.abort();
    server.stop().await;
    Ok(())
}

/// Who acts.
struct Cast {
    automation: Actor,
    ann: Actor,
}

fn name(text: &str) -> Result<Name, Error> {
    Name::parse(text).map_err(|error| Error::invalid("name", error))
}

async fn seed(app: &App, receiver: SocketAddr) -> Result<Cast, Error> {
    let password = || Password::parse(PASSWORD).map_err(|error| Error::invalid("password", error));
    let email = |text: &str| Email::parse(text).map_err(|error| Error::invalid("email", error));
    let made = setup::bootstrap(app, name("Northwind Traders")?, email(EMAIL)?, name("Ann Lee")?, password()?).await?;
    let automation = crate::ops::api_keys::authenticate(app, &made.api_key).await?;
    let ann = person(made.workspace_id, PrincipalId::User(made.user_id), "Ann Lee", BuiltInRole::Owner);
    for (index, (path, types, description)) in WEBHOOKS.iter().enumerate() {
        let new = NewWebhook {
            url: format!("http://{receiver}{path}").parse().map_err(|error| Error::invalid("url", error))?,
            event_types: EventTypes::parse(types.iter().copied())
                .map_err(|error| Error::invalid("event_types", error))?,
            description: Description::parse(description).map_err(|error| Error::invalid("description", error))?,
            headers: Vec::new(),
            rate_limit: None,
        };
        webhooks::create(app, if index == 1 { &automation } else { &ann }, new).await?;
    }
    for (person, address) in PEOPLE {
        let sent = invites::create(app, &ann, NewInvite { email: email(address)?, role_ids: None }).await?;
        let token = sent.url.rsplit('/').next().unwrap_or_default();
        invites::accept(app, token, person, PASSWORD, None).await?;
    }
    invites::create(app, &ann, NewInvite { email: email("kim@example.com")?, role_ids: None }).await?;
    let amount = Amount::new(20_000).map_err(|error| Error::invalid("amount", error))?;
    let note = Reason::parse("Order 4711").map_err(|error| Error::invalid("note", error))?;
    license::credit(app, &ann, NewCredit { amount, source: CreditSource::Purchase, note: Some(note) }, None).await?;
    Ok(Cast { automation, ann })
}

fn person(workspace: WorkspaceId, principal: PrincipalId, name: &str, role: BuiltInRole) -> Actor {
    Actor {
        workspace,
        principal,
        name: name.to_owned(),
        permissions: role.permissions(),
        secret: None,
        origin: Origin::via(Via::CommandLine),
    }
}

/// The events that other systems tell of.
fn told_types() -> Vec<EventType> {
    EventType::all().filter(|event_type| event_type.entry().actor_type.is_some()).collect()
}

/// Makes things happen until it is ended.
async fn play(app: App, cast: Cast, pause: Duration) {
    let types = told_types();
    let mut round: usize = 0;
    loop {
        app.clock.sleep(pause).await;
        let done = if round % 20 == 19 {
            block_and_unblock(&app, &cast.ann).await
        } else if round % 2 == 1 {
            use_up(&app, &cast.automation, round).await
        } else {
            tell(&app, &cast.automation, &types, round).await
        };
        if let Err(error) = done {
            error.log();
        }
        round += 1;
    }
}

/// An event of the catalogue, as another system would tell it.
async fn tell(app: &App, actor: &Actor, types: &[EventType], round: usize) -> Result<(), Error> {
    let event_type = types[round * 7 % types.len()];
    let data = serde_json::value::to_raw_value(&event_type.entry().example_data())?;
    publish::publish(app, actor, NewPublish { event_type, data, actor: None, occurred_at: None }, None).await.map(drop)
}

/// Some steps of the workspace's processes.
async fn use_up(app: &App, actor: &Actor, round: usize) -> Result<(), Error> {
    let steps = i64::try_from(round * 37 % 400).unwrap_or(0) + 1;
    let amount = Amount::new(steps).map_err(|error| Error::invalid("amount", error))?;
    usage::report(app, actor, amount, None).await.map(drop)
}

/// Something that happens in the workspace itself.
async fn block_and_unblock(app: &App, ann: &Actor) -> Result<(), Error> {
    let wanted = UserFilter { search: Some(PEOPLE[0].0.to_owned()), ..Default::default() };
    let found = users::list(app, ann, wanted, PageRequest::numbered(1, 1, UserSort::Name, false)).await?;
    let Some(user) = found.data.first() else { return Ok(()) };
    let reason = Reason::parse("lost their laptop").map_err(|error| Error::invalid("reason", error))?;
    users::block(app, ann, user.id, Some(reason)).await?;
    users::unblock(app, ann, user.id).await.map(drop)
}
