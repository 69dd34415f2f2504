//! Offers of the ownership of a workspace.
//!
//! An offer is open until its time runs out, and as long as whoever made it is an active owner and whoever it was made to is active.
//! It is deleted when it ends otherwise; that it also has to be open when it is read covers the moments in between.

use bellwire_core::{
    event::{EventActor, PrincipalKind},
    id::{OwnershipOfferId, UserId, WorkspaceId},
    permission::BuiltInRole,
    time::Timestamp,
};
use serde::Serialize;

use super::{
    Conn, DbError, Row, Value,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
};

/// An offer of ownership, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct OwnershipOffer {
    /// Its id.
    pub id: OwnershipOfferId,
    /// The owner who gives the workspace away.
    pub from: EventActor,
    /// The user who may accept.
    pub to: EventActor,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// An offer, as it is written.
#[derive(Clone, Copy, Debug)]
pub struct NewOffer {
    /// Its id.
    pub id: OwnershipOfferId,
    /// The owner.
    pub from: UserId,
    /// The other one.
    pub to: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The newest or the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByCreated;

impl Sort for ByCreated {
    fn name(self) -> &'static str {
        "created_at"
    }

    fn column(self) -> &'static str {
        "o.created_at"
    }

    fn is_number(self) -> bool {
        true
    }

    fn id(self) -> &'static str {
        "o.id"
    }
}

/// Which offers are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// All of the workspace.
    All,
    /// This one.
    One(OwnershipOfferId),
    /// What this user offers: one at the most.
    From(UserId),
    /// What is offered to this user.
    To(UserId),
}

// Subqueries and no joins: SQLite would read all active users of the workspace first, and every page of the console asks for an
// offer.
const COLUMNS: &str = "o.id AS id, o.from_user_id AS from_id, o.to_user_id AS to_id, o.created_at AS created_at, \
     o.expires_at AS expires_at, \
     (SELECT f.name FROM memberships f WHERE f.workspace_id = o.workspace_id AND f.user_id = o.from_user_id) AS from_name, \
     (SELECT t.name FROM memberships t WHERE t.workspace_id = o.workspace_id AND t.user_id = o.to_user_id) AS to_name";
const FROM: &str = "ownership_offers o";

fn read(row: &Row) -> Result<OwnershipOffer, DbError> {
    let user = |id: &str, name: &str| {
        let id = row.get::<UserId>(id)?.to_string();
        Ok::<_, DbError>(EventActor { kind: PrincipalKind::User, id: Some(id), name: row.get(name)? })
    };
    Ok(OwnershipOffer {
        id: row.get("id")?,
        from: user("from_id", "from_name")?,
        to: user("to_id", "to_name")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

/// One page of the offers that are open at `now`.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: Wanted,
    now: Timestamp,
    request: &PageRequest<ByCreated>,
) -> Result<Page<OwnershipOffer>, DbError> {
    page::list(conn, listing(workspace, wanted, now), request, read).await
}

pub(super) fn listing(workspace: WorkspaceId, wanted: Wanted, now: Timestamp) -> Listing {
    let mut filter = Filter::default();
    filter.and("o.workspace_id = $?", workspace);
    // Along the index of the order, not along that of their ends.
    filter.and("COALESCE(o.expires_at, 0) > $?", now);
    match wanted {
        Wanted::All => {}
        Wanted::One(id) => filter.and("o.id = $?", id),
        Wanted::From(user) => filter.and("o.from_user_id = $?", user),
        Wanted::To(user) => filter.and("o.to_user_id = $?", user),
    }
    for user in ["o.from_user_id", "o.to_user_id"] {
        let status =
            format!("SELECT m.status FROM memberships m WHERE m.workspace_id = o.workspace_id AND m.user_id = {user}");
        filter.and_always(&format!("({status}) = 'active'"));
    }
    let owner = "SELECT COUNT(*) FROM role_members y JOIN roles w ON w.id = y.role_id WHERE y.workspace_id = o.workspace_id \
                 AND y.principal_id = o.from_user_id AND w.built_in = 1 AND w.name = $?";
    filter.and(&format!("({owner}) > 0"), BuiltInRole::Owner.name());
    Listing::new(COLUMNS, FROM, filter)
}

/// The first of the offers that are open at `now`.
///
/// # Errors
/// See [`DbError`].
pub async fn first(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: Wanted,
    now: Timestamp,
) -> Result<Option<OwnershipOffer>, DbError> {
    let request = PageRequest::numbered(1, 1, ByCreated, false);
    Ok(list(conn, workspace, wanted, now, &request).await?.data.pop())
}

/// Writes an offer. What is left of an earlier one of the same owner gives way.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, offer: &NewOffer) -> Result<(), DbError> {
    let sql = "DELETE FROM ownership_offers WHERE workspace_id = $1 AND from_user_id = $2";
    conn.execute(sql, &[workspace.into(), offer.from.into()]).await?;
    let sql = "INSERT INTO ownership_offers (id, workspace_id, from_user_id, to_user_id, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values: [Value; 6] = [
        offer.id.into(),
        workspace.into(),
        offer.from.into(),
        offer.to.into(),
        offer.created_at.into(),
        offer.expires_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Ends an offer.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(conn: &mut Conn, workspace: WorkspaceId, id: OwnershipOfferId) -> Result<(), DbError> {
    conn.execute("DELETE FROM ownership_offers WHERE workspace_id = $1 AND id = $2", &[workspace.into(), id.into()])
        .await?;
    Ok(())
}

/// Ends what a user offers, because they are no longer an owner.
///
/// # Errors
/// See [`DbError`].
pub async fn end_from(conn: &mut Conn, workspace: WorkspaceId, user: UserId) -> Result<(), DbError> {
    let sql = "DELETE FROM ownership_offers WHERE workspace_id = $1 AND from_user_id = $2";
    conn.execute(sql, &[workspace.into(), user.into()]).await?;
    Ok(())
}

/// Ends what a user offers and is offered, because they are blocked or go.
///
/// # Errors
/// See [`DbError`].
pub async fn end_of(conn: &mut Conn, workspace: WorkspaceId, user: UserId) -> Result<(), DbError> {
    end_from(conn, workspace, user).await?;
    let sql = "DELETE FROM ownership_offers WHERE workspace_id = $1 AND to_user_id = $2";
    conn.execute(sql, &[workspace.into(), user.into()]).await?;
    Ok(())
}
