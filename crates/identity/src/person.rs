//! A person, as a source of people describes one.

use std::fmt;

use rustls_pki_types::UnixTime;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{DomainId, IdentityError, Name, ProjectScope, RoleName, UserRef, unix_seconds};

/// The most groups of one person: a token with more names no longer fits a header of common size.
pub const MAX_GROUPS: usize = 256;
/// RFC 5321 §4.5.3.1.3, less the angle brackets.
const MAX_EMAIL: usize = 254;

/// A person, as the source knew them when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a source fills each member; one that it forgets must not compile"
)]
pub struct Person {
    /// Id, login name and domain; with the domain's name.
    pub user: UserRef,
    /// The name that people call them by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<Name>,
    /// Where mail reaches them, and whether that was ever tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// The groups that they are in: at most [`MAX_GROUPS`], none twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    /// What was granted at or before this moment stands no longer: the password was changed, the person disabled for a
    /// while, every session ended.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "unix_seconds::option"
    )]
    pub valid_since: Option<UnixTime>,
}

impl Person {
    /// A person of whom only the account is known.
    #[must_use]
    pub const fn new(user: UserRef) -> Self {
        Self {
            user,
            full_name: None,
            email: None,
            groups: Vec::new(),
            valid_since: None,
        }
    }

    /// The domain that owns the account.
    #[must_use]
    pub fn domain_id(&self) -> &DomainId {
        self.user.domain_id()
    }

    /// Whether what was granted on a login of `authenticated_at` still stands.
    ///
    /// # Security
    /// Sources tell whole seconds: a login within the very second of a password change does not stand.
    #[must_use]
    pub fn stands_since(&self, authenticated_at: UnixTime) -> bool {
        self.valid_since.is_none_or(|since| authenticated_at > since)
    }
}

/// An address that mail may reach a person at.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Email {
    address: String,
    verified: bool,
}

impl Email {
    /// An address, and whether the source made sure that it is the person's own.
    ///
    /// # Errors
    /// [`IdentityError::Email`] for more than 254 octets, blanks or control characters, or no `@` with something on
    /// either side.
    pub fn new(address: &str, verified: bool) -> Result<Self, IdentityError> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"');
        let sides = address.rsplit_once('@');
        let whole = sides.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty());
        if !whole || address.len() > MAX_EMAIL || address.chars().any(odd) {
            return Err(IdentityError::Email);
        }
        Ok(Self {
            address: address.to_owned(),
            verified,
        })
    }

    /// The address, as it came.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the source made sure that it is the person's own.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.verified
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} (verified: {})", self.address, self.verified)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            address: String,
            verified: bool,
        }
        let wire = Wire::deserialize(deserializer)?;
        Self::new(&wire.address, wire.verified).map_err(D::Error::custom)
    }
}

/// A project in which a person may act, with the roles held there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a choice between projects is told by these two"
)]
pub struct PersonProject {
    /// Which project.
    pub project: ProjectScope,
    /// The roles; may be empty where the source tells them only with the authority itself.
    pub roles: Vec<RoleName>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn odd_addresses_are_refused() {
        for refused in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b\r\nBcc: x",
            "a@b,c@d",
            "<a@b>",
            &format!("{}@b", "a".repeat(254)),
        ] {
            assert_eq!(
                Email::new(refused, true),
                Err(IdentityError::Email),
                "{refused:?}"
            );
        }
        for accepted in ["a@b", "jörg+x@exämple.org", "a@b@c.example"] {
            assert_eq!(Email::new(accepted, false).unwrap().address(), accepted);
        }
    }

    #[test]
    fn a_login_stands_only_after_the_last_change() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let mut person = Person::new(UserRef::new("u1", "ada", "d1").unwrap());
        assert!(person.stands_since(at(0)));
        person.valid_since = Some(at(100));
        for (login, stands) in [(99, false), (100, false), (101, true)] {
            assert_eq!(person.stands_since(at(login)), stands, "{login}");
        }
    }

    #[test]
    fn a_person_is_read_as_written() {
        let mut person = Person::new(UserRef::new("u1", "ada", "d1").unwrap());
        for full in [false, true] {
            if full {
                person.full_name = Some(Name::parse("Ada L.").unwrap());
                person.email = Some(Email::new("ada@example.org", true).unwrap());
                person.groups = vec![Name::parse("staff").unwrap()];
                person.valid_since = Some(UnixTime::since_unix_epoch(Duration::from_secs(7)));
            }
            let text = serde_json::to_string(&person).unwrap();
            assert_eq!(serde_json::from_str::<Person>(&text).unwrap(), person);
        }
    }
}
