//! The structure that one vendor's key generator left in its moduli (CVE-2017-15361, "ROCA").

/// The odd primes whose product the generator used for its smallest keys.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether `n` (big-endian) is, modulo each small prime, a power of 65537: true for every modulus of that
/// generator, and for an honest one by chance once in 2²⁷ or less.
pub(super) fn is_roca(n: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let residue = n
            .iter()
            .fold(0, |rest, octet| modulo((rest << 8) | u32::from(*octet), *prime));
        let generator = modulo(65537, *prime);
        let mut power = 1_u32;
        for _step in 0..*prime {
            if power == residue {
                return true;
            }
            power = modulo(power.wrapping_mul(generator), *prime);
        }
        false
    })
}

/// The remainder; no prime is zero.
fn modulo(value: u32, prime: u32) -> u32 {
    value.checked_rem(prime).unwrap_or_default()
}
