use super::{Given, Interaction};
use sealstone_login::Sid;

/// What happened in an interaction so far.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "the rules decide on each")]
pub struct Steps<'a> {
    /// The session of a login in it.
    pub logged_in: Option<&'a Sid>,
    /// The session that was stepped up in it.
    pub stepped_up: Option<&'a Sid>,
    /// The session that was chosen in it.
    pub selected: Option<&'a Sid>,
    /// What the person answered.
    pub given: Option<&'a Given>,
}

impl Interaction {
    /// What happened in it so far.
    #[must_use]
    pub const fn steps(&self) -> Steps<'_> {
        Steps {
            logged_in: self.logged_in.as_ref(),
            stepped_up: self.stepped_up.as_ref(),
            selected: self.selected.as_ref(),
            given: self.given.as_ref(),
        }
    }
}
