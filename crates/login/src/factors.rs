//! What one person has as second factors of this server's own.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId, unix_seconds};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{LoginStoreError, Swap};

/// More keys than a person carries; the list goes to the browser at each login.
pub const MAX_PASSKEYS: usize = 20;
/// Codes are fresh for three steps of 30 s; one a second is more than the throttle lets through.
const MAX_SPENT_CODES: usize = 32;
/// Longer than any source takes a code: Keystone takes the one before as well.
const SPENT_CODE_AGE_S: u64 = 180;
/// What people name a key.
const MAX_PASSKEY_NAME: usize = 64;

/// A record that only the `factors` crate reads: a sealed secret, hashes of recovery codes, a passkey.
///
/// `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept(Value);

impl Kept {
    /// Keeps a record.
    ///
    /// # Errors
    /// [`LoginStoreError`] when it cannot be written down.
    pub fn of<T: Serialize>(record: &T) -> Result<Self, LoginStoreError> {
        serde_json::to_value(record)
            .map(Self)
            .map_err(LoginStoreError::new)
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`LoginStoreError`] when it is not what was asked for.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, LoginStoreError> {
        T::deserialize(&self.0).map_err(LoginStoreError::new)
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Kept([redacted])")
    }
}

/// An authenticator app of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpFactor {
    secret: Kept,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_step: Option<u64>,
    #[serde(with = "unix_seconds")]
    enrolled_at: UnixTime,
}

impl TotpFactor {
    /// An app whose secret is kept sealed, and whose first code was of this time step.
    #[must_use]
    pub const fn new(sealed_secret: Kept, first_step: u64, enrolled_at: UnixTime) -> Self {
        Self {
            secret: sealed_secret,
            last_step: Some(first_step),
            enrolled_at,
        }
    }

    /// The sealed secret.
    #[must_use]
    pub const fn sealed_secret(&self) -> &Kept {
        &self.secret
    }

    /// The time step of the last code that was accepted: only later ones are.
    #[must_use]
    pub const fn last_step(&self) -> Option<u64> {
        self.last_step
    }

    /// Since when the person has it.
    #[must_use]
    pub const fn enrolled_at(&self) -> UnixTime {
        self.enrolled_at
    }
}

/// A passkey of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyFactor {
    id: String,
    name: String,
    record: Kept,
    #[serde(with = "unix_seconds")]
    enrolled_at: UnixTime,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "unix_seconds::option"
    )]
    last_used_at: Option<UnixTime>,
}

impl PasskeyFactor {
    /// A passkey by its credential id (base64url), with the name that the person gave it, cut to 64 characters.
    #[must_use]
    pub fn new(id: &str, name: &str, record: Kept, enrolled_at: UnixTime) -> Self {
        let clean = name.trim().chars().filter(|c| !c.is_control());
        Self {
            id: id.to_owned(),
            name: clean.take(MAX_PASSKEY_NAME).collect(),
            record,
            enrolled_at,
            last_used_at: None,
        }
    }

    /// The credential's id, base64url.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the person calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key, counter and flags.
    #[must_use]
    pub const fn record(&self) -> &Kept {
        &self.record
    }

    /// Since when the person has it.
    #[must_use]
    pub const fn enrolled_at(&self) -> UnixTime {
        self.enrolled_at
    }

    /// When it was last used.
    #[must_use]
    pub const fn last_used_at(&self) -> Option<UnixTime> {
        self.last_used_at
    }
}

/// A code that was accepted, until it could not be any longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpentCode {
    hash: String,
    forget_at: u64,
}

/// The second factors of one person in one domain.
///
/// Every change makes a record of the next version; it counts only once [`FactorStore::replace_factors`] took it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFactors {
    domain: DomainId,
    user: UserId,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp: Option<TotpFactor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovery: Option<Kept>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    passkeys: Vec<PasskeyFactor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spent_codes: Vec<SpentCode>,
}

/// Why a change of a person's factors is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle each")]
pub enum FactorFault {
    /// The code, or a later one, was accepted before (RFC 6238 §5.2).
    #[error("the code was used before")]
    Spent,
    /// Too many codes within three minutes.
    #[error("too many codes at once")]
    TooManyCodes,
    /// There is no such factor.
    #[error("the person has no such factor")]
    Unknown,
    /// The person has as many passkeys as fit.
    #[error("the person has as many passkeys as fit")]
    TooManyPasskeys,
    /// The passkey is registered already.
    #[error("the passkey is registered already")]
    Registered,
}

impl UserFactors {
    /// A person without any. Version 0: the first that is stored has version 1.
    #[must_use]
    pub const fn none(domain: DomainId, user: UserId) -> Self {
        Self {
            domain,
            user,
            version: 0,
            totp: None,
            recovery: None,
            passkeys: Vec::new(),
            spent_codes: Vec::new(),
        }
    }

    /// The domain.
    #[must_use]
    pub const fn domain(&self) -> &DomainId {
        &self.domain
    }

    /// Whose they are.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// Rises by one with every change.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The authenticator app.
    #[must_use]
    pub const fn totp(&self) -> Option<&TotpFactor> {
        self.totp.as_ref()
    }

    /// The recovery codes.
    #[must_use]
    pub const fn recovery(&self) -> Option<&Kept> {
        self.recovery.as_ref()
    }

    /// The passkeys, the oldest first.
    #[must_use]
    pub fn passkeys(&self) -> &[PasskeyFactor] {
        &self.passkeys
    }

    /// The passkey with this credential id.
    #[must_use]
    pub fn passkey(&self, id: &str) -> Option<&PasskeyFactor> {
        self.passkeys.iter().find(|passkey| passkey.id == id)
    }

    /// Whether there is a factor that a login can ask for; recovery codes alone are none.
    #[must_use]
    pub fn has_any(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }

    fn next(&self) -> Self {
        Self {
            version: self.version.saturating_add(1),
            ..self.clone()
        }
    }

    /// With this app in place of any before.
    #[must_use]
    pub fn with_totp(&self, totp: TotpFactor) -> Self {
        Self {
            totp: Some(totp),
            ..self.next()
        }
    }

    /// Without the app. Recovery codes go with the last factor: they stand in for one.
    #[must_use]
    pub fn without_totp(&self) -> Self {
        Self {
            totp: None,
            ..self.next()
        }
        .without_orphans()
    }

    /// With these recovery codes in place of any before.
    #[must_use]
    pub fn with_recovery(&self, codes: Kept) -> Self {
        Self {
            recovery: Some(codes),
            ..self.next()
        }
    }

    /// With one more passkey.
    ///
    /// # Errors
    /// [`FactorFault::Registered`], [`FactorFault::TooManyPasskeys`].
    pub fn with_passkey(&self, passkey: PasskeyFactor) -> Result<Self, FactorFault> {
        if self.passkey(&passkey.id).is_some() {
            return Err(FactorFault::Registered);
        }
        if self.passkeys.len() >= MAX_PASSKEYS {
            return Err(FactorFault::TooManyPasskeys);
        }
        let mut next = self.next();
        next.passkeys.push(passkey);
        Ok(next)
    }

    /// Without this passkey.
    ///
    /// # Errors
    /// [`FactorFault::Unknown`].
    pub fn without_passkey(&self, id: &str) -> Result<Self, FactorFault> {
        self.passkey(id).ok_or(FactorFault::Unknown)?;
        let mut next = self.next();
        next.passkeys.retain(|passkey| passkey.id != id);
        Ok(next.without_orphans())
    }

    /// After a passkey was used: with its record as it is now.
    ///
    /// # Errors
    /// [`FactorFault::Unknown`] when it was removed meanwhile.
    pub fn with_used_passkey(&self, id: &str, record: Kept, now: UnixTime) -> Result<Self, FactorFault> {
        let mut next = self.next();
        let used = next.passkeys.iter_mut().find(|passkey| passkey.id == id);
        let used = used.ok_or(FactorFault::Unknown)?;
        used.record = record;
        used.last_used_at = Some(now);
        Ok(next)
    }

    /// After a code of the app was found right: this time step and those before are spent.
    ///
    /// # Errors
    /// [`FactorFault::Spent`] when this or a later one was; [`FactorFault::Unknown`] without an app.
    pub fn with_spent_step(&self, step: u64) -> Result<Self, FactorFault> {
        let totp = self.totp.as_ref().ok_or(FactorFault::Unknown)?;
        if totp.last_step.is_some_and(|last| step <= last) {
            return Err(FactorFault::Spent);
        }
        let mut next = self.next();
        next.totp = Some(TotpFactor {
            last_step: Some(step),
            ..totp.clone()
        });
        Ok(next)
    }

    /// After the source found a code right that it does not remember itself: Keystone takes one as often as it comes.
    ///
    /// # Errors
    /// [`FactorFault::Spent`] when it was accepted within three minutes; [`FactorFault::TooManyCodes`].
    pub fn with_spent_code(
        &self,
        code: &sealstone_identity::Passcode,
        now: UnixTime,
    ) -> Result<Self, FactorFault> {
        let mut hash = Sha256::new();
        for part in [self.domain.as_str(), self.user.as_str(), code.expose()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let hash = base64_simd::URL_SAFE_NO_PAD.encode_to_string(hash.finalize());
        let mut next = self.next();
        next.spent_codes.retain(|spent| spent.forget_at > now.as_secs());
        if next.spent_codes.iter().any(|spent| spent.hash == hash) {
            return Err(FactorFault::Spent);
        }
        if next.spent_codes.len() >= MAX_SPENT_CODES {
            return Err(FactorFault::TooManyCodes);
        }
        let forget_at = now.as_secs().saturating_add(SPENT_CODE_AGE_S);
        next.spent_codes.push(SpentCode { hash, forget_at });
        Ok(next)
    }

    fn without_orphans(mut self) -> Self {
        if !self.has_any() {
            self.recovery = None;
        }
        self
    }
}

/// Where second factors are kept.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Read, then write**: one code passes twice. [`FactorStore::replace_factors`] compares and swaps in one step, for
///   all processes that share the store.
/// - **An answer before it is durable**: a code is good again after a crash, a removed passkey comes back.
/// - **`Ok(None)` when the store could not look**: the person seems to have no second factor. That is an error.
#[async_trait]
pub trait FactorStore: Send + Sync {
    /// The factors of one person; `None` when none were ever stored.
    ///
    /// # Errors
    /// [`LoginStoreError`] when the store cannot tell.
    async fn factors(&self, domain: &DomainId, user: &UserId)
    -> Result<Option<UserFactors>, LoginStoreError>;

    /// Stores the record if the stored version is the one before its own (0: there is none), in one step.
    ///
    /// # Errors
    /// [`LoginStoreError`] when the outcome is not known.
    async fn replace_factors(&self, factors: &UserFactors) -> Result<Swap, LoginStoreError>;

    /// Forgets the factors of one person. Returns whether there were any.
    ///
    /// # Errors
    /// [`LoginStoreError`] when the outcome is not known.
    async fn remove_factors(&self, domain: &DomainId, user: &UserId) -> Result<bool, LoginStoreError>;
}

#[cfg(test)]
mod tests;
