//! Lower-case hexadecimal, in which Keystone writes UUIDs.

/// Writes `octets`, two digits each.
pub(crate) fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(2));
    for octet in octets {
        text.push(char::from(digit(octet >> 4)));
        text.push(char::from(digit(octet & 0x0f)));
    }
    text
}

/// The 32 digits of 16 octets.
///
/// Each octet in a lane of 16 bits, without a branch: the compiler makes vectors of it.
#[inline]
pub(crate) fn digits(octets: &[u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    let (pairs, _rest) = digits.as_chunks_mut::<2>();
    for (pair, octet) in pairs.iter_mut().zip(octets) {
        // Each half of the octet into an octet of its own, the high one first.
        let lane = u16::from(*octet);
        let halves = (lane >> 4 | lane << 8) & 0x0f0f;
        // 1 where it is more than 9, and so a letter; no half overflows into the next.
        let letters = (halves.wrapping_add(0x0606) >> 4) & 0x0101;
        let text = halves
            .wrapping_add(both(b'0'))
            .wrapping_add(letters.wrapping_mul(u16::from(b'a' - b'0' - 10)));
        *pair = text.to_le_bytes();
    }
    digits
}

/// The octet twice.
const fn both(octet: u8) -> u16 {
    u16::from_ne_bytes([octet; 2])
}

/// Reads 32 digits, two of them in a lane of 16 bits; capitals are no digits here, for they would come back as small
/// ones.
#[inline]
pub(crate) fn octets(digits: &[u8; 32]) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    let mut wrong = 0;
    let (pairs, _rest) = digits.as_chunks::<2>();
    for (octet, pair) in octets.iter_mut().zip(pairs) {
        let text = u16::from_le_bytes(*pair);
        // ASCII alone, so that the sums below stay within their octets.
        wrong |= text & both(0x80);
        let text = text & both(0x7f);
        // The high bit of each octet that is at least, and of each that is above.
        let (from_0, above_9) = (at_least(text, b'0'), at_least(text, b'9' + 1));
        let (from_a, above_f) = (at_least(text, b'a'), at_least(text, b'f' + 1));
        let (numbers, letters) = (from_0 & !above_9, from_a & !above_f);
        wrong |= !(numbers | letters) & both(0x80);
        // `0` and `a` end in 0 and 1: what is more than 9 is added to letters.
        let halves = (text & both(0x0f)).wrapping_add((letters >> 7).wrapping_mul(9));
        let [joined, _] = (halves << 4 | halves >> 8).to_le_bytes();
        *octet = joined;
    }
    (wrong == 0).then_some(octets)
}

/// The 16 octets of what [`octets`] has read before, or [`digits`] written: nothing is looked at again.
#[inline]
pub(crate) fn packed(digits: &[u8; 32]) -> [u8; 16] {
    let mut octets = [0; 16];
    let (pairs, _rest) = digits.as_chunks::<2>();
    for (octet, pair) in octets.iter_mut().zip(pairs) {
        let text = u16::from_le_bytes(*pair);
        // Letters alone have this bit; they end in 1 to 6, and stand for 10 to 15.
        let letters = (text >> 6) & both(1);
        let halves = (text & both(0x0f)).wrapping_add(letters.wrapping_mul(9));
        let [joined, _] = (halves << 4 | halves >> 8).to_le_bytes();
        *octet = joined;
    }
    octets
}

/// For octets below 0x80: the high bit of each that is at least `bound`.
const fn at_least(octets: u16, bound: u8) -> u16 {
    octets.wrapping_add(both(0x80_u8.wrapping_sub(bound))) & both(0x80)
}

fn digit(value: u8) -> u8 {
    let letter = u8::from(value > 9).wrapping_mul(b'a' - b'0' - 10);
    value.wrapping_add(b'0').wrapping_add(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_digits_go_both_ways_and_nothing_else_is_one() {
        for octet in 0..=u8::MAX {
            let text = encode(&[octet; 16]);
            assert_eq!(text, format!("{octet:02x}").repeat(16));
            assert_eq!(text.as_bytes(), digits(&[octet; 16]));
            assert_eq!(octets(text.as_bytes().try_into().unwrap()), Some([octet; 16]));
            assert_eq!(packed(text.as_bytes().try_into().unwrap()), [octet; 16]);
            let good = octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
            for place in [0, 1, 31] {
                let mut digits = [b'0'; 32];
                digits[place] = octet;
                assert_eq!(octets(&digits).is_some(), good, "{octet} at {place}");
            }
        }
    }
}
