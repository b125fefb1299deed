//! What revocation lists must say, and what their silence means.

use webpki::{
    CertRevocationList, ExpirationPolicy, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

/// Which certificates of a path a revocation list must speak about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "configuration lists both")]
pub enum RevocationDepth {
    /// The client's and every intermediate: each authority of the path has a list.
    #[default]
    Chain,
    /// The client's only.
    EndEntity,
}

/// What happens when revocation lists are configured and none of them answers. The default refuses throughout.
///
/// Without any list, nothing is asked. A certificate that a list in hand names is refused under every policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrlPolicy {
    /// Which certificates must be answered for.
    pub depth: RevocationDepth,
    /// Accepts certificates of an authority that has no list here.
    pub dangerous_accept_missing: bool,
    /// Accepts lists after their `nextUpdate`: what was revoked since is not known.
    pub dangerous_accept_expired: bool,
}

impl CrlPolicy {
    /// `None` without lists: then nothing is asked.
    pub(super) fn options<'a>(
        self,
        lists: &'a [&'a CertRevocationList<'a>],
    ) -> Option<RevocationOptions<'a>> {
        let builder = RevocationOptionsBuilder::new(lists).ok()?;
        let depth = match self.depth {
            RevocationDepth::Chain => RevocationCheckDepth::Chain,
            RevocationDepth::EndEntity => RevocationCheckDepth::EndEntity,
        };
        let missing = if self.dangerous_accept_missing {
            UnknownStatusPolicy::Allow
        } else {
            UnknownStatusPolicy::Deny
        };
        let expired = if self.dangerous_accept_expired {
            ExpirationPolicy::Ignore
        } else {
            ExpirationPolicy::Enforce
        };
        Some(
            builder
                .with_depth(depth)
                .with_status_policy(missing)
                .with_expiration_policy(expired)
                .build(),
        )
    }
}
