use serde::{Deserialize, Serialize};

use crate::{ClientId, Issuer, TokenId};

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
    /// Clients that were disabled or deleted: what they got until then is not good, whatever its date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_clients: Vec<EndedClientId>,
}

/// A client whose tokens ended with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndedClientId {
    /// The client.
    pub client_id: ClientId,
    /// Its tokens with an `iat` up to this one, in seconds since 1970, are not good.
    pub until: u64,
    /// When the last of them would have ended, in seconds since 1970; after that the entry may be forgotten.
    pub exp: u64,
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
            ended_clients: Vec::new(),
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

impl EndedClientId {
    /// An entry.
    #[must_use]
    pub const fn new(client_id: ClientId, until: u64, exp: u64) -> Self {
        Self {
            client_id,
            until,
            exp,
        }
    }
}
