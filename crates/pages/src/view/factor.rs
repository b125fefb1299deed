use super::Trouble;

/// A way to prove the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum FactorKind {
    /// A code of an authenticator app.
    Totp,
    /// A passkey or security key.
    Passkey,
    /// A recovery code.
    Recovery,
    /// A code that another service judges.
    Code,
    /// A confirmation on the person's own device.
    Push,
}

impl FactorKind {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Totp, Self::Passkey, Self::Recovery, Self::Code, Self::Push];

    /// What is posted as `factor`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::Recovery => "recovery",
            Self::Code => "code",
            Self::Push => "push",
        }
    }
}

/// Which code is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum CodeKind {
    /// Of an authenticator app: six digits.
    Totp,
    /// One of the recovery codes.
    Recovery,
    /// Judged by another service.
    Other {
        /// What that service says to the person ("Enter the code that was sent to …").
        message: Option<String>,
    },
}

/// Asks for a code. Posts `do` = `code` with `code`; `do` = `use` with `factor`; or `do` = `cancel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePage {
    /// Who signs in.
    pub account: String,
    /// Which code.
    pub kind: CodeKind,
    /// Other ways that this person has.
    pub others: Vec<FactorKind>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// Waits for a confirmation elsewhere; asks again by itself every few seconds. Posts `do` = `poll`, `use` or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PushPage {
    /// Who signs in.
    pub account: String,
    /// What the service says to the person.
    pub message: Option<String>,
    /// After how many seconds the page is loaded again, at least 1.
    pub refresh_s: u64,
    /// Other ways that this person has.
    pub others: Vec<FactorKind>,
    /// What went wrong before: then it does not load again by itself.
    pub trouble: Option<Trouble>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// Asks for a passkey as second factor. Posts `do` = `passkey` with `credential`, `use` or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PasskeyPage {
    /// Who signs in.
    pub account: String,
    /// The JSON of `PublicKeyCredentialRequestOptions`.
    pub options: String,
    /// Other ways that this person has.
    pub others: Vec<FactorKind>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// Which second factor to set up. Posts `do` = `enrol` with `factor`, or `do` = `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnrolPage {
    /// Who sets it up.
    pub account: String,
    /// An authenticator app is allowed.
    pub totp: bool,
    /// A passkey is allowed.
    pub passkey: bool,
    /// Nobody gets further without.
    pub required: bool,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// An authenticator app. Posts `do` = `enrol_totp` with `code`, or `do` = `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnrolTotpPage {
    /// Who sets it up.
    pub account: String,
    /// The secret in base32, for typing.
    pub secret: String,
    /// The `otpauth://` URI; the page draws it as a QR code.
    pub uri: String,
    /// Nobody gets further without.
    pub required: bool,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// A passkey. Posts `do` = `enrol_passkey` with `credential` and `name`, or `do` = `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnrolPasskeyPage {
    /// Who sets it up.
    pub account: String,
    /// The JSON of `PublicKeyCredentialCreationOptions`.
    pub options: String,
    /// Nobody gets further without.
    pub required: bool,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// Recovery codes, this once. Posts `do` = `saved`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecoveryCodesPage {
    /// Whose they are.
    pub account: String,
    /// The codes.
    pub codes: Vec<String>,
}
