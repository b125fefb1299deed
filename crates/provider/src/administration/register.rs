//! Clients that register themselves (RFC 7591), and manage what they registered (RFC 7592).

use super::answer::document;
use super::change::Drawn;
use super::{
    Administration, AdministrationAnswer, AdministrationDenial, AdministrationError, Named,
    RegistrationRequest,
};
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Target, printable};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{OpaqueToken, Secret, UserinfoRequest};
use sealstone_registry::{
    Client, ClientSecretText, DynamicRegistration, Registered, RegistrationError, RegistrationPolicy,
};
use serde_json::{Map, Value};
use std::sync::Arc;

type Answered = Result<AdministrationAnswer, AdministrationError>;

impl Provider {
    /// Registers a client by an initial access token, or shows, changes or ends one by its registration access token;
    /// and records it.
    ///
    /// # Errors
    /// [`AdministrationError`]; nothing was changed, but where the store could not tell.
    pub async fn register(
        &self,
        domain: &DomainId,
        request: RegistrationRequest<'_>,
        authorization: Option<&str>,
        peer: &Peer,
    ) -> Result<AdministrationAnswer, AdministrationError> {
        let administration = self.administration()?;
        let issuer = self.issuer_of(domain)?;
        let policy = administration
            .policy(domain)
            .ok_or(AdministrationError::UnknownIssuer)?;
        let now = self.0.ports.clock.now();
        let mut named = Named::default();
        let about = match request {
            RegistrationRequest::Register(_) => None,
            RegistrationRequest::Read(id)
            | RegistrationRequest::Update(id, _)
            | RegistrationRequest::Delete(id) => Some(printable(id).into_owned()),
        };
        let action = match request {
            RegistrationRequest::Register(_) => Action::CreateClient,
            RegistrationRequest::Read(_) => Action::ReadClient,
            RegistrationRequest::Update(..) => Action::UpdateClient,
            RegistrationRequest::Delete(_) => Action::DeleteClient,
        };
        let step = (administration, policy, authorization, now);
        let done = self.registration(&issuer, request, step, &mut named).await;
        let about = match &done {
            Ok(answer) => answer.client.clone().or(about),
            Err(_) => about,
        };
        let target = match &about {
            Some(client) => Target::Client(client.into()),
            None => Target::Issuer(domain.as_str().into()),
        };
        self.record_administration((action, now), &named, target, peer, done.as_ref().err())?;
        done
    }

    async fn registration(
        &self,
        issuer: &IssuerState,
        request: RegistrationRequest<'_>,
        (administration, policy, authorization, now): (
            &Administration,
            &RegistrationPolicy,
            Option<&str>,
            UnixTime,
        ),
        named: &mut Named,
    ) -> Answered {
        let token = bearer(authorization);
        let id = match request {
            RegistrationRequest::Register(body) => {
                let token = token.ok_or(AdministrationDenial::WrongInitialToken)?;
                return self
                    .register_new(issuer, administration, policy, (&token, body, now), named)
                    .await;
            }
            RegistrationRequest::Read(id)
            | RegistrationRequest::Update(id, _)
            | RegistrationRequest::Delete(id) => id,
        };
        let token = token.ok_or(AdministrationDenial::WrongRegistrationToken)?;
        let client = self
            .own_client(administration, &issuer.domain, id, &token)
            .await?;
        named.client = Some(client.id().as_str().to_owned());
        match request {
            RegistrationRequest::Update(_, body) => {
                self.update_own(issuer, policy, (&client, &token), body, now)
                    .await
            }
            RegistrationRequest::Delete(_) => {
                self.end_client(&client, now).await?;
                Ok(AdministrationAnswer::plain(204, None))
            }
            RegistrationRequest::Read(_) | RegistrationRequest::Register(_) => {
                Ok(information(200, issuer, &client, &token, None))
            }
        }
    }

    async fn register_new(
        &self,
        issuer: &IssuerState,
        administration: &Administration,
        policy: &RegistrationPolicy,
        (token, body, now): (&OpaqueToken, &[u8], UnixTime),
        named: &mut Named,
    ) -> Answered {
        let domain = &issuer.domain;
        let initial = administration.registrations.initial_token(&token.hash()).await?;
        let initial = initial.filter(|initial| initial.is_good(domain, now));
        let initial = initial.ok_or(AdministrationDenial::WrongInitialToken)?;
        named.client = Some(format!("initial-access-token:{}", initial.id));
        let asked = DynamicRegistration::from_json(body).map_err(AdministrationDenial::Metadata)?;
        let registration = asked.within(policy);
        let id = self.new_client_id()?;
        let kind = registration
            .secret_kind()
            .map_err(AdministrationDenial::Metadata)?;
        let drawn = self.draw_secret(kind, domain, &id)?;
        let secrets = drawn.as_ref().map(Drawn::alone);
        let client = registration.into_client(domain.clone(), id, secrets, now);
        let client = client.map_err(AdministrationDenial::Metadata)?;
        policy.check(&client).map_err(AdministrationDenial::Policy)?;
        let management = self.draw_token()?;
        let management_hash = management.hash();
        let stored =
            administration
                .registrations
                .register(client.clone(), &management_hash, &initial.hash, now);
        match stored.await? {
            Registered::Registered => {
                let text = drawn.as_ref().map(|drawn| &drawn.text);
                Ok(information(201, issuer, &client, &management, text))
            }
            Registered::TokenSpent => Err(AdministrationDenial::WrongInitialToken.into()),
            Registered::Exists => Err(AdministrationDenial::ClientExists.into()),
            Registered::UnknownDomain => Err(AdministrationError::UnknownIssuer),
        }
    }

    /// The client, if the token is its own. One that does not exist, is of another domain, disabled, or registered by
    /// an administrator is refused as a wrong token is (RFC 7592 §2).
    async fn own_client(
        &self,
        administration: &Administration,
        domain: &DomainId,
        id: &str,
        token: &OpaqueToken,
    ) -> Result<Arc<Client>, AdministrationError> {
        let refused = || AdministrationError::from(AdministrationDenial::WrongRegistrationToken);
        let client = match self.client_of(domain, id).await {
            Ok(client) if client.is_enabled() => client,
            Ok(_disabled) => return Err(refused()),
            Err(AdministrationError::Denied(_)) => return Err(refused()),
            Err(error) => return Err(error),
        };
        let kept = administration
            .registrations
            .registration_token(client.id())
            .await?;
        // Both are hashes of 256 random bits: how alike they are tells nothing of the token.
        if kept == Some(token.hash()) {
            Ok(client)
        } else {
            Err(refused())
        }
    }

    async fn update_own(
        &self,
        issuer: &IssuerState,
        policy: &RegistrationPolicy,
        (before, token): (&Client, &OpaqueToken),
        body: &[u8],
        now: UnixTime,
    ) -> Answered {
        let metadata =
            |error: RegistrationError| AdministrationError::from(AdministrationDenial::Metadata(error));
        let asked = DynamicRegistration::from_json(body).map_err(metadata)?;
        if !self.names_itself(before, &asked, now) {
            return Err(AdministrationDenial::OtherClient.into());
        }
        let registration = asked.within(policy);
        let drawn = self.drawn_for(before, &registration)?;
        let after = before.updated(registration, drawn.as_ref().map(Drawn::alone), now);
        let after = after.map_err(metadata)?;
        policy.check(&after).map_err(AdministrationDenial::Policy)?;
        self.swap(before, &after).await?;
        let text = drawn.as_ref().map(|drawn| &drawn.text);
        Ok(information(200, issuer, &after, token, text))
    }

    /// RFC 7592 §2.2: `client_id` is the client's own, and so is `client_secret` if it is there.
    fn names_itself(&self, client: &Client, asked: &DynamicRegistration, now: UnixTime) -> bool {
        let same_secret = |text: &Secret| {
            let secrets = client.auth().secrets();
            secrets.is_some_and(|secrets| secrets.verify(&self.0.config.pepper, text, now))
        };
        asked.client_id() == Some(client.id().as_str()) && asked.client_secret().is_none_or(same_secret)
    }
}

/// The token of the `Authorization` header.
fn bearer(authorization: Option<&str>) -> Option<OpaqueToken> {
    let request = UserinfoRequest::parse(authorization, None).ok()?;
    OpaqueToken::parse(request.token.expose()).ok()
}

/// RFC 7591 §3.2.1, RFC 7592 §3. A secret is shown when it was made, and not again.
fn information(
    status: u16,
    issuer: &IssuerState,
    client: &Client,
    token: &OpaqueToken,
    secret: Option<&ClientSecretText>,
) -> AdministrationAnswer {
    let mut members: Map<String, Value> = document(client);
    for own in ["version", "updated_at", "domain_id", "enabled"] {
        members.remove(own);
    }
    if let Some(secret) = secret {
        members.insert("client_secret".to_owned(), secret.expose().into());
    }
    let uri = format!("{}/register/{}", issuer.issuer.as_str(), client.id());
    members.insert("registration_client_uri".to_owned(), uri.into());
    members.insert("registration_access_token".to_owned(), token.expose().into());
    AdministrationAnswer {
        status,
        tag: None,
        location: None,
        body: Some(members.into()),
        client: Some(client.id().to_string()),
    }
}
