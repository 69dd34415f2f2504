//! The binary `bellwire`.

#[allow(dead_code, reason = "the handlers that fill these views come with the next change")]
mod console {
    pub(crate) mod view;
}

fn main() {}
