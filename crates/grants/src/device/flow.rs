use super::{DEVICE_INTERVAL_S, DEVICE_LIFETIME, DeviceRequest, DeviceState, Origin, Poll};
use crate::{
    Denial, GrantDenial,
    authenticate::Authenticated,
    person::{Facts, NeedsPerson, Source, narrowing},
    refresh,
    token::{self, target},
};
use rustls_pki_types::UnixTime;
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{GrantType, OpaqueToken, ResourceUri, ScopeSet, TokenHash, UserCode};
use sealstone_registry::Client;
use std::{sync::Arc, time::Duration};

/// A device may ask: its request, but for the codes.
#[derive(Debug)]
pub struct DeviceAuthorized {
    client: Arc<Client>,
    scope: ScopeSet,
    resources: Vec<ResourceUri>,
    bound_to: Option<ClientCertificate>,
}

/// Decides a device authorization request (RFC 8628 §3.1).
///
/// # Errors
/// [`Denial::UnauthorizedGrantType`], [`Denial::ScopeNotAllowed`], [`Denial::TargetNotAllowed`],
/// [`Denial::MixedTargets`], [`Denial::BindingImpossible`], [`Denial::CertificateOutOfDate`].
pub fn authorize(
    authenticated: Authenticated,
    scope: Option<ScopeSet>,
    resources: Vec<ResourceUri>,
    now: UnixTime,
) -> Result<DeviceAuthorized, Denial> {
    let (client, certificate) = authenticated.into_parts();
    if !client.grants().contains(&GrantType::DeviceCode) {
        return Err(Denial::UnauthorizedGrantType);
    }
    let scope = token::scope::decide(&client, scope)?;
    target::decide(&client, &scope, resources.clone())?;
    let bound_to = token::binding::decide(&client, certificate, now)?;
    Ok(DeviceAuthorized {
        client,
        scope,
        resources,
        bound_to,
    })
}

impl DeviceAuthorized {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The request to keep, with codes of a cryptographic random source. If the user code is taken, draw again.
    #[must_use]
    pub fn request(
        &self,
        device_code: &OpaqueToken,
        user_code: UserCode,
        origin: Origin,
        now: UnixTime,
    ) -> DeviceRequest {
        let ends = now.as_secs().saturating_add(DEVICE_LIFETIME.as_secs());
        DeviceRequest {
            hash: device_code.hash(),
            user_code,
            domain: self.client.domain().clone(),
            client_id: self.client.id().clone(),
            client_created_at: self.client.created_at(),
            scope: self.scope.clone(),
            resources: self.resources.clone(),
            bound_to: self.bound_to.as_ref().map(refresh::thumbprint),
            origin,
            created_at: now,
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(ends)),
            interval_s: DEVICE_INTERVAL_S,
            polled_at: None,
            state: DeviceState::Pending,
        }
    }
}

/// A client sent a device code; it has not been looked up.
#[derive(Debug)]
pub struct NeedsDevice {
    client: Arc<Client>,
    bound_to: Option<ClientCertificate>,
    hash: TokenHash,
    resources: Vec<ResourceUri>,
}

/// Begins a poll (RFC 8628 §3.4).
pub(crate) fn begin(
    authenticated: Authenticated,
    code: &OpaqueToken,
    resources: Vec<ResourceUri>,
    now: UnixTime,
) -> Result<NeedsDevice, Denial> {
    let (client, certificate) = authenticated.into_parts();
    if !client.grants().contains(&GrantType::DeviceCode) {
        return Err(Denial::UnauthorizedGrantType);
    }
    let bound_to = token::binding::decide(&client, certificate, now)?;
    Ok(NeedsDevice {
        client,
        bound_to,
        hash: code.hash(),
        resources,
    })
}

impl NeedsDevice {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The device code to look up.
    #[must_use]
    pub const fn hash(&self) -> &TokenHash {
        &self.hash
    }

    /// Goes on with what the store said.
    ///
    /// # Errors
    /// [`GrantDenial::UnknownDeviceCode`], [`GrantDenial::DeviceCodeOfAnotherClient`], [`GrantDenial::RegisteredAnew`],
    /// [`GrantDenial::OtherBinding`]: the poll does not count.
    pub fn with_device(self, stored: Option<Box<DeviceRequest>>) -> Result<NeedsPoll, GrantDenial> {
        let request = stored.ok_or(GrantDenial::UnknownDeviceCode)?;
        if self.client.id() != &request.client_id || self.client.domain() != &request.domain {
            return Err(GrantDenial::DeviceCodeOfAnotherClient);
        }
        if self.client.created_at() != request.client_created_at {
            return Err(GrantDenial::RegisteredAnew);
        }
        let presented = self.bound_to.as_ref().map(refresh::thumbprint);
        if self.client.is_public() && presented != request.bound_to {
            return Err(GrantDenial::OtherBinding);
        }
        Ok(NeedsPoll { step: self })
    }
}

/// The device code is the client's own; the poll has not been noted.
#[derive(Debug)]
pub struct NeedsPoll {
    step: NeedsDevice,
}

impl NeedsPoll {
    /// The device code that is polled.
    #[must_use]
    pub const fn hash(&self) -> &TokenHash {
        &self.step.hash
    }

    /// Goes on with what [`DeviceStore::poll`](super::DeviceStore::poll) said.
    ///
    /// # Errors
    /// A [`Denial`] for everything but an approval.
    pub fn with_poll(self, poll: Option<Poll>) -> Result<NeedsPerson, Denial> {
        let grant = match poll.ok_or(GrantDenial::UnknownDeviceCode)? {
            Poll::Approved(grant) => *grant,
            Poll::Pending => return Err(GrantDenial::DevicePending.into()),
            Poll::SlowDown { .. } => return Err(GrantDenial::DeviceTooFast.into()),
            Poll::Denied => return Err(GrantDenial::DeviceRefused.into()),
            Poll::Expired => return Err(GrantDenial::DeviceCodeExpired.into()),
            Poll::Spent => return Err(GrantDenial::DeviceCodeSpent.into()),
        };
        let NeedsDevice {
            client,
            bound_to,
            hash,
            resources,
        } = self.step;
        if !narrowing::is_of(&client, &grant) || !narrowing::is_same_registration(&client, &grant) {
            return Err(GrantDenial::DeviceCodeOfAnotherClient.into());
        }
        let scope = narrowing::scope(&client, &grant, None)?;
        let target = narrowing::target(&client, &grant, &scope, &resources)?;
        Ok(NeedsPerson {
            facts: Facts {
                client,
                grant,
                scope,
                target,
                bound_to,
                nonce: None,
            },
            source: Source::Device(hash),
        })
    }
}
