//! Changes a few values of `clouds.yaml`; every other character stays where it is.

use super::yaml::{self, Content, Node, YamlError};

/// The indentation of a file that shows none.
const INDENT: usize = 2;

/// Values to be set for one cloud.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CloudEdit {
    /// Names and values of `auth`.
    pub auth: Vec<(String, String)>,
    /// Names and values beside it.
    pub settings: Vec<(String, String)>,
}

/// Why a file is left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Yaml(#[from] YamlError),
    /// The place is written so that it cannot be changed without touching what is around it.
    #[error("{0} is written with braces, anchors or merges: change it by hand")]
    Odd(String),
    /// The changed text would not say what it should.
    #[error("the change would not read as it should: change it by hand")]
    Unfaithful,
}

impl CloudEdit {
    /// The text with these values for the cloud `name`.
    ///
    /// Comments, order and everything that is not named stay. The result was read again, and differs in these values
    /// only.
    ///
    /// # Errors
    /// [`EditError`]; then nothing should be written.
    ///
    /// # Examples
    /// ```
    /// # use sealstone_client::CloudEdit;
    /// let mut edit = CloudEdit::default();
    /// edit.auth.push(("client_id".to_owned(), "cli".to_owned()));
    /// let text = "clouds:\n  prod:  # ours\n    auth:\n      auth_url: https://keystone/v3\n";
    /// assert_eq!(edit.apply(text, "prod")?, format!("{text}      client_id: cli\n"));
    /// # Ok::<(), sealstone_client::EditError>(())
    /// ```
    pub fn apply(&self, text: &str, name: &str) -> Result<String, EditError> {
        let before = yaml::parse(text)?;
        let mut changed = text.to_owned();
        if !changed.is_empty() && !changed.ends_with('\n') {
            changed.push('\n');
        }
        for (path, value) in self.changes(name) {
            changed = set(&changed, &path, &value)?;
        }
        let after = yaml::parse(&changed)?.ok_or(EditError::Unfaithful)?;
        let mut wanted = before.unwrap_or_else(empty);
        for (path, value) in self.changes(name) {
            put(&mut wanted, &path, &value);
        }
        if after == wanted {
            Ok(changed)
        } else {
            Err(EditError::Unfaithful)
        }
    }

    fn changes<'s>(&'s self, name: &'s str) -> impl Iterator<Item = (Vec<&'s str>, String)> {
        let settings = self
            .settings
            .iter()
            .map(move |(key, value)| (vec!["clouds", name, key.as_str()], value.clone()));
        let auth = self
            .auth
            .iter()
            .map(move |(key, value)| (vec!["clouds", name, "auth", key.as_str()], value.clone()));
        settings.chain(auth)
    }
}

fn empty() -> Node {
    Node {
        content: Content::Map(Vec::new()),
        at: (0, 0),
        column: 0,
        odd: false,
    }
}

/// What the tree should be after a change.
fn put(node: &mut Node, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        node.content = Content::Text(value.to_owned());
        return;
    };
    if !node.is_map() {
        node.content = Content::Map(Vec::new());
    }
    let Content::Map(members) = &mut node.content else {
        return;
    };
    let known = members
        .iter_mut()
        .rev()
        .find(|(key, _)| key.text() == Some(first));
    match known {
        Some((_, below)) => put(below, rest, value),
        None => {
            let (mut key, mut below) = (empty(), empty());
            key.content = Content::Text((*first).to_owned());
            put(&mut below, rest, value);
            members.push((key, below));
        }
    }
}

/// The text with one value set, or one line or a few more.
fn set(text: &str, path: &[&str], value: &str) -> Result<String, EditError> {
    let root = yaml::parse(text)?;
    let Some(root) = root.filter(|root| !root.is_nothing()) else {
        return Ok(format!("{text}{}", lines(path, value, 0)));
    };
    let mut here = &root;
    for (depth, name) in path.iter().enumerate() {
        let Some(below) = here.member(name) else {
            let missing = path.get(depth..).unwrap_or_default();
            return insert(text, here, missing, value);
        };
        if below.odd {
            return Err(EditError::Odd((*name).to_owned()));
        }
        here = below;
        if here.is_nothing() && depth.saturating_add(1) < path.len() {
            // `auth:` without anything: its lines follow.
            let missing = path.get(depth.saturating_add(1)..).unwrap_or_default();
            let column = key_column(&root, path.get(..=depth).unwrap_or_default()).saturating_add(INDENT);
            let at = line_end(text, byte(text, here.at.0));
            return Ok(spliced(text, at, at, &lines(missing, value, column)));
        }
    }
    if here.is_map() {
        return Err(EditError::Odd(
            path.last().copied().unwrap_or_default().to_owned(),
        ));
    }
    let (from, to) = (byte(text, here.at.0), byte(text, here.at.1));
    if from == to {
        let at = line_content_end(text, from);
        return Ok(spliced(text, at, at, &format!(" {}", quoted(value))));
    }
    Ok(spliced(text, from, to, &quoted(value)))
}

/// New lines behind the last one of a mapping.
fn insert(text: &str, map: &Node, missing: &[&str], value: &str) -> Result<String, EditError> {
    let Some((first, _)) = map.members().first() else {
        return Err(EditError::Odd(
            missing.first().copied().unwrap_or_default().to_owned(),
        ));
    };
    if map.odd {
        return Err(EditError::Odd(first.text().unwrap_or_default().to_owned()));
    }
    let last = map
        .members()
        .iter()
        .filter(|(key, _)| !key.odd)
        .map(|(_, value)| end(text, value))
        .max();
    let at = line_end(text, byte(text, last.unwrap_or_default()));
    Ok(spliced(text, at, at, &lines(missing, value, first.column)))
}

/// Behind the last character of a value, without what follows it.
fn end(text: &str, node: &Node) -> usize {
    let bracket = text
        .get(byte(text, node.at.0)..)
        .is_some_and(|rest| rest.starts_with('['));
    match &node.content {
        Content::Map(members) if !node.odd => members
            .iter()
            .map(|(_, value)| end(text, value))
            .max()
            .unwrap_or(node.at.1),
        // The end of a list without brackets is told as where the next thing begins.
        Content::List(items) if !bracket => items
            .iter()
            .map(|item| end(text, item))
            .max()
            .unwrap_or(node.at.1),
        Content::Text(_) | Content::Nothing | Content::List(_) | Content::Map(_) => node.at.1,
    }
}

/// `a:\n  b:\n    c: value\n`, indented.
fn lines(path: &[&str], value: &str, column: usize) -> String {
    let mut text = String::new();
    for (depth, name) in path.iter().enumerate() {
        let indent = column.saturating_add(depth.saturating_mul(INDENT));
        text.push_str(&" ".repeat(indent));
        text.push_str(&quoted(name));
        text.push(':');
        if depth.saturating_add(1) == path.len() {
            text.push(' ');
            text.push_str(&quoted(value));
        }
        text.push('\n');
    }
    text
}

fn key_column(root: &Node, path: &[&str]) -> usize {
    let mut here = root;
    let mut column = 0;
    for name in path {
        let Some((key, value)) = here
            .members()
            .iter()
            .rev()
            .find(|(key, _)| key.text() == Some(name))
        else {
            break;
        };
        column = key.column;
        here = value;
    }
    column
}

/// As it is if that reads as text in YAML 1.1 and 1.2, else in single quotes.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c) || c == ':';
    let ends_well = !value.ends_with(':') && !value.contains(": ");
    let begins_well = value.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_word = word.iter().any(|word| value.eq_ignore_ascii_case(word));
    if begins_well && ends_well && !is_word && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "''"))
}

/// Characters to octets.
fn byte(text: &str, characters: usize) -> usize {
    text.char_indices()
        .nth(characters)
        .map_or(text.len(), |(at, _)| at)
}

/// Behind the end of the line in which an octet is; of the one before, if the octet begins a line.
fn line_end(text: &str, at: usize) -> usize {
    if at > 0 && text.as_bytes().get(at.saturating_sub(1)) == Some(&b'\n') {
        return at;
    }
    let rest = text.get(at..).unwrap_or_default();
    rest.find('\n')
        .map_or(text.len(), |found| at.saturating_add(found).saturating_add(1))
}

/// Behind the colon of a name without a value.
fn line_content_end(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.trim_end().len()
}

fn spliced(text: &str, from: usize, to: usize, new: &str) -> String {
    let (before, after) = (
        text.get(..from).unwrap_or_default(),
        text.get(to..).unwrap_or_default(),
    );
    format!("{before}{new}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit() -> CloudEdit {
        CloudEdit {
            auth: vec![("client_id".to_owned(), "cli".to_owned())],
            settings: vec![("auth_type".to_owned(), "v3oidcdeviceauthz".to_owned())],
        }
    }

    #[test]
    fn values_are_set_and_the_rest_stays() {
        let whole = "clouds:\n  prod:\n    auth_type: v3oidcdeviceauthz\n    auth:\n      client_id: cli\n";
        let cases = [
            ("", whole.to_owned()),
            ("# mine\n", format!("# mine\n{whole}")),
            ("cache: {}", format!("cache: {{}}\n{whole}")),
            (
                "clouds:\n    dev:   # first\n        region_name: x  # and last\n# after\ncache: {}\n",
                "clouds:\n    dev:   # first\n        region_name: x  # and last\n    prod:\n      auth_type: v3oidcdeviceauthz\n      \
                 auth:\n        client_id: cli\n# after\ncache: {}\n"
                    .to_owned(),
            ),
            (
                "clouds:\n  prod:\n    auth_type: password # old\n    auth: # who\n      client_id: 'x'\n      a: b\n  z: {}\n",
                "clouds:\n  prod:\n    auth_type: v3oidcdeviceauthz # old\n    auth: # who\n      client_id: cli\n      a: b\n  z: {}\n"
                    .to_owned(),
            ),
            (
                "clouds:\n  prod:\n    auth:\n    verify: no\n",
                "clouds:\n  prod:\n    auth:\n      client_id: cli\n    verify: no\n    auth_type: v3oidcdeviceauthz\n".to_owned(),
            ),
            (
                "clouds:\n  prod:\n    regions:\n    - a\n    - b\n  \"ü\":\n    auth: {}\n",
                "clouds:\n  prod:\n    regions:\n    - a\n    - b\n    auth_type: v3oidcdeviceauthz\n    auth:\n      client_id: cli\n  \"ü\":\n    auth: {}\n"
                    .to_owned(),
            ),
        ];
        for (text, want) in cases {
            let found = edit()
                .apply(text, "prod")
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(found, want, "{text}");
            assert_eq!(
                edit().apply(&found, "prod").unwrap(),
                found,
                "a second time changes nothing"
            );
        }
    }

    #[test]
    fn what_cannot_be_changed_alone_is_left() {
        for text in [
            "clouds: {prod: {auth: {}}}\n",
            "clouds:\n  prod: {auth: {}}\n",
            "clouds:\n  prod: &p\n    auth_type: x\n  other: *p\n",
            "x: &x\n  auth_type: a\nclouds:\n  prod:\n    <<: *x\n",
            "clouds:\n  prod:\n    auth_type: [a]\n",
        ] {
            let error = edit().apply(text, "prod").unwrap_err();
            assert!(
                matches!(error, EditError::Odd(_) | EditError::Unfaithful),
                "{text}: {error}"
            );
        }
        assert!(matches!(
            edit().apply("a: b: c", "prod").unwrap_err(),
            EditError::Yaml(_)
        ));
    }

    #[test]
    fn any_value_reads_back() {
        for value in [
            "yes",
            "no",
            "0x10",
            "12",
            "a: b",
            "a #b",
            "it's",
            "",
            " ",
            "*a",
            "&a",
            "!x",
            "- a",
            "null",
            "~",
            "ü",
            "@x",
            "2001-01-01",
            "1e3",
        ] {
            let mut edit = CloudEdit::default();
            edit.auth.push(("client_id".to_owned(), value.to_owned()));
            let found = edit
                .apply("", "n: #'")
                .unwrap_or_else(|error| panic!("{value:?}: {error}"));
            let node = yaml::parse(&found).unwrap().unwrap();
            let cloud = node.member("clouds").unwrap().member("n: #'").unwrap();
            assert_eq!(
                cloud.member("auth").unwrap().member("client_id").unwrap().text(),
                Some(value)
            );
        }
    }
}
