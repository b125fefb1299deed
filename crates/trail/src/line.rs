//! One line of a trail, as it is read back.

use crate::key::NodeName;
use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::UnixTime;
use sealstone_jose::{Jwk, base64url};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use time::{Date, Month, PrimitiveDateTime, Time};

/// `name` of the attachment that links an event into the chain.
pub(crate) const CHAIN: &str = "chain";
/// `name` of the attachment that makes an event a checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// `name` of the attachment that tells what was set aside.
pub(crate) const MENDED: &str = "mended";

/// SHA-256 of a line, without its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Before the first event there is none.
    pub(crate) const NONE: Self = Self([0; 32]);

    /// Of these octets.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, octets).as_ref());
        Self(hash)
    }

    /// Sixty-four digits, as `sha256sum` prints them.
    #[must_use]
    pub fn text(&self) -> [u8; 64] {
        /// Without a branch or a table, so that it runs many at a time: each event has one such text.
        fn digit(number: u8) -> u8 {
            let letter = u8::from(number > 9);
            number
                .wrapping_add(b'0')
                .wrapping_add(letter.wrapping_mul(b'a' - b'0' - 10))
        }
        let mut text = [0; 64];
        let (pairs, _none) = text.as_chunks_mut::<2>();
        for (pair, octet) in pairs.iter_mut().zip(self.0) {
            *pair = [digit(octet >> 4), digit(octet & 0xf)];
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
            b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
            _ => None,
        };
        if text.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (octet, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *octet = (digit(*high)? << 4) | digit(*low)?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A line that is no link of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a report tells of each")]
pub enum LineError {
    /// Longer than any event.
    #[error("longer than any event ({} octets)", Line::LONGEST)]
    TooLong,
    /// Not a JSON object with the members of an event.
    #[error("no event: not one whole JSON document of CADF")]
    NoEvent,
    /// An event without a place in the chain.
    #[error("an event without a place in the chain")]
    Unchained,
    /// Its place is not written as we write it.
    #[error("an event whose place in the chain can't be read")]
    Link,
}

/// One event with its place in the chain.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Line {
    /// Its number: the first event of a trail has 1.
    pub sequence: u64,
    /// The hash of the line before it.
    pub previous: Hash,
    /// Who wrote it.
    pub node: NodeName,
    /// When.
    pub time: UnixTime,
    /// Its own hash.
    pub hash: Hash,
    /// If it is a checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// If it tells of a torn line before it.
    pub mended: Option<Mended>,
}

/// What makes an event a checkpoint.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Checkpoint {
    /// `open`, `interval`, `rotate` or `stop`.
    pub reason: String,
    /// The thumbprint of the key.
    pub kid: String,
    /// The key itself, in the first line of a file.
    pub key: Option<Jwk>,
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// What was set aside: everything between the line before in the chain and this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Mended {
    /// How much.
    pub octets: u64,
    /// SHA-256 over it, without the line end that was added.
    #[serde(deserialize_with = "hash")]
    pub sha256: Hash,
}

fn hash<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
    let text = String::deserialize(deserializer)?;
    Hash::parse(&text).ok_or_else(|| serde::de::Error::custom("no SHA-256 in digits"))
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "eventTime")]
    time: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
struct Attachment {
    name: String,
    content: Value,
}

#[derive(Deserialize)]
struct Link {
    node: String,
    #[serde(deserialize_with = "hash")]
    previous: Hash,
    sequence: u64,
}

#[derive(Deserialize)]
struct SignedBy {
    reason: String,
    kid: String,
    key: Option<Value>,
    signature: String,
}

impl Line {
    /// The longest line that is read: an event has some 900 octets; names of 64 characters and a checkpoint's key and
    /// signature leave it below 4 KiB.
    pub const LONGEST: usize = 64 * 1024;

    /// Whether it is written as it was signed and hashed by us: one JSON value has one sequence of octets (RFC 8785). A
    /// member that is there twice shows here: of two, readers take the one or the other, and the signature is over one.
    #[must_use]
    pub fn is_canonical(octets: &[u8]) -> bool {
        let value = serde_json::from_slice::<Value>(octets).ok();
        value
            .and_then(|value| sealstone_audit::canonical(&value))
            .is_some_and(|canonical| canonical == octets)
    }

    /// Reads one line, without its end.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn parse(octets: &[u8]) -> Result<Self, LineError> {
        if octets.len() > Self::LONGEST {
            return Err(LineError::TooLong);
        }
        let wire: Wire = serde_json::from_slice(octets).map_err(|_error| LineError::NoEvent)?;
        let time = timestamp(&wire.time).ok_or(LineError::NoEvent)?;
        let (mut link, mut signed, mut mended) = (None, None, None);
        for Attachment { name, content } in wire.attachments {
            let known = match name.as_str() {
                CHAIN => set(&mut link, content),
                CHECKPOINT => set(&mut signed, content),
                MENDED => set(&mut mended, content),
                _ => Some(()),
            };
            known.ok_or(LineError::Link)?;
        }
        let link: Link = link.ok_or(LineError::Unchained)?;
        let checkpoint = signed.map(|signed| checkpoint(octets, signed).ok_or(LineError::Link));
        Ok(Self {
            sequence: link.sequence,
            previous: link.previous,
            node: NodeName::parse(&link.node).ok_or(LineError::Link)?,
            time,
            hash: Hash::of(octets),
            checkpoint: checkpoint.transpose()?,
            mended,
        })
    }
}

/// Once, and in the form that it has.
fn set<T: serde::de::DeserializeOwned>(place: &mut Option<T>, content: Value) -> Option<()> {
    let read = serde_json::from_value(content).ok()?;
    place.replace(read).is_none().then_some(())
}

/// What is signed is the whole event without its signature, canonical.
fn checkpoint(octets: &[u8], signed: SignedBy) -> Option<Checkpoint> {
    let mut event: Value = serde_json::from_slice(octets).ok()?;
    for attachment in event.get_mut("attachments")?.as_array_mut()? {
        if attachment.get("name").is_some_and(|name| name == CHECKPOINT) {
            attachment
                .get_mut("content")?
                .as_object_mut()?
                .remove("signature");
        }
    }
    let key = signed.key.map(|key| Jwk::from_value(&key).ok());
    Some(Checkpoint {
        reason: signed.reason,
        kid: signed.kid,
        key: match key {
            Some(key) => Some(key?),
            None => None,
        },
        message: sealstone_audit::canonical(&event)?,
        signature: octets_of(&signed.signature)?,
    })
}

/// One text for one signature: bits that no octet needs are zero.
fn octets_of(text: &str) -> Option<Vec<u8>> {
    let octets = base64url::decode(text).ok()?;
    (base64url::encode(&octets) == text).then_some(octets)
}

/// `2026-01-02T03:04:05.000000+0000`, as we write it.
fn timestamp(text: &str) -> Option<UnixTime> {
    let rest = text.strip_suffix(".000000+0000")?;
    let (date, clock) = rest.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let mut clock = clock.splitn(3, ':');
    let (hour, minute, second) = (clock.next()?, clock.next()?, clock.next()?);
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let clock = Time::from_hms(hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?).ok()?;
    let seconds = PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp();
    let seconds = u64::try_from(seconds).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}
