use std::{collections::BTreeSet, fmt};

use sealstone_identity::AuthMethod;
use serde::{Deserialize, Serialize};

/// The most ways that an upstream provider may name; RFC 8176 has 20.
pub const MAX_UPSTREAM_AMR: usize = 16;
/// RFC 8176's longest value has 6 characters; others are as short.
const MAX_UPSTREAM_VALUE: usize = 32;

/// How sure a login is (`acr`): the greater, the surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_enums,
    reason = "these three are advertised; their order is the rule"
)]
pub enum Acr {
    /// One factor: a password, or the word of an upstream provider.
    #[serde(rename = "urn:sealstone:acr:one-factor")]
    OneFactor,
    /// Two factors of different kinds.
    #[serde(rename = "urn:sealstone:acr:two-factor")]
    TwoFactor,
    /// A passkey that made sure of its user: no page but ours can ask for it (OpenID EAP ACR Values 1.0, `phr`).
    #[serde(rename = "phr")]
    PhishingResistant,
}

impl Acr {
    /// Each of them, the least sure first: `acr_values_supported`.
    pub const ALL: [Self; 3] = [Self::OneFactor, Self::TwoFactor, Self::PhishingResistant];

    /// As it stands in `acr` and `acr_values`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneFactor => "urn:sealstone:acr:one-factor",
            Self::TwoFactor => "urn:sealstone:acr:two-factor",
            Self::PhishingResistant => "phr",
        }
    }

    /// The one with this name, letter by letter; `None` for a name that is not ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.as_str() == text)
    }
}

impl fmt::Display for Acr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// By which ways a login was proved: exactly those that happened (RFC 8176).
///
/// What an upstream provider says of its own login is kept apart from what was seen here, and only read together with
/// it in [`Amr::values`].
///
/// # Examples
/// ```
/// use sealstone_identity::AuthMethod::{OneTimeCode, Password};
/// use sealstone_login::{Acr, Amr};
///
/// let amr = Amr::of([OneTimeCode, Password]);
/// assert_eq!(amr.values(), ["mfa", "otp", "pwd"]);
/// assert_eq!(amr.acr(), Some(Acr::TwoFactor));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amr {
    methods: BTreeSet<AuthMethod>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    upstream: BTreeSet<String>,
    /// The policy believes the upstream provider that it took two factors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    upstream_two: bool,
}

/// What a way of logging in shows: two ways are two factors only when they differ in this.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Knows,
    Has,
    Vouched,
}

impl Amr {
    /// Ways that were seen here.
    pub fn of(methods: impl IntoIterator<Item = AuthMethod>) -> Self {
        Self {
            methods: methods.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The word of an upstream provider, with the ways that it names. `believe_two`: whether its `mfa` is believed.
    ///
    /// Values that are no short words, and what is beyond the sixteenth, are left out.
    #[must_use]
    pub fn upstream(values: &[String], believe_two: bool) -> Self {
        let word = |value: &&String| {
            !value.is_empty()
                && value.len() <= MAX_UPSTREAM_VALUE
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
        };
        let upstream: BTreeSet<String> = values
            .iter()
            .filter(word)
            .take(MAX_UPSTREAM_AMR)
            .cloned()
            .collect();
        Self {
            methods: BTreeSet::from([AuthMethod::Upstream]),
            upstream_two: believe_two && upstream.contains("mfa"),
            upstream,
        }
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.methods.extend(other.methods.iter().copied());
        self.upstream.extend(other.upstream.iter().cloned());
        self.upstream_two |= other.upstream_two;
        self
    }

    /// The ways that were seen here.
    pub fn methods(&self) -> impl Iterator<Item = AuthMethod> + '_ {
        self.methods.iter().copied()
    }

    /// Whether nothing was proved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.methods.is_empty()
    }

    /// How sure that is; `None` when nothing was proved.
    ///
    /// Two ways of one kind are one factor: a code of an app and a code by SMS show only what somebody has.
    #[must_use]
    pub fn acr(&self) -> Option<Acr> {
        let kinds: BTreeSet<Kind> = self.methods.iter().filter_map(|method| kind(*method)).collect();
        if self.has_verified_key() {
            return Some(Acr::PhishingResistant);
        }
        match kinds.len() {
            0 => None,
            1 if self.upstream_two => Some(Acr::TwoFactor),
            1 => Some(Acr::OneFactor),
            _ => Some(Acr::TwoFactor),
        }
    }

    /// The values of `amr`, in order, none twice; `mfa` when there were two factors.
    #[must_use]
    pub fn values(&self) -> Vec<&str> {
        let mut values: BTreeSet<&str> = self.methods.iter().filter_map(|method| method.amr()).collect();
        values.extend(
            self.upstream
                .iter()
                .map(String::as_str)
                .filter(|value| *value != "mfa"),
        );
        if self.acr() >= Some(Acr::TwoFactor) {
            values.insert("mfa");
        }
        values.into_iter().collect()
    }

    /// A key that made sure of its user: the only kind that no other page can ask for.
    fn has_verified_key(&self) -> bool {
        let key = [AuthMethod::HardwareKey, AuthMethod::SoftwareKey];
        self.methods.contains(&AuthMethod::UserVerified) && key.iter().any(|key| self.methods.contains(key))
    }
}

const fn kind(method: AuthMethod) -> Option<Kind> {
    match method {
        AuthMethod::Password => Some(Kind::Knows),
        AuthMethod::OneTimeCode | AuthMethod::Sms | AuthMethod::HardwareKey | AuthMethod::SoftwareKey => {
            Some(Kind::Has)
        }
        AuthMethod::Upstream => Some(Kind::Vouched),
        AuthMethod::UserVerified => None,
    }
}

#[cfg(test)]
mod tests;
