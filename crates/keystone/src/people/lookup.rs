//! What is asked about a person, in whose name.

use std::{collections::BTreeMap, sync::Arc};

use rustls_pki_types::UnixTime;
use sealstone_identity::{Delegated, DomainId, LoginRefusal, Person, PersonProject, ProjectId, UserId};

use super::{Failure, KeystonePeople, NEEDS_EITHER, read};
use crate::{
    AssignmentFilter, DomainRef, KeystoneError, KeystoneRefusal, KeystoneSession, Project, Token,
    mint::Minted,
};

const NEEDS_READER: &str = "a service account with the role `admin`: it reads users, groups, domains, projects, role \
                            assignments and revocations";
const NEEDS_OWN: &str = "a Keystone that lets people read their own user, groups and projects";
/// More domains than one person has projects in; projects of others are shown without their domain's name.
const MAX_DOMAINS: usize = 32;

impl KeystonePeople {
    pub(super) async fn read_person(&self, id: &UserId, now: UnixTime) -> Result<Person, Failure> {
        if let Some(service) = self.service() {
            return self.read_by_service(service, id).await;
        }
        let (token, domain) = self.minted(id, now).await?;
        self.read_as(&token, id, &domain, LoginRefusal::Person).await
    }

    /// A token made here for the person alone, which Keystone has judged, and their domain.
    async fn minted(&self, id: &UserId, now: UnixTime) -> Result<(Token, DomainRef), Failure> {
        let mint = self.inner.identity.inner.mint.as_ref();
        let mint = mint.ok_or(Failure::NotConfigured(NEEDS_EITHER))?;
        let token = mint.lookup(&Minted::Unscoped { user_id: id }, now)?;
        let info = self.client().validate(&token, &token).await;
        let info = info.map_err(|error| Failure::of(error, LoginRefusal::Person))?;
        if info.user.id == *id {
            Ok((token, info.user.domain))
        } else {
            Err(read::mismatch("user"))
        }
    }

    pub(super) async fn read_by_service(
        &self,
        service: &KeystoneSession,
        id: &UserId,
    ) -> Result<Person, Failure> {
        let identity = &self.inner.identity;
        identity.catch_up(service).await.map_err(ours)?;
        let (user, groups) = tokio::join!(service.user(id), service.groups_of(id));
        let user = user.map_err(person_gone)?;
        let groups = groups.map_err(person_gone)?;
        let domain = enabled_domain(service, &user.domain_id, LoginRefusal::Person).await?;
        read::person(id, &user, &domain, &groups, self.inner.vouched)
    }

    /// With the person's own token, whose refusal is `refused`.
    pub(super) async fn read_as(
        &self,
        token: &Token,
        id: &UserId,
        domain: &DomainRef,
        refused: LoginRefusal,
    ) -> Result<Person, Failure> {
        let session = KeystoneSession::with_token(self.client().clone(), token.clone());
        let (user, groups) = tokio::join!(session.user(id), session.groups_of(id));
        let own = |error| own(error, refused);
        let (user, groups) = (user.map_err(own)?, groups.map_err(own)?);
        read::person(id, &user, domain, &groups, self.inner.vouched)
    }

    pub(super) async fn known_projects(&self, id: &UserId) -> Result<Vec<PersonProject>, Failure> {
        // Whether they may act at all.
        self.known_person(id).await?;
        if let Some(service) = self.service() {
            let filter = effective(id, None);
            let (projects, assignments) = tokio::join!(service.projects_of(id), service.assignments(&filter));
            let projects = projects.map_err(person_gone)?;
            let assignments = assignments.map_err(ours)?;
            let domains = domains_of(service, &projects).await?;
            return read::projects(id, projects, &assignments, &domains);
        }
        let (token, domain) = self.minted(id, self.client().now()).await?;
        let session = KeystoneSession::with_token(self.client().clone(), token);
        let projects = session.own_projects().await;
        let projects = projects.map_err(|error| own(error, LoginRefusal::Person))?;
        read::own_projects(projects, &domain)
    }

    /// By the service account: what Keystone would put into the person's token.
    pub(super) async fn read_authority(
        &self,
        service: &KeystoneSession,
        user: &UserId,
        project: &ProjectId,
    ) -> Result<Arc<Delegated>, Failure> {
        let known = self.known_person(user).await?;
        let read_at = known.read_at.min(self.client().now());
        let filter = effective(user, Some(project));
        let (found, assignments) = tokio::join!(service.project(project), service.assignments(&filter));
        let no_role = |error: KeystoneError| gone(error, LoginRefusal::NoRole);
        let (found, assignments) = (found.map_err(no_role)?, assignments.map_err(no_role)?);
        if found.id != *project {
            return Err(read::mismatch("project"));
        }
        let domain_id = found.domain_id.clone();
        let domain_id = domain_id.ok_or(Failure::Refused(LoginRefusal::NoRole))?;
        let domain = enabled_domain(service, &domain_id, LoginRefusal::NoRole).await?;
        read::authority(&known.person, &found, &domain, &assignments, read_at)
    }
}

/// The domains of these projects, as far as they are looked at: with a name, if they are enabled.
async fn domains_of(
    service: &KeystoneSession,
    projects: &[Project],
) -> Result<BTreeMap<DomainId, Option<DomainRef>>, Failure> {
    let mut domains = BTreeMap::new();
    for id in projects.iter().filter_map(|project| project.domain_id.as_ref()) {
        if domains.len() >= MAX_DOMAINS || domains.contains_key(id) {
            continue;
        }
        let domain = match enabled_domain(service, id, LoginRefusal::NoRole).await {
            Ok(domain) => Some(domain),
            Err(Failure::Refused(_)) => None,
            Err(failure) => return Err(failure),
        };
        domains.insert(id.clone(), domain);
    }
    Ok(domains)
}

fn effective(user: &UserId, project: Option<&ProjectId>) -> AssignmentFilter {
    AssignmentFilter {
        user_id: Some(user.clone()),
        project_id: project.cloned(),
        effective: true,
        names: true,
        ..AssignmentFilter::default()
    }
}

async fn enabled_domain(
    service: &KeystoneSession,
    id: &DomainId,
    refused: LoginRefusal,
) -> Result<DomainRef, Failure> {
    let domain = service.domain(id).await.map_err(|error| gone(error, refused))?;
    if domain.id != *id {
        return Err(read::mismatch("domain"));
    }
    if !domain.enabled {
        return Err(Failure::Refused(refused));
    }
    Ok(DomainRef {
        id: domain.id,
        name: domain.name,
    })
}

/// A 404 is about whom was asked about; any other refusal is of our own account.
fn gone(error: KeystoneError, refused: LoginRefusal) -> Failure {
    if error.refusal() == Some(KeystoneRefusal::NotFound) {
        return Failure::Refused(refused);
    }
    ours(error)
}

fn person_gone(error: KeystoneError) -> Failure {
    gone(error, LoginRefusal::Person)
}

fn ours(error: KeystoneError) -> Failure {
    Failure::of_ours(error, NEEDS_READER)
}

/// With the person's own token: a token that counts no longer is theirs, what they may not read is the cloud's.
fn own(error: KeystoneError, refused: LoginRefusal) -> Failure {
    match error.refusal() {
        Some(KeystoneRefusal::Unauthenticated | KeystoneRefusal::NotFound) => Failure::Refused(refused),
        Some(_) | None => Failure::of_ours(error, NEEDS_OWN),
    }
}
