//! Keeps the map of the source true: which part may name which.
//!
//! `core ← db ← ops ← {api, console, delivery} ← cli`: an arrow points at what is named. The parts of one step never name
//! each other, only `db` speaks SQL, and only `delivery` opens connections to webhooks. Nothing of this can be seen in one
//! file, so nobody would notice the first step in the wrong direction: these tests read every source file and do.

mod scan;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The server's modules, lowest step first. A module may name those of the steps before its own, and itself.
const ORDER: &[&[&str]] = &[
    &["clock", "config", "metrics", "places", "routes"],
    &["crypt"],
    &["db"],
    &["error"],
    &["app", "password", "time_limit"],
    &["ops"],
    &["testing"],
    &["api", "console", "delivery"],
    &["cli"],
    &["lib"],
    &["main"],
];

/// What tests stand on. Every test may name it, wherever it is.
const TESTING: &str = "testing";

/// Steps upwards that are meant: the file, the module that it names, why.
const UPWARDS: &[(&str, &str, &str)] = &[
    ("app", "ops", "App holds what ops keeps in memory: publishes in line, uses of keys, failed sign-ins"),
    ("db/page", "error", "a page that is asked for wrongly is refused where cursors are read"),
];

/// Crates that only some files of the server may name: a module, or a file of one, and all that is below it. Tests may name
/// them too: they look at databases from outside, and are receivers.
const ONLY: &[(&str, &[&str])] = &[
    ("rusqlite", &["db"]),
    ("tokio_postgres", &["db"]),
    ("deadpool_postgres", &["db"]),
    // `listen`, `serve` and the receiver of `demo` answer connections and open none to a webhook.
    ("hyper", &["delivery", "cli/listen", "cli/serve", "cli/demo"]),
    ("hyper_util", &["delivery", "cli/listen", "cli/serve", "cli/demo"]),
    ("tokio_rustls", &["delivery"]),
];

/// What the pure crate never names: input and output, and randomness of its own.
const NEVER_IN_CORE: &[&str] = &[
    "axum",
    "deadpool_postgres",
    "hyper",
    "hyper_util",
    "rand",
    "rusqlite",
    "tokio",
    "tokio_postgres",
    "tokio_rustls",
];

/// The most lines that a source file may have.
const LINES: usize = 650;

/// The files that may have more, each with the reason.
const LONGER: &[(&str, &str)] = &[];

/// A file of the workspace.
struct Source {
    /// Below `crates/`, with `/`: `server/src/ops/mod.rs`.
    path: String,
    text: String,
}

/// Everything in `sources` that the tables above forbid, a line each: where, what.
fn violations(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .flat_map(|source| {
            if let Some(file) = source.path.strip_prefix("server/src/") {
                in_server(file, &source.text)
            } else if source.path.starts_with("core/src/") {
                in_core(&source.text)
            } else {
                Vec::new()
            }
            .into_iter()
            .map(|(line, what)| format!("crates/{}:{line}: {what}", source.path))
        })
        .collect()
}

fn in_core(text: &str) -> Vec<(usize, String)> {
    scan::names(text)
        .into_iter()
        .filter(|name| NEVER_IN_CORE.contains(&name.path[0].as_str()))
        .map(|name| (name.line, format!("core names {}", name.path[0])))
        .collect()
}

/// `file` is below `src/`.
fn in_server(file: &str, text: &str) -> Vec<(usize, String)> {
    let file = file.trim_end_matches(".rs");
    let file = file.strip_suffix("/mod").unwrap_or(file);
    let own = file.split('/').next().unwrap_or(file);
    let depth = if ["lib", "main"].contains(&own) { 0 } else { file.split('/').count() };
    let test_file = own == TESTING || file.split('/').any(|part| part == "tests");
    let step = |module: &str| ORDER.iter().position(|step| step.contains(&module));

    let Some(own_step) = step(own) else {
        return vec![(1, format!("the module {own} has no place in ORDER (in this test): give it one"))];
    };
    scan::names(text)
        .into_iter()
        .filter_map(|name| {
            let in_test = test_file || name.in_tests;
            let forbidden = match name.top_level(depth) {
                Some(module) if module == own || in_test && module == TESTING => return None,
                Some(module) if UPWARDS.iter().any(|(from, to, _)| (*from, *to) == (file, module)) => return None,
                Some(module) => match step(module) {
                    Some(other) if other < own_step => return None,
                    Some(_) => format!("{own} names {module}, which is not below it"),
                    None => format!("{own} names crate::{module}, which is no module of ORDER (in this test)"),
                },
                None if in_test => return None,
                None => {
                    let crate_name = name.path[0].as_str();
                    let (_, places) = ONLY.iter().find(|(only, _)| *only == crate_name)?;
                    if places.iter().any(|place| Path::new(file).starts_with(place)) {
                        return None;
                    }
                    format!("{own} names {crate_name}, which is for others (ONLY in this test)")
                }
            };
            Some((name.line, forbidden))
        })
        .collect()
}

/// Every Rust file below `crates/`, in the order of their paths.
fn workspace() -> Vec<Source> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server is a folder of crates/");
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![crates.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("a folder of the workspace can be read").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                let below = path.strip_prefix(crates).expect("it was found below crates/");
                sources.push(Source { path: below.to_str().expect("a plain path").to_owned(), text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

#[test]
fn dependencies_point_one_way() {
    let sources = workspace();
    for there in ["core/src/lib.rs", "server/src/lib.rs", "server/src/main.rs"] {
        assert!(sources.iter().any(|source| source.path == there), "{there} was not read");
    }
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_exception_outlives_its_reason() {
    let sources = workspace();
    for (file, module, _) in UPWARDS {
        let paths = [format!("server/src/{file}.rs"), format!("server/src/{file}/mod.rs")];
        let source = sources.iter().find(|source| paths.contains(&source.path));
        let source = source.unwrap_or_else(|| panic!("{file} is in UPWARDS and is no file"));
        let depth = file.split('/').count();
        assert!(
            scan::names(&source.text).iter().any(|name| name.top_level(depth) == Some(*module)),
            "{file} no longer names {module}: take it out of UPWARDS"
        );
    }
    for (file, _) in LONGER {
        let source = sources.iter().find(|source| source.path == *file);
        let source = source.unwrap_or_else(|| panic!("{file} is in LONGER and is no file"));
        assert!(source.text.lines().count() > LINES, "{file} has become shorter: take it out of LONGER");
    }
}

#[test]
fn no_file_is_long() {
    let long: Vec<_> = workspace()
        .iter()
        .filter(|source| source.text.lines().count() > LINES && !LONGER.iter().any(|(path, _)| *path == source.path))
        .map(|source| format!("crates/{}: {} lines, at most {LINES}", source.path, source.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "\n{}\n", long.join("\n"));
}

/// What is found in one file with this text.
fn found(path: &str, text: &str) -> Vec<String> {
    violations(&[Source { path: path.to_owned(), text: text.to_owned() }])
}

#[test]
fn what_points_downwards_is_allowed() {
    for (path, text) in [
        ("server/src/ops/webhooks.rs", "use crate::{app::App, db::{self, webhooks as rows}, error::Error};"),
        ("server/src/ops/webhooks.rs", "use super::journal; use crate::ops::users::block;"),
        ("server/src/api/webhooks.rs", "fn list() { crate::ops::webhooks::list(bellwire_core::id::new()) }"),
        (
            "server/src/console.rs",
            "//! Unlike [`crate::api`], hyper::body is not for it.\nconst X: &str = \"crate::api::X\";",
        ),
        ("server/src/cli/serve.rs", "use crate::{api, console, delivery};"),
        ("server/src/cli/listen.rs", "use hyper::server::conn::http1; use hyper_util::rt::TokioIo;"),
        ("server/src/delivery/send/client.rs", "use hyper::client::conn::http1; use tokio_rustls::TlsConnector;"),
        ("server/src/db/sqlite.rs", "use rusqlite::Connection;"),
        ("server/src/ops/tests.rs", "use crate::testing::World; use tokio_postgres::NoTls;"),
        ("server/src/ops/users/tests.rs", "use super::super::webhooks;"),
        ("server/src/db/page.rs", "mod tests { use crate::testing::query; fn f(x: hyper::Uri) {} }"),
        ("server/src/testing.rs", "use crate::{app::App, ops::setup}; use tokio_postgres::NoTls;"),
        ("server/src/app.rs", "use crate::ops::publish::Publishing;"),
        ("server/src/main.rs", "mod api; use cli::run; fn main() { crate::cli::run() }"),
        ("server/tests/integration/main.rs", "use hyper::server; use tokio_postgres::Client;"),
        ("core/src/sign.rs", "use sha2::Sha256; fn f(rand: u64) -> u64 { rand }"),
    ] {
        assert_eq!(found(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn what_points_upwards_or_sideways_is_found() {
    for (path, text, what) in [
        ("server/src/db/webhooks.rs", "use crate::ops::webhooks;", "db names ops, which is not below it"),
        ("server/src/db/mod.rs", "use crate::{clock::Clock, error::Error};", "db names error, which is not below it"),
        ("server/src/config.rs", "use crate::db;", "config names db, which is not below it"),
        ("server/src/ops/mod.rs", "fn f() { crate::delivery::wake() }", "ops names delivery, which is not below it"),
        ("server/src/api/users.rs", "use super::super::console;", "api names console, which is not below it"),
        (
            "server/src/api.rs",
            "mod tests { use super::super::console::X; }",
            "api names console, which is not below it",
        ),
        ("server/src/console/a/b.rs", "use crate::{ops::{x, y}, api::Z};", "console names api, which is not below it"),
        (
            "server/src/delivery/mod.rs",
            "use ::bellwire_core as c; use crate::cli;",
            "delivery names cli, which is not below it",
        ),
        (
            "server/src/ops/x.rs",
            "fn f(e: rusqlite::Error) {}",
            "ops names rusqlite, which is for others (ONLY in this test)",
        ),
        (
            "server/src/error.rs",
            "use tokio_postgres as pg;",
            "error names tokio_postgres, which is for others (ONLY in this test)",
        ),
        ("server/src/api/x.rs", "use {hyper, axum::Json};", "api names hyper, which is for others (ONLY in this test)"),
        ("server/src/cli/listener.rs", "use hyper::Uri;", "cli names hyper, which is for others (ONLY in this test)"),
        ("server/src/ops/x.rs", "use crate::*;", "ops names crate::*, which is no module of ORDER (in this test)"),
        ("server/src/ops/x.rs", "use crate::testing::World;", "ops names testing, which is not below it"),
        ("server/src/ops/tests.rs", "use crate::api;", "ops names api, which is not below it"),
        ("server/src/testing.rs", "use crate::console;", "testing names console, which is not below it"),
        (
            "server/src/api/x.rs",
            "mod inner { use hyper::Uri; } mod tests {}",
            "api names hyper, which is for others (ONLY in this test)",
        ),
        ("server/src/extra/x.rs", "", "the module extra has no place in ORDER (in this test): give it one"),
        ("core/src/retry.rs", "use rand::Rng;", "core names rand"),
        ("core/src/retry/tests.rs", "#[tokio::test] async fn f() {}", "core names tokio"),
    ] {
        assert_eq!(found(path, text), [format!("crates/{path}:1: {what}")], "{text}");
    }
}

#[test]
fn a_violation_says_its_line() {
    let text = "//! What it is for.\n\nuse crate::{\n    app::App,\n    cli::Arguments,\n};\n";
    assert_eq!(
        found("server/src/ops/x.rs", text),
        ["crates/server/src/ops/x.rs:5: ops names cli, which is not below it"]
    );
}
