//! Public keys of passkeys: COSE keys (RFC 9052 §7, RFC 9053 §7, RFC 8230 §4).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};

use super::cbor::Reader;

/// A key of 4096 bits; a longer one costs a login more than it protects.
const MAX_MODULUS: usize = 512;
const MIN_MODULUS: usize = 256;
const MAX_EXPONENT: usize = 4;
/// Five members; a key has no others that matter.
const MAX_MEMBERS: usize = 8;

/// The signature algorithms that passkeys are asked for, in this order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "each is verified by its own rule")]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256: phones, laptops, security keys.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256: what TPMs of laptops have.
    #[serde(rename = "RS256")]
    Rs256,
}

impl KeyAlgorithm {
    /// Each of them, in order of preference.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Its number in IANA's registry of COSE algorithms.
    #[must_use]
    pub const fn cose(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Rs256 => -257,
        }
    }

    fn from_cose(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.cose() == number)
    }
}

/// A public key that parsed and is one of its algorithm's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// The uncompressed point.
    Es256([u8; 65]),
    EdDsa([u8; 32]),
    Rs256 {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads one key. What comes behind it stays in the reader.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut members = Members::default();
        let count = reader.map().filter(|count| *count <= MAX_MEMBERS)?;
        for _member in 0..count {
            members.read(reader)?;
        }
        members.key()
    }

    pub(super) const fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Es256(_) => KeyAlgorithm::Es256,
            Self::EdDsa(_) => KeyAlgorithm::EdDsa,
            Self::Rs256 { .. } => KeyAlgorithm::Rs256,
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            Self::EdDsa(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        }
        .is_ok()
    }
}

/// The members of a key, each at most once.
#[derive(Default)]
struct Members<'a> {
    kty: Option<i64>,
    alg: Option<i64>,
    curve: Option<i64>,
    first: Option<&'a [u8]>,
    second: Option<&'a [u8]>,
    third: Option<&'a [u8]>,
}

impl<'a> Members<'a> {
    fn read(&mut self, reader: &mut Reader<'a>) -> Option<()> {
        match reader.integer()? {
            1 => once(&mut self.kty, reader.integer()?),
            3 => once(&mut self.alg, reader.integer()?),
            // A curve, or the modulus of an RSA key.
            -1 if self.kty == Some(3) => once(&mut self.first, reader.octets()?),
            -1 => once(&mut self.curve, reader.integer()?),
            -2 => once(&mut self.second, reader.octets()?),
            -3 => once(&mut self.third, reader.octets()?),
            _ => reader.skip(),
        }
    }

    fn key(self) -> Option<PublicKey> {
        let key = match (KeyAlgorithm::from_cose(self.alg?)?, self.kty?, self.curve) {
            (KeyAlgorithm::Es256, 2, Some(1)) => {
                let mut point = [4_u8; 65];
                let (x, y) = point.get_mut(1..)?.split_at_mut_checked(32)?;
                x.copy_from_slice(self.second.filter(|x| x.len() == 32)?);
                y.copy_from_slice(self.third.filter(|y| y.len() == 32)?);
                ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok()?;
                PublicKey::Es256(point)
            }
            (KeyAlgorithm::EdDsa, 1, Some(6)) => {
                let point: [u8; 32] = self.second?.try_into().ok()?;
                ParsedPublicKey::new(&ED25519, point).ok()?;
                PublicKey::EdDsa(point)
            }
            (KeyAlgorithm::Rs256, 3, None) => PublicKey::Rs256 {
                modulus: self
                    .first
                    .filter(|n| (MIN_MODULUS..=MAX_MODULUS).contains(&n.len()) && n.first() != Some(&0))?
                    .to_vec(),
                exponent: self
                    .second
                    .filter(|e| (1..=MAX_EXPONENT).contains(&e.len()) && e.first() != Some(&0))?
                    .to_vec(),
            },
            _ => return None,
        };
        Some(key)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}
