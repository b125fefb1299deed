use serde::{Deserialize, Serialize};

use crate::{Issuer, TokenId};

/// What an issuer no longer stands for: keys and tokens, for resource servers that verify offline.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::RevocationDocument;
///
/// let text = r#"{"iss":"https://id.example/v4/oauth2/demo","iat":1,"revoked_keys":["k1"],"revoked_tokens":[]}"#;
/// let document: RevocationDocument = serde_json::from_str(text).unwrap();
/// assert_eq!(document.revoked_keys, ["k1"]);
/// assert_eq!(serde_json::to_string(&document).unwrap(), text);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RevocationDocument {
    /// The issuer that says so.
    pub iss: Issuer,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// Until when it may be used, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// The ids of revoked keys: no token signed by one is good, whatever its date.
    pub revoked_keys: Vec<String>,
    /// Revoked tokens that have not ended by themselves.
    pub revoked_tokens: Vec<RevokedTokenId>,
}

/// One revoked token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RevokedTokenId {
    /// The token's id.
    pub jti: TokenId,
    /// When it would have ended, in seconds since 1970; after that the entry may be forgotten.
    pub exp: u64,
}

impl RevocationDocument {
    /// A document that revokes nothing.
    #[must_use]
    pub const fn new(iss: Issuer, iat: u64) -> Self {
        Self {
            iss,
            iat,
            exp: None,
            revoked_keys: Vec::new(),
            revoked_tokens: Vec::new(),
        }
    }
}

impl RevokedTokenId {
    /// An entry.
    #[must_use]
    pub const fn new(jti: TokenId, exp: u64) -> Self {
        Self { jti, exp }
    }
}
