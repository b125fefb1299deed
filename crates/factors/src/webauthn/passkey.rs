//! What is kept of a passkey.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    Challenge, CredentialId, KeyAlgorithm, UserHandle,
    cbor::Reader,
    cose::PublicKey,
    encoding::{self, Octets},
};

/// As many challenges are remembered: more sign-ins than a person makes with one passkey while a challenge lives.
const REMEMBERED: usize = 16;

/// A registered passkey: WebAuthn's credential record (§4), for the store. None of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    pub(super) id: CredentialId,
    pub(super) user: UserHandle,
    pub(super) key: Key,
    pub(super) sign_count: u32,
    pub(super) transports: Vec<String>,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
    /// Whether the authenticator verified its user at registration.
    pub(super) user_verified: bool,
    /// The challenges that it answered last: each is answered once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) answered: Vec<Challenge>,
}

impl Passkey {
    /// What is remembered once this challenge is answered.
    pub(super) fn answered_with(&self, challenge: &Challenge) -> Vec<Challenge> {
        let forgotten = self.answered.len().saturating_add(1).saturating_sub(REMEMBERED);
        let kept = self.answered.iter().skip(forgotten).copied();
        kept.chain([*challenge]).collect()
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &CredentialId {
        &self.id
    }

    /// Whose it is.
    #[must_use]
    pub const fn user(&self) -> &UserHandle {
        &self.user
    }

    /// The algorithm of its key.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.key.parsed.algorithm()
    }

    /// How its authenticator is reached: `usb`, `internal`, … A hint for browsers.
    #[must_use]
    pub fn transports(&self) -> &[String] {
        &self.transports
    }

    /// Whether it may be copied to other devices of its owner: then it is a key in software (`swk`), otherwise one in
    /// hardware (`hwk`), as far as an authenticator without attestation is believed.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        self.backup_eligible
    }

    /// Whether its authenticator verified its user, by PIN, finger or face, when it was registered.
    #[must_use]
    pub const fn can_verify_user(&self) -> bool {
        self.user_verified
    }
}

/// A COSE key as it came, and parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) cose: Vec<u8>,
    pub(super) parsed: PublicKey,
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encoding::encode(&self.cose))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let cose = Octets::deserialize(deserializer)?.0;
        let mut reader = Reader::new(&cose);
        let parsed = PublicKey::read(&mut reader).filter(|_key| reader.rest().is_empty());
        let parsed = parsed.ok_or_else(|| D::Error::custom("not the key of a passkey"))?;
        Ok(Self { cose, parsed })
    }
}
