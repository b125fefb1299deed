//! What is due next in an authorization request: asked anew after each step, on what is known then.

use super::pages::{client_view, project_choices, scopes_shown};
use crate::people::browser::{BrowserAnswer, BrowserContent, SessionCookie};
use crate::people::sessions::{SignedIn, is_upstream};
use crate::people::sign_in::{Advanced, Asked, Renders, person_view};
use crate::people::underway::Underway;
use crate::people::view::{ConsentView, Fault, PageErrorKind, SelectAccountView, View};
use crate::people::visit::{Step, Visit};
use sealstone_grants::authorize::AuthorizationDenial;
use sealstone_grants::interaction::{
    AuthorizePurpose, Authorizing, ConsentNeed, LoginNeed, Next, ProjectNeed, Projects, Purpose,
    SignedIn as Known, decide,
};
use sealstone_identity::PersonProject;
use sealstone_oauth_types::ResourceUri;
use sealstone_registry::Client;
use std::sync::Arc;

/// One turn of a request: how its page comes, and what its answer takes along.
pub(crate) struct Turn {
    pub(crate) renders: Renders,
    pub(crate) fault: Option<Fault>,
    pub(crate) cookie: SessionCookie,
    /// Who is signed in, once that was asked.
    pub(crate) signed_in: Option<SignedIn>,
    pub(crate) projects: Option<Vec<PersonProject>>,
}

impl Turn {
    pub(crate) const fn new(renders: Renders) -> Self {
        Self {
            renders,
            fault: None,
            cookie: SessionCookie::Keep,
            signed_in: None,
            projects: None,
        }
    }

    /// The page again, with what went wrong.
    pub(crate) fn again(self, fault: Option<Fault>) -> Self {
        Self {
            renders: Renders::Now,
            fault,
            ..self
        }
    }
}

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
            let user = turn
                .signed_in
                .as_ref()
                .map(|signed_in| signed_in.session.user_id().clone());
            let user = user.as_ref().map(sealstone_identity::UserId::as_str);
            match self.due(&underway, &request, &client, &mut turn).await? {
                Next::Login(need) => {
                    match self
                        .login_due(&mut underway, &request, &client, &mut turn, need)
                        .await?
                    {
                        Some(answer) => break answer,
                        None => continue,
                    }
                }
                Next::SelectAccount => {
                    break self
                        .select_account(&mut underway, &request, &client, &turn)
                        .await?;
                }
                Next::Consent(need) => {
                    break self
                        .ask_consent(&mut underway, &request, &client, &turn, &need)
                        .await?;
                }
                Next::Denied(denial) => break self.refuse(&underway, &request, user, denial).await?,
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
            let subject = match &turn.signed_in {
                Some(signed_in) => self.provider.subject(client, signed_in.session.user_id())?,
                None => String::new(),
            };
            let consent = match &turn.signed_in {
                Some(signed_in) => {
                    let user = signed_in.session.user_id();
                    self.people
                        .consents
                        .consent(self.domain(), user, client.id())
                        .await?
                }
                None => None,
            };
            let next = decide(
                &Authorizing {
                    request,
                    steps: underway.interaction.steps(),
                    signed_in: turn.signed_in.as_ref().map(|signed_in| Known {
                        session: &signed_in.session,
                        subject: &subject,
                    }),
                    client,
                    consent: consent.as_ref(),
                    projects: turn
                        .projects
                        .as_deref()
                        .map_or(Projects::NotAsked, Projects::Known),
                },
                self.now,
            );
            match (next, &turn.signed_in) {
                (Next::AskProjects, Some(signed_in)) if turn.projects.is_none() => {
                    turn.projects = Some(self.projects(signed_in).await?);
                }
                (next, _) => return Ok(next),
            }
        }
    }

    /// Where the person may act now: nowhere, for one whom the source knows nothing of.
    pub(crate) async fn projects(&self, signed_in: &SignedIn) -> Step<Vec<PersonProject>> {
        if is_upstream(&signed_in.session) {
            return Ok(Vec::new());
        }
        let source = self.realm.source()?;
        let answer = source.projects(signed_in.session.user_id()).await;
        Ok(crate::people::persons::answered(answer)?.unwrap_or_default())
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
        match self.advance(underway, asked).await? {
            Advanced::Page(view) => Ok(Some(BrowserAnswer::page(*view))),
            Advanced::PageDue => {
                self.keep(underway).await?;
                Ok(Some(underway.see()))
            }
            Advanced::Leave(url) => Ok(Some(BrowserAnswer::new(BrowserContent::Leave(url)))),
            Advanced::SignedIn(signed_in, cookie) => {
                turn.signed_in = Some(*signed_in);
                turn.cookie = cookie;
                turn.projects = None;
                Ok(None)
            }
            Advanced::AsSureAsCan => {
                let sid = turn
                    .signed_in
                    .as_ref()
                    .map(|signed_in| signed_in.session.sid().clone());
                underway.interaction.stepped_up = sid;
                underway.changed = true;
                Ok(None)
            }
            Advanced::Denied(denial) => {
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

    pub(crate) fn must_be_signed_in<'t>(&self, turn: &'t Turn) -> Step<&'t SignedIn> {
        turn.signed_in
            .as_ref()
            .ok_or_else(|| self.stop(PageErrorKind::Expired))
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
