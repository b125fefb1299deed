use crate::error::{BackendError, TokenError};
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{
    Action, Actor, Event, EventId, LONGEST_PRINTABLE, Outcome, Reason, Receipt, Target, printable,
};
use sealstone_grants::Denial;
use sealstone_oauth_types::PresentedClient;

/// What is known of a request before anything about it is decided.
pub(crate) struct Attempt<'a> {
    pub(crate) action: Action,
    /// The client that it names, as the audit trail may hold it.
    pub(crate) claimed: Option<Claimed>,
    pub(crate) peer: &'a Peer,
    pub(crate) now: UnixTime,
    /// Drawn once for the whole request: the identity of its event, and of the token if one is issued.
    pub(crate) random: Random,
}

/// A name as the audit trail may hold it: where it lies, since one is made for every request.
pub(crate) struct Claimed {
    octets: [u8; LONGEST_PRINTABLE],
    length: usize,
}

impl Claimed {
    fn of(id: &str) -> Self {
        let id = printable(id);
        let length = id.len().min(LONGEST_PRINTABLE);
        let mut octets = [0; LONGEST_PRINTABLE];
        if let (Some(place), Some(id)) = (octets.get_mut(..length), id.as_bytes().get(..length)) {
            place.copy_from_slice(id);
        }
        Self { octets, length }
    }

    pub(crate) fn as_str(&self) -> &str {
        // ASCII: `printable` has made it so.
        let octets = self.octets.get(..self.length).unwrap_or_default();
        str::from_utf8(octets).unwrap_or_default()
    }
}

/// Random octets for one request.
pub(crate) struct Random {
    pub(crate) event: [u8; 16],
    pub(crate) token: [u8; 16],
}

impl Provider {
    pub(crate) fn draw(&self) -> Result<Random, BackendError> {
        let mut octets = [[0_u8; 16]; 2];
        self.0.ports.entropy.fill(octets.as_flattened_mut())?;
        let [event, token] = octets;
        Ok(Random { event, token })
    }

    pub(crate) fn attempt<'a>(
        &self,
        action: Action,
        client: Option<&PresentedClient>,
        peer: &'a Peer,
    ) -> Result<Attempt<'a>, BackendError> {
        let claimed = client.and_then(|client| client.id.as_deref());
        Ok(Attempt {
            action,
            claimed: claimed.map(Claimed::of),
            peer,
            now: self.0.ports.clock.now(),
            random: self.draw()?,
        })
    }

    /// One event for one request, kept before it is answered.
    pub(crate) fn record(
        &self,
        attempt: &Attempt<'_>,
        target: Target<'_>,
        error: Option<&TokenError>,
    ) -> Result<(), BackendError> {
        self.record_of(attempt, None, target, error)
    }

    /// The same for what a client got on behalf of this person.
    pub(crate) fn record_of(
        &self,
        attempt: &Attempt<'_>,
        user: Option<&str>,
        target: Target<'_>,
        error: Option<&TokenError>,
    ) -> Result<(), BackendError> {
        self.record_as(attempt.action, attempt, user, target, error)
    }

    /// The same where it turned out to be another action than it looked like.
    pub(crate) fn record_as(
        &self,
        action: Action,
        attempt: &Attempt<'_>,
        user: Option<&str>,
        target: Target<'_>,
        error: Option<&TokenError>,
    ) -> Result<(), BackendError> {
        let event = event(action, attempt, user, target, error);
        Ok(self.0.ports.audit.record(&event)?)
    }

    /// The same for what is answered once the receipt is settled.
    pub(crate) fn begin_record(
        &self,
        attempt: &Attempt<'_>,
        user: Option<&str>,
        target: Target<'_>,
    ) -> Result<Receipt, BackendError> {
        let event = event(attempt.action, attempt, user, target, None);
        Ok(self.0.ports.audit.begin(&event)?)
    }
}

fn event<'a>(
    action: Action,
    attempt: &'a Attempt<'_>,
    user: Option<&'a str>,
    target: Target<'a>,
    error: Option<&TokenError>,
) -> Event<'a> {
    Event {
        id: EventId::from_random(attempt.random.event),
        time: attempt.now,
        action,
        outcome: if error.is_none() {
            Outcome::Success
        } else {
            Outcome::Failure
        },
        reason: error.map(reason),
        initiator: Actor {
            client_id: attempt.claimed.as_ref().map(|claimed| claimed.as_str().into()),
            user_id: user.map(Into::into),
            address: attempt.peer.address,
        },
        target,
        request_id: attempt.peer.request_id.as_str().into(),
    }
}

const fn reason(error: &TokenError) -> Reason {
    let status = error.code().status();
    match error {
        TokenError::UnknownIssuer => Reason::new(status, "unknown_issuer"),
        // A body above the limit is answered 413, not the status of its code.
        TokenError::Denied(denial @ Denial::Malformed(request)) => {
            Reason::new(request.status(), denial.rule())
        }
        TokenError::Denied(denial) => Reason::new(status, denial.rule()).with_detail(denial.detail()),
        TokenError::TooManyRequests { .. } => Reason::new(429, "client_limit"),
        TokenError::Backend(cause) => Reason::new(status, "backend_failure").with_detail(cause.detail()),
    }
}
