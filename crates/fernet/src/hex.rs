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
pub(crate) fn digits(octets: [u8; 16]) -> [u8; 32] {
    let mut digits = [b'0'; 32];
    for (pair, octet) in digits.chunks_exact_mut(2).zip(octets) {
        if let [high, low] = pair {
            (*high, *low) = (digit(octet >> 4), digit(octet & 0x0f));
        }
    }
    digits
}

/// Reads 32 digits; capitals are no digits here, for they would come back as small ones.
pub(crate) fn decode(text: &str) -> Option<[u8; 16]> {
    octets(text.as_bytes().try_into().ok()?)
}

/// As [`decode`].
pub(crate) fn octets(digits: &[u8; 32]) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    // What is no digit has bits that no value has; they are looked at once, at the end.
    let mut seen = 0;
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        if let [high, low] = pair {
            let (high, low) = (value(*high), value(*low));
            seen |= high | low;
            *octet = high << 4 | (low & 0x0f);
        }
    }
    (seen <= 0x0f).then_some(octets)
}

fn digit(value: u8) -> u8 {
    let letter = u8::from(value > 9).wrapping_mul(b'a' - b'0' - 10);
    value.wrapping_add(b'0').wrapping_add(letter)
}

/// The value of a digit; 0xff for what is none. Without branches, so that the compiler does many at once.
fn value(digit: u8) -> u8 {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    let or_letter = if letter < 6 { letter.wrapping_add(10) } else { 0xff };
    if number < 10 { number } else { or_letter }
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
