use std::sync::Arc;

use sealstone_jose::{base64url, json};
use serde::Deserialize;

use super::candidates::Candidates;
use super::key::Signed;
use super::order::Order;
use super::{JwsAlgorithm, JwsPublicKey, wire};
use crate::limits::{MAX_JWS_TOKEN, MAX_PUBLIC_KEYS};
use crate::{DecodeError, KeyError, ReadAt, TokenClaims};

/// Reads JWS tokens by the public keys of a repository.
///
/// As Keystone does, it takes every key of the token's algorithm, since these tokens do not name theirs. First comes the key
/// that is likely to prove it, by those that proved the tokens before; then all others, in an order that no one of them
/// has for itself, so that tokens of several nodes cost half of the keys whichever way they come. From three ES256 keys on
/// it is worked out first which of them can have made the signature, and the token is verified by that one alone, or by
/// none; each such key has a table of 256 KiB for it. What Keystone fails on (`aud`, `nbf`, a time of issue in the future,
/// a claim missing) is refused here with a reason.
#[derive(Debug, Clone)]
pub struct JwsTokenReader {
    keys: Vec<JwsPublicKey>,
    accepted: Vec<JwsAlgorithm>,
    order: Order,
    candidates: Option<Arc<Candidates>>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    #[serde(default, deserialize_with = "wire::present")]
    crit: bool,
}

impl JwsTokenReader {
    /// Takes the keys of a repository, and the algorithms of `[jwt_tokens] jws_accepted_algorithms`.
    ///
    /// # Errors
    /// [`KeyError::TooMany`] above 64 keys: Keystone tries each key for each token, and so would this reader.
    pub fn new(keys: Vec<JwsPublicKey>, accepted: &[JwsAlgorithm]) -> Result<Self, KeyError> {
        if keys.len() > MAX_PUBLIC_KEYS {
            return Err(KeyError::TooMany {
                limit: MAX_PUBLIC_KEYS,
            });
        }
        Ok(Self {
            order: Order::new(keys.len()),
            candidates: Candidates::new(&keys).map(Arc::new),
            keys,
            accepted: accepted.to_vec(),
        })
    }

    /// Is the key among those that tokens are read by, and its algorithm accepted?
    #[must_use]
    pub fn trusts(&self, key: &JwsPublicKey) -> bool {
        self.accepted.contains(&key.algorithm()) && self.keys.contains(key)
    }

    /// Reads a token: first its form, then its signature, then its claims, then its times.
    ///
    /// # Errors
    /// [`DecodeError`] says what is wrong with it; [`DecodeError::Unauthentic`] means that no key verifies it.
    pub fn read(&self, token: &str, at: impl Into<ReadAt>) -> Result<TokenClaims, DecodeError> {
        if token.len() > MAX_JWS_TOKEN {
            return Err(DecodeError::TooLong { limit: MAX_JWS_TOKEN });
        }
        let (message, signature) = token.rsplit_once('.').ok_or(DecodeError::Form)?;
        let (header, payload) = message.split_once('.').ok_or(DecodeError::Form)?;
        if payload.contains('.') {
            return Err(DecodeError::Form);
        }
        let algorithm = self.algorithm(&decode(header)?)?;
        let signature = decode(signature)?;
        let payload = decode(payload)?;
        if !self.is_proved(algorithm, message.as_bytes(), &signature) {
            return Err(DecodeError::Unauthentic);
        }
        let claims = wire::read(&payload)?;
        claims.check_times(at.into())?;
        Ok(claims)
    }

    fn is_proved(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let signed = Signed::new(algorithm, message);
        let proves = |place: &usize| {
            let key = self.keys.get(*place);
            key.is_some_and(|key| key.algorithm() == algorithm && key.verifies(&signed, signature))
        };
        let mut places = self.order.places(signature);
        let proving = match (&self.candidates, &signed, algorithm) {
            (Some(candidates), Signed::Digest(hash), JwsAlgorithm::Es256) => {
                candidates.find(hash.as_ref(), signature, places).filter(proves)
            }
            _ => places.find(proves),
        };
        proving.inspect(|place| self.order.proved(*place)).is_some()
    }

    fn algorithm(&self, header: &[u8]) -> Result<JwsAlgorithm, DecodeError> {
        let header: Header = json::from_slice(header).map_err(DecodeError::Json)?;
        let algorithm = JwsAlgorithm::parse(&header.alg)?;
        if !self.accepted.contains(&algorithm) {
            return Err(DecodeError::Algorithm);
        }
        if header.crit {
            return Err(DecodeError::Header("crit"));
        }
        if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(DecodeError::Header("typ"));
        }
        Ok(algorithm)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, DecodeError> {
    base64url::decode(part).map_err(|_error| DecodeError::Base64)
}
