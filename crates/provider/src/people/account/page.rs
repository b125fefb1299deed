use crate::people::browser::BrowserAnswer;
use crate::people::sessions::SignedIn;
use crate::people::sign_in::{person_view, recovery_left};
use crate::people::view::{
    AccountConsent, AccountDevice, AccountPasskey, AccountSession, AccountView, Fault, View,
};
use crate::people::visit::{Step, Visit};
use rustls_pki_types::UnixTime;
use sealstone_identity::{PersonProject, ProjectId};
use sealstone_login::{FactorKind, MAX_SESSIONS_PAGE, UserFactors};
use sealstone_oauth_types::ClientId;

/// The most rows of one kind on the page; those beyond it are seen once these are ended.
const ROWS: usize = 100;

impl Visit<'_> {
    pub(super) async fn account_page(
        &self,
        signed_in: &SignedIn,
        fault: Option<Fault>,
    ) -> Step<BrowserAnswer> {
        let user = signed_in.session.user_id();
        let factors = self.factors_of(user).await?;
        let policy = &self.realm.config.policy;
        let projects = self.projects(signed_in).await?;
        let person = &signed_in.person;
        let totp = factors.as_ref().and_then(UserFactors::totp);
        let recovery = factors.as_ref().and_then(UserFactors::recovery);
        Ok(BrowserAnswer::page(View::Account(AccountView {
            form: self.account_underway().form(self),
            person: person_view(person),
            email: person.email.as_ref().map(|email| email.address().to_owned()),
            sessions: self.session_rows(signed_in).await?,
            devices: self.device_rows(signed_in, &projects).await?,
            consents: self.consent_rows(signed_in, &projects).await?,
            passkeys: factors.as_ref().map(passkey_rows).unwrap_or_default(),
            offers_totp: policy.allows(FactorKind::Totp),
            offers_passkey: policy.allows(FactorKind::Passkey),
            totp_since: totp.map(|totp| totp.enrolled_at().as_secs()),
            recovery_codes_left: match recovery {
                Some(_) => Some(recovery_left(factors.as_ref())?),
                None => None,
            },
            fault,
        })))
    }

    async fn session_rows(&self, signed_in: &SignedIn) -> Step<Vec<AccountSession>> {
        let store = &self.people.sessions;
        let user = signed_in.session.user_id();
        let sessions = store
            .sessions_of(self.domain(), user, None, MAX_SESSIONS_PAGE)
            .await?;
        let standing = sessions
            .iter()
            .filter(|session| session.standing(self.domain(), self.now).is_ok());
        let mut rows: Vec<AccountSession> = standing
            .map(|session| AccountSession {
                id: session.sid().as_str().to_owned(),
                description: session.device().map(str::to_owned),
                since: session.created_at().as_secs(),
                last_used: session.last_used_at().as_secs(),
                is_this: session.sid() == signed_in.session.sid(),
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.since));
        Ok(rows)
    }

    async fn device_rows(
        &self,
        signed_in: &SignedIn,
        projects: &[PersonProject],
    ) -> Step<Vec<AccountDevice>> {
        let user = signed_in.session.user_id();
        let families = self.people.refresh.families_of(self.domain(), user, ROWS).await?;
        let mut rows = Vec::with_capacity(families.len());
        for family in families {
            if family.expires_at().as_secs() <= self.now.as_secs() {
                continue;
            }
            rows.push(AccountDevice {
                id: family.id.to_string(),
                client: self.client_name(&family.grant.client_id).await?,
                scope: family.grant.scope.as_str().to_owned(),
                project: family.grant.project.as_ref().map(|id| project_name(id, projects)),
                since: family.created_at.as_secs(),
                last_used: family.last_used_at.as_secs(),
            });
        }
        Ok(rows)
    }

    async fn consent_rows(
        &self,
        signed_in: &SignedIn,
        projects: &[PersonProject],
    ) -> Step<Vec<AccountConsent>> {
        let user = signed_in.session.user_id();
        let consents = self
            .people
            .consents
            .consents_of(self.domain(), user, ROWS)
            .await?;
        let mut rows = Vec::with_capacity(consents.len());
        for consent in consents {
            rows.push(AccountConsent {
                id: consent.client_id.as_str().to_owned(),
                client: self.client_name(&consent.client_id).await?,
                scope: consent.scope.as_str().to_owned(),
                project: consent.project.as_ref().map(|id| project_name(id, projects)),
                since: consent.granted_at.as_secs(),
            });
        }
        Ok(rows)
    }

    /// The name of a client; of one that is gone, its id.
    async fn client_name(&self, id: &ClientId) -> Step<String> {
        let client = self.provider.0.ports.clients.client(id).await?;
        let name = client.map(|client| client.name().to_owned());
        Ok(name.unwrap_or_else(|| id.as_str().to_owned()))
    }
}

fn project_name(id: &ProjectId, projects: &[PersonProject]) -> String {
    let known = projects.iter().find(|known| known.project.id() == id);
    known
        .map_or_else(|| id.as_str(), |known| known.project.name().as_str())
        .to_owned()
}

fn passkey_rows(factors: &UserFactors) -> Vec<AccountPasskey> {
    factors
        .passkeys()
        .iter()
        .map(|passkey| AccountPasskey {
            id: passkey.id().to_owned(),
            name: passkey.name().to_owned(),
            since: passkey.enrolled_at().as_secs(),
            last_used: passkey.last_used_at().map(|at: UnixTime| at.as_secs()),
        })
        .collect()
}
