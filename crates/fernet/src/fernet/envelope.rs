//! The Fernet specification: what is around a payload.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use base64_simd::{AsOut as _, URL_SAFE_NO_PAD};
use rustls_pki_types::UnixTime;

use super::FernetKey;
use crate::limits::{MAX_CLOCK_SKEW, MAX_FERNET_KEYS, MAX_FERNET_TOKEN, MAX_TIME};
use crate::{DecodeError, IssueError, KeyError};

const VERSION: u8 = 0x80;
/// Version, time and initialization vector.
const HEAD: usize = 25;
/// Where the initialization vector begins.
const IV: usize = 9;
/// The tag: all of HMAC-SHA-256.
pub(super) const TAG: usize = 32;
const BLOCK: usize = 16;
/// What most tokens fit into, as text and as octets: those of federated users with more than a few groups do not.
const COMMON_TEXT: usize = 512;
const COMMON_OCTETS: usize = 384;

thread_local! {
    /// Where this thread's tokens are written before they are text: as long as the longest of them.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The initialization vector of one token: 16 random octets, never used twice under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iv([u8; 16]);

impl Iv {
    /// Takes 16 octets, which must be random.
    #[must_use]
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Draws 16 octets.
    ///
    /// # Errors
    /// [`IssueError::Backend`] if the operating system gives no randomness.
    pub fn generate() -> Result<Self, IssueError> {
        let mut octets = [0; 16];
        aws_lc_rs::rand::fill(&mut octets).map_err(|_error| IssueError::Backend)?;
        Ok(Self(octets))
    }

    pub(super) const fn octets(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The keys of a Fernet repository, in the order in which Keystone tries them: primary, then descending, then staged.
#[derive(Debug, Clone)]
pub struct FernetKeys {
    keys: Vec<Arc<FernetKey>>,
}

/// What a Fernet token holds.
pub struct Opened {
    octets: Vec<u8>,
    start: usize,
    length: usize,
    /// When it was made.
    pub issued_at: UnixTime,
    /// Which key proved it: its place among the [`FernetKeys`], 0 for the primary.
    pub key: usize,
    /// The initialization vector.
    pub iv: Iv,
}

impl Opened {
    /// The payload in clear text.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let rest = self.octets.get(self.start..).unwrap_or_default();
        rest.get(..self.length).unwrap_or_default()
    }
}

/// Where a token's octets are while it is read.
pub(super) struct Room {
    short: [MaybeUninit<u8>; COMMON_OCTETS],
    long: Vec<u8>,
}

impl Room {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            short: [const { MaybeUninit::uninit() }; COMMON_OCTETS],
            long: Vec::new(),
        }
    }
}

/// The same, while the token's octets are at hand.
pub(super) struct OpenedInPlace<'a> {
    pub(super) payload: &'a [u8],
    pub(super) issued_at: UnixTime,
    pub(super) key: usize,
    pub(super) iv: Iv,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("issued_at", &self.issued_at)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl FernetKeys {
    /// Takes keys, the primary first.
    ///
    /// # Errors
    /// [`KeyError::NoKey`] for none; [`KeyError::TooMany`] above 256: each is tried for a token that is no good.
    pub fn new(keys: Vec<FernetKey>) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKey);
        }
        if keys.len() > MAX_FERNET_KEYS {
            return Err(KeyError::TooMany {
                limit: MAX_FERNET_KEYS,
            });
        }
        Ok(Self {
            keys: keys.into_iter().map(Arc::new).collect(),
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.keys.len()
    }

    /// Encrypts and signs `payload` under the primary key; base64url without padding, as Keystone writes it.
    ///
    /// # Errors
    /// [`IssueError::TooLong`]; [`IssueError::Backend`] if the cryptographic library fails.
    pub fn seal(&self, payload: &[u8], issued_at: UnixTime, iv: Iv) -> Result<String, IssueError> {
        let mut octets = head(issued_at, iv);
        octets.extend_from_slice(payload);
        self.seal_after_head(octets, iv)
    }

    /// Writes into the head of `octets` an initialization vector that the primary key derives from all of them.
    pub(super) fn derive_iv(&self, octets: &mut [u8]) -> Result<Iv, IssueError> {
        let key = self.keys.first().ok_or(IssueError::Backend)?;
        let iv = key.derive_iv(octets);
        let place = octets.get_mut(IV..HEAD).ok_or(IssueError::Backend)?;
        place.copy_from_slice(iv.octets());
        Ok(iv)
    }

    /// Seals what follows [`head`] in `octets`.
    pub(super) fn seal_after_head(&self, mut octets: Vec<u8>, iv: Iv) -> Result<String, IssueError> {
        let key = self.keys.first().ok_or(IssueError::Backend)?;
        // What is over the limit is found before anything is encrypted.
        let most = octets.len().saturating_add(BLOCK).saturating_add(TAG);
        if most.saturating_mul(4) > MAX_FERNET_TOKEN.saturating_mul(3) {
            return Err(IssueError::TooLong {
                limit: MAX_FERNET_TOKEN,
            });
        }
        key.encrypt(&iv, &mut octets, HEAD)?;
        let tag = key.tag(&octets)?;
        octets.extend_from_slice(&tag);
        let token = URL_SAFE_NO_PAD.encode_to_string(&octets);
        ROOM.set(octets);
        Ok(token)
    }

    /// Checks form and tag, and decrypts. Padding of the text may be there or not, as Keystone has it.
    ///
    /// The time is reported and not looked at: Keystone's payloads have an end of their own.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`], [`DecodeError::Form`], [`DecodeError::Base64`]; [`DecodeError::Unauthentic`] when no
    /// key proves it.
    pub fn open(&self, token: &str) -> Result<Opened, DecodeError> {
        let mut octets = URL_SAFE_NO_PAD
            .decode_to_vec(bounded(token)?)
            .map_err(|_error| DecodeError::Base64)?;
        let opened = self.open_in_place(&mut octets)?;
        let (issued_at, key, iv, length) = (opened.issued_at, opened.key, opened.iv, opened.payload.len());
        Ok(Opened {
            octets,
            start: HEAD,
            length,
            issued_at,
            key,
            iv,
        })
    }

    /// As [`FernetKeys::open`], for whoever needs the payload for a moment: without memory of its own for most tokens.
    #[inline]
    pub(super) fn open_in<'a>(
        &self,
        token: &str,
        room: &'a mut Room,
    ) -> Result<OpenedInPlace<'a>, DecodeError> {
        let text = bounded(token)?;
        let octets = if text.len() > COMMON_TEXT {
            room.long = URL_SAFE_NO_PAD
                .decode_to_vec(text)
                .map_err(|_error| DecodeError::Base64)?;
            room.long.as_mut_slice()
        } else {
            URL_SAFE_NO_PAD
                .decode(text.as_bytes(), room.short.as_mut_slice().as_out())
                .map_err(|_error| DecodeError::Base64)?
        };
        self.open_in_place(octets)
    }

    fn open_in_place<'a>(&self, octets: &'a mut [u8]) -> Result<OpenedInPlace<'a>, DecodeError> {
        let signed = octets.len().checked_sub(TAG).ok_or(DecodeError::Form)?;
        let body = signed.checked_sub(HEAD).ok_or(DecodeError::Form)?;
        if body < BLOCK || !body.is_multiple_of(BLOCK) {
            return Err(DecodeError::Form);
        }
        let (message, tag) = octets.split_at_checked(signed).ok_or(DecodeError::Form)?;
        let (issued_at, iv) = read_head(message)?;
        let found = self
            .keys
            .iter()
            .enumerate()
            .find(|(_place, key)| key.proves(message, tag));
        let (place, key) = found.ok_or(DecodeError::Unauthentic)?;
        let sealed = octets.get_mut(HEAD..signed).ok_or(DecodeError::Form)?;
        Ok(OpenedInPlace {
            payload: key.decrypt(iv, sealed)?,
            issued_at,
            key: place,
            iv: Iv(iv),
        })
    }

    /// As [`FernetKeys::open`], for tokens whose end is counted from their beginning: not older than `lifetime`, and
    /// not of a future farther than 60 seconds (the clock skew of the specification).
    ///
    /// # Errors
    /// As [`FernetKeys::open`]; [`DecodeError::IssuedInTheFuture`] and [`DecodeError::Expired`].
    pub fn open_within(&self, token: &str, now: UnixTime, lifetime: Duration) -> Result<Opened, DecodeError> {
        let opened = self.open(token)?;
        not_of_the_future(opened.issued_at, now)?;
        if opened.issued_at.as_secs().saturating_add(lifetime.as_secs()) < now.as_secs() {
            return Err(DecodeError::Expired);
        }
        Ok(opened)
    }
}

pub(super) fn not_of_the_future(issued_at: UnixTime, now: UnixTime) -> Result<(), DecodeError> {
    if issued_at.as_secs() > now.as_secs().saturating_add(MAX_CLOCK_SKEW) {
        return Err(DecodeError::IssuedInTheFuture);
    }
    Ok(())
}

/// Version, time and initialization vector: what a payload is written after.
pub(super) fn head(issued_at: UnixTime, iv: Iv) -> Vec<u8> {
    let mut octets = ROOM.take();
    octets.clear();
    octets.reserve(COMMON_OCTETS);
    octets.push(VERSION);
    octets.extend_from_slice(&issued_at.as_secs().to_be_bytes());
    octets.extend_from_slice(iv.octets());
    octets
}

/// Not longer than any token, and without its padding.
fn bounded(token: &str) -> Result<&str, DecodeError> {
    if token.len() > MAX_FERNET_TOKEN {
        return Err(DecodeError::TooLong {
            limit: MAX_FERNET_TOKEN,
        });
    }
    without_padding(token)
}

/// At most two `=`, and only where they fill up a group of four.
fn without_padding(token: &str) -> Result<&str, DecodeError> {
    if !token.ends_with('=') {
        return Ok(token);
    }
    let bare = token.trim_end_matches('=');
    let padding = token.len().saturating_sub(bare.len());
    if padding > 2 || !token.len().is_multiple_of(4) {
        return Err(DecodeError::Base64);
    }
    Ok(bare)
}

fn read_head(message: &[u8]) -> Result<(UnixTime, [u8; 16]), DecodeError> {
    let (version, rest) = message.split_first().ok_or(DecodeError::Form)?;
    let (time, rest) = rest.split_first_chunk::<8>().ok_or(DecodeError::Form)?;
    let (iv, _sealed) = rest.split_first_chunk::<16>().ok_or(DecodeError::Form)?;
    let seconds = u64::from_be_bytes(*time);
    if *version != VERSION || seconds > MAX_TIME {
        return Err(DecodeError::Form);
    }
    Ok((UnixTime::since_unix_epoch(Duration::from_secs(seconds)), *iv))
}
