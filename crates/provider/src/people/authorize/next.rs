//! What is due next in an authorization request: asked anew after each step, on what is known then.

use super::pages::{client_view, project_choices, scopes_shown};
use crate::people::browser::BrowserAnswer;
use crate::people::sign_in::{Asked, Renders, person_view};
use crate::people::turn::{Entered, Turn};
use crate::people::underway::Underway;
use crate::people::view::{ConsentView, PageErrorKind, SelectAccountView, View};
use crate::people::visit::{Step, Visit};
use sealstone_grants::authorize::AuthorizationDenial;
use sealstone_grants::interaction::{
    AuthorizePurpose, Authorizing, ConsentNeed, LoginNeed, Next, ProjectNeed, Purpose, decide,
};
use sealstone_identity::UserId;
use sealstone_oauth_types::ResourceUri;
use sealstone_registry::Client;
use std::sync::Arc;

impl Visit<'_> {
    /// Goes on until a page is due, or the client is answered.
    pub(crate) async fn go_on_authorizing(
        &self,
        mut underway: Underway,
        client: Arc<Client>,
        mut turn: Turn,
    ) -> Step<BrowserAnswer> {
        let request = self.authorize_purpose(&underway)?;
        if turn.signed_in.is_none() {
            turn.signed_in = self.session().await?;
        }
        let answer = loop {
            match self.due(&underway, &request, &client, &mut turn).await? {
                Next::Login(need) => {
                    let answer = self.login_due(&mut underway, &request, &client, &mut turn, need);
                    if let Some(answer) = answer.await? {
                        break answer;
                    }
                }
                Next::SelectAccount => {
                    let page = self.select_account(&mut underway, &request, &client, &turn);
                    break page.await?;
                }
                Next::Consent(need) => {
                    let page = self.ask_consent(&mut underway, &request, &client, &turn, &need);
                    break page.await?;
                }
                Next::Denied(denial) => {
                    let user = turn.user().map(UserId::as_str);
                    break self.refuse(&underway, &request, user, denial).await?;
                }
                Next::Finish(approved) => {
                    if let Some(signed_in) = turn.signed_in.take() {
                        self.join(signed_in.session, client.id()).await?;
                    }
                    break self.approve(&underway, &request, *approved).await?;
                }
                // Asked for before it is decided.
                Next::AskProjects => return Err(self.stop(PageErrorKind::Unavailable)),
            }
        };
        Ok(answer.with_session(turn.cookie).with_locales(&request))
    }

    pub(crate) fn authorize_purpose(&self, underway: &Underway) -> Step<AuthorizePurpose> {
        match &underway.interaction.purpose {
            Purpose::Authorize(request) => Ok((**request).clone()),
            Purpose::Device { .. } | Purpose::Account | Purpose::Logout(_) => {
                Err(self.stop(PageErrorKind::Expired))
            }
        }
    }

    /// What is due next. The person's projects are asked for when the rules want to know them.
    pub(crate) async fn due(
        &self,
        underway: &Underway,
        request: &AuthorizePurpose,
        client: &Client,
        turn: &mut Turn,
    ) -> Step<Next> {
        loop {
            let subject = self.subject_of(turn, client)?;
            let consent = match turn.user() {
                Some(user) => {
                    let consents = &self.people.consents;
                    consents.consent(self.domain(), user, client.id()).await?
                }
                None => None,
            };
            let known = Authorizing {
                request,
                steps: underway.interaction.steps(),
                signed_in: turn.known(&subject),
                client,
                consent: consent.as_ref(),
                projects: turn.known_projects(),
            };
            let next = decide(&known, self.now);
            if next != Next::AskProjects || !self.ask_for_projects(turn).await? {
                return Ok(next);
            }
        }
    }

    /// The login's page, or its answer; `None`: the person is signed in, decide again.
    async fn login_due(
        &self,
        underway: &mut Underway,
        request: &AuthorizePurpose,
        client: &Client,
        turn: &mut Turn,
        need: LoginNeed,
    ) -> Step<Option<BrowserAnswer>> {
        let asked = Asked {
            need,
            signed_in: turn.signed_in.as_ref(),
            client: Some(client_view(client, Some(&request.redirect_uri))),
            login_hint: request.login_hint.as_ref().map(|hint| hint.as_str()),
            may_cancel: true,
            fault: turn.fault,
            renders: turn.renders,
        };
        let advanced = self.advance(underway, asked).await?;
        match self.entered(underway, turn, advanced).await? {
            Entered::Answered(answer) => Ok(Some(answer)),
            Entered::Changed => Ok(None),
            Entered::Denied(denial) => {
                let denial = AuthorizationDenial::LoginFailed(denial);
                Ok(Some(self.refuse(underway, request, None, denial).await?))
            }
        }
    }

    async fn select_account(
        &self,
        underway: &mut Underway,
        request: &AuthorizePurpose,
        client: &Client,
        turn: &Turn,
    ) -> Step<BrowserAnswer> {
        if let Some(elsewhere) = self.page_is_due(underway, turn.renders).await? {
            return Ok(elsewhere);
        }
        let signed_in = self.must_be_signed_in(turn)?;
        Ok(BrowserAnswer::page(View::SelectAccount(SelectAccountView {
            form: underway.form(self),
            client: Some(client_view(client, Some(&request.redirect_uri))),
            person: person_view(&signed_in.person),
        })))
    }

    async fn ask_consent(
        &self,
        underway: &mut Underway,
        request: &AuthorizePurpose,
        client: &Client,
        turn: &Turn,
        need: &ConsentNeed,
    ) -> Step<BrowserAnswer> {
        if let Some(elsewhere) = self.page_is_due(underway, turn.renders).await? {
            return Ok(elsewhere);
        }
        let signed_in = self.must_be_signed_in(turn)?;
        let projects = turn.projects.as_deref().unwrap_or_default();
        let chosen = match &need.project {
            ProjectNeed::Settled(project) => Some(project),
            ProjectNeed::NotNeeded | ProjectNeed::Choose => None,
        };
        Ok(BrowserAnswer::page(View::Consent(ConsentView {
            form: underway.form(self),
            client: client_view(client, Some(&request.redirect_uri)),
            person: person_view(&signed_in.person),
            scopes: scopes_shown(&need.scope),
            resources: request
                .resources
                .iter()
                .map(ResourceUri::as_str)
                .map(str::to_owned)
                .collect(),
            projects: match need.project {
                ProjectNeed::NotNeeded => Vec::new(),
                ProjectNeed::Settled(_) | ProjectNeed::Choose => project_choices(projects, chosen),
            },
            fault: turn.fault,
        })))
    }

    /// Before a page is shown, what happened is kept. A page that follows a form is one of its own, so that going back
    /// or loading anew sends nothing twice.
    pub(crate) async fn page_is_due(
        &self,
        underway: &mut Underway,
        renders: Renders,
    ) -> Step<Option<BrowserAnswer>> {
        if underway.changed {
            self.keep(underway).await?;
        }
        Ok((renders == Renders::Later && underway.id().is_some()).then(|| underway.see()))
    }
}

impl BrowserAnswer {
    fn with_locales(self, request: &AuthorizePurpose) -> Self {
        Self {
            ui_locales: request.ui_locales.iter().map(str::to_owned).collect(),
            ..self
        }
    }
}
