//! Passwords come from the standard input: arguments and variables can be seen by other programs.

use std::io::BufRead;

use crate::{error::Error, password::Password};

/// The longest line that is read: a password of 128 characters has at most 512 bytes.
const LINE: u64 = 1024;

/// The first line of `input`.
///
/// # Errors
/// [`Error::Invalid`] for `password`.
pub(super) fn read(input: impl BufRead) -> Result<Password, Error> {
    let mut line = String::new();
    input.take(LINE).read_line(&mut line).map_err(|error| Error::invalid("password", error))?;
    Password::parse(line.trim_end_matches(['\r', '\n'])).map_err(|error| Error::invalid("password", error))
}
