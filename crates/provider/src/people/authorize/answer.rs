//! The answers that leave us: to the client, or to the person where nobody else may be told.

use crate::people::broker::{ProfileRefusal, misuse_of_head, misuse_of_request};
use crate::people::browser::{BrowserAnswer, BrowserContent, FormPost};
use crate::people::error::BrowserError;
use crate::people::underway::Underway;
use crate::people::view::{PageErrorKind, View};
use crate::people::visit::{Causes, Record, Step, Stop, Visit};
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::authorize::{AuthorizationAnswer, AuthorizationDenial, Displayed, Redirected};
use sealstone_grants::interaction::{Approved, AuthorizePurpose};
use sealstone_oauth_types::{ClientId, ErrorCode, ResponseMode, Secret};
use sealstone_registry::Client;

impl Visit<'_> {
    /// A fault that goes nowhere: there is no address that is known to be the client's.
    pub(super) fn displayed(&self, displayed: Displayed) -> Step<Stop> {
        self.record(&Record {
            action: Action::Authorize,
            user: None,
            client: None,
            target: Target::Issuer(self.domain().as_str().into()),
            refused: Some(Reason::new(400, displayed.rule())),
        })?;
        if self.is_broker() {
            return Ok(misused(misuse_of_head(displayed)));
        }
        let mut fault = self.fault(PageErrorKind::Request);
        fault.code = Some(ErrorCode::InvalidRequest.as_str());
        fault.description = Some(described(displayed));
        Ok(Stop::page(View::Error(fault)))
    }

    /// A fault that the client is told.
    pub(super) fn redirected(&self, client: &Client, redirected: &Redirected) -> Step<Stop> {
        let answer = self.refusal(client.id(), None, &redirected.answer, redirected.denial)?;
        match misuse_of_request(redirected.denial).filter(|_| self.is_broker()) {
            Some(misuse) => Ok(misused(misuse)),
            None => Ok(Stop::Answer(Box::new(answer))),
        }
    }

    fn refusal(
        &self,
        client: &ClientId,
        user: Option<&str>,
        answer: &AuthorizationAnswer,
        denial: AuthorizationDenial,
    ) -> Step<BrowserAnswer> {
        let status = denial.code().status();
        self.record(&Record {
            action: Action::Authorize,
            user,
            client: Some(client),
            target: Target::Issuer(self.domain().as_str().into()),
            refused: Some(Reason::new(status, denial.rule()).with_detail(denial.detail())),
        })?;
        Ok(away(answer, answer.refusal(denial, &self.issuer.issuer)))
    }

    /// The client of a silent request is told that we can't answer.
    pub(super) fn failed_silently(
        &self,
        request: &AuthorizePurpose,
        fault: BrowserError,
    ) -> Step<BrowserAnswer> {
        let BrowserError::Backend(cause) = fault else {
            return Err(Stop::Fault(Box::new(fault)));
        };
        tracing::error!(client.id = %request.client_id, error = %Causes(&cause), "a silent authorization request failed");
        let is_passing = cause.code() == ErrorCode::TemporarilyUnavailable;
        let denial = if is_passing {
            AuthorizationDenial::Unavailable
        } else {
            AuthorizationDenial::Failed
        };
        self.refusal(
            &request.client_id,
            None,
            &AuthorizationAnswer::of(request),
            denial,
        )
    }

    /// The client gets no code. What was under way is over.
    pub(crate) async fn refuse(
        &self,
        underway: &Underway,
        request: &AuthorizePurpose,
        user: Option<&str>,
        denial: AuthorizationDenial,
    ) -> Step<BrowserAnswer> {
        self.take(underway).await?;
        let answer = AuthorizationAnswer::of(request);
        let answer = self.refusal(&request.client_id, user, &answer, denial)?;
        Ok(with_locales(answer, request))
    }

    /// The client gets a code. What was under way is over first: of two answers to one page, one gives a code.
    pub(super) async fn approve(
        &self,
        underway: &Underway,
        request: &AuthorizePurpose,
        approved: Approved,
    ) -> Step<BrowserAnswer> {
        self.take(underway).await?;
        let user = approved.grant().user_id.clone();
        let event = |action| Record {
            action,
            user: Some(user.as_str()),
            client: Some(&request.client_id),
            target: Target::User(user.as_str().into()),
            refused: None,
        };
        if let Some(consent) = approved.remembers() {
            self.people.consents.put_consent(consent).await?;
            self.record(&event(Action::AllowConsent))?;
        }
        let code = self.token()?;
        let record = approved.into_code(&code, self.now);
        self.record(&event(Action::Authorize))?;
        self.people.codes.insert_code(record).await?;
        let answer = AuthorizationAnswer::of(request);
        let parameters = answer.success(&code, &self.issuer.issuer);
        Ok(with_locales(away(&answer, parameters), request))
    }
}

/// A broker tells what is outside of its profile where it was asked, and redirects nobody.
fn misused(refusal: ProfileRefusal) -> Stop {
    Stop::Answer(Box::new(BrowserAnswer::new(BrowserContent::Refusal(refusal))))
}

fn with_locales(answer: BrowserAnswer, request: &AuthorizePurpose) -> BrowserAnswer {
    BrowserAnswer {
        ui_locales: request.ui_locales.iter().map(str::to_owned).collect(),
        ..answer
    }
}

/// To the client, by the way that it asked for.
fn away(answer: &AuthorizationAnswer, parameters: Vec<(&'static str, Secret)>) -> BrowserAnswer {
    let uri = answer.redirect_uri();
    BrowserAnswer::new(match answer.response_mode() {
        ResponseMode::Query => {
            let exposed: Vec<(&str, &str)> = parameters
                .iter()
                .map(|(name, value)| (*name, value.expose()))
                .collect();
            BrowserContent::Leave(Secret::from(uri.with_parameters(&exposed)))
        }
        ResponseMode::FormPost => BrowserContent::FormPost(FormPost {
            action: uri.as_str().to_owned(),
            origin: uri.origin().to_owned(),
            fields: parameters,
        }),
    })
}

const fn described(displayed: Displayed) -> &'static str {
    match displayed {
        Displayed::Malformed(_) => {
            "the request cannot be read: look at client_id, redirect_uri and its encoding"
        }
        Displayed::UnknownClient => "client_id is not known here",
        Displayed::DisabledClient => "the client is disabled",
        Displayed::UnregisteredRedirectUri => "redirect_uri does not match any registered URI",
    }
}
