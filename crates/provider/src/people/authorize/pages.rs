use crate::people::view::{ClientView, ConsentScope, ProjectChoice};
use sealstone_grants::scopes;
use sealstone_identity::{PersonProject, ProjectId, RoleName};
use sealstone_oauth_types::{RedirectUri, ScopeSet};
use sealstone_registry::Client;

/// The client as its person sees it. Its name is what somebody registered; the host is where the browser goes.
pub(crate) fn client_view(client: &Client, redirect_uri: Option<&RedirectUri>) -> ClientView {
    let host = redirect_uri.map(|uri| {
        let origin = uri.origin();
        origin
            .split_once("://")
            .map_or(origin, |(_scheme, host)| host)
            .to_owned()
    });
    ClientView {
        name: client.name().to_owned(),
        uri: client.client_uri().map(str::to_owned),
        host,
    }
}

pub(crate) fn scopes_shown(scope: &ScopeSet) -> Vec<ConsentScope> {
    scope
        .iter()
        .map(|token| match token {
            scopes::OPENID => ConsentScope::Openid,
            scopes::PROFILE => ConsentScope::Profile,
            scopes::EMAIL => ConsentScope::Email,
            scopes::GROUPS => ConsentScope::Groups,
            scopes::OFFLINE_ACCESS => ConsentScope::OfflineAccess,
            scopes::OPENSTACK_API => ConsentScope::Openstack,
            other => ConsentScope::Other(other.to_owned()),
        })
        .collect()
}

pub(crate) fn project_choices(projects: &[PersonProject], chosen: Option<&ProjectId>) -> Vec<ProjectChoice> {
    projects
        .iter()
        .map(|known| {
            let project = &known.project;
            let domain = project.domain_name();
            ProjectChoice {
                id: project.id().as_str().to_owned(),
                name: project.name().as_str().to_owned(),
                domain: domain
                    .map_or_else(|| project.domain_id().as_str(), |name| name.as_str())
                    .to_owned(),
                roles: known
                    .roles
                    .iter()
                    .map(RoleName::as_str)
                    .map(str::to_owned)
                    .collect(),
                is_chosen: chosen == Some(project.id()),
            }
        })
        .collect()
}
