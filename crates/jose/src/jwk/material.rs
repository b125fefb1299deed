//! The key itself: validated octets, and what they fit.

use sha2::{Digest, Sha256};

use super::member;
use crate::jwk::roca;
use crate::{Algorithm, JoseError, Thumbprint};

/// The least and the greatest size of an RSA modulus, in bits (RFC 7518 §3.3; above it verification costs more
/// than a stranger's key deserves).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A validated public key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// The SEC 1 point, uncompressed: 4, x, y.
    P256([u8; 65]),
    /// The SEC 1 point, uncompressed: 4, x, y.
    P384([u8; 97]),
    /// The encoded point of RFC 8032 §5.1.2.
    Ed25519([u8; 32]),
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl PublicKey {
    /// A point of P-256, `sec1` uncompressed.
    pub(crate) fn p256(sec1: &[u8]) -> Result<Self, JoseError> {
        const WRONG: JoseError = JoseError::MalformedKey("not a point of P-256");
        let point: [u8; 65] = sec1.try_into().map_err(|_error| WRONG)?;
        p256::PublicKey::from_sec1_bytes(&point).map_err(|_error| WRONG)?;
        if point.first() == Some(&4) {
            Ok(Self::P256(point))
        } else {
            Err(WRONG)
        }
    }

    /// A point of P-384, `sec1` uncompressed.
    pub(crate) fn p384(sec1: &[u8]) -> Result<Self, JoseError> {
        const WRONG: JoseError = JoseError::MalformedKey("not a point of P-384");
        let point: [u8; 97] = sec1.try_into().map_err(|_error| WRONG)?;
        p384::PublicKey::from_sec1_bytes(&point).map_err(|_error| WRONG)?;
        if point.first() == Some(&4) {
            Ok(Self::P384(point))
        } else {
            Err(WRONG)
        }
    }

    /// A point of Ed25519 that is neither of small order nor encoded in a second way.
    pub(crate) fn ed25519(octets: &[u8]) -> Result<Self, JoseError> {
        const WRONG: JoseError = JoseError::MalformedKey("not a point of Ed25519");
        let octets: [u8; 32] = octets.try_into().map_err(|_error| WRONG)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&octets).map_err(|_error| WRONG)?;
        if key.is_weak() {
            return Err(JoseError::WeakKey("Ed25519 point of small order"));
        }
        if key.to_edwards().compress().to_bytes() != octets {
            return Err(WRONG);
        }
        Ok(Self::Ed25519(octets))
    }

    /// An RSA key: big-endian modulus and exponent without leading zeros.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, JoseError> {
        let (Some(top), Some(low)) = (n.first(), n.last()) else {
            return Err(JoseError::MalformedKey("RSA modulus is empty"));
        };
        if *top == 0 || e.first().is_none_or(|octet| *octet == 0) {
            return Err(JoseError::MalformedKey("RSA number with a leading zero"));
        }
        let leading = usize::try_from(top.leading_zeros()).unwrap_or(usize::MAX);
        let bits = n.len().saturating_mul(8).saturating_sub(leading);
        if bits < *RSA_BITS.start() {
            return Err(JoseError::WeakKey("RSA modulus below 2048 bits"));
        }
        if bits > *RSA_BITS.end() {
            return Err(JoseError::UnsupportedKey("RSA modulus above 8192 bits"));
        }
        if low % 2 == 0 {
            return Err(JoseError::WeakKey("RSA modulus is even"));
        }
        if e.len() > 4 {
            return Err(JoseError::UnsupportedKey("RSA exponent of 2^32 or more"));
        }
        let exponent = e
            .iter()
            .fold(0_u32, |value, octet| (value << 8) | u32::from(*octet));
        if exponent < 3 || exponent % 2 == 0 {
            return Err(JoseError::WeakKey("RSA exponent is 1 or even"));
        }
        if roca::is_roca(n) {
            return Err(JoseError::WeakKey("RSA modulus of the ROCA form"));
        }
        Ok(Self::Rsa {
            n: n.to_vec(),
            e: e.to_vec(),
        })
    }

    /// Whether type and curve are those of `algorithm`.
    pub(crate) const fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::P256(_) => matches!(algorithm, Algorithm::Es256),
            Self::P384(_) => matches!(algorithm, Algorithm::Es384),
            Self::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa),
            Self::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
        }
    }

    /// The octets of a signature by this key.
    pub(crate) fn signature_len(&self) -> usize {
        match self {
            Self::P256(_) | Self::Ed25519(_) => 64,
            Self::P384(_) => 96,
            Self::Rsa { n, .. } => n.len(),
        }
    }

    /// The members that make the key, as printed.
    pub(crate) fn members(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::P256(point) => ec_members("P-256", point.get(1..33), point.get(33..)),
            Self::P384(point) => ec_members("P-384", point.get(1..49), point.get(49..)),
            Self::Ed25519(x) => {
                vec![
                    ("kty", "OKP".to_owned()),
                    ("crv", "Ed25519".to_owned()),
                    ("x", member(x)),
                ]
            }
            Self::Rsa { n, e } => vec![("kty", "RSA".to_owned()), ("n", member(n)), ("e", member(e))],
        }
    }

    /// RFC 7638 §3: the required members in lexicographic order, without white space.
    pub(crate) fn thumbprint(&self) -> Thumbprint {
        let mut members = self.members();
        members.sort_unstable();
        let body: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":\"{value}\""))
            .collect();
        Thumbprint::from_bytes(Sha256::digest(format!("{{{}}}", body.join(","))).into())
    }
}

/// Type and thumbprint: enough to tell keys apart in a log.
impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::Ed25519(_) => "Ed25519",
            Self::Rsa { .. } => "RSA",
        };
        write!(f, "{kind} {}", self.thumbprint())
    }
}

fn ec_members(curve: &str, x: Option<&[u8]>, y: Option<&[u8]>) -> Vec<(&'static str, String)> {
    vec![
        ("kty", "EC".to_owned()),
        ("crv", curve.to_owned()),
        ("x", member(x.unwrap_or_default())),
        ("y", member(y.unwrap_or_default())),
    ]
}
