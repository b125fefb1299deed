use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_jose::UnverifiedJwt;
use sealstone_oauth_types::Secret;
use serde::Serialize;

use crate::{
    ClientIdentity, IdTokenFault, Provider, SecretMethod, TokenError, TokenSet,
    answer::{self, Granted},
    call::{Answer, Caller, Fields},
    id_token::{self, Expected},
    identity::Proof,
    provider::Metadata,
};

pub(crate) const FOR_TOKENS: &str = "for tokens";
const FOR_REVOCATION: &str = "to revoke a token";
/// Long enough for a slow connection, short enough to be of no use to who finds it in a log.
const ASSERTION_LIFETIME: u64 = 60;

/// What a machine asks for (RFC 6749 §4.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCredentialsRequest {
    scope: Option<String>,
    resources: Vec<String>,
}

impl ClientCredentialsRequest {
    /// What the client is registered for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names parted by spaces.
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        self
    }

    /// What the token is for (RFC 8707); may be given several times.
    #[must_use]
    pub fn with_resource(mut self, resource: &str) -> Self {
        self.resources.push(resource.to_owned());
        self
    }
}

/// A client at its provider: everything that it can ask there. Clones share connections.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    provider: Provider,
    identity: ClientIdentity,
    caller: Caller,
}

/// One of the endpoints, by its name in the metadata, and by its alias for mutual TLS.
type Endpoint = (
    &'static str,
    fn(&Metadata) -> Option<&str>,
    fn(&Metadata) -> Option<&str>,
);

const TOKEN: Endpoint = (
    "token_endpoint",
    |metadata| metadata.token_endpoint.as_deref(),
    |metadata| metadata.mtls_endpoint_aliases.token_endpoint.as_deref(),
);
const REVOCATION: Endpoint = (
    "revocation_endpoint",
    |metadata| metadata.revocation_endpoint.as_deref(),
    |metadata| metadata.mtls_endpoint_aliases.revocation_endpoint.as_deref(),
);
pub(crate) const DEVICE: Endpoint = (
    "device_authorization_endpoint",
    |metadata| metadata.device_authorization_endpoint.as_deref(),
    |metadata| {
        metadata
            .mtls_endpoint_aliases
            .device_authorization_endpoint
            .as_deref()
    },
);

/// What an ID token in an answer is held against.
#[derive(Clone, Copy, Default)]
pub(crate) struct Believing<'a> {
    pub(crate) required: bool,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    /// What was asked for, where the answer does not say.
    pub(crate) scope: Option<&'a str>,
}

impl RelyingParty {
    /// This client at this provider.
    ///
    /// A certificate that only binds is shown where the provider binds tokens, and to no other.
    ///
    /// # Errors
    /// [`TokenError::Setup`] if certificate and key do not belong together.
    pub fn new(provider: &Provider, identity: ClientIdentity) -> Result<Self, TokenError> {
        let shows = identity.is_mutual_tls() || provider.offers_bound_tokens();
        let context = provider.caller().context().clone();
        let caller = match identity.certificate().filter(|_pair| shows) {
            Some(pair) => Caller::new(context.https(Some(pair))?, context),
            None => provider.caller().clone(),
        };
        Ok(Self {
            provider: provider.clone(),
            identity,
            caller,
        })
    }

    /// The provider.
    #[must_use]
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Who we are.
    #[must_use]
    pub const fn identity(&self) -> &ClientIdentity {
        &self.identity
    }

    /// A token for the client itself.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn client_credentials(
        &self,
        request: &ClientCredentialsRequest,
    ) -> Result<TokenSet, TokenError> {
        let scope = request.scope.as_deref().filter(|scope| !scope.is_empty());
        let fields = Fields::new()
            .with("grant_type", "client_credentials")
            .with_all(scope.map(|scope| ("scope", scope)))
            .with_all(
                request
                    .resources
                    .iter()
                    .map(|resource| ("resource", resource.as_str())),
            );
        let believing = Believing {
            scope,
            ..Believing::default()
        };
        self.tokens(fields, believing).await
    }

    /// The next tokens. The refresh token of `tokens` may be used up by this: keep what comes at once.
    ///
    /// What the answer leaves out stays as it was: refresh token, ID token, scope.
    ///
    /// # Errors
    /// [`TokenError::NoRefreshToken`]; [`TokenError::Clock`] when this machine's clock is too far from the provider's, and
    /// the refresh token is not used; [`TokenError::Refused`] with `invalid_grant` when it is no longer good: log in again.
    pub async fn refresh(&self, tokens: &TokenSet) -> Result<TokenSet, TokenError> {
        let refresh_token = tokens.refresh_token().ok_or(TokenError::NoRefreshToken)?;
        let lifetime = tokens
            .id_token()
            .and_then(|token| id_token::lifetime(token.expose()));
        if let (Some(skew), Some(lifetime)) = (self.provider.clock_skew(), lifetime)
            && id_token::would_be_of_another_time(skew, lifetime)
        {
            return Err(TokenError::Clock(skew));
        }
        let fields = Fields::new()
            .with("grant_type", "refresh_token")
            .with("refresh_token", refresh_token.expose());
        let believing = Believing {
            subject: tokens.person().map(|person| person.subject.as_str()),
            scope: tokens.scope(),
            ..Believing::default()
        };
        let mut next = self.tokens(fields, believing).await?;
        if next.refresh_token.is_none() {
            next.refresh_token = tokens.refresh_token.clone();
        }
        if next.id_token.is_none() {
            next.id_token = tokens.id_token.clone();
            next.person = tokens.person.clone();
        }
        Ok(next)
    }

    /// Has the tokens revoked (RFC 7009): the refresh token, which ends what came of it, and the access token.
    ///
    /// # Errors
    /// [`TokenError`]; when the first fails, the second is not tried.
    pub async fn revoke(&self, tokens: &TokenSet) -> Result<(), TokenError> {
        let refresh = tokens.refresh_token().map(|token| (token, "refresh_token"));
        for (token, hint) in refresh
            .into_iter()
            .chain([(tokens.access_token(), "access_token")])
        {
            let fields = Fields::new()
                .with("token", token.expose())
                .with("token_type_hint", hint);
            let answer = self.post(FOR_REVOCATION, REVOCATION, fields).await?;
            if answer.status.as_u16() != 200 {
                return Err(match answer::granted(&answer) {
                    Err(error) => error,
                    Ok(_odd) => answer.status_error().into(),
                });
            }
        }
        Ok(())
    }

    /// Where a browser ends the session at the provider (OpenID Connect RP-Initiated Logout 1.0 §2), if it offers it.
    ///
    /// # Security
    /// It holds the ID token, which says who logged in.
    #[must_use]
    pub fn end_session_url(&self, tokens: &TokenSet) -> Option<String> {
        let address = self.provider.metadata().end_session_endpoint.as_deref()?;
        let id_token = tokens.id_token().map(|token| ("id_token_hint", token.expose()));
        let fields = Fields::new()
            .with_all(id_token)
            .with("client_id", self.identity.client_id());
        self.caller.admits(address).then(|| fields.into_query_of(address))
    }

    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Posts to one of the endpoints, as this client.
    pub(crate) async fn post(
        &self,
        step: &'static str,
        endpoint: Endpoint,
        fields: Fields,
    ) -> Result<Answer, TokenError> {
        let (name, plain, alias) = endpoint;
        let metadata = self.provider.metadata();
        let shows = self.identity.is_mutual_tls() || self.provider.offers_bound_tokens();
        let alias = self
            .identity
            .certificate()
            .filter(|_pair| shows)
            .and_then(|_pair| alias(metadata));
        let address = alias
            .or_else(|| plain(metadata))
            .ok_or_else(|| TokenError::NoEndpoint {
                issuer: self.provider.issuer().to_owned(),
                endpoint: name,
            })?;
        let (fields, authorization) = self.authenticated(fields)?;
        let authorization = authorization.as_ref().map(Secret::expose);
        Ok(self.caller.form(step, address, fields, authorization).await?)
    }

    fn authenticated(&self, fields: Fields) -> Result<(Fields, Option<Secret>), TokenError> {
        let client_id = self.identity.client_id();
        match self.identity.proof() {
            Proof::Public | Proof::Certificate => Ok((fields.with("client_id", client_id), None)),
            Proof::Secret(secret, method) => {
                let offered = &self.provider.metadata().token_endpoint_auth_methods_supported;
                let only_post =
                    !offered.is_empty() && !offered.iter().any(|method| method == "client_secret_basic");
                let post = match method {
                    SecretMethod::Offered => only_post,
                    SecretMethod::Basic => false,
                    SecretMethod::Post => true,
                };
                Ok(if post {
                    let fields = fields.with("client_id", client_id);
                    (fields.with("client_secret", secret.expose()), None)
                } else {
                    (fields, Some(basic(client_id, secret)))
                })
            }
            Proof::Assertion(encoder) => {
                let now = self.provider.now().as_secs();
                let token_id = self.caller.context().token()?;
                let assertion = encoder.encode_to_string(&Assertion {
                    iss: client_id,
                    sub: client_id,
                    aud: self.provider.issuer(),
                    jti: &token_id,
                    iat: now,
                    exp: now.saturating_add(ASSERTION_LIFETIME),
                });
                let assertion = assertion.map_err(|_refused| TokenError::Assertion)?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let fields = fields
                    .with("client_id", client_id)
                    .with("client_assertion_type", kind)
                    .with("client_assertion", &assertion);
                Ok((fields, None))
            }
        }
    }

    /// One request of the token endpoint, and what comes of it.
    pub(crate) async fn tokens(
        &self,
        fields: Fields,
        believing: Believing<'_>,
    ) -> Result<TokenSet, TokenError> {
        // Its life begins before the answer is here.
        let asked_at = self.provider.now();
        let answer = self.post(FOR_TOKENS, TOKEN, fields).await?;
        let granted = answer::granted(&answer)?;
        self.believed(granted, &answer, believing, asked_at).await
    }

    async fn believed(
        &self,
        granted: Granted,
        answer: &Answer,
        believing: Believing<'_>,
        asked_at: UnixTime,
    ) -> Result<TokenSet, TokenError> {
        let refused = |fault: IdTokenFault| TokenError::IdToken {
            fault,
            skew: answer.skew.filter(|_skew| fault.is_of_time()),
        };
        let person = match &granted.id_token {
            Some(id_token) => {
                let form = |_not_it| refused(IdTokenFault::Form);
                let token = UnverifiedJwt::parse(id_token.expose()).map_err(form)?;
                let keys = self.provider.keys_for(&token).await?;
                let expected = Expected {
                    issuer: self.provider.issuer(),
                    client_id: self.identity.client_id(),
                    nonce: believing.nonce,
                    access_token: granted.access_token.expose(),
                    subject: believing.subject,
                    now: self.provider.now(),
                };
                Some(id_token::believe(token, &keys, &expected).map_err(refused)?)
            }
            None if believing.required => return Err(refused(IdTokenFault::Missing)),
            None => None,
        };
        let shows = self.identity.is_mutual_tls() || self.provider.offers_bound_tokens();
        let shown = self.identity.certificate().filter(|_pair| shows);
        Ok(TokenSet {
            expires_at: granted.expires_in.map(|span| end(asked_at, span)),
            access_token: granted.access_token,
            refresh_token: granted.refresh_token,
            id_token: granted.id_token,
            scope: granted.scope.or_else(|| believing.scope.map(str::to_owned)),
            person,
            shown: shown.map(|pair| pair.thumbprint().to_string()),
        })
    }
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

fn end(now: UnixTime, span: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().saturating_add(span)))
}

/// RFC 6749 §2.3.1: each part is form-encoded before they are joined.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Secret::from(format!("{}:{}", encoded(client_id), encoded(secret.expose())));
    Secret::from(format!("Basic {}", base64(pair.expose())))
}

fn base64(text: &str) -> String {
    base64_simd::STANDARD.encode_to_string(text)
}
