//! What must hold at the end of every story, told from what the receivers got, what was acknowledged, and what was recorded.

use std::{collections::BTreeMap, time::Duration};

use bellwire_core::{retry::Schedule, time::Timestamp};

use super::{
    super::super::lane::LEASE_MARGIN,
    story::{DEACTIVATE_AFTER, SCHEDULE, Story},
};

type Law = fn(&Story) -> Result<(), String>;

pub(super) fn check(story: &Story) -> Result<(), String> {
    let laws: [Law; 8] = [
        nothing_is_lost,
        nothing_is_recorded_that_was_not,
        no_duplicates_without_a_cause,
        attempts_are_in_order,
        retries_are_not_too_early,
        one_status_change_for_one_cause,
        whoever_answers_is_not_failing,
        events_are_numbered_without_gaps,
    ];
    laws.iter().try_for_each(|law| law(story))
}

/// An acknowledged event has reached every webhook that wanted it, unless its tries are used up, it was skipped, or the webhook
/// was deleted.
fn nothing_is_lost(story: &Story) -> Result<(), String> {
    let ledger = story.ledger();
    let mut states = BTreeMap::new();
    for row in story.rows("SELECT webhook_id, event_id, state, tries FROM deliveries") {
        let key: (String, String) = (row.get("webhook_id").unwrap(), row.get("event_id").unwrap());
        states.insert(key, (row.get::<String>("state").unwrap(), row.get::<i64>("tries").unwrap()));
    }
    let tries = i64::try_from(schedule().waits().len()).unwrap();
    let book = story.book();
    for (event, wanted, order) in &ledger.acknowledged {
        for webhook in wanted.iter().filter(|webhook| !ledger.doomed.contains(webhook)) {
            let state = states.get(&(ledger.webhooks[*webhook].to_string(), event.clone()));
            let taken = book.exchanges.iter().any(|it| it.webhook == *webhook && it.event == *event && it.taken());
            let skipped = ledger.skipped.iter().any(|(skipped, to)| skipped == webhook && order < to);
            match state.map(|(state, tries)| (state.as_str(), *tries)) {
                None => return Err(format!("{event} was never owed to {webhook}")),
                Some(("delivered", _)) if taken => {}
                Some(("failed", made)) if made == tries => {}
                Some(("cancelled", _)) if skipped => {}
                Some(state) => {
                    return Err(format!("{event} to {webhook} is {state:?}, taken: {taken}, skipped: {skipped}"));
                }
            }
        }
    }
    Ok(())
}

/// What is recorded as delivered was taken by the receiver.
fn nothing_is_recorded_that_was_not(story: &Story) -> Result<(), String> {
    let (ledger, book) = (story.ledger(), story.book());
    for row in story.rows("SELECT webhook_id, event_id FROM deliveries WHERE state = 'delivered'") {
        let (id, event): (String, String) = (row.get("webhook_id").unwrap(), row.get("event_id").unwrap());
        let webhook = ledger.webhooks.iter().position(|known| known.to_string() == id);
        if !book.exchanges.iter().any(|it| Some(it.webhook) == webhook && it.event == event && it.taken()) {
            return Err(format!("{event} is recorded as delivered, and was not taken"));
        }
    }
    Ok(())
}

/// An event is taken twice only when somebody resent it or its outcome could not be recorded: its node was killed meanwhile, or
/// the store failed.
fn no_duplicates_without_a_cause(story: &Story) -> Result<(), String> {
    if story.kind.faults {
        return Ok(());
    }
    let ledger = story.ledger();
    let mut taken: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let book = story.book();
    for exchange in book.exchanges.iter().filter(|exchange| exchange.taken()) {
        *taken.entry((exchange.webhook, &exchange.event)).or_default() += 1;
    }
    for ((webhook, event), count) in taken {
        let excused = ledger.resent.contains(event) || ledger.in_flight.contains(&(webhook, event.to_owned()));
        if count > 1 && !excused {
            return Err(format!("{event} was taken {count} times by {webhook}"));
        }
    }
    Ok(())
}

/// The attempts of a delivery are numbered from 1 without gaps, and there are as many as it says, also when a store that took longer
/// than a lease writes one of them late. A delivery is never tried twice at once, as long as the store works.
fn attempts_are_in_order(story: &Story) -> Result<(), String> {
    let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in story.rows("SELECT delivery_id, number FROM attempts ORDER BY delivery_id, number") {
        numbers.entry(row.get("delivery_id").unwrap()).or_default().push(row.get("number").unwrap());
    }
    for row in story.rows("SELECT id, attempts FROM deliveries") {
        let (id, attempts): (String, i64) = (row.get("id").unwrap(), row.get("attempts").unwrap());
        let made = numbers.remove(&id).unwrap_or_default();
        if made != (1..=attempts).collect::<Vec<_>>() {
            return Err(format!("{id} says that it had {attempts} attempts, and had {made:?}"));
        }
    }
    if story.kind.faults {
        return Ok(());
    }
    let book = story.book();
    for (index, one) in book.exchanges.iter().enumerate() {
        let Some((ended, _)) = one.ended else { continue };
        let overlaps = |other: &&super::receivers::Exchange| {
            other.webhook == one.webhook && other.event == one.event && other.began < ended
        };
        if let Some(other) = book.exchanges[index + 1..].iter().find(overlaps) {
            return Err(format!("{one:?} was not over when {other:?} began"));
        }
    }
    Ok(())
}

/// An automatic try comes no earlier after the one before than the schedule says. An attempt that was answered `410 Gone` is none
/// (the delivery is as it was before, due when its webhook is turned on again), but has to wait like one.
///
/// What became of an attempt may be written late, when the store fails: then nobody knew of it when its lease ended, and the same try
/// is made once more.
fn retries_are_not_too_early(story: &Story) -> Result<(), String> {
    if story.kind.clocks {
        return Ok(()); // attempts are recorded with the time of day, which was set
    }
    let schedule = schedule();
    let sql = "SELECT delivery_id, started_at, duration, status FROM attempts WHERE reason = 'automatic' \
               ORDER BY delivery_id, started_at, number";
    let mut last: Option<Try> = None;
    for row in story.rows(sql) {
        let (delivery, began): (String, Timestamp) = (row.get("delivery_id").unwrap(), row.get("started_at").unwrap());
        let ended = began.shifted(row.get("duration").unwrap());
        let made = match last.as_ref().filter(|last| last.delivery == delivery) {
            None => 0,
            // What became of the last one may have come late, and then it is not counted.
            Some(last) if story.kind.faults && began.since(last.began) >= LEASE_MARGIN => last.made - 1,
            Some(last) => {
                let wait = schedule.waits().get(last.made);
                let wait = wait.map(|wait| wait.mul_f64(0.9).saturating_sub(Duration::from_millis(1)));
                let waited = began.since(last.ended);
                if wait.is_none_or(|wait| waited < wait) {
                    return Err(format!("{delivery} was tried again after {waited:?}, not {wait:?}"));
                }
                last.made
            }
        };
        if row.get::<Option<i64>>("status").unwrap() != Some(410) {
            last = Some(Try { delivery, made: made + 1, began, ended });
        }
    }
    Ok(())
}

/// The last try of a delivery.
struct Try {
    delivery: String,
    /// How many there were at the least, with this one.
    made: usize,
    began: Timestamp,
    ended: Timestamp,
}

/// The history of a webhook's status goes to and fro, each turning off is one event, and nothing was turned off as failing that
/// had not failed for as long as it must.
fn one_status_change_for_one_cause(story: &Story) -> Result<(), String> {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    let mut turned_off = 0;
    let sql = "SELECT webhook_id, status, code, at, evidence FROM status_changes ORDER BY webhook_id, rowid";
    for row in story.rows(sql) {
        let (webhook, status): (String, String) = (row.get("webhook_id").unwrap(), row.get("status").unwrap());
        turned_off += usize::from(status == "inactive");
        if row.get::<String>("code").unwrap() == "failing" && !story.kind.clocks {
            let (at, evidence): (Timestamp, serde_json::Value) =
                (row.get("at").unwrap(), row.json("evidence").unwrap());
            let first = Timestamp::parse(evidence["first_failure_at"].as_str().unwrap()).unwrap();
            if at.since(first) < DEACTIVATE_AFTER {
                return Err(format!("{webhook} was turned off after {:?}", at.since(first)));
            }
            let sql = format!(
                "SELECT started_at FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.webhook_id = '{webhook}' \
                 AND a.status = 200 AND a.started_at > {} AND a.started_at + a.duration < {}",
                first.as_micros(),
                at.as_micros() - 120_000_000,
            );
            if !story.kind.faults && !story.rows(&sql).is_empty() {
                return Err(format!("{webhook} was turned off as failing, and had worked meanwhile"));
            }
        }
        if last.insert(webhook.clone(), status.clone()).as_ref() == Some(&status) {
            return Err(format!("{webhook} became {status} twice"));
        }
    }
    let told = story.rows("SELECT id FROM events WHERE type = 'webhook.deactivated'").len();
    if told == turned_off { Ok(()) } else { Err(format!("{turned_off} were turned off, and {told} events told of it")) }
}

/// A webhook that answered last does not count as failing: with nothing more to send, it would be turned off one day. Told by the
/// clocks of nodes, in the order in which a store that works writes it down.
fn whoever_answers_is_not_failing(story: &Story) -> Result<(), String> {
    if story.kind.faults || story.kind.clocks {
        return Ok(());
    }
    let last = "SELECT MAX(a.started_at + a.duration) FROM deliveries d JOIN attempts a ON a.delivery_id = d.id \
                WHERE d.webhook_id = w.id AND a.reason <> 'test' AND COALESCE(a.status, 0)";
    let sql = format!(
        "SELECT id FROM webhooks w WHERE health = 'failing' AND deleted_at IS NULL \
         AND ({last} BETWEEN 200 AND 299) > COALESCE(({last} NOT BETWEEN 200 AND 299), 0)"
    );
    let wrong: Vec<String> = story.rows(&sql).iter().map(|row| row.get("id").unwrap()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?} answered last, and count as failing")) }
}

fn events_are_numbered_without_gaps(story: &Story) -> Result<(), String> {
    let rows = story.rows("SELECT sequence FROM events ORDER BY sequence");
    let numbers: Vec<i64> = rows.iter().map(|row| row.get("sequence").unwrap()).collect();
    let wanted: Vec<i64> = (1..).take(numbers.len()).collect();
    if numbers == wanted { Ok(()) } else { Err(format!("the events are numbered {numbers:?}")) }
}

fn schedule() -> Schedule {
    SCHEDULE.parse().unwrap()
}
