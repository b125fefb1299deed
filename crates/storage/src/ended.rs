//! What is kept of a redemption and what the end of a family comes to, the same in every store.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_grants::{
    code::{Produced, Redemption},
    refresh::{EndedFamily, RefreshFamily},
};
use sealstone_oauth_types::ClientEnd;
use sealstone_registry::{Client, MAX_BOUND_LIFETIME};
use sealstone_tokens::EndedClient;

/// How long another node may issue tokens to a client that was disabled here: what the change feed promises.
const OTHER_NODES: Duration = Duration::from_secs(1);

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

/// What ends with a client that is disabled; `None` for one that is not.
pub(crate) fn ended_client(client: &Client) -> Option<EndedClient> {
    if client.is_enabled() {
        return None;
    }
    let after = |time: UnixTime, span: Duration| {
        let seconds = time.as_secs().saturating_add(span.as_secs());
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    };
    let until = after(client.updated_at(), OTHER_NODES);
    Some(EndedClient {
        client_id: client.id().clone(),
        end: ClientEnd {
            until: until.as_secs(),
            // What it got says an earlier version; what it gets once it is enabled again, a later one.
            version: Some(client.version()),
        },
        forget_at: after(until, MAX_BOUND_LIFETIME),
    })
}
