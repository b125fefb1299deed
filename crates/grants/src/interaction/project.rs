//! In which project a token for OpenStack is to act.

use crate::scopes;
use sealstone_identity::{PersonProject, ProjectId};
use sealstone_oauth_types::ScopeSet;

/// The projects in which the person may act now, if they were asked for.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "the rules decide on each")]
pub enum Projects<'a> {
    /// They were not asked for.
    NotAsked,
    /// These.
    Known(&'a [PersonProject]),
}

/// What is known of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the page shows each")]
pub enum ProjectNeed {
    /// None is needed: the token is not for OpenStack.
    NotNeeded,
    /// This one: it was chosen, now or before, or there is no other. A page that is shown may offer the others.
    Settled(ProjectId),
    /// The person must choose.
    Choose,
}

/// Why the project is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoProject {
    /// The projects were not asked for.
    NotAsked,
    /// There is none.
    None,
}

/// `chosen` is what the person said just now, `remembered` what they said before. Either counts only while the person
/// may act there.
pub(super) fn decide(
    scope: &ScopeSet,
    projects: Projects<'_>,
    chosen: Option<&ProjectId>,
    remembered: Option<&ProjectId>,
) -> Result<ProjectNeed, NoProject> {
    if !scope.contains(scopes::OPENSTACK_API) {
        return Ok(ProjectNeed::NotNeeded);
    }
    let known = match projects {
        Projects::NotAsked => return Err(NoProject::NotAsked),
        Projects::Known(known) => known,
    };
    let is_there = |id: &&ProjectId| known.iter().any(|known| known.project.id() == *id);
    let settled = chosen.filter(is_there).or_else(|| remembered.filter(is_there));
    match (known, settled) {
        ([], _) => Err(NoProject::None),
        (_, Some(settled)) => Ok(ProjectNeed::Settled(settled.clone())),
        ([only], None) => Ok(ProjectNeed::Settled(only.project.id().clone())),
        ([_, _, ..], None) => Ok(ProjectNeed::Choose),
    }
}
