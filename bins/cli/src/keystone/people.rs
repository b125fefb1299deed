//! Users by id or by name, as operators name them.

use anyhow::Context as _;
use sealstone_identity::{DomainId, UserId};
use sealstone_keystone::{KeystoneRefusal, KeystoneSession, User, UserFilter};

use crate::failure::{Failure, Outcome};

/// The user of this id, or of this name in the domain.
pub(super) async fn find(session: &KeystoneSession, named: &str, domain: Option<&DomainId>) -> Outcome<User> {
    if let Ok(id) = UserId::parse(named) {
        match session.user(&id).await {
            Ok(user) => return Ok(user),
            Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => {}
            Err(error) => return Err(error).with_context(|| may_not(named))?,
        }
    }
    let filter = UserFilter {
        domain_id: domain.cloned(),
        name: Some(named.to_owned()),
        enabled: None,
    };
    let mut found = session.users(&filter).await.with_context(|| may_not(named))?;
    // Keystone's database may take other letters for the same.
    found.retain(|user| user.name.as_str() == named);
    let several = found.len() > 1;
    match found.pop() {
        Some(user) if !several => Ok(user),
        Some(_) => Err(Failure::usage(format!(
            "several users are named {named}: name the domain by --user-domain ID, or the user by id"
        ))),
        None => Err(Failure::failed(format!(
            "Keystone has no user {named}: `openstack user list` names them"
        ))),
    }
}

fn may_not(named: &str) -> String {
    format!("Keystone does not show you the user {named}: log in as an administrator of its domain")
}

/// What a name is shown as in a line.
pub(super) fn label(user: &User) -> String {
    user.name.to_string()
}
