//! Who logs in, and for what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The most logins of one file: seven scopes, a few accounts each.
const MAX_LOGINS: usize = 64;
/// The longest name of a login, in characters.
const MAX_NAME: usize = 64;

/// What a token is for. A form of token packs each another way, so each is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever shows a matrix handles each")]
pub enum LoginKind {
    /// For nothing yet.
    Unscoped,
    /// A project.
    Project,
    /// A domain.
    Domain,
    /// The system.
    System,
    /// A trust.
    Trust,
    /// An application credential's project.
    ApplicationCredential,
    /// A federated user.
    Federated,
}

impl LoginKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Unscoped,
        Self::Project,
        Self::Domain,
        Self::System,
        Self::Trust,
        Self::ApplicationCredential,
        Self::Federated,
    ];

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unscoped => "unscoped",
            Self::Project => "project",
            Self::Domain => "domain",
            Self::System => "system",
            Self::Trust => "trust",
            Self::ApplicationCredential => "application credential",
            Self::Federated => "federated",
        }
    }
}

/// Why a file holds no logins. What is in it is left out: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Not its JSON.
    #[error(
        "line {line}: not a list of logins: write [{{\"name\": …, \"kind\": \"trust\", \"auth\": {{…}}}}], `auth` being \
         what Keystone's POST /auth/tokens takes"
    )]
    Json {
        /// Counted from 1.
        line: usize,
    },
    /// A name that could not be shown.
    #[error("a login's name has 1 to 64 characters, and none that steers a terminal")]
    Name,
    /// Neither a body nor an address, or both.
    #[error("login `{0}`: give either `auth`, or `path` and `headers`")]
    Way(String),
    /// An address that leads elsewhere.
    #[error("login `{0}`: `path` begins with / and is one below /v3, of printable characters without blanks")]
    Path(String),
    /// A header that is none.
    #[error(
        "login `{0}`: a header has a name of letters, digits and `-`, and a value of printable characters"
    )]
    Header(String),
    /// Too many.
    #[error("more than {MAX_LOGINS} logins")]
    TooMany,
}

/// A login, as Keystone's API takes it. It holds secrets: they are kept out of `Debug`.
#[derive(Clone)]
pub struct Login {
    name: String,
    kind: LoginKind,
    path: String,
    headers: Vec<(String, Zeroizing<String>)>,
    body: Zeroizing<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    kind: LoginKind,
    auth: Option<Value>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl Login {
    /// By `POST /auth/tokens`; `auth` is the member of that name of its body.
    #[must_use]
    pub fn new(name: &str, kind: LoginKind, auth: &Value) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            path: "/auth/tokens?nocatalog".to_owned(),
            headers: Vec::new(),
            body: Zeroizing::new(json!({ "auth": auth }).to_string()),
        }
    }

    /// The logins of a file: a list of objects with `name`, `kind`, and either `auth` or, for federated users, `path`
    /// below `/v3` and `headers` of a `GET`.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, LoginError> {
        let entries: Vec<Entry> =
            serde_json::from_slice(bytes).map_err(|error| LoginError::Json { line: error.line() })?;
        if entries.len() > MAX_LOGINS {
            return Err(LoginError::TooMany);
        }
        entries.into_iter().map(Self::of_entry).collect()
    }

    fn of_entry(entry: Entry) -> Result<Self, LoginError> {
        let Entry {
            name,
            kind,
            auth,
            path,
            headers,
        } = entry;
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(LoginError::Name);
        }
        let (path, body) = match (auth, path) {
            (Some(auth), None) if headers.is_empty() => return Ok(Self::new(&name, kind, &auth)),
            (None, Some(path)) => (path, Zeroizing::new(String::new())),
            _ => return Err(LoginError::Way(name)),
        };
        if !path.starts_with('/') || path.contains("//") || !path.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(LoginError::Path(name));
        }
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_value = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !headers
            .iter()
            .all(|(name, value)| is_name(name) && is_value(value))
        {
            return Err(LoginError::Header(name));
        }
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name, Zeroizing::new(value)));
        Ok(Self {
            name,
            kind,
            path,
            headers: headers.collect(),
            body,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its token is for.
    #[must_use]
    pub const fn kind(&self) -> LoginKind {
        self.kind
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn body(&self) -> &str {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_logins_are_read_and_their_secrets_kept() {
        let text = r#"[{"name": "heat", "kind": "trust", "auth": {"identity": {"password": "hunter2"}}},
            {"name": "fred", "kind": "federated", "path": "/OS-FEDERATION/x/auth", "headers": {"OIDC-ISS": "hunter2"}}]"#;
        let logins = Login::parse_all(text.as_bytes()).unwrap();
        assert_eq!(logins[0].path(), "/auth/tokens?nocatalog");
        assert!(logins[0].body().contains("hunter2") && logins[1].body().is_empty());
        assert_eq!(logins[1].headers().collect::<Vec<_>>(), [("OIDC-ISS", "hunter2")]);
        assert!(!format!("{logins:?}").contains("hunter2"));
        for (bad, want) in [
            ("{}", "line 1"),
            (
                r#"[{"name": "x", "kind": "trust", "secret": "hunter2"}]"#,
                "line 1",
            ),
            (r#"[{"name": "x", "kind": "trust"}]"#, "either `auth`"),
            (
                r#"[{"name": "x", "kind": "trust", "auth": {}, "path": "/a"}]"#,
                "either `auth`",
            ),
            (
                r#"[{"name": "x", "kind": "project", "path": "auth"}]"#,
                "begins with /",
            ),
            (
                r#"[{"name": "x", "kind": "project", "path": "//evil.example/"}]"#,
                "begins with /",
            ),
            (
                r#"[{"name": "x", "kind": "project", "path": "/a b"}]"#,
                "begins with /",
            ),
            (
                r#"[{"name": "x", "kind": "project", "path": "/a", "headers": {"a b": "c"}}]"#,
                "a header",
            ),
            (
                r#"[{"name": "x", "kind": "project", "path": "/a", "headers": {"a": "c\r\nd"}}]"#,
                "a header",
            ),
            (r#"[{"name": "", "kind": "project", "auth": {}}]"#, "1 to 64"),
            (r#"[{"name": "x", "kind": "other", "auth": {}}]"#, "line 1"),
        ] {
            let refused = Login::parse_all(bad.as_bytes()).unwrap_err().to_string();
            assert!(
                refused.contains(want) && !refused.contains("hunter2"),
                "{bad}: {refused}"
            );
        }
    }
}
