//! Sample content for every page and dialog.

use super::super::account::*;
use super::super::listing::{Listing, Order};
use super::super::parts::*;
use super::super::recent::{Bar, Strip};
use super::super::selected::{SelectedChange, SelectedDialog};
use super::super::webhooks::*;
use super::super::{Chrome, Dialog, NavItem, Page, Section, Theme, Toast, WorkspaceChoice};
use super::super::{api_keys, events, groups, invites, license, ownership, roles, settings, users, webhooks};
use askama::Template;

mod api_key_pages;
mod event_pages;
mod group_pages;
mod licenses;
mod people;
mod roles_and_ownership;
mod webhook_pages;
use people::*;
use roles_and_ownership::*;

/// Every page and dialog by a name of its own.
pub(super) fn samples() -> Vec<(&'static str, String)> {
    let mut all: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name, html: askama::Result<String>| all.push((name, html.unwrap()));

    let mut list = webhook_list();
    list.page.toasts = vec![
        Toast::success("Webhook created.").with_link("/webhooks/wh_01", "See its secret"),
        Toast::error("The last change could not be saved."),
    ];
    add("webhooks-toast", list.render());
    add("webhooks", webhook_list().render());
    let mut empty = webhook_list();
    empty.rows.clear();
    add("webhooks-empty", empty.render());
    empty.list = Listing::new("/webhooks", &[("q", "nothing like it")], "created_at", Order::Descending, true);
    add("webhooks-none-matching", empty.render());
    let mut beginning = webhook_list();
    beginning.rows.truncate(1);
    beginning.guide = Some(Guide { webhook: Some("wh_01".into()), heard: false, tested: false, beside: true });
    add("webhooks-guide", beginning.render());
    beginning.rows.clear();
    beginning.guide = Some(Guide { webhook: None, heard: false, tested: false, beside: true });
    add("webhooks-empty-guide", beginning.render());
    for (name, change) in ["dialog-activate-selected", "dialog-deactivate-selected", "dialog-delete-selected"]
        .into_iter()
        .zip(SelectedChange::ALL)
    {
        let webhooks = URLS.iter().cycle().take(10).zip(1..).map(|(url, n)| (format!("wh_{n:02}"), (*url).to_owned()));
        let held = change == SelectedChange::Activate;
        add(
            name,
            SelectedDialog { change, webhooks: webhooks.collect(), held, return_to: "/webhooks".into() }.render(),
        );
    }
    let mut read_only = webhook_list();
    read_only.can_manage = false;
    add("webhooks-read-only", read_only.render());
    let mut without_script = webhook_list();
    without_script.chrome.dialog = Some(Dialog::render(&form_dialog()).unwrap());
    add("webhooks-new-without-script", without_script.render());

    add("dialog-create", form_dialog().render());
    add("dialog-create-refused", refused_dialog().render());
    add("dialog-modify", FormDialog { id: Some("wh_01".into()), url: Field::of(URLS[0]), ..form_dialog() }.render());
    add("dialog-delete", delete_dialog().render());
    add("dialog-activate", activate_dialog().render());
    for (name, reason) in reasons() {
        add(name, reason.render());
    }
    add("users", users_list().render());
    let name = || "Ann Lee".to_owned();
    let return_to = || "/users".to_owned();
    let field = Field::refused("", "Enter a name.");
    add(
        "dialog-profile",
        users::ProfileDialog {
            id: "usr_1".into(),
            email: "ann@example.com".into(),
            name: field,
            return_to: return_to(),
        }
        .render(),
    );
    add(
        "dialog-block",
        users::BlockDialog { id: "usr_1".into(), name: name(), reason: Field::default(), return_to: return_to() }
            .render(),
    );
    add(
        "dialog-remove",
        users::RemoveDialog {
            id: "usr_1".into(),
            name: name(),
            heritage: "They own 1 webhook: this stays and goes to you.".into(),
            return_to: return_to(),
        }
        .render(),
    );
    let workspace = || "Northwind".to_owned();
    add(
        "dialog-offer",
        ownership::OfferDialog { id: "usr_1".into(), name: name(), workspace: workspace(), return_to: return_to() }
            .render(),
    );
    add("dialog-user-roles", roles_dialog().render());
    add("ownership", ownership_page().render());
    add("roles", roles_list().render());
    add("role", role_page().render());
    add("role-unheld", roles::ShowPage { members: vec![], ..role_page() }.render());
    add("matrix", matrix_page().render());
    add("dialog-role", role_dialog().render());
    add("dialog-give", give_dialog().render());
    for (name, used_by) in [("dialog-delete-role", None), ("dialog-delete-used-role", Some("2 users".to_owned()))] {
        let (id, by_invites) = ("role_9".to_owned(), used_by.is_some());
        let return_to = "/roles".to_owned();
        add(name, roles::DeleteDialog { id, name: "Auditor".into(), used_by, by_invites, return_to }.render());
    }
    let error = Some("You are the owner. Make somebody else the owner first.".to_owned());
    add(
        "dialog-leave",
        users::LeaveDialog {
            workspace: workspace(),
            heritage: "You own no webhooks and no groups.".into(),
            error,
            return_to: return_to(),
        }
        .render(),
    );
    add("invites", invites_list().render());
    let mut no_invites = invites_list();
    no_invites.rows.clear();
    add("invites-empty", no_invites.render());
    add("dialog-invite", invite_dialog().render());
    let email = "new@example.com".to_owned();
    add(
        "dialog-delete-invite",
        invites::DeleteDialog { id: "inv_1".into(), email, return_to: "/invites".into() }.render(),
    );

    let pages = [
        webhook_pages::samples(),
        event_pages::samples(),
        group_pages::samples(),
        api_key_pages::samples(),
        licenses::samples(),
    ];
    for (name, html) in pages.into_iter().flatten() {
        add(name, html);
    }

    add("setup", setup_page().render());
    add("sign-in", sign_in_page().render());
    for (name, reader) in readers() {
        add(name, accept_page(reader).render());
    }
    let page = || Page::new("Choose a workspace", Theme::System);
    add("workspaces", WorkspacesPage { page: page(), workspaces: workspaces() }.render());
    add("workspaces-none", WorkspacesPage { page: page(), workspaces: vec![] }.render());
    add("profile", profile_page().render());
    for (name, error) in [
        ("error-400", PageError::BadRequest),
        ("error-403", PageError::Forbidden),
        ("error-404", PageError::NotFound),
        ("error-410", PageError::LinkGone),
        ("error-429", PageError::TooMany),
        ("error-500", PageError::Internal),
        ("error-503", PageError::Unavailable),
        ("error-507", PageError::StorageFull),
    ] {
        let request_id = if error == PageError::Internal { "req_7f3a".to_owned() } else { String::new() };
        add(name, ErrorPage { page: Page::new("Error", Theme::System), error, request_id }.render());
    }
    all
}

/// One sample.
pub(super) fn named(name: &str) -> String {
    samples().into_iter().find(|(other, _)| *other == name).map(|(_, html)| html).unwrap()
}

const URLS: [&str; 7] = [
    "https://hooks.northwind.example/bellwire/production/account-events",
    "https://api.contoso.example/v2/webhooks/incoming/7d2f0c1e-93b4-4e1a-8d52-6f0a1b2c3d4e",
    "https://automation.fabrikam.example/hooks/catch/1284733/bhq92k1/",
    "https://audit.internal.example:8443/in",
    "https://crm.example.com/webhook",
    "https://functions.tailspin.example/api/HttpTrigger?code=Zm9vYmFyYmF6cXV4",
    "https://very-long-subdomain-for-the-sake-of-the-test.eu-central-1.compute.example.net/a/rather/long/path/that/goes/on",
];

fn at(iso: &str, text: &str) -> Moment {
    Moment { iso: iso.into(), text: text.into() }
}

fn today() -> Moment {
    at("2026-11-23T09:00:00Z", "23 Nov 2026, 09:00")
}

fn chrome(section: Option<Section>) -> Chrome {
    Chrome {
        here: section.map_or("/profile", Section::path).into(),
        workspace: "Northwind Traders".into(),
        workspaces: workspaces(),
        user_name: "Ann Lee".into(),
        user_email: "ann.lee@northwind.example".into(),
        nav: Section::ALL.map(|item| NavItem { section: item, current: Some(item) == section }).into(),
        live: "webhooks",
        offer: None,
        dialog: None,
    }
}

fn workspaces() -> Vec<WorkspaceChoice> {
    let of = |id: &str, name: &str, current| WorkspaceChoice { id: id.into(), name: name.into(), current };
    vec![
        of("ws_1", "Northwind Traders", true),
        of("ws_2", "Contoso", false),
        of("ws_3", "Fabrikam Research and Development", false),
    ]
}

fn chips(wanted: [usize; 6]) -> Vec<ActorChip> {
    CATALOGUE
        .iter()
        .zip(wanted)
        .filter(|(_, wanted)| *wanted > 0)
        .map(|((key, title, _, types), wanted)| ActorChip {
            key: (*key).into(),
            title: (*title).into(),
            wanted,
            of: types.len(),
        })
        .collect()
}

fn webhook_list() -> webhooks::ListPage {
    use WebhookStatus::{Active, Failing, Fine, Inactive};
    let rows = [
        (URLS[0], [7, 5, 5, 5, 6, 10], Fine, "Everything, into the data warehouse", Who::user("Ann Lee"), 0),
        (URLS[1], [2, 0, 0, 0, 0, 0], Failing, "", Who::api_key("Terraform"), 0),
        (URLS[2], [7, 5, 0, 0, 0, 0], Inactive, "Zap: tell #people", Who::user("Maximiliane von Hohenstein"), 1284),
        (URLS[3], [7, 5, 5, 5, 6, 0], Inactive, "", Who::user("Ann Lee"), 0),
        (URLS[4], [0, 5, 0, 0, 0, 0], Active, "", Who::user("Bo Chen"), 0),
        (URLS[5], [0, 0, 0, 0, 0, 3], Active, "Balance alerts", Who::api_key("Azure"), 0),
        (URLS[6], [0, 0, 5, 5, 2, 0], Active, "", Who::user("Bo Chen"), 0),
    ];
    let rows = rows.into_iter().zip(1..).map(|((url, wanted, status, description, owner, held), n)| WebhookRow {
        id: format!("wh_{n:02}"),
        actor_types: chips(wanted),
        url: LongUrl::new(url),
        description: description.into(),
        owner,
        formerly: if n == 2 { "was Bob Ray’s".into() } else { String::new() },
        created_at: today(),
        why: match status {
            Active | Fine => String::new(),
            Failing => "All attempts fail. Will be turned off on 28 Nov 2026, 09:00 UTC.".into(),
            Inactive => "Turned off by hand. By Bo Chen, 23 Nov 2026, 09:00 UTC.".into(),
        },
        status,
        strip: strip(status, n),
        held,
    });
    webhooks::ListPage {
        page: Page::new("Webhooks", Theme::System),
        chrome: chrome(Some(Section::Webhooks)),
        list: Listing::new("/webhooks", &[], "created_at", Order::Descending, true),
        rows: rows.collect(),
        pager: Pager {
            first: 1,
            last: 50,
            total: Some(1234),
            next: Some("/webhooks?page=2".into()),
            ..Pager::default()
        },
        statuses: choices(&[
            ("", "All statuses"),
            ("active", "Active"),
            ("failing", "Failing"),
            ("inactive", "Inactive"),
        ]),
        actor_types: std::iter::once(Choice::new("", "All actor types", true))
            .chain(CATALOGUE.iter().map(|(key, title, ..)| Choice::new(*key, *title, false)))
            .collect(),
        guide: None,
        can_manage: true,
    }
}

fn strip(status: WebhookStatus, n: usize) -> Strip {
    let bars = match status {
        WebhookStatus::Active if n == 7 => vec![],
        WebhookStatus::Active | WebhookStatus::Fine => {
            (0..Strip::BARS).map(|at| if at == n { Bar::Failed } else { Bar::Delivered }).collect()
        }
        WebhookStatus::Failing => [[Bar::Delivered; 9], [Bar::Failed; 9]].concat(),
        WebhookStatus::Inactive => vec![Bar::Waiting; 5],
    };
    Strip { bars }
}

fn choices(of: &[(&str, &str)]) -> Vec<Choice> {
    of.iter().enumerate().map(|(n, (value, text))| Choice::new(*value, *text, n == 0)).collect()
}

fn form_dialog() -> FormDialog {
    FormDialog {
        id: None,
        return_to: "/webhooks".into(),
        url: Field::default(),
        description: Field::default(),
        groups: groups(&[]),
        webhook_deactivated: false,
        event_types_error: None,
        headers: Field::default(),
        rate_limit: Field::default(),
        error: None,
    }
}

fn refused_dialog() -> FormDialog {
    FormDialog {
        url: Field::refused("http://10.0.0.7/hook", "This address is private: webhooks may not call it."),
        groups: groups(&["user.blocked", "user.removed", "invite.created"]),
        event_types_error: Some("Select at least one event.".into()),
        rate_limit: Field::refused("0", "Enter a number from 1 to 10,000, or nothing."),
        ..form_dialog()
    }
}

fn groups(checked: &[&str]) -> Vec<EventGroup> {
    let group = |(key, title, description, types): &(&str, &str, &str, &[(&str, &str)])| EventGroup {
        key: (*key).into(),
        title: (*title).into(),
        description: (*description).into(),
        all: false,
        types: types
            .iter()
            .map(|(name, title)| EventChoice {
                name: (*name).into(),
                title: (*title).into(),
                description: format!("Sent when this happens: {title}."),
                checked: checked.contains(name),
            })
            .collect(),
    };
    CATALOGUE.iter().map(group).collect()
}

fn delete_dialog() -> DeleteDialog {
    let list = || "/webhooks".to_owned();
    DeleteDialog { id: "wh_01".into(), url: URLS[0].into(), pending: 3, back: list(), return_to: list() }
}

fn activate_dialog() -> ActivateDialog {
    ActivateDialog { id: "wh_03".into(), url: URLS[2].into(), held: 1284, return_to: "/webhooks".into() }
}

fn reasons() -> Vec<(&'static str, ReasonDialog)> {
    let failing = ReasonDialog {
        id: "wh_03".into(),
        url: URLS[2].into(),
        reason: Reason::Failing { for_time: "5 days".into() },
        at: today(),
        by: Who::system(),
        message: String::new(),
        evidence: Evidence {
            first_failure: Some(at("2026-11-18T08:58:12Z", "18 Nov 2026, 08:58")),
            attempts: 412,
            last_error: Some(LastError {
                text: "503 Service Unavailable".into(),
                at: today(),
                delivery: Some("dlv_1".into()),
            }),
        },
        held: 1284,
        can_manage: true,
        return_to: "/webhooks".into(),
    };
    let manual = ReasonDialog {
        reason: Reason::Manual,
        by: Who::user("Bo Chen"),
        message: "We are moving to the new receiver this week.".into(),
        evidence: Evidence::default(),
        held: 1,
        ..failing.clone()
    };
    let active = Reason::StillActive { off_at: at("2026-11-25T08:58:12Z", "25 Nov 2026, 08:58") };
    vec![
        ("reason-manual", manual),
        ("reason-gone", ReasonDialog { reason: Reason::Gone, held: 0, ..failing.clone() }),
        (
            "reason-forbidden",
            ReasonDialog { reason: Reason::DestinationForbidden, can_manage: false, ..failing.clone() },
        ),
        ("reason-still-active", ReasonDialog { reason: active, ..failing.clone() }),
        ("reason-failing", failing),
    ]
}

/// Key, title, description, and the types with their titles.
type Group = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const CATALOGUE: [Group; 6] = [
    (
        "users",
        "Users",
        "Users’ status change and management",
        &[
            ("user.joined", "User joined"),
            ("user.updated", "User updated"),
            ("user.blocked", "User blocked"),
            ("user.unblocked", "User unblocked"),
            ("user.removed", "User removed"),
            ("user.left", "User left"),
            ("user.ownership_transferred", "Ownership transferred"),
        ],
    ),
    (
        "invites",
        "Invites",
        "Creation and deletion of invites",
        &[
            ("invite.created", "Invite created"),
            ("invite.resent", "Invite resent"),
            ("invite.accepted", "Invite accepted"),
            ("invite.expired", "Invite expired"),
            ("invite.deleted", "Invite deleted"),
        ],
    ),
    (
        "groups",
        "Groups",
        "User groups creation and management",
        &[
            ("group.created", "Group created"),
            ("group.updated", "Group updated"),
            ("group.deleted", "Group deleted"),
            ("group.member_added", "Member added"),
            ("group.member_removed", "Member removed"),
        ],
    ),
    (
        "roles",
        "Roles",
        "User roles creation and management",
        &[
            ("role.created", "Role created"),
            ("role.updated", "Role updated"),
            ("role.deleted", "Role deleted"),
            ("role.assigned", "Role assigned"),
            ("role.unassigned", "Role unassigned"),
        ],
    ),
    (
        "api_keys",
        "API Keys",
        "API keys creation and management",
        &[
            ("api_key.created", "API key created"),
            ("api_key.updated", "API key updated"),
            ("api_key.secret_rotated", "Secret rotated"),
            ("api_key.blocked", "API key blocked"),
            ("api_key.unblocked", "API key unblocked"),
            ("api_key.deleted", "API key deleted"),
        ],
    ),
    (
        "state_changes",
        "State changes",
        "The balance of state changes within your license",
        &[
            ("state_changes.credited", "State changes credited"),
            ("state_changes.threshold_reached", "Threshold reached"),
            ("state_changes.exhausted", "Balance exhausted"),
            ("state_changes.replenished", "Balance replenished"),
            ("license.issued", "License issued"),
            ("license.updated", "License updated"),
            ("license.expiring", "License expiring"),
            ("license.expired", "License expired"),
            ("license.blocked", "License blocked"),
            ("license.unblocked", "License unblocked"),
        ],
    ),
];
