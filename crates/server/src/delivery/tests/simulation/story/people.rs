//! What people and programs ask for in a story.

use std::{
    fmt::Write as _,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bellwire_core::{
    catalogue::EventTypes,
    event::By,
    id::DeliveryId,
    text::{Description, Reason},
};
use serde_json::value::RawValue;

use super::{super::super::world::EVENT, Story, actor, end_activation};
use crate::{
    app::App,
    db::events::Audience,
    error::Error,
    ops::{
        self, Actor,
        publish::NewPublish,
        webhooks::{Missed, NewWebhook},
    },
};

impl Story {
    pub(super) fn some_webhook(&self) -> Option<usize> {
        let count = self.ledger().webhooks.len();
        (count > 0).then(|| self.below(count))
    }

    /// Asks a node for something. It may take until time passes.
    pub(super) fn ask<F, R>(&self, node: usize, what: String, work: F)
    where
        F: FnOnce(App, Actor) -> R + Send + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (app, ledger) = (self.nodes[node].app.clone(), Arc::clone(&self.ledger));
        self.note(format!("node {node}: {what}"));
        let (clock, asking) = (self.database.clone(), Arc::clone(&self.asking));
        asking.fetch_add(1, Relaxed);
        self.nodes[node].runtime.spawn(async move {
            let result = work(app, actor()).await;
            asking.fetch_sub(1, Relaxed);
            let at = clock.moment().as_micros() / 1_000;
            let mut line = format!("{at:>10} ms  node {node}: {what}: ");
            let _ = write!(line, "{}", result.map_or_else(|error| error.code().to_owned(), |()| "done".to_owned()));
            ledger.lock().unwrap_or_else(PoisonError::into_inner).told.push(line);
        });
    }

    pub(super) fn create(&mut self) {
        let number = self.ledger().webhooks.len();
        let new = NewWebhook {
            url: format!("https://w{number}.example.com/").parse().unwrap(),
            event_types: EventTypes::parse([EVENT.as_str(), "webhook.deactivated"]).unwrap(),
            description: Description::parse("").unwrap(),
            headers: Vec::new(),
            rate_limit: None,
        };
        let ledger = Arc::clone(&self.ledger);
        self.ask(0, format!("create {number}"), move |app, actor| async move {
            let (webhook, _) = ops::webhooks::create(&app, &actor, new).await?;
            ledger.lock().unwrap_or_else(PoisonError::into_inner).webhooks.push(webhook.id);
            Ok(())
        });
        self.settle().unwrap();
    }

    pub(super) fn publish(&mut self, node: usize) {
        let ledger = Arc::clone(&self.ledger);
        let new = NewPublish {
            event_type: EVENT,
            data: RawValue::from_string("{}".to_owned()).unwrap(),
            actor: None,
            occurred_at: None,
        };
        let (wanted, order): (Vec<usize>, usize) = {
            let mut ledger = self.ledger();
            ledger.asked += 1;
            let wanted = (0..ledger.webhooks.len()).filter(|number| !ledger.doomed.contains(number)).collect();
            (wanted, ledger.asked - 1)
        };
        self.ask(node, "publish".to_owned(), move |app, actor| async move {
            let published = ops::publish::publish(&app, &actor, new, None).await?;
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.acknowledged.push((published.id.to_string(), wanted, order));
            Ok(())
        });
    }

    pub(super) fn deactivate(&mut self, node: usize) -> Result<(), String> {
        let Some(webhook) = self.some_webhook() else { return Ok(()) };
        let (id, book, activity) =
            (self.ledger().webhooks[webhook], Arc::clone(&self.book), Arc::clone(&self.activity));
        let before = self.book().activations.get(&webhook).copied().unwrap_or_default();
        self.ask(node, format!("deactivate {webhook}"), move |app, actor| async move {
            ops::webhooks::deactivate(&app, &actor, id, Reason::parse("").unwrap()).await?;
            others_end(&activity).await;
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            // When somebody switches it on meanwhile, nobody can say from outside who was last.
            let (asked, over) = book.activations.get(&webhook).copied().unwrap_or_default();
            if (asked, over) == before && asked == over {
                book.off.insert((node, webhook));
            }
            Ok(())
        });
        self.settle()
    }

    pub(super) fn activate(&mut self, node: usize) -> Result<(), String> {
        let Some(webhook) = self.some_webhook() else { return Ok(()) };
        let missed = if self.below(2) == 0 { Missed::Send } else { Missed::Skip };
        let id = self.ledger().webhooks[webhook];
        self.begin_activation(webhook);
        if missed == Missed::Skip {
            // Also what is asked for while this is under way, should it take long.
            self.ledger().skipped.push((webhook, usize::MAX));
        }
        let (ledger, book) = (Arc::clone(&self.ledger), Arc::clone(&self.book));
        self.ask(node, format!("activate {webhook}, {missed:?}"), move |app, actor| async move {
            let result = ops::webhooks::activate(&app, &actor, id, missed).await;
            end_activation(&book, webhook);
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let until = ledger.asked;
            if result.is_ok() {
                ledger.skipped.iter_mut().filter(|(w, _)| *w == webhook).for_each(|(_, to)| *to = until.min(*to));
            }
            result.map(drop)
        });
        self.settle()
    }

    /// From here on it may be sent to again.
    pub(super) fn begin_activation(&self, webhook: usize) {
        let mut book = self.book();
        book.off.retain(|(_, off)| *off != webhook);
        book.activations.entry(webhook).or_default().0 += 1;
    }

    pub(super) fn delete(&mut self, node: usize) -> Result<(), String> {
        let Some(webhook) = self.some_webhook() else { return Ok(()) };
        self.ledger().doomed.insert(webhook);
        let (id, book, activity) =
            (self.ledger().webhooks[webhook], Arc::clone(&self.book), Arc::clone(&self.activity));
        self.ask(node, format!("delete {webhook}"), move |app, actor| async move {
            ops::webhooks::delete(&app, &actor, id).await?;
            others_end(&activity).await;
            book.lock().unwrap_or_else(PoisonError::into_inner).deleted.insert((node, webhook));
            Ok(())
        });
        self.settle()
    }

    pub(super) fn test(&mut self, node: usize) -> Result<(), String> {
        let Some(webhook) = self.some_webhook() else { return Ok(()) };
        let id = self.ledger().webhooks[webhook];
        self.ask(node, format!("test {webhook}"), move |app, actor| async move {
            ops::journal::transact(&app, actor.workspace, By::system(), true, move |tx| {
                Box::pin(async move {
                    tx.record_for(EVENT, &serde_json::json!({}), Audience::Test(id))?;
                    Ok::<_, Error>(())
                })
            })
            .await
        });
        self.settle()
    }

    pub(super) fn resend(&mut self, node: usize) -> Result<(), String> {
        let rows = self.rows("SELECT id, event_id FROM deliveries ORDER BY id");
        if rows.is_empty() {
            return Ok(());
        }
        let row = &rows[self.below(rows.len())];
        let (id, event): (DeliveryId, String) = (row.get("id").unwrap(), row.get("event_id").unwrap());
        self.ledger().resent.insert(event.clone());
        self.ask(node, format!("resend {event}"), move |app, actor| async move {
            ops::deliveries::resend(&app, &actor, id).await.map(drop)
        });
        self.settle()
    }

    /// Another rate limit, and everybody learns of it.
    pub(super) fn pace(&mut self, node: usize) -> Result<(), String> {
        let Some(webhook) = self.some_webhook() else { return Ok(()) };
        let id = self.ledger().webhooks[webhook];
        let rate: Option<i64> = [None, Some(1), Some(5)][self.below(3)];
        self.ask(node, format!("rate limit of {webhook}: {rate:?}"), move |app, _| async move {
            let sql = "UPDATE webhooks SET rate_limit = CAST($2 AS BIGINT) WHERE id = $1";
            let change =
                app.db.write(move |conn| Box::pin(async move { conn.execute(sql, &[id.into(), rate.into()]).await }));
            change.await.map_err(|error: crate::db::DbError| Error::from(error))?;
            app.wake.send(crate::app::Signal::Changed(id));
            Ok(())
        });
        self.settle()
    }
}

/// Lets those who are in the middle of something end it: a lane learns of a change a moment after its commit, and what is under
/// way then is not called back. No time passes meanwhile, and nobody is asked for anything else.
async fn others_end(activity: &AtomicU64) {
    for _ in 0..100 {
        activity.fetch_add(1, Relaxed);
        tokio::task::yield_now().await;
    }
}
