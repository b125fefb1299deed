//! Identifiers that are UUIDs, packed into 16 octets.

use crate::{KeystoneId, folder};

/// 32 lower-case hexadecimal digits: what comes back from 16 octets as it went in.
pub(super) fn octets(text: &str) -> Option<[u8; 16]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 32 || !text.bytes().all(lower) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

pub(super) fn text(octets: [u8; 16]) -> KeystoneId {
    KeystoneId::of_hex(folder::hex(&octets))
}

/// May Python's `uuid.UUID` take the text? Then Keystone packs it, and it comes back in another spelling.
///
/// It takes away `urn:`, `uuid:`, braces and hyphens, and reads 32 characters as a number, by rules that let digits
/// of any script, `0x`, a sign, white space and single underscores pass. What is suspect counts as taken.
pub(super) fn python_reads(text: &str) -> bool {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let bare = bare.trim_matches(['{', '}']).replace('-', "");
    let digit = |character: char| {
        character.is_ascii_hexdigit()
            || character.is_numeric()
            || character.is_whitespace()
            || matches!(character, '_' | 'x' | 'X' | '+')
    };
    bare.chars().count() == 32 && bare.chars().all(digit)
}
