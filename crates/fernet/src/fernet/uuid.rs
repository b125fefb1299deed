//! What Python takes for a UUID.

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
