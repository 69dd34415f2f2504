//! Sample content about people: users, invites, signing in, the profile.

use super::*;

pub(super) fn users_list() -> users::ListPage {
    let all = users::UserActions { change: true, block: true, remove: true, leave: false, roles: true, offer: true };
    let own = users::UserActions { change: true, leave: true, ..users::UserActions::default() };
    let row = |id: &str, name: &str, email: &str, roles: &[&str], blocked, is_self, can| users::UserRow {
        id: id.into(),
        name: name.into(),
        email: email.into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        groups: if is_self { vec![] } else { vec!["Finance".into(), "Berlin".into()] },
        joined_at: today(),
        blocked,
        is_self,
        is_offered: id == "usr_3",
        can,
    };
    users::ListPage {
        page: Page::new("Users", Theme::System),
        chrome: chrome(Some(Section::Users)),
        list: Listing::new("/users", &[], "name", Order::Ascending, true),
        statuses: choices(&[("", "All statuses"), ("active", "Active"), ("blocked", "Blocked")]),
        roles: choices(&[("", "All roles"), ("role_1", "Owner")]),
        rows: vec![
            row("usr_1", "Ann Lee", "ann.lee@northwind.example", &["Owner"], false, true, own),
            row("usr_2", "<b>Bo</b> Chen", "bo.chen@northwind.example", &["Admin", "Auditor"], true, false, all),
            row(
                "usr_3",
                "Maximiliane von Hohenstein",
                "maximiliane.von.hohenstein@northwind.example",
                &[],
                false,
                false,
                all,
            ),
        ],
        pager: Pager { first: 1, last: 3, total: Some(3), ..Pager::default() },
        offered: Some(offered("Maximiliane von Hohenstein")),
        can_invite: true,
    }
}

pub(super) fn invites_list() -> invites::ListPage {
    use invites::InviteStatus::{Accepted, Deleted, Expired, Pending};
    let row = |n: u32, email: &str, status, url: Option<&str>| invites::InviteRow {
        id: format!("inv_{n}"),
        email: email.into(),
        roles: vec!["Member".into()],
        status,
        invited_by: Who::user("Ann Lee"),
        created_at: today(),
        expires_at: at("2026-11-30T09:00:00Z", "30 Nov 2026, 09:00"),
        url: url.map(str::to_owned),
    };
    invites::ListPage {
        page: Page::new("Invites", Theme::System),
        chrome: chrome(Some(Section::Invites)),
        list: Listing::new("/invites", &[], "created_at", Order::Descending, true),
        statuses: choices(&[("", "All statuses"), ("pending", "Pending")]),
        rows: vec![
            row(1, "new@example.com", Pending, Some("https://bellwire.example/invites/accept/tok")),
            row(2, "late@example.com", Expired, None),
            row(3, "here@example.com", Accepted, None),
            row(4, "not@example.com", Deleted, None),
        ],
        pager: Pager { first: 1, last: 4, total: Some(4), ..Pager::default() },
        can_manage: true,
    }
}

pub(super) fn invite_dialog() -> invites::FormDialog {
    invites::FormDialog {
        email: Field::refused("ann", "Enter an e-mail address."),
        roles: choices(&[("role_3", "Member"), ("role_2", "Admin"), ("role_1", "Owner")]),
        roles_error: None,
        return_to: "/invites".into(),
    }
}

pub(super) fn setup_page() -> SetupPage {
    SetupPage {
        page: Page::new("Set up", Theme::System),
        token: "tok".into(),
        workspace: Field::of("Northwind Traders"),
        name: Field::default(),
        email: Field::default(),
        password: Field::refused("", "Use at least 12 characters."),
    }
}

pub(super) fn sign_in_page() -> SignInPage {
    SignInPage {
        page: Page::new("Sign in", Theme::System),
        email: Field::of("ann.lee@northwind.example"),
        error: Some("The e-mail or the password is wrong.".into()),
        return_to: "/webhooks".into(),
    }
}

pub(super) fn readers() -> [(&'static str, InvitedReader); 2] {
    [
        ("accept-new", InvitedReader::New { name: Field::default(), password: Field::default() }),
        ("accept-known", InvitedReader::Known { password: Field::default() }),
    ]
}

pub(super) fn accept_page(reader: InvitedReader) -> AcceptInvitePage {
    AcceptInvitePage {
        page: Page::new("Join Northwind Traders", Theme::System),
        token: "tok".into(),
        workspace: "Northwind Traders".into(),
        invited_by: "Ann Lee".into(),
        email: "new@example.com".into(),
        reader,
    }
}

pub(super) fn profile_page() -> ProfilePage {
    ProfilePage {
        page: Page::new("Profile", Theme::System),
        chrome: chrome(None),
        name: Field::of("Ann Lee"),
        email: "ann.lee@northwind.example".into(),
        current_password: Field::refused("", "This is not your password."),
        new_password: Field::default(),
    }
}
