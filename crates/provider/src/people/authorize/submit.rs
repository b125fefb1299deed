//! What a page of an authorization request sends.

use crate::people::browser::BrowserAnswer;
use crate::people::sign_in::{Enrolled, Refused, Renders};
use crate::people::turn::Turn;
use crate::people::underway::Underway;
use crate::people::view::{Fault, PageErrorKind};
use crate::people::visit::{Record, Step, Visit};
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::authorize::AuthorizationDenial;
use sealstone_grants::interaction::{
    Answer, AuthorizePurpose, ConsentNeed, Given, LoginNeed, Next, ProjectNeed, Purpose,
};
use sealstone_identity::ProjectId;
use sealstone_oauth_types::Form;
use sealstone_registry::Client;
use std::sync::Arc;

impl Visit<'_> {
    /// The client of a kept request, as it is now. One that is gone takes its requests with it.
    pub(crate) async fn client_of(&self, underway: &Underway) -> Step<Arc<Client>> {
        let request = self.authorize_purpose(underway)?;
        let found = self.provider.0.ports.clients.client(&request.client_id).await?;
        let found = found.filter(|client| client.domain() == self.domain());
        found.ok_or_else(|| self.stop(PageErrorKind::Expired))
    }

    /// Does what was pressed, if that is due, and goes on. What is not due does nothing: the page that is due is shown.
    pub(crate) async fn submit_authorize(
        &self,
        mut underway: Underway,
        client: Arc<Client>,
        form: &Form,
    ) -> Step<BrowserAnswer> {
        let request = self.authorize_purpose(&underway)?;
        let mut turn = Turn::new(Renders::Later);
        turn.signed_in = self.session().await?;
        if form.get("do") == Some("cancel") {
            let user = turn
                .signed_in
                .as_ref()
                .map(|signed_in| signed_in.session.user_id().as_str().to_owned());
            let denial = AuthorizationDenial::Refused;
            return self.refuse(&underway, &request, user.as_deref(), denial).await;
        }
        match self.due(&underway, &request, &client, &mut turn).await? {
            Next::Login(need) => {
                return Box::pin(self.submit_login(underway, client, request, turn, (need, form))).await;
            }
            Next::SelectAccount => self.selected(&mut underway, &turn, form)?,
            Next::Consent(need) => {
                if let Some(fault) = self.answered_consent(&mut underway, &client, &turn, &need, form)? {
                    turn = turn.again(Some(fault));
                }
            }
            Next::Denied(_) | Next::Finish(_) | Next::AskProjects => {}
        }
        Box::pin(self.go_on_authorizing(underway, client, turn)).await
    }

    async fn submit_login(
        &self,
        mut underway: Underway,
        client: Arc<Client>,
        request: AuthorizePurpose,
        turn: Turn,
        (need, form): (LoginNeed, &Form),
    ) -> Step<BrowserAnswer> {
        if form.get("do") == Some("upstream") && self.realm.config.policy.first.upstream {
            let hint = request.login_hint.as_ref().map(|hint| hint.as_str());
            return self.leave_upstream(&mut underway, need, hint).await;
        }
        let signed_in = turn.signed_in.clone();
        let judged = self
            .step(&mut underway, need, signed_in.as_ref(), form, Some(client.id()))
            .await?;
        match judged {
            Ok(Enrolled::Show(view)) => Ok(BrowserAnswer::page(*view)),
            Ok(Enrolled::Nothing) => Box::pin(self.go_on_authorizing(underway, client, turn)).await,
            Err(Refused::Fault(fault, _)) => {
                let turn = turn.again(Some(fault));
                Box::pin(self.go_on_authorizing(underway, client, turn)).await
            }
            Err(Refused::Denied(denial)) => {
                let denial = AuthorizationDenial::LoginFailed(denial);
                self.refuse(&underway, &request, None, denial).await
            }
        }
    }

    fn selected(&self, underway: &mut Underway, turn: &Turn, form: &Form) -> Step<()> {
        let signed_in = self.must_be_signed_in(turn)?;
        match form.get("do") {
            Some("continue") => {
                underway.interaction.selected = Some(signed_in.session.sid().clone());
                underway.interaction.person = Some(signed_in.session.user_id().clone());
                underway.changed = true;
            }
            Some("other") => {
                if let Purpose::Authorize(request) = &mut underway.interaction.purpose {
                    // Whoever comes now proves who they are.
                    request.demand.prompt.login = true;
                    underway.changed = true;
                }
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Notes what the person answered. The answer counts for this person alone, and for a project that was offered.
    fn answered_consent(
        &self,
        underway: &mut Underway,
        client: &Client,
        turn: &Turn,
        need: &ConsentNeed,
        form: &Form,
    ) -> Step<Option<Fault>> {
        let signed_in = self.must_be_signed_in(turn)?;
        let user_id = signed_in.session.user_id().clone();
        let answer = match form.get("do") {
            Some("deny") => {
                self.record(&Record {
                    action: Action::DenyConsent,
                    user: Some(user_id.as_str()),
                    client: Some(client.id()),
                    target: Target::User(user_id.as_str().into()),
                    refused: None::<Reason>,
                })?;
                Answer::Refused
            }
            Some("allow") => match chosen_project(need, turn, form) {
                Ok(project) => Answer::Allowed { project },
                Err(fault) => return Ok(Some(fault)),
            },
            Some(_) | None => return Ok(None),
        };
        underway.interaction.given = Some(Given { user_id, answer });
        underway.changed = true;
        Ok(None)
    }
}

/// The project that the form names, if it is one of those that were offered.
pub(crate) fn offered(turn: &Turn, form: &Form) -> Option<ProjectId> {
    let id = ProjectId::parse(form.get("project")?).ok()?;
    let offered = turn.projects.as_deref().unwrap_or_default();
    offered
        .iter()
        .any(|known| *known.project.id() == id)
        .then_some(id)
}

fn chosen_project(need: &ConsentNeed, turn: &Turn, form: &Form) -> Result<Option<ProjectId>, Fault> {
    match &need.project {
        ProjectNeed::NotNeeded => Ok(None),
        ProjectNeed::Settled(settled) if form.get("project").is_none() => Ok(Some(settled.clone())),
        ProjectNeed::Settled(_) | ProjectNeed::Choose => {
            offered(turn, form).map(Some).ok_or(Fault::NoProject)
        }
    }
}
