//! What a client signs its assertions with (RFC 7523, OpenID Connect Core §9), and how they are read.

use std::sync::Arc;

use sealstone_jose::{Algorithm, JoseError, JwkSet, MacAlgorithm, VerifierSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{error::RegistrationError, secret_set::SecretSet};

/// The most keys of one client: a current one and a next one for each of a few machines.
const MAX_KEYS: usize = 16;

/// Which audience an assertion may name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever judges an assertion decides on each"
)]
pub enum AssertionAudience {
    /// The issuer, or the address of the token endpoint, on either listener (OpenID Connect Core §9, RFC 7523 §3).
    #[default]
    IssuerOrTokenEndpoint,
    /// The issuer and nothing else (FAPI 2.0 §5.3.2.1).
    Issuer,
}

/// How `exp`, `iat` and `nbf` may be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever judges an assertion decides on each"
)]
pub enum AssertionDates {
    /// As JSON numbers (RFC 7519 §2).
    #[default]
    Numbers,
    /// As JSON numbers, or as text of decimal digits: `keystonemiddleware` sends that.
    NumbersOrText,
}

/// How the assertions of one client are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever judges an assertion needs all of it"
)]
pub struct AssertionRules {
    /// Which audience they may name.
    pub audience: AssertionAudience,
    /// How their dates may be written.
    pub dates: AssertionDates,
}

/// The keys of a `private_key_jwt` client: 1 to 16 public keys, parsed once.
#[derive(Debug, Clone)]
pub struct AssertionKeys {
    jwks: Value,
    verifiers: Arc<VerifierSet>,
    algorithm: Option<Algorithm>,
    rules: AssertionRules,
}

impl AssertionKeys {
    /// Takes the `jwks` of a registration and, if it names one, the only algorithm.
    pub(crate) fn parse(
        jwks: &Value,
        algorithm: Option<&str>,
        rules: AssertionRules,
    ) -> Result<Self, RegistrationError> {
        let algorithm = algorithm
            .map(Algorithm::parse)
            .transpose()
            .map_err(|_unknown| RegistrationError::AssertionAlgorithm)?;
        let set = JwkSet::parse_strict(jwks.to_string().as_bytes()).map_err(RegistrationError::Jwks)?;
        if set.keys().is_empty() || set.keys().len() > MAX_KEYS {
            return Err(RegistrationError::AssertionKeys { limit: MAX_KEYS });
        }
        let allowed = algorithm.map_or_else(|| Algorithm::ALL.to_vec(), |one| vec![one]);
        let fits = |key: &sealstone_jose::Jwk| allowed.iter().any(|algorithm| key.supports(*algorithm));
        if !set.keys().iter().all(fits) {
            return Err(RegistrationError::Jwks(JoseError::UnsupportedKey(
                "its type, `alg`, `use` or `key_ops` does not let it verify assertions",
            )));
        }
        let verifiers = VerifierSet::new(&set, &allowed).map_err(RegistrationError::Jwks)?;
        // What is kept and shown is our own print of the parsed keys, not the text that came: members that nothing
        // has read are gone.
        let jwks = serde_json::from_str(&set.to_json()).map_err(|_| RegistrationError::JwksNotKept)?;
        Ok(Self {
            jwks,
            verifiers: Arc::new(verifiers),
            algorithm,
            rules,
        })
    }

    /// What an assertion's signature is checked with.
    #[must_use]
    pub fn verifiers(&self) -> &VerifierSet {
        &self.verifiers
    }

    /// The public key set as JSON.
    #[must_use]
    pub const fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// The only algorithm, if the registration names one; else each that a key allows.
    #[must_use]
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// How its assertions are read.
    #[must_use]
    pub const fn rules(&self) -> AssertionRules {
        self.rules
    }
}

/// The verifiers follow from the rest.
impl PartialEq for AssertionKeys {
    fn eq(&self, other: &Self) -> bool {
        self.jwks == other.jwks && self.algorithm == other.algorithm && self.rules == other.rules
    }
}

/// The secret of a `client_secret_jwt` client, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionSecret {
    pub(crate) secrets: SecretSet,
    algorithm: Option<MacAlgorithm>,
    rules: AssertionRules,
}

impl AssertionSecret {
    pub(crate) fn new(
        secrets: SecretSet,
        algorithm: Option<&str>,
        rules: AssertionRules,
    ) -> Result<Self, RegistrationError> {
        let algorithm = algorithm
            .map(MacAlgorithm::parse)
            .transpose()
            .map_err(|_unknown| RegistrationError::AssertionMacAlgorithm)?;
        Ok(Self {
            secrets,
            algorithm,
            rules,
        })
    }

    pub(crate) fn with_secrets(&self, secrets: SecretSet) -> Self {
        Self {
            secrets,
            ..self.clone()
        }
    }

    /// The sealed secrets.
    #[must_use]
    pub const fn secrets(&self) -> &SecretSet {
        &self.secrets
    }

    /// The only algorithm, if the registration names one.
    #[must_use]
    pub const fn algorithm(&self) -> Option<MacAlgorithm> {
        self.algorithm
    }

    /// How its assertions are read.
    #[must_use]
    pub const fn rules(&self) -> AssertionRules {
        self.rules
    }
}
