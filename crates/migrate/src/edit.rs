//! One option of a configuration file changed, and nothing else in it.

use crate::ini::{IniDocument, IniError};

/// Why an option was not changed. The text of the file is left out: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file is not configuration.
    #[error("{0}")]
    Ini(#[from] IniError),
    /// The change would have changed something else.
    #[error("[{section}] {key} cannot be changed by this program: change it by hand")]
    Unsure {
        /// The section.
        section: String,
        /// The option.
        key: String,
    },
}

/// The text of a file in which `key` of `section` is `value`; every other line is as it was.
///
/// Where the option is set several times, the last is changed, which is the one that counts; where it is not set, it is
/// put behind the section's title, and a section that is not there at the end. Section, key and value are the caller's
/// own words, on one line.
///
/// # Errors
/// [`EditError`]; what would have come out is read again and compared, so that a file never says more or less than
/// before but for this option.
pub fn set_option(text: &str, section: &str, key: &str, value: &str) -> Result<String, EditError> {
    let before = IniDocument::parse(text)?;
    let unsure = || EditError::Unsure {
        section: section.to_owned(),
        key: key.to_owned(),
    };
    let edited = edit(text, section, key, value);
    let after = IniDocument::parse(&edited)?;
    if before.with(section, key, value) == after {
        Ok(edited)
    } else {
        Err(unsure())
    }
}

fn edit(text: &str, section: &str, key: &str, value: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let ending = if lines.first().is_some_and(|line| line.ends_with('\r')) {
        "\r"
    } else {
        ""
    };
    let line = format!("{key} = {value}{ending}");
    let (title, option) = places(&lines, section, key);
    let mut edited: Vec<&str> = Vec::new();
    let mut is_dropping = false;
    for (place, old) in lines.iter().enumerate() {
        // Lines that begin with a blank go on with the option that is replaced.
        is_dropping = is_dropping && old.trim_end_matches('\r').trim_end().starts_with([' ', '\t']);
        if is_dropping {
            continue;
        }
        if option == Some(place) {
            edited.push(&line);
            is_dropping = true;
            continue;
        }
        edited.push(old);
        if option.is_none() && title == Some(place) {
            edited.push(&line);
        }
    }
    let mut edited = edited.join("\n");
    if option.is_none() && title.is_none() {
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push('\n');
        }
        edited.push_str(&format!("[{section}]{ending}\n{line}\n"));
    }
    edited
}

/// The last title of the section, and the last line that sets the option.
fn places(lines: &[&str], section: &str, key: &str) -> (Option<usize>, Option<usize>) {
    let (mut title, mut option) = (None, None);
    let mut is_here = false;
    for (place, raw) in lines.iter().enumerate() {
        let text = raw.strip_suffix('\r').unwrap_or(raw).trim_end();
        if text.is_empty() || text.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(name) = text.strip_prefix('[') {
            is_here = name
                .strip_suffix(']')
                .is_some_and(|name| name.to_lowercase() == section);
            if is_here {
                title = Some(place);
            }
        } else if is_here
            && text
                .split(['=', ':'])
                .next()
                .is_some_and(|name| name.trim() == key)
        {
            option = Some(place);
        }
    }
    (title, option)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_option_is_changed_and_nothing_else() {
        for (text, want) in [
            ("", "[token]\nprovider = jws\n"),
            ("[token]\nprovider = fernet\n", "[token]\nprovider = jws\n"),
            (
                "[token]\n# fernet\nprovider=fernet\nx=1",
                "[token]\n# fernet\nprovider = jws\nx=1",
            ),
            (
                "[token]\nprovider = a\nprovider = b\n",
                "[token]\nprovider = a\nprovider = jws\n",
            ),
            (
                "[token]\nprovider = a\n  b\n\tc\nx = 1\n",
                "[token]\nprovider = jws\nx = 1\n",
            ),
            (
                "[token]\nx = 1\n[db]\ny = 2\n",
                "[token]\nprovider = jws\nx = 1\n[db]\ny = 2\n",
            ),
            (
                "[db]\nprovider = z",
                "[db]\nprovider = z\n[token]\nprovider = jws\n",
            ),
            ("[Token]\r\nprovider: x\r\n", "[Token]\r\nprovider = jws\r\n"),
            (
                "[token]\n[db]\n[token]\n",
                "[token]\n[db]\n[token]\nprovider = jws\n",
            ),
            ("# all default\n", "# all default\n[token]\nprovider = jws\n"),
        ] {
            assert_eq!(
                set_option(text, "token", "provider", "jws").as_deref(),
                Ok(want),
                "{text:?}"
            );
        }
        assert!(matches!(
            set_option("x", "token", "provider", "jws"),
            Err(EditError::Ini(_))
        ));
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("[token]".to_owned()),
            Just("[TOKEN]".to_owned()),
            Just("[other]".to_owned()),
            Just("provider = fernet".to_owned()),
            "provider ?[:=][ -~]{0,6}",
            "[a-z]{1,4} = [ -~]{0,8}",
            "  [!-~]{1,6}",
            "[#;][ -~]{0,6}",
            Just(String::new()),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_taken_says_what_was_meant(lines in prop::collection::vec(line(), 0..12)) {
            let text = lines.join("\n");
            if let Ok(before) = IniDocument::parse(&text) {
                let edited = set_option(&text, "token", "provider", "jws").unwrap();
                let after = IniDocument::parse(&edited).unwrap();
                prop_assert_eq!(after.last("token", "provider"), Some("jws"));
                prop_assert_eq!(&before.with("token", "provider", "jws"), &after);
                prop_assert_eq!(set_option(&edited, "token", "provider", "jws"), Ok(edited.clone()));
            }
        }
    }
}
