//! Why a registration is refused.

use sealstone_claims::{MappingFaults, TemplateError};
use sealstone_jose::JoseError;
use sealstone_mtls::{BindingError, MatcherError};
use sealstone_oauth_types::{ErrorCode, GrantType, TokenEndpointAuthMethod};

use crate::{
    client::{MIN_LIFETIME, TokenBinding},
    name::{MAX_NAME, NameFault},
    people::{ApplicationType, DEFAULT_REFRESH_LIFETIME, MAX_REFRESH_LIFETIME, MIN_REFRESH_LIFETIME},
};

/// Why a registration is refused: what is wrong, and how to mend it.
///
/// On the wire each is `invalid_client_metadata` (RFC 7591 §3.2.2, [`RegistrationError::code`]). Texts name members of
/// ours only; what the caller sent is shown at most as 64 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The document is too long.
    #[error("the registration is longer than {limit} bytes: leave out what the server does not read")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Not a JSON object, a member twice, or nested too deep.
    #[error("the registration is not a JSON object with each member once: {0}")]
    Json(JoseError),
    /// A member has a value of the wrong type.
    #[error("`{member}` has a value of the wrong type or form: {reason}")]
    Malformed {
        /// Path of the member.
        member: String,
        /// What the reader expected.
        reason: String,
    },
    /// A member nobody reads.
    #[error("`{member}` is no member of a registration{}", did_you_mean(.suggestion.as_ref()))]
    UnknownMember {
        /// The member, shortened and in printable ASCII.
        member: String,
        /// The known member that looks most like it.
        suggestion: Option<&'static str>,
    },
    /// A member that only the server sets.
    #[error("`{member}` is set by the server: leave it out")]
    SetByServer {
        /// The member.
        member: &'static str,
    },
    /// A member of RFC 7591 or OpenID Connect that does nothing here, so that it is not silently ignored.
    #[error("`{member}` is not offered by this server: {instead}")]
    NotOffered {
        /// The member.
        member: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// A name that is too long, or could mislead a reader.
    #[error("the name {0}")]
    Name(&'static str),
    /// A client id outside its grammar.
    #[error("a client id is 1 to 64 characters of [A-Za-z0-9_-]: leave it to the server, or use these")]
    ClientId,
    /// A client id of the form of a user's id.
    #[error(
        "a client id of 32 or 64 hexadecimal digits could be the id of a user: choose another, or leave it to the server"
    )]
    ClientIdOfUser,
    /// A `token_endpoint_auth_method` that does not exist.
    #[error("there is no `token_endpoint_auth_method` of this name{}", did_you_mean(.suggestion.as_ref()))]
    UnknownAuthMethod {
        /// The offered method that looks most like it.
        suggestion: Option<&'static str>,
    },
    /// `grant_types` is empty or repeats one.
    #[error("`grant_types` must name each grant once, and at least one")]
    GrantTypes,
    /// A grant type that does not exist.
    #[error("there is no grant type of this name{}", did_you_mean(.suggestion.as_ref()))]
    UnknownGrantType {
        /// The offered grant that looks most like it.
        suggestion: Option<&'static str>,
    },
    /// The implicit or the password grant.
    #[error(
        "the {grant} grant gives credentials or tokens away (RFC 9700 §2.1.2, §2.4) and is never offered: \
         use authorization_code for people, client_credentials for machines"
    )]
    ForbiddenGrantType {
        /// `implicit` or `password`.
        grant: &'static str,
    },
    /// A grant type that this server does not offer.
    #[error("the {grant} grant is not offered: leave it out")]
    GrantTypeNotOffered {
        /// The grant.
        grant: GrantType,
    },
    /// `scope` or `default_scope` is not a scope (RFC 6749 §3.3).
    #[error(
        "`{member}` is not a scope: at most 64 names of printable ASCII without quote and backslash, parted by one \
         space, 4096 bytes in all"
    )]
    Scope {
        /// `scope` or `default_scope`.
        member: &'static str,
    },
    /// The default scope is not within the allowed one.
    #[error("`default_scope` has a name that `scope` lacks: add it there, or take it out here")]
    DefaultScope,
    /// Authority over OpenStack is given to who asks for it by name, never by default.
    #[error("`default_scope` must not hold `openstack:api`: a token has it only if the request asks for it")]
    DefaultScopeOpenstack,
    /// One of `resources` is no resource indicator (RFC 8707 §2).
    #[error("`resources` number {} is not an absolute URI without fragment of at most 1024 bytes", index.saturating_add(1))]
    Resource {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// Too many resources, or one twice.
    #[error("`resources` must hold at most {limit} URIs, each once")]
    Resources {
        /// The limit.
        limit: usize,
    },
    /// `tls_client_auth` without the subject that it compares.
    #[error(
        "tls_client_auth needs the subject that the certificate must have: give exactly one of \
         tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip, _san_email (RFC 8705 §2.1.2)"
    )]
    SubjectMissing,
    /// More than one subject.
    #[error(
        "`{first}` and `{second}` exclude each other: keep exactly one tls_client_auth_* member (RFC 8705 §2.1.2)"
    )]
    SeveralSubjects {
        /// One of them.
        first: &'static str,
        /// Another.
        second: &'static str,
    },
    /// A subject that cannot be compared.
    #[error("{0}")]
    Subject(MatcherError),
    /// A member that the registered authentication method does not read.
    #[error("`{member}` is not used with {method}: leave it out, or change `token_endpoint_auth_method`")]
    Unused {
        /// The member.
        member: &'static str,
        /// The method.
        method: TokenEndpointAuthMethod,
    },
    /// `self_signed_tls_client_auth` or `private_key_jwt` without keys.
    #[error(
        "{method} needs `jwks`: the public key of each key that the client uses, or its certificate as `x5c`"
    )]
    JwksMissing {
        /// The method.
        method: TokenEndpointAuthMethod,
    },
    /// No key for assertions, or too many.
    #[error("`jwks` must hold 1 to {limit} keys: leave out those that the client no longer signs with")]
    AssertionKeys {
        /// The limit.
        limit: usize,
    },
    /// `token_endpoint_auth_signing_alg` of a `private_key_jwt` client.
    #[error(
        "`token_endpoint_auth_signing_alg` must be one of ES256, ES384, EdDSA, RS256, PS256 with private_key_jwt"
    )]
    AssertionAlgorithm,
    /// `token_endpoint_auth_signing_alg` of a `client_secret_jwt` client.
    #[error("`token_endpoint_auth_signing_alg` must be one of HS256, HS384, HS512 with client_secret_jwt")]
    AssertionMacAlgorithm,
    /// A format that changes the answers to a client which gets none.
    #[error(
        "`introspection_format` is for clients that may introspect: set `introspection`, or leave it out"
    )]
    IntrospectionFormatUnused,
    /// `jwks` is not a set of public keys.
    #[error(
        "`jwks` must hold public keys only, each of a kind that signs (P-256, P-384, Ed25519, RSA from 2048 bits): {0}"
    )]
    Jwks(JoseError),
    /// `jwks` cannot serve to recognise certificates.
    #[error("`jwks` cannot be used for self-signed certificates: {0}")]
    SelfSignedKeys(BindingError),
    /// The parsed keys could not be written again.
    #[error("`jwks` cannot be stored: give the keys without further members")]
    JwksNotKept,
    /// A lifetime outside its bounds.
    #[error(
        "`access_token_lifetime_s` must be {} to {} for {} tokens",
        MIN_LIFETIME.as_secs(),
        binding.max_lifetime().as_secs(),
        binding_name(*binding)
    )]
    Lifetime {
        /// The binding that decides the upper bound.
        binding: TokenBinding,
    },
    /// An algorithm that this server does not sign with.
    #[error("`access_token_signing_alg` must be one of ES256, ES384, EdDSA, RS256, PS256")]
    SigningAlgorithm,
    /// `openstack:api` without an authority.
    #[error(
        "the scope openstack:api needs an OpenStack identity: give openstack_application_credential_id, or \
         openstack_user_id and openstack_project_id, or an `authority` with user, scope and roles; or take the scope out"
    )]
    AuthorityMissing,
    /// An authority that no token could carry.
    #[error(
        "`authority` and the openstack_* members are for openstack:api tokens only: add openstack:api to `scope`, or \
         leave them out"
    )]
    AuthorityUnused,
    /// Two ties at once.
    #[error("`{first}` and `{member}` exclude each other: a client has one OpenStack identity")]
    SeveralTies {
        /// One member.
        first: &'static str,
        /// The other member.
        member: &'static str,
    },
    /// Mapping rules that cannot be kept.
    #[error("`openstack_mapping`: {0}")]
    Mapping(MappingFaults),
    /// Mapping rules for a client whose certificate nobody vouches for.
    #[error(
        "`openstack_mapping` reads the names in a certificate that an authority vouches for: set \
         `token_endpoint_auth_method` to tls_client_auth"
    )]
    MappingMethod,
    /// A member of an application credential without the credential.
    #[error("`{member}` belongs to `openstack_application_credential_id`: add that, or leave it out")]
    NoApplicationCredential {
        /// The member.
        member: &'static str,
    },
    /// An application credential without a way to act with it.
    #[error(
        "the application credential needs `openstack_application_credential_secret`; without a secret, on a server \
         with [keystone.mint], say `openstack_minted: true` with openstack_user_id and openstack_project_id"
    )]
    ApplicationCredentialSecretMissing,
    /// A secret that would not be used.
    #[error("`openstack_minted: true` does without a secret: leave one of the two out")]
    SecretAndMinted,
    /// A minted tie that does not say who and where.
    #[error(
        "a Keystone token made by the server needs `openstack_user_id` and `openstack_project_id`, both, and \
         `openstack_minted` true or left out"
    )]
    MintedIncomplete,
    /// The caller did not seal the secret of an application credential.
    #[error("the application credential's secret was not sealed: this is a fault of the program, report it")]
    SecretNotSealed,
    /// Not the text of a sealed secret.
    #[error("the stored secret of the application credential is damaged: update the client with the secret")]
    SealedSecret,
    /// A machine that proves nothing of itself.
    #[error(
        "a client with `token_endpoint_auth_method` none proves nothing and cannot have client_credentials \
         (RFC 6749 §4.4): choose another method, or leave the grant out"
    )]
    PublicMachine,
    /// A public client that would learn of tokens.
    #[error(
        "a client with `token_endpoint_auth_method` none proves nothing and cannot introspect (RFC 7662 §2.1): choose \
         another method, or leave `introspection` out"
    )]
    PublicIntrospection,
    /// A public client that would take codes which anybody can redeem.
    #[error(
        "a client with `token_endpoint_auth_method` none needs PKCE (RFC 9700 §2.1.1): leave `require_pkce` out"
    )]
    PublicWithoutPkce,
    /// `refresh_token` without a grant that gives a first one.
    #[error("`grant_types` has refresh_token alone: add authorization_code or the device grant")]
    RefreshAlone,
    /// `offline_access` for a client that gets no refresh token.
    #[error(
        "the scope offline_access asks for a refresh token: add refresh_token to `grant_types`, or take it out"
    )]
    OfflineAccess,
    /// `authorization_code` without a place to send the code to.
    #[error(
        "authorization_code needs `redirect_uris`: give each URI that the client is called back at, whole"
    )]
    RedirectUriMissing,
    /// Not what can be a redirect URI.
    #[error(
        "`{member}` number {} is no URI that an answer may be sent to: absolute, at most 1024 bytes, scheme in lower \
         case, without fragment, user, dot segment, white space, backslash or other than ASCII; a scheme of one's own \
         has a period, as com.example.app",
        index.saturating_add(1)
    )]
    RedirectUri {
        /// The member.
        member: &'static str,
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A redirect URI with an asterisk: whoever writes one expects what is never done.
    #[error(
        "`{member}` number {} has an asterisk, and nothing is matched by pattern (RFC 9700 §2.1): give each URI whole",
        index.saturating_add(1)
    )]
    RedirectUriWildcard {
        /// The member.
        member: &'static str,
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A redirect URI that the client's type does not have.
    #[error(
        "`{member}` number {} is not for a {} client: use https, or http on 127.0.0.1, [::1] or localhost{}",
        index.saturating_add(1),
        application_type_name(*application_type),
        scheme_hint(*application_type)
    )]
    RedirectUriKind {
        /// The member.
        member: &'static str,
        /// Its place in the list, from 0.
        index: usize,
        /// The client's type.
        application_type: ApplicationType,
    },
    /// Too many redirect URIs, or one twice.
    #[error("`{member}` must hold at most {limit} URIs, each once")]
    RedirectUris {
        /// The member.
        member: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Another response type than `code`.
    #[error(
        "`response_types` can only be [\"code\"] (RFC 9700 §2.1.2), for clients with authorization_code: leave it out"
    )]
    ResponseTypes,
    /// A member that none of the client's grants reads.
    #[error("`{member}` does nothing without the grant {grant}: add that to `grant_types`, or leave it out")]
    UnusedByGrants {
        /// The member.
        member: &'static str,
        /// A grant that reads it.
        grant: GrantType,
    },
    /// An algorithm that this server does not sign with.
    #[error("`{member}` must be one of ES256, ES384, EdDSA, RS256, PS256")]
    PeopleAlgorithm {
        /// The member.
        member: &'static str,
    },
    /// A sector for subjects that are everybody's.
    #[error("`sector_identifier` is for `subject_type` pairwise: set that, or leave it out")]
    SectorUnused,
    /// Pairwise subjects without a sector.
    #[error(
        "pairwise subjects need one sector: redirect URIs of https on one host, or `sector_identifier`, a host name in \
         lower case"
    )]
    Sector,
    /// Not an authentication class.
    #[error("`{member}` must be visible ASCII of at most 128 bytes; at most 16 values, each once")]
    Acr {
        /// The member.
        member: &'static str,
    },
    /// A class that no login comes to.
    #[error(
        "`minimum_acr` must be urn:sealstone:acr:one-factor, urn:sealstone:acr:two-factor or phr{}",
        did_you_mean_class(.suggestion.as_ref())
    )]
    MinimumAcr {
        /// The class that looks most like it.
        suggestion: Option<&'static str>,
    },
    /// A URL that the server will not post to.
    #[error(
        "`backchannel_logout_uri` must be https on a host that is reached publicly: no private or loopback address, no \
         local name, no fragment"
    )]
    LogoutUri,
    /// A demand about logout tokens that nobody gets.
    #[error(
        "`backchannel_logout_session_required` does nothing without `backchannel_logout_uri`: add that, or leave it out"
    )]
    LogoutSessionAlone,
    /// A refresh token's absolute life outside its bounds.
    #[error(
        "`refresh_token_lifetime_s` must be {} to {}",
        MIN_REFRESH_LIFETIME.as_secs(),
        MAX_REFRESH_LIFETIME.as_secs()
    )]
    RefreshLifetime,
    /// A refresh token's idle life outside its bounds.
    #[error(
        "`refresh_token_idle_s` must be {} to `refresh_token_lifetime_s`, or to {} without it",
        MIN_REFRESH_LIFETIME.as_secs(),
        DEFAULT_REFRESH_LIFETIME.as_secs()
    )]
    RefreshIdle,
    /// A page that is none.
    #[error("`client_uri` must be an https URL of at most 256 bytes")]
    ClientUri,
    /// The claims template is refused.
    #[error("`claims`: {0}")]
    Claims(TemplateError),
    /// The caller gave no hashed secret for a method that needs one.
    #[error("{method} needs a secret: the server makes one and shows it once")]
    SecretMissing {
        /// The method.
        method: TokenEndpointAuthMethod,
    },
    /// The caller gave a secret for a method that has none.
    #[error("{method} has no secret: the client's key takes its place")]
    SecretUnused {
        /// The method.
        method: TokenEndpointAuthMethod,
    },
}

impl RegistrationError {
    /// Whether a redirect URI is at fault: `invalid_redirect_uri` of RFC 7591 §3.2.2.
    #[must_use]
    pub const fn is_of_redirect(&self) -> bool {
        matches!(
            self,
            Self::RedirectUri { .. }
                | Self::RedirectUriWildcard { .. }
                | Self::RedirectUriKind { .. }
                | Self::RedirectUris { .. }
                | Self::RedirectUriMissing
        )
    }

    /// `invalid_client_metadata` (RFC 7591 §3.2.2).
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidClientMetadata
    }

    pub(crate) const fn from_name(fault: NameFault) -> Self {
        Self::Name(match fault {
            NameFault::Length => {
                const _: () = assert!(MAX_NAME == 128);
                "must have 1 to 128 characters: shorten it, or leave it out"
            }
            NameFault::Padded => "begins or ends with white space: take it off",
            NameFault::Invisible => {
                "holds control, direction or invisible characters, by which a name can pass for another: write it without"
            }
        })
    }
}

fn did_you_mean(suggestion: Option<&&'static str>) -> String {
    suggestion.map_or_else(
        || ": look for it in the list of members".to_owned(),
        |name| format!(": did you mean `{name}`?"),
    )
}

fn did_you_mean_class(suggestion: Option<&&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(": did you mean `{name}`?"))
}

const fn application_type_name(application_type: ApplicationType) -> &'static str {
    match application_type {
        ApplicationType::Web => "web",
        ApplicationType::Native => "native",
    }
}

const fn scheme_hint(application_type: ApplicationType) -> &'static str {
    match application_type {
        ApplicationType::Web => "; a program with a scheme of its own has `application_type` native",
        ApplicationType::Native => "",
    }
}

const fn binding_name(binding: TokenBinding) -> &'static str {
    match binding {
        TokenBinding::CertificateRequired => "certificate-bound",
        TokenBinding::Unbound => "bearer",
    }
}

/// At most 64 characters of what came, everything but printable ASCII replaced.
pub(crate) fn shown(text: &str) -> String {
    let printable = |c: char| {
        if c == ' ' || (c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '`')) {
            c
        } else {
            '?'
        }
    };
    text.chars().take(64).map(printable).collect()
}
