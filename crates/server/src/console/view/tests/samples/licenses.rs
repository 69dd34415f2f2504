//! Sample content about the license.

use super::*;
use license::{
    Balance, BlockDialog, CreditDialog, CreditRow, Day, EditDialog, LicenseStatus, ShowPage, ThresholdsDialog, Usage,
};

fn page() -> ShowPage {
    let days = (1..=30).map(|day: i64| Day {
        text: format!("{day} Nov 2026"),
        amount: if day < 24 { (day * 37 % 11) * 912 } else { 0 },
        is_ahead: day > 23,
    });
    let credit = |amount, source: &str, note: &str, by| CreditRow {
        at: today(),
        amount,
        source: source.into(),
        note: note.into(),
        by,
        balance: 104_200,
    };
    ShowPage {
        page: Page::new("License", Theme::System),
        chrome: chrome(Some(Section::License)),
        id: "lic_01".into(),
        plan: "Business <b>".into(),
        status: LicenseStatus::Active,
        renews: true,
        period_start: at("2026-11-01T00:00:00Z", "1 Nov 2026, 00:00"),
        period_end: at("2026-12-01T00:00:00Z", "1 Dec 2026, 00:00"),
        balance: Balance { included: 100_000, extra: 20_000, used: 100_104, thresholds: vec![(80, true), (90, false)] },
        usage: Usage { days: days.collect(), newest_only: false },
        credits: vec![
            credit(20_000, "Purchase", "Order <4711>", Who::user("Ann Lee")),
            credit(100_000, "Renewal", "", Who::system()),
        ],
        pager: Pager { first: 1, last: 2, total: Some(2), ..Pager::default() },
        can_manage: true,
    }
}

pub(super) fn samples() -> Vec<(&'static str, askama::Result<String>)> {
    let return_to = || "/license".to_owned();
    let blocked = LicenseStatus::Blocked { reason: "invoice <overdue>".into() };
    let over = Balance { included: 100_000, extra: 0, used: 123_456, thresholds: vec![] };
    let nothing = Balance { included: 100_000, ..Balance::default() };
    let edit = || EditDialog {
        plan: Field::of("Business"),
        included: Field::of("500,000"),
        period_end: Field::refused("2020-01-01", "Must lie in the future."),
        renews: true,
        is_expired: true,
        return_to: return_to(),
    };
    let thresholds = || ThresholdsDialog {
        thresholds: Field::refused("90, 80", "Are out of order: 80 must not come after 90."),
        return_to: return_to(),
    };
    let with_dialog = |dialog: Dialog| {
        let mut page = page();
        page.chrome.dialog = Some(dialog);
        page.render()
    };
    vec![
        ("license", page().render()),
        ("license-edit-without-script", with_dialog(Dialog::render(&edit()).unwrap())),
        ("license-thresholds-without-script", with_dialog(Dialog::render(&thresholds()).unwrap())),
        ("license-blocked", ShowPage { status: blocked, balance: over, ..page() }.render()),
        ("license-expired", ShowPage { status: LicenseStatus::Expired, renews: false, ..page() }.render()),
        (
            "license-read-only",
            ShowPage { can_manage: false, credits: vec![], usage: Usage::default(), balance: nothing, ..page() }
                .render(),
        ),
        (
            "dialog-credit",
            CreditDialog {
                key: "0f".into(),
                amount: Field::refused("a lot", "Must be a whole number from 1 to 1,000,000,000,000."),
                sources: choices(&[("purchase", "Purchase"), ("bonus", "Bonus")]),
                note: Field::default(),
                error: Some("Choose where they come from.".into()),
                return_to: return_to(),
            }
            .render(),
        ),
        ("dialog-license", edit().render()),
        ("dialog-thresholds", thresholds().render()),
        ("dialog-block-license", BlockDialog { reason: Field::default(), return_to: return_to() }.render()),
    ]
}
