use std::sync::Arc;

use serde::Serialize;

use crate::{JoseError, Signer, UnverifiedJwt, base64url};

/// Room for one token at a time. Keep it between tokens: nothing is allocated anew for the next one.
#[derive(Default)]
pub struct JwtBuffer {
    text: String,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl JwtBuffer {
    /// An empty buffer; it grows with the first token.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            text: String::new(),
            claims: Vec::new(),
            signature: Vec::new(),
        }
    }
}

impl std::fmt::Debug for JwtBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtBuffer")
            .field("len", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// Makes compact JWTs (RFC 7519 §7.1) of one type by one key; the header is encoded once.
#[derive(Debug, Clone)]
pub struct JwtEncoder {
    signer: Arc<Signer>,
    /// The encoded header and its dot.
    prefix: String,
}

impl JwtEncoder {
    /// The longest `typ`.
    const MAX_TYPE: usize = 64;

    /// An encoder for tokens whose header is `alg`, `typ` and `kid`.
    ///
    /// `typ` is the media type without `application/`, for instance `at+jwt`.
    ///
    /// # Errors
    /// [`JoseError::InvalidType`] if `typ` is empty, longer than 64 characters, or not visible ASCII without `"`
    /// and `\`.
    pub fn new(signer: Arc<Signer>, typ: &str) -> Result<Self, JoseError> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if typ.is_empty() || typ.len() > Self::MAX_TYPE || !typ.bytes().all(plain) {
            return Err(JoseError::InvalidType);
        }
        let header = format!(
            r#"{{"alg":"{}","typ":"{typ}","kid":"{}"}}"#,
            signer.algorithm(),
            signer.key_id()
        );
        let mut prefix = base64url::encode(header);
        prefix.push('.');
        Ok(Self { signer, prefix })
    }

    /// The key.
    #[must_use]
    pub const fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// Makes a token in `buffer`.
    ///
    /// `claims` serializes to a JSON object; that it has no name twice is its type's business.
    ///
    /// # Errors
    /// [`JoseError::InvalidClaims`] if it does not; [`JoseError::TooLarge`] if the token would be longer than
    /// [`UnverifiedJwt::MAX_BYTES`]; [`JoseError::Backend`] as [`Signer::sign`].
    pub fn encode<'b, T: Serialize + ?Sized>(
        &self,
        claims: &T,
        buffer: &'b mut JwtBuffer,
    ) -> Result<&'b str, JoseError> {
        buffer.claims.clear();
        serde_json::to_writer(&mut buffer.claims, claims).map_err(|_error| JoseError::InvalidClaims)?;
        if buffer.claims.first() != Some(&b'{') {
            return Err(JoseError::InvalidClaims);
        }
        self.finish(buffer)
    }

    /// Makes a token in `buffer` of claims that `write` appends as the text of one JSON object.
    ///
    /// That the text is JSON, and has no name twice, is the caller's business.
    ///
    /// # Errors
    /// As [`JwtEncoder::encode`], and those of `write`.
    pub fn encode_written<'b>(
        &self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), JoseError>,
        buffer: &'b mut JwtBuffer,
    ) -> Result<&'b str, JoseError> {
        buffer.claims.clear();
        write(&mut buffer.claims)?;
        if buffer.claims.first() != Some(&b'{') || buffer.claims.last() != Some(&b'}') {
            return Err(JoseError::InvalidClaims);
        }
        self.finish(buffer)
    }

    /// Makes a token as [`JwtEncoder::encode`] does, in a text of its own.
    ///
    /// # Errors
    /// As [`JwtEncoder::encode`].
    pub fn encode_to_string<T: Serialize + ?Sized>(&self, claims: &T) -> Result<String, JoseError> {
        let mut buffer = JwtBuffer::new();
        self.encode(claims, &mut buffer)?;
        Ok(buffer.text)
    }

    /// Makes a JWS over any octets (RFC 7515 §7.1) in `buffer`.
    ///
    /// # Errors
    /// As [`JwtEncoder::encode`], but for the claims.
    pub fn encode_octets<'b>(&self, payload: &[u8], buffer: &'b mut JwtBuffer) -> Result<&'b str, JoseError> {
        buffer.claims.clear();
        buffer.claims.extend_from_slice(payload);
        self.finish(buffer)
    }

    /// From the payload in `buffer.claims` to the token in `buffer.text`.
    fn finish<'b>(&self, buffer: &'b mut JwtBuffer) -> Result<&'b str, JoseError> {
        let JwtBuffer {
            text,
            claims,
            signature,
        } = buffer;
        text.clear();
        text.push_str(&self.prefix);
        base64url::encode_to(&*claims, text);
        signature.clear();
        self.signer.sign(text.as_bytes(), signature)?;
        text.push('.');
        base64url::encode_to(&*signature, text);
        if text.len() > UnverifiedJwt::MAX_BYTES {
            return Err(JoseError::TooLarge {
                what: "token",
                limit: UnverifiedJwt::MAX_BYTES,
            });
        }
        Ok(text)
    }
}
