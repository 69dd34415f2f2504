//! The feed when it is long: what no index knows is looked for a stretch at a time, and a time is found without walking to it.

use bellwire_core::{catalogue::EventTypes, id::WorkspaceId, time::Timestamp};

use super::super::{
    Conn, DbError,
    event_views::{self, BySequence, Wanted},
    page::{LOOKED_AT, Page, PageRequest},
};

const WORKSPACE: &str = "ws_01kjw16mm0em4ry1jygtts6an2";
const EVENTS: i64 = 2 * LOOKED_AT + 5_000;
/// The only two events of their type.
const LEFT: [i64; 2] = [5, EVENTS - 10];

/// Writes the feed: an event a second.
async fn fill(conn: &mut Conn) -> Result<(), DbError> {
    let [first, last] = LEFT;
    conn.script(&format!(
        "INSERT INTO workspaces (id, name, sequence, created_at) VALUES ('{WORKSPACE}', 'Acme', {EVENTS}, 0); \
         INSERT INTO events (id, workspace_id, sequence, type, actor, data, occurred_at, created_at) \
         WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS}) \
         SELECT 'evt_01kjw16mm0em4ry1jy' || SUBSTR('00000000' || CAST(i AS TEXT), LENGTH(CAST(i AS TEXT)) + 1), '{WORKSPACE}', i, \
         CASE WHEN i IN ({first}, {last}) THEN 'user.left' ELSE 'group.created' END, \
         '{{\"type\":\"system\",\"id\":null,\"name\":\"Bellwire\"}}', '{{}}', i * 1000000, i * 1000000 FROM n"
    ))
    .await
}

async fn list(conn: &mut Conn, wanted: &Wanted, cursor: Option<&str>, descending: bool) -> (Vec<i64>, Option<String>) {
    let workspace: WorkspaceId = WORKSPACE.parse().unwrap();
    let request = PageRequest::new(Some(50), cursor, BySequence, descending).unwrap();
    let Page { data, next } = event_views::list(conn, workspace, wanted, &request).await.unwrap();
    (data.iter().map(|event| event.sequence).collect(), next)
}

#[tokio::test]
async fn a_filter_looks_at_so_many_events_for_a_page_and_goes_on_from_there() {
    for database in super::fresh().await {
        let pages = super::write(&database.db, |conn| {
            Box::pin(async move {
                fill(conn).await?;
                let types = Some(EventTypes::parse(["user.left"]).unwrap());
                let wanted = Wanted { event_types: types, ..Wanted::default() };
                let mut pages = Vec::new();
                for descending in [true, false] {
                    let mut cursor = None;
                    loop {
                        let (found, next) = list(conn, &wanted, cursor.as_deref(), descending).await;
                        pages.push(found);
                        cursor = next;
                        if cursor.is_none() {
                            break;
                        }
                    }
                }
                Ok::<_, DbError>(pages)
            })
        });
        let [first, last] = LEFT.map(|number| vec![number]);
        let none = Vec::new;
        assert_eq!(pages.await.unwrap(), [last.clone(), none(), first.clone(), first, none(), last]);
    }
}

#[tokio::test]
async fn a_time_of_the_feed_is_found() {
    for database in super::fresh().await {
        let found = super::write(&database.db, |conn| {
            Box::pin(async move {
                fill(conn).await?;
                let at = |second: i64| Some(Timestamp::from_micros(second * 1_000_000));
                let mut found = Vec::new();
                for (since, until) in
                    [(at(30_000), at(30_003)), (None, at(3)), (at(EVENTS), None), (at(EVENTS + 1), None)]
                {
                    let wanted = Wanted { since, until, ..Wanted::default() };
                    found.push(list(conn, &wanted, None, true).await);
                }
                Ok::<_, DbError>(found)
            })
        });
        let expected = [vec![30_002, 30_001, 30_000], vec![2, 1], vec![EVENTS], vec![]];
        assert_eq!(found.await.unwrap(), expected.map(|numbers| (numbers, None)));
    }
}
