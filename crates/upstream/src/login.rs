//! The port of `login`, by an OpenID provider.

use async_trait::async_trait;
use openidconnect::{
    AccessToken, AuthenticationContextClass, AuthorizationCode, CsrfToken, LanguageTag, LoginHint, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    TokenResponse as _,
    core::{
        CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreJsonWebKeySet, CoreTokenResponse,
    },
};
use sealstone_login::{
    PendingUpstream, UpstreamAsk, UpstreamCallback, UpstreamError, UpstreamIdentity, UpstreamLogin,
    UpstreamRedirect, UpstreamRefusal, UpstreamSecrets,
};
use subtle::ConstantTimeEq as _;

use crate::{
    UpstreamProvider,
    back_channel::CallFailed,
    claims::{self, Believed, IdTokenFault},
    error::{Failure, FaultKind, Step},
    metadata::{Metadata, core_algorithm},
};

const FOR_TOKENS: Step = "for tokens";
const FOR_USERINFO: Step = "for userinfo";
/// The longest code: common providers put a JWT of a few kilobytes into it at most.
const MAX_CODE: usize = 8 * 1024;
/// The longest access token that goes into a header of common size.
const MAX_ACCESS_TOKEN: usize = 16 * 1024;

#[async_trait]
impl UpstreamLogin for UpstreamProvider {
    async fn begin(
        &self,
        ask: &UpstreamAsk,
        secrets: UpstreamSecrets,
    ) -> Result<UpstreamRedirect, UpstreamError> {
        let metadata = self.metadata().await?;
        Ok(UpstreamRedirect {
            url: self.authorization_url(&metadata, ask, &secrets)?,
            pending: PendingUpstream::new(&self.config().issuer, ask, &secrets, self.now()),
        })
    }

    async fn finish(
        &self,
        pending: &PendingUpstream,
        callback: &UpstreamCallback<'_>,
    ) -> Result<UpstreamIdentity, UpstreamError> {
        // Whose answer it is, before anybody is asked or anything else of it is read.
        let state = callback.state.unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(pending.expose_state().as_bytes())) {
            return Err(refused(UpstreamRefusal::State));
        }
        if pending.issuer() != self.config().issuer
            || callback.iss.is_some_and(|iss| iss != self.config().issuer)
        {
            return Err(refused(UpstreamRefusal::Issuer));
        }
        let metadata = self.metadata().await?;
        if callback.iss.is_none() && metadata.says_iss {
            return Err(refused(UpstreamRefusal::Issuer));
        }
        match callback.error {
            None => {}
            Some("access_denied") => return Err(refused(UpstreamRefusal::Declined)),
            Some("temporarily_unavailable" | "server_error") => {
                return Err(UpstreamError::unavailable(crate::Outage::Announced));
            }
            Some("unauthorized_client" | "invalid_scope" | "invalid_client") => {
                return Err(UpstreamError::NotConfigured {
                    needs: "the client, its redirect URI and its scopes as they are registered with the provider",
                });
            }
            Some(_) => return Err(refused(UpstreamRefusal::Error)),
        }
        let code = callback.code.filter(|code| is_code(code));
        let code = code.ok_or_else(|| refused(UpstreamRefusal::Code))?;
        let believed = self.redeem(&metadata, pending, code).await?;
        Ok(UpstreamIdentity {
            issuer: self.config().issuer.clone(),
            subject: believed.subject.to_string(),
            claims: believed.claims,
            amr: believed.amr,
            acr: believed.acr,
            auth_time: believed.auth_time,
        })
    }
}

const fn refused(refusal: UpstreamRefusal) -> UpstreamError {
    UpstreamError::Refused(refusal)
}

/// RFC 6749 appendix A.11.
fn is_code(code: &str) -> bool {
    (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

impl UpstreamProvider {
    fn authorization_url(
        &self,
        metadata: &Metadata,
        ask: &UpstreamAsk,
        secrets: &UpstreamSecrets,
    ) -> Result<String, Failure> {
        let client = self
            .client(CoreJsonWebKeySet::new(Vec::new()))
            .set_auth_uri(metadata.authorization.clone())
            .set_redirect_uri(redirect_uri(&ask.redirect_uri)?);
        let (state, nonce) = (
            secrets.state.expose().to_owned(),
            secrets.nonce.expose().to_owned(),
        );
        let verifier = PkceCodeVerifier::new(secrets.verifier.expose().to_owned());
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        // `openid` is there already.
        for scope in self.config().scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if let Some(prompt) = &ask.prompt {
            request = request.add_prompt(match prompt.as_str() {
                "none" => CoreAuthPrompt::None,
                "login" => CoreAuthPrompt::Login,
                "consent" => CoreAuthPrompt::Consent,
                "select_account" => CoreAuthPrompt::SelectAccount,
                other => CoreAuthPrompt::Extension(other.to_owned()),
            });
        }
        if let Some(age) = ask.max_age {
            request = request.set_max_age(age);
        }
        if let Some(hint) = &ask.login_hint {
            request = request.set_login_hint(LoginHint::new(hint.clone()));
        }
        for acr in &ask.acr_values {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        for locale in &ask.ui_locales {
            request = request.add_ui_locale(LanguageTag::new(locale.clone()));
        }
        let (url, _state, _nonce) = request.url();
        Ok(url.into())
    }

    /// The code for tokens, the tokens for what they say.
    async fn redeem(
        &self,
        metadata: &Metadata,
        pending: &PendingUpstream,
        code: &str,
    ) -> Result<Believed, Failure> {
        let answer = self.tokens(metadata, pending, code).await?;
        let Some(id_token) = answer.id_token() else {
            return Err(Failure::fault(FOR_TOKENS, FaultKind::Shape));
        };
        let text = id_token.to_string();
        let mut believed = self
            .believe(metadata, pending, &text, answer.access_token())
            .await?;
        if let Some(url) = metadata
            .userinfo
            .as_deref()
            .filter(|_| self.config().asks_userinfo)
        {
            let bearer = answer.access_token().secret();
            let in_a_header = |byte: u8| byte.is_ascii_graphic();
            if bearer.is_empty() || bearer.len() > MAX_ACCESS_TOKEN || !bearer.bytes().all(in_a_header) {
                return Err(Failure::fault(FOR_TOKENS, FaultKind::AccessToken));
            }
            let body = self.back_channel().get(FOR_USERINFO, url, Some(bearer)).await?;
            if !claims::with_userinfo(&mut believed, &body) {
                return Err(Failure::fault(FOR_USERINFO, FaultKind::Subject));
            }
        }
        Ok(believed)
    }

    async fn tokens(
        &self,
        metadata: &Metadata,
        pending: &PendingUpstream,
        code: &str,
    ) -> Result<CoreTokenResponse, Failure> {
        let client = self
            .client(CoreJsonWebKeySet::new(Vec::new()))
            .set_token_uri(metadata.token.clone())
            .set_redirect_uri(redirect_uri(pending.redirect_uri())?);
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(pending.expose_verifier().to_owned()))
            .request_async(self.back_channel())
            .await;
        // Their texts repeat what came: only their kinds are kept.
        answer.map_err(|error| match error {
            RequestTokenError::Request(CallFailed(failure)) => failure,
            RequestTokenError::ServerResponse(answer) => match answer.error() {
                CoreErrorResponseType::InvalidGrant => Failure::Refused(UpstreamRefusal::Code),
                CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                    Failure::NotConfigured(
                        "the client id, secret and `token_endpoint_auth_method` as registered",
                    )
                }
                // Whatever else it does not take is ours or its own fault, and not the browser's.
                CoreErrorResponseType::InvalidRequest
                | CoreErrorResponseType::InvalidScope
                | CoreErrorResponseType::UnsupportedGrantType
                | CoreErrorResponseType::Extension(_) => Failure::NotConfigured(
                    "a token request that the provider takes: its log says why it does not",
                ),
            },
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                Failure::fault(FOR_TOKENS, FaultKind::Shape)
            }
        })
    }

    async fn believe(
        &self,
        metadata: &Metadata,
        pending: &PendingUpstream,
        id_token: &str,
        access_token: &AccessToken,
    ) -> Result<Believed, Failure> {
        let kid = claims::key_name(id_token).map_err(told)?;
        let keys = self.keys_with(metadata, kid.as_deref()).await?;
        let client = self.client(keys.set.clone());
        let algorithms = self.config().algorithms.iter().copied().map(core_algorithm);
        let verifier = client.id_token_verifier().set_allowed_algs(algorithms);
        claims::id_token(
            id_token,
            access_token,
            &keys,
            verifier,
            &self.config().client_id,
            (pending, self.now()),
        )
        .map_err(told)
    }
}

fn redirect_uri(text: &str) -> Result<RedirectUrl, Failure> {
    RedirectUrl::new(text.to_owned())
        .map_err(|_not_a_url| Failure::NotConfigured("a callback address that is a URL"))
}

/// The page and the audit trail hear that the token is refused, the log why: nothing of the token is in it.
fn told(fault: IdTokenFault) -> Failure {
    tracing::warn!(reason = %fault, "the upstream provider's ID token is refused");
    Failure::Refused(UpstreamRefusal::IdToken)
}
