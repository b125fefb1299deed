//! Changes of clients. Each is one compare-and-swap: who loses a race is told so, and nothing is half done.

use super::answer::document;
use super::caller::Acting;
use super::parts::{Page, Rotation, small};
use super::{AdministrationAnswer, AdministrationDenial, AdministrationError, Preconditions};
use crate::error::BackendError;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, Insertion, KeptSecret, Removal, Replacement, RotationError,
    SealedSecret, SecretKind, SecretSet, chosen_client_id, generate_client_id,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// A new secret, and what is stored of it.
pub(super) struct Drawn {
    pub(super) text: ClientSecretText,
    kept: KeptSecret,
}

impl Drawn {
    pub(super) fn alone(&self) -> SecretSet {
        SecretSet::new(self.kept.clone(), None)
    }
}

type Answered = Result<AdministrationAnswer, AdministrationError>;

impl Provider {
    pub(super) async fn list_clients(&self, domain: &DomainId, query: &str) -> Answered {
        let page = Page::parse(query)?;
        let clients = &self.0.ports.clients;
        let found = clients.list(domain, page.after.as_ref(), page.limit).await?;
        let is_full = found.len() >= page.limit;
        let next = found
            .last()
            .filter(|_| is_full)
            .map(|last| last.id().as_str().to_owned());
        let documents: Vec<Value> = found.iter().map(|client| document(client).into()).collect();
        let body = json!({ "clients": documents, "next_after": next });
        Ok(AdministrationAnswer::plain(200, Some(body)))
    }

    pub(super) async fn show_client(&self, domain: &DomainId, id: &str) -> Answered {
        let client = self.client_of(domain, id).await?;
        Ok(AdministrationAnswer::of(200, &client, None))
    }

    pub(super) async fn create_client(
        &self,
        domain: &DomainId,
        chosen: Option<&str>,
        body: &[u8],
        acting: &Acting<'_>,
        now: UnixTime,
    ) -> Answered {
        let mut registration = ClientRegistration::from_json(body)?;
        let id = match chosen {
            Some(text) => chosen_client_id(text)?,
            None => self.new_client_id()?,
        };
        self.seal(&mut registration, domain, &id)?;
        let drawn = self.draw_secret(registration.secret_kind()?, domain, &id)?;
        let secrets = drawn.as_ref().map(Drawn::alone);
        let client = registration.into_client(domain.clone(), id, secrets, now)?;
        self.check_rights(acting, &client).await?;
        let client = self.in_its_place(client, now).await?;
        match self.0.ports.clients.insert(client.clone()).await? {
            Insertion::Inserted => {
                let text = drawn.as_ref().map(|drawn| &drawn.text);
                Ok(AdministrationAnswer::of(201, &client, text))
            }
            Insertion::Exists => Err(AdministrationDenial::ClientExists.into()),
            Insertion::UnknownDomain => Err(AdministrationError::UnknownIssuer),
        }
    }

    /// A client whose id another had that ended lately: what it gets must not count as that one's.
    async fn in_its_place(&self, client: Client, now: UnixTime) -> Result<Client, BackendError> {
        let revocations = &self.0.ports.revocations;
        let ended = revocations.ended_clients(client.domain(), now).await?;
        let before = ended.iter().find(|ended| ended.client_id == *client.id());
        Ok(match before.and_then(|before| before.end.version) {
            Some(version) => client.in_place_of(version),
            None => client,
        })
    }

    /// The whole registration anew. Who changes a client could use it: so both what it was and what it is to be must be
    /// theirs to give.
    pub(super) async fn replace_client(
        &self,
        domain: &DomainId,
        (id, preconditions): (&str, &Preconditions),
        body: &[u8],
        acting: &Acting<'_>,
        now: UnixTime,
    ) -> Answered {
        let before = self.client_of(domain, id).await?;
        preconditions.check(&before, true)?;
        self.check_rights(acting, &before).await?;
        let mut registration = ClientRegistration::from_json(body)?;
        self.seal(&mut registration, domain, before.id())?;
        let drawn = self.drawn_for(&before, &registration)?;
        let after = before.updated(registration, drawn.as_ref().map(Drawn::alone), now)?;
        self.check_rights(acting, &after).await?;
        self.swap(&before, &after).await?;
        let text = drawn.as_ref().map(|drawn| &drawn.text);
        Ok(AdministrationAnswer::of(200, &after, text))
    }

    pub(super) async fn rotate_client(
        &self,
        domain: &DomainId,
        (id, preconditions): (&str, &Preconditions),
        body: &[u8],
        acting: &Acting<'_>,
        now: UnixTime,
    ) -> Answered {
        let rotation: Rotation = small(body)?;
        let before = self.client_of(domain, id).await?;
        preconditions.check(&before, false)?;
        self.check_rights(acting, &before).await?;
        let kind = before.auth().secrets().map(SecretSet::kind);
        let drawn = self.draw_secret(kind, domain, before.id())?;
        let drawn = drawn.ok_or(RotationError::NoSecret)?;
        let end = rotation.expires_in().map(|span| later(now, span));
        let after = before.with_rotated_secret(drawn.kept.clone(), end, rotation.overlap(), now)?;
        self.swap(&before, &after).await?;
        Ok(AdministrationAnswer::of(200, &after, Some(&drawn.text)))
    }

    pub(super) async fn enable_client(
        &self,
        domain: &DomainId,
        (id, preconditions): (&str, &Preconditions),
        enabled: bool,
        acting: &Acting<'_>,
        now: UnixTime,
    ) -> Answered {
        let before = self.client_of(domain, id).await?;
        preconditions.check(&before, false)?;
        // Whoever administers the domain may end a client; to give it its rights back they must be theirs to give.
        if enabled {
            self.check_rights(acting, &before).await?;
        }
        if before.is_enabled() == enabled {
            return Ok(AdministrationAnswer::of(200, &before, None));
        }
        let after = before.with_enabled(enabled, now);
        self.swap(&before, &after).await?;
        Ok(AdministrationAnswer::of(200, &after, None))
    }

    /// Disables it first, so that what it got ends in the same step; then nothing of it is left.
    pub(super) async fn delete_client(
        &self,
        domain: &DomainId,
        (id, preconditions): (&str, &Preconditions),
        now: UnixTime,
    ) -> Answered {
        let before = self.client_of(domain, id).await?;
        preconditions.check(&before, false)?;
        self.end_client(&before, now).await?;
        Ok(AdministrationAnswer::plain(204, None))
    }

    pub(super) async fn end_client(&self, before: &Client, now: UnixTime) -> Result<(), AdministrationError> {
        if before.is_enabled() {
            self.swap(before, &before.with_enabled(false, now)).await?;
        }
        match self.0.ports.clients.delete(before.id()).await? {
            Removal::Removed => Ok(()),
            Removal::Missing => Err(AdministrationDenial::UnknownClient.into()),
        }
    }

    /// The client, if it is of this domain: another domain's is as unknown as one that does not exist.
    pub(super) async fn client_of(
        &self,
        domain: &DomainId,
        id: &str,
    ) -> Result<Arc<Client>, AdministrationError> {
        let id = ClientId::parse(id).map_err(|_malformed| AdministrationDenial::UnknownClient)?;
        let found = self.0.ports.clients.client(&id).await?;
        let found = found.filter(|client| client.domain() == domain);
        found.ok_or_else(|| AdministrationDenial::UnknownClient.into())
    }

    pub(super) async fn swap(&self, before: &Client, after: &Client) -> Result<(), AdministrationError> {
        match self
            .0
            .ports
            .clients
            .replace(before.version(), after.clone())
            .await?
        {
            Replacement::Replaced => Ok(()),
            Replacement::Conflict => Err(AdministrationDenial::PreconditionFailed.into()),
            Replacement::Missing => Err(AdministrationDenial::UnknownClient.into()),
        }
    }

    pub(super) fn new_client_id(&self) -> Result<ClientId, AdministrationError> {
        let mut octets = [0; 16];
        self.fill(&mut octets)?;
        Ok(generate_client_id(octets)?)
    }

    pub(super) fn fill(&self, octets: &mut [u8]) -> Result<(), BackendError> {
        Ok(self.0.ports.entropy.fill(octets)?)
    }

    fn seal(
        &self,
        registration: &mut ClientRegistration,
        domain: &DomainId,
        id: &ClientId,
    ) -> Result<(), AdministrationError> {
        let place = SecretPlace {
            purpose: SecretPurpose::ApplicationCredential,
            domain: domain.as_str(),
            client: id.as_str(),
        };
        let kek = &self.0.config.key_encryption_key;
        registration.seal_application_credential_secret(|secret| {
            let sealed = kek.seal_secret(place, secret.expose());
            let sealed = sealed.map_err(BackendError::from)?;
            Ok::<_, AdministrationError>(SealedSecret::parse(&sealed)?)
        })
    }

    /// A secret for a client whose new registration takes one of another kind than it has.
    pub(super) fn drawn_for(
        &self,
        before: &Client,
        registration: &ClientRegistration,
    ) -> Result<Option<Drawn>, AdministrationError> {
        let kept = before.auth().secrets().map(SecretSet::kind);
        let wanted = registration.secret_kind()?.filter(|kind| kept != Some(*kind));
        self.draw_secret(wanted, before.domain(), before.id())
    }

    pub(super) fn draw_secret(
        &self,
        kind: Option<SecretKind>,
        domain: &DomainId,
        id: &ClientId,
    ) -> Result<Option<Drawn>, AdministrationError> {
        Ok(match kind {
            None => None,
            Some(SecretKind::Hashed) => {
                let mut octets = Zeroizing::new([0; 32]);
                self.fill(octets.as_mut_slice())?;
                let text = ClientSecretText::from_random(*octets);
                let kept = text.hash(&self.0.config.pepper).into();
                Some(Drawn { text, kept })
            }
            Some(SecretKind::Sealed) => {
                let mut octets = Zeroizing::new([0; 48]);
                self.fill(octets.as_mut_slice())?;
                let text = ClientSecretText::for_assertions(*octets);
                let place = SecretPlace {
                    purpose: SecretPurpose::ClientSecret,
                    domain: domain.as_str(),
                    client: id.as_str(),
                };
                let kek = &self.0.config.key_encryption_key;
                let sealed = kek
                    .seal_secret(place, text.expose())
                    .map_err(BackendError::from)?;
                let kept = SealedSecret::parse(&sealed)?.into();
                Some(Drawn { text, kept })
            }
        })
    }
}

pub(super) const fn later(now: UnixTime, span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().saturating_add(span.as_secs())))
}
