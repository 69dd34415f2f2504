//! One round: claims what is due of some webhooks in one transaction, reads the events, and hands everything to the lanes.
//!
//! A body is read and made once for all deliveries of its event, a bounded number of events at a time, and nothing is kept that gets
//! no place: what large bodies leave no place for goes back.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use bellwire_core::{
    id::{EventId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use bytes::Bytes;

use super::{super::Shared, PAUSE};
use crate::{
    app::Owed,
    db::{
        self,
        leases::{Claim, Claimed},
    },
    error::Error,
    ops::journal::LEASE,
    places::Place,
};

/// Deliveries of one webhook.
const SHARE: usize = 1_024;
/// Tests, of all webhooks.
pub(super) const TESTS: u32 = 16;
/// Events that are read at once: with the largest bodies 32 MiB.
const EVENTS: usize = 128;

/// A webhook of which deliveries are claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimant {
    pub(super) workspace: WorkspaceId,
    pub(super) webhook: WebhookId,
    /// For how many its lane has room.
    pub(super) room: usize,
    /// It got as many as it had room for: there may be more.
    pub(super) backlog: bool,
}

/// Gives each claimant its share of the places that its workspace may take: of three quarters of them, the others are left to what
/// is published meanwhile. Whoever gets none asks again a little later.
pub(super) fn share_out(shared: &Shared, claimants: Vec<Claimant>, now: Timestamp) -> Vec<Claimant> {
    let mut left: HashMap<WorkspaceId, (usize, usize)> = HashMap::new();
    for Claimant { workspace, .. } in &claimants {
        let places = || (3 * shared.app.wake.places.room(*workspace)).div_ceil(4);
        left.entry(*workspace).or_insert_with(|| (places(), 0)).1 += 1;
    }
    let mut served = Vec::with_capacity(claimants.len());
    for claimant in claimants {
        let Some((places, others)) = left.get_mut(&claimant.workspace) else { continue };
        let room = claimant.room.min(SHARE).min(places.div_ceil(*others));
        *places -= room;
        *others -= 1;
        if room == 0 {
            shared.agenda.note(claimant.workspace, claimant.webhook, now.saturating_add(PAUSE));
        } else {
            served.push(Claimant { room, ..claimant });
        }
    }
    served
}

/// Returns the claimants and which of them have a backlog.
pub(super) async fn run(
    shared: &Arc<Shared>,
    mut claimants: Vec<Claimant>,
    now: Timestamp,
) -> Result<Vec<Claimant>, Error> {
    let claimed = claim(shared, &claimants, now).await;
    if claimed.is_err() {
        let later = now.saturating_add(PAUSE);
        claimants.iter().for_each(|it| shared.agenda.note(it.workspace, it.webhook, later));
    }
    let (claims, places, until) = claimed?;
    for (claimant, claim) in claimants.iter_mut().zip(&claims) {
        claimant.backlog = claim.deliveries.len() >= claimant.room;
        if let Some(next) = claim.next
            && !claimant.backlog
        {
            shared.agenda.note(claimant.workspace, claimant.webhook, next);
        }
    }
    let deliveries: Vec<Claimed> = claims.into_iter().flat_map(|claim| claim.deliveries).collect();
    if !deliveries.is_empty() {
        // If that fails, the leases end by themselves.
        let owed = load(shared, deliveries, places, until).await?;
        let more: HashSet<WebhookId> = claimants.iter().filter(|it| it.backlog).map(|it| it.webhook).collect();
        shared.lanes.push(shared, owed, |webhook| more.contains(&webhook));
    }
    Ok(claimants)
}

type Places = HashMap<WorkspaceId, Place>;

/// Returns the claims of the claimants, in their order, and those of tests; places for them; and until when they are leased.
async fn claim(
    shared: &Shared,
    claimants: &[Claimant],
    now: Timestamp,
) -> Result<(Vec<Claim>, Places, Timestamp), Error> {
    let app = &shared.app;
    let mut wanted: BTreeMap<WorkspaceId, usize> = BTreeMap::new();
    for claimant in claimants {
        *wanted.entry(claimant.workspace).or_default() += claimant.room;
    }
    // What gets no place now may get one when it is read, and goes back if not.
    let places =
        wanted.into_iter().filter_map(|(workspace, count)| Some((workspace, app.wake.places.take(workspace, count)?)));
    let places: Places = places.collect();
    let (node, until) = (app.node, now.saturating_add(LEASE));
    let wishes: Vec<(WebhookId, u32)> =
        claimants.iter().map(|it| (it.webhook, u32::try_from(it.room).unwrap_or(u32::MAX))).collect();
    let claims = app.db.write(move |conn| {
        Box::pin(async move {
            let mut claims = db::leases::claim(conn, node, &wishes, now, until).await?;
            claims.extend(db::leases::claim_tests(conn, node, now, until, TESTS).await?);
            Ok::<_, db::DbError>(claims)
        })
    });
    Ok((claims.await?, places, until))
}

/// Reads the events of what was claimed. Whatever was pruned meanwhile is missing. The deliveries of a webhook follow each other.
async fn load(
    shared: &Shared,
    mut deliveries: Vec<Claimed>,
    mut places: Places,
    until: Timestamp,
) -> Result<Vec<Owed>, Error> {
    let app = &shared.app;
    deliveries.sort_unstable_by_key(|claimed| claimed.event);
    let mut owed = Vec::with_capacity(deliveries.len());
    let mut full: HashSet<WorkspaceId> = HashSet::new();
    let mut of_events = deliveries.chunk_by(|one, next| one.event == next.event);
    loop {
        let part: Vec<&[Claimed]> = of_events.by_ref().take(EVENTS).collect();
        if part.is_empty() {
            break;
        }
        let wanted = part.iter().filter(|of_event| !full.contains(&of_event[0].workspace));
        let events: Vec<EventId> = wanted.map(|of_event| of_event[0].event).collect();
        let bodies = app.db.read(move |conn| Box::pin(async move { db::leases::bodies(conn, &events).await })).await?;
        let bodies: HashMap<EventId, Bytes> = bodies.into_iter().collect();
        for claimed in part.into_iter().flatten() {
            let mut place = |size| {
                let place = places.get_mut(&claimed.workspace).and_then(|places| places.split(size));
                place.or_else(|| app.wake.places.take(claimed.workspace, size))
            };
            let body = bodies.get(&claimed.event).cloned();
            if body.is_none() && !full.contains(&claimed.workspace) {
                continue;
            }
            match body.and_then(|body| Some((place(Owed::size(body.len()))?, body))) {
                Some((place, body)) => owed.push(to_owed(claimed, body, until, place)),
                None => {
                    full.insert(claimed.workspace);
                    let later = app.database_clock.now().saturating_add(PAUSE);
                    shared.release(to_owed(claimed, Bytes::new(), until, app.wake.places.none()), later);
                }
            }
        }
    }
    owed.sort_unstable_by_key(|owed| (owed.webhook, owed.id));
    Ok(owed)
}

fn to_owed(claimed: &Claimed, body: Bytes, leased_until: Timestamp, place: Place) -> Owed {
    Owed {
        id: claimed.id,
        webhook: claimed.webhook,
        workspace: claimed.workspace,
        event: claimed.event,
        body,
        reason: claimed.reason,
        tries: claimed.tries,
        attempts: claimed.attempts,
        created_at: claimed.created_at,
        leased_until,
        place,
    }
}
