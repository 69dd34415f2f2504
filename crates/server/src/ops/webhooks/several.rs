//! Several webhooks at once: made, or changed in the same way, all of them or none. Their events share a `correlation_id`.

use bellwire_core::{id::WebhookId, permission::Permission};

use super::{
    CustomHeaders, Missed, NewWebhook, WebhookDetails, add, check_event_types, check_rate_limit, check_url, details,
    remove,
    status::{BY_HAND, turn_off, turn_on},
    tell, tell_due,
};
use crate::{
    app::App,
    db::{self, status_changes::StatusCode},
    error::Error,
    ops::{self, Actor},
};

/// The most webhooks that are made or changed at once: what a page of a list can show.
pub const MAX_SEVERAL: usize = 200;

/// What is done to each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Those that are inactive are turned on.
    Activate(Missed),
    /// Those that are active are turned off by hand.
    Deactivate,
    /// They are deleted, with what is owed to them.
    Delete,
}

/// Creates webhooks, active, owned by whoever asks. The second value of each is its secret's text.
///
/// # Errors
/// As [`create`](super::create), for any of them; [`Error::Invalid`] for `ids` when there are too many.
pub async fn create_several(
    app: &App,
    actor: &Actor,
    several: Vec<NewWebhook>,
) -> Result<Vec<(WebhookDetails, String)>, Error> {
    few(several.len())?;
    let mut checked = Vec::with_capacity(several.len());
    for mut new in several {
        check_url(app, &new.url)?;
        check_event_types(new.event_types)?;
        check_rate_limit(new.rate_limit)?;
        let headers = CustomHeaders::parse(std::mem::take(&mut new.headers));
        checked.push((new, headers.map_err(|error| Error::invalid("headers", error))?));
    }
    let made = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            if checked.len() > 1 {
                tx.correlate();
            }
            let mut made = Vec::with_capacity(checked.len());
            for (new, headers) in checked {
                made.push(add(tx, new, &headers).await?);
            }
            Ok(made)
        })
    })
    .await?;
    tell(app, actor.workspace);
    made.into_iter().map(|(record, secret)| Ok((details(app, actor.workspace, record)?, secret))).collect()
}

fn few(count: usize) -> Result<(), Error> {
    if count > MAX_SEVERAL {
        return Err(Error::invalid("ids", format!("at most {MAX_SEVERAL} webhooks can be changed at once")));
    }
    Ok(())
}

/// Changes several webhooks in one transaction. Those that need no change, or are gone, are left alone. Returns how many changed.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] for `ids` when there are too many.
pub async fn change_several(app: &App, actor: &Actor, ids: Vec<WebhookId>, change: Change) -> Result<usize, Error> {
    few(ids.len())?;
    let changed = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            tx.correlate();
            let mut changed = Vec::new();
            for id in ids {
                let done = match change {
                    Change::Activate(missed) => turn_on(tx, id, missed).await?,
                    Change::Deactivate => turn_off(tx, id, StatusCode::Manual, BY_HAND, None).await?,
                    Change::Delete => {
                        let there = db::webhooks::get(tx.conn, tx.workspace, id).await?;
                        let done = there.is_some();
                        if let Some(record) = there {
                            remove(tx, &record.webhook).await?;
                        }
                        done
                    }
                };
                if done {
                    changed.push(id);
                }
            }
            if changed.is_empty() {
                tx.unchanged();
            }
            Ok(changed)
        })
    })
    .await?;
    if !changed.is_empty() {
        tell(app, actor.workspace);
    }
    for id in &changed {
        if matches!(change, Change::Activate(_)) {
            tell_due(app, actor.workspace, *id);
        }
    }
    Ok(changed.len())
}
