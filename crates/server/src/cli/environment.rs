//! Settings: environment variables that begin with `BELLWIRE_` must be some, and what is wrong with one is said in a sentence.

use std::{collections::BTreeSet, error::Error, ffi::OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What begins like this belongs to the project's own tests.
const OF_TESTS: &str = "BELLWIRE_TEST_";

/// Refuses variables that begin with `BELLWIRE_` and are no setting of `command` or of its subcommands.
///
/// # Errors
/// With a sentence that names the variable, and the nearest setting.
pub(super) fn check(
    command: &clap::Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), String> {
    let known = settings(command);
    for (name, _) in variables {
        let name = name.to_string_lossy();
        if !name.starts_with("BELLWIRE_") || name.starts_with(OF_TESTS) || known.contains(name.as_ref()) {
            continue;
        }
        let nearest = known.iter().min_by_key(|known| strsim::osa_distance(known, &name));
        let hint = nearest.map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default();
        return Err(format!("the environment variable {name} is not a setting{hint}"));
    }
    Ok(())
}

/// The variables of all settings.
fn settings(command: &clap::Command) -> BTreeSet<String> {
    let arguments = with_subcommands(command).into_iter().flat_map(clap::Command::get_arguments);
    arguments.filter_map(clap::Arg::get_env).map(|name| name.to_string_lossy().into_owned()).collect()
}

fn with_subcommands(command: &clap::Command) -> Vec<&clap::Command> {
    std::iter::once(command).chain(command.get_subcommands().flat_map(with_subcommands)).collect()
}

/// The sentence about a setting whose value can't be used, whether it came as a flag or as a variable; nothing when the
/// error is about something else.
pub(super) fn wrong_setting(command: &clap::Command, error: &clap::Error) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return None;
    }
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = said(ContextKind::InvalidArg)?.split(' ').next()?;
    let setting = with_subcommands(command)
        .into_iter()
        .flat_map(clap::Command::get_arguments)
        .find(|argument| argument.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long)))?;
    let variable = setting.get_env()?.to_string_lossy();
    let why = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(values))) => format!("must be {}", values.join(" or ")),
        _ => "it is not valid".to_owned(),
    };
    // A value that may hold a password is not repeated.
    let value = said(ContextKind::InvalidValue).filter(|_| !setting.is_hide_env_values_set());
    let cannot = value.map_or_else(|| "can't be used".to_owned(), |value| format!("can't be {value:?}"));
    Some(format!("the setting {flag} ({variable}) {cannot}: {why}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn checked(name: &str) -> Result<(), String> {
        check(&super::super::Arguments::command(), [(name.into(), "x".into())].into_iter())
    }

    #[test]
    fn every_setting_is_in_the_documentation() {
        let documentation = include_str!("../../../../docs/operations.md");
        for setting in settings(&super::super::Arguments::command()) {
            assert!(documentation.contains(&format!("| `{setting}` |")), "docs/operations.md has no row for {setting}");
        }
    }

    #[test]
    fn only_settings_pass() {
        for fine in ["BELLWIRE_LISTEN", "BELLWIRE_RETENTION", "PATH", "BELLWIRE_TEST_POSTGRES_URL", "MY_BELLWIRE_X"] {
            assert_eq!(checked(fine), Ok(()));
        }
        assert_eq!(
            checked("BELLWIRE_DATABSE_URL").unwrap_err(),
            "the environment variable BELLWIRE_DATABSE_URL is not a setting: did you mean BELLWIRE_DATABASE_URL?"
        );
    }
}
