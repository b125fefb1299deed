//! Base32 without padding, as RFC 4648 §6 has it: what authenticator apps take for a secret.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The octets as text, five bits a letter.
pub(crate) fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(8).div_ceil(5));
    let (mut held, mut bits) = (0_u32, 0_u32);
    for octet in octets {
        held = ((held & 0x1f) << 8) | u32::from(*octet);
        bits = bits.saturating_add(8);
        while bits >= 5 {
            bits = bits.saturating_sub(5);
            text.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(held << 5_u32.saturating_sub(bits)));
    }
    text
}

/// The octets of `text`, in either case; `None` for another character or for bits that no octet has.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len().saturating_mul(5) / 8);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = match byte.to_ascii_uppercase() {
            upper @ b'A'..=b'Z' => upper.checked_sub(b'A')?,
            digit @ b'2'..=b'7' => digit.checked_sub(b'2')?.checked_add(26)?,
            _ => return None,
        };
        held = ((held & 0xff) << 5) | u32::from(value);
        bits = bits.checked_add(5)?;
        if bits >= 8 {
            bits = bits.checked_sub(8)?;
            let [.., octet] = (held >> bits).to_be_bytes();
            octets.push(octet);
        }
    }
    // What is left over is less than a letter, and zero: else two texts would stand for the same octets.
    let rest = held & (1_u32.checked_shl(bits)?.checked_sub(1)?);
    (bits < 5 && rest == 0).then_some(octets)
}

fn letter(bits: u32) -> char {
    let [.., low] = (bits & 0x1f).to_be_bytes();
    ALPHABET.get(usize::from(low)).copied().map_or('A', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        // RFC 4648 §10, without the padding.
        let vectors = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (octets, text) in vectors {
            assert_eq!(encode(octets.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), octets.as_bytes(), "{text}");
            assert_eq!(decode(&text.to_lowercase()).unwrap(), octets.as_bytes(), "{text}");
        }
        for wrong in [
            "M",
            "MZ=",
            "M1",
            "M8",
            "MZXW6YTBO",
            "MZ XQ",
            "é",
            "MZ\0Q",
            "MZXR",
            "MB",
        ] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
