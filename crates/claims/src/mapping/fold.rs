//! How denials compare: what looks the same is the same.

use icu_normalizer::ComposingNormalizerBorrowed;
use std::borrow::Cow;

/// Text as denials compare it: compatibility forms made one (NFKC), letter case and invisible characters gone, no
/// blanks around. `Admin`, `ａdmin` and `admin` with a zero-width space come to the same.
///
/// What permits compares exactly. Letters of other scripts that only look alike stay different.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let trimmed = text.trim();
        let plain = trimmed
            .bytes()
            .all(|byte| !byte.is_ascii_uppercase() && !byte.is_ascii_control());
        return if plain {
            Cow::Borrowed(trimmed)
        } else {
            Cow::Owned(fold_characters(trimmed))
        };
    }
    let normalizer = const { ComposingNormalizerBorrowed::new_nfkc() };
    let folded = fold_characters(&normalizer.normalize(text));
    // Lower case may leave what composes again.
    Cow::Owned(normalizer.normalize(&folded).trim().to_owned())
}

/// Upper case first: `ß` and `SS`, `ſ` and `s` meet there.
fn fold_characters(text: &str) -> String {
    text.chars()
        .filter(|c| !is_invisible(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Control characters, and what Unicode lists as `Default_Ignorable_Code_Point` (Unicode 16).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn what_looks_the_same_is_the_same() {
        for alike in [
            "admin",
            "Admin",
            "ADMIN",
            "ａdmin",
            "admin\u{200b}",
            "ad\u{ad}min",
            " admin",
            "admin\n",
            "admin\u{0}",
        ] {
            assert_eq!(fold(alike), "admin", "{alike:?}");
        }
        for (one, other) in [
            ("STRASSE", "straße"),
            ("ﬁn", "fin"),
            ("É", "e\u{301}"),
            ("ſ", "S"),
            ("K", "k"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(
            fold("аdmin"),
            fold("admin"),
            "a letter of another script stays another letter"
        );
        assert_eq!(fold("\u{200b}"), "");
    }
}
