//! The envelopes of Keystone's answers: one named member, or a page of them.

use std::{fmt, marker::PhantomData};

use http::Uri;
use sealstone_jose::json;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap as _,
};
use zeroize::Zeroizing;

use crate::{Fault, KeystoneError, client::Answer};

/// Larger than usual requests, so that a secret in one is not copied by a growing buffer.
const CAPACITY: usize = 4 * 1024;

/// `{member: value}`.
pub(super) fn body<T: Serialize>(
    member: &'static str,
    value: &T,
) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    struct Envelope<'a, T>(&'static str, &'a T);
    impl<T: Serialize> Serialize for Envelope<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(self.0, self.1)?;
            map.end()
        }
    }
    let mut body = Zeroizing::new(Vec::with_capacity(CAPACITY));
    serde_json::to_writer(&mut *body, &Envelope(member, value))?;
    Ok(body)
}

/// The member of this name; others are passed over.
pub(super) fn member<T: DeserializeOwned>(answer: &Answer, name: &'static str) -> Result<T, KeystoneError> {
    let body = answer.json_text()?;
    member_of(body, name).map_err(|fault| answer.malformed(fault))
}

/// The items of one page.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
    pub(crate) truncated: bool,
}

pub(super) fn page<T: DeserializeOwned>(
    answer: &Answer,
    name: &'static str,
) -> Result<Page<T>, KeystoneError> {
    let body = answer.json_text()?;
    page_of(body, name).map_err(|fault| answer.malformed(fault))
}

pub(crate) fn member_of<T: DeserializeOwned>(body: &[u8], name: &'static str) -> Result<T, Fault> {
    let document = read(body, Envelope::<T>(name, PhantomData))?;
    document.member.ok_or(Fault::Shape)
}

pub(crate) fn page_of<T: DeserializeOwned>(body: &[u8], name: &'static str) -> Result<Page<T>, Fault> {
    let document = read(body, Envelope::<Vec<T>>(name, PhantomData))?;
    Ok(Page {
        items: document.member.ok_or(Fault::Shape)?,
        next: document.next,
        truncated: document.truncated,
    })
}

/// The query of a link, which is all that is taken from it.
pub(crate) fn query_of(link: &str) -> Option<String> {
    let uri: Uri = link.parse().ok()?;
    Some(format!("?{}", uri.query()?))
}

fn read<'a, S: DeserializeSeed<'a>>(body: &'a [u8], seed: S) -> Result<S::Value, Fault> {
    json::check(body).map_err(|_error| Fault::Json)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    seed.deserialize(&mut deserializer).map_err(|_error| Fault::Shape)
}

struct Document<T> {
    member: Option<T>,
    next: Option<String>,
    truncated: bool,
}

struct Envelope<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Envelope<T> {
    type Value = Document<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Envelope<T> {
    type Value = Document<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        struct Links {
            next: Option<String>,
        }
        let mut document = Document {
            member: None,
            next: None,
            truncated: false,
        };
        while let Some(name) = members.next_key::<String>()? {
            if name == self.0 {
                document.member = Some(members.next_value()?);
            } else if name == "links" {
                document.next = members.next_value::<Links>()?.next;
            } else if name == "truncated" {
                document.truncated = members.next_value()?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(document)
    }
}
