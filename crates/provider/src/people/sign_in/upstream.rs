use super::{Asked, Refused};
use crate::error::BackendError;
use crate::people::browser::{BrowserAnswer, BrowserContent};
use crate::people::persons::{UPSTREAM, unavailable};
use crate::people::underway::Underway;
use crate::people::view::PageErrorKind;
use crate::people::visit::{Causes, Step, Stop, Visit};
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::interaction::{LoginCause, LoginNeed};
use sealstone_login::{
    Amr, LoginDenial, UpstreamAsk, UpstreamCallback, UpstreamError, UpstreamLogin, UpstreamRefusal,
    UpstreamSecrets,
};
use sealstone_oauth_types::Secret;
use std::time::Duration;

impl Visit<'_> {
    fn upstream_login(&self) -> Result<&dyn UpstreamLogin, BackendError> {
        let upstream = self.realm.upstream.as_deref();
        upstream.ok_or(BackendError::PersonNotConfigured {
            who: UPSTREAM,
            needs: "an upstream provider for this domain",
        })
    }

    /// Sends the browser to the upstream provider. What it takes to go on stays here, in a kept interaction, whose id is
    /// the `state` that comes back.
    pub(super) async fn to_upstream(&self, underway: &mut Underway, asked: &Asked<'_>) -> Step<Secret> {
        self.upstream_url(underway, asked.need, asked.login_hint).await
    }

    /// The same, for who pressed its button.
    pub(crate) async fn leave_upstream(
        &self,
        underway: &mut Underway,
        need: LoginNeed,
        login_hint: Option<&str>,
    ) -> Step<BrowserAnswer> {
        let url = self.upstream_url(underway, need, login_hint).await?;
        Ok(BrowserAnswer::new(BrowserContent::Leave(url)))
    }

    async fn upstream_url(
        &self,
        underway: &mut Underway,
        need: LoginNeed,
        login_hint: Option<&str>,
    ) -> Step<Secret> {
        // The id is known once it is kept.
        self.keep(underway).await?;
        let must_prove = matches!(need.cause, LoginCause::AskedFor | LoginCause::TooOld);
        let ask = UpstreamAsk {
            redirect_uri: format!("{}/callback", self.issuer.issuer),
            prompt: must_prove.then(|| "login".to_owned()),
            max_age: must_prove.then_some(Duration::ZERO),
            login_hint: login_hint.map(str::to_owned),
            acr_values: Vec::new(),
            ui_locales: Vec::new(),
        };
        let secrets = UpstreamSecrets {
            state: underway.id().unwrap_or(self.token()?),
            nonce: self.token()?,
            verifier: self.token()?,
        };
        let redirect = match self.upstream_login()?.begin(&ask, secrets).await {
            Ok(redirect) => redirect,
            Err(error) => return Err(self.upstream_failed(underway, error)?),
        };
        if underway
            .interaction
            .login
            .upstream_began(redirect.pending)
            .is_err()
        {
            return Err(self.stop(PageErrorKind::Expired));
        }
        self.keep(underway).await?;
        Ok(Secret::from(redirect.url))
    }

    /// Back from there. What was kept of it is gone before the code is redeemed: a second callback finds none.
    pub(crate) async fn back_from_upstream(
        &self,
        underway: &mut Underway,
        callback: &UpstreamCallback<'_>,
    ) -> Step<Result<(), Refused>> {
        let Ok(pending) = underway.interaction.login.take_upstream() else {
            return Err(self.stop(PageErrorKind::Expired));
        };
        self.keep(underway).await?;
        let identity = match self.upstream_login()?.finish(&pending, callback).await {
            Ok(identity) => identity,
            // The client is told, as of every other refusal of the person.
            Err(UpstreamError::Refused(refusal @ UpstreamRefusal::Declined)) => {
                return Ok(Err(Refused::Denied(LoginDenial::Upstream(refusal))));
            }
            Err(error) => return Err(self.upstream_failed(underway, error)?),
        };
        let person = match identity.person(self.domain()) {
            Ok(person) => person,
            Err(_odd) => {
                let odd = UpstreamError::Refused(UpstreamRefusal::Claims);
                return Err(self.upstream_failed(underway, odd)?);
            }
        };
        let amr = Amr::upstream(&identity.amr, self.realm.config.policy.believe_upstream_mfa);
        let at = identity.auth_time.unwrap_or(self.now);
        let told = underway.interaction.login.upstream_answered(person, amr, at);
        Ok(told.map_err(Refused::from))
    }

    /// Nobody gets in on a provider that refuses or gives no answer: one event, and a page that says so.
    fn upstream_failed(&self, underway: &Underway, error: UpstreamError) -> Step<Stop> {
        let (detail, stop) = match error {
            UpstreamError::Refused(refusal) => (refusal.as_str(), self.stop(page_of(refusal))),
            UpstreamError::Unavailable { source } => {
                ("upstream_unavailable", unavailable(UPSTREAM, source).into())
            }
            UpstreamError::Malformed { source } => {
                tracing::warn!(
                    error = %Causes(&*source),
                    "the upstream provider can't be believed"
                );
                ("upstream_malformed", self.stop(PageErrorKind::Upstream))
            }
            UpstreamError::NotConfigured { needs } => (
                "upstream_not_configured",
                BackendError::PersonNotConfigured { who: UPSTREAM, needs }.into(),
            ),
        };
        self.record(&crate::people::visit::Record {
            action: Action::SignIn,
            user: None,
            client: underway.client(),
            target: Target::Issuer(self.domain().as_str().into()),
            refused: Some(Reason::new(401, "login_refused").with_detail(Some(detail))),
        })?;
        Ok(stop)
    }
}

/// What came by the browser is the browser's fault, and what the provider said itself is the provider's.
const fn page_of(refusal: UpstreamRefusal) -> PageErrorKind {
    match refusal {
        UpstreamRefusal::Declined
        | UpstreamRefusal::Error
        | UpstreamRefusal::State
        | UpstreamRefusal::Issuer
        | UpstreamRefusal::Code => PageErrorKind::UpstreamRefused,
        UpstreamRefusal::IdToken | UpstreamRefusal::Claims => PageErrorKind::Upstream,
    }
}
