use super::ACCOUNT;
use crate::people::browser::BrowserAnswer;
use crate::people::notices;
use crate::people::sessions::SignedIn;
use crate::people::view::Fault;
use crate::people::visit::{Record, Step, Visit};
use sealstone_audit::{Action, Target};
use sealstone_grants::refresh::{Ending, FamilyId};
use sealstone_login::{MAX_SESSIONS_PAGE, SecondFactor, Sid, Swap};
use sealstone_oauth_types::ClientId;

/// The most families of one person that are looked through for a row: one page of them.
const FAMILIES: usize = 100;

impl Visit<'_> {
    /// Ends one row of the page, if it is the person's own. One that is gone is gone.
    pub(super) async fn end_one(&self, signed_in: &SignedIn, pressed: &str, target: &str) -> Step<()> {
        match pressed {
            "end_session" => self.end_other_session(signed_in, target).await,
            "end_device" => self.end_family(signed_in, target).await,
            "end_consent" => self.end_consent(signed_in, target).await,
            _ => Ok(()),
        }
    }

    async fn end_other_session(&self, signed_in: &SignedIn, target: &str) -> Step<()> {
        let Some(sid) = Sid::parse(target) else {
            return Ok(());
        };
        let found = self.people.sessions.session_by_sid(self.domain(), &sid).await?;
        let own = found.filter(|session| session.user_id() == signed_in.session.user_id());
        match own {
            Some(session) => Ok(self.sign_out(&session).await?),
            None => Ok(()),
        }
    }

    async fn end_family(&self, signed_in: &SignedIn, target: &str) -> Step<()> {
        let Ok(id) = FamilyId::parse(target) else {
            return Ok(());
        };
        let user = signed_in.session.user_id();
        let families = self
            .people
            .refresh
            .families_of(self.domain(), user, FAMILIES)
            .await?;
        if !families.iter().any(|family| family.id == id) {
            return Ok(());
        }
        let ended = self.people.refresh.end(Ending::Family(&id), self.now).await?;
        self.issuer.add_ended(ended);
        self.record(&Record {
            action: Action::EndGrant,
            user: Some(user.as_str()),
            client: None,
            target: Target::Grant(target.into()),
            refused: None,
        })?;
        Ok(())
    }

    /// What was issued on a consent ends with it.
    async fn end_consent(&self, signed_in: &SignedIn, target: &str) -> Step<()> {
        let Ok(client_id) = ClientId::parse(target) else {
            return Ok(());
        };
        let user_id = signed_in.session.user_id();
        let removed = self
            .people
            .consents
            .remove_consent(self.domain(), user_id, &client_id)
            .await?;
        let which = Ending::UserAtClient {
            domain: self.domain(),
            user_id,
            client_id: &client_id,
        };
        let ended = self.people.refresh.end(which, self.now).await?;
        if !removed && ended.is_empty() {
            return Ok(());
        }
        self.issuer.add_ended(ended);
        self.record(&Record {
            action: Action::DeleteConsent,
            user: Some(user_id.as_str()),
            client: None,
            target: Target::Client(client_id.as_str().into()),
            refused: None,
        })?;
        Ok(())
    }

    /// Signs out everywhere: every session, and everything that goes on without one.
    pub(super) async fn end_everything(&self, signed_in: &SignedIn) -> Step<()> {
        let user_id = signed_in.session.user_id();
        let store = &self.people.sessions;
        // Told of first: clients hear of a session that is gone, whatever fails after.
        for session in store
            .sessions_of(self.domain(), user_id, None, MAX_SESSIONS_PAGE)
            .await?
        {
            notices::queue(self.provider, self.people, &self.issuer, &session, self.now).await?;
        }
        let sessions = store.end_sessions_of(self.domain(), user_id).await?;
        let which = Ending::User {
            domain: self.domain(),
            user_id,
        };
        let ended = self.people.refresh.end(which, self.now).await?;
        self.issuer.add_ended(ended.clone());
        for session in &sessions {
            self.record(&Record {
                action: Action::EndSession,
                user: Some(user_id.as_str()),
                client: None,
                target: Target::Session(session.sid().as_str().into()),
                refused: None,
            })?;
        }
        for family in &ended {
            self.record(&Record {
                action: Action::EndGrant,
                user: Some(user_id.as_str()),
                client: Some(&family.client_id),
                target: Target::Grant(family.id.to_string().into()),
                refused: None,
            })?;
        }
        Ok(())
    }

    /// Removes the app, or the passkey of this id; never the last factor where one is demanded.
    pub(super) async fn remove_factor(
        &self,
        signed_in: &SignedIn,
        passkey: Option<&str>,
    ) -> Step<BrowserAnswer> {
        let user = signed_in.session.user_id();
        let factors = self.factors_or_none(user).await?;
        let without = match passkey {
            None if factors.totp().is_some() => factors.without_totp(),
            None => return Ok(BrowserAnswer::see(ACCOUNT.to_owned())),
            Some(id) => match factors.without_passkey(id) {
                Ok(without) => without,
                Err(_unknown) => return Ok(BrowserAnswer::see(ACCOUNT.to_owned())),
            },
        };
        if !without.has_any() && self.realm.config.policy.second == SecondFactor::Always {
            return self.account_again(signed_in, Fault::FactorDemanded).await;
        }
        if self.people.factors.replace_factors(&without).await? == Swap::Done {
            self.record(&Record {
                action: Action::RemoveFactor,
                user: Some(user.as_str()),
                client: None,
                target: Target::User(user.as_str().into()),
                refused: None,
            })?;
        }
        Ok(BrowserAnswer::see(ACCOUNT.to_owned()))
    }
}
