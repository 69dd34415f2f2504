//! What the journeys are made with.

pub mod receiver;
pub mod site;
pub mod webdriver;
