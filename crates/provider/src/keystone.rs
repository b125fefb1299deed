//! Keystone's own token endpoint: a token that Keystone takes, asked of it or made here.

use crate::error::TokenError;
use crate::identity::{Answer, refusal};
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Target};
use sealstone_grants::Denial;
use sealstone_grants::keystone::{self, Granted, NeedsIdentity};
use sealstone_identity::{
    ApplicationCredentialId, IdentitySourceError, KeystoneBinding, KeystoneToken, MachineLogin,
};
use sealstone_mtls::KeystoneThumbprint;
use sealstone_oauth_types::{OsOauth2Request, PresentedClient, PresentedCredential, RequestError};
use sealstone_registry::Client;
use std::sync::Arc;

/// The name of this endpoint in audit events, where others have their issuer's domain: no domain's id has a colon.
const ENDPOINT: &str = "keystone:os-oauth2";

impl Provider {
    /// Whether there is a Keystone, and so an endpoint that speaks for it.
    #[must_use]
    pub fn speaks_for_keystone(&self) -> bool {
        self.0.ports.identity.is_some()
    }

    /// Answers a request to Keystone's own token endpoint. `request` is what parsing made of it.
    ///
    /// The client is looked up by its id alone, which no two domains share. A registered one is authenticated as
    /// everywhere, and its tie says whose token it gets. One that is not registered may be an application credential of
    /// Keystone: its id and secret are passed on, and Keystone decides.
    ///
    /// # Errors
    /// [`TokenError`]; nothing was issued.
    pub async fn keystone_token(
        &self,
        request: Result<OsOauth2Request, RequestError>,
        peer: &Peer,
    ) -> Result<IssuedKeystoneToken, TokenError> {
        let client = request.as_ref().ok().map(|request| &request.client);
        let attempt = self.attempt(Action::IssueKeystoneToken, client, peer)?;
        let result = self.keystone_issue(request, peer, attempt.now).await;
        let target = match (&result, &attempt.claimed) {
            (Ok(_), Some(client)) => Target::Client(client.as_str().into()),
            (Ok(_), None) | (Err(_), _) => Target::Issuer(ENDPOINT.into()),
        };
        self.record(&attempt, target, result.as_ref().err())?;
        Ok(IssuedKeystoneToken {
            token: result?,
            issued_at: attempt.now,
        })
    }

    async fn keystone_issue(
        &self,
        request: Result<OsOauth2Request, RequestError>,
        peer: &Peer,
        now: UnixTime,
    ) -> Result<KeystoneToken, TokenError> {
        let request = request.map_err(Denial::Malformed)?;
        if !request.is_supported {
            return Err(Denial::UnsupportedGrantType.into());
        }
        let registered = match request.client.client_id() {
            Some(id) => self.0.ports.clients.client(&id).await?,
            None => None,
        };
        match registered {
            Some(client) => self.registered(&client, request.client, peer, now).await,
            None => self.passed_on(&request.client).await,
        }
    }

    async fn registered(
        &self,
        client: &Arc<Client>,
        presented: PresentedClient,
        peer: &Peer,
        now: UnixTime,
    ) -> Result<KeystoneToken, TokenError> {
        // A domain without issuer serves nobody.
        let issuer = self
            .issuer(client.domain())
            .map_err(|_none| Denial::DisabledClient)?;
        let authenticated = self.authenticate(presented, peer, &issuer, now).await?;
        let step = keystone::decide(authenticated, now)?;
        let granted = self.still_given(step, now).await?;
        self.due(&granted).await
    }

    /// What Keystone gives the client now: a user disabled or a role lost ends it here too.
    async fn still_given(&self, step: NeedsIdentity, now: UnixTime) -> Result<Granted, TokenError> {
        let question = step.question().ok_or(Denial::NoKeystoneIdentity)?;
        match self.ask(step.client(), question).await? {
            Answer::Given(delegated) => Ok(step.with_identity(&delegated, now)?),
            Answer::Refused(refusal) => Err(Denial::KeystoneRefused(refusal).into()),
        }
    }

    async fn due(&self, granted: &Granted) -> Result<KeystoneToken, TokenError> {
        let question = granted.login().ok_or(Denial::NoKeystoneIdentity)?;
        let login = self.login(granted.client(), question)?;
        let certificate = granted.bound_to();
        let thumbprint =
            certificate.map(|certificate| KeystoneThumbprint::of_der(certificate.der()).to_string());
        let bound_to = certificate
            .zip(thumbprint.as_deref())
            .map(|(certificate, thumbprint)| KeystoneBinding {
                thumbprint,
                not_after: certificate.not_after(),
            });
        let source = self.identity_source()?;
        match source.keystone_token(&login, bound_to, granted.ends_at()).await {
            Ok(token) => Ok(token),
            // Never an unbound one instead.
            Err(IdentitySourceError::NotConfigured { needs: _ }) if bound_to.is_some() => {
                Err(Denial::KeystoneBindingImpossible.into())
            }
            Err(error) => Err(Denial::KeystoneRefused(refusal(error)?).into()),
        }
    }

    /// Who is not registered may be an application credential. What can't be one is refused in the same words.
    async fn passed_on(&self, presented: &PresentedClient) -> Result<KeystoneToken, TokenError> {
        let secret = match &presented.credential {
            PresentedCredential::SecretBasic(secret) | PresentedCredential::SecretPost(secret) => secret,
            PresentedCredential::None | PresentedCredential::Assertion(_) => {
                return Err(Denial::UnknownClient.into());
            }
        };
        let id = presented.id.as_deref().ok_or(Denial::UnknownClient)?;
        let id = ApplicationCredentialId::parse(id).map_err(|_malformed| Denial::WrongSecret)?;
        let login = MachineLogin::ApplicationCredential {
            id: &id,
            secret: secret.expose(),
        };
        match self.identity_source()?.keystone_token(&login, None, None).await {
            Ok(token) => Ok(token),
            Err(error) => Err(Denial::KeystoneRefused(refusal(error)?).into()),
        }
    }
}

/// A Keystone token as it is handed out.
#[derive(Debug)]
pub struct IssuedKeystoneToken {
    token: KeystoneToken,
    issued_at: UnixTime,
}

impl IssuedKeystoneToken {
    /// The token.
    ///
    /// # Security
    /// See [`KeystoneToken::expose`].
    #[must_use]
    pub fn expose(&self) -> &str {
        self.token.expose()
    }

    /// How long it lives, in seconds, from now on.
    #[must_use]
    pub const fn expires_in(&self) -> u64 {
        self.token
            .expires_at()
            .as_secs()
            .saturating_sub(self.issued_at.as_secs())
    }
}
