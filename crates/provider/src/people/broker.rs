//! The strict profile of a broker: what is outside of it is refused in its own words, and its tokens say who made sure
//! of a person, and how.

use super::config::Profile;
use super::visit::{Record, Visit, record};
use crate::error::{BackendError, TokenError};
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::Denial;
use sealstone_grants::authorize::{AuthorizationDenial, Displayed};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{AuthorizationError, AuthorizationHeadError};
use serde_json::{Map, Value, json};

/// A request that is outside of the [broker's profile](Profile::Broker): status 400, and exactly
/// `{"error":"invalid_profile_usage","description":…,"feature":…}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the edge writes all of it")]
pub struct ProfileRefusal {
    /// Fixed text, for who develops the client.
    pub description: &'static str,
    /// What of the request is outside the profile: a parameter's name, mostly.
    pub feature: &'static str,
}

impl ProfileRefusal {
    const fn new(description: &'static str, feature: &'static str) -> Self {
        Self { description, feature }
    }
}

/// An endpoint that others have and that a [broker's profile](Profile::Broker) leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the edge has an address for each")]
pub enum AbsentEndpoint {
    /// `/register` (RFC 7591, OpenID Connect Dynamic Client Registration).
    Registration,
    /// `/par` (RFC 9126).
    PushedRequest,
}

impl AbsentEndpoint {
    /// What was attempted there, and the rule by which it is refused.
    const fn attempt(self) -> (Action, &'static str) {
        match self {
            Self::Registration => (Action::CreateClient, "registration_not_offered"),
            Self::PushedRequest => (Action::Authorize, "pushed_request_not_offered"),
        }
    }

    const fn refusal(self) -> ProfileRefusal {
        match self {
            Self::Registration => {
                ProfileRefusal::new("this profile does not register clients", "registration")
            }
            Self::PushedRequest => {
                ProfileRefusal::new("this profile does not take pushed requests", "pushed_request")
            }
        }
    }
}

impl Provider {
    /// How a broker answers whoever asks for something at an endpoint that its profile leaves out; the attempt is
    /// recorded first.
    ///
    /// # Errors
    /// [`BackendError`] when that can't be recorded.
    pub fn refuse_endpoint(
        &self,
        domain: &DomainId,
        endpoint: AbsentEndpoint,
        peer: &Peer,
    ) -> Result<ProfileRefusal, BackendError> {
        let (action, rule) = endpoint.attempt();
        let event = Record {
            action,
            user: None,
            client: None,
            target: Target::Issuer(domain.as_str().into()),
            refused: Some(Reason::new(400, rule)),
        };
        record(self, &event, peer, self.0.ports.clock.now())?;
        Ok(endpoint.refusal())
    }

    fn is_broker(&self, domain: &DomainId) -> bool {
        self.realm(domain)
            .is_some_and(|realm| realm.config.profile == Profile::Broker)
    }

    /// How a broker answers a refusal of its token endpoint, or of that for devices, if it is one of what its profile
    /// leaves out.
    #[must_use]
    pub fn outside_profile(&self, domain: &DomainId, error: &TokenError) -> Option<ProfileRefusal> {
        match error {
            TokenError::Denied(Denial::UnsupportedGrantType | Denial::UnauthorizedGrantType)
                if self.is_broker(domain) =>
            {
                Some(ProfileRefusal::new(
                    "this profile does not have that grant type",
                    "grant_type",
                ))
            }
            TokenError::Denied(_)
            | TokenError::UnknownIssuer
            | TokenError::TooManyRequests { .. }
            | TokenError::Backend(_) => None,
        }
    }

    /// What a broker's tokens say beside the standard: whose kind of person it is, and how sure that is.
    pub(crate) fn brokered(
        &self,
        issuer: &IssuerState,
        acr: &str,
        amr: &[&str],
        authenticated_at: UnixTime,
    ) -> Option<Map<String, Value>> {
        if !self.is_broker(&issuer.domain) {
            return None;
        }
        let claims = json!({
            "tenant": issuer.domain.as_str(),
            "principal_type": "user",
            "assurance": {
                "level": acr,
                "methods": amr,
                "mfa": amr.contains(&"mfa"),
                "source": issuer.issuer.as_str(),
                "at": authenticated_at.as_secs(),
            },
        });
        match claims {
            Value::Object(members) => Some(members),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        }
    }
}

impl Visit<'_> {
    pub(crate) fn is_broker(&self) -> bool {
        self.realm.config.profile == Profile::Broker
    }
}

/// A fault that has nowhere to go.
pub(crate) const fn misuse_of_head(displayed: Displayed) -> ProfileRefusal {
    match displayed {
        Displayed::UnregisteredRedirectUri | Displayed::Malformed(AuthorizationHeadError::RedirectUri) => {
            ProfileRefusal::new("redirect_uri does not match any registered URI", "redirect_uri")
        }
        Displayed::UnknownClient
        | Displayed::DisabledClient
        | Displayed::Malformed(AuthorizationHeadError::ClientId | AuthorizationHeadError::MissingClientId) => {
            ProfileRefusal::new("client_id is not registered", "client_id")
        }
        Displayed::Malformed(
            AuthorizationHeadError::Form(_)
            | AuthorizationHeadError::Encoding
            | AuthorizationHeadError::Repeated,
        ) => ProfileRefusal::new("the request can't be read", "request_encoding"),
    }
}

/// What the profile leaves out; `None` for what a client is told by redirect in any profile: what became of the login.
pub(crate) const fn misuse_of_request(denial: AuthorizationDenial) -> Option<ProfileRefusal> {
    let feature = match denial {
        AuthorizationDenial::Malformed(error) => feature(error),
        AuthorizationDenial::UnauthorizedClient => "grant_type",
        AuthorizationDenial::NoChallenge => "code_challenge",
        AuthorizationDenial::ScopeNotAllowed => "scope",
        AuthorizationDenial::TargetNotAllowed | AuthorizationDenial::MixedTargets => "resource",
        AuthorizationDenial::LoginRequired
        | AuthorizationDenial::AccountSelectionRequired
        | AuthorizationDenial::ConsentRequired
        | AuthorizationDenial::OtherPerson
        | AuthorizationDenial::AcrUnmet
        | AuthorizationDenial::LoginFailed(_)
        | AuthorizationDenial::Refused
        | AuthorizationDenial::NoProject
        | AuthorizationDenial::Outdated
        | AuthorizationDenial::TooMany
        | AuthorizationDenial::Unavailable
        | AuthorizationDenial::Failed => return None,
    };
    Some(ProfileRefusal::new(denial.description(), feature))
}

const fn feature(error: AuthorizationError) -> &'static str {
    match error {
        AuthorizationError::Repeated | AuthorizationError::Encoding => "request_encoding",
        AuthorizationError::State => "state",
        AuthorizationError::ResponseMode => "response_mode",
        AuthorizationError::RequestObject => "request",
        AuthorizationError::RequestUri => "request_uri",
        AuthorizationError::Registration => "registration",
        AuthorizationError::DpopJkt => "dpop_jkt",
        AuthorizationError::MissingResponseType | AuthorizationError::ResponseType => "response_type",
        AuthorizationError::CodeChallenge => "code_challenge",
        AuthorizationError::CodeChallengeMethod => "code_challenge_method",
        AuthorizationError::Scope => "scope",
        AuthorizationError::Resource => "resource",
        AuthorizationError::Nonce => "nonce",
        AuthorizationError::Prompt => "prompt",
        AuthorizationError::MaxAge => "max_age",
        AuthorizationError::AcrValues => "acr_values",
        AuthorizationError::Claims => "claims",
        AuthorizationError::IdTokenHint => "id_token_hint",
    }
}
