//! The master key and the database that it belongs to.
//!
//! A key that is not the database's would start well and fail at each delivery, and whatever was sealed with it would be lost
//! to the right one. So the first server seals a known word, and every later one must be able to open it. A key file is made
//! only for a database in which nothing is sealed yet.
//!
//! A change of the key seals everything anew in one transaction; nobody else may be at work on the database. The new key is in
//! a file of its own until the transaction is on disk, so that whenever the machine stops, one of the two files is right.

use std::path::{Path, PathBuf};

use crate::{
    clock::Randomness,
    crypt::{self, MasterKey},
    db::{
        self, Conn, Db,
        master_key::{Column, SealedRow},
    },
    error::Error,
};

/// Everything that is sealed in rows. The place that a value is sealed for is `workspace/table.field/id`.
const SEALED: [(Column, &str); 5] = [
    (Column { table: "invites", column: "token_sealed" }, "token"),
    (Column { table: "webhooks", column: "secret_sealed" }, "secret"),
    (Column { table: "webhooks", column: "old_secret_sealed" }, "secret"),
    (Column { table: "webhooks", column: "headers_sealed" }, "headers"),
    (Column { table: "webhooks", column: "signing_seed_sealed" }, "signing_seed"),
];
/// What the first server seals, and the place that it is sealed for.
const WORD: (&str, &[u8]) = ("master_key.check", b"bellwire");
/// Rows in one step of a change.
const STEP: u32 = 500;

fn place(column: Column, field: &str, row: &SealedRow) -> String {
    format!("{}/{}.{field}/{}", row.workspace, column.table, row.id)
}

/// Reads the key of the database from its file. When neither the file nor anything sealed exists, makes the file.
///
/// # Errors
/// With a sentence for the operator.
pub async fn open(db: &Db, path: &Path, random: &Randomness) -> Result<MasterKey, String> {
    let found = find(db, path).await?;
    let (key, is_known) = match found {
        Found::Right(key) => (key, true),
        Found::New(key) => (key, false),
        Found::Nothing => (MasterKey::create(path, random)?, false),
    };
    if is_known {
        return Ok(key);
    }
    let sealed = key.seal(random, WORD.0, WORD.1);
    let written = db
        .write(move |conn| {
            Box::pin(async move {
                db::master_key::insert_check(conn, sealed).await?;
                db::master_key::check(conn).await
            })
        })
        .await
        .map_err(|error| error.to_string())?;
    // Another node may have been first, with another key.
    if written.is_some_and(|sealed| key.open(WORD.0, &sealed).is_ok()) { Ok(key) } else { Err(wrong(path)) }
}

/// What there is of a key.
enum Found {
    /// The database's key.
    Right(MasterKey),
    /// A key, and nothing that was sealed with it or another.
    New(MasterKey),
    /// Neither.
    Nothing,
}

/// Whether the file holds the database's key: `false` when nothing is sealed yet.
///
/// # Errors
/// With a sentence for the operator: the file can't be read, is missing, or holds another key.
pub async fn check(db: &Db, path: &Path) -> Result<bool, String> {
    Ok(matches!(find(db, path).await?, Found::Right(_)))
}

async fn find(db: &Db, path: &Path) -> Result<Found, String> {
    match (MasterKey::load(path)?, sealed(db).await?) {
        (Some(key), Some((place, sealed))) if key.open(&place, &sealed).is_ok() => {
            Ok(if place == WORD.0 { Found::Right(key) } else { Found::New(key) })
        }
        (Some(_), Some(_)) => Err(wrong(path)),
        (None, Some(_)) => Err(format!(
            "there is no master key file {}, and this database was sealed with one: restore it from your backup",
            path.display()
        )),
        (Some(key), None) => Ok(Found::New(key)),
        (None, None) => Ok(Found::Nothing),
    }
}

async fn sealed(db: &Db) -> Result<Option<(String, Vec<u8>)>, String> {
    db.read(|conn| Box::pin(async move { sample(conn).await })).await.map_err(|error: Error| error.to_string())
}

fn wrong(path: &Path) -> String {
    let new = new_path(path);
    let hint = if new.exists() {
        format!(" ({} is left of a change of the key: is it that one?)", new.display())
    } else {
        String::new()
    };
    format!("{} is not the master key of this database: name the file that it was made with{hint}", path.display())
}

/// Something sealed, and the place that it was sealed for: the word, or a value of a database that has no word yet.
async fn sample(conn: &mut Conn) -> Result<Option<(String, Vec<u8>)>, Error> {
    if let Some(sealed) = db::master_key::check(conn).await? {
        return Ok(Some((WORD.0.to_owned(), sealed)));
    }
    for (column, field) in SEALED {
        if let Some(row) = db::master_key::sealed(conn, column, "", 1).await?.pop() {
            return Ok(Some((place(column, field, &row), row.sealed)));
        }
    }
    Ok(None)
}

fn new_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Makes a new key, seals everything with it, and puts its file into the place of the old one. Returns how many values were
/// sealed anew. Nobody else may be at work on the database.
///
/// # Errors
/// With a sentence for the operator. When it is not clear whether the transaction was written, both key files are left.
pub async fn rotate(db: &Db, path: &Path, random: &Randomness) -> Result<u64, String> {
    if sealed(db).await?.is_none() {
        return Err(format!(
            "this database knows no key yet, so {} may be another one's: is it the right database?",
            path.display()
        ));
    }
    let old = open(db, path, random).await?;
    let new_path = new_path(path);
    if new_path.exists() {
        return Err(format!("{} is left of an earlier change of the key: move it away first", new_path.display()));
    }
    let new = MasterKey::create(&new_path, random)?;
    let held = random.clone();
    let written = db.write(move |conn| Box::pin(async move { reseal(conn, &old, &new, &held).await })).await;
    let count = written.map_err(|error: Error| {
        error.log();
        format!(
            "the key was not changed: {error} (if {} is refused from now on, it was: use {})",
            path.display(),
            new_path.display()
        )
    })?;
    let moved = std::fs::rename(&new_path, path).and_then(|()| crypt::sync_folder(path));
    moved.map_err(|error| {
        format!(
            "everything is sealed with the key in {}: move it to {} by hand ({error})",
            new_path.display(),
            path.display()
        )
    })?;
    Ok(count)
}

async fn reseal(conn: &mut Conn, old: &MasterKey, new: &MasterKey, random: &Randomness) -> Result<u64, Error> {
    db::master_key::replace_check(conn, new.seal(random, WORD.0, WORD.1)).await?;
    let mut count = 0;
    for (column, field) in SEALED {
        let mut after = String::new();
        loop {
            let rows = db::master_key::sealed(conn, column, &after, STEP).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.id);
            for mut row in rows {
                let place = place(column, field, &row);
                row.sealed = new.seal(random, &place, &old.open(&place, &row.sealed)?);
                db::master_key::replace(conn, column, &row).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
