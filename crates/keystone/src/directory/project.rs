use sealstone_identity::{DomainId, ProjectId};
use serde::Deserialize;

use crate::{KeystoneError, KeystoneSession, Label, session::Query};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: Label,
    /// The domain that owns it; of a project that stands for a domain, none.
    pub domain_id: Option<DomainId>,
    /// The project above it: of a top-level one, that of its domain.
    pub parent_id: Option<ProjectId>,
    /// Whether tokens may be had for it.
    pub enabled: bool,
    /// Whether it stands for a domain.
    #[serde(default)]
    pub is_domain: bool,
    /// What is said about it.
    pub description: Option<Label>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Label>,
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// Its name.
    pub name: Label,
    /// Whether its users may log in and its projects be used.
    pub enabled: bool,
    /// What is said about it.
    pub description: Option<Label>,
}

/// Which projects. By default all that the token may see.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "callers fill what they filter by")]
pub struct ProjectFilter {
    /// Of this domain.
    pub domain_id: Option<DomainId>,
    /// Of this name.
    pub name: Option<String>,
    /// Right below this one.
    pub parent_id: Option<ProjectId>,
}

impl KeystoneSession {
    /// The projects that the filter lets through.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn projects(&self, filter: &ProjectFilter) -> Result<Vec<Project>, KeystoneError> {
        let query = Query::default()
            .with("domain_id", filter.domain_id.as_ref().map(DomainId::as_str))
            .with("name", filter.name.as_deref())
            .with("parent_id", filter.parent_id.as_ref().map(ProjectId::as_str));
        self.list("for projects", "/projects", &query, "projects").await
    }

    /// One project.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn project(&self, id: &ProjectId) -> Result<Project, KeystoneError> {
        self.one("for a project", format!("/projects/{id}"), "project")
            .await
    }

    /// The domains.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn domains(&self) -> Result<Vec<Domain>, KeystoneError> {
        self.list("for domains", "/domains", &Query::default(), "domains")
            .await
    }

    /// One domain.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn domain(&self, id: &DomainId) -> Result<Domain, KeystoneError> {
        self.one("for a domain", format!("/domains/{id}"), "domain").await
    }

    /// The projects that the token may be exchanged for.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn own_projects(&self) -> Result<Vec<Project>, KeystoneError> {
        self.list(
            "for the projects of a token",
            "/auth/projects",
            &Query::default(),
            "projects",
        )
        .await
    }

    /// The domains that the token may be exchanged for.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn own_domains(&self) -> Result<Vec<Domain>, KeystoneError> {
        self.list(
            "for the domains of a token",
            "/auth/domains",
            &Query::default(),
            "domains",
        )
        .await
    }
}
