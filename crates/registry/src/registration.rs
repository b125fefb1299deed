//! A client's registration: RFC 7591 metadata and ours, and the checks that make a [`Client`] of it.

mod checks;
mod dynamic;
mod members;
mod people;
mod tie;

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_claims::ClaimsTemplate;
use sealstone_identity::{ApplicationCredentialId, Authority, DomainId, ProjectId, UserId};
use sealstone_jose::{Algorithm, MacAlgorithm};
use sealstone_oauth_types::{ClientId, GrantType, ResourceUri, Secret, TokenEndpointAuthMethod};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    assertion::{AssertionAudience, AssertionDates, AssertionRules},
    auth::ClientAuth,
    client::{Client, IntrospectionFormat, IntrospectionRight, Settings, TokenBinding},
    error::RegistrationError,
    people::{ApplicationType, ConsentPolicy, SubjectType},
    sealed_secret::SealedSecret,
    secret_set::{SecretKind, SecretSet},
    tie::MachineTie,
};

pub use dynamic::DynamicRegistration;

/// The scope whose tokens carry the client's OpenStack authority.
pub const OPENSTACK_API_SCOPE: &str = "openstack:api";

/// The longest registration that is read, in bytes: sixteen keys with certificates and a full template fit twice.
const MAX_BYTES: usize = 128 * 1024;

/// What is asked for a client: the metadata of RFC 7591 §2 and RFC 8705 §2.1.2 that this server reads, under their
/// names, and its own. Not yet checked; [`ClientRegistration::into_client`] does that.
///
/// Identifier, domain, dates and secrets are not members: the server sets them. A member that does nothing here is
/// refused rather than ignored.
///
/// # Examples
/// ```
/// # use sealstone_registry::ClientRegistration;
/// let registration = ClientRegistration::from_json(br#"{
///     "client_name": "ci runner",
///     "token_endpoint_auth_method": "tls_client_auth",
///     "tls_client_auth_subject_dn": "CN=ci,O=Example",
///     "scope": "metrics:read"
/// }"#)?;
/// assert_eq!(registration.client_name.as_deref(), Some("ci runner"));
///
/// let error = ClientRegistration::from_json(br#"{"client_nam": "ci"}"#).unwrap_err();
/// assert_eq!(error.to_string(), "`client_nam` is no member of a registration: did you mean `client_name`?");
/// # Ok::<(), sealstone_registry::RegistrationError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRegistration {
    /// A name for people: 1 to 128 characters. Default: the client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// `client_secret_basic` (the default, RFC 7591 §2), `client_secret_post`, `tls_client_auth`,
    /// `self_signed_tls_client_auth`, `private_key_jwt`, `client_secret_jwt`, or `none` for a program that cannot keep a
    /// secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    /// `client_credentials`, `authorization_code`, `refresh_token`,
    /// `urn:ietf:params:oauth:grant-type:device_code`. Default: `["authorization_code"]` with redirect URIs, else
    /// `["client_credentials"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<String>>,
    /// The scope the client may ask for, names parted by a space. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The scope it gets when it asks for none; within `scope`, without `openstack:api`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_scope: Option<String>,
    /// The resources it may name (RFC 8707): absolute URIs, at most 32. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The subject of its certificate, RFC 4514.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_subject_dn: Option<String>,
    /// A `dNSName` of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_dns: Option<String>,
    /// A `uniformResourceIdentifier` of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_uri: Option<String>,
    /// An `iPAddress` of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_ip: Option<String>,
    /// An `rfc822Name` of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_email: Option<String>,
    /// Its public keys, for `self_signed_tls_client_auth` and `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// The only algorithm of its assertions (OpenID Connect Registration §2). Default: each that its keys, or its
    /// secret, can be used with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// The `aud` that its assertions may name: `issuer_or_token_endpoint` (the default) or `issuer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_assertion_audience: Option<AssertionAudience>,
    /// Whether `exp`, `iat` and `nbf` of its assertions may be text of decimal digits, which RFC 7519 forbids and
    /// `keystonemiddleware` sends. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_assertion_dates_as_text: Option<bool>,
    /// Whether its tokens are bound to its certificate. Default: as the method is a TLS method. A client with a secret
    /// may ask for it: it then presents secret and certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_certificate_bound_access_tokens: Option<bool>,
    /// The life of its access tokens in seconds: 30 to 900 for bearer tokens, 30 to 3600 for bound ones. Default: the
    /// upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime_s: Option<u64>,
    /// The algorithm its access tokens are signed with. Default: the issuer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_signing_alg: Option<String>,
    /// Which tokens it may introspect: `none` (the default), `own` or `domain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<IntrospectionRight>,
    /// In which words introspection answers it: `standard` (the default) or `keystonemiddleware`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_format: Option<IntrospectionFormat>,
    /// The OpenStack authority of its `openstack:api` tokens, stated here once and for all; no Keystone is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// The Keystone application credential that its `openstack:api` tokens stand on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openstack_application_credential_id: Option<ApplicationCredentialId>,
    /// That credential's secret. Write-only: it is kept sealed, and nothing shows it again.
    #[serde(default, skip_serializing)]
    pub openstack_application_credential_secret: Option<Secret>,
    /// When that credential ends, in seconds since 1970: for one whose secret is not kept, since Keystone then does not
    /// say it with its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openstack_application_credential_expires_at: Option<u64>,
    /// The Keystone user whose authority it is: with `openstack_project_id` alone a tie of its own, beside an
    /// application credential what that must turn out to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openstack_user_id: Option<UserId>,
    /// The only project that its tokens are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openstack_project_id: Option<ProjectId>,
    /// Rules by which the names in its certificate say which Keystone user it is, in the form of `sealstone mapping`: with
    /// `tls_client_auth` only. The project is theirs to say, or `openstack_project_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openstack_mapping: Option<Value>,
    /// Whether the server makes the Keystone token itself, so that no secret is kept. Default: `false` for an
    /// application credential; a tie to a user can't be otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openstack_minted: Option<bool>,
    /// Whether the application credential may be an unrestricted one, with which further credentials and trusts can be
    /// made. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dangerous_unrestricted_application_credential: Option<bool>,
    /// What [`ClientRegistration::seal_application_credential_secret`] made of the secret.
    #[serde(skip)]
    pub sealed_application_credential_secret: Option<SealedSecret>,
    /// Where the answers to its authorization requests may go (RFC 6749 §3.1.2): at most 32, `https`, or `http` on
    /// loopback; for a native client private-use schemes too. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// Only `["code"]`, with `authorization_code` the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Vec<String>>,
    /// `web` (the default) or `native`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Where the browser may go after a sign-out, as for `redirect_uris`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Whether its authorization requests must have a code challenge. Default: `true`, and for a public client always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_pkce: Option<bool>,
    /// The algorithm its ID tokens are signed with. Default: RS256 where the issuer has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<String>,
    /// The algorithm its userinfo answers are signed with. Default: they are plain JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<String>,
    /// `public` (the default) or `pairwise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_type: Option<SubjectType>,
    /// The host name of the sector that shares pairwise subjects. Default: the host of its redirect URIs, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_identifier: Option<String>,
    /// How many seconds ago the person may have signed in, where a request does not say. Default: any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// The authentication classes asked for where a request names none, best liked first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// The authentication class below which nobody gets in. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_acr: Option<String>,
    /// Where it hears that a session ended: an `https` URL on a public host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it must hear which session. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_session_required: Option<bool>,
    /// Whether people are asked before it learns who they are: `ask` (the default) or `never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentPolicy>,
    /// How long a refresh token and its successors are good in all, in seconds: 3600 to 31536000. Default: 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_lifetime_s: Option<u64>,
    /// How long a refresh token is good unused, in seconds: 3600 to the above. Default: 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_idle_s: Option<u64>,
    /// Its page for people: an `https` URL of at most 256 bytes, shown beside its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Further claims for its tokens.
    #[serde(default, skip_serializing_if = "ClaimsTemplate::is_empty")]
    pub claims: ClaimsTemplate,
    /// Whether it may do anything. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl ClientRegistration {
    /// Reads a JSON document, at most 128 KiB and 32 levels deep, each member once.
    ///
    /// # Errors
    /// The fault of the document's form, with the member and, for a misspelt one, the member meant.
    pub fn from_json(document: &[u8]) -> Result<Self, RegistrationError> {
        if document.len() > MAX_BYTES {
            return Err(RegistrationError::TooLarge { limit: MAX_BYTES });
        }
        sealstone_jose::json::check(document).map_err(RegistrationError::Json)?;
        members::check(document)?;
        let mut reader = serde_json::Deserializer::from_slice(document);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| RegistrationError::Malformed {
            member: crate::error::shown(&error.path().to_string()),
            reason: members::reason(error.inner()),
        })
    }

    /// The authentication method asked for, if it is offered.
    ///
    /// # Errors
    /// [`RegistrationError::UnknownAuthMethod`].
    pub fn auth_method(&self) -> Result<TokenEndpointAuthMethod, RegistrationError> {
        checks::auth_method(self.token_endpoint_auth_method.as_deref())
    }

    /// Whether a client of this registration has a secret, which the caller then draws.
    ///
    /// # Errors
    /// As [`ClientRegistration::auth_method`].
    pub fn needs_secret(&self) -> Result<bool, RegistrationError> {
        Ok(self.secret_kind()?.is_some())
    }

    /// How the secret that the caller draws for a client of this registration is to be kept; `None`: it has none.
    ///
    /// # Errors
    /// As [`ClientRegistration::auth_method`].
    pub fn secret_kind(&self) -> Result<Option<SecretKind>, RegistrationError> {
        self.auth_method().map(checks::secret_kind)
    }

    /// Checks the registration and makes the client `id` of `domain`, version 1, registered `now`.
    ///
    /// `secrets` holds the secret that the caller drew, as [`ClientRegistration::secret_kind`] says it is to be kept.
    /// The secret of an application credential is sealed before:
    /// [`ClientRegistration::seal_application_credential_secret`].
    ///
    /// # Errors
    /// The first rule that is broken; each error says how to mend it.
    pub fn into_client(
        self,
        domain: DomainId,
        id: ClientId,
        secrets: Option<SecretSet>,
        now: UnixTime,
    ) -> Result<Client, RegistrationError> {
        let settings = self.check(&id, secrets)?;
        Ok(Client {
            id,
            domain,
            settings,
            created_at: now,
            updated_at: now,
            tie_changed_at: None,
            version: 1,
        })
    }

    pub(crate) fn check(
        mut self,
        id: &ClientId,
        secrets: Option<SecretSet>,
    ) -> Result<Settings, RegistrationError> {
        let method = self.auth_method()?;
        let auth = checks::auth(&self, method, secrets)?;
        let token_binding = checks::token_binding(self.tls_client_certificate_bound_access_tokens, method);
        let scopes = checks::scope("scope", self.scope.as_deref())?;
        let default_scope = checks::scope("default_scope", self.default_scope.as_deref())?;
        if !default_scope.is_subset_of(&scopes) {
            return Err(RegistrationError::DefaultScope);
        }
        if default_scope.contains(OPENSTACK_API_SCOPE) {
            return Err(RegistrationError::DefaultScopeOpenstack);
        }
        let grants = checks::grants(self.grant_types.as_deref(), !self.redirect_uris.is_empty())?;
        let people = self.people(&grants, method)?;
        let tie = self.tie(method)?;
        // What a person may do in OpenStack is theirs; a machine's comes from its tie.
        let needs_tie =
            scopes.contains(OPENSTACK_API_SCOPE) && grants.contains(&GrantType::ClientCredentials);
        match (needs_tie, tie == MachineTie::None) {
            (true, true) => return Err(RegistrationError::AuthorityMissing),
            (false, false) => return Err(RegistrationError::AuthorityUnused),
            (true, false) | (false, true) => {}
        }
        Ok(Settings {
            name: checks::name(self.client_name, id)?,
            auth,
            grants,
            scopes,
            default_scope,
            resources: checks::resources(&self.resources)?,
            token_binding,
            signing_algorithm: checks::signing_algorithm(self.access_token_signing_alg.as_deref())?,
            access_token_lifetime: checks::lifetime(self.access_token_lifetime_s, token_binding)?,
            introspection: self.introspection.unwrap_or_default(),
            introspection_format: checks::introspection_format(
                self.introspection_format,
                self.introspection,
            )?,
            tie,
            people,
            claims: self.claims,
            enabled: self.enabled.unwrap_or(true),
        })
    }

    /// The registration that gives these settings, every default written out.
    pub(crate) fn of(settings: &Settings) -> Self {
        let mut registration = Self {
            client_name: Some(settings.name.clone()),
            token_endpoint_auth_method: Some(settings.auth.method().as_str().to_owned()),
            grant_types: Some(
                settings
                    .grants
                    .iter()
                    .map(|grant: &GrantType| grant.as_str().to_owned())
                    .collect(),
            ),
            scope: Some(settings.scopes.as_str().to_owned()),
            default_scope: Some(settings.default_scope.as_str().to_owned()),
            resources: settings
                .resources
                .iter()
                .map(|uri: &ResourceUri| uri.as_str().to_owned())
                .collect(),
            tls_client_certificate_bound_access_tokens: Some(match settings.token_binding {
                TokenBinding::CertificateRequired => true,
                TokenBinding::Unbound => false,
            }),
            access_token_lifetime_s: settings.access_token_lifetime.as_ref().map(Duration::as_secs),
            access_token_signing_alg: settings.signing_algorithm.map(|alg| alg.as_str().to_owned()),
            introspection: Some(settings.introspection),
            introspection_format: Some(settings.introspection_format)
                .filter(|format| *format != IntrospectionFormat::default()),
            claims: settings.claims.clone(),
            enabled: Some(settings.enabled),
            ..Self::default()
        };
        registration.set_tie(&settings.tie);
        registration.set_people(&settings.people, &settings.grants);
        match &settings.auth {
            ClientAuth::SecretBasic(_) | ClientAuth::SecretPost(_) | ClientAuth::None => {}
            ClientAuth::TlsClientAuth(subject) => registration.set_subject(subject),
            ClientAuth::SelfSignedTlsClientAuth(keys) => registration.jwks = Some(keys.jwks().clone()),
            ClientAuth::PrivateKeyJwt(keys) => {
                registration.jwks = Some(keys.jwks().clone());
                registration.set_assertions(keys.algorithm().map(Algorithm::as_str), keys.rules());
            }
            ClientAuth::ClientSecretJwt(own) => {
                registration.set_assertions(own.algorithm().map(MacAlgorithm::as_str), own.rules());
            }
        }
        registration
    }

    fn set_assertions(&mut self, algorithm: Option<&str>, rules: AssertionRules) {
        self.token_endpoint_auth_signing_alg = algorithm.map(str::to_owned);
        self.client_assertion_audience = Some(rules.audience);
        self.accept_assertion_dates_as_text = Some(rules.dates == AssertionDates::NumbersOrText);
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
