//! Sample content about roles, and about handing the workspace over.

use super::*;

pub(super) fn offered(name: &str) -> ownership::Offered {
    ownership::Offered {
        id: "own_1".into(),
        name: name.into(),
        until: at("2026-11-30T09:00:00Z", "30 Nov 2026, 09:00"),
    }
}

pub(super) fn ownership_page() -> ownership::ShowPage {
    ownership::ShowPage {
        page: Page::new("Ownership", Theme::System),
        chrome: chrome(None),
        offer: offered("Ann Lee"),
        workspace: "Northwind Traders".into(),
    }
}

fn row(id: &str, name: &str, kind: roles::RoleKind, holders: &str) -> roles::RoleRow {
    roles::RoleRow {
        id: id.into(),
        name: name.into(),
        description: "What it is for & whom".into(),
        kind,
        permissions: 3,
        of: 18,
        holders: holders.into(),
        updated_at: today(),
        can_change: kind == roles::RoleKind::Custom,
    }
}

pub(super) fn roles_list() -> roles::ListPage {
    use roles::RoleKind::{BuiltIn, Custom, Owner};
    roles::ListPage {
        page: Page::new("Roles", Theme::System),
        chrome: Chrome { offer: Some(offered("<b>Bo</b> Chen")), ..chrome(Some(Section::Roles)) },
        list: Listing::new("/roles", &[], "name", Order::Ascending, true),
        rows: vec![
            row("role_1", "Owner", Owner, "1 user"),
            row("role_3", "Member", BuiltIn, "1,204 users and 3 API keys"),
            row("role_9", "<b>Auditor</b>", Custom, "nobody"),
        ],
        pager: Pager { first: 1, last: 3, total: Some(3), ..Pager::default() },
        can_manage: true,
    }
}

fn matrix(cells: &[bool]) -> Vec<roles::MatrixGroup> {
    let row = |name, title| roles::MatrixRow { name, title, cells: cells.to_vec() };
    vec![
        roles::MatrixGroup { title: "Events", rows: vec![row("events.view", "See the workspace's events")] },
        roles::MatrixGroup {
            title: "Users",
            rows: vec![row("users.view", "See users"), row("users.manage", "Change, block and remove users")],
        },
    ]
}

pub(super) fn matrix_page() -> roles::MatrixPage {
    let role = |id: &str, name: &str| roles::MatrixRole { id: id.into(), name: name.into() };
    roles::MatrixPage {
        page: Page::new("Permissions of roles", Theme::System),
        chrome: chrome(Some(Section::Roles)),
        roles: vec![role("role_1", "Owner"), role("role_9", "<b>Auditor</b>")],
        groups: matrix(&[true, false]),
    }
}

pub(super) fn role_page() -> roles::ShowPage {
    let member = |id: &str, who, blocked, is_self| roles::MemberRow { id: id.into(), who, blocked, is_self };
    roles::ShowPage {
        page: Page::new("Auditor", Theme::System),
        chrome: chrome(Some(Section::Roles)),
        role: row("role_9", "Auditor", roles::RoleKind::Custom, "2 users and 1 API key"),
        created_at: today(),
        allows: matrix(&[]),
        members: vec![
            member("key_1", Who::api_key("Billing sync"), true, false),
            member("usr_1", Who::user("Ann Lee"), false, true),
            member("usr_2", Who::user("<b>Bo</b> Chen"), false, false),
        ],
        pager: Pager { first: 1, last: 3, total: Some(3), ..Pager::default() },
        list: Listing::new("/roles/role_9", &[], "id", Order::Ascending, true),
        invites: Some("1 pending invite".into()),
        can_give: true,
    }
}

pub(super) fn role_dialog() -> roles::FormDialog {
    let choice = |name, title, checked, locked| roles::PermissionChoice { name, title, checked, locked };
    roles::FormDialog {
        id: Some("role_9".into()),
        name: Field::refused("Owner", "There is a role called Owner already."),
        description: Field::of("Sees what happens"),
        groups: vec![
            roles::PermissionGroup {
                title: "Events",
                choices: vec![choice("events.view", "See the workspace's events", true, false)],
            },
            roles::PermissionGroup {
                title: "Users",
                choices: vec![choice("users.manage", "Change, block and remove users", false, true)],
            },
        ],
        permissions_error: Some("Choose at least one permission.".into()),
        error: Some("Somebody changed this role meanwhile.".into()),
        seen: "7".into(),
        return_to: "/roles".into(),
    }
}

pub(super) fn give_dialog() -> roles::GiveDialog {
    let candidate = |id: &str, who, detail: &str, holds| roles::Candidate {
        id: id.into(),
        who,
        detail: detail.into(),
        holds,
        chosen: false,
    };
    roles::GiveDialog {
        id: "role_9".into(),
        name: "Auditor".into(),
        q: "b".into(),
        candidates: vec![
            candidate("usr_2", Who::user("<b>Bo</b> Chen"), "bo@example.com", true),
            candidate("key_1", Who::api_key("Billing sync"), "API key …x7Qp", false),
        ],
        more: true,
        error: Some("Choose who shall hold the role.".into()),
        return_to: "/roles/role_9".into(),
    }
}

pub(super) fn roles_dialog() -> users::RolesDialog {
    let role = |id: &str, name: &str, chosen, locked: Option<&str>| roles::RoleChoice {
        id: id.into(),
        name: name.into(),
        description: "What it is for".into(),
        is_owner: name == "Owner",
        chosen,
        held: chosen,
        locked: locked.map(str::to_owned),
    };
    users::RolesDialog {
        id: "usr_2".into(),
        name: "Bo Chen".into(),
        roles: vec![
            role("role_1", "Owner", false, Some("It allows what you may not do yourself (workspace.own)")),
            role("role_3", "Member", true, None),
        ],
        error: None,
        return_to: "/users".into(),
    }
}
