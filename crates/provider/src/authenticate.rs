use crate::error::TokenError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_grants::authenticate::{
    Authenticated, Challenge, Judged, NeedsClient, NeedsFirstUse, NeedsVerdict, Verdict,
};
use sealstone_oauth_types::{PresentedClient, Secret};
use sealstone_registry::SecretSet;

impl Provider {
    /// Drives client authentication: the registry, then the secret or the signature, then the flow's own judgement,
    /// then, for an assertion, that it is used for the first time, and last, that the client does not ask for too much.
    pub(crate) async fn authenticate(
        &self,
        presented: PresentedClient,
        peer: &Peer,
        issuer: &IssuerState,
        now: UnixTime,
    ) -> Result<Authenticated, TokenError> {
        let step = NeedsClient::new(presented, peer.certificate.clone());
        let client = match step.client_id() {
            Some(id) => match self.0.ports.clients.remembered(id) {
                Some(client) => Some(client),
                None => self.0.ports.clients.client(id).await?,
            },
            None => None,
        };
        let client = match self.judge(step.with_client(client), issuer, now)? {
            Judged::Authenticated(client) => client,
            Judged::NeedsFirstUse(step) => Box::pin(self.with_use(step)).await?,
        };
        self.counted(&client)?;
        Ok(client)
    }

    /// The last step of an assertion: it counts once.
    pub(crate) async fn with_use(&self, step: NeedsFirstUse) -> Result<Authenticated, TokenError> {
        let used = self.0.ports.assertions.use_once(step.assertion()).await?;
        Ok(step.with_use(used)?)
    }

    /// What became of the credential, as far as that can be told without the store of assertions.
    pub(crate) fn judge(
        &self,
        step: NeedsVerdict,
        issuer: &IssuerState,
        now: UnixTime,
    ) -> Result<Judged, TokenError> {
        let verdict = match step.challenge() {
            Challenge::Secret { registered, offered } => self.check_secret(registered, offered, now),
            Challenge::Assertion { client, offered } => self.check_assertion(client, offered, issuer, now)?,
            Challenge::None => Verdict::Holds,
        };
        Ok(step.with_verdict(verdict, &issuer.domain, now)?)
    }

    /// One keyed hash, for a client that exists and for one that does not.
    fn check_secret(
        &self,
        registered: Option<&SecretSet>,
        offered: &Secret,
        now: UnixTime,
    ) -> Verdict<'static> {
        let holds = match registered {
            Some(secrets) => secrets.verify(&self.0.config.pepper, offered, now),
            None => SecretSet::decoy().verify(&self.0.config.pepper, offered, now),
        };
        if holds { Verdict::Holds } else { Verdict::Fails }
    }
}
