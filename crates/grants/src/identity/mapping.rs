//! From the names in a client's certificate to a Keystone user and project, by the rules of its registration.

use crate::{ChainVerdict, Denial, PresentedCertificate};
use sealstone_claims::{
    Assertion, AssertionError, EntityRef, MappedIdentity, MappedProject, MappingError, RuleSet,
};
use sealstone_identity::{
    Authority, Delegated, MachineLogin, Name, ProjectId, ProjectScope, RoleName, UserId,
};
use sealstone_mtls::ClientCertificate;
use sealstone_registry::MachineTie;
use std::sync::Arc;

/// Whom a certificate stands for. Only the rules make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappedLogin {
    user_id: UserId,
    project_id: ProjectId,
    /// What else the rules say of the user: Keystone must say the same.
    user_name: Option<Name>,
    user_domain: Option<EntityRef>,
    project_name: Option<Name>,
    project_domain: Option<EntityRef>,
    /// The roles that the rules leave, if they name any.
    roles: Option<Vec<RoleName>>,
}

impl MappedLogin {
    pub(crate) const fn login(&self) -> MachineLogin<'_> {
        MachineLogin::MintedUser {
            user_id: &self.user_id,
            project_id: &self.project_id,
        }
    }

    /// Whether the rules leave less than Keystone gives: a token of Keystone's own can't be narrowed.
    pub(crate) const fn narrows(&self) -> bool {
        self.roles.is_some()
    }

    /// What Keystone says, if it is about the same user and project, narrowed to the roles that the rules name.
    pub(crate) fn narrow(&self, answer: Arc<Delegated>) -> Result<Arc<Delegated>, Denial> {
        let authority = &answer.authority;
        let project = super::project(authority).ok_or(Denial::OtherIdentity)?;
        let user = authority.user();
        let is_same = *user.id() == self.user_id
            && *project.id() == self.project_id
            && self.user_name.as_ref().is_none_or(|name| name == user.name())
            && self
                .project_name
                .as_ref()
                .is_none_or(|name| name == project.name())
            && is_domain(
                self.user_domain.as_ref(),
                user.domain_id().as_str(),
                user.domain_name(),
            )
            && is_domain(
                self.project_domain.as_ref(),
                project.domain_id().as_str(),
                project.domain_name(),
            );
        if !is_same {
            return Err(Denial::OtherIdentity);
        }
        let Some(roles) = &self.roles else {
            return Ok(answer);
        };
        if !roles.iter().all(|role| authority.roles().contains(role)) {
            return Err(Denial::MappingUndecided("role_not_held"));
        }
        let narrowed = narrowed(authority, project, roles).ok_or(Denial::MappingUndecided("roles"))?;
        Ok(Arc::new(Delegated {
            authority: narrowed,
            ..Delegated::clone(&answer)
        }))
    }
}

fn narrowed(authority: &Authority, project: &ProjectScope, roles: &[RoleName]) -> Option<Authority> {
    let narrowed = Authority::project(authority.user().clone(), project.clone(), roles.to_vec()).ok()?;
    match authority.access_rules() {
        Some(rules) => narrowed.with_access_rules(rules.to_vec()).ok(),
        None => Some(narrowed),
    }
}

fn is_domain(wanted: Option<&EntityRef>, id: &str, name: Option<&Name>) -> bool {
    wanted.is_none_or(|wanted| {
        wanted.id().is_none_or(|wanted| wanted.as_str() == id)
            && wanted.name().is_none_or(|wanted| Some(wanted) == name)
    })
}

/// Whom the certificate stands for; `None` for a tie that does not ask certificates.
///
/// # Errors
/// [`Denial::NoCertificate`], [`Denial::UntrustedCertificate`], [`Denial::MappingUndecided`] with the reason.
pub(crate) fn mapped(
    tie: &MachineTie,
    presented: Option<&PresentedCertificate>,
) -> Result<Option<Box<MappedLogin>>, Denial> {
    let MachineTie::Mapping { rules, project_id } = tie else {
        return Ok(None);
    };
    let presented = presented.ok_or(Denial::NoCertificate)?;
    // Names prove nothing where no authority vouches for them.
    if let ChainVerdict::NotVerified(reason) = presented.chain {
        return Err(Denial::UntrustedCertificate(reason));
    }
    decide(rules, project_id.as_ref(), &presented.certificate)
        .map(|login| Some(Box::new(login)))
        .map_err(Denial::MappingUndecided)
}

fn decide(
    rules: &RuleSet,
    registered: Option<&ProjectId>,
    certificate: &ClientCertificate,
) -> Result<MappedLogin, &'static str> {
    let assertion = certificate_assertion(certificate).map_err(|_too_much| "certificate")?;
    let identity = rules.map(&assertion).map_err(|error| word(&error))?;
    let beyond = !identity.groups().is_empty()
        || !identity.domains().is_empty()
        || !identity.system_roles().is_empty();
    if beyond {
        return Err("beyond_a_project");
    }
    let user = identity.user();
    let user_id = user.id().ok_or("no_user_id")?;
    let user_id = UserId::parse(user_id.as_str()).map_err(|_malformed| "no_user_id")?;
    let project = one_project(&identity)?;
    let named = match project.map(|project| project.project().id()) {
        None => None,
        Some(None) => return Err("no_project_id"),
        Some(Some(id)) => Some(ProjectId::parse(id.as_str()).map_err(|_malformed| "no_project_id")?),
    };
    let project_id = match (registered, named) {
        (Some(registered), Some(named)) if *registered != named => return Err("other_project"),
        (Some(registered), _) => registered.clone(),
        (None, Some(named)) => named,
        (None, None) => return Err("no_project"),
    };
    Ok(MappedLogin {
        user_id,
        project_id,
        user_name: user.name().cloned(),
        user_domain: user.domain().cloned(),
        project_name: project.and_then(|project| project.project().name().cloned()),
        project_domain: project.and_then(|project| project.domain().cloned()),
        roles: project.map(roles).transpose()?,
    })
}

fn one_project(identity: &MappedIdentity) -> Result<Option<&MappedProject>, &'static str> {
    match identity.projects() {
        [] => Ok(None),
        [project] => Ok(Some(project)),
        [_, _, ..] => Err("several_projects"),
    }
}

/// Roles by name: Keystone's answer is compared by that.
fn roles(project: &MappedProject) -> Result<Vec<RoleName>, &'static str> {
    let names = project.roles().iter().map(|role| {
        let name = role.name().ok_or("role_without_name")?;
        RoleName::parse(name.as_str()).map_err(|_malformed| "role_without_name")
    });
    names.collect()
}

const fn word(error: &MappingError) -> &'static str {
    match error {
        MappingError::Disabled => "disabled",
        MappingError::OtherSource { .. } => "other_source",
        MappingError::NoRule { .. } => "no_rule",
        MappingError::Missing { .. } => "missing_value",
        MappingError::Many { .. } => "several_values",
        MappingError::NotAllowed { .. } => "value_not_allowed",
        MappingError::Text { .. } => "unfit_value",
        MappingError::Unverified { .. } => "unverified",
        MappingError::Json { .. } => "not_json",
        MappingError::NoUser { .. } => "no_user",
        MappingError::NoDomain => "no_domain",
        MappingError::Outputs => "too_many_outputs",
        MappingError::Unusable { .. } => "unusable_value",
        _ => "undecided",
    }
}

/// The names in a certificate as an assertion, vouched for by its issuer's name.
///
/// The attributes are those of [`ClientCertificate::keystone_attributes`]: called as Keystone calls them,
/// `SSL_CLIENT_SUBJECT_DN_CN`, `SSL_CLIENT_ISSUER_DN_O`, an unknown type by its OID, and besides `SSL_CLIENT_SAN_DNS`,
/// `_URI`, `_IP` and `_EMAIL`. Where a name has several values of a type, all are there in the certificate's order; each
/// is the characters themselves, not escaped, and one value whatever characters it holds.
///
/// # Errors
/// [`AssertionError`] for more than an assertion may hold.
pub fn certificate_assertion(certificate: &ClientCertificate) -> Result<Assertion, AssertionError> {
    let attributes = certificate.keystone_attributes().into_iter();
    let builder = Assertion::builder().source(certificate.issuer().to_string());
    let builder = attributes.fold(builder, |builder, (name, values)| builder.texts(name, values));
    builder.build()
}
