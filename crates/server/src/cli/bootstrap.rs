//! `bellwire bootstrap`: a workspace, its owner and an API key, for automation.

use std::io::{BufRead, Write};

use bellwire_core::text::{Email, Name};
use clap::Args;

use super::password;
use crate::{app::App, error::Error, ops::setup};

/// Make a workspace with an owner and an API key, and print their ids and the key as JSON
#[derive(Args, Clone, Debug)]
pub struct Bootstrap {
    /// The name of the new workspace
    #[arg(long, value_name = "NAME", value_parser = Name::parse)]
    workspace: Name,

    /// The owner's e-mail address; a person who has an account already, with this password, owns the new workspace too
    #[arg(long, value_name = "EMAIL", value_parser = Email::parse)]
    owner_email: Email,

    /// The owner's name in the workspace
    #[arg(long, value_name = "NAME", value_parser = Name::parse)]
    owner_name: Name,

    /// Read the owner's password from the first line of the standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// Reads the password from `input` and prints the outcome to `output`.
///
/// # Errors
/// [`Error::Invalid`] for the password, and when the database fails or the output can't be written.
pub async fn run(app: &App, args: Bootstrap, input: impl BufRead, mut output: impl Write) -> Result<(), Error> {
    let Bootstrap { workspace, owner_email, owner_name, password_stdin: _ } = args;
    let password = password::read(input)?;
    let made = setup::bootstrap(app, workspace, owner_email, owner_name, password).await?;
    writeln!(output, "{}", serde_json::to_string(&made)?).map_err(|error| Error::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::{api_keys, sign_in::sign_in},
        testing::{PASSWORD, app, code},
    };

    #[tokio::test]
    async fn the_command_prints_json_and_reads_the_password_from_its_input() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Bootstrap,
        }
        let line = ["x", "--workspace", "Acme", "--owner-email", "Ann@Example.com", "--owner-name", "Ann Lee"];
        assert!(<Line as clap::Parser>::try_parse_from(line).is_err(), "the password must be asked for");
        let line = line.into_iter().chain(["--password-stdin"]);
        let args = <Line as clap::Parser>::try_parse_from(line).ok().unwrap().args;

        let (app, _signals, _folder) = app().await;
        let mut output = Vec::new();
        let short = run(&app, args.clone(), &b"short\n"[..], &mut output).await;
        assert_eq!((code(short), output.as_slice()), ("invalid", &b""[..]));
        run(&app, args, format!("{PASSWORD}\r\nmore").as_bytes(), &mut output).await.unwrap();
        let made: serde_json::Value = serde_json::from_slice(&output).unwrap();
        let key = api_keys::authenticate(&app, made["api_key"].as_str().unwrap()).await.unwrap();
        assert_eq!(made["workspace_id"], key.workspace.to_string());
        assert!(made["user_id"].as_str().unwrap().starts_with("usr_"));
        assert!(sign_in(&app, "ann@example.com", PASSWORD, None).await.is_ok());
    }
}
