//! JWT under a shared secret (HMAC, RFC 7518 §3.2), apart from everything that has a public key.
//!
//! Nothing here takes or gives an [`Algorithm`](crate::Algorithm), a [`Jwk`](crate::Jwk) or a
//! [`Verifier`](crate::Verifier), and none of those takes what is here: a public key cannot become a secret.

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::jwt::{self, Parts};
use crate::{JoseError, backend, base64url, json};

/// An HMAC algorithm of JOSE (RFC 7518 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "callers choose a policy for every algorithm"
)]
pub enum MacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl MacAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// The name in a JOSE header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Reads the name of a JOSE header, case-sensitively.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] for every other text, `none` and `ES256` among them.
    pub fn parse(name: &str) -> Result<Self, JoseError> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        found.ok_or(JoseError::AlgorithmNotAllowed)
    }

    /// The shortest key that it may be used with, in octets: as long as the hash (RFC 7518 §3.2).
    #[must_use]
    pub const fn min_key_length(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
        }
    }
}

impl std::fmt::Display for MacAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A secret that two parties share: whoever can verify by it can also make what verifies.
///
/// `Debug` shows nothing of it; it is zeroized on drop.
///
/// # Examples
/// ```
/// use sealstone_jose::{JoseError, MacAlgorithm, MacKey, UnverifiedMacJwt};
/// use serde_json::{Value, json};
///
/// let key = MacKey::new(b"64 octets of a random source, written as base64url or whatever..")?;
/// let token = key.encode(MacAlgorithm::Hs512, "JWT", &json!({"iss": "ci"}))?;
/// let verified = UnverifiedMacJwt::parse(&token)?.verify(&key, &[MacAlgorithm::Hs512])?;
/// assert_eq!(verified.claims::<Value>()?["iss"], "ci");
/// # Ok::<(), JoseError>(())
/// ```
pub struct MacKey(Zeroizing<Vec<u8>>);

impl MacKey {
    /// The shortest key, in octets.
    pub const MIN_BYTES: usize = 32;
    /// The longest key, in octets: longer ones are hashed first and gain nothing.
    pub const MAX_BYTES: usize = 512;

    /// Takes the octets of the secret: for a client secret those of its text (OpenID Connect Core §10.1).
    ///
    /// # Errors
    /// [`JoseError::WeakKey`] below [`MacKey::MIN_BYTES`]; [`JoseError::TooLarge`] above [`MacKey::MAX_BYTES`].
    pub fn new(octets: &[u8]) -> Result<Self, JoseError> {
        if octets.len() < Self::MIN_BYTES {
            return Err(JoseError::WeakKey("a secret of less than 32 octets"));
        }
        if octets.len() > Self::MAX_BYTES {
            return Err(JoseError::TooLarge {
                what: "secret",
                limit: Self::MAX_BYTES,
            });
        }
        Ok(Self(Zeroizing::new(octets.to_vec())))
    }

    /// A compact JWT of this type under this secret.
    ///
    /// # Errors
    /// [`JoseError::WeakKey`] if the secret is shorter than the algorithm asks; [`JoseError::InvalidClaims`].
    pub fn encode(
        &self,
        algorithm: MacAlgorithm,
        typ: &str,
        claims: &impl serde::Serialize,
    ) -> Result<String, JoseError> {
        self.fits(algorithm)?;
        let header = serde_json::json!({"alg": algorithm.as_str(), "typ": typ}).to_string();
        let claims = serde_json::to_vec(claims).map_err(|_error| JoseError::InvalidClaims)?;
        json::object(&claims).map_err(|_error| JoseError::InvalidClaims)?;
        let input = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
        let tag = backend::mac(algorithm, &self.0, input.as_bytes());
        Ok(format!("{input}.{}", base64url::encode(tag)))
    }

    fn fits(&self, algorithm: MacAlgorithm) -> Result<(), JoseError> {
        if self.0.len() < algorithm.min_key_length() {
            return Err(JoseError::WeakKey("a secret shorter than the hash"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey([redacted])")
    }
}

/// A compact JWT under a shared secret which nobody has checked.
///
/// Every rule of [`UnverifiedJwt`](crate::UnverifiedJwt) holds, but for the algorithm: only those of [`MacAlgorithm`]
/// are read here, and none of them there.
#[derive(Clone)]
pub struct UnverifiedMacJwt<'a> {
    algorithm: MacAlgorithm,
    typ: Option<String>,
    parts: Parts<'a>,
}

impl<'a> UnverifiedMacJwt<'a> {
    /// Reads the three parts and the header.
    ///
    /// # Errors
    /// As [`UnverifiedJwt::parse`](crate::UnverifiedJwt::parse); [`JoseError::AlgorithmNotAllowed`] for every `alg`
    /// that is no HMAC.
    pub fn parse(token: &'a str) -> Result<Self, JoseError> {
        let (parts, header) = jwt::read(token)?;
        Ok(Self {
            algorithm: MacAlgorithm::parse(&header.alg)?,
            typ: header.typ,
            parts,
        })
    }

    /// The algorithm that it names.
    #[must_use]
    pub const fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// Whether the header has no `typ`.
    #[must_use]
    pub const fn has_no_typ(&self) -> bool {
        self.typ.is_none()
    }

    /// Whether the header's `typ` is this media type, as [`JwtHeader::typ_is`](crate::JwtHeader::typ_is) compares it.
    #[must_use]
    pub fn typ_is(&self, media_type: &str) -> bool {
        jwt::typ_is(self.typ.as_deref(), media_type)
    }

    /// Checks it under `key`, if its algorithm is one of `allowed`. The comparison takes constant time.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`], [`JoseError::WeakKey`] if the key is shorter than the algorithm asks,
    /// [`JoseError::BadSignature`], [`JoseError::Base64`].
    pub fn verify(self, key: &MacKey, allowed: &[MacAlgorithm]) -> Result<VerifiedMacJwt, JoseError> {
        if !allowed.contains(&self.algorithm) {
            return Err(JoseError::AlgorithmNotAllowed);
        }
        key.fits(self.algorithm)?;
        let (input, tag) = (self.parts.signing_input.as_bytes(), &self.parts.signature);
        if !backend::mac_holds(self.algorithm, &key.0, input, tag) {
            return Err(JoseError::BadSignature);
        }
        Ok(VerifiedMacJwt {
            payload: base64url::decode(self.parts.payload)?,
        })
    }
}

impl std::fmt::Debug for UnverifiedMacJwt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedMacJwt")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A token that somebody with the secret made. What it claims is still for the caller to judge.
#[derive(Clone)]
pub struct VerifiedMacJwt {
    payload: Vec<u8>,
}

impl VerifiedMacJwt {
    /// The claims, from strict JSON (see [`json`]).
    ///
    /// # Errors
    /// [`JoseError::UnexpectedJson`] if the payload is not an object of `T`'s shape, and the errors of
    /// [`json::from_slice`].
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        jwt::claims(&self.payload)
    }
}

impl std::fmt::Debug for VerifiedMacJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedMacJwt([redacted])")
    }
}
