//! Which addresses a host's name has.
//!
//! The operating system is asked at every connection and nothing is remembered, so that a name that moves is followed at once.
//! Its resolver holds a thread for as long as it likes, far longer than anybody waits here: the number of those is bounded, and
//! a name that is never answered can't take the threads that others need.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bellwire_core::{delivery::SendError, webhook_url::WebhookUrl};
use tokio::{net::lookup_host, sync::Semaphore, time::timeout};

use super::dial::{Failure, tidy};

/// Questions to the operating system at once, those that nobody waits for any more included.
const QUESTIONS: usize = 256;

/// Who is asked.
#[derive(Clone)]
pub(super) enum Resolver {
    /// The operating system.
    System(Arc<Semaphore>),
    /// A list: for tests.
    #[cfg(test)]
    Table(Arc<super::tests::table::Table>),
}

impl Default for Resolver {
    fn default() -> Self {
        Self::System(Arc::new(Semaphore::new(QUESTIONS)))
    }
}

impl Resolver {
    /// All addresses of the URL's host, at least one, unchecked.
    ///
    /// # Errors
    /// [`SendError::DnsFailed`]; [`Failure::NotTried`] when the question could not even be asked within `patience`.
    pub(super) async fn addresses(&self, url: &WebhookUrl, patience: Duration) -> Result<Vec<SocketAddr>, Failure> {
        let answer: io::Result<Vec<SocketAddr>> = match self {
            Self::System(questions) => {
                let busy = |_| Failure::NotTried(io::Error::other("too many names are being resolved"));
                let place = timeout(patience, Arc::clone(questions).acquire_owned()).await.map_err(busy)?;
                let (host, port) = (url.host_str().to_owned(), url.port());
                // On a task of its own, which keeps the place until the system has answered, whoever still waits.
                let asked = tokio::spawn(async move {
                    let answer = lookup_host((host, port)).await.map(Iterator::collect);
                    drop(place);
                    answer
                });
                asked.await.unwrap_or_else(|error| Err(io::Error::other(error)))
            }
            #[cfg(test)]
            Self::Table(table) => table.answer(url.host_str(), url.port()),
        };
        let failed = |why: &str| SendError::DnsFailed(url.host_str().to_owned(), why.to_owned());
        match answer {
            Ok(found) if found.is_empty() => Err(failed("it has no address").into()),
            Ok(found) => Ok(found),
            Err(error) => Err(failed(&reason(&error)).into()),
        }
    }
}

/// What the system says, without what it says each time.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    tidy(text.strip_prefix("failed to lookup address information: ").unwrap_or(&text))
}
