use std::{fmt, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_jose::json;
use sealstone_oauth_types::Secret;
use serde::Deserialize;

use crate::{
    CallFault, LoginError, RelyingParty, TokenError, TokenSet, answer,
    call::Fields,
    error::visible,
    party::{Believing, DEVICE},
};

const FOR_A_CODE: &str = "for a device code";
/// RFC 8628 §3.2: where the provider says nothing.
const INTERVAL: u64 = 5;
/// RFC 8628 §3.5: what `slow_down` adds. A lost connection does the same.
const SLOWER: u64 = 5;
/// However slow a provider wants us: once a minute is enough.
const MAX_INTERVAL: u64 = 60;
/// The longest that a code is waited for, whatever the provider says.
const MAX_LIFETIME: u64 = 3600;

/// A login by a code that the person enters in any browser, on any machine (RFC 8628).
pub struct DeviceLogin {
    party: RelyingParty,
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_at: UnixTime,
    interval: u64,
    scope: String,
}

/// What a look at a device login shows.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it waits, or it is done")]
pub enum DeviceStep {
    /// Look again after this long, and not sooner.
    Wait(Duration),
    /// The person has logged in.
    Done(Box<TokenSet>),
}

#[derive(Deserialize)]
struct Document {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

impl DeviceLogin {
    /// Asks for a code.
    ///
    /// # Errors
    /// [`TokenError`], with `NoEndpoint` where the provider does not offer it.
    pub async fn begin(party: &RelyingParty, scope: &str, resources: &[String]) -> Result<Self, TokenError> {
        let scope = scope.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let fields = Fields::new()
            .with_all((!scope.is_empty()).then_some(("scope", scope.as_str())))
            .with_all(resources.iter().map(|resource| ("resource", resource.as_str())));
        let answer = party.post(FOR_A_CODE, DEVICE, fields).await?;
        if answer.status.as_u16() != 200 {
            return Err(match answer::granted(&answer) {
                Err(error) => error,
                Ok(_odd) => answer.status_error().into(),
            });
        }
        let document = read(answer.body()).ok_or_else(|| answer.fault(CallFault::Shape))?;
        let lifetime = document.expires_in.min(MAX_LIFETIME);
        let end = party.caller().now().as_secs().saturating_add(lifetime);
        Ok(Self {
            party: party.clone(),
            device_code: document.device_code,
            user_code: document.user_code,
            verification_uri: document.verification_uri,
            verification_uri_complete: document.verification_uri_complete,
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(end)),
            interval: document.interval.unwrap_or(INTERVAL).clamp(1, MAX_INTERVAL),
            scope,
        })
    }

    /// What the person enters.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where the person enters it.
    #[must_use]
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same with the code in it: for a QR code.
    #[must_use]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// Until when the code is good.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// How long to wait before the first look, and between looks as it stands.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_secs(self.interval)
    }

    /// Looks once whether the person has logged in.
    ///
    /// What may go better in a while (no connection, 429, 500 and above, `slow_down`) makes the next wait longer.
    ///
    /// # Errors
    /// [`LoginError::Denied`], [`LoginError::Expired`], [`LoginError::Token`].
    pub async fn look(&mut self) -> Result<DeviceStep, LoginError> {
        if self.party.caller().now() >= self.expires_at {
            return Err(LoginError::Expired);
        }
        let fields = Fields::new()
            .with("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
            .with("device_code", self.device_code.expose());
        let believing = Believing {
            required: self.scope.split(' ').any(|name| name == "openid"),
            scope: Some(&self.scope),
            ..Believing::default()
        };
        let slower = match self.party.tokens(fields, believing).await {
            Ok(tokens) => return Ok(DeviceStep::Done(Box::new(tokens))),
            Err(TokenError::Refused(refusal)) => match refusal.code.as_str() {
                "authorization_pending" => false,
                "slow_down" => true,
                "access_denied" => return Err(LoginError::Denied(Some(refusal))),
                "expired_token" => return Err(LoginError::Expired),
                _ => return Err(TokenError::Refused(refusal).into()),
            },
            Err(TokenError::Call(error)) if error.is_transient() => true,
            Err(error) => return Err(error.into()),
        };
        if slower {
            self.interval = self.interval.saturating_add(SLOWER).min(MAX_INTERVAL);
        }
        Ok(DeviceStep::Wait(self.interval()))
    }

    /// Looks until there is an end, with `pause` between.
    ///
    /// # Errors
    /// As [`DeviceLogin::look`].
    pub async fn wait<P>(mut self, mut pause: impl FnMut(Duration) -> P) -> Result<TokenSet, LoginError>
    where
        P: Future<Output = ()>,
    {
        let mut span = self.interval();
        loop {
            pause(span).await;
            match self.look().await? {
                DeviceStep::Done(tokens) => return Ok(*tokens),
                DeviceStep::Wait(next) => span = next,
            }
        }
    }
}

/// An answer whose addresses are a browser's, and whose code can be read out.
fn read(body: &[u8]) -> Option<Document> {
    let mut document: Document = json::from_slice(body).ok()?;
    let web = |address: &str| {
        let graphic = address.bytes().all(|byte| byte.is_ascii_graphic());
        (address.starts_with("https://") || address.starts_with("http://"))
            && graphic
            && address.len() <= 2048
    };
    let code = &document.user_code;
    if !web(&document.verification_uri)
        || document.device_code.is_empty()
        || code.is_empty()
        || code.len() > 64
    {
        return None;
    }
    document.user_code = visible(&document.user_code);
    document.verification_uri_complete = document.verification_uri_complete.filter(|address| web(address));
    Some(document)
}

/// The code and the address of an answer that is taken.
#[cfg(fuzzing)]
pub(crate) fn fuzzing_read(body: &[u8]) -> Option<(String, String)> {
    read(body).map(|document| (document.user_code, document.verification_uri))
}

impl fmt::Debug for DeviceLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeviceLogin")
            .field("verification_uri", &self.verification_uri)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
