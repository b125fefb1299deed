use serde::{Deserialize, Serialize};

/// One way by which a person proved who they are: the values of RFC 8176 that this server can vouch for.
///
/// What an upstream provider says of itself is kept apart: see [`AuthMethod::Upstream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever weighs logins must weigh each way"
)]
pub enum AuthMethod {
    /// A password: `pwd`.
    Password,
    /// A one-time code of an app, a token or a list: `otp`.
    OneTimeCode,
    /// A code sent by SMS: `sms`.
    Sms,
    /// A key in hardware that was proved to be there: `hwk`.
    HardwareKey,
    /// A key kept in software, or on a telephone that was asked: `swk`.
    SoftwareKey,
    /// The authenticator made sure of its user (a PIN, a finger): `user`.
    UserVerified,
    /// An upstream provider vouched; which ways it names is its word. Has no value of its own in `amr`.
    Upstream,
}

impl AuthMethod {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Password,
        Self::OneTimeCode,
        Self::Sms,
        Self::HardwareKey,
        Self::SoftwareKey,
        Self::UserVerified,
        Self::Upstream,
    ];

    /// The value of RFC 8176 §2, where there is one.
    #[must_use]
    pub const fn amr(self) -> Option<&'static str> {
        match self {
            Self::Password => Some("pwd"),
            Self::OneTimeCode => Some("otp"),
            Self::Sms => Some("sms"),
            Self::HardwareKey => Some("hwk"),
            Self::SoftwareKey => Some("swk"),
            Self::UserVerified => Some("user"),
            Self::Upstream => None,
        }
    }
}
