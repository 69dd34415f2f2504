//! The last 24 hours of a webhook in its row: a strip with a bar for each of its newest deliveries, the newest at the right.

use super::parts::thousands;

/// What became of one delivery, as a bar. The height says it as well as the colour does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bar {
    /// The receiver took it.
    Delivered,
    /// It was tried and is tried again, or its retries are used up.
    Failed,
    /// It was not tried yet, or never will be.
    Waiting,
}

impl Bar {
    const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::Waiting];

    const fn class(self) -> &'static str {
        match self {
            Self::Delivered => "strip-ok",
            Self::Failed => "strip-bad",
            Self::Waiting => "strip-waiting",
        }
    }

    /// In units of the drawing, which is 16 high.
    const fn height(self) -> usize {
        match self {
            Self::Delivered => 11,
            Self::Failed => 16,
            Self::Waiting => 4,
        }
    }
}

/// The strip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Strip {
    /// The newest deliveries, oldest first; at most [`Self::BARS`].
    pub(crate) bars: Vec<Bar>,
}

impl Strip {
    /// Bars that fit.
    pub(crate) const BARS: usize = 24;
    /// From one bar to the next.
    const STEP: usize = 3;

    pub(crate) fn is_empty(&self) -> bool {
        self.bars.is_empty()
    }

    /// The drawing's width.
    pub(crate) fn width(&self) -> usize {
        Self::BARS * Self::STEP
    }

    /// A class and a path for each kind of bar that there is.
    pub(crate) fn paths(&self) -> Vec<(&'static str, String)> {
        let empty = Self::BARS.saturating_sub(self.bars.len());
        let path = |kind: Bar| {
            let bars = self.bars.iter().enumerate().filter(|(_, bar)| **bar == kind);
            let path: String =
                bars.map(|(at, bar)| format!("M{}.5 16v-{}", (empty + at) * Self::STEP + 1, bar.height())).collect();
            (kind.class(), path)
        };
        Bar::ALL.into_iter().map(path).filter(|(_, path)| !path.is_empty()).collect()
    }

    /// The same in words: "22 delivered, 2 failed".
    pub(crate) fn text(&self) -> String {
        let count = |kind| self.bars.iter().filter(|bar| **bar == kind).count();
        let kinds = [(Bar::Delivered, "delivered"), (Bar::Failed, "failed"), (Bar::Waiting, "waiting")];
        let counted = kinds.into_iter().map(|(kind, word)| (count(kind), word)).filter(|(count, _)| *count > 0);
        let words: Vec<String> = counted.map(|(count, word)| format!("{} {word}", thousands(count))).collect();
        let newest = if self.bars.len() < Self::BARS { "" } else { "newest: " };
        format!("{newest}{}", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_delivery_stands_at_the_right() {
        let strip = Strip { bars: vec![Bar::Delivered, Bar::Failed] };
        let last = Strip::BARS * Strip::STEP - 2;
        assert_eq!(
            strip.paths(),
            [("strip-ok", format!("M{}.5 16v-11", last - 3)), ("strip-bad", format!("M{last}.5 16v-16"))]
        );
        assert!(last < strip.width());
        assert_eq!(strip.text(), "1 delivered, 1 failed");
    }

    #[test]
    fn a_full_strip_says_that_there_may_be_more() {
        let strip = Strip { bars: vec![Bar::Waiting; Strip::BARS] };
        assert_eq!(strip.text(), "newest: 24 waiting");
        assert!(Strip::default().is_empty());
    }
}
