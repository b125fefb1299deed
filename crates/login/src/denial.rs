use sealstone_identity::{LoginError, LoginRefusal};

use crate::{FactorFault, SecondFactorError, UpstreamError, UpstreamRefusal};

/// Why a login does not go on. None of these lets anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the page and the audit trail tell each")]
pub enum LoginDenial {
    /// The source refuses.
    #[error("{0}")]
    Refused(LoginRefusal),
    /// The upstream provider, or the person there, refuses.
    #[error("{0}")]
    Upstream(UpstreamRefusal),
    /// The source of people, or the upstream provider, gave no answer that can be believed.
    #[error("nobody can be asked who it is")]
    SourceUnavailable,
    /// The code is wrong.
    #[error("the code is not accepted")]
    WrongCode,
    /// The code was used before.
    #[error("the code was used before")]
    SpentCode,
    /// Too many attempts in this sign-in: it ends.
    #[error("too many attempts in this sign-in")]
    TooManyAttempts,
    /// Too many attempts for this person: wait.
    #[error("too many attempts for this person")]
    MustWait,
    /// The person's second factor is locked at its authority.
    #[error("the second factor is locked")]
    Locked,
    /// The person said no on their telephone.
    #[error("the person declined")]
    Declined,
    /// What was under way has ended; it begins anew.
    #[error("the step has ended")]
    Ended,
    /// A step that is not due: a code without a password, an answer without a question.
    #[error("the step is not due")]
    OutOfOrder,
    /// A proof of another person than the one who signs in.
    #[error("the proof is another person's")]
    OtherPerson,
    /// A second factor is due, and the person has none that may be used or set up here.
    #[error("the person has no second factor that may be used")]
    NoFactor,
    /// The login that is asked for can be had by nobody here.
    #[error("no login here is as sure as is asked for")]
    AcrUnreachable,
    /// Whether a second factor is due is not known: its authority gave no answer.
    #[error("the second factor cannot be asked for")]
    Unavailable,
}

impl LoginDenial {
    /// A stable word in snake case, for the audit trail and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.as_str(),
            Self::Upstream(refusal) => refusal.as_str(),
            Self::SourceUnavailable => "login_source_unavailable",
            Self::WrongCode => "code_wrong",
            Self::SpentCode => "code_spent",
            Self::TooManyAttempts => "too_many_attempts",
            Self::MustWait => "must_wait",
            Self::Locked => "second_factor_locked",
            Self::Declined => "second_factor_declined",
            Self::Ended => "step_ended",
            Self::OutOfOrder => "step_not_due",
            Self::OtherPerson => "other_person",
            Self::NoFactor => "no_second_factor",
            Self::AcrUnreachable => "acr_unreachable",
            Self::Unavailable => "second_factor_unavailable",
        }
    }

    /// Whether the sign-in is over: nothing that follows in it counts.
    #[must_use]
    pub const fn ends_sign_in(self) -> bool {
        matches!(
            self,
            Self::TooManyAttempts | Self::Declined | Self::OtherPerson | Self::Locked
        )
    }
}

impl From<&LoginError> for LoginDenial {
    fn from(error: &LoginError) -> Self {
        match error {
            LoginError::Refused(refusal) => Self::Refused(*refusal),
            LoginError::Unavailable { .. }
            | LoginError::Malformed { .. }
            | LoginError::NotConfigured { .. } => Self::SourceUnavailable,
        }
    }
}

impl From<&UpstreamError> for LoginDenial {
    fn from(error: &UpstreamError) -> Self {
        match error {
            UpstreamError::Refused(refusal) => Self::Upstream(*refusal),
            UpstreamError::Unavailable { .. }
            | UpstreamError::Malformed { .. }
            | UpstreamError::NotConfigured { .. } => Self::SourceUnavailable,
        }
    }
}

impl From<&SecondFactorError> for LoginDenial {
    fn from(error: &SecondFactorError) -> Self {
        match error {
            SecondFactorError::NoFactor => Self::NoFactor,
            SecondFactorError::Locked => Self::Locked,
            SecondFactorError::Unavailable { .. }
            | SecondFactorError::Malformed { .. }
            | SecondFactorError::NotConfigured { .. } => Self::Unavailable,
        }
    }
}

impl From<FactorFault> for LoginDenial {
    fn from(fault: FactorFault) -> Self {
        match fault {
            FactorFault::Spent => Self::SpentCode,
            FactorFault::TooManyCodes => Self::MustWait,
            FactorFault::Unknown | FactorFault::TooManyPasskeys | FactorFault::Registered => Self::OutOfOrder,
        }
    }
}
