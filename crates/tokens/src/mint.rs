use crate::claims::AccessTokenClaims;
use sealstone_jose::{JoseError, JwtBuffer, JwtEncoder, KeyId, Signer};
use std::sync::Arc;

/// The `typ` of an access token (RFC 9068 §2.1).
pub const AT_JWT: &str = "at+jwt";

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the access token could not be signed")]
pub struct MintError(#[from] JoseError);

impl MintError {
    /// Whether it may pass by itself: who holds the key, an HSM, does not sign now.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self.0, JoseError::HeldElsewhere)
    }
}

/// Signs access tokens with one key. The header is encoded once, when the mint is made.
///
/// ```
/// use sealstone_jose::{Algorithm, JwtBuffer, KeyId, PrivateKey, Signer};
/// use sealstone_tokens::Mint;
/// # use std::sync::Arc;
/// let key = PrivateKey::generate(Algorithm::Es256)?;
/// let mint = Mint::new(Arc::new(Signer::new(&key, KeyId::parse("2026-11")?)?))?;
/// assert_eq!(mint.key_id().as_str(), "2026-11");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Mint {
    encoder: JwtEncoder,
    key_id: KeyId,
}

impl Mint {
    /// A mint for `typ: at+jwt`.
    ///
    /// # Errors
    /// [`MintError`] when the header can't be encoded.
    pub fn new(signer: Arc<Signer>) -> Result<Self, MintError> {
        let key_id = signer.key_id().clone();
        Ok(Self {
            encoder: JwtEncoder::new(signer, AT_JWT)?,
            key_id,
        })
    }

    /// The key that signs.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The token in compact form. `buffer` is kept by the caller from token to token, so that nothing is allocated
    /// for a second one.
    ///
    /// # Errors
    /// [`MintError`] when the backend can't sign.
    pub fn mint<'b>(
        &self,
        claims: &AccessTokenClaims<'_>,
        buffer: &'b mut JwtBuffer,
    ) -> Result<&'b str, MintError> {
        let write = |json: &mut Vec<u8>| claims.write_json(json).map_err(|_error| JoseError::InvalidClaims);
        Ok(self.encoder.encode_written(write, buffer)?)
    }
}
