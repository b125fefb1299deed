use crate::{GrantDenial, identity};
use rustls_pki_types::UnixTime;
use sealstone_identity::{Delegated, LoginRefusal, Person, ProjectId};
use std::sync::Arc;

/// The authority is this person's, over this one project, and not at its end.
pub(super) fn check(
    person: &Person,
    project_id: &ProjectId,
    answer: Result<Arc<Delegated>, LoginRefusal>,
    now: UnixTime,
) -> Result<Arc<Delegated>, GrantDenial> {
    let delegated = answer.map_err(GrantDenial::PersonRefused)?;
    let authority = &delegated.authority;
    let is_same = identity::project(authority).is_some_and(|project| project.id() == project_id)
        && authority.user().id() == person.user.id();
    if !is_same {
        return Err(GrantDenial::OtherAuthority);
    }
    match delegated.expires_at {
        Some(end) if end.as_secs() <= now.as_secs() => Err(GrantDenial::PersonRefused(LoginRefusal::Ended)),
        Some(_) | None => Ok(delegated),
    }
}
