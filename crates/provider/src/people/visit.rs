//! One request of a browser, and what it is worked on with.

use super::browser::{BrowserAnswer, BrowserContext, SessionCookie};
use super::error::BrowserError;
use super::ports::{PeoplePorts, Realm};
use super::view::{PageError, PageErrorKind, View};
use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Reason, Target};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, OpaqueToken};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// One request of a browser at one issuer.
pub(crate) struct Visit<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) people: &'a PeoplePorts,
    pub(crate) realm: Arc<Realm>,
    pub(crate) issuer: Arc<IssuerState>,
    pub(crate) browser: &'a BrowserContext,
    /// The value of the browser's cookie: as sent, or drawn for a browser that has none.
    pub(crate) cookie: OpaqueToken,
    pub(crate) is_new_browser: bool,
    pub(crate) now: UnixTime,
}

/// Why a step does not go on: the answer is known already, or there is none.
pub(crate) enum Stop {
    Answer(Box<BrowserAnswer>),
    Fault(Box<BrowserError>),
}

pub(crate) type Step<T> = Result<T, Stop>;

impl<E: Into<BackendError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fault(Box::new(BrowserError::Backend(error.into())))
    }
}

impl Stop {
    pub(crate) fn page(view: View) -> Self {
        Self::Answer(Box::new(BrowserAnswer::page(view)))
    }
}

impl Provider {
    pub(crate) fn visit<'a>(
        &'a self,
        domain: &DomainId,
        browser: &'a BrowserContext,
    ) -> Result<Visit<'a>, BrowserError> {
        let issuer = self.issuer(domain)?;
        let people = self.0.ports.people.as_ref().ok_or(BrowserError::UnknownIssuer)?;
        let realm = people.realm(domain).ok_or(BrowserError::UnknownIssuer)?;
        let sent = browser.browser.as_ref();
        let sent = sent.and_then(|cookie| OpaqueToken::parse(cookie.expose()).ok());
        let is_new_browser = sent.is_none();
        let cookie = match sent {
            Some(cookie) => cookie,
            None => self.draw_token()?,
        };
        Ok(Visit {
            provider: self,
            people,
            realm: Arc::clone(realm),
            issuer,
            browser,
            cookie,
            is_new_browser,
            now: self.0.ports.clock.now(),
        })
    }

    pub(crate) fn draw_token(&self) -> Result<OpaqueToken, BackendError> {
        let mut octets = [0_u8; 32];
        self.0.ports.entropy.fill(&mut octets)?;
        Ok(OpaqueToken::from_octets(octets))
    }
}

impl Visit<'_> {
    pub(crate) fn domain(&self) -> &DomainId {
        &self.issuer.domain
    }

    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], BackendError> {
        let mut octets = [0_u8; N];
        self.provider.0.ports.entropy.fill(&mut octets)?;
        Ok(octets)
    }

    pub(crate) fn token(&self) -> Result<OpaqueToken, BackendError> {
        self.provider.draw_token()
    }

    /// An answer that was found early is an answer like any other. A new browser gets its cookie.
    pub(crate) fn settle(&self, result: Step<BrowserAnswer>) -> Result<BrowserAnswer, BrowserError> {
        let mut answer = match result {
            Ok(answer) => answer,
            Err(Stop::Answer(answer)) => *answer,
            Err(Stop::Fault(error)) => return Err(*error),
        };
        if self.is_new_browser {
            answer.browser = Some(self.cookie.expose().into());
        }
        Ok(answer)
    }

    /// A page that tells a fault; nobody but the person is told.
    pub(crate) fn fault(&self, kind: PageErrorKind) -> PageError {
        PageError {
            kind,
            code: None,
            description: None,
            client: None,
            request_id: self.browser.peer.request_id.as_str().to_owned(),
        }
    }

    pub(crate) fn stop(&self, kind: PageErrorKind) -> Stop {
        Stop::page(View::Error(self.fault(kind)))
    }

    pub(crate) fn record(&self, event: &Record<'_>) -> Result<(), BackendError> {
        record(self.provider, event, &self.browser.peer, self.now)
    }

    pub(crate) fn session_cookie(token: &OpaqueToken) -> SessionCookie {
        SessionCookie::Set(token.expose().into())
    }
}

/// What happened, for the audit trail.
pub(crate) struct Record<'a> {
    pub(crate) action: Action,
    pub(crate) user: Option<&'a str>,
    pub(crate) client: Option<&'a ClientId>,
    pub(crate) target: Target<'a>,
    /// Why not; `None` for what was done.
    pub(crate) refused: Option<Reason>,
}

/// One event, kept before anything that follows from it is answered.
pub(crate) fn record(
    provider: &Provider,
    record: &Record<'_>,
    peer: &crate::Peer,
    now: UnixTime,
) -> Result<(), BackendError> {
    let mut id = [0_u8; 16];
    provider.0.ports.entropy.fill(&mut id)?;
    let event = Event {
        id: EventId::from_random(id),
        time: now,
        action: record.action,
        outcome: if record.refused.is_none() {
            Outcome::Success
        } else {
            Outcome::Failure
        },
        reason: record.refused,
        initiator: Actor {
            client_id: record.client.map(|client| client.as_str().into()),
            user_id: record.user.map(Into::into),
            address: peer.address,
        },
        target: record.target.clone(),
        request_id: peer.request_id.as_str().into(),
    };
    Ok(provider.0.ports.audit.record(&event)?)
}

/// An error with everything that caused it, for the log.
pub(crate) struct Causes<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
