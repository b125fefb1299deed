use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rustls_pki_types::UnixTime;
use sealstone_jose::{
    Algorithm, JoseError, JwkSet, JwtEncoder, KeyId, PrivateKey, Signer, UnverifiedJwt, VerifierSet,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::CONFIRM_WITHIN;

/// What a statement is, in its header: nothing else that the same key signed is one.
const TYPE: &str = "sealstone-key-change+jwt";
/// What two machines of administrators may disagree on the time.
const LEEWAY_S: u64 = 60;
const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Ps256,
];

/// The administrators of whom two must agree on the revocation of a key: public keys, by name.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use rustls_pki_types::UnixTime;
/// # use sealstone_jose::{Algorithm, PrivateKey};
/// # use sealstone_keyring::{Administrators, KeyStatement};
/// # let now = UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000));
/// let (alice, bob) = (PrivateKey::generate(Algorithm::Es256)?, PrivateKey::generate(Algorithm::Es256)?);
/// let keys = [("alice", &alice), ("bob", &bob)].map(|(name, key)| key.public_jwk().clone().with_kid(name).unwrap());
/// let file = format!(r#"{{"keys":[{},{}]}}"#, keys[0].to_json(), keys[1].to_json());
/// let administrators = Administrators::parse(&file)?;
/// let revoke = KeyStatement { request: "r1", domain: "demo", kid: "stolen" };
/// let signed = revoke.sign(&alice, "alice", now)?;
/// assert_eq!(administrators.verify(&signed, revoke, now)?, "alice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Administrators {
    verifiers: VerifierSet,
    names: BTreeSet<String>,
}

/// A file of administrators that is none, or a statement that proves nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdministratorsError {
    /// Not a JWK set of public keys.
    #[error(
        "the file of administrators is not a JWK set of public keys ({0}): `sealstone key export` shows how one looks"
    )]
    Set(#[source] JoseError),
    /// A key without `kid`.
    #[error("a key in the file of administrators has no `kid`: it must be the administrator's name")]
    Nameless,
    /// One name or key twice.
    #[error("{one} and {other} have one key in the file of administrators: each needs a key of his own")]
    Twice {
        /// One name.
        one: String,
        /// The other.
        other: String,
    },
    /// Fewer than two.
    #[error("the file of administrators names {0}: two must agree, so two are needed at least")]
    TooFew(usize),
    /// A name that the file does not have.
    #[error(
        "{0:?} is not in the file of administrators: add the public key with this `kid`, or correct --as"
    )]
    Unknown(String),
    /// Not signed by who it names, or not for this.
    #[error(
        "the signature is not one of {0:?} for this: give the private key whose public half the file of administrators has"
    )]
    NotSigned(String),
    /// Signed too long ago, or in the future.
    #[error("what {0:?} signed is not of the last 15 minutes: set the clock, or ask anew")]
    Stale(String),
    /// The private key cannot sign.
    #[error("the administrator's key can't be used to sign")]
    Sign(#[source] JoseError),
}

/// That a key is to be revoked: what both administrators sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "all of it is signed")]
pub struct KeyStatement<'a> {
    /// The request.
    pub request: &'a str,
    /// The key's domain.
    pub domain: &'a str,
    /// The key.
    pub kid: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    iat: u64,
    action: String,
    request: String,
    domain: String,
    kid: String,
}

impl KeyStatement<'_> {
    /// Signs it as `name`.
    ///
    /// # Errors
    /// [`AdministratorsError::Unknown`] for a name that is none; [`AdministratorsError::Sign`].
    pub fn sign(self, key: &PrivateKey, name: &str, now: UnixTime) -> Result<String, AdministratorsError> {
        let kid = KeyId::parse(name).map_err(|_| AdministratorsError::Unknown(name.to_owned()))?;
        let signer = Signer::new(key, kid).map_err(AdministratorsError::Sign)?;
        let encoder = JwtEncoder::new(Arc::new(signer), TYPE).map_err(AdministratorsError::Sign)?;
        let claims = Claims {
            iss: name.to_owned(),
            iat: now.as_secs(),
            action: "revoke".to_owned(),
            request: self.request.to_owned(),
            domain: self.domain.to_owned(),
            kid: self.kid.to_owned(),
        };
        encoder
            .encode_to_string(&claims)
            .map_err(AdministratorsError::Sign)
    }
}

impl Administrators {
    /// Reads a JWK set (RFC 7517 §5) of public keys, whose `kid`s are names.
    ///
    /// # Errors
    /// [`AdministratorsError::Set`], [`AdministratorsError::Nameless`], [`AdministratorsError::Twice`],
    /// [`AdministratorsError::TooFew`].
    ///
    /// # Security
    /// Whoever may write the file decides who administers.
    pub fn parse(text: &str) -> Result<Self, AdministratorsError> {
        let set = JwkSet::parse_strict(text.as_bytes()).map_err(AdministratorsError::Set)?;
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        let mut names = BTreeSet::new();
        for key in set.keys() {
            let name = key.kid().ok_or(AdministratorsError::Nameless)?.to_owned();
            if let Some(other) = keys.insert(key.thumbprint().to_string(), name.clone()) {
                return Err(AdministratorsError::Twice { one: name, other });
            }
            names.insert(name);
        }
        if names.len() < 2 {
            return Err(AdministratorsError::TooFew(names.len()));
        }
        let verifiers = VerifierSet::new(&set, &ALGORITHMS).map_err(AdministratorsError::Set)?;
        Ok(Self { verifiers, names })
    }

    /// Who signed `statement` for exactly `wanted`, at most 15 minutes ago.
    ///
    /// # Errors
    /// [`AdministratorsError::Unknown`], [`AdministratorsError::NotSigned`], [`AdministratorsError::Stale`].
    pub fn verify(
        &self,
        statement: &str,
        wanted: KeyStatement<'_>,
        now: UnixTime,
    ) -> Result<String, AdministratorsError> {
        let nobody = |_error| AdministratorsError::NotSigned("anybody".to_owned());
        let token = UnverifiedJwt::parse(statement).map_err(nobody)?;
        if !token.typ_is(TYPE) {
            return Err(AdministratorsError::NotSigned("anybody".to_owned()));
        }
        let name = token.header().kid.clone().unwrap_or_default();
        if !self.names.contains(&name) {
            return Err(AdministratorsError::Unknown(name));
        }
        let refused = || AdministratorsError::NotSigned(name.clone());
        let verified = self.verifiers.verify(token).map_err(|_error| refused())?;
        let claims: Claims = verified.claims().map_err(|_error| refused())?;
        let is_for_this = claims.iss == name
            && claims.action == "revoke"
            && claims.request == wanted.request
            && claims.domain == wanted.domain
            && claims.kid == wanted.kid;
        if !is_for_this {
            return Err(refused());
        }
        let age = now.as_secs().saturating_sub(claims.iat);
        let ahead = claims.iat.saturating_sub(now.as_secs());
        if age > CONFIRM_WITHIN.as_secs().saturating_add(LEEWAY_S) || ahead > LEEWAY_S {
            return Err(AdministratorsError::Stale(name));
        }
        Ok(name)
    }
}
