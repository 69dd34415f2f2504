//! Finds the paths that a Rust source file names.
//!
//! It does not parse Rust. It drops comments and literals, takes what is left for names, `::`, braces and the rest, and
//! reads paths out of that: `a::b::c` anywhere, and every leaf of a `use` tree. A name brought in by a `use` counts where
//! it is brought in, not where it is used. Macros are read like all other text.

/// A path that a source file names.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    /// Where it ends, from 1.
    pub(super) line: usize,
    /// Its segments, at least one: `["crate", "db", "Db"]`. Without a leading `::`, without what `as` makes of it.
    pub(super) path: Vec<String>,
    /// How many `mod name { … }` of the same file it is in.
    inline: usize,
    /// Whether one of those is called `tests`.
    pub(super) in_tests: bool,
}

impl Named {
    /// The module directly below the crate's root that this path leads through, if it begins within the crate and leaves
    /// the module it is in. `depth` is that of the file's module: 0 for `main.rs`, 2 for `ops/users.rs`.
    pub(super) fn top_level(&self, depth: usize) -> Option<&str> {
        let depth = depth + self.inline;
        let selves = usize::from(self.path[0] == "self");
        let supers = self.path.iter().skip(selves).take_while(|segment| *segment == "super").count();
        let below_root = if self.path[0] == "crate" {
            1
        } else if selves + supers > 0 && supers == depth {
            selves + supers
        } else {
            return None;
        };
        self.path.get(below_root).map(String::as_str)
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    /// `::`
    Through,
    Other(char),
}

/// Every path in `text`, in order. Outside `use`, a single name is not one.
pub(super) fn names(text: &str) -> Vec<Named> {
    let mut reader = Reader { tokens: tokens(text), at: 0, inline: Vec::new(), braces: 0, found: Vec::new() };
    while reader.at < reader.tokens.len() {
        reader.step();
    }
    reader.found
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    at: usize,
    /// For each inline module that we are in, how many braces were open before its own, and whether it is called `tests`.
    inline: Vec<(usize, bool)>,
    braces: usize,
    found: Vec<Named>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(_, token)| token)
    }

    fn is(&self, ahead: usize, other: char) -> bool {
        self.peek(ahead) == Some(&Token::Other(other))
    }

    fn step(&mut self) {
        match self.peek(0) {
            Some(Token::Name(name)) if name == "use" => {
                self.at += 1;
                self.tree(&[]);
            }
            Some(Token::Name(name)) if name == "mod" && self.is(2, '{') => {
                let tests = self.peek(1) == Some(&Token::Name("tests".to_owned()));
                self.inline.push((self.braces, tests));
                self.at += 2;
            }
            Some(Token::Name(_)) => self.path(),
            Some(Token::Other('{')) => {
                self.braces += 1;
                self.at += 1;
            }
            Some(Token::Other('}')) => {
                self.braces = self.braces.saturating_sub(1);
                self.inline.pop_if(|(braces, _)| *braces == self.braces);
                self.at += 1;
            }
            _ => self.at += 1,
        }
    }

    /// `a::b::c` outside `use`; stands on a name, ends behind the last.
    fn path(&mut self) {
        let mut path = Vec::new();
        self.segments(&mut path);
        // `<T as Trait>::name` and `x::<T>::name` go on with a path, they do not begin one.
        if path.len() > 1 && !self.follows_generics(path.len() * 2 - 1) {
            self.push(path);
        }
    }

    /// Whether `>::` is before the `length` tokens that end here.
    fn follows_generics(&self, length: usize) -> bool {
        let begins = self.at - length;
        begins >= 2 && self.tokens[begins - 1].1 == Token::Through && self.tokens[begins - 2].1 == Token::Other('>')
    }

    /// A tree behind `use`, or one within its braces.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        if self.peek(0) == Some(&Token::Through) {
            self.at += 1;
        }
        self.segments(&mut path);
        if self.peek(0) == Some(&Token::Through) {
            self.at += 1;
        }
        if self.is(0, '{') {
            self.at += 1;
            while self.at < self.tokens.len() && !self.is(0, '}') {
                let before = self.at;
                self.tree(&path);
                if self.is(0, ',') || self.at == before {
                    self.at += 1;
                }
            }
            self.at += 1;
            return;
        }
        if self.is(0, '*') {
            path.push("*".to_owned());
            self.at += 1;
        }
        if path.len() > prefix.len() {
            self.push(path);
        }
        if self.peek(0) == Some(&Token::Name("as".to_owned())) {
            self.at += 2;
        }
    }

    /// Takes names as long as `::` is between them.
    fn segments(&mut self, path: &mut Vec<String>) {
        while let Some(Token::Name(name)) = self.peek(0) {
            path.push(name.clone());
            self.at += 1;
            if self.peek(0) != Some(&Token::Through) || !matches!(self.peek(1), Some(Token::Name(_))) {
                return;
            }
            self.at += 1;
        }
    }

    fn push(&mut self, path: Vec<String>) {
        let line = self.tokens[self.at - 1].0;
        let in_tests = self.inline.iter().any(|(_, tests)| *tests);
        self.found.push(Named { line, path, inline: self.inline.len(), in_tests });
    }
}

/// The tokens of `text` with their lines, without comments and literals.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = literal(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            // A raw name (`r#use`) keeps its mark: it is no keyword.
            let mark = if rest.starts_with("r#") { 2 } else { 0 };
            let name = &rest[mark..];
            let length = mark + name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            tokens.push((line, Token::Name(rest[..length].to_owned())));
            length
        } else if rest.starts_with("::") {
            tokens.push((line, Token::Through));
            2
        } else {
            if !first.is_whitespace() {
                tokens.push((line, Token::Other(first)));
            }
            first.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of the block comment, with those in it, that `text` begins with.
fn block_comment(text: &str) -> usize {
    let mut open = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            open += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            open -= 1;
            at += 2;
            if open == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the text or character literal that `text` begins with, if it does.
fn literal(text: &str) -> Option<usize> {
    let quote = text.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let prefix = &text[..quote];
    if !["", "b", "c", "r", "br", "cr"].contains(&prefix) {
        return None;
    }
    let body = &text[quote..];
    if prefix.ends_with('r') {
        let marks = body.len() - body.trim_start_matches('#').len();
        let inner = body[marks..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(marks));
        return Some(inner.find(&end).map_or(text.len(), |at| quote + marks + 1 + at + end.len()));
    }
    match body.chars().next()? {
        '"' => Some(quote + quoted(body, '"')),
        // `'a'` and `'\n'` are characters, `'a` is a lifetime.
        '\'' if body[1..].starts_with('\\') || body[1..].chars().nth(1) == Some('\'') => {
            Some(quote + quoted(body, '\''))
        }
        _ => None,
    }
}

/// The length of what `text` begins with, up to and with its closing quote; a backslash takes the next character along.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + c.len_utf8();
        }
        escaped = !escaped && c == '\\';
    }
    text.len()
}

/// The paths in `text`, each as it would be written.
fn paths(text: &str) -> Vec<String> {
    names(text).into_iter().map(|name| name.path.join("::")).collect()
}

#[test]
fn paths_are_found_wherever_they_are() {
    assert_eq!(paths("fn f(a: x::A<y::B>) -> z::C { w::v::u(t) }"), ["x::A", "y::B", "z::C", "w::v::u"]);
    assert_eq!(paths("#[a::b] #[derive(c::D)] struct S;"), ["a::b", "c::D"]);
    assert_eq!(paths("m!(a::b, $crate::c)"), ["a::b", "crate::c"]);
    assert_eq!(paths("let x = ::a::b;"), ["a::b"]);
    assert_eq!(paths("Vec::<a::B>::new::<C>()"), ["a::B"]);
    assert_eq!(paths("<a::B as c::D>::e::f()"), ["a::B", "c::D"]);
    assert_eq!(paths("pub(crate) fn f() {} pub(in a::b) fn g() {}"), ["a::b"]);
}

#[test]
fn every_leaf_of_a_use_tree_is_found() {
    assert_eq!(paths("use a;"), ["a"]);
    assert_eq!(paths("use a as b; use c;"), ["a", "c"]);
    assert_eq!(
        paths("pub use a::{self, b::{C, D as E}, f::*}; g::h"),
        ["a::self", "a::b::C", "a::b::D", "a::f::*", "g::h"]
    );
    assert_eq!(paths("use {::a::b, c,};"), ["a::b", "c"]);
    assert_eq!(paths("fn f() -> impl X + use<'_> { a::b }"), ["a::b"]);
}

#[test]
fn comments_and_literals_name_nothing() {
    assert_eq!(paths("// a::b\n/// c::d\n/* e::f /* g::h */ i::j */ k::l"), ["k::l"]);
    assert_eq!(paths(r##"f("a::b \" c::d", b"e::f", r"g::h\", r#"i::"j"#, c"k::l") m::n"##), ["m::n"]);
    assert_eq!(paths(r"f('a', '\'', b'\\', '{', 'é') m::n"), ["m::n"]);
    assert_eq!(paths("fn f<'a>(x: &'a a::B, y: &'static c::D)"), ["a::B", "c::D"]);
    assert_eq!(paths("use r#use::a; let b = r#type::c;"), ["r#use::a", "r#type::c"]);
}

#[test]
fn tests_are_told_apart() {
    let found = names("use a; mod tests { use b; mod c { use d; } } mod e { use f; } use g;");
    assert_eq!(found.iter().map(|name| name.in_tests).collect::<Vec<_>>(), [false, true, true, false, false]);
}

#[test]
fn where_a_path_leads() {
    let top = |depth, text| names(text)[0].top_level(depth).map(str::to_owned);
    assert_eq!(top(2, "use crate::db::X;").as_deref(), Some("db"));
    assert_eq!(top(2, "use super::super::db::X;").as_deref(), Some("db"));
    assert_eq!(top(1, "use self::super::db::X;").as_deref(), Some("db"));
    assert_eq!(top(0, "use self::db::X;").as_deref(), Some("db"));
    assert_eq!(top(1, "mod tests { use super::super::db; }").as_deref(), Some("db"));
    assert_eq!(top(1, "mod tests { fn f() {} } use super::db;").as_deref(), Some("db"));
    assert_eq!(top(2, "use super::db::X;"), None, "a sibling");
    assert_eq!(top(1, "mod tests { use super::db; }"), None, "its own file");
    assert_eq!(top(2, "use db::X;"), None, "a crate, or something of this file");
}
