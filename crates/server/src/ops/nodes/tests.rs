use super::*;
use crate::testing::app;

#[tokio::test]
async fn what_is_gathered_fits_into_notices() {
    let (app, _signals, _folder) = app().await;
    let id = |_| app.random.id(app.clock.now());
    let due: BTreeSet<WebhookId> = (0..GATHERED).map(id).collect();
    let workspaces = (0..GATHERED).map(|_| app.random.id(app.clock.now()));
    let pages = workspaces.map(|workspace| (workspace, TOPICS.into())).collect();
    let texts = texts(&app, News { due: due.clone(), pages }).unwrap();
    assert!(texts.iter().all(|text| text.len() <= db::notices::LONGEST), "{:?}", texts.iter().map(String::len).max());
    let notices: Vec<Notice> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(notices.iter().flat_map(|notice| notice.due.iter().copied()).collect::<BTreeSet<_>>(), due);
    assert_eq!(notices.iter().map(|notice| notice.pages.len()).sum::<usize>(), GATHERED);
}

#[tokio::test]
async fn a_node_that_is_alone_gathers_nothing() {
    let (app, _signals, _folder) = app().await;
    app.changed(app.random.id(app.clock.now()), "events");
    assert!(app.nodes.news().pages.is_empty());
}

#[test]
fn limits_are_shared_out() {
    let nodes = Nodes::default();
    let share = |alive, of_all| {
        nodes.alive.store(alive, Relaxed);
        nodes.share(of_all)
    };
    assert_eq!([share(1, 10), share(2, 10), share(3, 10), share(40, 10)], [10, 5, 4, 1]);
}

#[test]
fn what_a_newer_node_tells_besides_is_passed_over() {
    let notice: Notice = serde_json::from_str(r#"{"account":true,"weather":"fine"}"#).unwrap();
    assert!(notice.account && notice.from.is_none());
}
