//! Many people at once, for `bellwire demo --size large`: a workspace that has grown for years, written in seconds. They were always
//! there: nothing tells of them.

use bellwire_core::{
    id::{RoleId, UserId, WorkspaceId},
    time::Timestamp,
};

use super::{
    Conn, DbError,
    dialect::{
        Column::{Int, Text},
        Many,
    },
};

/// A person to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The e-mail address, in lower case.
    pub email: String,
    /// The name in the workspace.
    pub name: String,
    /// Whether they may act.
    pub active: bool,
    /// When they joined.
    pub joined_at: Timestamp,
}

const USERS: Many = Many {
    sqlite: "INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, $2, '', $3)",
    postgres: "INSERT INTO users (id, email, password_hash, created_at) \
               SELECT id, email, '', at FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS n (id, email, at)",
    columns: &[Text, Text, Int],
};

const MEMBERSHIPS: Many = Many {
    sqlite: "INSERT INTO memberships (workspace_id, user_id, name, name_key, email, status, joined_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    postgres: "INSERT INTO memberships (workspace_id, user_id, name, name_key, email, status, joined_at, updated_at) \
               SELECT workspace, id, name, key, email, status, at, at \
               FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]) \
               AS n (workspace, id, name, key, email, status, at)",
    columns: &[Text, Text, Text, Text, Text, Text, Int],
};

const ROLE_MEMBERS: Many = Many {
    sqlite: "INSERT INTO role_members (workspace_id, role_id, principal_id) VALUES ($1, $2, $3)",
    postgres: "INSERT INTO role_members (workspace_id, role_id, principal_id) \
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[])",
    columns: &[Text, Text, Text],
};

/// Writes people and their memberships, each with the role.
///
/// # Errors
/// See [`DbError`].
pub async fn users(conn: &mut Conn, workspace: WorkspaceId, role: RoleId, users: &[NewUser]) -> Result<(), DbError> {
    let people = users.iter().map(|it| vec![it.id.into(), (&it.email).into(), it.joined_at.into()]);
    conn.many(&USERS, people.collect()).await?;
    let memberships = users.iter().map(|it| {
        let (key, status) = (it.name.to_lowercase(), if it.active { "active" } else { "blocked" });
        let (name, email) = ((&it.name).into(), (&it.email).into());
        vec![workspace.into(), it.id.into(), name, key.into(), email, status.into(), it.joined_at.into()]
    });
    conn.many(&MEMBERSHIPS, memberships.collect()).await?;
    let roles = users.iter().map(|it| vec![workspace.into(), role.into(), it.id.into()]);
    conn.many(&ROLE_MEMBERS, roles.collect()).await.map(drop)
}
