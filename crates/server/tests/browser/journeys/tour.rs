//! A tour of every page and every dialog that can be reached by links, from a workspace in which much has happened.
//!
//! Nobody has to add a page here: whatever is linked is found. Each is looked at by axe in both themes, and must fit into a
//! window of 360 pixels and into one at 200 % zoom. With `BELLWIRE_TEST_SCREENS=FOLDER` each is photographed, too: that is how
//! `scripts/screens` makes docs/screens.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use bellwire::{
    db::{
        deliveries::{ByTime, Wanted},
        page::PageRequest,
    },
    ops::{
        Actor, deliveries, groups, invites,
        license::{self, NewCredit, usage},
        roles, users, webhooks,
    },
};
use bellwire_core::{
    catalogue::EventType,
    delivery::State,
    event::PrincipalId,
    license::{Amount, CreditSource},
    permission::{Permission, Permissions},
    text::{Description, Email, Name, Reason},
};

use super::{Journey, journey};
use crate::{
    axe::{self, Rules},
    page::Page,
    site::PASSWORD,
    support::receiver::Answer,
    webdriver::Kind,
};

/// Far more pages than there are.
const MOST: usize = 200;

/// What is wrong, as "page: what".
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    /// Looks at the page that is open.
    async fn look(&mut self, page: &Page, name: &str) {
        let mut say = |theme: &str, found: Vec<String>| {
            self.0.extend(found.into_iter().map(|it| format!("{name} ({theme}): {it}")));
        };
        // Two pictures show all there is; the pages of the navigation have all four.
        let is_main = !name.contains('-');
        page.theme("light").await;
        say("light", axe::findings(page, Rules::All).await);
        page.screen(&format!("{name}-light-wide")).await;
        page.theme("dark").await;
        say("dark", axe::findings(page, Rules::Colours).await);
        if is_main {
            page.screen(&format!("{name}-dark-wide")).await;
        }
        for (width, height, what) in [(640, 450, "200 % zoom"), (360, 740, "narrow")] {
            page.resize(width, height).await;
            say(what, serde_json::from_value(page.script(OUTSIDE).await).unwrap());
        }
        page.screen(&format!("{name}-dark-narrow")).await;
        if is_main {
            page.theme("light").await;
            page.screen(&format!("{name}-light-narrow")).await;
        }
        page.resize(1280, 900).await;
    }
}

/// What sticks out of the window at its right side, or of an open dialog, when the page or the dialog can be scrolled there.
pub(super) const OUTSIDE: &str = "
    const root = document.documentElement;
    const dialogs = [...document.querySelectorAll('dialog[open] .dialog-body')].map((it) => [it, it.clientWidth, it.getBoundingClientRect().right]);
    return [[root, innerWidth, innerWidth], ...dialogs].filter(([frame, width]) => frame.scrollWidth > width).map(([frame, width, edge]) => {
        const out = [...frame.querySelectorAll('*')].filter((it) => it.checkVisibility() && Math.max(it.getBoundingClientRect().right, it.getBoundingClientRect().left + it.scrollWidth) > edge + 1);
        return `is ${frame.scrollWidth - width} pixels too wide: ${out.slice(-4).map((it) => it.outerHTML.slice(0, 90)).join(' | ')}`;
    });";

/// The paths that the page leads to by reading, without their queries.
const LINKS: &str = "
    const paths = [...document.querySelectorAll('a[href]:not([download]), form[method=get]')].map((it) => new URL(it.href ?? it.action));
    return [...new Set(paths.filter((it) => it.origin === location.origin).map((it) => it.pathname))];";

/// `/webhooks/wh_01…/edit` is `webhooks-wh-edit`.
fn name(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty()).map(|part| match part.split_once('_') {
        Some((kind, id)) if id.len() > 20 => kind,
        _ => part,
    });
    parts.collect::<Vec<_>>().join("-")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_and_dialog_is_accessible() {
    journey(Kind::DESK, async |it: &Journey| {
        let states = it.live_a_day().await;
        let page = &it.browser;
        let mut findings = Findings::default();
        let (mut seen, mut waiting) =
            (BTreeSet::from(["webhooks".to_owned()]), VecDeque::from(["/webhooks".to_owned()]));
        while let Some(path) = waiting.pop_front() {
            page.open(&path).await;
            let links: Vec<String> = serde_json::from_value(page.script(LINKS).await).unwrap();
            for link in links {
                let is_page = !["/api/", "/static/", "/live"].iter().any(|other| link.starts_with(other));
                if is_page && link != "/" && seen.insert(name(&link)) {
                    waiting.push_back(link);
                }
            }
            assert!(seen.len() < MOST, "{seen:?}");
            findings.look(page, &name(&path)).await;
        }
        // What links lead to nowhere, or only at another time.
        for (name, path) in &states {
            page.open(path).await;
            findings.look(page, name).await;
        }
        let must_be_there = [
            "api-keys-new",
            "webhooks-new",
            "webhooks-wh-test",
            "webhooks-wh-secret-rotate",
            "deliveries-dlv-curl",
            "events-evt",
            "license",
            "roles-role",
        ];
        for name in must_be_there {
            assert!(seen.contains(name), "{name} was not found: {seen:?}");
        }
        assert!(findings.0.is_empty(), "{} findings:\n{}", findings.0.len(), findings.0.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_an_account_and_empty_ones_are_accessible() {
    journey(Kind::DESK, async |it: &Journey| {
        let page = &it.browser;
        let mut findings = Findings::default();
        for path in ["/webhooks", "/groups", "/invites"] {
            page.open(path).await;
            findings.look(page, &format!("{}-empty", name(path))).await;
        }
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        page.open(&format!("/webhooks/{}", webhook.id)).await;
        findings.look(page, "webhooks-wh-empty").await;
        page.open("/webhooks").await;
        page.click(".user-button").await;
        page.click("#user-menu form[action='/sign-out'] button").await;
        page.see("#password").await;
        findings.look(page, "sign-in").await;
        page.fill("#email", "ann@example.com").await;
        page.fill("#password", "not the password").await;
        page.click("form .primary").await;
        page.see(".problem, .field-error").await;
        findings.look(page, "sign-in-refused").await;
        let email = Email::parse("new@example.com").unwrap();
        let sent =
            invites::create(&it.site.app, &it.site.ann, invites::NewInvite { email, role_ids: None }).await.unwrap();
        let path = sent.url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
        page.open(&format!("/{path}")).await;
        findings.look(page, "accept-invite").await;
        assert!(findings.0.is_empty(), "{} findings:\n{}", findings.0.len(), findings.0.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_colours_and_less_motion_are_respected() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook("https://hooks.example.com/a", &["user.*"]).await;
        webhooks::deactivate(&it.site.app, &it.site.ann, webhook.id, Reason::parse("").unwrap()).await.unwrap();
        it.webhook(&it.receiver.url(), &["user.*"]).await;
        let page = &it.browser;
        page.open("/webhooks").await;
        page.wants("forced-colors", "active").await;
        // On and off differ in more than the place of the knob, and the dot is there.
        let colour = async |css: &str| {
            let script = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor";
            page.run(script, vec![css.into()]).await
        };
        let (on, off) =
            (colour("[aria-checked=true] .switch-track").await, colour("[aria-checked=false] .switch-track").await);
        assert_ne!(on, off);
        assert_ne!(colour(".dot .dot-mark").await, colour("body").await);
        page.picture("forced-colours").await;
        page.click(".row-link").await;
        page.see("#deliveries-title").await;
        page.picture("forced-colours-webhook").await;
        page.wants("prefers-reduced-motion", "reduce").await;
        page.click("#test").await;
        page.see("dialog").await;
        let length = page.script("return getComputedStyle(document.querySelector('dialog')).animationDuration").await;
        assert_eq!(length, "0.001s");
    })
    .await;
}

impl Journey {
    /// A day in a workspace with people, groups, roles, webhooks in every state, and what happened to them. Returns the pages of
    /// states that no link leads to.
    async fn live_a_day(&self) -> Vec<(&'static str, String)> {
        let (app, ann) = (&self.site.app, &self.site.ann);
        let (clock, morning) = (app.clock.clone(), app.clock.now());
        self.receiver.answer_with(move |request| {
            // How long answers take can be seen in the pictures.
            let length = u64::try_from(request.body.len()).unwrap();
            clock.advance(Duration::from_millis(12 + length % 37));
            let is_well = !(10..15).contains(&(clock.now().since(morning).as_secs() / 3_600));
            match request.path.split('/').nth(1) {
                Some("crm") if !is_well => {
                    Answer::status(503).header("content-type", "text/html").body("<h1>Service Unavailable</h1>")
                }
                Some("broken") => {
                    Answer::status(503).header("content-type", "application/json").body(r#"{"error":"maintenance"}"#)
                }
                Some("gone") => Answer::status(410),
                _ => Answer::status(200).header("content-type", "application/json").body(r#"{"ok":true,"queued":1}"#),
            }
        });
        self.people().await;
        let url = self.receiver.url();
        self.left_behind(&format!("{url}audit/archive")).await;
        let moving = self
            .webhook(
                "https://hooks.example.com/services/T024BE7LD/B7QL2CZ0F/bellwire?team=people-operations",
                &["roles.*", "groups.*"],
            )
            .await;
        webhooks::deactivate(
            app,
            ann,
            moving.id,
            Reason::parse("We are moving to the new receiver this week.").unwrap(),
        )
        .await
        .unwrap();
        let gone = self.webhook(&format!("{url}gone/old-tool"), &["groups.*"]).await;
        let broken = self.webhook(&format!("{url}broken/billing"), &["state_changes.*", "invite.created"]).await;
        let crm = self.webhook(&format!("{url}crm/people"), &["users.*", "invites.*", "groups.*"]).await;
        let text = webhooks::WebhookPatch {
            description: Some(Description::parse("Tells the CRM who comes and goes").unwrap()),
            headers: Some(vec![("X-Tenant".to_owned(), "northwind".to_owned())]),
            rate_limit: Some(Some(1_000)),
            key_pair: Some(true),
            ..Default::default()
        };
        webhooks::update(app, ann, crm.id, text).await.unwrap();
        // A day, of which the CRM is not well for five hours.
        for hour in 0..23_usize {
            let types = [
                EventType::USER_BLOCKED,
                EventType::USER_UPDATED,
                EventType::INVITE_ACCEPTED,
                EventType::GROUP_CREATED,
            ];
            for n in 0..1 + (hour * 7) % 5 {
                self.happens(types[(hour + n) % if hour < 20 { 3 } else { 4 }]).await;
            }
            self.settled(&crm).await;
            self.site.pass(Duration::from_hours(1));
        }
        self.settled(&crm).await;
        self.happens(EventType::STATE_CHANGES_CREDITED).await;
        self.failed(&broken, 1).await;
        for _ in 0..1_000 {
            if webhooks::get(app, ann, gone.id).await.unwrap().status_reason.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let page = |path: String| path;
        vec![
            (
                "webhooks-selected",
                page(format!("/webhooks/selected?change=activate&ids={}&ids={}", moving.id, gone.id)),
            ),
            ("webhooks-none-matching", page("/webhooks?q=nothing+like+it".to_owned())),
            ("webhooks-wh-failing", page(format!("/webhooks/{}", broken.id))),
            ("webhooks-wh-failing-reason", page(format!("/webhooks/{}/reason", broken.id))),
            ("webhooks-wh-gone", page(format!("/webhooks/{}", gone.id))),
            ("webhooks-wh-gone-reason", page(format!("/webhooks/{}/reason", gone.id))),
            ("webhooks-wh-held-activate", page(format!("/webhooks/{}/activate", moving.id))),
            ("webhooks-wh-crm", page(format!("/webhooks/{}", crm.id))),
            ("webhooks-wh-no-delivery", page(format!("/webhooks/{}?state=failed", crm.id))),
            ("events-none-matching", page("/events?q=nothing+like+it".to_owned())),
            ("not-found", page("/nothing/here".to_owned())),
        ]
    }

    /// Waits until nothing is under way to a webhook, and nothing is due.
    ///
    /// A receiver that failed often is tried once in 4 s (docs/adr/0017), whatever is due: time goes on by that when nothing has
    /// changed for a few looks.
    async fn settled(&self, webhook: &webhooks::WebhookDetails) {
        let app = &self.site.app;
        let (mut left, mut looks) = (Vec::new(), 0);
        for _ in 0..1_000 {
            let wanted = Wanted { state: Some(State::Pending), ..Wanted::default() };
            let request = PageRequest::numbered(1, 200, ByTime, true);
            let pending = deliveries::list(app, &self.site.ann, webhook.id, wanted, request).await.unwrap().data;
            if pending.iter().all(|it| it.next_attempt_at.is_some_and(|at| at > app.clock.now())) {
                return;
            }
            let now_left: Vec<_> = pending.iter().map(|it| (it.id, it.attempt_count)).collect();
            looks = if now_left == left { looks + 1 } else { 0 };
            left = now_left;
            // The sweep looks a few times a second.
            app.clock.advance(if looks % 5 == 4 { Duration::from_secs(4) } else { Duration::from_millis(10) });
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("something is still under way to {}", webhook.url);
    }

    /// A webhook of somebody who was removed: it is Ann's now.
    async fn left_behind(&self, url: &str) {
        let (app, ann) = (&self.site.app, &self.site.ann);
        let admin = roles::list(app, ann).await.unwrap().into_iter().find(|role| role.name == "Admin").unwrap();
        let email = Email::parse("bob@example.com").unwrap();
        let new = invites::NewInvite { email, role_ids: Some(vec![admin.id]) };
        let sent = invites::create(app, ann, new).await.unwrap();
        invites::accept(app, sent.url.rsplit('/').next().unwrap(), "Bob Ray", PASSWORD, None).await.unwrap();
        let request = PageRequest::numbered(1, 10, bellwire::db::users::UserSort::Name, false);
        let found = users::list(app, ann, Default::default(), request).await.unwrap().data;
        let bob = found.iter().find(|user| user.name == "Bob Ray").unwrap();
        let actor = Actor { principal: PrincipalId::User(bob.id), name: bob.name.clone(), ..ann.clone() };
        self.webhook_of(&actor, url, &["api_keys.*", "roles.*"]).await;
        users::remove(app, ann, bob.id, None).await.unwrap();
    }

    /// Colleagues, of whom one is blocked, an invite, a group, a role, and a license that is in use.
    async fn people(&self) {
        let (app, ann) = (&self.site.app, &self.site.ann);
        let invite = async |email: &str| {
            let new = invites::NewInvite { email: Email::parse(email).unwrap(), role_ids: None };
            invites::create(app, ann, new).await.unwrap()
        };
        let colleagues = [
            ("Bo Chen", "bo@example.com"),
            ("Sam Rivera", "sam@example.com"),
            ("Ngozi Adeyemi", "ngozi.adeyemi@people-operations.example.com"),
        ];
        for (name, email) in colleagues {
            let sent = invite(email).await;
            invites::accept(app, sent.url.rsplit('/').next().unwrap(), name, PASSWORD, None).await.unwrap();
        }
        invite("kim@example.com").await;
        let request = PageRequest::numbered(1, 10, bellwire::db::users::UserSort::Name, false);
        let found = users::list(app, ann, Default::default(), request).await.unwrap().data;
        let sam = found.iter().find(|user| user.name == "Sam Rivera").unwrap();
        users::block(app, ann, sam.id, Some(Reason::parse("Lost their laptop").unwrap())).await.unwrap();
        let group = groups::NewGroup { name: Name::parse("Finance").unwrap(), owner: None };
        groups::create(app, ann, group).await.unwrap();
        let permissions = [Permission::EventsView, Permission::WebhooksView].into_iter().collect::<Permissions>();
        let (name, description) =
            (Name::parse("Auditor").unwrap(), Description::parse("Sees what happens and changes nothing").unwrap());
        roles::create(app, ann, roles::NewRole { name, description, permissions }).await.unwrap();
        let note = Some(Reason::parse("Order 4711").unwrap());
        let credit = NewCredit { amount: Amount::new(20_000).unwrap(), source: CreditSource::Purchase, note };
        license::credit(app, ann, credit, None).await.unwrap();
        usage::report(app, ann, Amount::new(97_350).unwrap(), None).await.unwrap();
    }
}
