//! Sample content about groups.

use super::*;
use groups::{AddDialog, Candidate, DeleteDialog, FormDialog, GroupRow, ListPage, MemberRow, ShowPage};

fn list(rows: Vec<GroupRow>) -> ListPage {
    ListPage {
        page: Page::new("Groups", Theme::System),
        chrome: chrome(Some(Section::Groups)),
        list: Listing::new("/groups", &[("q", "")], "name", Order::Ascending, true),
        pager: Pager { first: 1, last: 1, total: Some(1), ..Pager::default() },
        rows,
        can_manage: true,
    }
}

fn show(rows: Vec<MemberRow>) -> ShowPage {
    ShowPage {
        page: Page::new("Finance <b>", Theme::System),
        chrome: chrome(Some(Section::Groups)),
        id: "grp_01".into(),
        name: "Finance <b>".into(),
        owner: Who::user("Ann Lee"),
        created_at: today(),
        list: Listing::new("/groups/grp_01", &[("q", "")], "name", Order::Ascending, true),
        pager: Pager { first: 1, last: 2, total: Some(2), ..Pager::default() },
        rows,
        can_manage: true,
    }
}

pub(super) fn samples() -> Vec<(&'static str, askama::Result<String>)> {
    let return_to = || "/groups".to_owned();
    let row = GroupRow {
        id: "grp_01".into(),
        name: "Finance <b>".into(),
        owner: Who::api_key("Billing <sync>"),
        members: 10_000,
        created_at: today(),
    };
    let member = |id: &str, who, email: Option<&str>, blocked| MemberRow {
        id: id.into(),
        who,
        email: email.map(str::to_owned),
        blocked,
        added_at: today(),
    };
    let members = vec![
        member("usr_01", Who::user("Sam <Rivera>"), Some("sam@example.com"), false),
        member("key_01", Who::api_key("Billing sync"), None, true),
    ];
    let form = |id: Option<&str>, name, owner_error: Option<&str>| FormDialog {
        id: id.map(str::to_owned),
        name,
        owners: vec![Choice::new("usr_01", "Ann Lee (ann@example.com)", true)],
        owner_error: owner_error.map(str::to_owned),
        more: true,
        return_to: return_to(),
    };
    let add = |candidates, error: Option<&str>| AddDialog {
        id: "grp_01".into(),
        name: "Finance <b>".into(),
        search: "<sam>".into(),
        candidates,
        more: true,
        error: error.map(str::to_owned),
        return_to: return_to(),
    };
    let candidate = Candidate {
        id: "usr_01".into(),
        who: Who::user("Sam <Rivera>"),
        email: Some("s@example.com".into()),
        chosen: true,
    };
    let delete = DeleteDialog { id: "grp_01".into(), name: "Finance <b>".into(), members: 3, return_to: return_to() };
    vec![
        ("groups", list(vec![row]).render()),
        ("groups-empty", list(Vec::new()).render()),
        ("group", show(members).render()),
        ("group-empty", show(Vec::new()).render()),
        ("group-create", form(None, Field::default(), None).render()),
        ("group-edit", form(Some("grp_01"), Field::refused("<i>", "Is taken."), Some("Choose an owner.")).render()),
        ("group-add", add(vec![candidate], Some("Choose somebody.")).render()),
        ("group-add-none", add(Vec::new(), None).render()),
        ("group-delete", delete.render()),
    ]
}
