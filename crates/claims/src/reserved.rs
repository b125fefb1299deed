/// A claim that the server alone sets: who issued the token, to whom, for whom, for what, until when, and who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReservedClaim(&'static str);

/// RFC 7519 §4.1, RFC 9068 §2.2, RFC 8693 §4, RFC 7800 §3.1, RFC 7662 §2.2, OpenID Connect Core §2 and Back-Channel
/// Logout §2.4, and this project's own.
const RESERVED: [&str; 34] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "auth_time",
    "acr",
    "amr",
    "act",
    "may_act",
    "cnf",
    "active",
    "token_type",
    "username",
    "authorization_details",
    "azp",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "sub_jwk",
    "sid",
    "events",
    "toe",
    "txn",
    "_claim_names",
    "_claim_sources",
    "roles",
    "openstack_context",
    "delegation_context",
];

impl ReservedClaim {
    /// The reserved claim of this name, if it is one. Letter case does not matter: readers that fold case exist.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        RESERVED
            .iter()
            .find(|reserved| reserved.eq_ignore_ascii_case(name))
            .map(|reserved| Self(reserved))
    }

    /// Every reserved claim.
    pub fn all() -> impl Iterator<Item = Self> {
        RESERVED.iter().map(|name| Self(name))
    }

    /// The claim's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}
