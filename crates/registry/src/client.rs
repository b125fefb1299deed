//! A registered client.

use std::{collections::BTreeSet, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_claims::ClaimsTemplate;
use sealstone_identity::{Authority, DomainId};
use sealstone_jose::Algorithm;
use sealstone_oauth_types::{ClientId, GrantType, ResourceUri, ScopeSet, TokenEndpointAuthMethod};
use serde::{Deserialize, Serialize};

use crate::{
    auth::ClientAuth,
    error::RegistrationError,
    people::People,
    registration::ClientRegistration,
    secret_set::{KeptSecret, RotationError, SecretSet},
    tie::MachineTie,
};

/// The longest life of a bearer token, and its default: 15 minutes (a stolen one is good for that long).
pub const MAX_BEARER_LIFETIME: Duration = Duration::from_secs(900);
/// The longest life of a certificate-bound token, and its default: 60 minutes.
pub const MAX_BOUND_LIFETIME: Duration = Duration::from_secs(3600);
/// The shortest life of a token: below it, clocks that differ by their usual seconds refuse fresh tokens.
pub const MIN_LIFETIME: Duration = Duration::from_secs(30);

/// How long after a change of its client a token says the version: three times what the clocks of two nodes may be apart.
const STATED_FOR: Duration = Duration::from_secs(60);

/// A registered client, valid by construction: only [`ClientRegistration::into_client`] and the stored form of one
/// that it made give a value of this type.
///
/// The version counts changes from 1; [`ClientStore::replace`](crate::ClientStore::replace) compares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    pub(crate) id: ClientId,
    pub(crate) domain: DomainId,
    pub(crate) settings: Settings,
    pub(crate) created_at: UnixTime,
    pub(crate) updated_at: UnixTime,
    pub(crate) tie_changed_at: Option<UnixTime>,
    pub(crate) version: u64,
}

/// What a registration decides about a client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) auth: ClientAuth,
    pub(crate) grants: BTreeSet<GrantType>,
    pub(crate) scopes: ScopeSet,
    pub(crate) default_scope: ScopeSet,
    pub(crate) resources: Vec<ResourceUri>,
    pub(crate) token_binding: TokenBinding,
    pub(crate) signing_algorithm: Option<Algorithm>,
    pub(crate) access_token_lifetime: Option<Duration>,
    pub(crate) introspection: IntrospectionRight,
    pub(crate) introspection_format: IntrospectionFormat,
    pub(crate) tie: MachineTie,
    pub(crate) people: People,
    pub(crate) claims: ClaimsTemplate,
    pub(crate) enabled: bool,
}

/// Whether tokens of a client are bound to its certificate (RFC 8705 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "issuing must decide on each")]
pub enum TokenBinding {
    /// `tls_client_certificate_bound_access_tokens: true`. Never an unbound token, on no path: a request without a
    /// certificate is refused, whatever else it proves.
    CertificateRequired,
    /// Bearer tokens.
    Unbound,
}

/// Which tokens a client may ask the introspection endpoint about (RFC 7662 §2.1, §4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "introspection must decide on each")]
pub enum IntrospectionRight {
    /// None.
    #[default]
    None,
    /// Tokens whose audience is this client or one of its resources.
    Own,
    /// Every token of the client's domain: for gateways and API middleware.
    Domain,
}

/// In which words introspection answers a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "introspection must decide on each")]
pub enum IntrospectionFormat {
    /// Those of RFC 7662 §2.2, with `openstack_context` nested.
    #[default]
    Standard,
    /// The flat names and types that `external_oauth2_token` of `keystonemiddleware` can be told to read. A token that
    /// is not for the domain's OpenStack services, or that the middleware would give more than it grants, is inactive.
    Keystonemiddleware,
}

impl Client {
    /// The client identifier.
    #[must_use]
    pub const fn id(&self) -> &ClientId {
        &self.id
    }

    /// The domain whose issuer this client uses; it is unknown to every other issuer.
    #[must_use]
    pub const fn domain(&self) -> &DomainId {
        &self.domain
    }

    /// The name for people to read: 1 to 128 characters, none of them invisible. It decides nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// How the client authenticates, with what that takes. No other method is accepted from it.
    #[must_use]
    pub const fn auth(&self) -> &ClientAuth {
        &self.settings.auth
    }

    /// The registered authentication method.
    #[must_use]
    pub const fn auth_method(&self) -> TokenEndpointAuthMethod {
        self.settings.auth.method()
    }

    /// The grants it may use; never empty.
    #[must_use]
    pub const fn grants(&self) -> &BTreeSet<GrantType> {
        &self.settings.grants
    }

    /// The scope it may ask for.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.settings.scopes
    }

    /// The scope it gets when it asks for none (RFC 6749 §3.3); within [`Client::scopes`], possibly empty.
    #[must_use]
    pub const fn default_scope(&self) -> &ScopeSet {
        &self.settings.default_scope
    }

    /// The resources it may name (RFC 8707), compared byte for byte.
    #[must_use]
    pub fn resources(&self) -> &[ResourceUri] {
        &self.settings.resources
    }

    /// Whether its tokens are bound to its certificate.
    #[must_use]
    pub const fn token_binding(&self) -> TokenBinding {
        self.settings.token_binding
    }

    /// The algorithm its access tokens are signed with; `None`: the issuer's default.
    #[must_use]
    pub const fn signing_algorithm(&self) -> Option<Algorithm> {
        self.settings.signing_algorithm
    }

    /// The registered life of its access tokens; `None`: the default for its binding.
    #[must_use]
    pub const fn access_token_lifetime(&self) -> Option<Duration> {
        self.settings.access_token_lifetime
    }

    /// The life of its access tokens: as registered, or the default for its binding.
    #[must_use]
    pub const fn effective_lifetime(&self) -> Duration {
        match self.settings.access_token_lifetime {
            Some(lifetime) => lifetime,
            None => self.settings.token_binding.max_lifetime(),
        }
    }

    /// Which tokens it may introspect.
    #[must_use]
    pub const fn introspection(&self) -> IntrospectionRight {
        self.settings.introspection
    }

    /// In which words introspection answers it.
    #[must_use]
    pub const fn introspection_format(&self) -> IntrospectionFormat {
        self.settings.introspection_format
    }

    /// The OpenStack authority that the registration itself states for `openstack:api` tokens; a client with another
    /// [tie](Client::tie) has none.
    #[must_use]
    pub const fn authority(&self) -> Option<&Authority> {
        self.settings.tie.static_authority()
    }

    /// What the authority of its own `openstack:api` tokens comes from: [`MachineTie::None`] exactly if `openstack:api`
    /// is not among [`Client::scopes`] or the client lacks the grant `client_credentials`.
    #[must_use]
    pub const fn tie(&self) -> &MachineTie {
        &self.settings.tie
    }

    /// When it was last tied to another identity; `None`: it never was. A token issued before stands on a tie that is
    /// gone.
    #[must_use]
    pub const fn tie_changed_at(&self) -> Option<UnixTime> {
        self.tie_changed_at
    }

    /// Further claims for its tokens.
    #[must_use]
    pub const fn claims(&self) -> &ClaimsTemplate {
        &self.settings.claims
    }

    /// Whether it may do anything at all. A disabled client is refused as an unknown one is.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.settings.enabled
    }

    /// When it was registered.
    #[must_use]
    pub const fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// When it was last changed.
    #[must_use]
    pub const fn updated_at(&self) -> UnixTime {
        self.updated_at
    }

    /// The number of this state of the record: 1 when registered, one more with every change.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The version that a token issued at `now` must say, so that it is known from one of before the client ended: `None`
    /// a minute after the last change, when the date tells, and for a client that was never changed.
    #[must_use]
    pub fn stated_version(&self, now: UnixTime) -> Option<u64> {
        let until = self.updated_at.as_secs().saturating_add(STATED_FOR.as_secs());
        (self.version > 1 && now.as_secs() < until).then_some(self.version)
    }

    /// A client that is registered in place of one of the same id, whose tokens below `ended` ended with it: its versions
    /// go on from there, so that its own tokens are none of those.
    #[must_use]
    pub fn in_place_of(self, ended: u64) -> Self {
        Self {
            version: self.version.max(ended.saturating_add(1)),
            ..self
        }
    }

    /// The client as its registration, to show or to change; without its secrets, which nothing gives back.
    #[must_use]
    pub fn registration(&self) -> ClientRegistration {
        ClientRegistration::of(&self.settings)
    }

    /// The client with another registration, one version on. Id, domain and date of registration stay.
    ///
    /// `secrets` replaces the client's secrets; with `None` a client whose secrets are kept as before keeps them. So
    /// does a client that keeps its application credential keep that one's secret.
    ///
    /// # Errors
    /// As [`ClientRegistration::into_client`].
    pub fn updated(
        &self,
        mut registration: ClientRegistration,
        secrets: Option<SecretSet>,
        now: UnixTime,
    ) -> Result<Self, RegistrationError> {
        registration.keep_secret_of(&self.settings.tie);
        let secrets = match secrets {
            None => {
                let kind = registration.secret_kind()?;
                let kept = self.settings.auth.secrets();
                kept.filter(|kept| kind == Some(kept.kind())).cloned()
            }
            other => other,
        };
        let settings = registration.check(&self.id, secrets)?;
        Ok(self.next(settings, now))
    }

    /// The client with a new secret, one version on; see [`SecretSet::rotate`] for the overlap.
    ///
    /// # Errors
    /// [`RotationError::NoSecret`] for a client that authenticates by certificate; else as [`SecretSet::rotate`].
    pub fn with_rotated_secret(
        &self,
        new: impl Into<KeptSecret>,
        expires_at: Option<UnixTime>,
        overlap: Duration,
        now: UnixTime,
    ) -> Result<Self, RotationError> {
        let secrets = self.settings.auth.secrets().ok_or(RotationError::NoSecret)?;
        let secrets = secrets.rotate(new, expires_at, overlap, now)?;
        let settings = Settings {
            auth: self.settings.auth.with_secrets(secrets),
            ..self.settings.clone()
        };
        Ok(self.next(settings, now))
    }

    /// The client switched on or off, one version on.
    #[must_use]
    pub fn with_enabled(&self, enabled: bool, now: UnixTime) -> Self {
        self.next(
            Settings {
                enabled,
                ..self.settings.clone()
            },
            now,
        )
    }

    fn next(&self, settings: Settings, now: UnixTime) -> Self {
        let is_same_tie = settings.tie.leads_where(&self.settings.tie);
        Self {
            id: self.id.clone(),
            domain: self.domain.clone(),
            settings,
            created_at: self.created_at,
            // A clock that is behind makes no change older than the one before.
            updated_at: self.updated_at.max(now),
            tie_changed_at: if is_same_tie {
                self.tie_changed_at
            } else {
                Some(now)
            },
            version: self.version.saturating_add(1),
        }
    }
}

impl TokenBinding {
    /// The longest life of a token with this binding, and the default.
    #[must_use]
    pub const fn max_lifetime(self) -> Duration {
        match self {
            Self::CertificateRequired => MAX_BOUND_LIFETIME,
            Self::Unbound => MAX_BEARER_LIFETIME,
        }
    }
}

/// A client id that somebody chose, which is none that could be a user's: Keystone's are 32 or 64 hexadecimal digits,
/// and the subject of a machine's token is its client id.
///
/// # Errors
/// [`RegistrationError::ClientId`], [`RegistrationError::ClientIdOfUser`].
///
/// # Examples
/// ```
/// # use sealstone_registry::chosen_client_id;
/// assert!(chosen_client_id("grafana").is_ok());
/// assert!(chosen_client_id("7a6c1f0e5b3d42c8a9e0d1f2b3c4d5e6").is_err());
/// ```
pub fn chosen_client_id(text: &str) -> Result<ClientId, RegistrationError> {
    let id = ClientId::parse(text).map_err(|_| RegistrationError::ClientId)?;
    if matches!(text.len(), 32 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(RegistrationError::ClientIdOfUser);
    }
    Ok(id)
}

/// Writes 16 bytes of a cryptographic random source as a client identifier: 32 hexadecimal digits.
///
/// # Errors
/// Never in practice: the digits fit the grammar of [`ClientId`].
pub fn generate_client_id(random: [u8; 16]) -> Result<ClientId, RegistrationError> {
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    ClientId::parse(&text).map_err(|_| RegistrationError::ClientId)
}
