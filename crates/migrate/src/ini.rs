//! The INI of oslo.config.

use std::collections::BTreeMap;

/// The longest file that is read, in bytes. A `keystone.conf` with every option and its comments has some 130 KiB.
pub const MAX_CONFIGURATION: usize = 1024 * 1024;

/// Why a file is not configuration. The text of the line is left out: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IniError {
    /// Longer than any configuration.
    #[error("longer than {MAX_CONFIGURATION} bytes")]
    TooLong,
    /// A control character, or a carriage return alone.
    #[error("line {line}: a control character")]
    Control {
        /// Counted from 1.
        line: usize,
    },
    /// A line that begins with a blank, and continues nothing.
    #[error("line {line}: it begins with a blank, and there is no option above that it continues")]
    Continuation {
        /// Counted from 1.
        line: usize,
    },
    /// `[` without `]`, or nothing between.
    #[error("line {line}: not a section: write [name]")]
    Section {
        /// Counted from 1.
        line: usize,
    },
    /// Neither `=` nor `:`, or no name before it.
    #[error("line {line}: not an option: write name = value")]
    Option {
        /// Counted from 1.
        line: usize,
    },
    /// An option before the first section.
    #[error("line {line}: an option before the first section")]
    NoSection {
        /// Counted from 1.
        line: usize,
    },
}

/// A file of configuration, read as oslo.config reads it: options may be repeated, lines that begin with a blank
/// continue the option above, one pair of quotes around a value is taken away.
///
/// Names of sections are in lower case, but for `DEFAULT`. Values are kept out of `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IniDocument {
    sections: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

struct Open {
    section: String,
    key: String,
    value: String,
}

impl IniDocument {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`IniError`], with the line.
    pub fn parse(text: &str) -> Result<Self, IniError> {
        if text.len() > MAX_CONFIGURATION {
            return Err(IniError::TooLong);
        }
        let mut document = Self::default();
        let mut section: Option<String> = None;
        let mut open: Option<Open> = None;
        for (line, raw) in (1..).zip(text.split('\n')) {
            let raw = raw.strip_suffix('\r').unwrap_or(raw);
            if raw.chars().any(|c| c.is_control() && c != '\t') {
                return Err(IniError::Control { line });
            }
            let text = raw.trim_end();
            if text.starts_with([' ', '\t']) {
                let open = open.as_mut().ok_or(IniError::Continuation { line })?;
                open.value.push('\n');
                open.value.push_str(text.trim_start());
                continue;
            }
            document.close(open.take());
            if text.is_empty() || text.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = text.strip_prefix('[') {
                let name = rest.strip_suffix(']').filter(|name| !name.is_empty());
                let name = normalized(name.ok_or(IniError::Section { line })?);
                document.sections.entry(name.clone()).or_default();
                section = Some(name);
                continue;
            }
            let (key, value) = text.split_once(['=', ':']).ok_or(IniError::Option { line })?;
            let key = key.trim();
            if key.is_empty() {
                return Err(IniError::Option { line });
            }
            open = Some(Open {
                section: section.clone().ok_or(IniError::NoSection { line })?,
                key: key.to_owned(),
                value: unquoted(value.trim()).to_owned(),
            });
        }
        document.close(open);
        Ok(document)
    }

    fn close(&mut self, open: Option<Open>) {
        if let Some(Open { section, key, value }) = open {
            let options = self.sections.entry(section).or_default();
            options.entry(key).or_default().push(value);
        }
    }

    /// Every value of an option, in order.
    #[must_use]
    pub fn all(&self, section: &str, key: &str) -> &[String] {
        let found = self.sections.get(section).and_then(|options| options.get(key));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// The value that counts: the last.
    #[must_use]
    pub fn last(&self, section: &str, key: &str) -> Option<&str> {
        self.all(section, key).last().map(String::as_str)
    }

    /// The same with another last value of one option.
    pub(crate) fn with(&self, section: &str, key: &str, value: &str) -> Self {
        let mut changed = self.clone();
        let options = changed.sections.entry(section.to_owned()).or_default();
        let values = options.entry(key.to_owned()).or_default();
        values.pop();
        values.push(value.to_owned());
        changed
    }

    /// The same as a file, in order of names. It holds whatever secrets the file held.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (section, options) in &self.sections {
            text.push_str(&format!("[{section}]\n"));
            for (key, values) in options {
                for value in values {
                    let mut lines = value.split('\n');
                    text.push_str(&format!("{key} = \"{}\"\n", lines.next().unwrap_or_default()));
                    for line in lines {
                        text.push_str(&format!(" {line}\n"));
                    }
                }
            }
        }
        text
    }
}

impl std::fmt::Debug for IniDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IniDocument")
            .field("sections", &self.sections.keys())
            .finish_non_exhaustive()
    }
}

fn normalized(section: &str) -> String {
    if section == "DEFAULT" {
        section.to_owned()
    } else {
        section.to_lowercase()
    }
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if value == quote.to_string() {
            return "";
        }
        let inner = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_oslo_reads_them() {
        for (text, want) in [
            ("[token]\nprovider = jws", Some("jws")),
            ("[token]\r\nprovider:jws\r\n", Some("jws")),
            ("[Token]\nprovider=fernet\nprovider = jws\n", Some("jws")),
            ("[token]\nprovider = a\n  b,\n\tc\n\n", Some("a\nb,\nc")),
            ("[token]\nprovider = 'jws'", Some("jws")),
            ("[token]\nprovider = \"jws'", Some("\"jws'")),
            ("[token]\nprovider = \"", Some("")),
            ("[token]\nprovider = a # b", Some("a # b")),
            ("[token]\nprovider = a:b=c", Some("a:b=c")),
            ("[token]\nprovider =", Some("")),
            ("[token]\n#provider = jws\n; provider = jws", None),
            ("[token]\nPROVIDER = jws", None),
            ("[other]\nprovider = jws", None),
            ("[ token ]\nprovider = jws", None),
            ("", None),
        ] {
            let document = IniDocument::parse(text).unwrap();
            assert_eq!(document.last("token", "provider"), want, "{text:?}");
        }
    }

    #[test]
    fn what_oslo_refuses_is_refused_with_its_line_and_without_its_text() {
        for (text, want) in [
            ("a = b", IniError::NoSection { line: 1 }),
            (" a = b", IniError::Continuation { line: 1 }),
            ("[x]\n a = b", IniError::Continuation { line: 2 }),
            ("[x]\na = b\n\n c", IniError::Continuation { line: 4 }),
            ("[x]\na = b\n# no\n c", IniError::Continuation { line: 4 }),
            ("[x]\npassword", IniError::Option { line: 2 }),
            ("[x]\n= password", IniError::Option { line: 2 }),
            ("[x", IniError::Section { line: 1 }),
            ("[]", IniError::Section { line: 1 }),
            ("[x]\na = \u{0}", IniError::Control { line: 2 }),
            ("[x]\na = 1\rb = 2", IniError::Control { line: 2 }),
        ] {
            let refused = IniDocument::parse(text).unwrap_err();
            assert_eq!(refused, want, "{text:?}");
            assert!(!refused.to_string().contains("password"));
        }
        let long = "#".repeat(MAX_CONFIGURATION + 1);
        assert_eq!(IniDocument::parse(&long), Err(IniError::TooLong));
        let secret = IniDocument::parse("[database]\nconnection = mysql://k:hunter2@db").unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
