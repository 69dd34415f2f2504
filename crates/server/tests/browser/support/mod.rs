//! What the journeys are made with.

pub(crate) mod receiver;
pub(crate) mod site;
pub(crate) mod webdriver;
