//! `SubjectPublicKeyInfo` in DER, both ways.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Sequence};
use p256::pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::material::PublicKey;
use crate::JoseError;

pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// `RSAPublicKey` of RFC 8017 A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

pub(crate) fn decode(der: &[u8]) -> Result<PublicKey, JoseError> {
    const WRONG: JoseError = JoseError::MalformedKey("not a SubjectPublicKeyInfo");
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_error| WRONG)?;
    let octets = info.subject_public_key.as_bytes().ok_or(WRONG)?;
    let parameters = info.algorithm.parameters;
    match info.algorithm.oid {
        EC_PUBLIC_KEY => {
            let curve: ObjectIdentifier = parameters
                .ok_or(WRONG)?
                .decode_as()
                .map_err(|_error| JoseError::UnsupportedKey("unnamed curve"))?;
            match curve {
                P256 => PublicKey::p256(octets),
                P384 => PublicKey::p384(octets),
                _ => Err(JoseError::UnsupportedKey("curve")),
            }
        }
        ED25519 if parameters.is_none() => PublicKey::ed25519(octets),
        RSA_ENCRYPTION if parameters.is_none_or(|value| value == AnyRef::NULL) => {
            let key = RsaPublicKey::from_der(octets).map_err(|_error| WRONG)?;
            PublicKey::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
        }
        ED25519 | RSA_ENCRYPTION => Err(WRONG),
        _ => Err(JoseError::UnsupportedKey("algorithm of the SubjectPublicKeyInfo")),
    }
}

/// The DER of a validated key. Encoding can fail only above 256 MiB, which no such key reaches.
pub(crate) fn encode(key: &PublicKey) -> Vec<u8> {
    try_encode(key).unwrap_or_default()
}

fn try_encode(key: &PublicKey) -> Result<Vec<u8>, der::Error> {
    let rsa;
    let (oid, parameters, octets) = match key {
        PublicKey::P256(point) => (EC_PUBLIC_KEY, Some(AnyRef::from(&P256)), point.as_slice()),
        PublicKey::P384(point) => (EC_PUBLIC_KEY, Some(AnyRef::from(&P384)), point.as_slice()),
        PublicKey::Ed25519(point) => (ED25519, None, point.as_slice()),
        PublicKey::Rsa { n, e } => {
            rsa = RsaPublicKey {
                modulus: UintRef::new(n)?,
                public_exponent: UintRef::new(e)?,
            }
            .to_der()?;
            (RSA_ENCRYPTION, Some(AnyRef::NULL), rsa.as_slice())
        }
    };
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid, parameters },
        subject_public_key: BitStringRef::from_bytes(octets)?,
    }
    .to_der()
}
