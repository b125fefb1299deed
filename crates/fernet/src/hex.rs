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

/// The 32 digits of 16 octets, eight of them at a time.
#[inline]
pub(crate) fn digits(octets: [u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    let (fours, _rest) = octets.as_chunks::<4>();
    let (eights, _rest) = digits.as_chunks_mut::<8>();
    for (eight, four) in eights.iter_mut().zip(fours) {
        // Each half of an octet into an octet of its own.
        let spread = u64::from(u32::from_be_bytes(*four));
        let spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
        let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
        let spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        // 1 where it is more than 9, and so a letter; no octet overflows into the next.
        let letters = (spread.wrapping_add(each(6)) >> 4) & each(1);
        let text = spread
            .wrapping_add(each(b'0'))
            .wrapping_add(letters.wrapping_mul(u64::from(b'a' - b'0' - 10)));
        *eight = text.to_be_bytes();
    }
    digits
}

/// The octet eight times.
const fn each(octet: u8) -> u64 {
    u64::from_ne_bytes([octet; 8])
}

/// Reads 32 digits; capitals are no digits here, for they would come back as small ones.
pub(crate) fn decode(text: &str) -> Option<[u8; 16]> {
    octets(text.as_bytes().try_into().ok()?)
}

/// As [`decode`], eight digits at a time.
#[inline]
pub(crate) fn octets(digits: &[u8; 32]) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    let mut wrong = 0;
    let (eights, _rest) = digits.as_chunks::<8>();
    let (fours, _rest) = octets.as_chunks_mut::<4>();
    for (four, eight) in fours.iter_mut().zip(eights) {
        let text = u64::from_be_bytes(*eight);
        // ASCII alone, so that the sums below stay within their octets.
        wrong |= text & each(0x80);
        let text = text & each(0x7f);
        // The high bit of each octet that is at least, and of each that is above.
        let (from_0, above_9) = (at_least(text, b'0'), at_least(text, b'9' + 1));
        let (from_a, above_f) = (at_least(text, b'a'), at_least(text, b'f' + 1));
        let (numbers, letters) = (from_0 & !above_9, from_a & !above_f);
        wrong |= !(numbers | letters) & each(0x80);
        // `0` and `a` end in 0 and 1: what is more than 9 is added to letters.
        let halves = (text & each(0x0f)).wrapping_add((letters >> 7).wrapping_mul(9));
        let pairs = (halves | halves >> 4) & 0x00ff_00ff_00ff_00ff;
        let pairs = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
        let pairs = (pairs | pairs >> 16) & 0xffff_ffff;
        *four = u32::try_from(pairs).unwrap_or_default().to_be_bytes();
    }
    (wrong == 0).then_some(octets)
}

/// For octets below 0x80: the high bit of each that is at least `bound`.
const fn at_least(octets: u64, bound: u8) -> u64 {
    octets.wrapping_add(each(0x80_u8.wrapping_sub(bound))) & each(0x80)
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
            assert_eq!(text.as_bytes(), digits([octet; 16]));
            assert_eq!(decode(&text), Some([octet; 16]));
            let good = octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
            for place in [0, 1, 31] {
                let mut digits = [b'0'; 32];
                digits[place] = octet;
                assert_eq!(octets(&digits).is_some(), good, "{octet} at {place}");
            }
        }
        assert_eq!(decode(&"0".repeat(31)), None);
        assert_eq!(decode(&"0".repeat(33)), None);
    }
}
