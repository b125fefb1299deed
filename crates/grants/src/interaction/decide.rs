//! What is due next in an authorization request.

use super::{
    Answer, Approved, AuthorizePurpose, LoginNeed, ProjectNeed, Projects, SignedIn, Steps, login_due,
    project::{self, NoProject},
};
use crate::{
    authorize::AuthorizationDenial,
    consent::{self, Consent},
    scopes,
};
use rustls_pki_types::UnixTime;
use sealstone_oauth_types::ScopeSet;
use sealstone_registry::Client;

/// All that is known when it is decided what is due.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the rules decide on each")]
pub struct Authorizing<'a> {
    /// The checked request.
    pub request: &'a AuthorizePurpose,
    /// What happened in its interaction; nothing before there is one.
    pub steps: Steps<'a>,
    /// Who is signed in.
    pub signed_in: Option<SignedIn<'a>>,
    /// The client, as registered now.
    pub client: &'a Client,
    /// What the person let the client have before.
    pub consent: Option<&'a Consent>,
    /// The projects in which the person may act now, if they were asked for.
    pub projects: Projects<'a>,
}

/// What is due next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver does each")]
pub enum Next {
    /// A login.
    Login(LoginNeed),
    /// The person says whether to go on as who they are: the page to select an account.
    SelectAccount,
    /// Ask the source for the person's projects, and decide again.
    AskProjects,
    /// The person says what the client may have.
    Consent(ConsentNeed),
    /// The client gets no code.
    Denied(AuthorizationDenial),
    /// The client gets a code for this.
    Finish(Box<Approved>),
}

/// What the person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the page shows all of it")]
pub struct ConsentNeed {
    /// All that the client asks for, and what the claims belong to that it asks for by name.
    pub scope: ScopeSet,
    /// What of it the person has not let it have before.
    pub new: ScopeSet,
    /// The project.
    pub project: ProjectNeed,
}

/// Decides what is due next. It is asked anew after each step, on what is known then.
#[must_use]
pub fn decide(known: &Authorizing<'_>, now: UnixTime) -> Next {
    let demand = &known.request.demand;
    let is_same_client = known.client.is_enabled()
        && known.client.id() == &known.request.client_id
        && known.client.created_at() == known.request.client_created_at;
    if !is_same_client {
        return Next::Denied(AuthorizationDenial::Outdated);
    }
    if let Some(need) = login_due(demand, known.steps, known.signed_in, now) {
        return silent_or(known, AuthorizationDenial::LoginRequired, Next::Login(need));
    }
    let Some(signed_in) = known.signed_in else {
        return Next::Denied(AuthorizationDenial::LoginRequired);
    };
    if let Err(denial) = met(known, signed_in) {
        return Next::Denied(denial);
    }
    if is_selection_due(known, signed_in) {
        return Next::SelectAccount;
    }
    consent_step(known, signed_in, now)
}

/// What a new login did not bring is not asked for again.
fn met(known: &Authorizing<'_>, signed_in: SignedIn<'_>) -> Result<(), AuthorizationDenial> {
    let demand = &known.request.demand;
    if demand
        .subject
        .as_deref()
        .is_some_and(|expected| expected != signed_in.subject)
    {
        return Err(AuthorizationDenial::OtherPerson);
    }
    if Some(signed_in.session.acr()) < demand.required_acr {
        return Err(AuthorizationDenial::AcrUnmet);
    }
    Ok(())
}

/// Whoever has just logged in has said as whom.
fn is_selection_due(known: &Authorizing<'_>, signed_in: SignedIn<'_>) -> bool {
    let sid = Some(signed_in.session.sid());
    known.request.demand.prompt.select_account && known.steps.logged_in != sid && known.steps.selected != sid
}

fn consent_step(known: &Authorizing<'_>, signed_in: SignedIn<'_>, now: UnixTime) -> Next {
    let request = known.request;
    // An answer that another person gave, in the same browser, is none.
    let given = known
        .steps
        .given
        .filter(|given| &given.user_id == signed_in.session.user_id());
    let allowed = match given.map(|given| &given.answer) {
        Some(Answer::Refused) => return Next::Denied(AuthorizationDenial::Refused),
        Some(Answer::Allowed { project }) => Some(project.as_ref()),
        None => None,
    };
    let consent = known
        .consent
        .filter(|consent| consent::is_of(consent, known.client, signed_in.session));
    let remembered = consent
        .filter(|_| !request.demand.prompt.consent)
        .and_then(|consent| consent.project.as_ref());
    let project = match project::decide(&request.scope, known.projects, allowed.flatten(), remembered) {
        Ok(project) => project,
        Err(NoProject::NotAsked) => return Next::AskProjects,
        Err(NoProject::None) => return Next::Denied(AuthorizationDenial::NoProject),
    };
    let asked = scopes::with_claims(&request.scope, request.claims.as_ref(), known.client);
    let new = consent::not_yet_let(known.client, consent, &asked);
    let must_ask = !new.is_empty() || request.demand.prompt.consent || is_elsewhere(&project, consent);
    match project {
        ProjectNeed::NotNeeded if allowed.is_some() || !must_ask => finish(known, signed_in, None, now),
        ProjectNeed::Settled(project) if allowed.is_some() || !must_ask => {
            finish(known, signed_in, Some(project), now)
        }
        project @ (ProjectNeed::NotNeeded | ProjectNeed::Settled(_) | ProjectNeed::Choose) => {
            let need = ConsentNeed {
                scope: asked,
                new,
                project,
            };
            silent_or(known, AuthorizationDenial::ConsentRequired, Next::Consent(need))
        }
    }
}

/// Whether the token would act in another project than the one that the person let the client act in: they lost their
/// roles there, and what is left is for them to let it have.
fn is_elsewhere(project: &ProjectNeed, consent: Option<&Consent>) -> bool {
    match project {
        ProjectNeed::Settled(project) => {
            consent.and_then(|consent| consent.project.as_ref()) != Some(project)
        }
        ProjectNeed::NotNeeded | ProjectNeed::Choose => false,
    }
}

fn finish(
    known: &Authorizing<'_>,
    signed_in: SignedIn<'_>,
    project: Option<sealstone_identity::ProjectId>,
    now: UnixTime,
) -> Next {
    Next::Finish(Box::new(Approved::new(known, signed_in, project, now)))
}

fn silent_or(known: &Authorizing<'_>, denial: AuthorizationDenial, next: Next) -> Next {
    if known.request.demand.prompt.none {
        Next::Denied(denial)
    } else {
        next
    }
}
