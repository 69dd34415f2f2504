//! The static files of the console, compiled in, and the version that their addresses carry.
//!
//! They are served under `/static/` with a year of caching: the address changes with the content. The stylesheet and the
//! script are written in parts, one subject a file, and joined when this is compiled, in the order that stands here.

/// A file under `/static/`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    /// The last part of the path.
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

const CSS: &[u8] = concat!(
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
)
.as_bytes();
const JS: &[u8] = concat!(
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
)
.as_bytes();
const ICON: &[u8] = include_bytes!("../static/icon.svg");

/// Everything under `/static/`.
pub(crate) const ALL: [Asset; 3] = [
    Asset { name: "console.css", content_type: "text/css; charset=utf-8", bytes: CSS },
    Asset { name: "console.js", content_type: "text/javascript; charset=utf-8", bytes: JS },
    Asset { name: "icon.svg", content_type: "image/svg+xml", bytes: ICON },
];

/// Changes when a static file changes (64-bit FNV-1a over all of them).
pub(crate) const VERSION: u64 = fnv1a(fnv1a(fnv1a(0xcbf2_9ce4_8422_2325, CSS), JS), ICON);

const fn fnv1a(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// The address of a static file, version included.
pub(crate) fn href(name: &str) -> String {
    format!("/static/{name}?v={VERSION:016x}")
}
