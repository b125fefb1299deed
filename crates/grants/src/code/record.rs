use crate::{IssuedToken, PersonGrant, refresh::FamilyId};
use rustls_pki_types::UnixTime;
use sealstone_identity::unix_seconds;
use sealstone_oauth_types::{CodeChallenge, Nonce, RedirectUri, TokenHash};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a code may be exchanged: a browser's redirect and one request take seconds (RFC 6749 §4.1.2 allows ten
/// minutes, FAPI 2.0 §5.3.2.1 one).
pub const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// How long a code is remembered after it was made, so that a second use ends what the first gave: as long as the
/// longest access token lives.
pub const CODE_MEMORY: Duration = Duration::from_secs(3600);

/// An authorization code, by its hash, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where codes are made"
)]
pub struct CodeRecord {
    /// The hash of the code.
    pub hash: TokenHash,
    /// What the person let the client have.
    pub grant: PersonGrant,
    /// The redirect URI of the authorization request, which the token request must repeat; `None` if it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<RedirectUri>,
    /// The PKCE challenge; `None` only for a client that need not send one and did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<CodeChallenge>,
    /// The `nonce` for the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// When it was made.
    #[serde(with = "unix_seconds")]
    pub issued_at: UnixTime,
    /// From when it is exchanged no more: [`CODE_LIFETIME`] after.
    #[serde(with = "unix_seconds")]
    pub expires_at: UnixTime,
    /// From when it need not be remembered: [`CODE_MEMORY`] after.
    #[serde(with = "unix_seconds")]
    pub forget_at: UnixTime,
}

/// What the use of a code, or of a device code, gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "what must end if it is used again")]
pub struct Produced {
    /// The family, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<FamilyId>,
    /// The first access token, if there is one: a code may be spent for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<IssuedToken>,
}

/// Whether a code was used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the rules decide on each")]
pub enum CodeState {
    /// It was not.
    Fresh,
    /// It was, and gave this.
    Spent(Produced),
}

/// A code as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the rules decide on both")]
pub struct StoredCode {
    /// The code.
    pub record: CodeRecord,
    /// Whether it was used.
    pub state: CodeState,
}
