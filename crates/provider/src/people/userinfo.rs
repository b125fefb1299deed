//! `/userinfo` (OpenID Connect Core §5.3): who a token is of, as far as its client may know, and as they are now.

use super::error::UserinfoError;
use super::token::{groups, person_claims, roles};
use super::visit::{Record, record};
use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_claims::ReservedClaim;
use sealstone_grants::userinfo::{Place, opens_userinfo, told};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{BearerError, ClaimsRequest, ClientId, UserinfoRequest};
use sealstone_registry::Client;
use sealstone_tokens::{PersonClaims, Possession, UserinfoClaims, VerifiedToken};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Who a token is of (OpenID Connect Core §5.3.2).
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the edge writes each")]
pub enum Userinfo {
    /// `application/json`: this text.
    Json(Vec<u8>),
    /// `application/jwt`: signed, for a client that is registered so.
    Signed(String),
}

impl Provider {
    /// `GET` and `POST /userinfo` (OpenID Connect Core §5.3). A bound token is taken from its holder alone.
    ///
    /// # Errors
    /// [`UserinfoError`].
    pub async fn userinfo(
        &self,
        domain: &DomainId,
        request: Result<UserinfoRequest, BearerError>,
        peer: &Peer,
    ) -> Result<Userinfo, UserinfoError> {
        let issuer = self
            .issuer(domain)
            .map_err(|_none| UserinfoError::UnknownIssuer)?;
        if self.realm(domain).is_none() {
            return Err(UserinfoError::UnknownIssuer);
        }
        let now = self.0.ports.clock.now();
        let result = Box::pin(self.tell(&issuer, request, peer, now)).await;
        let event = match &result {
            Ok((_, token)) => Record {
                action: Action::ReadUserinfo,
                user: None,
                client: Some(&token.client_id),
                target: Target::Token(token.token_id.as_str().into()),
                refused: None,
            },
            Err(error) => Record {
                action: Action::ReadUserinfo,
                user: None,
                client: None::<&ClientId>,
                target: Target::Issuer(domain.as_str().into()),
                refused: Some(reason(error)),
            },
        };
        record(self, &event, peer, now)?;
        result.map(|(userinfo, _token)| userinfo)
    }

    async fn tell(
        &self,
        issuer: &IssuerState,
        request: Result<UserinfoRequest, BearerError>,
        peer: &Peer,
        now: UnixTime,
    ) -> Result<(Userinfo, VerifiedToken), UserinfoError> {
        let request = request.map_err(UserinfoError::Malformed)?;
        let token = issuer.verify_held(request.token.expose(), peer, now);
        let token = token.ok_or(UserinfoError::InvalidToken)?;
        let owner = self
            .owner(issuer, &token)
            .await?
            .ok_or(UserinfoError::InvalidToken)?;
        opens_userinfo(&token.scope, token.login().is_some())
            .map_err(|_denial| UserinfoError::InsufficientScope)?;
        let person = self.person_of_token(issuer, &owner, &token, now).await?;
        let person = person.ok_or(UserinfoError::InvalidToken)?;
        let claims = asked(&token);
        let told = told(&person, &owner, &token.scope, claims.as_ref(), Place::Userinfo);
        let groups = groups(&told);
        let (amr, roles) = (amr(&token), roles(token.authority.as_ref()));
        let brokered = token
            .login()
            .and_then(|login| self.brokered(issuer, login.acr.unwrap_or_default(), &amr, login.auth_time));
        let wanted = owner.userinfo_algorithm();
        let claims = UserinfoClaims {
            subject: &token.subject,
            person: PersonClaims {
                roles: brokered.as_ref().map(|_| roles.as_slice()),
                further: brokered.as_ref(),
                ..person_claims(&told, groups.as_deref())
            },
            signed_for: wanted.map(|_algorithm| (&issuer.issuer, owner.id())),
        };
        let userinfo = match wanted {
            None => Userinfo::Json(serde_json::to_vec(&claims).map_err(unwritable)?),
            Some(_) => {
                let keys = issuer.keys.load();
                let mint = keys.people_mint(wanted).ok_or(BackendError::NoKey(wanted))?;
                Userinfo::Signed(mint.userinfo(&claims)?)
            }
        };
        Ok((userinfo, token))
    }

    /// The client of a token: there, enabled, of this domain, and the one that was registered when the token was issued.
    pub(crate) async fn owner(
        &self,
        issuer: &IssuerState,
        token: &VerifiedToken,
    ) -> Result<Option<Arc<Client>>, BackendError> {
        let owner = self.0.ports.clients.client(&token.client_id).await?;
        Ok(owner.filter(|owner| {
            owner.is_enabled()
                && owner.domain() == &issuer.domain
                && owner.created_at().as_secs() <= token.issued_at.as_secs()
        }))
    }
}

fn unwritable(_error: serde_json::Error) -> BackendError {
    BackendError::Factor("a userinfo answer can't be written")
}

fn amr(token: &VerifiedToken) -> Vec<&str> {
    let values = token
        .other
        .get(ReservedClaim::AMR.name())
        .and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the request asked for by name, as the token tells it.
fn asked(token: &VerifiedToken) -> Option<ClaimsRequest> {
    let names = token
        .other
        .get(ReservedClaim::USERINFO_CLAIMS.name())?
        .as_array()?;
    let names = names.iter().filter_map(Value::as_str);
    let members: Map<String, Value> = names.map(|name| (name.to_owned(), Value::Null)).collect();
    ClaimsRequest::parse(&json!({ "userinfo": members }).to_string())
}

impl IssuerState {
    /// The token if it is one of this issuer's, good now, and held by the sender if it is bound.
    fn verify_held(&self, token: &str, peer: &Peer, now: UnixTime) -> Option<VerifiedToken> {
        let keys = self.keys.load();
        let thumbprint = peer
            .certificate
            .as_ref()
            .map(|presented| presented.certificate.thumbprint());
        let held = Possession::ProvedUnlessBearer(thumbprint.as_ref());
        self.verifier.verify(token, &keys.verifiers, held, self, now).ok()
    }
}

fn reason(error: &UserinfoError) -> Reason {
    match error {
        UserinfoError::UnknownIssuer => Reason::new(404, "unknown_issuer"),
        UserinfoError::Malformed(error) => Reason::new(error.status(), "malformed_request"),
        UserinfoError::InvalidToken => Reason::new(401, "invalid_token"),
        UserinfoError::InsufficientScope => Reason::new(403, "not_for_userinfo"),
        UserinfoError::Backend(cause) => Reason::new(503, "backend_failure").with_detail(cause.detail()),
    }
}
