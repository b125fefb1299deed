//! RSA signatures over paddings of any make: the private operation alone, and EMSA-PSS with any salt and mask.

use rsa::pkcs8::DecodePrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};
use sealstone_jose::PrivateKey;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The DER before a SHA-256 hash in PKCS #1 v1.5 (RFC 8017 §9.2).
pub(crate) const SHA256_PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];
/// The same without the NULL parameters.
pub(crate) const SHA256_PREFIX_WITHOUT_NULL: [u8; 17] = [
    0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20,
];

/// `block` to the power of the private exponent.
pub(crate) fn private_operation(key: &PrivateKey, block: &[u8]) -> Vec<u8> {
    let key = RsaPrivateKey::from_pkcs8_der(&key.to_pkcs8_der()).unwrap();
    let value = BigUint::from_bytes_be(block)
        .modpow(key.d(), key.n())
        .to_bytes_be();
    [vec![0; key.size() - value.len()], value].concat()
}

/// `00 01 FF… 00 body garbage`, as long as the modulus.
pub(crate) fn pkcs1_block(padding: usize, body: &[u8], garbage: &[u8]) -> Vec<u8> {
    [&[0, 1], vec![0xff; padding].as_slice(), &[0], body, garbage].concat()
}

/// The mask generation function of a block.
#[derive(Clone, Copy)]
pub(crate) enum Mask {
    Sha1,
    Sha256,
}

/// EMSA-PSS of RFC 8017 §9.1.1 with SHA-256 for a modulus of 2048 bits.
pub(crate) fn pss_block(message: &[u8], salt: &[u8], mask: Mask) -> Vec<u8> {
    let hash = Sha256::new()
        .chain_update([0; 8])
        .chain_update(Sha256::digest(message))
        .chain_update(salt)
        .finalize();
    let length = 256 - 32 - 1;
    let mut data = vec![0_u8; length - salt.len() - 1];
    data.push(1);
    data.extend_from_slice(salt);
    for (octet, mask) in data.iter_mut().zip(mgf1(&hash, length, mask)) {
        *octet ^= mask;
    }
    data[0] &= 0x7f;
    [data.as_slice(), &hash, &[0xbc]].concat()
}

fn mgf1(seed: &[u8], length: usize, mask: Mask) -> Vec<u8> {
    let mut octets = Vec::new();
    for counter in 0_u32.. {
        if octets.len() >= length {
            break;
        }
        match mask {
            Mask::Sha1 => octets.extend(
                Sha1::new()
                    .chain_update(seed)
                    .chain_update(counter.to_be_bytes())
                    .finalize(),
            ),
            Mask::Sha256 => {
                octets.extend(
                    Sha256::new()
                        .chain_update(seed)
                        .chain_update(counter.to_be_bytes())
                        .finalize(),
                );
            }
        }
    }
    octets.truncate(length);
    octets
}
