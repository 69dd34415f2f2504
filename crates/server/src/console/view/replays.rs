//! Replays, as a webhook's page shows them.

/// How far a replay is.
#[derive(Debug, Clone)]
pub(crate) struct ReplayLine {
    /// `rpl_…`
    pub(crate) id: String,
    /// In words, a sentence.
    pub(crate) text: String,
    /// Deliveries that it has looked at.
    pub(crate) looked_at: u32,
    /// Of so many.
    pub(crate) total: u32,
    pub(crate) is_over: bool,
}
