use crate::error::{BackendError, TokenError};
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, Outcome, Reason, Target, printable};
use sealstone_oauth_types::PresentedClient;

impl Provider {
    /// One event for one request, kept before it is answered.
    pub(crate) fn record(
        &self,
        action: Action,
        target: Target,
        claimed: Option<String>,
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
                client_id: claimed,
                address: peer.address.map(|address| address.to_string()),
            },
            target,
            request_id: peer.request_id.clone(),
        };
        Ok(self.0.ports.audit.record(&event)?)
    }

    pub(crate) fn event_id(&self) -> Result<String, BackendError> {
        let mut octets = [0_u8; 16];
        self.0.ports.entropy.fill(&mut octets)?;
        Ok(uuid(octets))
    }
}

/// The client that a request names, as the audit trail may hold it.
pub(crate) fn claimed(client: &PresentedClient) -> Option<String> {
    client.id.as_deref().map(printable)
}

/// A random UUID of these octets (RFC 9562 §5.4), written digit by digit: one is made for every request.
fn uuid(octets: [u8; 16]) -> String {
    const VERSION: u128 = 0x4 << 76;
    const VARIANT: u128 = 0x2 << 62;
    const MASK: u128 = !((0xf << 76) | (0x3 << 62));
    let number = (u128::from_be_bytes(octets) & MASK) | VERSION | VARIANT;
    let mut text = String::with_capacity(36);
    for place in (0..32_u32).rev() {
        let digit = (number >> place.saturating_mul(4)) & 0xf;
        text.push(
            u32::try_from(digit)
                .ok()
                .and_then(|digit| char::from_digit(digit, 16))
                .unwrap_or('0'),
        );
        if matches!(place, 24 | 20 | 16 | 12) {
            text.push('-');
        }
    }
    text
}

const fn reason(error: &TokenError) -> Reason {
    let rule = match error {
        TokenError::UnknownIssuer => "unknown_issuer",
        TokenError::Denied(denial) => denial.rule(),
        TokenError::Backend(_) => "backend_failure",
    };
    Reason::new(error.code().status(), rule)
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn event_ids_are_version_4() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        let counted = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(uuid(counted), "00010203-0405-4607-8809-0a0b0c0d0e0f");
    }
}
