use crate::context::{DelegationContext, OpenstackContext};
use crate::login::LoginClaims;
use rustls_pki_types::UnixTime;
use sealstone_claims::{MappedClaims, ReservedClaim};
use sealstone_identity::Authority;
use sealstone_mtls::CertificateThumbprint;
use sealstone_oauth_types::{ClientId, Issuer, ResourceUri, ScopeSet};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// For whom a token is meant (RFC 9068 §2.2, RFC 8707 §2).
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever mints decides between these forms"
)]
pub enum Audience<'a> {
    /// One name: the client itself, or the OpenStack services of a domain.
    One(&'a str),
    /// The resources that the client asked for.
    Resources(&'a [ResourceUri]),
}

impl Serialize for Audience<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(name) => serializer.serialize_str(name),
            Self::Resources([resource]) => serializer.serialize_str(resource.as_str()),
            Self::Resources(resources) => serializer.collect_seq(resources.iter().map(ResourceUri::as_str)),
        }
    }
}

/// Everything that an access token says (RFC 9068 §2.2), borrowed from where it is kept.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "minted in one place; a new claim must be decided there"
)]
pub struct AccessTokenClaims<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `sub`: the person, or the client itself for `client_credentials`.
    pub subject: &'a str,
    /// `aud`.
    pub audience: Audience<'a>,
    /// `client_id`.
    pub client_id: &'a ClientId,
    /// `iat` and `nbf`.
    pub issued_at: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `jti`: at least 96 random bits.
    pub token_id: &'a str,
    /// `scope`.
    pub scope: &'a ScopeSet,
    /// `cnf`, with `x5t#S256`: the certificate whose key the TLS peer proved (RFC 8705 §3.1).
    pub bound_to: Option<&'a CertificateThumbprint>,
    /// `auth_time`, `acr`, `amr`, `sid`: exactly if the subject is a person.
    pub login: Option<LoginClaims<'a>>,
    /// `openstack_context`.
    pub authority: Option<&'a Authority>,
    /// `delegation_context`.
    pub delegation: Option<&'a DelegationContext>,
    /// What the client's template adds; none of the names above can be among them.
    pub mapped: MappedClaims<'a>,
}

#[derive(Serialize)]
struct Cnf<'a> {
    #[serde(rename = "x5t#S256")]
    x5t_s256: &'a CertificateThumbprint,
}

/// A claim of ours is written under a reserved name, so that no template can write it too.
fn put<M: SerializeMap>(
    object: &mut M,
    claim: ReservedClaim,
    value: &(impl Serialize + ?Sized),
) -> Result<(), M::Error> {
    object.serialize_entry(claim.name(), value)
}

impl Serialize for AccessTokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        put(&mut object, ReservedClaim::ISS, self.issuer.as_str())?;
        put(&mut object, ReservedClaim::SUB, self.subject)?;
        put(&mut object, ReservedClaim::AUD, &self.audience)?;
        put(&mut object, ReservedClaim::CLIENT_ID, self.client_id.as_str())?;
        put(&mut object, ReservedClaim::IAT, &self.issued_at.as_secs())?;
        put(&mut object, ReservedClaim::NBF, &self.issued_at.as_secs())?;
        put(&mut object, ReservedClaim::EXP, &self.expires_at.as_secs())?;
        put(&mut object, ReservedClaim::JTI, self.token_id)?;
        put(&mut object, ReservedClaim::SCOPE, self.scope)?;
        if let Some(x5t_s256) = self.bound_to {
            put(&mut object, ReservedClaim::CNF, &Cnf { x5t_s256 })?;
        }
        if let Some(login) = &self.login {
            login.write_into(&mut object)?;
        }
        if let Some(authority) = self.authority {
            put(
                &mut object,
                ReservedClaim::OPENSTACK_CONTEXT,
                &OpenstackContext::from(authority),
            )?;
        }
        if let Some(delegation) = self.delegation {
            put(&mut object, ReservedClaim::DELEGATION_CONTEXT, delegation)?;
        }
        self.mapped.write_into(&mut object)?;
        object.end()
    }
}
