//! What is kept of a redemption and what the end of a family comes to, the same in every store.

use rustls_pki_types::UnixTime;
use sealstone_grants::{
    code::{Produced, Redemption},
    refresh::{EndedFamily, RefreshFamily},
};

/// What a code, or a device code, gave.
pub(crate) fn produced(redemption: &Redemption) -> Produced {
    Produced {
        family: redemption.family.as_ref().map(|family| family.id),
        token: Some(redemption.token.clone()),
    }
}

/// What is told of a family that ends now, with the access tokens that are to be revoked.
pub(crate) fn ended(family: RefreshFamily, now: UnixTime) -> EndedFamily {
    let mut revoked = family.live;
    revoked.retain(|token| token.is_live(now));
    EndedFamily {
        id: family.id,
        user_id: family.grant.user_id,
        client_id: family.grant.client_id,
        revoked,
    }
}
