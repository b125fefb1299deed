//! Passwords of people, kept as Argon2id (RFC 9106) in PHC strings.

use std::{fmt, str::FromStr};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::phc::{Ident, Output, PasswordHash as Phc, Salt},
};
use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

/// The shortest password that may be set, in characters: NIST SP 800-63B-4 §3.1.1.2, for a password beside a second
/// factor and limited guessing.
pub const MIN_PASSWORD_LENGTH: usize = 8;
/// The longest password that may be set or is looked at, in bytes: a passphrase of 64 characters of any script fits
/// four times, and hashing time does not depend on the sender.
pub const MAX_PASSWORD_LENGTH: usize = 1024;

/// 19 MiB and two passes in one lane, OWASP's smallest parameters and RFC 9106 §4's shape: some 20 ms of one core.
/// What bounds them is memory: sixteen logins at once take 304 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// 256 bits, RFC 9106 §4.
const OUTPUT_LENGTH: usize = 32;
/// A stored hash may come from another system and be dearer, but not so dear that one login starves the others.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;
/// Below this a stored "hash" gives its password away.
const MIN_MEMORY_KIB: u32 = 7 * 1024;
const MIN_OUTPUT_LENGTH: usize = 16;
/// A PHC string with the longest salt and output is shorter than that.
const MAX_HASH_TEXT: usize = 256;
/// For a name that no user has: as dear as [`NewPassword::hash`], and no password matches it.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2VhbHN0b25lLWRlY295IQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password that may be set. Zeroed when dropped; `Debug` shows nothing of it.
///
/// Rules after NIST SP 800-63B-4: a length, no rule about kinds of characters, nothing that repeats one character.
///
/// # Examples
/// ```
/// # use sealstone_factors::NewPassword;
/// let hash = NewPassword::parse("correct horse battery")?.hash([7; 16])?;
/// assert!(hash.matches("correct horse battery")?);
/// assert!(!hash.matches("Correct horse battery")?);
/// assert!(NewPassword::parse("short").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NewPassword(Zeroizing<String>);

impl NewPassword {
    /// Takes the password in Unicode normalization form C, as RFC 8265 §4.2 has it: what two keyboards type is one
    /// password.
    ///
    /// # Errors
    /// [`PasswordFault`].
    pub fn parse(text: &str) -> Result<Self, PasswordFault> {
        if text.len() > MAX_PASSWORD_LENGTH {
            return Err(PasswordFault::TooLong);
        }
        let normal = prepare(text);
        if normal.chars().count() < MIN_PASSWORD_LENGTH {
            return Err(PasswordFault::TooShort);
        }
        if normal.chars().any(char::is_control) {
            return Err(PasswordFault::Control);
        }
        let mut chars = normal.chars();
        let first = chars.next();
        if chars.all(|c| Some(c) == first) {
            return Err(PasswordFault::OneCharacter);
        }
        Ok(Self(normal))
    }

    /// Hashes it under 128 random bits.
    ///
    /// Some 20 ms of one core and 19 MiB: run it where blocking is allowed, and bound how many run at once.
    ///
    /// # Errors
    /// [`HashError`] when the memory cannot be had.
    pub fn hash(&self, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
        let params =
            Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_LENGTH)).map_err(|_fixed| HashError)?;
        let output = derive(&self.0, &salt, &params)?;
        let phc = Phc {
            algorithm: Ident::new("argon2id").map_err(|_fixed| HashError)?,
            version: Some(Version::V0x13.into()),
            params: (&params).try_into().map_err(|_fixed| HashError)?,
            salt: Some(Salt::new(&salt).map_err(|_fixed| HashError)?),
            hash: Some(output),
        };
        Ok(PasswordHash(phc.to_string()))
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NewPassword([redacted])")
    }
}

/// What is kept of a password: a PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes an Argon2id hash of version 19, this project's or another system's.
    ///
    /// # Errors
    /// [`HashFault`] for another function, for parameters that protect nothing, and for ones that a login could not
    /// afford (more than 256 MiB, 16 passes or 16 lanes).
    pub fn parse(text: &str) -> Result<Self, HashFault> {
        if text.len() > MAX_HASH_TEXT {
            return Err(HashFault::Malformed);
        }
        parts(text)?;
        Ok(Self(text.to_owned()))
    }

    /// A hash that costs what a real one costs and that no password matches, for a name that no user has: how long
    /// the answer takes does not tell who exists.
    #[must_use]
    pub fn decoy() -> Self {
        Self(DECOY.to_owned())
    }

    /// Whether this is the hash of `typed`, compared in constant time.
    ///
    /// As dear as [`NewPassword::hash`], or as the parameters of the hash say.
    ///
    /// # Errors
    /// [`HashError`] when the memory cannot be had.
    pub fn matches(&self, typed: &str) -> Result<bool, HashError> {
        let (params, salt, want) = parts(&self.0).map_err(|_checked_before| HashError)?;
        // Too long to have been set: hashed in part all the same, so that it takes as long as any other.
        let cut = typed.get(..typed.floor_char_boundary(MAX_PASSWORD_LENGTH));
        let have = derive(&prepare(cut.unwrap_or_default()), salt.as_ref(), &params)?;
        Ok(have == want && typed.len() <= MAX_PASSWORD_LENGTH)
    }

    /// Whether it was made with the parameters that new ones get. If not, hash the password again after a login.
    #[must_use]
    pub fn is_current(&self) -> bool {
        parts(&self.0).is_ok_and(|(params, _, output)| {
            params.m_cost() == MEMORY_KIB
                && params.t_cost() == PASSES
                && params.p_cost() == LANES
                && output.len() == OUTPUT_LENGTH
        })
    }

    /// The PHC string, for the store.
    ///
    /// # Security
    /// Whoever has it can guess the password offline. Never log it, never show it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash([redacted])")
    }
}

impl Serialize for PasswordHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PasswordHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why a password may not be set. No variant holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a page has a text for each")]
pub enum PasswordFault {
    /// Fewer characters than [`MIN_PASSWORD_LENGTH`].
    #[error("the password is too short: it needs at least {MIN_PASSWORD_LENGTH} characters")]
    TooShort,
    /// More bytes than [`MAX_PASSWORD_LENGTH`].
    #[error("the password is too long: it may have {MAX_PASSWORD_LENGTH} bytes")]
    TooLong,
    /// It holds a control character, which no login form sends.
    #[error("the password holds a control character, such as a line break: leave it out")]
    Control,
    /// One character over and over.
    #[error("the password is one character over and over: choose another")]
    OneCharacter,
}

/// Why a text is no hash that may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a command says what to do about each")]
pub enum HashFault {
    /// Not a PHC string, or without salt or hash.
    #[error("this is not a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`)")]
    Malformed,
    /// Not Argon2id of version 19.
    #[error("only Argon2id of version 19 is taken: set the password anew")]
    Function,
    /// Parameters that protect nothing, or that a login cannot afford.
    #[error(
        "the parameters of the hash are out of bounds: 7 MiB to 256 MiB, 1 to 16 passes and lanes, 16 bytes or more"
    )]
    Parameters,
}

/// The hash could not be computed: there was no memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password hash could not be computed: there is not enough memory")]
#[expect(clippy::exhaustive_structs, reason = "there is one cause")]
pub struct HashError;

fn prepare(text: &str) -> Zeroizing<String> {
    Zeroizing::new(
        ComposingNormalizerBorrowed::new_nfc()
            .normalize(text)
            .into_owned(),
    )
}

fn derive(password: &str, salt: &[u8], params: &Params) -> Result<Output, HashError> {
    let mut octets = Zeroizing::new(vec![0_u8; params.output_len().unwrap_or(OUTPUT_LENGTH)]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into(password.as_bytes(), salt, &mut octets)
        .map_err(|_memory| HashError)?;
    Output::new(&octets).map_err(|_length| HashError)
}

fn parts(text: &str) -> Result<(Params, Salt, Output), HashFault> {
    let phc = Phc::from_str(text).map_err(|_text| HashFault::Malformed)?;
    if phc.algorithm.as_str() != "argon2id" || phc.version != Some(Version::V0x13.into()) {
        return Err(HashFault::Function);
    }
    let (Some(salt), Some(output)) = (phc.salt, phc.hash) else {
        return Err(HashFault::Malformed);
    };
    let params = Params::try_from(&phc).map_err(|_parameters| HashFault::Parameters)?;
    let affordable = (MIN_MEMORY_KIB..=MAX_MEMORY_KIB).contains(&params.m_cost())
        && (1..=MAX_PASSES).contains(&params.t_cost())
        && (1..=MAX_LANES).contains(&params.p_cost());
    let plain = params.keyid().is_empty() && params.data().is_empty();
    if affordable && plain && output.len() >= MIN_OUTPUT_LENGTH && salt.len() >= 8 {
        Ok((params, salt, output))
    } else {
        Err(HashFault::Parameters)
    }
}

#[cfg(test)]
mod tests;
