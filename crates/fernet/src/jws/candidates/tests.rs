//! The hint beside two libraries that verify: whatever the signature, it must say what they say.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use p256::ProjectivePoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::Group as _;
use p256::elliptic_curve::point::{AffineCoordinates as _, DecompressPoint as _};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use proptest::prelude::*;

use super::*;

const N: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Keys with what finds them, and with what verifies by them.
struct Keys {
    points: Vec<ProjectivePoint>,
    keys: Vec<JwsPublicKey>,
    candidates: Candidates,
}

impl Keys {
    fn new(points: Vec<ProjectivePoint>) -> Self {
        let pem = |point: &ProjectivePoint| {
            let key = PublicKey::try_from(*point).unwrap();
            key.to_public_key_pem(LineEnding::LF).unwrap()
        };
        let keys: Vec<JwsPublicKey> = points
            .iter()
            .map(|point| JwsPublicKey::from_pem(&pem(point)).unwrap())
            .collect();
        let candidates = Candidates::new(&keys).unwrap();
        Self {
            points,
            keys,
            candidates,
        }
    }

    /// The places whose key verifies it, the two libraries being of one mind.
    fn verifying(&self, hash: &[u8; 32], signature: &[u8]) -> Vec<usize> {
        let digest = Digest::import_less_safe(hash, &SHA256).unwrap();
        let verifies = |(place, key): (usize, &JwsPublicKey)| {
            let is_good = key.verifies(&super::super::key::Signed::Digest(digest), signature);
            let point = PublicKey::try_from(self.points[place]).unwrap();
            let other = Signature::from_slice(signature)
                .is_ok_and(|signature| VerifyingKey::from(point).verify_prehash(hash, &signature).is_ok());
            assert_eq!(is_good, other, "the libraries differ");
            is_good.then_some(place)
        };
        self.keys.iter().enumerate().filter_map(verifies).collect()
    }

    /// What is found must be what verifies, place by place.
    fn agree(&self, hash: &[u8; 32], signature: &[u8]) -> Vec<usize> {
        let verifying = self.verifying(hash, signature);
        let found: Vec<usize> = (0..self.keys.len())
            .filter(|place| {
                self.candidates
                    .find(hash, signature, std::iter::once(*place))
                    .is_some()
            })
            .collect();
        assert_eq!(found, verifying, "hash {hash:x?}, signature {signature:x?}");
        let first = self.candidates.find(hash, signature, 0..self.keys.len());
        assert_eq!(first, verifying.first().copied());
        verifying
    }
}

fn scalar(small: u64) -> Scalar {
    Scalar::from(small)
}

fn negative(scalar: &Scalar) -> Scalar {
    Scalar::ZERO - scalar
}

fn reduced(octets: [u8; 32]) -> Scalar {
    Scalar::reduce(&FieldBytes::from(octets))
}

fn octets(scalar: &Scalar) -> [u8; 32] {
    scalar.to_bytes().into()
}

fn joined(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r);
    signature[32..].copy_from_slice(s);
    signature
}

/// Hash and signature whose equation has these two factors, for the key `secret`; `None` if their sum is at infinity.
fn made_of(secret: &Scalar, u1: &Scalar, u2: &Scalar) -> Option<([u8; 32], [u8; 64])> {
    let sum = ProjectivePoint::GENERATOR * (*u1 + *u2 * secret);
    if bool::from(sum.is_identity()) {
        return None;
    }
    let r = Scalar::reduce(&sum.to_affine().x());
    let s = r * u2.invert_vartime().unwrap();
    Some((octets(&(*u1 * s)), joined(&octets(&r), &octets(&s))))
}

/// A key that makes (r, s) good over this hash, R being the point of r (SEC 1 §4.1.6).
fn key_of(r: &Scalar, s: &Scalar, hash: &[u8; 32], point: &AffinePoint) -> ProjectivePoint {
    let inverse = r.invert_vartime().unwrap();
    *point * (*s * inverse) - ProjectivePoint::GENERATOR * (reduced(*hash) * inverse)
}

fn others() -> [ProjectivePoint; 2] {
    [3, 0xdead_beef].map(|secret| ProjectivePoint::GENERATOR * scalar(secret))
}

#[test]
fn the_constants_are_the_curves() {
    let order: Coordinate = Option::from(Coordinate::from_repr(FieldBytes::from(N))).unwrap();
    assert!(order == ORDER);
    let below: Coordinate = Option::from(Coordinate::from_repr(FieldBytes::from(TWO_BELOW))).unwrap();
    assert!(order.add(&below) == Coordinate::ZERO, "n and what is below are p");
    assert!(reduced(N) == Scalar::ZERO);
}

#[test]
fn every_key_finds_its_own_signatures_and_their_mirrors() {
    let pairs: Vec<EcdsaKeyPair> = (0..5)
        .map(|_| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        .collect();
    let point = |pair: &EcdsaKeyPair| {
        let octets = aws_lc_rs::signature::KeyPair::public_key(pair);
        PublicKey::from_sec1_bytes(octets.as_ref())
            .unwrap()
            .to_projective()
    };
    let keys = Keys::new(pairs.iter().map(point).collect());
    for round in 0..40_u8 {
        for (place, pair) in pairs.iter().enumerate() {
            let hash = [round; 32];
            let digest = Digest::import_less_safe(&hash, &SHA256).unwrap();
            let signature = pair.sign_digest(&digest).unwrap();
            let signature: [u8; 64] = signature.as_ref().try_into().unwrap();
            assert_eq!(keys.agree(&hash, &signature), [place]);
            // OpenSSL makes s above n / 2 as often as below: both are good.
            let (r, s) = signature.split_first_chunk::<32>().unwrap();
            let mirrored = octets(&negative(&reduced(s.try_into().unwrap())));
            assert_eq!(keys.agree(&hash, &joined(r, &mirrored)), [place]);
            let mut other = hash;
            other[usize::from(round % 32)] ^= 1;
            assert!(keys.agree(&other, &signature).is_empty());
        }
    }
}

#[test]
fn numbers_at_every_edge() {
    let keys = Keys::new(
        [1, 2, 3]
            .map(|secret| ProjectivePoint::GENERATOR * scalar(secret))
            .to_vec(),
    );
    let mut edges = vec![[0; 32], N, [0xff; 32], TWO_BELOW];
    edges.extend([1, 2, 128, 129, 255, 256].map(|small| octets(&scalar(small))));
    edges.extend([1, 2, 128].map(|small| octets(&negative(&scalar(small)))));
    edges.push(octets(&scalar(2).invert_vartime().unwrap()));
    let mut above = N;
    above[31] += 1;
    edges.push(above);
    let mut below = TWO_BELOW;
    below[31] -= 1;
    edges.push(below);
    for r in &edges {
        for s in &edges {
            for hash in &edges {
                keys.agree(hash, &joined(r, s));
            }
        }
    }
}

#[test]
fn sums_that_meet_themselves_on_the_way() {
    // Small secrets and factors: the same point twice, a point and its negative, infinity in the middle and at the end.
    let small = [1, 2, 3, 127, 128, 129, 255, 256, 257, 32_768];
    let mut factors: Vec<Scalar> = small.map(scalar).to_vec();
    factors.extend(small.map(|factor| negative(&scalar(factor))));
    let secrets = [scalar(1), scalar(2), negative(&scalar(1)), negative(&scalar(256))];
    let keys = Keys::new(
        secrets
            .iter()
            .map(|secret| ProjectivePoint::GENERATOR * secret)
            .collect(),
    );
    let mut ends = 0;
    for u1 in factors.iter().chain([&Scalar::ZERO]) {
        for u2 in &factors {
            for (place, secret) in secrets.iter().enumerate() {
                if let Some((hash, signature)) = made_of(secret, u1, u2) {
                    assert!(keys.agree(&hash, &signature).contains(&place));
                } else {
                    // u2 = r / s and u1 = hash / s, whose sum is nothing: no r is its x.
                    let signature = joined(&octets(u2), &octets(&Scalar::ONE));
                    keys.agree(&octets(u1), &signature);
                    ends += 1;
                }
            }
        }
    }
    assert!(ends > 20, "{ends} sums at infinity");
}

#[test]
fn an_r_that_stands_for_two_points() {
    let mut made = 0;
    for r in (1..200_u64).map(scalar) {
        // x = r + n: below p, since r is small.
        let x: Coordinate = Option::from(Coordinate::from_repr(r.to_bytes())).unwrap();
        let x = x.add(&ORDER).to_repr();
        for parity in [0_u8, 1] {
            let point: Option<AffinePoint> = AffinePoint::decompress(&x, parity.into()).into();
            let Some(point) = point else { continue };
            let (s, hash) = (scalar(0x1234_5678_9abc_def1), [0x5a; 32]);
            let key = key_of(&r, &s, &hash, &point);
            let [one, two] = others();
            let signature = joined(&octets(&r), &octets(&s));
            assert_eq!(Keys::new(vec![one, key, two]).agree(&hash, &signature), [1]);
            made += 1;
        }
        if made >= 4 {
            return;
        }
    }
    panic!("no such r");
}

#[test]
fn both_keys_that_one_signature_is_good_for() {
    let (r, s, hash) = (scalar(5), scalar(77), [9; 32]);
    let x = r.to_bytes();
    let points: Vec<AffinePoint> = [0, 1]
        .into_iter()
        .map(|parity| AffinePoint::decompress(&x, parity.into()).unwrap())
        .collect();
    let [other, _] = others();
    let keys = [
        key_of(&r, &s, &hash, &points[0]),
        other,
        key_of(&r, &s, &hash, &points[1]),
    ];
    let found = Keys::new(keys.to_vec()).agree(&hash, &joined(&octets(&r), &octets(&s)));
    assert_eq!(found, [0, 2]);
}

#[test]
fn what_is_no_signature_and_no_hash() {
    let [one, two] = others();
    let keys = Keys::new(vec![one, two, one]);
    let (hash, signature) = made_of(&scalar(3), &scalar(8), &scalar(9)).unwrap();
    assert_eq!(keys.agree(&hash, &signature), [0, 2]);
    for length in [0, 1, 31, 32, 33, 63] {
        assert!(keys.candidates.find(&hash, &signature[..length], 0..3).is_none());
    }
    let longer = [signature.as_slice(), &[0]].concat();
    assert!(keys.candidates.find(&hash, &longer, 0..3).is_none());
    assert!(keys.candidates.find(&hash[..31], &signature, 0..3).is_none());
    assert!(
        keys.candidates.find(&hash, &signature, 3..9).is_none(),
        "places beyond"
    );
}

#[test]
fn only_from_three_keys_of_the_curve_on() {
    let key = |algorithm| {
        super::super::JwsPrivateKey::generate(algorithm)
            .unwrap()
            .public_key()
            .clone()
    };
    let (es256, es384) = (key(JwsAlgorithm::Es256), key(JwsAlgorithm::Es384));
    let two = [es256.clone(), es384.clone(), es256.clone(), es384.clone()];
    assert!(Candidates::new(&two).is_none());
    let three = [es256.clone(), es384, es256.clone(), es256];
    let found = Candidates::new(&three).unwrap();
    assert_eq!(
        found.keys.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, true, true]
    );
    assert!(Candidates::new(&[]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any r that is the x of a point, any s and any hash are good by the two keys that SEC 1 §4.1.6 gives.
    #[test]
    fn the_keys_that_can_have_made_it_are_found(
        r in any::<[u8; 32]>(), s in any::<[u8; 32]>(), hash in any::<[u8; 32]>(), parity in 0_u8..2,
        bit in 0_usize..512, noise in any::<[u8; 64]>(),
    ) {
        let (r, s) = (reduced(r), reduced(s));
        let point: Option<AffinePoint> = AffinePoint::decompress(&r.to_bytes(), parity.into()).into();
        prop_assume!(point.is_some() && r != Scalar::ZERO && s != Scalar::ZERO);
        let key = key_of(&r, &s, &hash, &point.unwrap());
        let [one, two] = others();
        let keys = Keys::new(vec![one, two, key]);
        let signature = joined(&octets(&r), &octets(&s));
        prop_assert_eq!(keys.agree(&hash, &signature), [2]);
        let mut changed = signature;
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(keys.agree(&hash, &changed).is_empty());
        keys.agree(&hash, &noise);
    }

    #[test]
    fn signed_factors_of_any_size(
        secret in any::<[u8; 32]>(), u1 in any::<[u8; 32]>(), u2 in any::<[u8; 32]>(), cut in 0_usize..32,
    ) {
        let [secret, mut u1, mut u2] = [secret, u1, u2];
        u1[..cut].fill(0);
        u2[32 - cut..].fill(0xff);
        let (secret, u1, u2) = (reduced(secret), reduced(u1), reduced(u2));
        prop_assume!(secret != Scalar::ZERO && u2 != Scalar::ZERO);
        let made = made_of(&secret, &u1, &u2);
        prop_assume!(made.is_some());
        let (hash, signature) = made.unwrap();
        let [one, two] = others();
        let key = ProjectivePoint::GENERATOR * secret;
        prop_assert_eq!(Keys::new(vec![key, one, two]).agree(&hash, &signature), [0]);
    }
}
