//! What a person was granted ends when their source says that their logins stand no longer.

use super::PeoplePorts;
use super::sessions::end_session;
use super::visit::{Record, record};
use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::refresh::Ending;
use sealstone_identity::UserId;
use sealstone_login::{MAX_SESSIONS_PAGE, Session, SessionEnd, Sid};
use std::sync::Arc;

/// The most families of one person that are looked at by themselves; with more, all of them end.
const FAMILIES: usize = 100;

/// The peer of events that nobody asked for.
fn source_of_people() -> Peer {
    Peer {
        address: None,
        certificate: None,
        request_id: "source-of-people".into(),
    }
}

impl Provider {
    /// Ends the sessions and refresh tokens that stand on logins of this person until `until`, at every issuer: the
    /// source says that the password was changed, or that the person was disabled. Clients with a part in a session are
    /// told. Returns how many ended; a second time there are none.
    ///
    /// Each use of a session or of a refresh token asks the source anyway. This makes the end known to those who do not
    /// come by themselves, and lasting for when the source has forgotten why.
    ///
    /// # Errors
    /// [`BackendError`] when it is not known that all have ended: to be tried again.
    pub async fn end_logins(&self, user: &UserId, until: UnixTime) -> Result<usize, BackendError> {
        let Some(people) = self.0.ports.people.as_ref() else {
            return Ok(0);
        };
        let issuers: Vec<Arc<IssuerState>> = self.0.issuers.load().values().cloned().collect();
        let mut ended = 0_usize;
        for issuer in &issuers {
            let has_source = |realm: &Arc<super::Realm>| realm.source.is_some();
            if people.realm(&issuer.domain).is_some_and(has_source) {
                ended = ended.saturating_add(self.end_sessions_until(people, issuer, user, until).await?);
                ended = ended.saturating_add(self.end_families_until(people, issuer, user, until).await?);
            }
        }
        Ok(ended)
    }

    async fn end_sessions_until(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        user: &UserId,
        until: UnixTime,
    ) -> Result<usize, BackendError> {
        let now = self.0.ports.clock.now();
        let mut after: Option<Sid> = None;
        let mut ended = 0_usize;
        loop {
            let store = &people.sessions;
            let page = store
                .sessions_of(&issuer.domain, user, after.as_ref(), MAX_SESSIONS_PAGE)
                .await?;
            let stands = |session: &Session| session.authenticated_at() > until;
            for session in page.iter().filter(|session| !stands(session)) {
                end_session(self, people, issuer, session, now).await?;
                self.record_ended(
                    Action::EndSession,
                    user,
                    Target::Session(session.sid().as_str().into()),
                )?;
                ended = ended.saturating_add(1);
            }
            match page.last() {
                Some(last) if page.len() >= MAX_SESSIONS_PAGE => after = Some(last.sid().clone()),
                Some(_) | None => return Ok(ended),
            }
        }
    }

    async fn end_families_until(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        user: &UserId,
        until: UnixTime,
    ) -> Result<usize, BackendError> {
        let now = self.0.ports.clock.now();
        let store = &people.refresh;
        let families = store.families_of(&issuer.domain, user, FAMILIES).await?;
        let mut endings: Vec<Ending<'_>> = Vec::new();
        if families.len() >= FAMILIES {
            endings.push(Ending::User {
                domain: &issuer.domain,
                user_id: user,
            });
        } else {
            let fallen = families
                .iter()
                .filter(|family| family.grant.authenticated_at <= until);
            endings.extend(fallen.map(|family| Ending::Family(&family.id)));
        }
        let mut ended = 0_usize;
        for which in endings {
            let families = store.end(which, now).await?;
            for family in &families {
                let target = Target::Grant(family.id.to_string().into());
                self.record_ended(Action::EndGrant, user, target)?;
            }
            ended = ended.saturating_add(families.len());
            issuer.add_ended(families);
        }
        Ok(ended)
    }

    fn record_ended(&self, action: Action, user: &UserId, target: Target<'_>) -> Result<(), BackendError> {
        let event = Record {
            action,
            user: Some(user.as_str()),
            client: None,
            target,
            refused: Some(Reason::new(401, SessionEnd::Changed.as_str())),
        };
        record(self, &event, &source_of_people(), self.0.ports.clock.now())
    }
}
