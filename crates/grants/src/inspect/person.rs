use crate::{identity, person::narrowing, refresh::RefreshFamily};
use rustls_pki_types::UnixTime;
use sealstone_identity::{Authority, Delegated, LoginRefusal, Person, ProjectId, UserId};
use sealstone_registry::Client;

/// Whether a good token of a person still stands, by what the source says of them now: they are there, and their login
/// of then still counts.
#[must_use]
pub fn person_stands(
    answer: Result<&Person, LoginRefusal>,
    user_id: &UserId,
    authenticated_at: UnixTime,
) -> bool {
    answer.is_ok_and(|person| person.user.id() == user_id && person.stands_since(authenticated_at))
}

/// The project to ask about for a person's token that carries this authority; `None` for one that no token of a person
/// carries: it does not stand.
#[must_use]
pub fn person_project(carried: &Authority) -> Option<&ProjectId> {
    identity::project(carried).map(sealstone_identity::ProjectScope::id)
}

/// Whether what the source says now still allows all that a person's token carries.
#[must_use]
pub fn person_authority_stands(answer: &Delegated, carried: &Authority, now: UnixTime) -> bool {
    let is_over = answer
        .expires_at
        .is_some_and(|end| end.as_secs() <= now.as_secs());
    !is_over && answer.authority.covers(carried)
}

/// Whether the client may end a family by one of its refresh tokens (RFC 7009 §2.1): whichever token of it, old or new,
/// since only its client ever had one.
#[must_use]
pub fn may_end(caller: &Client, family: &RefreshFamily) -> bool {
    narrowing::is_of(caller, &family.grant)
}
