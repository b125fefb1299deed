//! Strict JSON (RFC 8259): what two readers could take in two ways is refused.
//!
//! Refused: a name twice in one object at any depth, also when one is written with escapes; anything after the
//! value; a byte order mark; text that is not UTF-8; lone surrogates; nesting deeper than [`MAX_DEPTH`].

use std::borrow::Cow;
use std::cell::Cell;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::JoseError;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 32;

/// Reads one JSON value.
///
/// The caller bounds the length of `bytes`; time is linear in it but for sorting the names of one object.
///
/// # Errors
/// [`JoseError::DuplicateName`], [`JoseError::TooDeep`] or [`JoseError::MalformedJson`] if the text is refused;
/// [`JoseError::UnexpectedJson`] if it is strict JSON of another shape than `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JoseError> {
    check(bytes)?;
    serde_json::from_slice(bytes).map_err(|_error| JoseError::UnexpectedJson)
}

/// Refuses what is not strict JSON, whatever its shape.
///
/// # Errors
/// As [`from_slice`], but for the shape.
pub fn check(bytes: &[u8]) -> Result<(), JoseError> {
    let fault = Cell::new(JoseError::MalformedJson);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walked = Strict {
        depth: MAX_DEPTH,
        fault: &fault,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end());
    walked.map_err(|_error| fault.replace(JoseError::MalformedJson))
}

/// Refuses what is not one strict JSON object.
pub(crate) fn object(bytes: &[u8]) -> Result<(), JoseError> {
    check(bytes)?;
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        Ok(())
    } else {
        Err(JoseError::UnexpectedJson)
    }
}

/// Walks a value without keeping it.
struct Strict<'a> {
    depth: usize,
    fault: &'a Cell<JoseError>,
}

impl Strict<'_> {
    fn deeper<E: Error>(&self) -> Result<Strict<'_>, E> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| self.fail(JoseError::TooDeep))?;
        Ok(Strict {
            depth,
            fault: self.fault,
        })
    }

    fn fail<E: Error>(&self, fault: JoseError) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _value: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let seed = self.deeper()?;
        while items
            .next_element_seed(Strict {
                depth: seed.depth,
                fault: seed.fault,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let seed = self.deeper()?;
        let mut names = Vec::new();
        while let Some(Name(name)) = members.next_key_seed(NameSeed)? {
            names.push(name);
            members.next_value_seed(Strict {
                depth: seed.depth,
                fault: seed.fault,
            })?;
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(self.fail(JoseError::DuplicateName));
        }
        Ok(())
    }
}

/// A member's name, unescaped; borrowed where it has no escape.
struct Name<'de>(Cow<'de, str>);

struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Name<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}
