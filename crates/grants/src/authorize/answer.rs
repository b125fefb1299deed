use super::AuthorizationDenial;
use crate::interaction::AuthorizePurpose;
use sealstone_oauth_types::{Issuer, OpaqueToken, RedirectUri, ResponseMode, Secret, State};

/// Where the answer to a checked request goes, and how. Only the checks make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationAnswer {
    redirect_uri: RedirectUri,
    response_mode: ResponseMode,
    state: Option<State>,
}

impl AuthorizationAnswer {
    pub(crate) const fn new(
        redirect_uri: RedirectUri,
        response_mode: ResponseMode,
        state: Option<State>,
    ) -> Self {
        Self {
            redirect_uri,
            response_mode,
            state,
        }
    }

    /// That of a kept request.
    #[must_use]
    pub fn of(request: &AuthorizePurpose) -> Self {
        Self::new(
            request.redirect_uri.clone(),
            request.response_mode,
            request.state.clone(),
        )
    }

    /// Where it goes.
    #[must_use]
    pub const fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// How.
    #[must_use]
    pub const fn response_mode(&self) -> ResponseMode {
        self.response_mode
    }

    /// The parameters of a success, in order: `code`, `state` as it came, `iss` (RFC 6749 §4.1.2, RFC 9207 §2).
    #[must_use]
    pub fn success(&self, code: &OpaqueToken, issuer: &Issuer) -> Vec<(&'static str, Secret)> {
        self.with_state(vec![("code", Secret::from(code.expose()))], issuer)
    }

    /// The parameters of a refusal: `error`, `error_description`, `state` as it came, `iss`.
    #[must_use]
    pub fn refusal(&self, denial: AuthorizationDenial, issuer: &Issuer) -> Vec<(&'static str, Secret)> {
        let parameters = vec![
            ("error", Secret::from(denial.code().as_str())),
            ("error_description", Secret::from(denial.description())),
        ];
        self.with_state(parameters, issuer)
    }

    fn with_state(
        &self,
        mut parameters: Vec<(&'static str, Secret)>,
        issuer: &Issuer,
    ) -> Vec<(&'static str, Secret)> {
        if let Some(state) = &self.state {
            parameters.push(("state", Secret::from(state.as_str())));
        }
        parameters.push(("iss", Secret::from(issuer.as_str())));
        parameters
    }
}

/// A refusal that the client is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the driver answers with both")]
pub struct Redirected {
    /// Where and how.
    pub answer: AuthorizationAnswer,
    /// What.
    pub denial: AuthorizationDenial,
}
