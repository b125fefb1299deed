//! What is recorded of a token that somebody brought a second time.

use crate::audit_trail::Attempt;
use crate::error::{BackendError, TokenError};
use crate::issuer::IssuerState;
use crate::provider::Provider;
use sealstone_audit::{Action, Target};
use sealstone_grants::code::Spending;
use sealstone_grants::refresh::EndedFamily;
use sealstone_grants::{Denial, GrantDenial};
use sealstone_identity::UserId;
use sealstone_oauth_types::TokenId;

/// Why there is no token, and what ended because of it.
pub(crate) struct Refusal {
    pub(crate) error: TokenError,
    ended: Option<Box<Replayed>>,
}

/// What ended because it was brought twice: an auditor looks for what the thief got by it.
pub(crate) struct Replayed {
    what: Ended,
    user_id: Option<UserId>,
}

enum Ended {
    /// A refresh family, by its id.
    Family(String),
    /// An access token, where there was no family.
    Token(TokenId),
}

impl Replayed {
    pub(super) fn family(family: &EndedFamily) -> Self {
        Self {
            what: Ended::Family(family.id.to_string()),
            user_id: Some(family.user_id.clone()),
        }
    }

    pub(super) fn spending(spending: &Spending) -> Option<Self> {
        let token = spending.revoked.as_ref().map(|token| Self {
            what: Ended::Token(token.token_id.clone()),
            user_id: None,
        });
        spending.family.as_ref().map(Self::family).or(token)
    }
}

impl Refusal {
    pub(super) fn ending(denial: Denial, ended: Option<Replayed>) -> Self {
        Self {
            error: denial.into(),
            ended: ended.map(Box::new),
        }
    }

    /// What else than a refused request this is: somebody has what was another's.
    const fn replay(&self) -> Option<Action> {
        match self.error {
            TokenError::Denied(Denial::Grant(GrantDenial::RefreshTokenReused)) => {
                Some(Action::DenyReusedRefreshToken)
            }
            TokenError::Denied(Denial::Grant(GrantDenial::CodeSpent | GrantDenial::DeviceCodeSpent)) => {
                Some(Action::DenyReusedCode)
            }
            TokenError::UnknownIssuer
            | TokenError::Denied(_)
            | TokenError::TooManyRequests { .. }
            | TokenError::Backend(_) => None,
        }
    }
}

impl<E: Into<TokenError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            ended: None,
        }
    }
}

impl Provider {
    /// One event for the request, which says by its action whether something was brought a second time.
    pub(crate) fn record_refusal(
        &self,
        issuer: &IssuerState,
        attempt: &Attempt<'_>,
        refusal: &Refusal,
    ) -> Result<(), BackendError> {
        let action = refusal.replay().unwrap_or(attempt.action);
        let ended = refusal.ended.as_deref();
        let target = match ended.map(|ended| &ended.what) {
            Some(Ended::Family(id)) => Target::Grant(id.as_str().into()),
            Some(Ended::Token(id)) => Target::Token(id.as_str().into()),
            None => Target::Issuer(issuer.domain.as_str().into()),
        };
        let user = ended.and_then(|ended| ended.user_id.as_ref());
        self.record_as(
            action,
            attempt,
            user.map(UserId::as_str),
            target,
            Some(&refusal.error),
        )
    }
}
