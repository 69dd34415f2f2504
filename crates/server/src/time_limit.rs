//! What API and console put around every handler: an answer comes in time and without a panic, or not at all.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::error::Error;

/// How long the answer to a request may take, the arrival of its body included. What is streamed afterwards is not counted.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// It took longer than 30 s.
    TooSlow,
    /// The handler panicked: a fault of ours.
    Fault(Error),
}

/// Waits for an answer.
///
/// # Errors
/// When there is none.
pub async fn bounded<T>(answer: impl Future<Output = T>) -> Result<T, Unanswered> {
    match tokio::time::timeout(TIME_LIMIT, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            Err(Unanswered::Fault(Error::Internal(text.to_owned())))
        }
        Err(_) => Err(Unanswered::TooSlow),
    }
}
