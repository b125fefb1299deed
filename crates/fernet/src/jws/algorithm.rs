use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, ED25519,
    EcdsaSigningAlgorithm, VerificationAlgorithm,
};

use crate::DecodeError;

/// A signature algorithm that Keystone offers in `[jwt_tokens] jws_algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "callers choose for every algorithm")]
pub enum JwsAlgorithm {
    /// ECDSA on P-256 with SHA-256: Keystone's default, and the only one of its releases before 30.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl JwsAlgorithm {
    /// All of them, Keystone's default first.
    pub const ALL: [Self; 4] = [Self::Es256, Self::Es384, Self::Es512, Self::EdDsa];

    /// The name in a header and in `keystone.conf`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads the name, case-sensitively.
    ///
    /// # Errors
    /// [`DecodeError::Algorithm`] for every other text, `none` and `HS256` among them.
    pub fn parse(name: &str) -> Result<Self, DecodeError> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        found.ok_or(DecodeError::Algorithm)
    }

    pub(super) fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &ECDSA_P384_SHA384_FIXED,
            Self::Es512 => &ECDSA_P521_SHA512_FIXED,
            Self::EdDsa => &ED25519,
        }
    }

    /// `None` for Ed25519, which is not ECDSA.
    pub(super) fn ecdsa(self) -> Option<&'static EcdsaSigningAlgorithm> {
        match self {
            Self::Es256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Self::Es384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Self::Es512 => Some(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Self::EdDsa => None,
        }
    }
}

impl std::fmt::Display for JwsAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for JwsAlgorithm {
    type Err = DecodeError;

    fn from_str(name: &str) -> Result<Self, DecodeError> {
        Self::parse(name)
    }
}
