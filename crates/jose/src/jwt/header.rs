//! What a header may say, and what it may not ask for.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::{JoseError, json, jwk};

/// What a header says, its algorithm by name only.
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
}

/// A member that is text if it is there at all: `null` is not text.
#[derive(Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Some(text)))
    }
}

/// A member that is there, whatever its value.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_any| Self(true))
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Raw {
    alg: Text,
    kid: Text,
    typ: Text,
    cty: Text,
    crit: Present,
    b64: Present,
    zip: Present,
    enc: Present,
    jwk: Present,
    jku: Present,
    x5u: Present,
    x5c: Present,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Header, JoseError> {
    json::object(bytes)?;
    let raw: Raw = serde_json::from_slice(bytes)
        .map_err(|_error| JoseError::MalformedHeader("a member of a wrong type"))?;
    let forbidden = [
        ("crit", &raw.crit),
        ("b64", &raw.b64),
        ("zip", &raw.zip),
        ("enc", &raw.enc),
        ("jwk", &raw.jwk),
        ("jku", &raw.jku),
        ("x5u", &raw.x5u),
        ("x5c", &raw.x5c),
    ];
    if let Some((name, _)) = forbidden.iter().find(|(_, member)| member.0) {
        return Err(JoseError::ForbiddenHeader(name));
    }
    if raw
        .cty
        .0
        .is_some_and(|cty| subtype(&cty).eq_ignore_ascii_case("jwt"))
    {
        return Err(JoseError::ForbiddenHeader("cty"));
    }
    if let Some(kid) = &raw.kid.0 {
        jwk::check_kid(kid).map_err(|_error| JoseError::MalformedHeader("kid"))?;
    }
    Ok(Header {
        alg: raw.alg.0.ok_or(JoseError::MalformedHeader("no alg"))?,
        kid: raw.kid.0,
        typ: raw.typ.0,
    })
}

/// A media type without `application/`, where nothing else has a slash (RFC 7515 §4.1.9).
pub(super) fn subtype(media_type: &str) -> &str {
    match media_type.split_once('/') {
        Some((top, rest)) if top.eq_ignore_ascii_case("application") && !rest.contains('/') => rest,
        _ => media_type,
    }
}
