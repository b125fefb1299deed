use crate::{PersonGrant, code::Produced};
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, unix_seconds};
use sealstone_mtls::CertificateThumbprint;
use sealstone_oauth_types::{ClientId, ResourceUri, ScopeSet, TokenHash, UserCode};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a person has to type the code and log in: as long as it takes to find the telephone (RFC 8628 §3.2).
pub const DEVICE_LIFETIME: Duration = Duration::from_secs(600);

/// How many seconds a device waits between polls, at first (RFC 8628 §3.2).
pub const DEVICE_INTERVAL_S: u32 = 5;

/// How much a poll that came too soon adds (RFC 8628 §3.5).
const SLOWER_BY_S: u32 = 5;

/// The longest interval: beyond it a device that erred once would outwait its code.
const MAX_INTERVAL_S: u32 = 60;

/// How much sooner than the interval a poll may come: whole seconds and a network's moods make one of five look like
/// four, and keystoneauth takes `slow_down` for the end.
const JITTER_S: u64 = 1;

/// How many requests of one client are open at once. A client beyond it is refused, and nobody else is.
pub const MAX_DEVICE_REQUESTS_OF_CLIENT: u64 = 1_000;

/// How many requests of one domain are open at once: some 10 MB. A user code has 34 bits, so that one of ten thousand
/// open ones is met by a guess of two million.
pub const MAX_DEVICE_REQUESTS: u64 = 10_000;

/// A device's request, by the hash of its device code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where requests are made"
)]
pub struct DeviceRequest {
    /// The hash of the device code.
    pub hash: TokenHash,
    /// What a person types.
    pub user_code: UserCode,
    /// The domain whose issuer was asked.
    pub domain: DomainId,
    /// The client that asked.
    pub client_id: ClientId,
    /// When that client was registered.
    #[serde(with = "unix_seconds")]
    pub client_created_at: UnixTime,
    /// What it asked for.
    pub scope: ScopeSet,
    /// The resources that it named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceUri>,
    /// The certificate that the client showed, if its tokens are bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_to: Option<CertificateThumbprint>,
    /// Where the request came from, to be shown to the person.
    pub origin: Origin,
    /// When it came.
    #[serde(with = "unix_seconds")]
    pub created_at: UnixTime,
    /// From when it counts no more.
    #[serde(with = "unix_seconds")]
    pub expires_at: UnixTime,
    /// How many seconds the device must wait between polls.
    pub interval_s: u32,
    /// When it polled last.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "unix_seconds::option"
    )]
    pub polled_at: Option<UnixTime>,
    /// How far it came.
    pub state: DeviceState,
}

/// Where a device's request came from, as far as the server can tell: cut, without control characters, and no proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a page shows both")]
pub struct Origin {
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the device says it is, of its `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// How far a device's request came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the rules decide on each")]
pub enum DeviceState {
    /// Nobody has decided.
    Pending,
    /// A person said yes; the device has not collected.
    Approved(Box<PersonGrant>),
    /// A person said no.
    Denied,
    /// The device has collected this.
    Redeemed(Produced),
}

/// What a poll finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the token endpoint answers each")]
pub enum Poll {
    /// Nobody has decided: `authorization_pending`.
    Pending,
    /// Too soon: `slow_down`, and wait this many seconds from now on.
    SlowDown {
        /// The new interval.
        interval_s: u32,
    },
    /// A person said yes.
    Approved(Box<PersonGrant>),
    /// A person said no: `access_denied`.
    Denied,
    /// Its time is over: `expired_token`.
    Expired,
    /// It was collected before: `invalid_grant`.
    Spent,
}

impl DeviceRequest {
    /// Whether its time is over.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at.as_secs() <= now.as_secs()
    }

    /// What a poll at `now` finds, and the request as it is after it: the time of the poll, and the interval if it came
    /// too soon. Stores call it inside their step.
    #[must_use]
    pub fn polled(mut self, now: UnixTime) -> (Poll, Self) {
        let found = match &self.state {
            DeviceState::Redeemed(_) => Poll::Spent,
            _ if self.is_expired(now) => Poll::Expired,
            DeviceState::Denied => Poll::Denied,
            DeviceState::Approved(grant) => Poll::Approved(grant.clone()),
            DeviceState::Pending if self.is_too_soon(now) => {
                self.interval_s = self.interval_s.saturating_add(SLOWER_BY_S).min(MAX_INTERVAL_S);
                Poll::SlowDown {
                    interval_s: self.interval_s,
                }
            }
            DeviceState::Pending => Poll::Pending,
        };
        self.polled_at = Some(now);
        (found, self)
    }

    fn is_too_soon(&self, now: UnixTime) -> bool {
        let due = |polled_at: UnixTime| {
            let wait = u64::from(self.interval_s).saturating_sub(JITTER_S);
            polled_at.as_secs().saturating_add(wait)
        };
        self.polled_at
            .is_some_and(|polled_at| now.as_secs() < due(polled_at))
    }
}
