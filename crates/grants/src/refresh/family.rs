use crate::{IssuedToken, PersonGrant, token::Target};
use rustls_pki_types::UnixTime;
use sealstone_identity::unix_seconds;
use sealstone_mtls::CertificateThumbprint;
use sealstone_oauth_types::{ScopeSet, TokenHash};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, time::Duration};
use zeroize::Zeroizing;

use super::FamilyId;

/// How long the token before the current one may be repeated: a client whose answer was lost tries again within a
/// minute, and FAPI 2.0's conformance suite tries after 30 seconds.
pub const REFRESH_GRACE: Duration = Duration::from_secs(60);

/// How many access tokens of one family live at once. A client that asks for more ends the oldest: the record, and
/// what must be revoked when the family ends, stay small.
pub const MAX_LIVE_TOKENS: usize = 32;

/// How many families one person has at one client: a device each, and as many again that nobody has signed out. A
/// login beyond them ends the one that would end first by itself, so that a script that signs in each time fills nothing.
pub const MAX_FAMILIES_AT_CLIENT: usize = 100;

/// What one login gave one client, for as long as it may be refreshed.
///
/// Stored whole; [`RefreshStore`](super::RefreshStore) says what the store compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where families are made"
)]
pub struct RefreshFamily {
    /// Which family.
    pub id: FamilyId,
    /// What children follow from.
    pub key: FamilyKey,
    /// What was granted. Never wider than at first.
    pub grant: PersonGrant,
    /// The certificate that a public client must show at each refresh (RFC 8705 §4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_to: Option<CertificateThumbprint>,
    /// Whether a use makes a new token.
    pub rotates: Rotates,
    /// Whether it outlives the person's session.
    pub lifetime: FamilyLifetime,
    /// One more with each use. [`RefreshStore::rotate`](super::RefreshStore::rotate) compares it.
    pub generation: u64,
    /// The hash of the token that counts.
    pub current: TokenHash,
    /// The token before it, for the grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousToken>,
    /// What the last use gave: a repeated one gives this again and nothing new.
    pub last: LastIssue,
    /// The access tokens that may be in use, the oldest first; at most [`MAX_LIVE_TOKENS`].
    pub live: Vec<IssuedToken>,
    /// When it began.
    #[serde(with = "unix_seconds")]
    pub created_at: UnixTime,
    /// When it was last used.
    #[serde(with = "unix_seconds")]
    pub last_used_at: UnixTime,
    /// How long it may rest, in seconds.
    pub idle_s: u64,
    /// When it ends, used or not.
    #[serde(with = "unix_seconds")]
    pub ends_at: UnixTime,
}

/// The token that was exchanged last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the grace is judged by these two")]
pub struct PreviousToken {
    /// Its hash.
    pub hash: TokenHash,
    /// When it was exchanged.
    #[serde(with = "unix_seconds")]
    pub rotated_at: UnixTime,
}

/// The access token that a use of the family gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a repeated answer is made of these")]
pub struct LastIssue {
    /// Which token, and its end.
    pub token: IssuedToken,
    /// Its `iat`.
    #[serde(with = "unix_seconds")]
    pub issued_at: UnixTime,
    /// Its scope.
    pub scope: ScopeSet,
    /// For whom it is meant.
    pub target: Target,
}

/// Whether a use of a family makes a new refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "refreshing decides on each")]
pub enum Rotates {
    /// Each use does (RFC 9700 §4.14.2).
    EachUse,
    /// None does: the client authenticates, and its tokens are bound to its certificate, so that a stolen refresh token
    /// is useless twice over (FAPI 2.0 §5.3.2.1).
    Never,
}

/// What else ends a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "signing out decides on each")]
pub enum FamilyLifetime {
    /// The end of the session that it was made in.
    Session,
    /// Its own dates alone: `offline_access` was granted (OpenID Connect Core §11), or there was no session.
    Offline,
}

impl RefreshFamily {
    /// When it ends if it is not used again. Not after it: **at** it.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        let idle = self.last_used_at.as_secs().saturating_add(self.idle_s);
        UnixTime::since_unix_epoch(Duration::from_secs(idle.min(self.ends_at.as_secs())))
    }
}

/// The key from which, with a token, its child follows: 256 random bits. It never leaves the store and the rules.
#[derive(Clone, PartialEq, Eq)]
pub struct FamilyKey(Zeroizing<[u8; 32]>);

impl FamilyKey {
    /// A key of octets from a cryptographic random source.
    #[must_use]
    pub fn from_octets(octets: [u8; 32]) -> Self {
        Self(Zeroizing::new(octets))
    }

    pub(crate) fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for FamilyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FamilyKey([redacted])")
    }
}

impl Serialize for FamilyKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TokenHash::from_octets(*self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FamilyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let octets = TokenHash::deserialize(deserializer).map_err(D::Error::custom)?;
        Ok(Self::from_octets(*octets.as_octets()))
    }
}
