//! The form of a webhook: as it was typed, as what `ops` is given, and as the dialog that shows it.
//!
//! Pure functions. What was typed is never lost: a refused form comes back with it, and with what is wrong beside each field.

use bellwire_core::{
    catalogue::{ActorType, EventType, EventTypes},
    text::Description,
    webhook_url::WebhookUrl,
};

use super::{
    reply,
    request::Fields,
    view::{
        parts::Field,
        webhooks::{EventChoice, EventGroup, FormDialog},
    },
};
use crate::error::{Error, FieldError};

/// The form as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WebhookForm {
    pub(super) url: String,
    pub(super) description: String,
    /// Names, and `users.*` for a whole group.
    pub(super) event_types: Vec<String>,
    /// One `Name: value` a line.
    pub(super) headers: String,
    /// Empty for no limit.
    pub(super) rate_limit: String,
}

/// The form as `ops` takes it.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) url: WebhookUrl,
    pub(super) description: Description,
    pub(super) event_types: EventTypes,
    pub(super) headers: Vec<(String, String)>,
    pub(super) rate_limit: Option<u32>,
}

impl WebhookForm {
    /// What was sent.
    pub(super) fn read(fields: &Fields) -> Self {
        Self {
            url: fields.text("url").to_owned(),
            description: fields.text("description").to_owned(),
            event_types: fields.all("event_types").map(str::to_owned).collect(),
            headers: fields.text("headers").to_owned(),
            rate_limit: fields.text("rate_limit").to_owned(),
        }
    }

    /// The form of a webhook that exists.
    pub(super) fn of(
        url: &WebhookUrl,
        description: &str,
        event_types: EventTypes,
        headers: &[(String, String)],
        rate_limit: Option<u32>,
    ) -> Self {
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        Self {
            url: url.to_string(),
            description: description.to_owned(),
            event_types: event_types.iter().map(|it| it.as_str().to_owned()).collect(),
            headers: lines.join("\n"),
            rate_limit: rate_limit.map(|limit| limit.to_string()).unwrap_or_default(),
        }
    }

    /// What can be told without asking anybody. Addresses, bounds of headers and the like are for `ops` to judge.
    ///
    /// # Errors
    /// What is wrong with each field.
    pub(super) fn parse(&self) -> Result<Parsed, Vec<FieldError>> {
        let mut errors = Vec::new();
        let url = if self.url.trim().is_empty() {
            Err("Enter a URL.".to_owned())
        } else {
            WebhookUrl::parse(self.url.trim()).map_err(|error| error.to_string())
        };
        let url = reply::parse("url", url, &mut errors);
        let description = reply::parse("description", Description::parse(&self.description), &mut errors);
        let wanted = EventTypes::parse(self.event_types.iter().map(String::as_str));
        let wanted = if self.event_types.is_empty() {
            Err("Select at least one event.".to_owned())
        } else {
            wanted.map_err(|error| error.to_string())
        };
        let event_types = reply::parse("event_types", wanted, &mut errors);
        let headers = reply::parse("headers", headers(&self.headers), &mut errors);
        let rate_limit = reply::parse("rate_limit", rate_limit(&self.rate_limit), &mut errors);
        match (url, description, event_types, headers, rate_limit) {
            (Some(url), Some(description), Some(event_types), Some(headers), Some(rate_limit)) => {
                Ok(Parsed { url, description, event_types, headers, rate_limit })
            }
            _ => Err(errors),
        }
    }

    /// The dialog. `id` is the webhook that is modified; `problem` is why the form was refused, if it was.
    pub(super) fn dialog(&self, id: Option<String>, return_to: String, problem: Option<&Error>) -> FormDialog {
        let errors: &[FieldError] = match problem {
            Some(Error::Invalid(errors)) => errors,
            _ => &[],
        };
        let field = |name, value: &str| Field { value: value.to_owned(), error: about(name, errors) };
        let mut dialog = FormDialog {
            id,
            return_to,
            url: field("url", &self.url),
            description: field("description", &self.description),
            groups: ActorType::all().map(|actor_type| self.group(actor_type)).collect(),
            webhook_deactivated: self.has(EventType::WEBHOOK_DEACTIVATED),
            event_types_error: about("event_types", errors),
            headers: field("headers", &self.headers),
            rate_limit: field("rate_limit", &self.rate_limit),
            error: None,
        };
        let shown = [
            &dialog.url.error,
            &dialog.description.error,
            &dialog.event_types_error,
            &dialog.headers.error,
            &dialog.rate_limit.error,
        ];
        // What is wrong is always said somewhere.
        if shown.iter().all(|error| error.is_none()) {
            dialog.error = problem.map(reply::sentence);
        }
        dialog
    }

    fn group(&self, actor_type: ActorType) -> EventGroup {
        let pattern = format!("{}.*", actor_type.key());
        let all = self.event_types.contains(&pattern);
        let choice = |event_type: EventType| {
            let entry = event_type.entry();
            EventChoice {
                name: entry.name.to_owned(),
                title: entry.title.to_owned(),
                description: entry.description.to_owned(),
                checked: all || self.has(event_type),
            }
        };
        EventGroup {
            key: actor_type.key().to_owned(),
            title: actor_type.title().to_owned(),
            description: actor_type.description().to_owned(),
            all,
            types: actor_type.types().map(choice).collect(),
        }
    }

    fn has(&self, event_type: EventType) -> bool {
        self.event_types.iter().any(|name| name == event_type.as_str())
    }
}

/// Stands for the value of a header that is stored: values are never shown again.
pub(super) const MASK: &str = "••••••••";

/// Headers as they are shown.
pub(super) fn masked(names: &[String]) -> Vec<(String, String)> {
    names.iter().map(|name| (name.clone(), MASK.to_owned())).collect()
}

/// Puts the stored values where the mask still stands.
///
/// # Errors
/// When a masked header isn't stored.
pub(super) fn keep_masked(
    headers: Vec<(String, String)>,
    stored: &[(String, String)],
) -> Result<Vec<(String, String)>, String> {
    let kept = |(name, value): (String, String)| {
        if value != MASK {
            return Ok((name, value));
        }
        match stored.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, value)) => Ok((name, value.clone())),
            None => Err(format!("Write the value of the header {name}.")),
        }
    };
    headers.into_iter().map(kept).collect()
}

/// What is wrong with a field, or with a part of it (`headers.x-a`).
fn about(name: &str, errors: &[FieldError]) -> Option<String> {
    let part = |field: &str| field.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']));
    let found = errors.iter().find(|error| error.field == name || part(&error.field))?;
    reply::field_error(&found.field, errors)
}

/// Reads one `Name: value` a line; empty lines are left out.
fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            // Not repeated in full: it may be a secret that was pasted in the wrong place.
            None => Err("Write one header on each line, with a colon after its name: “X-Name: value”.".to_owned()),
        })
        .collect()
}

/// The largest rate limit.
const FASTEST: u32 = 10_000;

fn rate_limit(text: &str) -> Result<Option<u32>, &'static str> {
    match text.trim() {
        "" => Ok(None),
        number => match number.parse() {
            Ok(limit @ 1..=FASTEST) => Ok(Some(limit)),
            _ => Err("Enter a number from 1 to 10,000, or nothing."),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(query: &str) -> WebhookForm {
        WebhookForm::read(&Fields::parse(query.as_bytes()))
    }

    fn wrong(query: &str) -> Vec<(String, String)> {
        form(query).parse().unwrap_err().into_iter().map(|error| (error.field, error.message)).collect()
    }

    #[test]
    fn a_form_becomes_a_webhook() {
        let parsed = form(
            "url=https%3A%2F%2Fhooks.example.com%2Fa&description=+CRM+&event_types=users.*&event_types=user.blocked\
             &event_types=webhook.deactivated&headers=X-A%3A+1%0D%0A%0D%0Ax-b%3Aa%3Ab&rate_limit=+20",
        )
        .parse()
        .unwrap();
        assert_eq!(parsed.url.as_str(), "https://hooks.example.com/a");
        assert_eq!(parsed.description.as_str(), "CRM");
        assert_eq!(parsed.event_types.len(), ActorType::Users.types().count() + 1);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parsed.headers, [header("X-A", "1"), header("x-b", "a:b")]);
        assert_eq!(parsed.rate_limit, Some(20));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let fields: Vec<String> = wrong("url=+&rate_limit=0&headers=abc").into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["url", "event_types", "headers", "rate_limit"]);
        assert_eq!(wrong("url=https://a.example&event_types=*&rate_limit=10001")[0].0, "rate_limit");
        assert!(wrong("url=javascript:alert(1)&event_types=*").iter().any(|(field, _)| field == "url"));
    }

    #[test]
    fn unknown_event_types_are_refused() {
        for unknown in ["user.exploded", "webhook.test", "users.*.*", "", "nobody.*"] {
            let problems = wrong(&format!("url=https://a.example&event_types=user.blocked&event_types={unknown}"));
            assert_eq!(problems.len(), 1, "{unknown}");
            assert_eq!(problems[0].0, "event_types");
        }
    }

    #[test]
    fn a_refused_form_keeps_what_was_typed() {
        let typed = form(
            "url=ftp%3A%2F%2Fa&description=d&event_types=roles.*&event_types=user.left&headers=secret&rate_limit=x",
        );
        let error = Error::Invalid(typed.parse().unwrap_err());
        let dialog = typed.dialog(Some("wh_1".to_owned()), "/webhooks?q=a".to_owned(), Some(&error));
        assert_eq!((dialog.url.value.as_str(), dialog.headers.value.as_str()), ("ftp://a", "secret"));
        assert!(dialog.url.error.is_some() && dialog.headers.error.is_some() && dialog.rate_limit.error.is_some());
        assert!(!dialog.headers.error.unwrap().contains("secret"));
        assert_eq!((dialog.error, dialog.event_types_error), (None, None));
        let checked: Vec<_> = dialog.groups.iter().map(|group| (group.all, group.checked())).collect();
        assert_eq!(checked, [(false, 1), (false, 0), (false, 0), (true, 5), (false, 0), (false, 0)]);
    }

    #[test]
    fn what_ops_refuses_is_said_at_its_field_or_at_the_top() {
        let typed = WebhookForm::default();
        let dialog = |error: Error| typed.dialog(None, "/webhooks".to_owned(), Some(&error));
        assert_eq!(dialog(Error::invalid("url", "must be public")).url.error.as_deref(), Some("Must be public."));
        assert_eq!(dialog(Error::invalid("headers.host", "not this")).headers.error.as_deref(), Some("Not this."));
        let full = dialog(Error::conflict("too_many_webhooks", "this workspace has too many webhooks"));
        assert_eq!(full.error.as_deref(), Some("This workspace has too many webhooks."));
        assert_eq!(dialog(Error::invalid("owner", "is gone")).error.as_deref(), Some("Is gone."));
        assert_eq!(typed.dialog(None, String::new(), None).error, None);
    }

    #[test]
    fn a_masked_header_keeps_its_value() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let stored = [pair("authorization", "Bearer abc"), pair("x-a", "1")];
        let shown = masked(&["authorization".to_owned()]);
        assert!(!shown[0].1.contains("abc"));
        let typed = vec![pair("Authorization", MASK), pair("x-a", "2")];
        assert_eq!(keep_masked(typed, &stored).unwrap(), [pair("Authorization", "Bearer abc"), pair("x-a", "2")]);
        assert!(keep_masked(vec![pair("x-b", MASK)], &stored).unwrap_err().contains("x-b"));
    }

    #[test]
    fn modifying_begins_with_what_is_there() {
        let before = form("url=https://a.example/&event_types=users.*&headers=X-A:1&rate_limit=7").parse().unwrap();
        let shown = WebhookForm::of(&before.url, "", before.event_types, &before.headers, before.rate_limit);
        let dialog = shown.dialog(Some("wh_1".to_owned()), "/webhooks".to_owned(), None);
        assert_eq!((dialog.groups[0].all, dialog.groups[0].checked()), (false, dialog.groups[0].types.len()));
        let again = shown.parse().unwrap();
        assert_eq!(
            (again.event_types, again.headers, again.rate_limit),
            (before.event_types, before.headers, before.rate_limit)
        );
    }
}
