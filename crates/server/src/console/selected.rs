//! What is done to the webhooks that are selected in the list: one question, then all of it or none of it.

use std::collections::BTreeSet;

use bellwire_core::{id::WebhookId, permission::Permission};
use http::StatusCode;

use super::{
    reply::{self, Answer, see_other, see_other_with},
    request::{Fields, Signed},
    view::{
        Toast,
        account::PageError,
        selected::{SelectedChange, SelectedDialog, count},
    },
    webhooks::{PATH, beneath},
};
use crate::{
    app::App,
    ops::{
        overview,
        webhooks::{self, Change, MAX_SEVERAL, Missed},
    },
    routes::{Routes, get},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/webhooks/selected", get(ask).post(change))
}

/// What a form names. What is no id is left out, as is what is gone.
fn selected(fields: &Fields) -> BTreeSet<WebhookId> {
    fields.all("ids").take(MAX_SEVERAL).filter_map(|id| id.parse().ok()).collect()
}

async fn ask(signed: Signed) -> Answer {
    signed.actor.require(Permission::WebhooksManage)?;
    let return_to = signed.query.return_to(PATH);
    let change = signed.query.text("change");
    if change.is_empty() {
        // The address was typed, or cut off.
        return Ok(see_other(&return_to));
    }
    let wanted = SelectedChange::from_key(change).ok_or(PageError::BadRequest)?;
    let found = overview::urls(&signed.app, &signed.actor, selected(&signed.query)).await?;
    if found.is_empty() {
        return Ok(see_other_with(&return_to, Toast::error("Select at least one webhook.")));
    }
    let held = match wanted {
        SelectedChange::Activate => {
            let ids = found.keys().copied().collect();
            !overview::with_held(&signed.app, &signed.actor, ids).await?.is_empty()
        }
        _ => false,
    };
    let webhooks = found.into_iter().map(|(id, url)| (id.to_string(), url)).collect();
    let dialog = SelectedDialog { change: wanted, webhooks, held, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn change(signed: Signed, fields: Fields) -> Answer {
    let wanted = SelectedChange::from_key(fields.text("change")).ok_or(PageError::BadRequest)?;
    let missed = if fields.text("missed") == "skip" { Missed::Skip } else { Missed::Send };
    let change = match wanted {
        SelectedChange::Activate => Change::Activate(missed),
        SelectedChange::Deactivate => Change::Deactivate,
        SelectedChange::Delete => Change::Delete,
    };
    let ids = selected(&fields).into_iter().collect();
    let done = webhooks::change_several(&signed.app, &signed.actor, ids, change).await;
    reply::back(&fields.return_to(PATH), done, |changed| Toast::success(said(wanted, changed)))
}

fn said(change: SelectedChange, changed: usize) -> String {
    let done = match change {
        SelectedChange::Activate => "turned on",
        SelectedChange::Deactivate => "turned off",
        SelectedChange::Delete => "deleted",
    };
    match changed {
        0 => "There was nothing to change.".to_owned(),
        1 => format!("1 webhook was {done}."),
        changed => format!("{} were {done}.", count(changed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_are_selected_and_each_once() {
        let id = "wh_01kjw16mm0em4ry1jygtts6an2";
        let fields = Fields::parse(format!("ids={id}&ids=nonsense&ids={id}&ids=").as_bytes());
        assert_eq!(selected(&fields).len(), 1);
    }

    #[test]
    fn what_was_done_is_counted() {
        assert_eq!(said(SelectedChange::Delete, 1), "1 webhook was deleted.");
        assert_eq!(said(SelectedChange::Deactivate, 3), "3 webhooks were turned off.");
        assert_eq!(said(SelectedChange::Activate, 0), "There was nothing to change.");
    }
}
