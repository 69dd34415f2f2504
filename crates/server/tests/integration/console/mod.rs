//! The console as a browser sees it: each file follows the paths of the pages.

mod browser;
mod cookies;
mod guard;
mod invites;
mod live;
mod sign_in;
mod users;
