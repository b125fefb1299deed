//! `/device_authorization` (RFC 8628 §3.1): a device asks for its codes.

use super::PeoplePorts;
use crate::error::TokenError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Target};
use sealstone_grants::device::{
    DEVICE_INTERVAL_S, DEVICE_LIFETIME, DeviceAuthorized, DeviceInsertion, Origin, authorize,
};
use sealstone_grants::{Denial, GrantDenial};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{
    DeviceAuthorizationRequest, DeviceAuthorizationResponse, GrantType, RequestError, UserCode,
};

/// How often a user code is drawn again because another request has it: one of 2^34 is taken by at most ten thousand.
const TRIES: usize = 4;

/// What is shown of a device's own description.
const LONGEST_AGENT: usize = 160;

impl Provider {
    /// `POST /device_authorization` (RFC 8628 §3.1). `user_agent` is shown to the person who decides.
    ///
    /// # Errors
    /// [`TokenError`]; nothing was made.
    pub async fn device_authorization(
        &self,
        domain: &DomainId,
        request: Result<DeviceAuthorizationRequest, RequestError>,
        user_agent: Option<&str>,
        peer: &Peer,
    ) -> Result<DeviceAuthorizationResponse, TokenError> {
        let issuer = self.issuer(domain)?;
        let people = self
            .0
            .ports
            .people
            .as_ref()
            .filter(|people| people.realm(domain).is_some());
        let people = people.ok_or(TokenError::UnknownIssuer)?;
        let client = request.as_ref().ok().map(|request| &request.client);
        let attempt = self.attempt(Action::AskForDevice, client, peer)?;
        let origin = origin(user_agent, peer);
        let result = match request {
            Ok(_) if !self.offers(domain, GrantType::DeviceCode) => Err(Denial::UnsupportedGrantType.into()),
            Ok(request) => {
                let asked = self.may_ask(&issuer, request, peer, attempt.now);
                match Box::pin(asked).await {
                    Ok(authorized) => {
                        self.make_codes(people, &issuer, &authorized, origin, attempt.now)
                            .await
                    }
                    Err(error) => Err(error),
                }
            }
            Err(fault) => Err(Denial::Malformed(fault).into()),
        };
        self.record(
            &attempt,
            Target::Issuer(domain.as_str().into()),
            result.as_ref().err(),
        )?;
        result
    }

    async fn may_ask(
        &self,
        issuer: &IssuerState,
        request: DeviceAuthorizationRequest,
        peer: &Peer,
        now: UnixTime,
    ) -> Result<DeviceAuthorized, TokenError> {
        let client = self.authenticate(request.client, peer, issuer, now).await?;
        Ok(authorize(client, request.scope, request.resources, now)?)
    }

    async fn make_codes(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        authorized: &DeviceAuthorized,
        origin: Origin,
        now: UnixTime,
    ) -> Result<DeviceAuthorizationResponse, TokenError> {
        let device_code = self.draw_token()?;
        for _try in 0..TRIES {
            let mut octets = [0_u8; 8];
            self.0.ports.entropy.fill(&mut octets)?;
            let user_code = UserCode::from_octets(octets);
            let device = authorized.request(&device_code, user_code, origin.clone(), now);
            match people.devices.insert_device(device).await? {
                DeviceInsertion::Inserted => {
                    return Ok(DeviceAuthorizationResponse::new(
                        &device_code,
                        user_code,
                        format!("{}/device", issuer.issuer),
                        DEVICE_LIFETIME.as_secs(),
                        u64::from(DEVICE_INTERVAL_S),
                    ));
                }
                DeviceInsertion::CodeTaken => {}
                DeviceInsertion::Full => break,
            }
        }
        Err(Denial::from(GrantDenial::TooManyDevices).into())
    }
}

/// Where the request came from, as the person is shown it.
fn origin(user_agent: Option<&str>, peer: &Peer) -> Origin {
    let agent = user_agent.map(|text| {
        let clean = text.chars().filter(|c| !c.is_control());
        clean.take(LONGEST_AGENT).collect::<String>()
    });
    Origin {
        address: peer.address.map(|address| address.to_string()),
        agent: agent.filter(|text| !text.is_empty()),
    }
}
