//! Refresh tokens (RFC 6749 §6, RFC 9700 §4.14): families, their rotation, and what ends them.
//!
//! ```text
//! NeedsFamily ──with_family──▶ NeedsPerson ──with_person──▶ (NeedsAuthority) ──▶ Refreshed ──rotation──▶ RefreshStore::rotate
//! ```
//!
//! A family is what one login gave one client. Its token changes with each use; the one before it may be repeated for
//! [`REFRESH_GRACE`] and gives the same child, since a child follows from its parent and the family's key.

mod binding;
mod dates;
mod family;
mod flow;
mod port;
mod rotation;
mod succession;
mod token;

pub(crate) use binding::thumbprint;
pub use family::{
    FamilyKey, FamilyLifetime, LastIssue, MAX_FAMILIES_AT_CLIENT, MAX_LIVE_TOKENS, PreviousToken,
    REFRESH_GRACE, RefreshFamily, Rotates,
};
pub use flow::NeedsFamily;
pub(crate) use flow::{RefreshUse, begin};
pub use port::{EndedFamily, Ending, RefreshRotation, RefreshStore, Rotation};
pub(crate) use rotation::{begins, first};
pub use token::FamilyId;
