use crate::mint::MintError;
use crate::person::{IdTokenClaims, LogoutTokenClaims, UserinfoClaims};
use sealstone_jose::{Algorithm, JwtEncoder, KeyId, Signer};
use std::sync::Arc;

/// The `typ` of an ID token and of a signed userinfo answer.
pub const JWT: &str = "JWT";
/// The `typ` of a logout token (OpenID Connect Back-Channel Logout §2.4).
pub const LOGOUT_JWT: &str = "logout+jwt";

/// Signs what is told about people with one key: ID tokens, userinfo answers, logout tokens.
///
/// ```
/// use sealstone_jose::{Algorithm, KeyId, PrivateKey, Signer};
/// use sealstone_tokens::PeopleMint;
/// # use std::sync::Arc;
/// let key = PrivateKey::generate(Algorithm::Es256)?;
/// let mint = PeopleMint::new(Arc::new(Signer::new(&key, KeyId::parse("2026-11")?)?))?;
/// assert_eq!(mint.algorithm(), Algorithm::Es256);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PeopleMint {
    jwt: JwtEncoder,
    logout: JwtEncoder,
}

impl PeopleMint {
    /// A mint for one key.
    ///
    /// # Errors
    /// [`MintError`] when a header can't be encoded.
    pub fn new(signer: Arc<Signer>) -> Result<Self, MintError> {
        Ok(Self {
            jwt: JwtEncoder::new(Arc::clone(&signer), JWT)?,
            logout: JwtEncoder::new(signer, LOGOUT_JWT)?,
        })
    }

    /// The key that signs.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        self.jwt.signer().key_id()
    }

    /// The algorithm that it signs with, which decides how `at_hash` is made.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.jwt.signer().algorithm()
    }

    /// An ID token.
    ///
    /// # Errors
    /// [`MintError`] when it would be too long, or the backend can't sign.
    pub fn id_token(&self, claims: &IdTokenClaims<'_>) -> Result<String, MintError> {
        Ok(self.jwt.encode_to_string(claims)?)
    }

    /// A signed userinfo answer.
    ///
    /// # Errors
    /// As [`PeopleMint::id_token`].
    pub fn userinfo(&self, claims: &UserinfoClaims<'_>) -> Result<String, MintError> {
        Ok(self.jwt.encode_to_string(claims)?)
    }

    /// A logout token.
    ///
    /// # Errors
    /// As [`PeopleMint::id_token`].
    pub fn logout_token(&self, claims: &LogoutTokenClaims<'_>) -> Result<String, MintError> {
        Ok(self.logout.encode_to_string(claims)?)
    }
}
