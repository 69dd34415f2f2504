//! The database: what it is, how it is set, whether it belongs to the key, and what waits in it.

use std::time::Duration;

use bellwire_core::time::Timestamp;

use super::{Finding, fine, thought, wrong};
use crate::{
    config::Config,
    db::{
        self, Db, DbError,
        backlog::{self, Survey},
        inspect::{self, Engine},
        nodes::{Node, SILENCE},
    },
    ops::{journal::LEASE, master_key},
};

/// The oldest PostgreSQL that is tried.
const OLDEST_POSTGRES: u32 = 140_000;
/// Clocks may differ by so much without harm: leases last a minute.
const SMALL_SKEW: Duration = Duration::from_secs(1);
const LARGE_SKEW: Duration = Duration::from_secs(10);
/// What is due is taken within seconds, unless nobody does.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn look(
    db: &Db,
    config: &Config,
    now: Timestamp,
    is_served: Option<bool>,
    deep: bool,
) -> Vec<Finding> {
    match try_look(db, config, now, is_served, deep).await {
        Ok(findings) => findings,
        Err(error) => vec![wrong("database", error.to_string())],
    }
}

async fn try_look(
    db: &Db,
    config: &Config,
    now: Timestamp,
    is_served: Option<bool>,
    deep: bool,
) -> Result<Vec<Finding>, DbError> {
    let engine: Engine = db.read(|conn| Box::pin(inspect::engine(conn))).await?;
    let mut findings = vec![fine("database", engine.version.clone())];
    findings.extend(if matches!(db, Db::Postgres(_)) { postgres(&engine) } else { sqlite(&engine) });
    let missing = match db.missing_migrations().await {
        Ok(missing) => missing,
        Err(error) => {
            findings.push(wrong("tables", error.to_string()));
            return Ok(findings);
        }
    };
    if !missing.is_empty() {
        findings.push(thought(
            "tables",
            format!("they lack {}: the next start, or bellwire migrate, brings them", missing.join(", ")),
        ));
        return Ok(findings);
    }
    findings.push(fine("tables", "up to date"));
    findings.push(match master_key::check(db, &config.master_key_file).await {
        Ok(true) => fine("master key", format!("{} is this database's", config.master_key_file.display())),
        Ok(false) => fine("master key", "nothing is sealed yet: the first start makes the file"),
        Err(error) => wrong("master key", error),
    });
    if deep && let Some(found) = db.read(|conn| Box::pin(inspect::integrity(conn))).await? {
        findings.push(match found.as_str() {
            "ok" => fine("integrity", "every page was read and is whole"),
            _ => wrong("integrity", format!("{found}: restore a backup, and look at the disk")),
        });
    }
    let (theirs, newest) = db
        .read(|conn| {
            Box::pin(async move { Ok::<_, DbError>((inspect::time(conn).await?, inspect::newest_event(conn).await?)) })
        })
        .await?;
    findings.push(clock(now, theirs, newest));
    if db.is_shared() {
        let known = db.read(|conn| Box::pin(db::nodes::list(conn))).await?;
        findings.push(nodes(&known, theirs.unwrap_or(now)));
    }
    let survey = db.read(move |conn| Box::pin(backlog::survey(conn, now))).await?;
    findings.extend(waiting(&survey, now, is_served));
    Ok(findings)
}

fn sqlite(engine: &Engine) -> Vec<Finding> {
    let about = "journal";
    vec![match engine.setting("journal_mode") {
        Some("wal") => fine(about, "write-ahead, synced at each commit"),
        other => wrong(
            about,
            format!("journal_mode is {}: is the file on a disk of this machine?", other.unwrap_or("unknown")),
        ),
    }]
}

fn postgres(engine: &Engine) -> Vec<Finding> {
    let setting = |name: &str| engine.setting(name).unwrap_or("unknown");
    let number = |name: &str| setting(name).parse::<u32>().unwrap_or(0);
    let mut findings = Vec::new();
    if number("server_version_num") < OLDEST_POSTGRES {
        findings.push(wrong("version", "PostgreSQL 14 or later is needed"));
    }
    for name in ["fsync", "full_page_writes"] {
        if setting(name) != "on" {
            findings.push(wrong(
                "durability",
                format!("{name} is {}: what was accepted can be lost; set it to on", setting(name)),
            ));
        }
    }
    if setting("synchronous_commit") == "off" {
        findings.push(wrong("durability", "synchronous_commit is off: what was accepted can be lost; set it to on"));
    }
    if findings.is_empty() {
        findings
            .push(fine("durability", format!("fsync is on, synchronous_commit is {}", setting("synchronous_commit"))));
    }
    if setting("server_encoding") != "UTF8" {
        findings.push(wrong(
            "encoding",
            format!("it is {}: make the database with the encoding UTF8", setting("server_encoding")),
        ));
    }
    if setting("transaction_read_only") == "on" {
        findings.push(wrong("role", "it can only be read: is it a standby? name the primary"));
    }
    if setting("autovacuum") != "on" {
        findings.push(wrong("autovacuum", "it is off: tables grow without end; set it to on"));
    }
    let (used, max) = (number("connections"), number("max_connections"));
    let says = format!("{used} of {max} are in use; each node opens up to {}", Db::MAX_CONNECTIONS);
    let free = usize::try_from(max.saturating_sub(used)).unwrap_or(0);
    findings.push(if free < Db::MAX_CONNECTIONS {
        thought("connections", format!("{says}: another node may find none"))
    } else {
        fine("connections", says)
    });
    findings
}

fn nodes(known: &[Node], now: Timestamp) -> Finding {
    let about = "nodes";
    let alive: Vec<&Node> = known.iter().filter(|node| now.since(node.seen_at) < SILENCE).collect();
    let Some(first) = alive.first() else { return thought(about, "none is at work: start one") };
    let list: Vec<String> = alive.iter().map(|node| format!("{} ({})", node.place, node.version)).collect();
    let says = format!("{} at work: {}", alive.len(), list.join(", "));
    let lost: Vec<&str> =
        known.iter().filter(|node| now.since(node.seen_at) >= SILENCE).map(|node| node.place.as_str()).collect();
    if alive.iter().any(|node| node.version != first.version) {
        thought(about, format!("{says}: bring all to one version"))
    } else if lost.is_empty() {
        fine(about, says)
    } else {
        thought(about, format!("{says}; not heard of any more, without a farewell: {}", lost.join(", ")))
    }
}

fn clock(now: Timestamp, theirs: Option<Timestamp>, newest_event: Option<Timestamp>) -> Finding {
    let apart = |a: Timestamp, b: Timestamp| Duration::from_micros(a.as_micros().abs_diff(b.as_micros()));
    let words = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    let about = "clock";
    if let Some(ahead) = newest_event.filter(|at| *at > now).map(|at| apart(at, now))
        && ahead > SMALL_SKEW
    {
        return wrong(
            about,
            format!("the newest event was written {} from now: the clock was set back; run NTP", words(ahead)),
        );
    }
    let Some(theirs) = theirs else { return fine(about, "the database's is this machine's") };
    let skew = apart(now, theirs);
    let says = format!("this machine and the database differ by {}", words(skew));
    match skew {
        small if small <= SMALL_SKEW => fine(about, says),
        large if large > LARGE_SKEW => wrong(about, format!("{says}: leases are not kept; run NTP on both")),
        _ => thought(about, format!("{says}: run NTP on both")),
    }
}

fn waiting(survey: &Survey, now: Timestamp, is_served: Option<bool>) -> Vec<Finding> {
    let Survey { due, oldest_due, leased, first_lease_end, later, held } = *survey;
    let age = oldest_due.map_or(Duration::ZERO, |at| now.since(at));
    let whole = |duration: Duration| humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string();
    let says =
        format!("{due} deliveries are due, {leased} are with a node, {later} are tried again later, {held} are held");
    let backlog = if age <= PATIENCE {
        fine("backlog", says)
    } else if is_served == Some(false) {
        thought("backlog", format!("{says}; the oldest for {}: no server runs on this file, start one", whole(age)))
    } else {
        wrong(
            "backlog",
            format!("{says}; the oldest for {}: is a server running, and can it keep up? see its log", whole(age)),
        )
    };
    let about = "leases";
    let leases = match first_lease_end {
        Some(end) if end < now => {
            let says = format!(
                "the first ended {} ago: a node has died; any server takes over by itself",
                whole(now.since(end))
            );
            if is_served == Some(false) { fine(about, says) } else { thought(about, says) }
        }
        Some(end) if end.since(now) > LEASE => {
            wrong(about, "one ends later than any should: a node's clock is ahead; run NTP on all nodes")
        }
        Some(end) => fine(about, format!("the first ends in {}", whole(end.since(now)))),
        None => fine(about, "there are none"),
    };
    vec![backlog, leases]
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros((1_000_000 + seconds) * 1_000_000)
    }

    #[test]
    fn clocks_that_differ_are_found() {
        for (theirs, newest, verdict) in [
            (None, None, Verdict::Fine),
            (Some(at(0)), Some(at(-5)), Verdict::Fine),
            (Some(at(3)), None, Verdict::Thought),
            (Some(at(-30)), None, Verdict::Wrong),
            (None, Some(at(30)), Verdict::Wrong),
        ] {
            assert_eq!(clock(at(0), theirs, newest).verdict, verdict, "{theirs:?} {newest:?}");
        }
    }

    #[test]
    fn nodes_that_differ_or_died_are_found() {
        let id = bellwire_core::id::NodeId::new(at(0), [1; 10]);
        let node = |version: &str, seen: i64| Node {
            id,
            place: "a 127.0.0.1:80".to_owned(),
            version: version.to_owned(),
            started_at: at(-100),
            seen_at: at(seen),
        };
        for (known, verdict) in [
            (vec![], Verdict::Thought),
            (vec![node("1", -60)], Verdict::Thought),
            (vec![node("1", 0), node("1", -5)], Verdict::Fine),
            (vec![node("1", 0), node("2", 0)], Verdict::Thought),
            (vec![node("1", 0), node("1", -60)], Verdict::Thought),
        ] {
            assert_eq!(nodes(&known, at(0)).verdict, verdict, "{known:?}");
        }
    }

    #[test]
    fn what_waits_too_long_is_found() {
        let survey = |due: Option<i64>, lease: Option<i64>| Survey {
            due: i64::from(due.is_some()),
            oldest_due: due.map(at),
            leased: i64::from(lease.is_some()),
            first_lease_end: lease.map(at),
            ..Survey::default()
        };
        let verdicts = |survey: Survey, is_served| {
            let found = waiting(&survey, at(0), is_served);
            (found[0].verdict, found[1].verdict)
        };
        use Verdict::{Fine, Thought, Wrong};
        assert_eq!(verdicts(survey(None, None), None), (Fine, Fine));
        assert_eq!(verdicts(survey(Some(-10), Some(30)), Some(true)), (Fine, Fine));
        assert_eq!(verdicts(survey(Some(-100), None), Some(true)), (Wrong, Fine));
        assert_eq!(verdicts(survey(Some(-100), Some(-10)), Some(false)), (Thought, Fine));
        assert_eq!(verdicts(survey(None, Some(-10)), None), (Fine, Thought));
        assert_eq!(verdicts(survey(None, Some(1_000)), None), (Fine, Wrong));
    }

    #[test]
    fn settings_that_lose_events_are_found() {
        let good = [
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("server_encoding", "UTF8"),
            ("transaction_read_only", "off"),
            ("autovacuum", "on"),
            ("server_version_num", "170002"),
            ("max_connections", "100"),
            ("connections", "5"),
        ];
        let worst = |changed: Option<(&str, &str)>| {
            let value = |(name, value): (&str, &'static str)| match changed {
                Some((other, changed)) if other == name => (name.to_owned(), changed.to_owned()),
                _ => (name.to_owned(), value.to_owned()),
            };
            let engine = Engine { version: String::new(), settings: good.map(value).into() };
            let findings = postgres(&engine);
            let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
            if has(Verdict::Wrong) {
                Verdict::Wrong
            } else if has(Verdict::Thought) {
                Verdict::Thought
            } else {
                Verdict::Fine
            }
        };
        assert_eq!(worst(None), Verdict::Fine);
        for bad in [
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("synchronous_commit", "off"),
            ("server_encoding", "SQL_ASCII"),
            ("transaction_read_only", "on"),
            ("autovacuum", "off"),
            ("server_version_num", "130001"),
        ] {
            assert_eq!(worst(Some(bad)), Verdict::Wrong, "{bad:?}");
        }
        assert_eq!(worst(Some(("connections", "95"))), Verdict::Thought);
    }
}
