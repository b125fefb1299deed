use std::{error::Error, fmt, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_client::{
    ClientContext, ClientCredentialsRequest, ClientIdentity, DiscoveryError, Provider, RelyingParty,
    TokenError,
};
use tokio::sync::Mutex;

use crate::{AgentToken, MachinePair, TokenFault, TokenSource};

/// An issuer's metadata change with a release of its software: once an hour is often enough, and a failure asks anew.
const METADATA_LIFETIME: Duration = Duration::from_secs(3600);

/// Tokens by the grant `client_credentials` over mutual TLS (RFC 6749 §4.4, RFC 8705 §2).
///
/// The certificate says who the client is, and every token is bound to it: one that is not is refused.
pub struct ClientCredentials {
    context: ClientContext,
    issuer: String,
    client_id: String,
    request: ClientCredentialsRequest,
    party: Mutex<Option<Party>>,
}

/// The client at its server, with one certificate.
struct Party {
    pair: MachinePair,
    party: RelyingParty,
    since: UnixTime,
}

impl ClientCredentials {
    /// Tokens of this issuer for this client.
    #[must_use]
    pub fn new(
        context: ClientContext,
        issuer: &str,
        client_id: &str,
        request: ClientCredentialsRequest,
    ) -> Self {
        Self {
            context,
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            request,
            party: Mutex::new(None),
        }
    }

    async fn party(&self, pair: &MachinePair, now: UnixTime) -> Result<RelyingParty, TokenFault> {
        let mut kept = self.party.lock().await;
        let is_young = |since: UnixTime| {
            let age = now.as_secs().checked_sub(since.as_secs());
            age.is_some_and(|age| age < METADATA_LIFETIME.as_secs())
        };
        if let Some(kept) = kept
            .as_ref()
            .filter(|kept| kept.pair == *pair && is_young(kept.since))
        {
            return Ok(kept.party.clone());
        }
        let provider = Provider::discover(&self.context, &self.issuer)
            .await
            .map_err(|error| undiscovered(&error))?;
        let certificate = pair
            .for_client()
            .map_err(|_unread| TokenFault::Unanswered("the machine's pair cannot be read".to_owned()))?;
        let identity = ClientIdentity::with_certificate(&self.client_id, certificate);
        let party = RelyingParty::new(&provider, identity).map_err(|error| fault(&error))?;
        *kept = Some(Party {
            pair: pair.clone(),
            party: party.clone(),
            since: now,
        });
        Ok(party)
    }
}

#[async_trait]
impl TokenSource for ClientCredentials {
    async fn token(&self, pair: &MachinePair, now: UnixTime) -> Result<AgentToken, TokenFault> {
        let party = self.party(pair, now).await?;
        let tokens = match party.client_credentials(&self.request).await {
            Ok(tokens) => tokens,
            Err(error) => {
                // The endpoint may have moved.
                *self.party.lock().await = None;
                return Err(fault(&error));
            }
        };
        if tokens.bound_to() != Some(pair.thumbprint().to_string()) {
            return Err(TokenFault::Unbound);
        }
        let until = tokens
            .expires_at()
            .ok_or(TokenFault::Unusable("it does not say how long the token is good"))?;
        if until <= now {
            return Err(TokenFault::Unusable("the token has ended already"));
        }
        Ok(AgentToken::new(
            tokens.access_token().expose(),
            tokens.scope(),
            now,
            until,
        ))
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientCredentials")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

fn undiscovered(error: &DiscoveryError) -> TokenFault {
    TokenFault::Unanswered(whole(error))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all but a refusal are told in their own words"
)]
fn fault(error: &TokenError) -> TokenFault {
    match error {
        TokenError::Refused(refusal) => {
            let advice = match refusal.code.as_str() {
                "invalid_client" => {
                    "is the client registered and enabled, with this certificate's subject, and is the certificate's \
                     authority known to the server (`sealstone client show ID`)?"
                }
                "invalid_scope" | "invalid_target" => {
                    "ask for what the client may have (`sealstone client show ID`)"
                }
                "unauthorized_client" => "register the client for the grant client_credentials",
                "invalid_grant" => {
                    "does Keystone still know the user or credential that the client stands for?"
                }
                _ => "the server's log says why",
            };
            TokenFault::Refused(format!("the server refused with {refusal}: {advice}"))
        }
        other => TokenFault::Unanswered(whole(other)),
    }
}

/// The error with its innermost cause, where that says more.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    let mut last = None;
    while let Some(inner) = source {
        last = Some(inner.to_string());
        source = inner.source();
    }
    if let Some(last) = last.filter(|last| !text.contains(last.as_str())) {
        text.push_str(": ");
        text.push_str(&last);
    }
    text
}
