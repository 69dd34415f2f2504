//! How SQLite reads each list: along an index in the list's order, however it is sorted and filtered. A scan of a whole table, or a
//! sort of what was found, would take longer the more there is.

use std::fmt::Write;

use bellwire_core::{
    catalogue::{ActorType, EventTypes},
    delivery::State,
    id::{GroupId, RoleId, WebhookId, WorkspaceId},
    time::Timestamp,
};

use super::super::{
    Conn, Db, DbError, Value, api_keys, deliveries, event_views, group_members, groups, invites, license_credits,
    ownership_offers,
    page::{self, Listing, PageRequest, Sort},
    principals::PrincipalStatus,
    users, webhooks,
};

/// What may be sorted when it was found, and why: the beginning of the list's name.
const EXCEPTIONS: [(&str, &str); 1] = [("api keys", "a workspace has at most 1,000")];

/// Lists with their statements.
#[derive(Default)]
struct Lists(Vec<(String, String)>);

impl Lists {
    fn add<S: Sort>(&mut self, name: &str, listing: &Listing, sorts: &[S]) {
        self.0.push((format!("{name}, counted"), page::count_statement(listing.clone()).0));
        let first = PageRequest::numbered(1, 50, sorts[0], true);
        if let Some((sql, _)) = page::edge_statement(listing, &first) {
            self.0.push((format!("{name}, how far a page looks"), sql));
        }
        for sort in sorts {
            for descending in [false, true] {
                let request = PageRequest::numbered(3, 50, *sort, descending);
                let (sql, _) = page::statement(listing.clone(), &request, None);
                let way = if descending { " descending" } else { "" };
                self.0.push((format!("{name} by {}{way}", sort.name()), sql));
            }
        }
    }
}

fn all() -> Lists {
    let workspace: WorkspaceId = "ws_01kjw16mm0em4ry1jygtts6an2".parse().unwrap();
    let role: RoleId = "role_01kjw16mm0em4ry1jygtts6an2".parse().unwrap();
    let group: GroupId = "grp_01kjw16mm0em4ry1jygtts6an2".parse().unwrap();
    let webhook: WebhookId = "wh_01kjw16mm0em4ry1jygtts6an2".parse().unwrap();
    let search = || Some("text".to_owned());
    let now = Some(Timestamp::from_micros(1));
    let mut lists = Lists::default();

    let by = [users::UserSort::Name, users::UserSort::Email, users::UserSort::JoinedAt, users::UserSort::Status];
    let none = users::UserFilter::default;
    for (name, wanted) in [
        ("users", none()),
        ("searched users", users::UserFilter { search: search(), ..none() }),
        ("blocked users", users::UserFilter { status: Some(PrincipalStatus::Blocked), ..none() }),
        ("users with a role", users::UserFilter { role: Some(role), ..none() }),
    ] {
        lists.add(name, &users::listing(workspace, &wanted), &by);
    }

    use invites::{InviteFilter, InviteSort, InviteStatus};
    let by = [InviteSort::Email, InviteSort::CreatedAt, InviteSort::ExpiresAt, InviteSort::Status];
    for (name, wanted) in [
        ("invites", InviteFilter::default()),
        ("searched invites", InviteFilter { search: search(), ..InviteFilter::default() }),
        ("pending invites", InviteFilter { status: Some(InviteStatus::Pending), ..InviteFilter::default() }),
    ] {
        lists.add(name, &invites::listing(workspace, &wanted), &by);
    }

    use groups::{GroupFilter, GroupSort};
    let by = [GroupSort::Name, GroupSort::Owner, GroupSort::Members, GroupSort::CreatedAt];
    lists.add("groups", &groups::listing(workspace, &GroupFilter::default()), &by);
    lists.add("searched groups", &groups::listing(workspace, &GroupFilter { search: search() }), &by);
    use group_members::{GroupMemberFilter, GroupMemberSort};
    let by = [GroupMemberSort::Name, GroupMemberSort::AddedAt];
    for (name, search) in [("members of a group", None), ("searched members of a group", search())] {
        lists.add(name, &group_members::listing(workspace, group, &GroupMemberFilter { search, emails: true }), &by);
    }

    use api_keys::{ApiKeyFilter, ApiKeySort};
    let by = [ApiKeySort::Name, ApiKeySort::CreatedAt, ApiKeySort::LastUsedAt, ApiKeySort::Status];
    lists.add("api keys", &api_keys::listing(workspace, &ApiKeyFilter::default()), &by);

    use webhooks::{StatusFilter, Wanted};
    for (name, wanted) in [
        ("webhooks", Wanted::default()),
        ("searched webhooks", Wanted { search: search(), ..Wanted::default() }),
        ("active webhooks", Wanted { status: Some(StatusFilter::Active), ..Wanted::default() }),
        ("inactive webhooks", Wanted { status: Some(StatusFilter::Inactive), ..Wanted::default() }),
        ("failing webhooks", Wanted { status: Some(StatusFilter::Failing), ..Wanted::default() }),
        ("webhooks of an actor type", Wanted { actor_type: Some(ActorType::Users), ..Wanted::default() }),
    ] {
        lists.add(name, &webhooks::listing(workspace, &wanted), &webhooks::Sort::ALL);
    }

    let types = |names: &str| Some(EventTypes::parse([names]).unwrap());
    let none = event_views::Wanted::default;
    for (name, wanted) in [
        ("events", none()),
        ("events of a type", event_views::Wanted { event_types: types("user.joined"), ..none() }),
        ("events of an actor type", event_views::Wanted { event_types: types("user.*"), ..none() }),
        ("events of an actor", event_views::Wanted { actor_id: search(), ..none() }),
        ("events about something", event_views::Wanted { object_id: search(), ..none() }),
        ("searched events", event_views::Wanted { search: search(), ..none() }),
        ("events of a time", event_views::Wanted { since: now, until: now, ..none() }),
    ] {
        lists.add(name, &event_views::listing(workspace, &wanted, (Some(1), Some(9))), &[event_views::BySequence]);
    }

    let none = deliveries::Wanted::default;
    for (name, wanted) in [
        ("deliveries", none()),
        ("failed deliveries", deliveries::Wanted { state: Some(State::Failed), ..none() }),
        ("held deliveries", deliveries::Wanted { state: Some(State::Held), ..none() }),
        ("deliveries of a type", deliveries::Wanted { event_type: Some("user.joined".to_owned()), ..none() }),
        ("deliveries of a time", deliveries::Wanted { since: now, until: now, ..none() }),
        ("what is replayed", deliveries::Wanted { state: Some(State::Failed), no_tests: true, ..none() }),
    ] {
        lists.add(name, &deliveries::listing(webhook, &wanted), &[deliveries::ByTime]);
    }
    let offers = ownership_offers::listing(workspace, ownership_offers::Wanted::All, Timestamp::from_micros(1));
    lists.add("offers", &offers, &[ownership_offers::ByCreated]);
    lists.add("credits", &license_credits::listing(workspace), &[license_credits::ByTime]);
    lists
}

/// How a plan says that rows are sorted when they were found.
const SORTED: &str = "TEMP B-TREE";

/// The steps of a plan that take longer the more rows there are.
async fn slow_steps(conn: &mut Conn, sql: &str) -> Result<Vec<String>, DbError> {
    let parameters = vec![Value::Int(1); 16];
    let plan = conn.query(&format!("EXPLAIN QUERY PLAN {sql}"), &parameters).await?;
    let steps = plan.iter().map(|row| row.get::<String>("detail")).collect::<Result<Vec<_>, _>>()?;
    // What is counted is read as a subquery of one column; rows that are equal in an order but for their ids are few.
    let fine =
        |step: &str| step.starts_with("SCAN counted") || step.starts_with("SCAN (") || step.contains("LAST TERM");
    // As good as a scan: everybody in the workspace who is active.
    let all = |step: &str| step.contains("memberships_by_status (workspace_id=? AND status=?)");
    let slow = |step: &String| (step.starts_with("SCAN") || step.contains(SORTED) || all(step)) && !fine(step);
    Ok(steps.into_iter().filter(slow).collect())
}

#[tokio::test]
async fn lists_are_read_along_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}", folder.path().join("test.db").display())).await.unwrap();
    let found = super::write(&db, |conn| {
        Box::pin(async move {
            let mut found = Vec::new();
            for (name, sql) in all().0 {
                let steps = slow_steps(conn, &sql).await?;
                if !steps.is_empty() {
                    found.push((name, steps, sql));
                }
            }
            Ok(found)
        })
    });
    let found = found.await.unwrap();
    let is_exception = |name: &str| EXCEPTIONS.iter().any(|(beginning, _)| name.starts_with(beginning));
    let passes = |name: &str, steps: &[String]| is_exception(name) && steps.iter().all(|step| step.contains(SORTED));
    let mut wrong = String::new();
    for (name, steps, sql) in found.iter().filter(|(name, steps, _)| !passes(name, steps)) {
        writeln!(wrong, "{name}: {}\n  {sql}", steps.join("; ")).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
    for (beginning, reason) in EXCEPTIONS {
        let used = found.iter().any(|(name, ..)| name.starts_with(beginning));
        assert!(used, "{beginning}: no longer an exception ({reason})");
    }
}
