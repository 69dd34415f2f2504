//! The static files of the console, compiled in, and the version that their addresses carry.
//!
//! They are served under `/static/` with a year of caching: the address changes with the content. The stylesheet and the
//! script are written in parts, one subject a file, joined when this is compiled, in the order that stands here, and sent
//! without comments and indentation: those are for who writes them, and a seventh of what would go over the wire.

use std::sync::LazyLock;

use axum::body::Bytes;

/// A file under `/static/`.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    /// The last part of the path.
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Bytes,
}

const CSS: &str = concat!(
    include_str!("../static/css/tokens.css"),
    include_str!("../static/css/base.css"),
    include_str!("../static/css/layout.css"),
    include_str!("../static/css/plain.css"),
    include_str!("../static/css/buttons.css"),
    include_str!("../static/css/menus.css"),
    include_str!("../static/css/messages.css"),
    include_str!("../static/css/status.css"),
    include_str!("../static/css/names.css"),
    include_str!("../static/css/forms.css"),
    include_str!("../static/css/tables.css"),
    include_str!("../static/css/dialogs.css"),
    include_str!("../static/css/texts.css"),
    include_str!("../static/css/code.css"),
    include_str!("../static/css/charts.css"),
    include_str!("../static/css/webhooks.css"),
    include_str!("../static/css/choices.css"),
    include_str!("../static/css/roles.css"),
    include_str!("../static/css/license.css"),
    include_str!("../static/css/deliveries.css"),
    include_str!("../static/css/narrow.css"),
    include_str!("../static/css/contrast.css"),
    include_str!("../static/css/print.css"),
);
const JS: &str = concat!(
    include_str!("../static/js/base.js"),
    include_str!("../static/js/times.js"),
    include_str!("../static/js/messages.js"),
    include_str!("../static/js/morph.js"),
    include_str!("../static/js/pages.js"),
    include_str!("../static/js/dialogs.js"),
    include_str!("../static/js/sending.js"),
    include_str!("../static/js/event_types.js"),
    include_str!("../static/js/copying.js"),
    include_str!("../static/js/holding_back.js"),
    include_str!("../static/js/rows.js"),
    include_str!("../static/js/live.js"),
    include_str!("../static/js/wiring.js"),
);
const ICON: &[u8] = include_bytes!("../static/icon.svg");

/// Everything under `/static/`.
pub(crate) static ALL: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset {
            name: "console.css",
            content_type: "text/css; charset=utf-8",
            bytes: without_indentation(&without_comments(CSS)).into(),
        },
        Asset {
            name: "console.js",
            content_type: "text/javascript; charset=utf-8",
            bytes: without_indentation(JS).into(),
        },
        Asset { name: "icon.svg", content_type: "image/svg+xml", bytes: Bytes::from_static(ICON) },
    ]
});

/// A stylesheet without its comments. None of its texts contains the beginning of one.
fn without_comments(css: &str) -> String {
    let mut parts = css.split("/*");
    let before = parts.next().unwrap_or_default();
    let after = parts.filter_map(|part| part.split_once("*/")).map(|(_, rest)| rest);
    std::iter::once(before).chain(after).collect()
}

/// A text without what its lines begin with, without empty lines, and without those that are nothing but a comment of a
/// script. Nothing that is quoted in it goes over a line.
fn without_indentation(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Changes when a static file changes (64-bit FNV-1a over all of them).
static VERSION: LazyLock<u64> = LazyLock::new(|| {
    let bytes = ALL.iter().flat_map(|asset| asset.bytes.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
});

/// The address of a static file, version included.
pub(crate) fn href(name: &str) -> String {
    format!("/static/{name}?v={:016x}", *VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_for_writers_is_left_out() {
        let css = "/* Head. */\n@layer parts {\n  a { color: red; } /* b */\n\n  p { margin: 0; }\n}\n";
        let sent = without_indentation(&without_comments(css));
        assert_eq!(sent, "@layer parts {\na { color: red; }\np { margin: 0; }\n}\n");
        let js = "// Head.\nconst a = 1; // why\n  go(\"//x\");\n";
        assert_eq!(without_indentation(js), "const a = 1; // why\ngo(\"//x\");\n");
    }

    /// What the two functions rely on.
    #[test]
    fn texts_in_the_files_are_simple() {
        assert_eq!(CSS.matches("/*").count(), CSS.matches("*/").count());
        for quoted in CSS.split('"').skip(1).step_by(2) {
            assert!(!quoted.contains("/*") || quoted.contains("*/"), "{quoted}");
        }
        for line in JS.lines() {
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        }
    }
}
