//! Small pieces that many pages show: a time, a form field, a choice, the pages of a list, who did something.

use crate::db::page::COUNTED;
use std::fmt::Display;

/// A moment as a page shows it. The script rewrites `text` into the reader's own zone; UTC stays in the tooltip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339 in UTC, for example `2026-11-23T09:00:00Z`.
    pub(crate) iso: String,
    /// What is read without the script, in UTC, for example `23 Nov 2026, 09:00`.
    pub(crate) text: String,
}

impl Moment {
    /// The tooltip: the same time, to the second, in UTC.
    pub(crate) fn utc(&self) -> String {
        let seconds = self.iso.get(..19).unwrap_or(&self.iso);
        format!("{} UTC", seconds.replacen('T', " ", 1))
    }

    /// The day alone.
    pub(crate) fn day(&self) -> &str {
        self.text.split_once(',').map_or(self.text.as_str(), |(day, _)| day)
    }
}

/// A form field as it was typed, with what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) value: String,
    pub(crate) error: Option<String>,
}

impl Field {
    /// A field with nothing wrong.
    pub(crate) fn of(value: impl Into<String>) -> Self {
        Self { value: value.into(), error: None }
    }

    /// A field that was refused, as it was typed.
    #[cfg(test)]
    pub(crate) fn refused(value: impl Into<String>, error: impl Into<String>) -> Self {
        Self { value: value.into(), error: Some(error.into()) }
    }
}

/// One option of a `<select>`, or one checkbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) text: String,
    pub(crate) chosen: bool,
}

impl Choice {
    /// An option.
    pub(crate) fn new(value: impl Into<String>, text: impl Into<String>, chosen: bool) -> Self {
        Self { value: value.into(), text: text.into(), chosen }
    }
}

/// Which part of a list is shown, and where the rest is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pager {
    /// Number of the first shown row, from 1; 0 when nothing is shown.
    pub(crate) first: u64,
    /// Number of the last shown row.
    pub(crate) last: u64,
    /// Rows in the whole list, where they are counted; above [`COUNTED`] it stands for more than that.
    pub(crate) total: Option<u64>,
    /// Address of the page before this one.
    pub(crate) previous: Option<String>,
    /// Address of the page after this one.
    pub(crate) next: Option<String>,
    /// How far a list was searched that is neither counted nor numbered.
    pub(crate) searched: Option<Searched>,
}

/// A page of a list that is searched from the newest row on, as far as one page may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Searched {
    /// Rows that were found.
    pub(crate) found: u64,
    /// Whether it ended before the page was full, with older rows left to search.
    pub(crate) ended_early: bool,
}

impl Pager {
    /// "1–50 of 1,234"
    pub(crate) fn text(&self) -> String {
        let (first, last) = (thousands(self.first), thousands(self.last));
        match self.searched {
            Some(Searched { found, ended_early: true }) => return format!("{found} found so far"),
            Some(Searched { found, ended_early: false }) => return format!("{found} found"),
            None => {}
        }
        let shown = if first == last { first } else { format!("{first}–{last}") };
        match self.total {
            Some(total) if total > COUNTED => format!("{shown} of {}+", thousands(COUNTED)),
            Some(total) => format!("{shown} of {}", thousands(total)),
            None if self.has_more() => shown,
            None => format!("{shown} of {last}"),
        }
    }

    /// What the buttons to the page before and to the one after are called.
    pub(crate) fn labels(&self) -> (&'static str, &'static str) {
        match self.searched {
            Some(Searched { ended_early: true, .. }) => ("Newest", "Search older ones"),
            Some(Searched { ended_early: false, .. }) => ("Newest", "Older"),
            None => ("Previous", "Next"),
        }
    }

    /// A list that fits on one page needs no buttons.
    pub(crate) fn has_more(&self) -> bool {
        self.previous.is_some() || self.next.is_some()
    }
}

/// A whole number with commas between groups of three digits. (Templates hold it by value or behind references.)
pub(crate) fn thousands(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Who did something, or owns something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) kind: WhoKind,
}

/// What a [`Who`] is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum WhoKind {
    #[default]
    User,
    ApiKey,
    /// Bellwire itself.
    System,
}

impl Who {
    /// A person.
    #[cfg(test)]
    pub(crate) fn user(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: WhoKind::User }
    }

    /// A machine.
    #[cfg(test)]
    pub(crate) fn api_key(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: WhoKind::ApiKey }
    }

    /// Bellwire itself.
    pub(crate) fn system() -> Self {
        Self { name: "Bellwire".to_owned(), kind: WhoKind::System }
    }

    pub(crate) fn is_api_key(&self) -> bool {
        self.kind == WhoKind::ApiKey
    }
}

/// A URL that is shortened in its middle: the head gives way when there is no room, the tail stays. Of the scheme only
/// `https://` gives way; anything else is part of the head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LongUrl {
    pub(crate) full: String,
    tail_at: usize,
}

impl LongUrl {
    /// Characters at the end that always stay visible.
    const TAIL: usize = 14;
    /// Characters at the beginning without which a shortened URL says nothing.
    const HEAD: usize = 3;
    const HTTPS: &str = "https://";

    /// Splits a URL; a short one is all head.
    pub(crate) fn new(full: impl Into<String>) -> Self {
        let full = full.into();
        let scheme = if full.starts_with(Self::HTTPS) { Self::HTTPS.len() } else { 0 };
        let tail_at = match full.char_indices().rev().nth(Self::TAIL - 1) {
            Some((at, _)) if at >= scheme + Self::HEAD => at,
            _ => full.len(),
        };
        Self { full, tail_at }
    }

    /// `https://`, or nothing.
    pub(crate) fn scheme(&self) -> &str {
        &self.full[..self.head_at()]
    }

    pub(crate) fn head(&self) -> &str {
        &self.full[self.head_at()..self.tail_at]
    }

    pub(crate) fn tail(&self) -> &str {
        &self.full[self.tail_at..]
    }

    fn head_at(&self) -> usize {
        if self.full.starts_with(Self::HTTPS) { Self::HTTPS.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_url_is_the_same_in_three_pieces() {
        for full in
            ["", "https://a.b/", "https://example.com/a/rather/long/path", "http://10.0.0.1/päth/ünïcödé/ßßßß", "ä"]
        {
            let url = LongUrl::new(full);
            assert_eq!(format!("{}{}{}", url.scheme(), url.head(), url.tail()), full);
        }
        let url = LongUrl::new("https://example.com/a/rather/long/path");
        assert_eq!((url.scheme(), url.tail()), ("https://", "ther/long/path"));
        assert_eq!(LongUrl::new("http://example.com/a/rather/long/path").scheme(), "");
        let address = LongUrl::new("http://127.0.0.1:36805/");
        assert_eq!((address.head(), address.tail()), ("http://12", "7.0.0.1:36805/"));
        let short = LongUrl::new("https://a.example.com/");
        assert_eq!((short.scheme(), short.head(), short.tail()), ("https://", "a.example.com/", ""));
    }

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_moment_keeps_utc_for_the_tooltip() {
        let moment = Moment { iso: "2026-11-23T09:00:00.123456Z".into(), text: String::new() };
        assert_eq!(moment.utc(), "2026-11-23 09:00:00 UTC");
    }
}
