//! How a client authenticates, with what that takes.

use sealstone_jose::{JoseError, JwkSet, KeyUse};
use sealstone_mtls::{SelfSignedKey, SelfSignedKeys, SubjectMatcher};
use sealstone_oauth_types::TokenEndpointAuthMethod;
use serde_json::Value;

use crate::{
    assertion::{AssertionKeys, AssertionRules, AssertionSecret},
    error::RegistrationError,
    secret_set::SecretSet,
};

/// The registered authentication method of a client: the only one that is accepted from it.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "client authentication must handle every method"
)]
pub enum ClientAuth {
    /// `client_secret_basic` (RFC 6749 §2.3.1).
    SecretBasic(SecretSet),
    /// `client_secret_post` (RFC 6749 §2.3.1).
    SecretPost(SecretSet),
    /// `tls_client_auth`: a certificate of a trusted authority with this subject (RFC 8705 §2.1).
    TlsClientAuth(SubjectMatcher),
    /// `self_signed_tls_client_auth`: one of these keys or certificates (RFC 8705 §2.2).
    SelfSignedTlsClientAuth(SelfSignedJwks),
    /// `private_key_jwt`: a JWT signed with one of these keys (RFC 7523 §2.2).
    PrivateKeyJwt(AssertionKeys),
    /// `client_secret_jwt`: a JWT under the client's secret (OpenID Connect Core §9).
    ClientSecretJwt(AssertionSecret),
    /// `none`: a public client proves nothing of itself (RFC 6749 §2.1).
    None,
}

impl ClientAuth {
    /// The name under which the method is registered.
    #[must_use]
    pub const fn method(&self) -> TokenEndpointAuthMethod {
        match self {
            Self::SecretBasic(_) => TokenEndpointAuthMethod::ClientSecretBasic,
            Self::SecretPost(_) => TokenEndpointAuthMethod::ClientSecretPost,
            Self::TlsClientAuth(_) => TokenEndpointAuthMethod::TlsClientAuth,
            Self::SelfSignedTlsClientAuth(_) => TokenEndpointAuthMethod::SelfSignedTlsClientAuth,
            Self::PrivateKeyJwt(_) => TokenEndpointAuthMethod::PrivateKeyJwt,
            Self::ClientSecretJwt(_) => TokenEndpointAuthMethod::ClientSecretJwt,
            Self::None => TokenEndpointAuthMethod::None,
        }
    }

    /// The secrets as they are kept, for the three methods that have them: hashed, but for `client_secret_jwt` sealed.
    #[must_use]
    pub const fn secrets(&self) -> Option<&SecretSet> {
        match self {
            Self::SecretBasic(secrets) | Self::SecretPost(secrets) => Some(secrets),
            Self::ClientSecretJwt(own) => Some(own.secrets()),
            Self::TlsClientAuth(_)
            | Self::SelfSignedTlsClientAuth(_)
            | Self::PrivateKeyJwt(_)
            | Self::None => None,
        }
    }

    /// How the client's assertions are read, for the two methods that have them.
    #[must_use]
    pub const fn assertion_rules(&self) -> Option<AssertionRules> {
        match self {
            Self::PrivateKeyJwt(keys) => Some(keys.rules()),
            Self::ClientSecretJwt(own) => Some(own.rules()),
            Self::SecretBasic(_)
            | Self::SecretPost(_)
            | Self::TlsClientAuth(_)
            | Self::SelfSignedTlsClientAuth(_)
            | Self::None => None,
        }
    }

    /// The same method with other secrets; unchanged for a method that has none.
    pub(crate) fn with_secrets(&self, secrets: SecretSet) -> Self {
        match self {
            Self::SecretBasic(_) => Self::SecretBasic(secrets),
            Self::SecretPost(_) => Self::SecretPost(secrets),
            Self::ClientSecretJwt(own) => Self::ClientSecretJwt(own.with_secrets(secrets)),
            Self::TlsClientAuth(_)
            | Self::SelfSignedTlsClientAuth(_)
            | Self::PrivateKeyJwt(_)
            | Self::None => self.clone(),
        }
    }
}

/// The `jwks` of a client that authenticates with self-signed certificates: 1 to 16 public keys, each with or without
/// the certificate (`x5c`) that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfSignedJwks {
    jwks: Value,
    keys: SelfSignedKeys,
}

impl SelfSignedJwks {
    /// Takes the `jwks` member of a registration; every key must be one that a certificate can have.
    pub(crate) fn parse(jwks: &Value) -> Result<Self, RegistrationError> {
        let text = jwks.to_string();
        let set = JwkSet::parse_strict(text.as_bytes()).map_err(RegistrationError::Jwks)?;
        // A key for encryption proves nothing in a handshake (RFC 7517 §4.2).
        if set
            .keys()
            .iter()
            .any(|key| key.key_use() == Some(KeyUse::Encryption))
        {
            return Err(RegistrationError::Jwks(JoseError::UnsupportedKey(
                "its `use` is enc",
            )));
        }
        let keys = set
            .keys()
            .iter()
            .map(|key| SelfSignedKey {
                spki_der: key.to_spki_der(),
                x5c_leaf: key.x5c().first().cloned(),
            })
            .collect();
        let keys = SelfSignedKeys::new(keys).map_err(RegistrationError::SelfSignedKeys)?;
        // What is kept and shown is our own print of the parsed keys, not the text that came: members that nothing
        // has read are gone.
        let jwks = serde_json::from_str(&set.to_json()).map_err(|_| RegistrationError::JwksNotKept)?;
        Ok(Self { jwks, keys })
    }

    /// What to compare a presented certificate with.
    #[must_use]
    pub const fn keys(&self) -> &SelfSignedKeys {
        &self.keys
    }

    /// The public key set as JSON.
    #[must_use]
    pub const fn jwks(&self) -> &Value {
        &self.jwks
    }
}
