//! Every page and dialog with sample content: rules that must hold for all of them, and a way to look at them.

mod samples;

use super::*;
use samples::samples;

/// The values of an attribute, in the order of the page.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The opening tags of an element.
fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("<{name} ");
    html.split(start.as_str()).skip(1).filter_map(|rest| rest.split('>').next()).collect()
}

#[test]
fn nothing_needs_an_exception_from_the_content_security_policy() {
    for (name, html) in samples() {
        assert!(!html.contains(" style="), "{name} has a style attribute");
        assert!(!html.contains("<style"), "{name} has an inline style sheet");
        assert!(html.matches("<script").count() <= 1, "{name} has a script of its own");
        let handlers = [" onclick=", " onchange=", " onsubmit=", " onload=", "javascript:"];
        assert!(!handlers.iter().any(|handler| html.contains(handler)), "{name} has an inline handler");
        for address in attributes(&html, "src").into_iter().chain(attributes(&html, "action")) {
            assert!(address.starts_with('/') && !address.starts_with("//"), "{name} leads away: {address}");
        }
    }
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    for (name, html) in samples() {
        let mut ids = attributes(&html, "id");
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name} uses an id twice");
        for attribute in ["for", "aria-describedby", "aria-labelledby", "popovertarget", "form"] {
            for id in attributes(&html, attribute) {
                assert!(ids.contains(&id), "{name}: {attribute}={id} leads nowhere");
            }
        }
        // Fragments use the symbols of the page that they are shown in.
        if html.contains("<!doctype html>") {
            for symbol in attributes(&html, "href").into_iter().filter_map(|href| href.strip_prefix('#')) {
                assert!(ids.contains(&symbol), "{name}: #{symbol} leads nowhere");
            }
        }
    }
}

#[test]
fn every_control_has_a_name_and_every_change_is_a_post() {
    for (name, html) in samples() {
        for tag in tags(&html, "a").into_iter().chain(tags(&html, "button")) {
            let only_icon = tag.contains("icon-button") || tag.contains("role=\"switch\"");
            assert!(!only_icon || tag.contains("aria-label="), "{name}: no name for <{tag}>");
        }
        for tag in tags(&html, "input") {
            let labelled = tag.contains("aria-label=") || tag.contains(" id=\"") || tag.contains("type=\"hidden\"");
            let in_label = tag.contains("type=\"checkbox\"") || tag.contains("type=\"radio\"");
            assert!(labelled || in_label, "{name}: no label for <{tag}>");
        }
        for tag in tags(&html, "form") {
            let asks = tag.contains("method=\"get\"") && (tag.contains("data-swap") || tag.contains("data-dialog"));
            assert!(asks || tag.contains("method=\"post\""), "{name}: <{tag}>");
        }
    }
}

#[test]
fn the_create_dialog_has_six_fieldsets_and_one_box_outside() {
    let html = samples::named("dialog-create");
    assert!(html.contains(">Create webhook</h2>"));
    assert_eq!(html.matches("<fieldset").count(), 6);
    let legends: Vec<_> = html.split("<legend>").skip(1).filter_map(|rest| rest.split("</legend>").next()).collect();
    assert_eq!(legends, ["Users", "Invites", "Groups", "Roles", "API Keys", "State changes"]);
    let after = html.rsplit("</fieldset>").next().unwrap();
    assert!(after.contains("value=\"webhook.deactivated\""));
}

#[test]
fn a_refused_form_keeps_what_was_typed_and_says_what_is_wrong() {
    let html = samples::named("dialog-create-refused");
    let url = tags(&html, "input").into_iter().find(|tag| tag.contains("name=\"url\"")).unwrap();
    assert!(
        url.contains("value=\"http:&#x2f;&#x2f;10.0.0.7&#x2f;hook\"") || url.contains("value=\"http://10.0.0.7/hook\""),
        "{url}"
    );
    assert!(url.contains("aria-invalid=\"true\"") && url.contains("aria-describedby=\"url-error\""));
    assert!(html.contains("id=\"event_types-error\""));
    assert!(html.contains("value=\"user.blocked\" checked"), "a ticked box stays ticked");
}

#[test]
fn the_list_has_the_columns_in_their_order_and_four_of_them_sort() {
    let html = samples::named("webhooks");
    let head = html.split("<thead>").nth(1).and_then(|rest| rest.split("</thead>").next()).unwrap();
    let places: Vec<_> = ["Actor types", "URL", "Owner", "Create date", "Status"]
        .iter()
        .map(|title| head.find(&format!(">{title}<")).unwrap_or_else(|| panic!("no column {title}")))
        .collect();
    assert!(places.is_sorted());
    assert_eq!(attributes(head, "aria-sort"), ["none", "none", "descending", "none"]);
    assert!(!head.split("URL").next().unwrap().contains("aria-sort=\"descending\""));
}

#[test]
fn the_dot_says_why_and_the_switch_asks_about_held_events() {
    let html = samples::named("webhooks");
    assert!(html.contains("aria-label=\"Why is this webhook inactive?\""));
    assert!(
        html.contains("action=\"/webhooks/wh_03/activate\" data-dialog"),
        "held events: the switch opens the dialog"
    );
    assert!(html.contains("action=\"/webhooks/wh_04/activate\" data-enhance"), "nothing held: the switch turns it on");
    assert!(html.contains("data-copy=\"wh_01\" data-said=\"Webhook ID copied\" aria-label=\"Copy Webhook ID\""));
}

#[test]
fn a_page_with_a_dialog_is_inert_beneath_it() {
    let html = samples::named("webhooks-new-without-script");
    assert!(html.contains("id=\"shell\" inert"));
    assert_eq!(html.matches("<dialog open").count(), 1);
}

#[test]
fn text_is_escaped() {
    let html = samples::named("users");
    assert!(!html.contains("<b>Bo</b>"));
    assert!(html.contains("&#60;b&#62;Bo&#60;/b&#62;"));
}

#[test]
fn initials_are_at_most_two_letters() {
    assert_eq!(initials("Ann Lee"), "AL");
    assert_eq!(initials("ann maria lee"), "AL");
    assert_eq!(initials("Cher"), "C");
    assert_eq!(initials(""), "");
}

/// Writes every page to the folder in `BELLWIRE_PREVIEW`, to be looked at in a browser.
#[test]
#[ignore = "writes files: run it by name to look at the pages"]
fn preview() {
    let folder = std::path::PathBuf::from(std::env::var_os("BELLWIRE_PREVIEW").expect("a folder in BELLWIRE_PREVIEW"));
    std::fs::create_dir_all(folder.join("static")).unwrap();
    for asset in assets::ALL.iter() {
        std::fs::write(folder.join("static").join(asset.name), &asset.bytes).unwrap();
    }
    for (name, html) in samples() {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}
