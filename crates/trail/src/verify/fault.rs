use crate::key::NodeName;
use crate::line::LineError;

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a report tells of each")]
pub enum Fault {
    /// It is no event, or none of a chain.
    #[error("was put in, or was an event and was changed: {0}")]
    NoEvent(LineError),
    /// It is an event, but not in the one form that a node writes (RFC 8785): a member twice, white space, another order.
    #[error(
        "was changed after it was written: it is not in the canonical form (RFC 8785) that nodes write; a member may be there twice, and readers differ in which one they take"
    )]
    NotCanonical,
    /// It says which torn line stands before it, and another does.
    #[error("says which torn line stands before it, and another does: that was changed or put in")]
    Mended,
    /// The line after it was written after another.
    #[error(
        "was changed after it was written, or put in place of another: the event after it names another hash (event {sequence})"
    )]
    Changed {
        /// The event's number.
        sequence: u64,
        /// The line after it, or 0 if that is in the next file.
        next: u64,
    },
    /// Events before it are not there.
    #[error("comes after a gap: events {from} to {to} were removed")]
    Missing {
        /// The first number that is missing.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Events between two files are not there.
    #[error(
        "begins a file after a gap: events {from} to {to} are missing, after the end of {before}: a file was not given, or was removed, or that end was cut off"
    )]
    FileMissing {
        /// The first number that is missing.
        from: u64,
        /// The last one.
        to: u64,
        /// The file before.
        before: String,
    },
    /// The event that should stand here stands later.
    #[error("stands where event {0} should: that one comes later")]
    Later(u64),
    /// It stands after events that were written later.
    #[error("was moved: event {0} stands after later ones")]
    Moved(u64),
    /// Its number was there before.
    #[error("was put in: there is an event {0} before it")]
    Repeated(u64),
    /// The chain begins once more.
    #[error(
        "begins the chain anew, with event 1: what came before it has no bond to it; the file was moved while the server was down or not told (reload it), or somebody began another trail"
    )]
    Anew,
    /// Another node wrote it.
    #[error("is of another node: {found} instead of {ours}; verify the files of each node by themselves")]
    OtherNode {
        /// The node of the lines before, or of the key.
        ours: NodeName,
        /// The node of this line.
        found: NodeName,
    },
    /// Another key signed it.
    #[error("is a checkpoint of another key: {0}")]
    OtherKey(String),
    /// The signature is not of what is there.
    #[error("is a checkpoint with a wrong signature: it was changed, or what stands before it was changed and chained anew{}", .since.map(|since| format!(" since event {since}")).unwrap_or_default())]
    Signature {
        /// The last checkpoint that is right.
        since: Option<u64>,
    },
    /// There is nothing to verify it with.
    #[error("is a checkpoint, and no key was given, and none stands before it: name the node's key")]
    NoKey,
    /// No checkpoint for too long.
    #[error(
        "is the event {0} without a checkpoint: checkpoints were removed and what is here was chained anew, or the server could not sign"
    )]
    Overdue(u64),
}

impl Fault {
    /// A word for it, in snake case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoEvent(_) => "no_event",
            Self::NotCanonical => "not_canonical",
            Self::Mended => "set_aside_changed",
            Self::Changed { .. } => "changed",
            Self::Missing { .. } => "missing",
            Self::FileMissing { .. } => "file_missing",
            Self::Later(_) => "later",
            Self::Moved(_) => "moved",
            Self::Repeated(_) => "put_in",
            Self::Anew => "chain_begins_anew",
            Self::OtherNode { .. } => "other_node",
            Self::OtherKey(_) => "other_key",
            Self::Signature { .. } => "wrong_signature",
            Self::NoKey => "no_key",
            Self::Overdue(_) => "checkpoint_overdue",
        }
    }
}
