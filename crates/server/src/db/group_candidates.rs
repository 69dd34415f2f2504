//! Who can be put into a group, or own one: what the dialogs of groups offer.

use bellwire_core::{
    event::PrincipalId,
    id::{GroupId, WorkspaceId},
};

use super::{
    Conn, DbError, Row, Value,
    api_keys::ApiKeySort,
    page::{self, Filter, Listing, Page, PageRequest},
    principals::PrincipalStatus,
    users::UserSort,
};

/// A user or API key of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: PrincipalId,
    /// Its name.
    pub name: String,
    /// The e-mail address of a user.
    pub email: Option<String>,
    /// Whether it may act.
    pub status: PrincipalStatus,
}

const USERS: &str = "m.user_id AS id, m.name AS name, u.email AS email, m.status AS status";
const API_KEYS: &str = "k.id AS id, k.name AS name, NULL AS email, k.status AS status";

fn read(row: &Row) -> Result<Candidate, DbError> {
    Ok(Candidate {
        id: row.parse("id")?,
        name: row.get("name")?,
        email: row.get("email")?,
        status: row.parse("status")?,
    })
}

/// The first active users by name that are not in the group `outside` and have the text in their name or e-mail address.
///
/// # Errors
/// See [`DbError`].
pub async fn users(
    conn: &mut Conn,
    workspace: WorkspaceId,
    outside: Option<GroupId>,
    search: Option<&str>,
    limit: u32,
) -> Result<Page<Candidate>, DbError> {
    let mut filter = Filter::default();
    filter.and("m.workspace_id = $?", workspace);
    filter.and_walking("m.status", "active");
    if let Some(group) = outside {
        let is_in = "SELECT 1 FROM group_members x WHERE x.group_id = $? AND x.principal_id = m.user_id";
        filter.and(&format!("NOT EXISTS ({is_in})"), group);
    }
    if let Some(text) = search {
        filter.and("m.name_key LIKE $? ESCAPE '\\' OR m.email LIKE $? ESCAPE '\\'", page::containing(text));
    }
    let from = "memberships m JOIN users u ON u.id = m.user_id";
    let request = PageRequest::numbered(1, limit, UserSort::Name, false);
    page::list(conn, Listing::new(USERS, from, filter), &request, read).await
}

/// As [`users`], of API keys.
///
/// # Errors
/// See [`DbError`].
pub async fn api_keys(
    conn: &mut Conn,
    workspace: WorkspaceId,
    outside: Option<GroupId>,
    search: Option<&str>,
    limit: u32,
) -> Result<Page<Candidate>, DbError> {
    let mut filter = Filter::default();
    filter.and("k.workspace_id = $?", workspace);
    filter.and_always("k.status = 'active'");
    if let Some(group) = outside {
        let is_in = "SELECT 1 FROM group_members x WHERE x.group_id = $? AND x.principal_id = k.id";
        filter.and(&format!("NOT EXISTS ({is_in})"), group);
    }
    if let Some(text) = search {
        filter.and("k.name_key LIKE $? ESCAPE '\\'", page::containing(text));
    }
    let request = PageRequest::numbered(1, limit, ApiKeySort::Name, false);
    page::list(conn, Listing::new(API_KEYS, "api_keys k", filter), &request, read).await
}

/// Those of these ids that are users or API keys of the workspace, by name. `ids` is short: some hundreds.
///
/// # Errors
/// See [`DbError`].
pub async fn of(conn: &mut Conn, workspace: WorkspaceId, ids: &[PrincipalId]) -> Result<Vec<Candidate>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = vec![workspace.into()];
    values.extend(ids.iter().map(|id| Value::from(id.to_string())));
    let list = (2..2 + ids.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    // Sorted here: SQLite would rather walk all users by name than sort these few.
    let sql = format!(
        "SELECT {USERS} FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.workspace_id = $1 AND m.user_id IN ({list}) \
         UNION ALL SELECT {API_KEYS} FROM api_keys k WHERE k.workspace_id = $1 AND k.id IN ({list})"
    );
    let mut found: Vec<Candidate> = conn.query(&sql, &values).await?.iter().map(read).collect::<Result<_, _>>()?;
    found.sort_by_cached_key(|it| (it.name.to_lowercase(), it.id.to_string()));
    Ok(found)
}
