//! What can't start says why in one sentence, which names the setting.

use std::{fs, net::TcpListener};

use super::{Machine, number};
use crate::support::postgres::fresh_database;

#[tokio::test]
async fn a_setting_that_is_wrong_is_named() {
    for (variable, value, sentence) in [
        ("BELLWIRE_LISTEN", "nowhere", "the setting --listen (BELLWIRE_LISTEN) can't be \"nowhere\": "),
        ("BELLWIRE_RETENTION", "soon", "the setting --retention (BELLWIRE_RETENTION) can't be \"soon\": "),
        (
            "BELLWIRE_LOG_FORMAT",
            "xml",
            "the setting --log-format (BELLWIRE_LOG_FORMAT) can't be \"xml\": must be text or json",
        ),
        ("BELLWIRE_LOG", "a=b=c", "the setting --log (BELLWIRE_LOG) can't be used: "),
        ("BELLWIRE_DATABASE_URL", "mysql://x", "the setting --database-url (BELLWIRE_DATABASE_URL): "),
        (
            "BELLWIRE_LISTN",
            "x",
            "the environment variable BELLWIRE_LISTN is not a setting: did you mean BELLWIRE_LISTEN?",
        ),
    ] {
        let said = Machine::new().with(variable, value).refused(&[]).await;
        assert!(said.starts_with(sentence), "{variable}: {said}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let machine = Machine::new();
    let _taken = TcpListener::bind(machine.address).unwrap();
    let said = machine.refused(&[]).await;
    let sentence = format!("the setting --listen (BELLWIRE_LISTEN): can't listen on {}: ", machine.address);
    assert!(said.starts_with(&sentence), "{said}");
    assert!(!machine.path("bellwire.db").exists(), "nothing was made");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said() {
    // The system's own folder takes no file of anybody, also not of root.
    let said = Machine::new().with("BELLWIRE_DATABASE_URL", "sqlite:/proc/bellwire.db").refused(&[]).await;
    assert!(
        said.starts_with("the setting --database-url (BELLWIRE_DATABASE_URL): can't open /proc/bellwire.db"),
        "{said}"
    );
    let said = Machine::new().with("BELLWIRE_MASTER_KEY_FILE", "/proc/bellwire.key").refused(&[]).await;
    assert!(said.starts_with("the setting --master-key-file (BELLWIRE_MASTER_KEY_FILE): can't make"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_it_makes_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    machine.bootstrap().await;
    let _server = machine.serve().await;
    for file in ["bellwire.db", "bellwire.db-wal", "bellwire.key"] {
        let mode = fs::metadata(machine.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_is_no_database_is_said() {
    let machine = Machine::new();
    fs::write(machine.path("bellwire.db"), "this is a text about databases, and no database\n".repeat(100)).unwrap();
    let said = machine.refused(&[]).await;
    assert!(said.contains("(BELLWIRE_DATABASE_URL): ") && said.contains("not a database"), "{said}");
}

#[tokio::test]
async fn one_file_has_one_server() {
    let machine = Machine::new();
    let _server = machine.serve().await;
    let mut second = Machine::new();
    let url = format!("sqlite:{}", machine.path("bellwire.db").display());
    second = second.with("BELLWIRE_DATABASE_URL", url);
    for command in [&["serve"][..], &["migrate"], &["key", "rotate"]] {
        let said = second.refused(command).await;
        assert!(said.ends_with("(BELLWIRE_DATABASE_URL): another bellwire serves this database"), "{said}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_the_databases_is_refused() {
    let machine = Machine::new();
    machine.bootstrap().await;
    let (key, right) = (machine.path("bellwire.key"), fs::read(machine.path("bellwire.key")).unwrap());
    fs::remove_file(&key).unwrap();
    let said = machine.refused(&[]).await;
    assert!(said.contains("(BELLWIRE_MASTER_KEY_FILE): there is no master key file"), "{said}");
    assert!(!key.exists(), "no other key was made");

    let other = Machine::new();
    other.bootstrap().await;
    fs::copy(other.path("bellwire.key"), &key).unwrap();
    let said = machine.refused(&[]).await;
    assert!(said.contains("bellwire.key is not the master key of this database"), "{said}");

    fs::write(&key, "not a key").unwrap();
    assert!(machine.refused(&[]).await.ends_with("bellwire.key is not a master key file"));
    fs::write(&key, right).unwrap();
    machine.serve().await;
}

#[tokio::test]
async fn two_nodes_with_two_keys_are_told_apart() {
    let Some(database) = fresh_database().await else { return };
    let node = || Machine::new().with("BELLWIRE_DATABASE_URL", database.url());
    let (first, second) = (node(), node());
    let _server = first.serve().await;
    let said = second.refused(&[]).await;
    assert!(said.contains("(BELLWIRE_MASTER_KEY_FILE): there is no master key file"), "{said}");
    fs::copy(first.path("bellwire.key"), second.path("bellwire.key")).unwrap();
    let _second = second.serve().await;
    let said = second.refused(&["key", "rotate"]).await;
    assert!(
        said.contains("bellwire is at work on this database") && said.contains("stop all its nodes first"),
        "{said}"
    );
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let machine = Machine::new();
    machine.bootstrap().await;
    let file = machine.path("bellwire.db");
    rusqlite::Connection::open(&file).unwrap().execute("INSERT INTO migrations VALUES ('9999_future')", []).unwrap();
    for command in [&["serve"][..], &["migrate"], &["migrate", "--check"], &["api-key", "create", "--name", "X"]] {
        let said = machine.refused(command).await;
        assert!(said.contains("newer version of bellwire (it has the migration 9999_future)"), "{said}");
    }
}

#[tokio::test]
async fn tables_are_brought_up_to_date_by_hand() {
    let machine = Machine::new();
    assert!(machine.refused(&["migrate", "--check"]).await.contains("can't open bellwire.db"));
    assert!(!machine.path("bellwire.db").exists());
    let said = machine.done(&["migrate"], "").await;
    assert!(said.starts_with("The tables are up to date now: ran 0001_main, "), "{said}");
    assert_eq!(machine.done(&["migrate"], "").await, "The tables were up to date already.\n");
    assert_eq!(machine.done(&["migrate", "--check"], "").await, "The tables are up to date.\n");
    let file = machine.path("bellwire.db");
    let count = number(&file, "SELECT COUNT(*) FROM migrations");
    let last = "(SELECT name FROM migrations ORDER BY name DESC LIMIT 1)";
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute(&format!("DELETE FROM migrations WHERE name = {last}"), [])
        .unwrap();
    let said = machine.refused(&["migrate", "--check"]).await;
    assert!(said.starts_with("the database lacks ") && said.ends_with(": run bellwire migrate"), "{said}");
    assert_eq!(number(&file, "SELECT COUNT(*) FROM migrations"), count - 1, "nothing was changed");
}
