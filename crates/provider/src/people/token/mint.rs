//! From what a person granted to the tokens that say so.

use crate::error::{BackendError, TokenError};
use crate::issuer::IssuerState;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_claims::ClaimsSubject;
use sealstone_grants::person::PersonGranted;
use sealstone_grants::refresh::LastIssue;
use sealstone_grants::token::Target;
use sealstone_grants::userinfo::{Place, Told, told};
use sealstone_grants::{IssuedToken, PersonGrant, scopes};
use sealstone_identity::{AuthMethod, Authority, Name, RoleName, UserId};
use sealstone_jose::JwtBuffer;
use sealstone_login::Sid;
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{TokenId, TokenResponse};
use sealstone_registry::Client;
use sealstone_tokens::{
    AccessTokenClaims, AccessTokenHash, Audience, DelegationContext, IdTokenClaims, LoginClaims,
    PersonClaims, expiry,
};

/// Tokens that are made, and not given yet.
pub(super) struct Issue {
    pub(super) response: TokenResponse,
    pub(super) token: IssuedToken,
    pub(super) user_id: UserId,
}

impl Issue {
    /// The tokens for what was granted; those of a moment ago again, for a repeated use of a refresh token.
    pub(super) fn of(
        provider: &Provider,
        issuer: &IssuerState,
        granted: &PersonGranted,
        token_id: &str,
        now: UnixTime,
    ) -> Result<Self, TokenError> {
        let subject = provider.subject(granted.client(), &granted.grant().user_id)?;
        let (token, issued_at) = match granted.again() {
            Some(LastIssue { token, issued_at, .. }) => (token.clone(), *issued_at),
            None => (new_token(granted, token_id, now)?, now),
        };
        let access_token = access_token(issuer, granted, &subject, &token, issued_at)?;
        let id_token = id_token(provider, issuer, granted, (&subject, &access_token), now)?;
        let expires_in = token.expires_at.as_secs().saturating_sub(now.as_secs());
        let response = TokenResponse::new(access_token, expires_in, Some(granted.scope().clone()));
        Ok(Self {
            response: match id_token {
                Some(id_token) => response.with_id_token(id_token),
                None => response,
            },
            token,
            user_id: granted.grant().user_id.clone(),
        })
    }
}

fn new_token(granted: &PersonGranted, token_id: &str, now: UnixTime) -> Result<IssuedToken, BackendError> {
    let ends = [
        granted.bound_to().map(ClientCertificate::not_after),
        granted.authority_ends_at(),
    ];
    Ok(IssuedToken {
        token_id: TokenId::parse(token_id).map_err(|_never| crate::EntropyError)?,
        expires_at: expiry(
            now,
            granted.client().effective_lifetime(),
            ends.into_iter().flatten(),
        ),
    })
}

fn access_token(
    issuer: &IssuerState,
    granted: &PersonGranted,
    subject: &str,
    token: &IssuedToken,
    issued_at: UnixTime,
) -> Result<String, TokenError> {
    let client = granted.client();
    let authority = granted.authority();
    let delegation = granted.delegated().and_then(DelegationContext::of);
    let thumbprint = granted.bound_to().map(ClientCertificate::thumbprint);
    let amr = granted.grant().amr.values();
    let userinfo = asked_at_userinfo(granted.grant());
    let of = claims_subject(issuer, granted, subject);
    let claims = AccessTokenClaims {
        issuer: &issuer.issuer,
        subject,
        audience: match granted.target() {
            Target::Client => Audience::One(client.id().as_str()),
            Target::OpenstackServices => Audience::One(&issuer.openstack_audience),
            Target::Resources(resources) => Audience::Resources(resources),
        },
        client_id: client.id(),
        client_version: client.stated_version(issued_at),
        issued_at,
        expires_at: token.expires_at,
        token_id: token.token_id.as_str(),
        scope: granted.scope(),
        login: Some(login(client, granted.grant(), &amr)),
        userinfo: &userinfo,
        bound_to: thumbprint.as_ref(),
        authority,
        delegation: delegation.as_ref(),
        mapped: client.claims().map(&of)?,
    };
    let keys = issuer.keys.load();
    let wanted = client.signing_algorithm();
    let mint = keys.mint(wanted).ok_or(BackendError::NoKey(wanted))?;
    Ok(mint.mint(&claims, &mut JwtBuffer::default())?.to_owned())
}

/// An ID token for `openid`. It says when and how the person signed in, not when a token was refreshed.
fn id_token(
    provider: &Provider,
    issuer: &IssuerState,
    granted: &PersonGranted,
    (subject, access_token): (&str, &str),
    now: UnixTime,
) -> Result<Option<String>, TokenError> {
    if !granted.scope().contains(scopes::OPENID) {
        return Ok(None);
    }
    let (client, grant) = (granted.client(), granted.grant());
    let keys = issuer.keys.load();
    let wanted = client.id_token_algorithm();
    let mint = keys.people_mint(wanted).ok_or(BackendError::NoKey(wanted))?;
    let amr = grant.amr.values();
    let of = claims_subject(issuer, granted, subject);
    let told = told(
        granted.person(),
        client,
        granted.scope(),
        grant.claims.as_ref(),
        Place::IdToken,
    );
    let told = without_templated(client, told);
    let groups = groups(&told);
    let brokered = provider.brokered(issuer, grant.acr.as_str(), &amr, grant.authenticated_at);
    let roles = roles(granted.authority());
    let at_hash = AccessTokenHash::of(access_token, mint.algorithm());
    let claims = IdTokenClaims {
        issuer: &issuer.issuer,
        subject,
        client_id: client.id(),
        issued_at: now,
        expires_at: expiry(now, client.effective_lifetime(), []),
        login: login(client, grant, &amr),
        nonce: granted.nonce(),
        at_hash: Some(&at_hash),
        person: PersonClaims {
            roles: brokered.as_ref().map(|_| roles.as_slice()),
            further: brokered.as_ref(),
            ..person_claims(&told, groups.as_deref())
        },
        mapped: Some(client.claims().map(&of)?),
    };
    Ok(Some(mint.id_token(&claims)?))
}

fn claims_subject<'a>(
    issuer: &'a IssuerState,
    granted: &'a PersonGranted,
    subject: &'a str,
) -> ClaimsSubject<'a> {
    let client = granted.client();
    ClaimsSubject {
        subject,
        client_id: client.id().as_str(),
        client_name: client.name(),
        domain: &issuer.domain,
        authority: granted.authority(),
    }
}

/// What the client's template says goes before what the scope gives: no claim is there twice.
fn without_templated<'a>(client: &Client, told: Told<'a>) -> Told<'a> {
    let is_free = |name: &str| client.claims().sources().all(|(templated, _)| templated != name);
    Told {
        name: told.name.filter(|_| is_free("name")),
        preferred_username: told.preferred_username.filter(|_| is_free("preferred_username")),
        email: told
            .email
            .filter(|_| is_free("email") && is_free("email_verified")),
        groups: told.groups.filter(|_| is_free("groups")),
    }
}

/// What the request asked for by name at the userinfo endpoint, of what there is.
fn asked_at_userinfo(grant: &PersonGrant) -> Vec<&str> {
    let asked = grant.claims.as_ref().map(|claims| claims.userinfo.iter());
    let names = asked.into_iter().flatten().map(|(name, _how)| name);
    names.filter(|name| scopes::of_claim(name).is_some()).collect()
}

fn login<'a>(client: &Client, grant: &'a PersonGrant, amr: &'a [&'a str]) -> LoginClaims<'a> {
    LoginClaims {
        auth_time: grant.authenticated_at,
        acr: Some(grant.acr.as_str()),
        amr,
        sid: grant
            .sid
            .as_ref()
            .filter(|_| may_know_session(client, grant))
            .map(Sid::as_str),
    }
}

/// Two clients to which the person is not the same must not find out by the session: it is named to such a one only
/// where it hears of its end, or where nobody else knows the person.
fn may_know_session(client: &Client, grant: &PersonGrant) -> bool {
    client.sector_identifier().is_none()
        || client.backchannel_logout().is_some()
        || grant.amr.methods().any(|method| method == AuthMethod::Upstream)
}

/// The roles that a token for OpenStack carries; none of any other.
pub(crate) fn roles(authority: Option<&Authority>) -> Vec<&str> {
    let roles = authority.map(Authority::roles).unwrap_or_default();
    roles.iter().map(RoleName::as_str).collect()
}

pub(crate) fn groups<'a>(told: &Told<'a>) -> Option<Vec<&'a str>> {
    Some(told.groups?.iter().map(Name::as_str).collect())
}

pub(crate) fn person_claims<'a>(told: &Told<'a>, groups: Option<&'a [&'a str]>) -> PersonClaims<'a> {
    PersonClaims {
        name: told.name.map(Name::as_str),
        preferred_username: told.preferred_username.map(Name::as_str),
        email: told.email.map(sealstone_identity::Email::address),
        email_verified: told.email.map(sealstone_identity::Email::is_verified),
        groups,
        roles: None,
        further: None,
    }
}
