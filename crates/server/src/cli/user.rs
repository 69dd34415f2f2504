//! `bellwire user reset-password`: for whoever has forgotten theirs and nobody else can help.

use bellwire_core::text::Email;
use clap::{Args, Subcommand};

use super::{in_a_sentence, open, password};
use crate::{config::Config, ops::operator};

/// Give a person another password
#[derive(Clone, Debug, Subcommand)]
pub(super) enum User {
    /// Give a person another password, and end all their sessions
    ResetPassword(ResetPassword),
}

/// Give a person another password, and end all their sessions
#[derive(Args, Clone, Debug)]
pub(super) struct ResetPassword {
    /// The person's e-mail address
    #[arg(long, value_name = "EMAIL", value_parser = Email::parse)]
    email: Email,

    /// Read the new password from the first line of the standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// Does what is asked.
///
/// # Errors
/// With a sentence for the operator.
pub(super) async fn run(User::ResetPassword(reset): User, config: Config) -> Result<(), String> {
    let ResetPassword { email, password_stdin: _ } = reset;
    let password = password::read(std::io::stdin().lock()).map_err(in_a_sentence)?;
    let app = open::command(config).await?;
    let said = email.as_str().to_owned();
    operator::reset_password(&app, email, password).await.map_err(in_a_sentence)?;
    super::print(format_args!("{said} has a new password, and is signed out everywhere"));
    Ok(())
}
