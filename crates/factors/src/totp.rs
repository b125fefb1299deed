//! Time-based one-time codes (RFC 6238) of six digits, 30 seconds a step.

use std::fmt;

use aws_lc_rs::hmac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::base32;

/// RFC 6238 §5.2's recommendation, and what every app does unasked.
const STEP_SECONDS: u64 = 30;
/// Steps that are accepted on either side of the present one: a clock may be half a minute off (RFC 6238 §5.2, §6).
const WINDOW: u64 = 1;
const DIGITS: usize = 6;
/// 160 bits, RFC 4226 §4 R6.
const SECRET_LENGTH: usize = 20;
/// RFC 4226 §4 R6 asks for 128 bits.
const MIN_SECRET: usize = 16;
/// The block of SHA-256: a longer key is hashed to less.
const MAX_SECRET: usize = 64;
/// RFC 3986's unreserved characters stay as they are.
const URI_TEXT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The secret that an authenticator app shares with us. Zeroed when dropped; `Debug` shows nothing of it.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use rustls_pki_types::UnixTime;
/// # use sealstone_factors::{TotpCode, TotpSecret};
/// let secret = TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")?; // RFC 6238's
/// let now = UnixTime::since_unix_epoch(Duration::from_secs(59));
/// let step = secret.verify(&TotpCode::parse("287 082")?, now, None).ok_or("refused")?;
/// assert!(secret.verify(&TotpCode::parse("287082")?, now, Some(step)).is_none(), "a code works once");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    /// A new secret of 160 random bits.
    #[must_use]
    pub fn from_octets(random: [u8; SECRET_LENGTH]) -> Self {
        Self(Zeroizing::new(random.to_vec()))
    }

    /// Takes a secret in Base32, in either case, with spaces and `=` at the end as apps show it.
    ///
    /// # Errors
    /// [`TotpSecretFault`] for other characters, and for less than 16 or more than 64 octets.
    pub fn parse(text: &str) -> Result<Self, TotpSecretFault> {
        if text.len() > MAX_SECRET.saturating_mul(4) {
            return Err(TotpSecretFault::Length);
        }
        let plain: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|c| !matches!(c, ' ' | '-')).collect());
        let octets = base32::decode(plain.trim_end_matches('=')).ok_or(TotpSecretFault::Characters)?;
        let octets = Zeroizing::new(octets);
        if !(MIN_SECRET..=MAX_SECRET).contains(&octets.len()) {
            return Err(TotpSecretFault::Length);
        }
        Ok(Self(octets))
    }

    /// The secret in Base32, for whoever types it instead of reading the QR code, and for sealing it.
    ///
    /// # Security
    /// Whoever has it makes the codes. It goes on the page of enrolment, and sealed into the store.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(base32::encode(&self.0))
    }

    /// The `otpauth://` URI that authenticator apps read from a QR code, with the issuer in both of its places.
    ///
    /// A colon would end the issuer early and is left out of both names.
    #[must_use]
    pub fn uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let label = |text: &str| {
            let plain: String = text.chars().filter(|c| *c != ':').collect();
            utf8_percent_encode(&plain, URI_TEXT).to_string()
        };
        let (issuer, account) = (label(issuer), label(account));
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            *self.expose()
        ))
    }

    /// The step whose code this is, at `now` or one step to either side, and later than `last_used`. `None` refuses.
    ///
    /// Store the step before anything is granted on it, by compare-and-swap: a code is accepted once (RFC 6238 §5.2),
    /// and so is every older one.
    #[must_use]
    pub fn verify(&self, code: &TotpCode, now: UnixTime, last_used: Option<TotpStep>) -> Option<TotpStep> {
        let present = TotpStep::at(now).0;
        let first = present.saturating_sub(WINDOW);
        let last = present.saturating_add(WINDOW);
        let (mut found, mut step) = (Choice::from(0), 0_u64);
        for candidate in first..=last {
            let want = digits(Algorithm::Sha1, &self.0, candidate, DIGITS);
            let same = want.as_bytes().ct_eq(code.0.as_bytes());
            step.conditional_assign(&candidate, same);
            found |= same;
        }
        let step = bool::from(found).then_some(TotpStep(step))?;
        last_used.is_none_or(|used| step > used).then_some(step)
    }

    /// The code of the step at `now`: for development users and tests.
    #[must_use]
    pub fn code_at(&self, now: UnixTime) -> TotpCode {
        TotpCode(digits(Algorithm::Sha1, &self.0, TotpStep::at(now).0, DIGITS))
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TotpSecret([redacted])")
    }
}

/// A step of 30 seconds since 1970: what is kept of the last code that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TotpStep(u64);

impl TotpStep {
    /// The step at `now`.
    #[must_use]
    pub const fn at(now: UnixTime) -> Self {
        Self(now.as_secs() / STEP_SECONDS)
    }

    /// The step of this number: as it was stored.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, to be stored.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A code as a person typed it: six ASCII digits. `Debug` shows nothing of it.
///
/// Spaces around it are left out, and one between its halves: apps show `287 082`. Nothing else is forgiven.
#[derive(Clone)]
pub struct TotpCode(Zeroizing<String>);

impl TotpCode {
    /// # Errors
    /// [`CodeFault`] for anything but six ASCII digits.
    pub fn parse(text: &str) -> Result<Self, CodeFault> {
        let text = text.trim_matches(' ');
        let joined = match text.split_once(' ') {
            Some((left, right)) if left.len() == DIGITS / 2 && right.len() == DIGITS / 2 => {
                Zeroizing::new(format!("{left}{right}"))
            }
            Some(_) => return Err(CodeFault),
            None if text.len() == DIGITS => Zeroizing::new(text.to_owned()),
            None => return Err(CodeFault),
        };
        if joined.len() == DIGITS && joined.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(joined))
        } else {
            Err(CodeFault)
        }
    }

    /// The six digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TotpCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TotpCode([redacted])")
    }
}

/// What was typed is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has six digits")]
#[expect(clippy::exhaustive_structs, reason = "there is one cause")]
pub struct CodeFault;

/// Why a text is no TOTP secret. No variant holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a command says what to do about each")]
pub enum TotpSecretFault {
    /// Another character than those of Base32.
    #[error("a TOTP secret is Base32: letters and the digits 2 to 7")]
    Characters,
    /// Too short to be secret, or longer than any app's.
    #[error("a TOTP secret has {MIN_SECRET} to {MAX_SECRET} octets")]
    Length,
}

#[derive(Debug, Clone, Copy)]
enum Algorithm {
    Sha1,
    #[cfg(test)]
    Sha256,
}

/// RFC 4226 §5.3, with RFC 6238 §1.2's choice of hash functions.
fn digits(algorithm: Algorithm, secret: &[u8], counter: u64, count: usize) -> Zeroizing<String> {
    let algorithm = match algorithm {
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        #[cfg(test)]
        Algorithm::Sha256 => hmac::HMAC_SHA256,
    };
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), &counter.to_be_bytes());
    let octets = tag.as_ref();
    let offset = usize::from(octets.last().copied().unwrap_or_default() & 0x0f);
    let word = octets
        .get(offset..)
        .and_then(|rest| rest.first_chunk::<4>())
        .map_or(0, |chunk| u32::from_be_bytes(*chunk) & 0x7fff_ffff);
    // The last `count` of ten digits: the remainder by a power of ten.
    let ten = format!("{word:010}");
    Zeroizing::new(
        ten.get(10_usize.saturating_sub(count)..)
            .unwrap_or_default()
            .to_owned(),
    )
}

#[cfg(test)]
mod tests;
