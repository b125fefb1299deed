//! The device grant (RFC 8628): a device asks, and a person decides in a browser.

use super::authorize::{client_view, offered, project_choices, scopes_shown};
use super::browser::{BrowserAnswer, BrowserContext};
use super::error::BrowserError;
use super::sign_in::{Asked, Enrolled, Refused, Renders, person_view};
use super::turn::{Entered, Turn};
use super::underway::{Draft, Underway};
use super::view::{DeviceConfirmView, DeviceDoneView, DeviceEnterView, Fault, PageErrorKind, View};
use super::visit::{Record, Step, Visit};
use crate::provider::Provider;
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::device::{Decided, DeviceDecision, DeviceRequest};
use sealstone_grants::interaction::{
    Answer, DeviceNext, Given, LoginNeed, ProjectNeed, Purpose, decide_device,
};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{Form, RequestError, TokenHash, UserCode};
use sealstone_registry::Client;
use std::sync::Arc;

impl Provider {
    /// `GET /device`, with `user_code` or without (RFC 8628 §3.3): the page to type the code. It approves nothing.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn device_page(
        &self,
        domain: &DomainId,
        parameters: Result<Form, RequestError>,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let visit = self.visit(domain, browser)?;
        let sent = parameters.ok();
        let typed = sent.as_ref().and_then(|form| form.get("user_code"));
        let typed = typed.and_then(|text| UserCode::parse(text).ok());
        visit.settle(Ok(visit.enter_code(typed.map(|code| code.to_string()), None)))
    }
}

impl Visit<'_> {
    /// The page for the code; what came with a link is only written into its field.
    fn enter_code(&self, user_code: Option<String>, fault: Option<Fault>) -> BrowserAnswer {
        // The purpose is not known before a code is: the page carries nothing of it.
        let draft = Draft::Device(String::new());
        let underway = Underway::new(self, Purpose::Account, draft);
        BrowserAnswer::page(View::DeviceEnter(DeviceEnterView {
            form: underway.form(self),
            user_code,
            fault,
        }))
    }

    /// The request that has this code, or the page again.
    pub(crate) async fn device_by_code(&self, typed: &str) -> Step<Result<Underway, BrowserAnswer>> {
        let unknown = || Ok(Err(self.enter_code(None, Some(Fault::UnknownUserCode))));
        let Ok(code) = UserCode::parse(typed) else {
            return unknown();
        };
        let found = self
            .people
            .devices
            .device_by_user_code(self.domain(), &code, self.now)
            .await?;
        match found {
            Some(request) => {
                let purpose = Purpose::Device { hash: request.hash };
                // From here on the page names the code itself, so that the next form finds the same request.
                Ok(Ok(Underway::new(self, purpose, Draft::Device(code.to_string()))))
            }
            None => unknown(),
        }
    }

    async fn device_request(&self, hash: &TokenHash) -> Step<Option<(Box<DeviceRequest>, Arc<Client>)>> {
        let Some(request) = self.people.devices.device(hash).await? else {
            return Ok(None);
        };
        if request.domain != *self.domain() {
            return Ok(None);
        }
        let client = self.provider.0.ports.clients.client(&request.client_id).await?;
        Ok(client.map(|client| (request, client)))
    }

    async fn device_due(
        &self,
        underway: &Underway,
        request: &DeviceRequest,
        client: &Client,
        turn: &mut Turn,
    ) -> Step<DeviceNext> {
        loop {
            let subject = self.subject_of(turn, client)?;
            let (steps, known) = (underway.interaction.steps(), turn.known(&subject));
            let next = decide_device(request, steps, known, client, turn.known_projects(), self.now);
            if next != DeviceNext::AskProjects || !self.ask_for_projects(turn).await? {
                return Ok(next);
            }
        }
    }

    pub(crate) async fn go_on_with_device(
        &self,
        mut underway: Underway,
        hash: &TokenHash,
        mut turn: Turn,
    ) -> Step<BrowserAnswer> {
        if turn.signed_in.is_none() {
            turn.signed_in = self.session().await?;
        }
        let answer = loop {
            let Some((request, client)) = self.device_request(hash).await? else {
                break self.enter_code(None, Some(Fault::UnknownUserCode));
            };
            match self.device_due(&underway, &request, &client, &mut turn).await? {
                DeviceNext::Login(need) => {
                    let answer = self.device_login(&mut underway, &client, &mut turn, need);
                    if let Some(answer) = answer.await? {
                        break answer;
                    }
                }
                DeviceNext::Confirm(project) => {
                    if let Some(elsewhere) = self.page_is_due(&mut underway, turn.renders).await? {
                        break elsewhere;
                    }
                    break self.confirm_page(&underway, &request, &client, &turn, &project)?;
                }
                DeviceNext::Over => break self.enter_code(None, Some(Fault::UnknownUserCode)),
                DeviceNext::NoProject | DeviceNext::AcrUnmet => {
                    break BrowserAnswer::page(View::Error(self.fault(PageErrorKind::NotAllowed)));
                }
                DeviceNext::Decide(decision) => {
                    let done = self.decide_device(&underway, &request, &client, &turn, &decision);
                    break done.await?;
                }
                // Asked for before it is decided.
                DeviceNext::AskProjects => return Err(self.stop(PageErrorKind::Unavailable)),
            }
        };
        Ok(answer.with_session(turn.cookie))
    }

    async fn device_login(
        &self,
        underway: &mut Underway,
        client: &Client,
        turn: &mut Turn,
        need: LoginNeed,
    ) -> Step<Option<BrowserAnswer>> {
        let asked = Asked {
            need,
            signed_in: turn.signed_in.as_ref(),
            client: Some(client_view(client, None)),
            login_hint: None,
            may_cancel: false,
            fault: turn.fault,
            renders: turn.renders,
        };
        let advanced = self.advance(underway, asked).await?;
        match self.entered(underway, turn, advanced).await? {
            Entered::Answered(answer) => Ok(Some(answer)),
            Entered::Changed => Ok(None),
            Entered::Denied(_) => Err(self.stop(PageErrorKind::NotAllowed)),
        }
    }

    fn confirm_page(
        &self,
        underway: &Underway,
        request: &DeviceRequest,
        client: &Client,
        turn: &Turn,
        project: &ProjectNeed,
    ) -> Step<BrowserAnswer> {
        let signed_in = self.must_be_signed_in(turn)?;
        let known = turn.projects.as_deref().unwrap_or_default();
        let projects = match project {
            ProjectNeed::NotNeeded => Vec::new(),
            ProjectNeed::Settled(chosen) => project_choices(known, Some(chosen)),
            ProjectNeed::Choose => project_choices(known, None),
        };
        Ok(BrowserAnswer::page(View::DeviceConfirm(DeviceConfirmView {
            form: underway.form(self),
            client: client_view(client, None),
            person: person_view(&signed_in.person),
            user_code: request.user_code.to_string(),
            address: request.origin.address.clone(),
            agent: request.origin.agent.clone(),
            asked_at: request.created_at.as_secs(),
            scopes: scopes_shown(&request.scope),
            projects,
            fault: turn.fault,
        })))
    }

    async fn decide_device(
        &self,
        underway: &Underway,
        request: &DeviceRequest,
        client: &Client,
        turn: &Turn,
        decision: &DeviceDecision,
    ) -> Step<BrowserAnswer> {
        let user = self.must_be_signed_in(turn)?.session.user_id().as_str();
        self.take(underway).await?;
        let allowed = matches!(decision, DeviceDecision::Approve(_));
        self.record(&Record {
            action: if allowed {
                Action::AllowDevice
            } else {
                Action::DenyDevice
            },
            user: Some(user),
            client: Some(client.id()),
            target: Target::Client(client.id().as_str().into()),
            refused: None::<Reason>,
        })?;
        match self
            .people
            .devices
            .decide(&request.hash, decision, self.now)
            .await?
        {
            Decided::Done => Ok(BrowserAnswer::page(View::DeviceDone(DeviceDoneView {
                allowed,
                client: client_view(client, None),
            }))),
            Decided::TooLate => Ok(self.enter_code(None, Some(Fault::UnknownUserCode))),
        }
    }

    pub(crate) async fn submit_device(
        &self,
        mut underway: Underway,
        hash: &TokenHash,
        form: &Form,
    ) -> Step<BrowserAnswer> {
        let mut turn = Turn::new(Renders::Later);
        turn.signed_in = self.session().await?;
        let Some((request, client)) = self.device_request(hash).await? else {
            return Ok(self.enter_code(None, Some(Fault::UnknownUserCode)));
        };
        match self.device_due(&underway, &request, &client, &mut turn).await? {
            DeviceNext::Login(need) => {
                return Box::pin(self.submit_device_login(underway, hash, &client, turn, (need, form))).await;
            }
            DeviceNext::Confirm(project) => {
                let user_id = self.must_be_signed_in(&turn)?.session.user_id().clone();
                let answer = match (form.get("do"), &project) {
                    (Some("deny"), _) => Some(Answer::Refused),
                    (Some("allow"), ProjectNeed::NotNeeded) => Some(Answer::Allowed { project: None }),
                    (Some("allow"), _) => {
                        offered(&turn, form).map(|id| Answer::Allowed { project: Some(id) })
                    }
                    _ => None,
                };
                if answer.is_none() && form.get("do") == Some("allow") {
                    turn = turn.again(Some(Fault::NoProject));
                }
                underway.interaction.given = answer.map(|answer| Given { user_id, answer });
            }
            DeviceNext::AskProjects
            | DeviceNext::Over
            | DeviceNext::NoProject
            | DeviceNext::AcrUnmet
            | DeviceNext::Decide(_) => {}
        }
        Box::pin(self.go_on_with_device(underway, hash, turn)).await
    }

    async fn submit_device_login(
        &self,
        mut underway: Underway,
        hash: &TokenHash,
        client: &Client,
        turn: Turn,
        (need, form): (LoginNeed, &Form),
    ) -> Step<BrowserAnswer> {
        if form.get("do") == Some("upstream") && self.realm.config.policy.first.upstream {
            return self.leave_upstream(&mut underway, need, None).await;
        }
        let signed_in = turn.signed_in.clone();
        match self
            .step(&mut underway, need, signed_in.as_ref(), form, Some(client.id()))
            .await?
        {
            Ok(Enrolled::Show(view)) => Ok(BrowserAnswer::page(*view)),
            Ok(Enrolled::Nothing) => Box::pin(self.go_on_with_device(underway, hash, turn)).await,
            Err(Refused::Fault(fault, _)) => {
                Box::pin(self.go_on_with_device(underway, hash, turn.again(Some(fault)))).await
            }
            Err(Refused::Denied(_)) => Err(self.stop(PageErrorKind::NotAllowed)),
        }
    }
}
