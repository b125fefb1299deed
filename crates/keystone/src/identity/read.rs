//! From what a token says to what a login gives.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use sealstone_identity::{
    AccessRule, Authority, Delegated, DelegationMethod, IdentityError, MAX_ACCESS_RULES, MAX_ROLES, Name,
    ProjectScope, Refusal, RoleName, UsedApplicationCredential, UserRef,
};

use super::{Failure, known::Known, login::OwnedLogin};
use crate::{
    CredentialInToken, Fault, KeystoneError, ProjectInToken, Token, TokenInfo, TokenScope, UserInToken,
};

/// When and with what an answer was got.
pub(super) struct Reading {
    /// When it was asked for.
    pub(super) asked_at: UnixTime,
    /// When what it stands on ends by our clock, where Keystone set that end.
    pub(super) ends_at: Option<UnixTime>,
    /// The token to ask again with, and until when.
    pub(super) token: Option<(Token, UnixTime)>,
}

/// What the login gives, if the answer is about what was asked and fits a token of ours.
pub(super) fn known(login: &OwnedLogin, info: TokenInfo, reading: Reading) -> Result<Arc<Known>, Failure> {
    let project = about(login, &info).map_err(|what| mismatch(login, what))?;
    let authority = authority(&info, project).map_err(Failure::Refused)?;
    let used = info.application_credential.as_ref();
    let application_credential = match login.method() {
        DelegationMethod::ApplicationCredential => {
            used.map(used_credential).transpose().map_err(too_large)?
        }
        DelegationMethod::MappedUser | DelegationMethod::Person => None,
    };
    let delegated = Delegated {
        authority,
        method: login.method(),
        application_credential,
        expires_at: reading.ends_at,
        read_at: reading.asked_at,
    };
    Ok(Arc::new(Known {
        delegated: Arc::new(delegated),
        token: reading.token,
        role_ids: info.roles.into_iter().map(|role| role.id).collect(),
        user: info.user,
        scope: info.scope,
        audit_ids: info.audit_ids,
    }))
}

/// The project, if the answer is about the user, the project and the credential that were asked about.
fn about<'a>(login: &OwnedLogin, info: &'a TokenInfo) -> Result<&'a ProjectInToken, &'static str> {
    let TokenScope::Project { project, .. } = &info.scope else {
        return Err("scope");
    };
    if info.application_credential.as_ref().map(|used| &used.id) != login.credential() {
        return Err("application credential");
    }
    if info.trust.is_some() {
        return Err("delegation");
    }
    match login.user_and_project() {
        Some((user_id, _project_id)) if *user_id != info.user.id => Err("user"),
        Some((_user_id, project_id)) if *project_id != project.id => Err("project"),
        Some(_) | None => Ok(project),
    }
}

fn mismatch(login: &OwnedLogin, what: &'static str) -> Failure {
    let credential = login.credential().map(ToString::to_string);
    tracing::error!(what, credential, "Keystone answered about another than was asked");
    let error = KeystoneError::Malformed {
        operation: "what a login gives",
        fault: Fault::Mismatch(what),
        request_id: None,
    };
    Failure::of(error, Refusal::Credential)
}

const fn too_large(_error: IdentityError) -> Failure {
    Failure::Refused(Refusal::TooLarge)
}

fn used_credential(used: &CredentialInToken) -> Result<UsedApplicationCredential, IdentityError> {
    Ok(UsedApplicationCredential {
        id: used.id.clone(),
        name: Name::parse(used.name.as_str())?,
        restricted: used.restricted,
    })
}

/// Everything that the token says, or nothing: a role or a rule that is left out would change what the rest means.
fn authority(info: &TokenInfo, project: &ProjectInToken) -> Result<Authority, Refusal> {
    if info.roles.is_empty() {
        return Err(Refusal::NoRole);
    }
    let fits = |_error: IdentityError| Refusal::TooLarge;
    let mut roles = info
        .roles
        .iter()
        .map(|role| role_name(role.name.as_str()))
        .collect::<Result<Vec<_>, _>>()?;
    roles.sort_unstable();
    roles.dedup();
    if roles.len() > MAX_ROLES {
        return Err(Refusal::TooLarge);
    }
    let user = user(&info.user).map_err(fits)?;
    let scope = ProjectScope::new(
        project.id.as_str(),
        project.name.as_str(),
        project.domain.id.as_str(),
    )
    .and_then(|scope| scope.with_domain_name(project.domain.name.as_str()))
    .map_err(fits)?;
    let authority = Authority::project(user, scope, roles).map_err(fits)?;
    let rules = info
        .application_credential
        .as_ref()
        .and_then(|used| used.access_rules.as_ref());
    let Some(rules) = rules else {
        return Ok(authority);
    };
    if rules.len() > MAX_ACCESS_RULES {
        return Err(Refusal::TooLarge);
    }
    let rules = rules
        .iter()
        .map(|rule| AccessRule::new(rule.service.as_str(), rule.method.as_str(), rule.path.as_str()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fits)?;
    authority.with_access_rules(rules).map_err(fits)
}

fn user(user: &UserInToken) -> Result<UserRef, IdentityError> {
    UserRef::new(user.id.as_str(), user.name.as_str(), user.domain.id.as_str())?
        .with_domain_name(user.domain.name.as_str())
}

/// Services are told roles as one text with commas between, and strip blanks: a role with a comma in its name would be
/// two others, one with a blank before it another.
pub(crate) fn role_name(name: &str) -> Result<RoleName, Refusal> {
    if name.contains(',') || name.trim() != name {
        return Err(Refusal::TooLarge);
    }
    RoleName::parse(name).map_err(|_error| Refusal::TooLarge)
}
