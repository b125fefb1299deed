use crate::error::TokenError;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_grants::authenticate::{Authenticated, Challenge, NeedsClient, Verdict};
use sealstone_identity::DomainId;
use sealstone_oauth_types::PresentedClient;
use sealstone_registry::SecretSet;

impl Provider {
    /// Drives client authentication: the registry, then the secret, then the flow's own judgement.
    pub(crate) async fn authenticate(
        &self,
        presented: PresentedClient,
        peer: &Peer,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Authenticated, TokenError> {
        let step = NeedsClient::new(presented, peer.certificate.clone());
        let client = match step.client_id() {
            Some(id) => self.0.ports.clients.client(id).await?,
            None => None,
        };
        let step = step.with_client(client);
        let verdict = match step.challenge() {
            Challenge::Secret { registered, offered } => self.check_secret(registered, offered, now),
            Challenge::None => Verdict::Holds,
        };
        Ok(step.with_verdict(verdict, domain, now)?)
    }

    /// One keyed hash, for a client that exists and for one that does not.
    fn check_secret(
        &self,
        registered: Option<&SecretSet>,
        offered: &sealstone_oauth_types::Secret,
        now: UnixTime,
    ) -> Verdict {
        let holds = match registered {
            Some(secrets) => secrets.verify(&self.0.config.pepper, offered, now),
            None => SecretSet::decoy().verify(&self.0.config.pepper, offered, now),
        };
        if holds { Verdict::Holds } else { Verdict::Fails }
    }
}
