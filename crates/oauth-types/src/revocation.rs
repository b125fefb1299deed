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
    /// Its tokens with a lower `client_version` are not good, and those with this one or a later one are, whatever their
    /// `iat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
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
    pub const fn new(client_id: ClientId, end: ClientEnd, exp: u64) -> Self {
        Self {
            client_id,
            until: end.until,
            version: end.version,
            exp,
        }
    }

    /// Which of its tokens ended.
    #[must_use]
    pub const fn end(&self) -> ClientEnd {
        ClientEnd {
            until: self.until,
            version: self.version,
        }
    }
}

/// How far the clocks of two nodes of an issuer may be apart, in seconds: a node that is more than ten from the
/// database's answers nothing.
const CLOCKS_APART: u64 = 20;

/// Up to where the tokens of a client ended.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::ClientEnd;
///
/// let end = ClientEnd { until: 1_000, version: Some(2) };
/// assert!(end.covers(990, None));
/// assert!(end.covers(990, Some(1)), "from before the end");
/// assert!(!end.covers(1_000, Some(3)), "from after it, in the same second");
/// assert!(end.covers(1_010, None), "from before it, by a clock that is ahead");
/// assert!(!end.covers(1_100, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored row: a new member is a migration"
)]
pub struct ClientEnd {
    /// Up to this `iat`, in seconds since 1970, for tokens that do not say of which version of their client they are.
    pub until: u64,
    /// Below this `client_version`, for those that do; `None` where whoever ended the client did not know versions.
    pub version: Option<u64>,
}

impl ClientEnd {
    /// Whether a token of the client ended. `version` is its `client_version`.
    ///
    /// A token says its version for a minute after each change of its client, which is longer than clocks are apart: one
    /// that does not say it is from before the end, or from a minute after it.
    #[must_use]
    pub const fn covers(self, issued_at: u64, version: Option<u64>) -> bool {
        match (self.version, version) {
            (Some(end), Some(version)) => version < end,
            (Some(_), None) => issued_at <= self.until.saturating_add(CLOCKS_APART),
            (None, _) => issued_at <= self.until,
        }
    }

    /// The end that covers what either of them does.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let (earlier, later) = if self.until <= other.until {
            (self, other)
        } else {
            (other, self)
        };
        let version = match (earlier.version, later.version) {
            // The later end says what is above it, too.
            (None, Some(version)) if earlier.until < later.until => Some(version),
            (None, _) | (_, None) => None,
            (Some(one), Some(two)) => Some(one.max(two)),
        };
        Self {
            until: later.until,
            version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ClientEnd;

    #[test]
    fn two_ends_cover_what_each_does() {
        let end = |until, version| ClientEnd { until, version };
        for (one, other, want) in [
            (end(10, Some(3)), end(20, Some(5)), end(20, Some(5))),
            // The later one is of a clock that was behind.
            (end(20, Some(3)), end(10, Some(5)), end(20, Some(5))),
            (end(10, None), end(20, Some(5)), end(20, Some(5))),
            // A node that knows no versions ended it last.
            (end(10, Some(3)), end(20, None), end(20, None)),
            (end(10, Some(3)), end(10, None), end(10, None)),
        ] {
            assert_eq!(one.with(other), want, "{one:?} {other:?}");
            assert_eq!(other.with(one), want, "{one:?} {other:?}");
            assert_eq!(one.with(one), one);
        }
    }
}
