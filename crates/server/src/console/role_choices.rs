//! Roles as checkboxes: what somebody holds, given and taken in one go.
//!
//! The form sends what was held when it was shown beside what is ticked now, and only the difference is done: two tabs, or a page
//! that is hours old, never undo what somebody else did meanwhile.

use std::collections::BTreeSet;

use bellwire_core::{id::RoleId, permission::BuiltInRole};

use super::{
    reply::Failure,
    request::{Fields, Signed},
    view::{account::PageError, roles::RoleChoice},
};
use crate::{
    db::{principals::RoleRef, roles::Role},
    ops::roles,
};

/// All roles of the workspace. Those that are `held` are ticked, or those that the form had `ticked` before it was refused.
pub(super) async fn choices(
    signed: &Signed,
    held: &[RoleRef],
    ticked: Option<&BTreeSet<RoleId>>,
) -> Result<Vec<RoleChoice>, Failure> {
    let choice = |role: Role| {
        let held = held.iter().any(|other| other.id == role.id);
        let locked = lock(signed, &role);
        let ticked = ticked.filter(|_| locked.is_none());
        RoleChoice {
            id: role.id.to_string(),
            is_owner: role.is(BuiltInRole::Owner),
            chosen: ticked.map_or(held, |ticked| ticked.contains(&role.id)),
            name: role.name,
            description: role.description,
            held,
            locked,
        }
    };
    Ok(roles::list(&signed.app, &signed.actor).await?.into_iter().map(choice).collect())
}

/// Why the reader may neither give nor take a role: the first thing that it allows and they may not do.
fn lock(signed: &Signed, role: &Role) -> Option<String> {
    let missing = role.permissions.iter().find(|permission| !signed.may(*permission))?;
    Some(format!("It allows what you may not do yourself ({missing})", missing = missing.as_str()))
}

/// What a form ticked.
pub(super) fn ticked(form: &Fields) -> Result<BTreeSet<RoleId>, Failure> {
    ids(form, "roles")
}

/// What a form gives and what it takes: the difference to what it showed.
pub(super) fn difference(form: &Fields) -> Result<(Vec<RoleId>, Vec<RoleId>), Failure> {
    let (ticked, held) = (ticked(form)?, ids(form, "held")?);
    Ok((ticked.difference(&held).copied().collect(), held.difference(&ticked).copied().collect()))
}

fn ids(form: &Fields, field: &str) -> Result<BTreeSet<RoleId>, Failure> {
    let ids: Result<_, _> = form.all(field).map(str::parse).collect();
    ids.map_err(|_| PageError::BadRequest.into())
}
