//! How a receiver checks that a request comes from Bellwire, in the languages that people write receivers in.
//!
//! Fixed text: no webhook's secret is ever in it. They read the secret from `BELLWIRE_WEBHOOK_SECRET`, as `bellwire listen` does.

/// A piece of code.
#[derive(Debug)]
pub(crate) struct Snippet {
    /// For ids and classes.
    pub(crate) key: &'static str,
    /// The language's name.
    pub(crate) title: &'static str,
    /// What is needed for it.
    pub(crate) about: &'static str,
    pub(crate) code: &'static str,
}

/// In the order of the page.
pub(crate) const ALL: [Snippet; 5] = [
    Snippet {
        key: "rust",
        title: "Rust",
        about: "With the crate standardwebhooks (cargo add standardwebhooks http).",
        code: include_str!("snippets/verify.rs.txt"),
    },
    Snippet {
        key: "python",
        title: "Python",
        about: "With the package standardwebhooks (pip install standardwebhooks).",
        code: include_str!("snippets/verify.py.txt"),
    },
    Snippet {
        key: "javascript",
        title: "JavaScript",
        about: "With the package standardwebhooks (npm install standardwebhooks).",
        code: include_str!("snippets/verify.js.txt"),
    },
    Snippet {
        key: "go",
        title: "Go",
        about: "With the module github.com/standard-webhooks/standard-webhooks/libraries.",
        code: include_str!("snippets/verify.go.txt"),
    },
    Snippet {
        key: "curl",
        title: "curl",
        about: "Sends a request to your receiver that is signed as Bellwire’s are, to try it out. Needs openssl.",
        code: include_str!("snippets/sign.sh.txt"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_has_a_secret_in_it_and_all_read_it_from_the_same_place() {
        for snippet in &ALL {
            assert!(snippet.code.contains("BELLWIRE_WEBHOOK_SECRET"), "{}", snippet.key);
            // The prefix may be named, as what is taken off.
            let after = snippet.code.split("whsec_").skip(1).filter_map(|rest| rest.chars().next());
            assert!(after.into_iter().all(|next| !next.is_ascii_alphanumeric()), "{}", snippet.key);
        }
    }
}
