//! What an authenticator signs about itself: WebAuthn §6.1.

use super::{
    UserVerification, WebAuthnError, cbor::Reader, cose::PublicKey, encoding::CredentialId,
    relying_party::RelyingParty,
};
use aws_lc_rs::digest;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

/// Parsed whole: nothing is left over.
pub(super) struct AuthenticatorData<'a> {
    rp_id_hash: [u8; 32],
    flags: u8,
    pub(super) sign_count: u32,
    pub(super) attested: Option<Attested<'a>>,
}

/// The credential of a registration.
pub(super) struct Attested<'a> {
    pub(super) id: CredentialId,
    /// The key as it came, for the store.
    pub(super) cose: &'a [u8],
    pub(super) key: PublicKey,
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, WebAuthnError> {
        let mut reader = Reader::new(octets);
        let malformed = WebAuthnError::Malformed;
        let rp_id_hash = reader.array().ok_or(malformed)?;
        let [flags] = reader.array().ok_or(malformed)?;
        let sign_count = u32::from_be_bytes(reader.array().ok_or(malformed)?);
        let attested = if flags & ATTESTED == 0 {
            None
        } else {
            Some(Attested::read(&mut reader)?)
        };
        if flags & EXTENSIONS != 0 {
            reader.skip().ok_or(malformed)?;
        }
        if !reader.rest().is_empty() {
            return Err(malformed);
        }
        Ok(Self {
            rp_id_hash,
            flags,
            sign_count,
            attested,
        })
    }

    /// The checks that both ceremonies have (WebAuthn §7.1 steps 14 to 18, §7.2 steps 16 to 20).
    pub(super) fn check(
        &self,
        party: &RelyingParty,
        verification: UserVerification,
    ) -> Result<(), WebAuthnError> {
        let expected = digest::digest(&digest::SHA256, party.id().as_bytes());
        if self.rp_id_hash.as_slice() != expected.as_ref() {
            return Err(WebAuthnError::RelyingParty);
        }
        if self.flags & USER_PRESENT == 0 {
            return Err(WebAuthnError::Presence);
        }
        if verification == UserVerification::Required && !self.user_verified() {
            return Err(WebAuthnError::Verification);
        }
        if self.backed_up() && !self.backup_eligible() {
            return Err(WebAuthnError::Backup);
        }
        Ok(())
    }

    pub(super) const fn user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    pub(super) const fn backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }

    pub(super) const fn backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

impl<'a> Attested<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WebAuthnError> {
        let malformed = WebAuthnError::Malformed;
        // The model of the authenticator: without an attestation anybody can claim any.
        reader.array::<16>().ok_or(malformed)?;
        let length = u16::from_be_bytes(reader.array().ok_or(malformed)?);
        let id = reader.take(usize::from(length)).ok_or(malformed)?;
        let id = CredentialId::from_octets(id).ok_or(malformed)?;
        let from_key = reader.rest();
        let key = PublicKey::read(reader).ok_or(WebAuthnError::Key)?;
        let length = from_key.len().saturating_sub(reader.rest().len());
        let cose = from_key.get(..length).ok_or(malformed)?;
        Ok(Self { id, cose, key })
    }
}
