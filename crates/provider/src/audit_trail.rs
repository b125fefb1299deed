use crate::error::{BackendError, TokenError};
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, Outcome, Reason, Target, printable};
use std::fmt::Write as _;

impl Provider {
    /// One event for one request, kept before it is answered.
    pub(crate) fn record(
        &self,
        action: Action,
        target: Target,
        claimed: Option<&str>,
        peer: &Peer,
        error: Option<&TokenError>,
        now: UnixTime,
    ) -> Result<(), BackendError> {
        let (outcome, reason) = match error {
            None => (Outcome::Success, None),
            Some(error) => (Outcome::Failure, Some(reason(error))),
        };
        let event = Event {
            id: self.event_id()?,
            time: now,
            action,
            outcome,
            reason,
            initiator: Actor {
                client_id: claimed.map(printable),
                address: peer.address.map(|address| address.to_string()),
            },
            target,
            request_id: peer.request_id.clone(),
        };
        Ok(self.0.ports.audit.record(&event)?)
    }

    /// A random UUID (RFC 9562 §5.4).
    pub(crate) fn event_id(&self) -> Result<String, BackendError> {
        let mut octets = [0_u8; 16];
        self.0.ports.entropy.fill(&mut octets)?;
        let mut number = u128::from_be_bytes(octets);
        number = (number & !(0xf << 76)) | (0x4 << 76);
        number = (number & !(0x3 << 62)) | (0x2 << 62);
        let hex = format!("{number:032x}");
        let mut text = String::with_capacity(36);
        for (at, digit) in hex.char_indices() {
            if matches!(at, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.write_char(digit).map_err(|_never| crate::EntropyError)?;
        }
        Ok(text)
    }
}

const fn reason(error: &TokenError) -> Reason {
    let rule = match error {
        TokenError::UnknownIssuer => "unknown_issuer",
        TokenError::Denied(denial) => denial.rule(),
        TokenError::Backend(_) => "backend_failure",
    };
    Reason::new(error.code().status(), rule)
}
