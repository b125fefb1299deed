use crate::{Denial, refresh::FamilyId};
use sealstone_oauth_types::TokenHash;

/// What a person granted gives no token; and what the driver does before it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the driver does both")]
pub struct Refused {
    /// Why.
    pub denial: Denial,
    /// What follows.
    pub then: Aftermath,
}

/// What follows a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver does each")]
pub enum Aftermath {
    /// Nothing: what was sent may be good for somebody, or at another time.
    Nothing,
    /// The code is spent, for nothing; if it was used before, what it gave ends:
    /// [`CodeStore::spend`](crate::code::CodeStore::spend).
    SpendCode(TokenHash),
    /// The family ends: [`RefreshStore::end`](crate::refresh::RefreshStore::end).
    EndFamily(FamilyId),
}

impl Refused {
    pub(crate) fn spending(denial: impl Into<Denial>, code: TokenHash) -> Self {
        Self {
            denial: denial.into(),
            then: Aftermath::SpendCode(code),
        }
    }

    pub(crate) fn ending(denial: impl Into<Denial>, family: FamilyId) -> Self {
        Self {
            denial: denial.into(),
            then: Aftermath::EndFamily(family),
        }
    }
}

impl<E: Into<Denial>> From<E> for Refused {
    fn from(denial: E) -> Self {
        Self {
            denial: denial.into(),
            then: Aftermath::Nothing,
        }
    }
}
