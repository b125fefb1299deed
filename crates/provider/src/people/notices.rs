//! Back-channel logout (OpenID Connect Back-Channel Logout): whom to tell that a session ended, and telling them.

use super::PeoplePorts;
use super::visit::{Causes, Record, record};
use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::logout::LogoutNotice;
use sealstone_jose::base64url;
use sealstone_login::Session;
use sealstone_oauth_types::TokenId;
use sealstone_registry::Client;
use sealstone_tokens::LogoutTokenClaims;
use std::sync::Arc;
use std::time::Duration;

/// How long a logout token is good: what its specification recommends at most (§2.4).
const LOGOUT_TOKEN_LIFETIME: Duration = Duration::from_secs(120);

/// How many clients are told in one round: the slowest of them is waited for, so the lease of a notice bounds it.
const AT_ONCE: usize = 16;

/// The peer of events that nobody asked for.
fn nobody() -> Peer {
    Peer {
        address: None,
        certificate: None,
        request_id: "maintenance".into(),
    }
}

/// Queues a notice for each client that has a part in a session and wants to be told.
pub(crate) async fn queue(
    provider: &Provider,
    people: &PeoplePorts,
    issuer: &IssuerState,
    session: &Session,
    now: UnixTime,
) -> Result<(), BackendError> {
    let mut notices = Vec::new();
    for client_id in session.clients() {
        let client = provider.0.ports.clients.client(client_id).await?;
        let client = client.filter(|client| wants(client, issuer));
        let Some(client) = client else { continue };
        notices.push(notice(provider, &client, session, now)?);
    }
    if notices.is_empty() {
        return Ok(());
    }
    let dropped = people.logouts.insert_notices(&notices).await?;
    if dropped > 0 {
        tracing::error!(domain.id = %issuer.domain, dropped, "too many logout notices wait: clients are not told");
    }
    Ok(())
}

fn wants(client: &Client, issuer: &IssuerState) -> bool {
    client.is_enabled() && client.domain() == &issuer.domain && client.backchannel_logout().is_some()
}

fn notice(
    provider: &Provider,
    client: &Client,
    session: &Session,
    now: UnixTime,
) -> Result<LogoutNotice, BackendError> {
    let mut octets = [0_u8; 16];
    provider.0.ports.entropy.fill(&mut octets)?;
    let id = TokenId::parse(&base64url::encode(octets));
    Ok(LogoutNotice {
        id: id.map_err(|_never| crate::EntropyError)?,
        domain: session.domain().clone(),
        client_id: client.id().clone(),
        subject: provider.subject(client, session.user_id())?,
        sid: session.sid().clone(),
        created_at: now,
        due_at: now,
        tries: 0,
    })
}

impl Provider {
    /// Tells clients that sessions ended, as far as it is due; what fails is tried again later. Returns when the next
    /// one is due.
    ///
    /// Call it when [`maintain`](Self::maintain) was called, and when the time that it returns has come. A client that
    /// hangs keeps no other one waiting beyond its sender's deadline.
    ///
    /// # Errors
    /// [`BackendError`] when the queue can't be read or written; nothing is lost.
    pub async fn send_logouts(&self) -> Result<Option<UnixTime>, BackendError> {
        let Some(people) = &self.0.ports.people else {
            return Ok(None);
        };
        loop {
            let now = self.0.ports.clock.now();
            let due = people.logouts.take_due(now, AT_ONCE).await?;
            if due.is_empty() {
                return Ok(people.logouts.next_due().await?);
            }
            let sent = due.into_iter().map(|notice| self.notify(people, notice, now));
            for result in futures_util::future::join_all(sent).await {
                result?;
            }
        }
    }

    async fn notify(
        &self,
        people: &PeoplePorts,
        notice: LogoutNotice,
        now: UnixTime,
    ) -> Result<(), BackendError> {
        let Ok(issuer) = self.issuer(&notice.domain) else {
            return Ok(people.logouts.remove_notice(&notice.id).await?);
        };
        let client = self.0.ports.clients.client(&notice.client_id).await?;
        let Some(client) = client.filter(|client| wants(client, &issuer)) else {
            return Ok(people.logouts.remove_notice(&notice.id).await?);
        };
        match self.post(people, &issuer, &client, &notice, now).await {
            Ok(()) => {
                record_notice(self, &notice, None, now)?;
                Ok(people.logouts.remove_notice(&notice.id).await?)
            }
            Err(rule) => self.later(people, notice, rule, now).await,
        }
    }

    async fn post(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        client: &Arc<Client>,
        notice: &LogoutNotice,
        now: UnixTime,
    ) -> Result<(), &'static str> {
        let backchannel = client.backchannel_logout().ok_or("client_changed")?;
        let end = now.as_secs().saturating_add(LOGOUT_TOKEN_LIFETIME.as_secs());
        let claims = LogoutTokenClaims {
            issuer: &issuer.issuer,
            client_id: client.id(),
            issued_at: now,
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(end)),
            token_id: notice.id.as_str(),
            subject: &notice.subject,
            sid: Some(notice.sid.as_str()),
        };
        let keys = issuer.keys.load_full();
        let mint = keys.people_mint(client.id_token_algorithm()).ok_or("no_key")?;
        let token = mint.logout_token(&claims).map_err(|_error| "no_signature")?;
        let sent = people.logout_sender.send(backchannel.uri.as_str(), &token).await;
        sent.map_err(|error| {
            tracing::warn!(client.id = %client.id(), error = %Causes(&error), "a client could not be told of a logout");
            "receiver_failed"
        })
    }

    async fn later(
        &self,
        people: &PeoplePorts,
        notice: LogoutNotice,
        rule: &'static str,
        now: UnixTime,
    ) -> Result<(), BackendError> {
        let id = notice.id.clone();
        match notice.clone().after_failure(now) {
            Some(again) => Ok(people.logouts.postpone_notice(&again).await?),
            None => {
                record_notice(self, &notice, Some(Reason::new(502, rule)), now)?;
                Ok(people.logouts.remove_notice(&id).await?)
            }
        }
    }
}

fn record_notice(
    provider: &Provider,
    notice: &LogoutNotice,
    refused: Option<Reason>,
    now: UnixTime,
) -> Result<(), BackendError> {
    let event = Record {
        action: Action::NotifyLogout,
        user: None,
        client: Some(&notice.client_id),
        target: Target::Session(notice.sid.as_str().into()),
        refused,
    };
    record(provider, &event, &nobody(), now)
}
