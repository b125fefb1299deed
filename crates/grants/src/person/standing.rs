use crate::{GrantDenial, PersonGrant};
use sealstone_identity::{LoginRefusal, Person};
use std::sync::Arc;

/// The person is there, is who granted it, and has not changed their password or been signed out everywhere since.
pub(super) fn check(
    grant: &PersonGrant,
    answer: Result<Arc<Person>, LoginRefusal>,
) -> Result<Arc<Person>, GrantDenial> {
    let person = answer.map_err(GrantDenial::PersonRefused)?;
    if person.user.id() != &grant.user_id {
        return Err(GrantDenial::OtherPerson);
    }
    if person.stands_since(grant.authenticated_at) {
        Ok(person)
    } else {
        Err(GrantDenial::LoginOutdated)
    }
}
