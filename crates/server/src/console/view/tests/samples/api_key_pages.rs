//! Sample content about API keys.

use super::*;
use api_keys::{ApiKeyRow, BlockDialog, DeleteDialog, FormDialog, ListPage, RotateDialog, SecretDialog};

fn list(rows: Vec<ApiKeyRow>) -> ListPage {
    ListPage {
        page: Page::new("API Keys", Theme::System),
        chrome: chrome(Some(Section::ApiKeys)),
        list: Listing::new("/api-keys", &[("q", "")], "name", Order::Ascending, true),
        statuses: vec![Choice::new("", "All statuses", true)],
        pager: Pager { first: 1, last: 2, total: Some(2), ..Pager::default() },
        rows,
        can_manage: true,
    }
}

pub(super) fn samples() -> Vec<(&'static str, askama::Result<String>)> {
    let return_to = || "/api-keys".to_owned();
    let name = || "Billing <sync>".to_owned();
    let row = |id: &str, reason: Option<&str>| ApiKeyRow {
        id: id.into(),
        name: name(),
        hint: "7a3f".into(),
        roles: vec!["Member".into()],
        created_at: today(),
        created_by: Who::user("Ann Lee"),
        last_used_at: reason.map(|_| today()),
        blocked: reason.is_some(),
        reason: reason.map(str::to_owned),
        can_act: true,
    };
    let role = roles::RoleChoice {
        id: "role_01".into(),
        name: "Owner".into(),
        description: "May do everything".into(),
        is_owner: true,
        chosen: true,
        held: true,
        locked: None,
    };
    let form = |id: Option<&str>, name, error: Option<&str>| FormDialog {
        id: id.map(str::to_owned),
        name,
        roles: vec![role.clone()],
        roles_error: error.map(|_| "Choose at least one role.".to_owned()),
        error: error.map(str::to_owned),
        return_to: return_to(),
    };
    let secret = |rotated| SecretDialog { name: name(), secret: "bw_AAEC".into(), rotated, return_to: return_to() };
    let (id, hint, error) = ("key_01".to_owned(), "7a3f".to_owned(), Some("Your roles don't allow this.".to_owned()));
    let rotate = RotateDialog { id: id.clone(), name: name(), hint, error, return_to: return_to() };
    let block = BlockDialog { id: id.clone(), name: name(), reason: Field::default(), return_to: return_to() };
    let heritage = "It owns 2 webhooks and 1 group: these stay and go to you.".to_owned();
    let delete = DeleteDialog { id, name: name(), heritage, return_to: return_to() };
    vec![
        ("api-keys", list(vec![row("key_01", None), row("key_02", Some("<leaked>"))]).render()),
        ("api-keys-empty", list(Vec::new()).render()),
        ("api-key-create", form(None, Field::default(), None).render()),
        ("api-key-edit", form(Some("key_01"), Field::refused("<i>", "Is too long."), Some("No.")).render()),
        ("api-key-created", secret(false).render()),
        ("api-key-rotated", secret(true).render()),
        ("api-key-rotate", rotate.render()),
        ("api-key-block", block.render()),
        ("api-key-delete", delete.render()),
    ]
}
