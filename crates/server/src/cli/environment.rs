//! Environment variables: those that begin with `BELLWIRE_` must be settings.

use std::{collections::BTreeSet, ffi::OsString};

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
    let known: BTreeSet<String> = std::iter::once(command)
        .chain(command.get_subcommands())
        .flat_map(clap::Command::get_arguments)
        .filter_map(clap::Arg::get_env)
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn checked(name: &str) -> Result<(), String> {
        check(&super::super::Arguments::command(), [(name.into(), "x".into())].into_iter())
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
