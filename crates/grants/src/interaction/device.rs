//! What is due next when a person decides about a device (RFC 8628 §3.3).

use super::{
    Answer, LoginDemand, LoginNeed, ProjectNeed, Projects, SignedIn, Steps, login_due,
    project::{self, NoProject},
};
use crate::{
    PersonGrant,
    device::{DeviceDecision, DeviceRequest, DeviceState},
};
use rustls_pki_types::UnixTime;
use sealstone_identity::{AuthMethod, ProjectId};
use sealstone_login::Acr;
use sealstone_registry::Client;

/// What is due next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver does each")]
pub enum DeviceNext {
    /// A login.
    Login(LoginNeed),
    /// Ask the source for the person's projects, and decide again.
    AskProjects,
    /// The person is shown which device and which client ask, for what, and says yes or no. It is asked each time: a
    /// link that was opened approves nothing (RFC 8628 §5.4).
    Confirm(ProjectNeed),
    /// The request is over: decided, expired, or its client changed.
    Over,
    /// The person may act in no project.
    NoProject,
    /// Nobody here can sign in as surely as the client demands.
    AcrUnmet,
    /// This is written, and the person told.
    Decide(DeviceDecision),
}

/// Decides what is due next.
#[must_use]
pub fn decide_device(
    request: &DeviceRequest,
    steps: Steps<'_>,
    signed_in: Option<SignedIn<'_>>,
    client: &Client,
    projects: Projects<'_>,
    now: UnixTime,
) -> DeviceNext {
    let is_same_client = client.is_enabled()
        && client.id() == &request.client_id
        && client.domain() == &request.domain
        && client.created_at() == request.client_created_at;
    if request.state != DeviceState::Pending || request.is_expired(now) || !is_same_client {
        return DeviceNext::Over;
    }
    let Ok(demand) = demand(client) else {
        return DeviceNext::AcrUnmet;
    };
    if let Some(need) = login_due(&demand, steps, signed_in, now) {
        return DeviceNext::Login(need);
    }
    let Some(signed_in) = signed_in else {
        return DeviceNext::Over;
    };
    if Some(signed_in.session.acr()) < demand.required_acr {
        return DeviceNext::AcrUnmet;
    }
    let given = steps
        .given
        .filter(|given| &given.user_id == signed_in.session.user_id());
    let allowed = match given.map(|given| &given.answer) {
        Some(Answer::Refused) => return DeviceNext::Decide(DeviceDecision::Deny),
        Some(Answer::Allowed { project }) => Some(project.as_ref()),
        None => None,
    };
    match project::decide(&request.scope, projects, allowed.flatten(), None) {
        Err(NoProject::NotAsked) => DeviceNext::AskProjects,
        Err(NoProject::None) => DeviceNext::NoProject,
        Ok(ProjectNeed::NotNeeded) if allowed.is_some() => approve(request, signed_in, None),
        Ok(ProjectNeed::Settled(project)) if allowed.is_some() => approve(request, signed_in, Some(project)),
        Ok(project @ (ProjectNeed::NotNeeded | ProjectNeed::Settled(_) | ProjectNeed::Choose)) => {
            DeviceNext::Confirm(project)
        }
    }
}

/// A device's login lives with no session of the browser: whoever approved it signs out of the browser, and not of the
/// device. Whom an upstream provider vouched for, nobody but the session knows: that person's device lives with it.
fn approve(request: &DeviceRequest, signed_in: SignedIn<'_>, project: Option<ProjectId>) -> DeviceNext {
    let session = signed_in.session;
    let is_vouched_for = session
        .amr()
        .methods()
        .any(|method| method == AuthMethod::Upstream);
    DeviceNext::Decide(DeviceDecision::Approve(Box::new(PersonGrant {
        domain: request.domain.clone(),
        client_id: request.client_id.clone(),
        client_created_at: request.client_created_at,
        user_id: session.user_id().clone(),
        sid: is_vouched_for.then(|| session.sid().clone()),
        session_ends_at: is_vouched_for.then(|| session.ends_at()),
        authenticated_at: session.authenticated_at(),
        amr: session.amr().clone(),
        acr: session.acr(),
        scope: request.scope.clone(),
        resources: request.resources.clone(),
        project,
        claims: None,
    })))
}

/// A device can ask for nothing: the client's registration decides.
fn demand(client: &Client) -> Result<LoginDemand, ()> {
    let minimum = client
        .minimum_acr()
        .map(|text| Acr::parse(text.as_str()).ok_or(()));
    Ok(LoginDemand {
        max_age: client.default_max_age(),
        required_acr: minimum.transpose()?,
        ..LoginDemand::default()
    })
}
