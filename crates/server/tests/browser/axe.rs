//! axe-core: looks at a page as it is rendered and says what people with disabilities would stumble over.
//!
//! It is injected by the driver and never served. `scripts/test` installs it (the version is in `axe/package-lock.json`) and
//! names it in `BELLWIRE_TEST_AXE`.

use std::sync::OnceLock;

use crate::page::Page;

/// Which rules are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rules {
    /// All of them, WCAG 2.2 AA and best practices.
    All,
    /// Those that depend on colours: for the other theme.
    Colours,
}

/// The script's text, read once.
fn source() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let path = std::env::var("BELLWIRE_TEST_AXE").expect("run scripts/test, which installs axe-core");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    })
}

const RUN: &str = "
    const only = arguments[0] === 'Colours' ? {runOnly: ['color-contrast', 'link-in-text-block']} : {};
    const rules = {'target-size': {enabled: true}};
    return axe.run(document, {...only, rules, resultTypes: ['violations']}).then((found) => found.violations.flatMap((it) =>
        it.nodes.map((node) => `${it.id}: ${node.target.join(' ')}: ${node.html.slice(0, 160)} (${node.failureSummary.split('\\n').slice(1).join('; ').trim()})`)));";

/// What axe finds on the page that is open, a line for each finding.
pub(crate) async fn findings(page: &Page, rules: Rules) -> Vec<String> {
    page.at_rest().await;
    if page.script("return typeof axe === 'undefined'").await == true {
        page.script(source()).await;
    }
    let found = page.run(RUN, vec![format!("{rules:?}").into()]).await;
    serde_json::from_value(found).unwrap()
}
