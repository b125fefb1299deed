//! Which of several keys can have made a signature on P-256.
//!
//! Keystone's tokens do not name their key, and to verify one by each key in turn costs whole verifications for keys that
//! did not make it. ECDSA verifies by `R = u1 G + u2 Q` (SEC 1 §4.1.4, FIPS 186-5 §6.4.2), and SEC 1 §4.1.6 turns that
//! around to find the keys Q that can have made a signature. The keys are known here, so that the sum is worked out for
//! each of them, from tables that are made once a key: `u1 G` once for all, and for each key 32 additions and no doubling.
//!
//! # Security
//! **It is a hint.** Whoever asks verifies the signature by the one key that is named, by the library that verifies
//! everything else. A fault here can refuse a good token, and can never let a bad one in. All of it is public, so that
//! nothing needs to take the same time always.

mod point;
mod table;
#[cfg(test)]
mod tests;

use p256::elliptic_curve::PrimeField as _;
use p256::elliptic_curve::ops::Reduce as _;
use p256::pkcs8::DecodePublicKey as _;
use p256::{AffinePoint, FieldBytes, PublicKey, Scalar};

use self::point::{Affine, Coordinate, Point};
use self::table::{Digits, Table};
use super::{JwsAlgorithm, JwsPublicKey};

/// With fewer keys they are verified by one after the other: two verifications take no longer than what is done here and one.
const FEWEST: usize = 3;

/// n, the order of the curve, as a coordinate.
const ORDER: Coordinate =
    Coordinate::from_hex_vartime("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/// p − n: an r below it stands for two x, itself and r + n.
const TWO_BELOW: [u8; 32] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x43, 0x19, 0x05, 0x53, 0x58, 0xe8, 0x61, 0x7b, 0x0c,
    0x46, 0x35, 0x3d, 0x03, 0x9c, 0xda, 0xae,
];

/// The keys of a reader that are on P-256, ready to be compared.
pub(super) struct Candidates {
    base: Table,
    /// By the key's place; `None` for a key of another algorithm.
    keys: Vec<Option<Table>>,
}

impl Candidates {
    /// `None` if it is not worth while, or if one of the keys cannot be read here: then all of them are tried.
    pub(super) fn new(keys: &[JwsPublicKey]) -> Option<Self> {
        let is_one = |key: &&JwsPublicKey| key.algorithm() == JwsAlgorithm::Es256;
        if keys.iter().filter(is_one).count() < FEWEST {
            return None;
        }
        let table = |key: &JwsPublicKey| match key.algorithm() {
            JwsAlgorithm::Es256 => {
                let key = PublicKey::from_public_key_der(key.der()).ok()?;
                Some(Some(Table::new(Affine::read(key.as_affine())?)?))
            }
            JwsAlgorithm::Es384 | JwsAlgorithm::Es512 | JwsAlgorithm::EdDsa => Some(None),
        };
        Some(Self {
            base: Table::new(Affine::read(&AffinePoint::GENERATOR)?)?,
            keys: keys.iter().map(table).collect::<Option<_>>()?,
        })
    }

    /// The first of these places whose key can have made the signature (r and s, 32 octets each) over this hash.
    ///
    /// `None`: none of them has made it.
    pub(super) fn find(
        &self,
        hash: &[u8],
        signature: &[u8],
        mut places: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        let equation = Equation::read(hash, signature)?;
        let start = self.base.add(Point::INFINITY, &equation.u1);
        places.find(|place| {
            let key = self.keys.get(*place).and_then(Option::as_ref);
            key.is_some_and(|key| equation.holds(&key.add(start, &equation.u2)))
        })
    }
}

impl std::fmt::Debug for Candidates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidates")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// What a signature says of its key: that `u1 G + u2 Q` has the x that r stands for.
struct Equation {
    u1: Digits,
    u2: Digits,
    x: Coordinate,
    /// r + n, if that is a coordinate still.
    other_x: Option<Coordinate>,
}

impl Equation {
    /// `None` if r or s is out of range: no key makes that.
    fn read(hash: &[u8], signature: &[u8]) -> Option<Self> {
        let (r, s) = signature.split_first_chunk::<32>()?;
        let r_octets = FieldBytes::from(*r);
        let r = nonzero(r_octets)?;
        let s = nonzero(FieldBytes::from(<[u8; 32]>::try_from(s).ok()?))?;
        let hash = FieldBytes::from(<[u8; 32]>::try_from(hash).ok()?);
        let inverse: Scalar = Option::from(s.invert_vartime())?;
        let x: Coordinate = Option::from(Coordinate::from_repr(r_octets))?;
        Some(Self {
            u1: Digits::of(&Scalar::reduce(&hash).multiply(&inverse)),
            u2: Digits::of(&r.multiply(&inverse)),
            x,
            other_x: (r_octets.as_slice() < TWO_BELOW.as_slice()).then(|| x.add(&ORDER)),
        })
    }

    fn holds(&self, sum: &Point) -> bool {
        sum.has_x(&self.x) || self.other_x.is_some_and(|x| sum.has_x(&x))
    }
}

fn nonzero(octets: FieldBytes) -> Option<Scalar> {
    let scalar: Scalar = Option::from(Scalar::from_repr(octets))?;
    (scalar != Scalar::ZERO).then_some(scalar)
}
