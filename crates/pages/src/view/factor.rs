use super::Trouble;

/// Which code is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum CodeKind {
    /// Of an authenticator app: six digits.
    Totp,
    /// One of the recovery codes.
    Recovery,
    /// One that somebody else judges.
    Other,
}

/// Asks for a code, a passkey, or either.
///
/// Posts `do` = `code` with `code` or with `credential` of a passkey, or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodePage {
    /// Who signs in.
    pub account: String,
    /// For which client, where one asks.
    pub client: Option<String>,
    /// Which codes are taken; one field takes each. Empty where only a passkey will do.
    pub kinds: Vec<CodeKind>,
    /// What whoever judges the code says to the person ("Enter the code that was sent to …").
    pub message: Option<String>,
    /// What the browser's passkey dialogue is asked: `PublicKeyCredentialRequestOptions` as JSON.
    pub passkey: Option<String>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

impl CodePage {
    /// The passkey is what the person means to use: recovery codes are for when it is lost.
    pub(crate) fn passkey_first(&self) -> bool {
        self.passkey.is_some() && self.only_recovery()
    }

    pub(crate) fn only_recovery(&self) -> bool {
        self.kinds.iter().all(|kind| *kind == CodeKind::Recovery)
    }

    pub(crate) fn takes_recovery(&self) -> bool {
        self.kinds.contains(&CodeKind::Recovery)
    }

    pub(crate) fn only_digits(&self) -> bool {
        self.kinds.iter().all(|kind| *kind == CodeKind::Totp)
    }

    pub(crate) fn is_totp(&self) -> bool {
        self.kinds.contains(&CodeKind::Totp)
    }
}

/// Waits for a confirmation elsewhere; loads itself again every few seconds, unless a code is being typed.
///
/// Posts `do` = `poll`, `code` with `code`, or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitPage {
    /// Who signs in.
    pub account: String,
    /// For which client, where one asks.
    pub client: Option<String>,
    /// What whoever judges it says to the person.
    pub message: Option<String>,
    /// After how many seconds the page is loaded again.
    pub refresh_s: u32,
    /// The address of the page.
    pub address: String,
    /// The address of the page for those who type a code instead; `None` where no code is taken.
    pub typing_address: Option<String>,
    /// Whether a code is being typed: then it does not load itself again.
    pub typing: bool,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

/// Which second factor to set up. Posts `do` = `totp`, `passkey`, `later` or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnrolPage {
    /// Who sets it up.
    pub account: String,
    /// An authenticator app is allowed.
    pub totp: bool,
    /// A passkey is allowed.
    pub passkey: bool,
    /// Whether it can be left for later.
    pub may_skip: bool,
}

/// An authenticator app. Posts `do` = `confirm` with `code`, or `back`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EnrolTotpPage {
    /// Who sets it up.
    pub account: String,
    /// The secret in base32, for typing.
    pub secret: String,
    /// The `otpauth://` URI: a link, for whoever reads the page on the telephone that has the app.
    pub uri: String,
    /// The same as a QR code.
    pub picture: Picture,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

impl std::fmt::Debug for EnrolTotpPage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EnrolTotpPage").finish_non_exhaustive()
    }
}

/// A drawing of black lines, one wide each, on a square.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// How long a side of the square is.
    pub side: u32,
    /// The `d` attribute of the path (SVG 2 §9.3).
    pub path: String,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Picture").finish_non_exhaustive()
    }
}

/// A passkey. Posts `do` = `confirm` with `credential` and `name`, or `back`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnrolPasskeyPage {
    /// Who sets it up.
    pub account: String,
    /// `PublicKeyCredentialCreationOptions` as JSON.
    pub options: String,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

/// Recovery codes, this once. Posts `do` = `continue`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RecoveryCodesPage {
    /// The codes.
    pub codes: Vec<String>,
}

impl std::fmt::Debug for RecoveryCodesPage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RecoveryCodesPage")
            .finish_non_exhaustive()
    }
}
