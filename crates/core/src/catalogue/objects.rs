//! The objects that events carry, exactly as the API shows them, and the parts that the data of many events share.
//!
//! All examples tell of one small workspace: Ann Lee owns it, Sam Rivera was invited and joined, a key named Billing sync
//! reports usage. Nothing here ever holds a secret, a token or the URL of an invite.

use serde_json::{Value, json};

use super::{
    ActorType,
    shape::{
        Object, Property, Shape, at_least, boolean, exactly, formatted, id, integer, list, one_of, percent,
        principal_id, property, text, time,
    },
};

pub(super) const WORKSPACE: &str = "ws_01ke6jq300em7a3s4w04zg1hhc";
pub(super) const EVENT: &str = "evt_01m83t4cm0efvvpyt3bc2k45jh";
pub(super) const CORRELATION: &str = "cor_01m83t4cm0ebktr0x9a1xe4sfc";
pub(super) const ANN: &str = "usr_01ke6jq300ejcsw3bx9d02wc0q";
pub(super) const SAM: &str = "usr_01kh3fwp80ftb85p74fwn7r0xy";
pub(super) const KEY: &str = "key_01kjsesxm0f0jr6ad9518fdn9s";
const INVITE: &str = "inv_01kh0xfz80fqkspwgt3r335dyf";
const GROUP: &str = "grp_01kjma0fm0fk8ak1b18yvcbd7z";
const AUDITOR: &str = "role_01kjpwd6m0eha8ks12y199e68y";
const MEMBER: &str = "role_01ke6jq300erpamyjxtw632hk1";
const OWNER: &str = "role_01ke6jq300ese8r5d6grc7qdnv";
const LICENSE: &str = "lic_01m6a6ft00fb58dg7617590vv3";
const WEBHOOK: &str = "wh_01kjw16mm0em4ry1jygtts6an2";
pub(super) const DELIVERY: &str = "dlv_01m826me80e65bwwt3y0b8j32h";

pub(super) const REPLAY: &str = "rpl_01m83t4cm0f2c6zqk8w1y4n7hs";
pub(super) const OFFER: &str = "own_01m83t4cm0ea0bdvqx5r6y2k8n";

/// When the example events happen.
pub(super) const NOW: &str = "2026-11-23T09:00:00.000000Z";
/// A day after it.
pub(super) const LATER: &str = "2026-11-24T09:00:00.000000Z";
/// A week after it.
pub(super) const WEEK_LATER: &str = "2026-11-30T09:00:00.000000Z";
const PERIOD_START: &str = "2026-11-01T00:00:00.000000Z";
const PERIOD_END: &str = "2026-12-01T00:00:00.000000Z";

/// `object`: what the event is about, after the change; for what is gone, as it was last.
pub(super) fn object(object: Object) -> Property {
    property("object", "What the event is about, after the change; its last state if it is gone.", object)
}

/// `previous`: what the changed fields were before.
pub(super) fn previous<const N: usize>(object: Object, fields: [&str; N], example: &Value) -> Property {
    property("previous", "The fields that changed, as they were before.", object.before(fields, example))
}

/// `reason`: why somebody did it, if they said so.
pub(super) fn reason(example: &str) -> Property {
    property(
        "reason",
        "Why it was done, in the words of whoever did it; null if they gave no reason.",
        text(example).or_null(),
    )
}

/// A user or API key, called `name` in the data.
pub(super) fn principal(name: &'static str, description: &'static str) -> Property {
    property(name, description, principal_shape(SAM, "Sam Rivera"))
}

/// The user Ann Lee or any other, called `name` in the data.
pub(super) fn owner(name: &'static str, description: &'static str) -> Property {
    property(name, description, principal_shape(ANN, "Ann Lee"))
}

fn principal_shape(example: &str, name: &str) -> Object {
    Object::new([
        property("type", "What it is.", one_of(["user", "api_key"])),
        property("id", "The id of the user or API key.", principal_id(example)),
        property("name", "Its name at that time.", text(name)),
    ])
}

/// Whoever did something: a user, an API key, or the system.
pub(super) fn actor() -> Object {
    Object::new([
        property("type", "What the actor is.", one_of(["user", "api_key", "system"])),
        property("id", "The id of the user or API key; null for the system.", text(ANN).or_null()),
        property("name", "The actor's name at that time.", text("Ann Lee")),
    ])
}

/// The actor of changes that nobody made: time passed, or a limit was reached.
pub(super) fn system() -> Object {
    actor().showing("type", "system").showing("id", Value::Null).showing("name", "Bellwire")
}

/// A role or group of which only id and name are told.
fn named(example: &str, name: &str) -> Object {
    Object::new([property("id", "Its id.", id(example)), property("name", "Its name.", text(name))])
}

/// The roles of somebody, as an example value: Owner and nothing else.
pub(super) fn owner_role() -> Value {
    json!([named(OWNER, "Owner").example()])
}

/// The roles of somebody, as an example value: Member and nothing else.
pub(super) fn member_role() -> Value {
    json!([named(MEMBER, "Member").example()])
}

fn email() -> Shape {
    formatted("idn-email", "sam@example.com")
}

fn created_at(example: &str) -> Property {
    property("created_at", "When it was created.", time(example))
}

fn updated_at() -> Property {
    property("updated_at", "When it changed last.", time(NOW))
}

fn blocked_reason() -> Property {
    property("status_reason", "Why it is blocked, if whoever did it said so.", text("").null())
}

/// A user as a member of the workspace.
pub(super) fn user() -> Object {
    Object::new([
        property("id", "The user's id.", id(SAM)),
        property("email", "The user's e-mail address.", email()),
        property("name", "The user's name.", text("Sam Rivera")),
        property("status", "Whether the user may act in the workspace.", one_of(["active", "blocked"])),
        blocked_reason(),
        property("roles", "The roles that the user holds.", list(named(MEMBER, "Member"))),
        property("groups", "The groups that the user is in.", list(named(GROUP, "Finance"))),
        property("joined_at", "When the user joined the workspace.", time("2026-02-10T10:00:00.000000Z")),
        updated_at(),
    ])
}

/// An invite. Its token and URL are told to nobody but the person invited.
pub(super) fn invite() -> Object {
    Object::new([
        property("id", "The invite's id.", id(INVITE)),
        property("email", "The e-mail address of the person invited.", email()),
        property("status", "How the invite stands.", one_of(["pending", "accepted", "expired", "deleted"])),
        property("roles", "The roles that the person will hold.", list(named(MEMBER, "Member"))),
        property("invited_by", "Who invited.", actor()),
        created_at("2026-02-09T10:00:00.000000Z"),
        property("expires_at", "Until when it can be accepted.", time("2026-02-16T10:00:00.000000Z")),
        property("accepted_at", "When it was accepted; null before.", time(NOW).null()),
        property("user_id", "The user that accepted it; null before.", id(SAM).null()),
    ])
}

/// A group of users and API keys.
pub(super) fn group() -> Object {
    Object::new([
        property("id", "The group's id.", id(GROUP)),
        property("name", "The group's name.", text("Finance")),
        owner("owner", "Who owns the group."),
        property("member_count", "How many users and API keys are in it.", at_least(0, 3)),
        created_at("2026-03-01T09:00:00.000000Z"),
        updated_at(),
    ])
}

/// A role.
pub(super) fn role() -> Object {
    Object::new([
        property("id", "The role's id.", id(AUDITOR)),
        property("name", "The role's name.", text("Auditor")),
        property("description", "What the role is for.", text("Sees what happens and changes nothing")),
        property("built_in", "Whether it is one of the roles that every workspace has.", boolean(false)),
        property("permissions", "What the role allows.", list(text("events.view"))),
        created_at("2026-03-02T09:00:00.000000Z"),
        updated_at(),
    ])
}

/// An API key, without its secret.
pub(super) fn api_key() -> Object {
    Object::new([
        property("id", "The API key's id.", id(KEY)),
        property("name", "The API key's name.", text("Billing sync")),
        property("hint", "The last 4 characters of the key, to tell keys apart.", exactly(4, "x7Qp")),
        property("status", "Whether the API key may act in the workspace.", one_of(["active", "blocked"])),
        blocked_reason(),
        property("roles", "The roles that the API key holds.", list(named(MEMBER, "Member"))),
        property("created_by", "Who created the API key.", actor()),
        created_at("2026-03-03T09:00:00.000000Z"),
        updated_at(),
        property(
            "last_used_at",
            "When it was used last; null if never.",
            time("2026-11-23T08:59:12.000000Z").or_null(),
        ),
    ])
}

/// The balance of state changes: the fields that a license shares with the events of its balance. 500,000 are included, 20,000
/// were bought, and `used` are used in the example.
pub(super) fn balance(used: i64) -> [Property; 6] {
    const INCLUDED: i64 = 500_000;
    const EXTRA: i64 = 20_000;
    [
        property("period_start", "When the license's period began.", time(PERIOD_START)),
        property("period_end", "When the license's period ends.", time(PERIOD_END)),
        property("included", "State changes that the license includes in a period.", at_least(0, INCLUDED)),
        property("extra", "State changes credited in this period, or left of earlier credits.", integer(EXTRA)),
        property("used", "State changes used in this period.", at_least(0, used)),
        property("balance", "State changes left: included and extra, less used.", integer(INCLUDED + EXTRA - used)),
    ]
}

/// The id of the license that a balance belongs to.
pub(super) fn license_id() -> Property {
    property("license_id", "The license whose balance it is.", id(LICENSE))
}

/// A license.
pub(super) fn license() -> Object {
    let what = [
        property("id", "The license's id.", id(LICENSE)),
        property("plan", "What was bought.", text("Business")),
        property("status", "Whether the license can be used.", one_of(["active", "expired", "blocked"])),
        blocked_reason(),
        property("renews", "Whether a new period begins when this one ends.", boolean(true)),
    ];
    let limits =
        [property("thresholds", "Percentages of use at which an event tells of it.", list(percent(80))), updated_at()];
    Object::new(what.into_iter().chain(balance(104_200)).chain(limits))
}

/// A webhook, without its secret and headers.
pub(super) fn webhook() -> Object {
    Object::new([
        property("id", "The webhook's id.", id(WEBHOOK)),
        property("url", "Where events are sent.", formatted("uri", "https://hooks.example.com/bellwire")),
        property("description", "What the webhook is for.", text("Offboarding")),
        property("event_types", "The event types that it wants.", list(text("user.blocked"))),
        property(
            "actor_types",
            "The actor types that they belong to.",
            list(one_of(ActorType::ALL.map(ActorType::key))),
        ),
        owner("owner", "Who owns the webhook."),
        property("status", "Whether events are sent.", one_of(["active", "inactive"])),
        property(
            "status_reason",
            "Why it has this status; null if none is known.",
            Shape::from(status_reason()).null(),
        ),
        property("health", "How its deliveries went lately.", one_of(["ok", "failing", "unknown"])),
        created_at("2026-03-04T09:00:00.000000Z"),
        updated_at(),
    ])
}

/// Why a webhook has the status that it has. The example: all attempts failed for five days.
pub(super) fn status_reason() -> Object {
    let evidence = Object::new([
        property(
            "first_failure_at",
            "When the first of the failures was; null if none.",
            time(FIRST_FAILURE).or_null(),
        ),
        property("failed_attempts", "How many attempts failed since then.", at_least(0, 214)),
        property("last_error", "What went wrong last; null if nothing did.", text("503 Service Unavailable").or_null()),
        property("last_delivery_id", "The delivery that failed last; null if none.", id(DELIVERY).or_null()),
    ]);
    Object::new([
        property("code", "The reason, for machines.", one_of(["failing", "manual", "gone", "destination_forbidden"])),
        property("message", "The reason, for people.", text("All attempts failed for 5 days.")),
        property("at", "When the status changed.", time(NOW)),
        property("by", "Who changed it.", system()),
        property("evidence", "What it was decided on; null if nothing.", Shape::from(evidence).or_null()),
    ])
}

const FIRST_FAILURE: &str = "2026-11-18T08:41:07.215000Z";
