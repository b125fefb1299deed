use serde::{Deserialize, Serialize};

use crate::{Acr, Due, UserFactors};

/// A second factor that a page can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the page has a form for each")]
pub enum FactorKind {
    /// A passkey of this server's own.
    Passkey,
    /// A code of an authenticator app, whose secret is this server's.
    Totp,
    /// One of the recovery codes: for whoever lost the others. Never the only kind.
    Recovery,
    /// The authority for second factors: privacyIDEA.
    Authority,
}

impl FactorKind {
    /// The surest login that a password with this makes.
    #[must_use]
    pub const fn reaches(self) -> Acr {
        match self {
            Self::Passkey => Acr::PhishingResistant,
            Self::Totp | Self::Recovery | Self::Authority => Acr::TwoFactor,
        }
    }

    /// Whether a person can set it up on a page of ours.
    #[must_use]
    pub const fn can_be_enrolled(self) -> bool {
        matches!(self, Self::Passkey | Self::Totp)
    }
}

/// By what a login may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the login page shows each")]
pub struct FirstFactors {
    /// Name and password, judged by the domain's source.
    pub password: bool,
    /// A passkey that makes sure of its user: stands for both factors.
    pub passkey: bool,
    /// The upstream provider.
    pub upstream: bool,
}

/// When a second factor is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the flow decides by each")]
pub enum SecondFactor {
    /// Of whoever has one.
    #[default]
    WhenEnrolled,
    /// Of everybody.
    Always,
}

/// Whether somebody who has no second factor sets one up when one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the flow decides by each")]
pub enum Enrolment {
    /// No: they do not get in. Factors are set up beforehand.
    #[default]
    Beforehand,
    /// Yes, in the same sign-in, on nothing but the first factor.
    AtLogin,
}

/// How people of one domain log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever configures a domain decides each"
)]
pub struct LoginPolicy {
    /// By what a login may begin.
    pub first: FirstFactors,
    /// When a second factor is due.
    pub second: SecondFactor,
    /// Which second factors count. With [`FactorKind::Authority`] the authority is asked at every login whether it
    /// wants one; no other kind stands in for its own.
    pub kinds: Vec<FactorKind>,
    /// What becomes of those who have none.
    pub enrolment: Enrolment,
    /// Whether `mfa` in an upstream provider's `amr` is believed.
    pub believe_upstream_mfa: bool,
}

impl LoginPolicy {
    /// Name and password, with a second factor of whoever set one up.
    #[must_use]
    pub fn password() -> Self {
        Self {
            first: FirstFactors {
                password: true,
                passkey: true,
                upstream: false,
            },
            second: SecondFactor::WhenEnrolled,
            kinds: vec![FactorKind::Passkey, FactorKind::Totp, FactorKind::Recovery],
            enrolment: Enrolment::Beforehand,
            believe_upstream_mfa: false,
        }
    }

    /// Whether this kind counts.
    #[must_use]
    pub fn allows(&self, kind: FactorKind) -> bool {
        self.kinds.contains(&kind)
    }
}

/// What the request asks for by `acr_values`, by `claims` or by the client's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "acr")]
#[expect(clippy::exhaustive_enums, reason = "the flow decides by each")]
pub enum AcrWish {
    /// Nothing.
    #[default]
    None,
    /// This, of whoever can (`acr_values`).
    Preferred(Acr),
    /// This, or nobody gets in.
    Required(Acr),
}

/// What a person has now, when it is decided what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "one that is forgotten would be a factor that is never asked for"
)]
pub struct FactorStanding {
    /// An authenticator app of this server's own.
    pub totp: bool,
    /// A passkey of this server's own.
    pub passkey: bool,
    /// A recovery code that was not used.
    pub recovery: bool,
    /// What the authority says; `None` when it was not asked, because the policy has none.
    pub authority: Option<Due>,
}

impl FactorStanding {
    /// What a record says; `recovery_left`: how many of its codes were not used.
    #[must_use]
    pub fn of(factors: Option<&UserFactors>, recovery_left: usize, authority: Option<Due>) -> Self {
        Self {
            totp: factors.is_some_and(|factors| factors.totp().is_some()),
            passkey: factors.is_some_and(|factors| !factors.passkeys().is_empty()),
            recovery: recovery_left > 0,
            authority,
        }
    }

    /// Whether a page can ask for this kind.
    #[must_use]
    pub const fn has(self, kind: FactorKind) -> bool {
        match kind {
            FactorKind::Totp => self.totp,
            FactorKind::Passkey => self.passkey,
            FactorKind::Recovery => self.recovery && (self.totp || self.passkey),
            FactorKind::Authority => matches!(self.authority, Some(Due::Yes)),
        }
    }
}
