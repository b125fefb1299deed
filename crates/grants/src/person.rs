//! What comes after a code, a device code or a refresh token was found good: the person as they are now, and what they
//! may do now.
//!
//! ```text
//! NeedsPerson ──with_person──▶ PersonStep::Granted
//!                            └▶ PersonStep::NeedsAuthority ──with_authority──▶ PersonGranted ──complete──▶ Completion
//! ```

mod authority;
mod completion;
mod granted;
pub(crate) mod narrowing;
mod refused;
mod standing;
mod steps;

pub(crate) use completion::Source;
pub use completion::{Completion, FamilyRandom};
pub(crate) use granted::Facts;
pub use granted::PersonGranted;
pub use refused::{Aftermath, Refused};
pub use steps::{NeedsAuthority, NeedsPerson, PersonStep};
