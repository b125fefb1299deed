/// Whether this process does what one does for all: rotates keys and forgets what has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a node leads or it does not")]
pub enum Leadership {
    /// It does.
    Leads {
        /// One more than the last leader's.
        term: u64,
    },
    /// Another node does, or nobody yet.
    Follows,
}

impl Leadership {
    /// Whether this process leads.
    #[must_use]
    pub const fn leads(self) -> bool {
        matches!(self, Self::Leads { .. })
    }
}
