//! `bellwire api-key create`: a key for a program on this machine, made by whoever can read the database.

use bellwire_core::text::Name;
use clap::{Args, Subcommand};

use super::{in_a_sentence, open};
use crate::{config::Config, ops::operator};

/// Make an API key
#[derive(Clone, Debug, Subcommand)]
pub(super) enum ApiKey {
    /// Make an API key, and print it as JSON; its secret is told this once
    Create(Create),
}

/// Make an API key, and print it as JSON; its secret is told this once
#[derive(Args, Clone, Debug)]
pub(super) struct Create {
    /// The workspace's id or name; may be left out when there is only one
    #[arg(long, value_name = "ID_OR_NAME")]
    workspace: Option<String>,

    /// The name of the new key
    #[arg(long, value_name = "NAME", value_parser = Name::parse)]
    name: Name,

    /// The id or name of a role; may be given several times
    #[arg(long = "role", value_name = "ID_OR_NAME", default_value = "Member")]
    roles: Vec<String>,
}

/// Does what is asked.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn run(ApiKey::Create(create): ApiKey, config: Config) -> Result<(), String> {
    let Create { workspace, name, roles } = create;
    let app = open::command(config).await?;
    let workspace = operator::workspace(&app, workspace).await.map_err(in_a_sentence)?;
    let made = operator::create_api_key(&app, workspace.id, name, roles).await.map_err(in_a_sentence)?;
    let json = serde_json::to_string(&made).map_err(|error| error.to_string())?;
    super::print(format_args!("{json}"));
    Ok(())
}
