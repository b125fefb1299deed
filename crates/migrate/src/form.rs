//! The two forms of Keystone's tokens.

use serde::{Deserialize, Serialize};

/// What a node issues: `[token] provider`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "Keystone has these two; whoever drives the change handles both"
)]
pub enum TokenForm {
    /// Symmetric keys, the same on every node.
    Fernet,
    /// A key of each node's own.
    Jws,
}

impl TokenForm {
    /// As `keystone.conf` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fernet => "fernet",
            Self::Jws => "jws",
        }
    }

    /// `None` for another provider.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "fernet" => Some(Self::Fernet),
            "jws" => Some(Self::Jws),
            _ => None,
        }
    }

    /// The form that a token has, by its looks alone: three parts of a JWS, or one that begins as version 0x80 does.
    /// Nothing is verified.
    #[must_use]
    pub fn of_token(token: &str) -> Option<Self> {
        let is_plain = |part: &str| {
            let mut bytes = part.bytes();
            !part.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let parts: Vec<&str> = token.trim_end_matches('=').split('.').collect();
        if !parts.iter().all(|part| is_plain(part)) {
            return None;
        }
        match (parts.as_slice(), token.starts_with("gAAAA")) {
            ([_head, _claims, _signature], _) => Some(Self::Jws),
            ([_one], true) => Some(Self::Fernet),
            _ => None,
        }
    }
}

impl std::fmt::Display for TokenForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fernet => "Fernet",
            Self::Jws => "JWS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S12: the form decides by whom a token is judged, and what has neither is nobody's.
    #[test]
    fn s12_a_token_has_one_form_or_none() {
        for (token, want) in [
            ("gAAAAABqk9", Some(TokenForm::Fernet)),
            ("gAAAAABqk9==", Some(TokenForm::Fernet)),
            ("eyJhbGci.eyJzdWIi.c2ln", Some(TokenForm::Jws)),
            ("gAAAA.gAAAA.gAAAA", Some(TokenForm::Jws)),
            ("gAAAA.gAAAA", None),
            ("eyJhbGci.eyJzdWIi.", None),
            ("eyJhbGci.eyJzdWIi.c2ln.x", None),
            ("96ac0e80280047d980fc8c62728b49d2", None),
            ("gAAAA BqA", None),
            ("", None),
            ("==", None),
        ] {
            assert_eq!(TokenForm::of_token(token), want, "{token}");
        }
    }
}
