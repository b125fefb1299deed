//! Names that go into commands: of nodes, of hosts, of files.

use serde::{Deserialize, Serialize};

/// The name of a node among those behind one balancer: 1 to 63 letters, digits, `.`, `-` and `_`, a letter or digit
/// first. It is written into commands and names of folders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Node(String);

/// Text that is no name of the kind wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
#[non_exhaustive]
pub struct InvalidName {
    /// What the name must be.
    pub rule: &'static str,
}

/// As long as one label of a host name.
const MAX_NODE: usize = 63;
/// `PATH_MAX` of Linux.
const MAX_PATH: usize = 4096;

impl Node {
    /// Takes `text` as it is.
    ///
    /// # Errors
    /// [`InvalidName`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let rule = "not a node's name: 1 to 63 letters, digits, `.`, `-` and `_`, a letter or digit first";
        let is_good = text.len() <= MAX_NODE
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        is_good.then(|| Self(text.to_owned())).ok_or(InvalidName { rule })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Node {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<Node> for String {
    fn from(node: Node) -> Self {
        node.0
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An absolute path without `..`, of letters, digits and `._/+@,=~-`: what needs no quoting in any shell, `ssh`'s on the
/// other side included. A slash at its end is taken away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbsolutePath(String);

impl AbsolutePath {
    pub(crate) const RULE: &'static str =
        "not an absolute path of letters, digits and `._/+@,=~-` without `..`";

    /// `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/+@,=~-".contains(&byte);
        let is_good = text.len() <= MAX_PATH
            && text.starts_with('/')
            && text.bytes().all(is_plain)
            && text.split('/').all(|part| part != "..");
        let trimmed = text.trim_end_matches('/');
        let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
        is_good.then(|| Self(trimmed.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the slash at its beginning.
    #[must_use]
    pub fn relative(&self) -> &str {
        self.0.trim_start_matches('/')
    }
}

impl TryFrom<String> for AbsolutePath {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text).ok_or(InvalidName { rule: Self::RULE })
    }
}

impl From<AbsolutePath> for String {
    fn from(path: AbsolutePath) -> Self {
        path.0
    }
}

impl std::fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `host` or `user@host` as `ssh` takes it; never an option of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshHost(String);

impl SshHost {
    /// Takes `text` as it is.
    ///
    /// # Errors
    /// [`InvalidName`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let rule = "not a host for ssh: write host or user@host, in letters, digits, `.`, `-` and `_`";
        let (user, host) = text.split_once('@').unwrap_or(("root", text));
        if Node::parse(user).is_err()
            || host.len() > 253
            || !host.split('.').all(|label| Node::parse(label).is_ok())
        {
            return Err(InvalidName { rule });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_commands() {
        for good in ["a", "keystone-1", "10.0.0.7", "n_2"] {
            assert!(Node::parse(good).is_ok(), "{good}");
            assert!(SshHost::parse(good).is_ok(), "{good}");
            assert!(SshHost::parse(&format!("root@{good}")).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        let ends = [
            "",
            "-oProxyCommand=x",
            "a b",
            "a;b",
            "$(a)",
            "a\nb",
            "../a",
            ".",
            "..",
            "a/b",
            "\u{e4}",
            &long,
        ];
        for bad in ends {
            assert!(Node::parse(bad).is_err(), "{bad}");
            assert!(SshHost::parse(bad).is_err(), "{bad}");
            assert!(SshHost::parse(&format!("root@{bad}")).is_err(), "{bad}");
        }
        for bad in [
            "", "a", "/a b", "/a/../b", "/..", "/a;b", "/`a`", "/$a", "/a\nb", "/a'b", "/a*", "~/a",
        ] {
            assert!(AbsolutePath::parse(bad).is_none(), "{bad}");
        }
        for (good, want) in [
            ("/", "/"),
            ("/a/b/", "/a/b"),
            ("/etc/keystone/x.conf.d", "/etc/keystone/x.conf.d"),
        ] {
            assert_eq!(AbsolutePath::parse(good).unwrap().as_str(), want);
        }
    }
}
