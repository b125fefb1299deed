//! Why a passkey was not registered or not accepted.

/// Why a response of a browser is refused. No variant holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the audit trail names each")]
pub enum WebAuthnError {
    /// Too large, not JSON of WebAuthn's shape, or octets that do not parse.
    #[error("the browser's response is malformed")]
    Malformed,
    /// Another ceremony than this one: a registration for an assertion, or the reverse.
    #[error("the response is of another ceremony")]
    Ceremony,
    /// Signed for another challenge: old, replayed, or of another browser.
    #[error("the response answers another challenge")]
    Challenge,
    /// Made at another origin, or within a page of another origin.
    #[error("the response was made at another origin")]
    Origin,
    /// Made for another relying party.
    #[error("the response was made for another relying party")]
    RelyingParty,
    /// Nobody touched the authenticator.
    #[error("nobody was present at the authenticator")]
    Presence,
    /// The authenticator did not verify the person, and that was asked for.
    #[error("the authenticator did not verify who used it")]
    Verification,
    /// Flags about backup that exclude each other, or that changed where they cannot.
    #[error("the authenticator's statement about backup cannot be true")]
    Backup,
    /// A key of an algorithm that was not offered, or no key at all.
    #[error("the passkey's key is not of an algorithm that was offered")]
    Key,
    /// The passkey is another one than the response says, or another person's.
    #[error("the response is of another passkey")]
    Credential,
    /// The signature is not the passkey's.
    #[error("the passkey's signature does not verify")]
    Signature,
    /// The counter did not grow: there may be a copy of the authenticator.
    #[error("the authenticator's counter went back: there may be a copy of it")]
    Counter,
}

impl WebAuthnError {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::Ceremony,
        Self::Challenge,
        Self::Origin,
        Self::RelyingParty,
        Self::Presence,
        Self::Verification,
        Self::Backup,
        Self::Key,
        Self::Credential,
        Self::Signature,
        Self::Counter,
    ];

    /// A stable word in snake case, for the audit trail and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "passkey_malformed",
            Self::Ceremony => "passkey_ceremony",
            Self::Challenge => "passkey_challenge",
            Self::Origin => "passkey_origin",
            Self::RelyingParty => "passkey_relying_party",
            Self::Presence => "passkey_presence",
            Self::Verification => "passkey_verification",
            Self::Backup => "passkey_backup",
            Self::Key => "passkey_key",
            Self::Credential => "passkey_credential",
            Self::Signature => "passkey_signature",
            Self::Counter => "passkey_counter",
        }
    }
}
