//! Signing keys of a domain: listed, rotated out of turn, revoked; by one administrator of the cloud, or by two.

use super::parts::small;
use super::workshop::{KeyPlace, KeyWorkshop, KeyWorkshopFull};
use super::{AdministrationAnswer, AdministrationDenial, AdministrationError, Asking, Credentials, Named};
use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Target, printable};
use sealstone_identity::DomainId;
use sealstone_jose::KeyId;
use sealstone_keyring::{
    Administrators, CONFIRM_WITHIN, Confirmation, KeyRequest, KeyRequestStore, KeyRing, KeyRingError,
    KeyState, KeyStatement, KeyStoreError, MaintainError, Requested, RingKey, RotationPolicy,
};
use sealstone_registry::KEYS_SCOPE;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;

/// The length of a request's id: 16 hexadecimal digits, drawn by who asks, since it is part of what they sign.
const REQUEST_ID: usize = 16;
/// The most requests of one domain that wait: far more than two administrators look through within their quarter of an
/// hour.
const MAX_WAITING: usize = 64;

/// How signing keys are administered over HTTP.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each"
)]
pub struct KeyAdministration {
    /// What waits for a second administrator.
    pub requests: Arc<dyn KeyRequestStore>,
    /// Those of whom two must agree on a revocation; `None` where one is enough.
    pub administrators: Option<Arc<Administrators>>,
    /// Where keys are made.
    pub workshop: Arc<dyn KeyWorkshop>,
}

impl KeyAdministration {
    async fn place(&self) -> Result<KeyPlace, BackendError> {
        self.workshop.place().await.map_err(full)
    }

    async fn urgent_place(&self) -> Result<KeyPlace, BackendError> {
        self.workshop.urgent_place().await.map_err(full)
    }
}

const fn full(KeyWorkshopFull { retry_after }: KeyWorkshopFull) -> BackendError {
    BackendError::KeysBusy { retry_after }
}

impl fmt::Debug for KeyAdministration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyAdministration")
            .finish_non_exhaustive()
    }
}

/// What an administrator wants of the signing keys of a domain, as the edge read it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "the edge has a route for each")]
pub enum KeysRequest<'a> {
    /// The keys, and what waits for a second administrator.
    List,
    /// Successors, published now; nothing else is said.
    Rotate(&'a [u8]),
    /// A key out of use at once; where two must agree, a request for it.
    Revoke(&'a str, &'a [u8]),
    /// The second administrator's word on a request for this key.
    Confirm(&'a str, &'a [u8]),
}

impl KeysRequest<'_> {
    const fn action(&self, keys: &KeyAdministration) -> Action {
        match self {
            Self::List => Action::ReadKeys,
            Self::Rotate(_) => Action::RotateKey,
            Self::Revoke(..) if keys.administrators.is_some() => Action::RequestKeyChange,
            Self::Revoke(..) => Action::RevokeKey,
            Self::Confirm(..) => Action::ConfirmKeyChange,
        }
    }

    /// The key that it names.
    const fn names(&self) -> Option<&str> {
        match self {
            Self::Revoke(kid, _) | Self::Confirm(kid, _) => Some(kid),
            Self::List | Self::Rotate(_) => None,
        }
    }
}

/// A body that says nothing.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What two administrators sign.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    request: Option<String>,
    statement: Option<String>,
}

impl Signed {
    /// Both members; `None` where neither is there.
    fn parse(body: &[u8]) -> Result<Option<(String, String)>, AdministrationDenial> {
        let signed: Self = small(body)?;
        match (signed.request, signed.statement) {
            (None, None) => Ok(None),
            (Some(request), Some(statement)) if is_request_id(&request) => Ok(Some((request, statement))),
            (Some(_) | None, Some(_) | None) => Err(AdministrationDenial::Body),
        }
    }
}

fn is_request_id(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == REQUEST_ID && text.bytes().all(is_digit)
}

type Answered = Result<AdministrationAnswer, AdministrationError>;

impl Provider {
    /// Does what is asked of the keys of the domain, once it is known that who asks administers the cloud, and records it.
    ///
    /// To be polled to its end, though nobody waits for the answer any more: a change that was stored is recorded after it.
    ///
    /// # Errors
    /// [`AdministrationError`]; nothing was changed, but where the store could not tell.
    pub async fn administer_keys(
        &self,
        domain: &DomainId,
        request: KeysRequest<'_>,
        credentials: &Credentials<'_>,
        peer: &Peer,
    ) -> Result<AdministrationAnswer, AdministrationError> {
        let administration = self.administration()?;
        let issuer = &self.issuer_of(domain)?;
        let asking = Asking {
            credentials: *credentials,
            peer,
            now: self.0.ports.clock.now(),
            scope: KEYS_SCOPE,
        };
        let keys = &administration.keys;
        let mut named = Named::default();
        let allowed = self.acting(issuer, administration, asking, &mut named).await;
        let allowed = allowed.and_then(|acting| {
            let is_of_the_cloud = acting.administrator.is_of_the_cloud();
            let denied = AdministrationDenial::NotOfTheCloud;
            is_of_the_cloud.then_some(()).ok_or_else(|| denied.into())
        });
        let mut action = request.action(keys);
        let mut made = Vec::new();
        let done = match (allowed, request) {
            (Err(refused), _) => Err(refused),
            (Ok(()), KeysRequest::List) => self.list_keys(keys, domain, asking.now).await,
            (Ok(()), KeysRequest::Rotate(body)) => {
                self.rotate_keys((keys, issuer), body, asking.now, &mut made)
                    .await
            }
            (Ok(()), KeysRequest::Revoke(kid, body)) => match &keys.administrators {
                None => self.revoke_alone((keys, issuer), (kid, body), asking.now).await,
                Some(two) => {
                    let who = &mut named;
                    self.request_revocation((keys, two), domain, (kid, body), asking.now, who)
                        .await
                }
            },
            (Ok(()), KeysRequest::Confirm(kid, body)) => {
                let confirmed = self
                    .confirm_revocation(keys, domain, (kid, body), asking.now, &mut named)
                    .await;
                match confirmed {
                    Err(refused) => Err(refused),
                    Ok((kid, place)) => {
                        let target = Target::Key(kid.as_str().into());
                        self.record_administration((action, asking.now), &named, target, asking.peer, None)?;
                        action = Action::RevokeKey;
                        self.revoke_key(place, issuer, kid, asking.now).await
                    }
                }
            }
        };
        let refused = done.as_ref().err();
        let about: Vec<Target<'_>> = match request.names() {
            Some(kid) => vec![Target::Key(printable(kid))],
            None if made.is_empty() => vec![Target::Issuer(domain.as_str().into())],
            None => made
                .iter()
                .map(|kid: &KeyId| Target::Key(kid.as_str().into()))
                .collect(),
        };
        for target in about {
            self.record_administration((action, asking.now), &named, target, asking.peer, refused)?;
        }
        done
    }

    async fn list_keys(&self, keys: &KeyAdministration, domain: &DomainId, now: UnixTime) -> Answered {
        let ring = self.stored_ring(domain).await?;
        let waiting = keys.requests.key_requests(now).await;
        let waiting = waiting.map_err(backend)?;
        let waiting = waiting.iter().filter(|request| request.domain == domain.as_str());
        let waiting: Vec<Value> = waiting.map(document_of_request).collect();
        let mut members = document(domain, &ring, &self.0.config.rotation);
        members.insert("requests".to_owned(), waiting.into());
        let needed = if keys.administrators.is_some() { 2 } else { 1 };
        members.insert("administrators_to_revoke".to_owned(), needed.into());
        Ok(AdministrationAnswer::plain(200, Some(members.into())))
    }

    /// Publishes successors of the keys that sign, as far as none wait already.
    async fn rotate_keys(
        &self,
        (keys, issuer): (&KeyAdministration, &IssuerState),
        body: &[u8],
        now: UnixTime,
        made: &mut Vec<KeyId>,
    ) -> Answered {
        let _nothing: Nothing = small(body)?;
        let place = keys.place().await?;
        let (ring, published) = self
            .change_ring(place, &issuer.domain, move |ring, policy| {
                let rotation = ring.rotate_now(policy);
                ring.apply(&rotation, policy, now)
            })
            .await?;
        let mut members = document(&issuer.domain, &ring, &self.0.config.rotation);
        let kids: Vec<&str> = published.iter().map(KeyId::as_str).collect();
        members.insert("published".to_owned(), json!(kids));
        made.extend(published);
        Ok(AdministrationAnswer::plain(200, Some(members.into())))
    }

    async fn revoke_alone(
        &self,
        (keys, issuer): (&KeyAdministration, &IssuerState),
        (kid, body): (&str, &[u8]),
        now: UnixTime,
    ) -> Answered {
        // Who signs for two believes that a second one is asked: nothing is revoked behind their back.
        if Signed::parse(body)?.is_some() {
            return Err(AdministrationDenial::OneAdministrator.into());
        }
        let kid = KeyId::parse(kid).map_err(|_malformed| AdministrationDenial::UnknownKey)?;
        self.revoke_key(keys.urgent_place().await?, issuer, kid, now)
            .await
    }

    async fn revoke_key(&self, place: KeyPlace, issuer: &IssuerState, kid: KeyId, now: UnixTime) -> Answered {
        let stolen = kid.clone();
        let (ring, fresh) = self
            .change_ring(place, &issuer.domain, move |ring, policy| {
                ring.revoke(&stolen, policy, now)
            })
            .await?;
        let mut members = document(&issuer.domain, &ring, &self.0.config.rotation);
        members.insert("revoked".to_owned(), kid.as_str().into());
        members.insert("signs_now".to_owned(), json!(fresh.as_ref().map(KeyId::as_str)));
        tracing::warn!(domain.id = %issuer.domain, key.id = kid.as_str(), "a signing key was revoked");
        Ok(AdministrationAnswer::plain(200, Some(members.into())))
    }

    /// The first administrator's word: it waits for another's.
    async fn request_revocation(
        &self,
        (keys, two): (&KeyAdministration, &Administrators),
        domain: &DomainId,
        (kid, body): (&str, &[u8]),
        now: UnixTime,
        named: &mut Named,
    ) -> Answered {
        let kid = KeyId::parse(kid).map_err(|_malformed| AdministrationDenial::UnknownKey)?;
        let (request, statement) = Signed::parse(body)?.ok_or(AdministrationDenial::TwoAdministrators)?;
        let name = proved(two, (&request, domain, &kid), &statement, now, named)?;
        self.standing(domain, &kid).await?;
        let waiting = keys.requests.key_requests(now).await.map_err(backend)?;
        let of_domain = waiting.iter().filter(|known| known.domain == domain.as_str());
        if of_domain.count() >= MAX_WAITING {
            return Err(AdministrationDenial::TooManyRequests.into());
        }
        let request = KeyRequest {
            id: request,
            domain: domain.as_str().to_owned(),
            kid: kid.as_str().to_owned(),
            requested_by: name,
            requested_at: now,
            expires_at: super::change::later(now, CONFIRM_WITHIN),
            statement,
        };
        match keys
            .requests
            .insert_key_request(&request)
            .await
            .map_err(backend)?
        {
            Requested::Kept => {
                let body = document_of_request(&request);
                Ok(AdministrationAnswer::plain(202, Some(body)))
            }
            Requested::Taken => Err(AdministrationDenial::RequestExists.into()),
        }
    }

    /// The second administrator's word; the key that both want revoked, and where to do it: a word is not used up while
    /// there is no place.
    async fn confirm_revocation(
        &self,
        keys: &KeyAdministration,
        domain: &DomainId,
        (kid, body): (&str, &[u8]),
        now: UnixTime,
        named: &mut Named,
    ) -> Result<(KeyId, KeyPlace), AdministrationError> {
        let two = keys.administrators.as_deref();
        let two = two.ok_or(AdministrationDenial::OneAdministrator)?;
        let kid = KeyId::parse(kid).map_err(|_malformed| AdministrationDenial::UnknownKey)?;
        let (id, statement) = Signed::parse(body)?.ok_or(AdministrationDenial::TwoAdministrators)?;
        let name = proved(two, (&id, domain, &kid), &statement, now, named)?;
        let waiting = keys.requests.key_requests(now).await.map_err(backend)?;
        let of_another = |known: &KeyRequest| known.domain != domain.as_str() || known.kid != kid.as_str();
        // A request for another key is not used up by a word on this one.
        if waiting.iter().any(|known| known.id == id && of_another(known)) {
            return Err(AdministrationDenial::UnknownRequest.into());
        }
        let place = keys.urgent_place().await?;
        let confirmed = keys.requests.confirm_key_request(&id, &name, now).await;
        let request = match confirmed.map_err(backend)? {
            Confirmation::Confirmed(request) => request,
            Confirmation::Unknown => return Err(AdministrationDenial::UnknownRequest.into()),
            Confirmation::Lapsed => return Err(AdministrationDenial::LapsedRequest.into()),
            Confirmation::SamePerson => return Err(AdministrationDenial::SameAdministrator.into()),
            Confirmation::Used => return Err(AdministrationDenial::UsedRequest.into()),
        };
        // What the store says was asked is believed only as far as it was signed.
        let asked = KeyStatement {
            request: &id,
            domain: domain.as_str(),
            kid: kid.as_str(),
        };
        match two.verify(&request.statement, asked, now) {
            Ok(first) if first == request.requested_by && first != name => Ok((kid, place)),
            Ok(_) | Err(_) => Err(AdministrationDenial::AdministratorNotProved.into()),
        }
    }

    /// Whether there is such a key to revoke.
    async fn standing(&self, domain: &DomainId, kid: &KeyId) -> Result<(), AdministrationError> {
        let ring = self.stored_ring(domain).await?;
        match ring.find(kid).map(RingKey::state) {
            None => Err(AdministrationDenial::UnknownKey.into()),
            Some(KeyState::Revoked) => Err(AdministrationDenial::KeyRevoked.into()),
            Some(KeyState::Published | KeyState::Active | KeyState::Retiring) => Ok(()),
        }
    }

    /// The ring as it is stored: whoever keeps its keys need not answer.
    async fn stored_ring(&self, domain: &DomainId) -> Result<KeyRing, AdministrationError> {
        let stored = self.0.ports.keys.load(domain.as_str()).await.map_err(backend)?;
        let stored = stored.ok_or(AdministrationError::UnknownIssuer)?;
        let opened = KeyRing::open(domain.as_str(), &stored, &self.0.config.key_encryption_key);
        Ok(opened.map_err(|error| BackendError::from(MaintainError::from(error)))?)
    }

    /// Stores the change, and serves it here at once; other nodes are told by the store.
    async fn change_ring<T: Send + 'static>(
        &self,
        place: KeyPlace,
        domain: &DomainId,
        make: impl Fn(&mut KeyRing, &RotationPolicy) -> Result<T, KeyRingError> + Send + Sync + 'static,
    ) -> Result<(KeyRing, T), AdministrationError> {
        let (provider, domain) = (self.clone(), domain.clone());
        let work = async move { provider.change_ring_here(&domain, make).await };
        // Only a server that ends leaves work undone.
        place
            .run(work)
            .await
            .unwrap_or(Err(BackendError::Deadline.into()))
    }

    async fn change_ring_here<T: Send>(
        &self,
        domain: &DomainId,
        make: impl Fn(&mut KeyRing, &RotationPolicy) -> Result<T, KeyRingError> + Send + Sync,
    ) -> Result<(KeyRing, T), AdministrationError> {
        let (store, config) = (&*self.0.ports.keys, &self.0.config);
        let (policy, kek) = (&config.rotation, &config.key_encryption_key);
        let make = |ring: &mut KeyRing| make(ring, policy);
        let changed = sealstone_keyring::change(store, domain.as_str(), policy, kek, make).await;
        let (ring, said) = changed.map_err(refusal)?;
        // Read anew, in turn with everybody else who reads: what is served is never replaced by something older.
        if let Err(error) = self.load_one(domain).await {
            let cause: &dyn std::error::Error = &error;
            // It is stored: whoever keeps the issuers up serves it as soon as that can be done.
            tracing::warn!(
                domain.id = %domain,
                error = cause,
                "a changed key ring can't be served yet"
            );
        }
        Ok((ring, said))
    }
}

/// Who signed this, with a name of the file of administrators; from then on the event says so.
fn proved(
    two: &Administrators,
    (request, domain, kid): (&str, &DomainId, &KeyId),
    statement: &str,
    now: UnixTime,
    named: &mut Named,
) -> Result<String, AdministrationDenial> {
    let wanted = KeyStatement {
        request,
        domain: domain.as_str(),
        kid: kid.as_str(),
    };
    let name = two.verify(statement, wanted, now);
    let name = name.map_err(|_nobody| AdministrationDenial::AdministratorNotProved)?;
    let who = named
        .client
        .take()
        .or_else(|| named.user.clone())
        .unwrap_or_default();
    named.client = Some(format!("administrator:{}/{who}", printable(&name)));
    Ok(name)
}

fn backend(error: KeyStoreError) -> BackendError {
    MaintainError::from(error).into()
}

/// What the ring says to a change: the caller's to mend, or ours.
fn refusal(error: MaintainError) -> AdministrationError {
    let is_of_ring = |is: fn(&KeyRingError) -> bool| matches!(&error, MaintainError::Ring(ring) if is(ring));
    if is_of_ring(|ring| matches!(ring, KeyRingError::UnknownKey(_))) {
        AdministrationDenial::UnknownKey.into()
    } else if is_of_ring(|ring| matches!(ring, KeyRingError::AlreadyRevoked(_))) {
        AdministrationDenial::KeyRevoked.into()
    } else if matches!(error, MaintainError::Missing) {
        AdministrationError::UnknownIssuer
    } else {
        BackendError::from(error).into()
    }
}

fn document(domain: &DomainId, ring: &KeyRing, policy: &RotationPolicy) -> Map<String, Value> {
    let keys: Vec<Value> = ring
        .keys()
        .iter()
        .map(|key| document_of_key(key, policy))
        .collect();
    Map::from_iter([
        ("domain_id".to_owned(), domain.as_str().into()),
        ("keys".to_owned(), keys.into()),
    ])
}

/// One key; nothing private is in it. Times are seconds since 1970.
fn document_of_key(key: &RingKey, policy: &RotationPolicy) -> Value {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    add("kid", key.kid().as_str().into());
    add("alg", key.algorithm().as_str().into());
    add("state", key.state().as_str().into());
    add("since", key.since().as_secs().into());
    add("published_at", key.published_at().as_secs().into());
    for (name, time) in [
        ("activated_at", key.activated_at()),
        ("retired_at", key.retired_at()),
        ("revoked_at", key.revoked_at()),
    ] {
        if let Some(time) = time {
            add(name, time.as_secs().into());
        }
    }
    add("next_change_at", key.next_change(policy).as_secs().into());
    members.into()
}

fn document_of_request(request: &KeyRequest) -> Value {
    json!({
        "request": request.id,
        "action": "revoke",
        "domain_id": request.domain,
        "kid": request.kid,
        "requested_by": request.requested_by,
        "requested_at": request.requested_at.as_secs(),
        "lapses_at": request.expires_at.as_secs(),
    })
}
