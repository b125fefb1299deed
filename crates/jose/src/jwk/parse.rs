//! From JSON to a validated key.

use serde_json::{Map, Value};

use super::material::PublicKey;
use super::{Jwk, KeyUse, certificate};
use crate::{Algorithm, JoseError, base64url};

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The longest `kid` of another party, in bytes.
const MAX_KID: usize = 256;
/// The most certificates in `x5c`.
const MAX_CHAIN: usize = 8;
/// The most operations in `key_ops`; RFC 7517 §4.3 registers eight.
const MAX_OPS: usize = 16;

pub(super) fn jwk(value: &Value) -> Result<Jwk, JoseError> {
    let members = value
        .as_object()
        .ok_or(JoseError::MalformedKey("not an object"))?;
    let kty = required(members, "kty")?;
    if kty == "oct" {
        return Err(JoseError::SymmetricKey);
    }
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(JoseError::PrivateMember);
    }
    described(public_key(members, kty)?, members)
}

/// The members that say how the key is used, around a key already read.
pub(super) fn described(key: PublicKey, members: &Map<String, Value>) -> Result<Jwk, JoseError> {
    let algorithm = match text(members, "alg")? {
        Some(name) => Some(Algorithm::parse(name).map_err(|_error| JoseError::UnsupportedKey("alg"))?),
        None => None,
    };
    if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
        return Err(JoseError::MalformedKey("alg does not fit the key"));
    }
    let key_use = match text(members, "use")? {
        Some("sig") => Some(KeyUse::Signature),
        Some("enc") => Some(KeyUse::Encryption),
        Some(_) => return Err(JoseError::UnsupportedKey("use")),
        None => None,
    };
    let name = match text(members, "kid")? {
        Some(name) => Some(kid(name)?.to_owned()),
        None => None,
    };
    let x5c = chain(members, &key)?;
    Ok(Jwk {
        key,
        kid: name,
        algorithm,
        key_use,
        key_ops: operations(members)?,
        x5c,
    })
}

/// A `kid` of any party: opaque text, bounded.
pub(crate) fn kid(text: &str) -> Result<&str, JoseError> {
    if text.is_empty() || text.len() > MAX_KID || text.contains('\0') {
        return Err(JoseError::MalformedKey("kid"));
    }
    Ok(text)
}

/// The public members of `kty`.
pub(crate) fn public_key(members: &Map<String, Value>, kty: &str) -> Result<PublicKey, JoseError> {
    match kty {
        "EC" => match required(members, "crv")? {
            "P-256" => PublicKey::p256(&point(members, 32)?),
            "P-384" => PublicKey::p384(&point(members, 48)?),
            _ => Err(JoseError::UnsupportedKey("crv")),
        },
        "OKP" => match required(members, "crv")? {
            "Ed25519" => PublicKey::ed25519(&octets(members, "x")?),
            _ => Err(JoseError::UnsupportedKey("crv")),
        },
        "RSA" => PublicKey::rsa(&octets(members, "n")?, &octets(members, "e")?),
        _ => Err(JoseError::UnsupportedKey("kty")),
    }
}

/// Coordinates of full length (RFC 7518 §6.2.1.2) as an uncompressed point.
fn point(members: &Map<String, Value>, field: usize) -> Result<Vec<u8>, JoseError> {
    let (x, y) = (octets(members, "x")?, octets(members, "y")?);
    if x.len() != field || y.len() != field {
        return Err(JoseError::MalformedKey("length of a coordinate"));
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
}

fn operations(members: &Map<String, Value>) -> Result<Option<Vec<String>>, JoseError> {
    const WRONG: JoseError = JoseError::MalformedKey("key_ops");
    let Some(value) = members.get("key_ops") else {
        return Ok(None);
    };
    let items = value
        .as_array()
        .filter(|items| items.len() <= MAX_OPS)
        .ok_or(WRONG)?;
    let mut operations = Vec::with_capacity(items.len());
    for item in items {
        let operation = item
            .as_str()
            .filter(|text| text.len() <= MAX_KID)
            .ok_or(WRONG)?
            .to_owned();
        if operations.contains(&operation) {
            return Err(WRONG);
        }
        operations.push(operation);
    }
    Ok(Some(operations))
}

fn chain(members: &Map<String, Value>, key: &PublicKey) -> Result<Vec<Vec<u8>>, JoseError> {
    const WRONG: JoseError = JoseError::MalformedKey("x5c");
    let Some(value) = members.get("x5c") else {
        return Ok(Vec::new());
    };
    let items = value
        .as_array()
        .filter(|items| (1..=MAX_CHAIN).contains(&items.len()))
        .ok_or(WRONG)?;
    let mut chain = Vec::with_capacity(items.len());
    for item in items {
        let text = item.as_str().ok_or(WRONG)?;
        chain.push(
            base64_simd::STANDARD
                .decode_to_vec(text)
                .map_err(|_error| WRONG)?,
        );
    }
    let leaf = certificate::public_key(chain.first().ok_or(WRONG)?)?;
    if leaf != *key {
        Err(JoseError::MalformedKey("x5c is of another key"))
    } else {
        Ok(chain)
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, JoseError> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(JoseError::MalformedKey(name)),
    }
}

fn required<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JoseError> {
    text(members, name)?.ok_or(JoseError::MalformedKey(name))
}

fn octets(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JoseError> {
    base64url::decode(required(members, name)?).map_err(|_error| JoseError::MalformedKey(name))
}
