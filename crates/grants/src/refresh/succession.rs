use super::{REFRESH_GRACE, RefreshFamily};
use crate::GrantDenial;
use rustls_pki_types::UnixTime;
use sealstone_oauth_types::TokenHash;

/// Where a token of a family stands in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Succession {
    /// It is the one that counts.
    Next,
    /// It was exchanged a moment ago, and its child has not been used: the same answer is due again.
    Again,
}

/// A token that is neither the current one nor the one before it within its grace was used twice: by its client and by
/// a thief, whoever came first (RFC 9700 §4.14.2).
///
/// Whoever sends a token with the family's own part held a token of the family once. One with another end is no
/// mistake of a client.
pub(super) fn judge(
    family: &RefreshFamily,
    presented: &TokenHash,
    now: UnixTime,
) -> Result<Succession, GrantDenial> {
    if *presented == family.current {
        return Ok(Succession::Next);
    }
    let is_within_grace = family.previous.as_ref().is_some_and(|previous| {
        let ends = previous
            .rotated_at
            .as_secs()
            .saturating_add(REFRESH_GRACE.as_secs());
        previous.hash == *presented && now.as_secs() <= ends
    });
    if is_within_grace {
        Ok(Succession::Again)
    } else {
        Err(GrantDenial::RefreshTokenReused)
    }
}
