//! The name of a client or a domain, as people read it on a consent page, in a list, in an audit event.

/// Longest name, in characters: what a consent page shows on two lines.
pub(crate) const MAX_NAME: usize = 128;

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameFault {
    Length,
    Padded,
    Invisible,
}

pub(crate) fn check(name: &str) -> Result<(), NameFault> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(NameFault::Length);
    }
    if name.trim() != name {
        return Err(NameFault::Padded);
    }
    if name.chars().any(is_invisible) {
        return Err(NameFault::Invisible);
    }
    Ok(())
}

/// Control characters, line separators, and the characters that reorder or hide text (UAX #9, Unicode category Cf as
/// far as names can be faked with it).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// O11: a name cannot be long, reorder the text around it, or look like another.
    #[test]
    fn o11_names_that_mislead_are_refused() {
        for good in [
            "ci",
            "Grafana (prod)",
            "Größe – 東京 ☂",
            "<b>shown as text</b>",
            &"é".repeat(128),
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let cases = [
            ("", NameFault::Length),
            (&*"x".repeat(129), NameFault::Length),
            (&*"x".repeat(10 * 1024), NameFault::Length),
            (" ci", NameFault::Padded),
            ("ci\u{a0}", NameFault::Padded),
            ("a\0b", NameFault::Invisible),
            ("a\r\nb", NameFault::Invisible),
            ("a\u{85}b", NameFault::Invisible),
            ("gpj.\u{202e}exe", NameFault::Invisible),
            ("a\u{2066}b", NameFault::Invisible),
            ("pay\u{200b}pal", NameFault::Invisible),
            ("a\u{2028}b", NameFault::Invisible),
            ("a\u{e0041}b", NameFault::Invisible),
        ];
        for (name, want) in cases {
            assert_eq!(check(name), Err(want), "{name:?}");
        }
    }
}
