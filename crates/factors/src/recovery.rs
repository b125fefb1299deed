//! Recovery codes: what lets a person in who lost the second factor. Ten, each good once.

use std::fmt;

use aws_lc_rs::digest;
use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::base32;

/// How many a person gets at once.
pub const RECOVERY_CODES: usize = 10;
/// 80 random bits: too many to guess, online or from the hash, and four groups of four letters to write down.
const OCTETS: usize = 10;
const LETTERS: usize = 16;
const GROUP: usize = 4;
/// Long enough for every way to write sixteen letters in groups.
const MAX_TYPED: usize = 64;

/// A recovery code, shown once as `XXXX-XXXX-XXXX-XXXX`. Zeroed when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// The code for 80 random bits.
    #[must_use]
    pub fn from_octets(random: [u8; OCTETS]) -> Self {
        Self(Zeroizing::new(base32::encode(&random)))
    }

    /// What a person typed: in either case, with or without spaces and dashes; `0`, `1` and `8`, which no code has,
    /// are read as the letters they look like. `None` when it is no code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TYPED {
            return None;
        }
        let letters: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .filter(|c| !matches!(c, ' ' | '-'))
                .map(|c| match c.to_ascii_uppercase() {
                    '0' => 'O',
                    '1' => 'I',
                    '8' => 'B',
                    other => other,
                })
                .collect(),
        );
        let octets = Zeroizing::new(base32::decode(&letters)?);
        (letters.len() == LETTERS && octets.len() == OCTETS).then_some(Self(letters))
    }

    /// The code in groups of four letters, for the one page that shows it.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(LETTERS.saturating_add(3)));
        for (place, letter) in self.0.chars().enumerate() {
            if place > 0 && place.is_multiple_of(GROUP) {
                shown.push('-');
            }
            shown.push(letter);
        }
        shown
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> RecoveryCodeHash {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"sealstone recovery code\0");
        context.update(self.0.as_bytes());
        let mut octets = [0_u8; 32];
        octets.copy_from_slice(context.finish().as_ref());
        RecoveryCodeHash(octets)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCode([redacted])")
    }
}

/// SHA-256 over a recovery code: it has 80 bits of entropy, so that no slow hash is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecoveryCodeHash([u8; 32]);

impl fmt::Debug for RecoveryCodeHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCodeHash([redacted])")
    }
}

impl Serialize for RecoveryCodeHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode_to_string(self.0))
    }
}

impl<'de> Deserialize<'de> for RecoveryCodeHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok();
        let octets = octets.and_then(|octets| <[u8; 32]>::try_from(octets).ok());
        octets
            .map(Self)
            .ok_or_else(|| D::Error::custom("not the hash of a recovery code"))
    }
}

/// The codes that a person still has, as hashes.
///
/// # Examples
/// ```
/// # use sealstone_factors::{RecoveryCode, RecoveryCodes, RECOVERY_CODES};
/// // In a server each has 10 random octets of its own.
/// let shown: [RecoveryCode; RECOVERY_CODES] = std::array::from_fn(|n| RecoveryCode::from_octets([n as u8; 10]));
/// let mut kept = RecoveryCodes::of(&shown);
/// let typed = RecoveryCode::parse(&shown[3].expose().to_lowercase()).ok_or("no code")?;
/// assert!(kept.spend(&typed));
/// assert!(!kept.spend(&typed), "a code works once");
/// assert_eq!(kept.left(), 9);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCodes(Vec<RecoveryCodeHash>);

impl RecoveryCodes {
    /// The hashes of these codes.
    #[must_use]
    pub fn of(codes: &[RecoveryCode]) -> Self {
        Self(codes.iter().map(RecoveryCode::hash).collect())
    }

    /// Takes the code out, if it is one of these. Store the rest before anything is granted on it, by
    /// compare-and-swap.
    pub fn spend(&mut self, code: &RecoveryCode) -> bool {
        let hash = code.hash();
        let (mut found, mut place) = (Choice::from(0), 0_u64);
        for (index, kept) in (0_u64..).zip(&self.0) {
            let same = kept.0.ct_eq(&hash.0);
            place.conditional_assign(&index, same);
            found |= same;
        }
        if bool::from(found) {
            let spent = usize::try_from(place).unwrap_or(usize::MAX);
            let kept = self.0.iter().enumerate().filter(|(index, _)| *index != spent);
            self.0 = kept.map(|(_, hash)| *hash).collect();
        }
        found.into()
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests;
