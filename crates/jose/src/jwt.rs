//! Compact JWS and JWT, before and after verification.

mod header;

use serde::de::DeserializeOwned;

use crate::{Algorithm, JoseError, Verifier, base64url, json};

/// The header of a token, as far as this crate acts on it.
///
/// Other members say nothing here; those that would weaken verification are refused by
/// [`UnverifiedJwt::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwtHeader {
    /// `alg`
    pub alg: Algorithm,
    /// `kid`: at most 256 bytes of any text without NUL. Escape it wherever it is shown.
    pub kid: Option<String>,
    /// `typ`, as sent; compare it by [`JwtHeader::typ_is`].
    pub typ: Option<String>,
}

impl JwtHeader {
    /// Whether `typ` is this media type: case-insensitively, with or without `application/` (RFC 7515 §4.1.9).
    #[must_use]
    pub fn typ_is(&self, media_type: &str) -> bool {
        typ_is(self.typ.as_deref(), media_type)
    }
}

pub(crate) fn typ_is(typ: Option<&str>, media_type: &str) -> bool {
    typ.is_some_and(|typ| header::subtype(typ).eq_ignore_ascii_case(header::subtype(media_type)))
}

/// The parts of a compact JWS.
#[derive(Clone)]
pub(crate) struct Parts<'a> {
    pub(crate) signing_input: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: Vec<u8>,
}

/// Reads the three parts and what the header says; which algorithms there are is the caller's business.
pub(crate) fn read(token: &str) -> Result<(Parts<'_>, header::Header), JoseError> {
    if token.len() > UnverifiedJwt::MAX_BYTES {
        return Err(JoseError::TooLarge {
            what: "token",
            limit: UnverifiedJwt::MAX_BYTES,
        });
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(JoseError::NotCompact)?;
    let (header, payload) = signing_input.split_once('.').ok_or(JoseError::NotCompact)?;
    if payload.contains('.') || header.is_empty() {
        return Err(JoseError::NotCompact);
    }
    let header = header::parse(&base64url::decode(header)?)?;
    let parts = Parts {
        signing_input,
        payload,
        signature: base64url::decode(signature)?,
    };
    Ok((parts, header))
}

/// The claims of a payload, from strict JSON.
pub(crate) fn claims<T: DeserializeOwned>(payload: &[u8]) -> Result<T, JoseError> {
    json::object(payload)?;
    serde_json::from_slice(payload).map_err(|_error| JoseError::UnexpectedJson)
}

/// A compact JWS (RFC 7515 §7.1) whose signature nobody has checked: only its header can be read.
#[derive(Clone)]
pub struct UnverifiedJwt<'a> {
    header: JwtHeader,
    parts: Parts<'a>,
}

impl<'a> UnverifiedJwt<'a> {
    /// The longest token, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads the three parts and the header.
    ///
    /// # Errors
    /// [`JoseError::TooLarge`], [`JoseError::NotCompact`], [`JoseError::Base64`];
    /// [`JoseError::AlgorithmNotAllowed`] for an `alg` that this crate does not have;
    /// [`JoseError::ForbiddenHeader`] for `crit`, `b64`, `zip`, `enc`, `jwk`, `jku`, `x5u`, `x5c` and a `cty` of
    /// `JWT`; [`JoseError::MalformedHeader`], and the errors of [`json::from_slice`].
    pub fn parse(token: &'a str) -> Result<Self, JoseError> {
        let (parts, header) = read(token)?;
        Ok(Self {
            header: JwtHeader {
                alg: Algorithm::parse(&header.alg)?,
                kid: header.kid,
                typ: header.typ,
            },
            parts,
        })
    }

    /// The header. Nothing vouches for it yet.
    #[must_use]
    pub const fn header(&self) -> &JwtHeader {
        &self.header
    }

    /// Whether the header's `typ` is this media type.
    #[must_use]
    pub fn typ_is(&self, media_type: &str) -> bool {
        self.header.typ_is(media_type)
    }

    /// Checks the signature with one key.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] if the key is pinned to another algorithm than the token's;
    /// [`JoseError::UnknownKey`] if both have a `kid` and they differ; [`JoseError::BadSignature`];
    /// [`JoseError::Base64`] if the payload is not strict base64url.
    pub fn verify(self, verifier: &Verifier) -> Result<VerifiedJwt, JoseError> {
        self.check(verifier)?;
        Ok(VerifiedJwt {
            header: self.header,
            payload: base64url::decode(self.parts.payload)?,
        })
    }

    pub(crate) fn check(&self, verifier: &Verifier) -> Result<(), JoseError> {
        if verifier.algorithm() != self.header.alg {
            return Err(JoseError::AlgorithmNotAllowed);
        }
        match (verifier.key_id(), &self.header.kid) {
            (Some(own), Some(named)) if own != named => Err(JoseError::UnknownKey {
                kid: Some(named.clone()),
            }),
            _ => verifier.verify(self.parts.signing_input.as_bytes(), &self.parts.signature),
        }
    }
}

impl std::fmt::Debug for UnverifiedJwt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedJwt")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// A token whose signature is good. What it claims is still for the caller to judge.
#[derive(Clone)]
pub struct VerifiedJwt {
    header: JwtHeader,
    payload: Vec<u8>,
}

impl VerifiedJwt {
    /// The header.
    #[must_use]
    pub const fn header(&self) -> &JwtHeader {
        &self.header
    }

    /// The signed octets.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The claims, from strict JSON (see [`json`]).
    ///
    /// # Errors
    /// [`JoseError::UnexpectedJson`] if the payload is not an object of `T`'s shape, and the errors of
    /// [`json::from_slice`].
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        claims(&self.payload)
    }
}

impl std::fmt::Debug for VerifiedJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedJwt")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
