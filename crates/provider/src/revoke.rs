use crate::error::TokenError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Target};
use sealstone_grants::{Denial, inspect};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{RequestError, RevocationRequest, TokenId};
use sealstone_tokens::RevokedToken;

impl Provider {
    /// Ends a token before its time (RFC 7009). A token that is unknown, or another client's, is left as it is, and
    /// the answer does not tell.
    ///
    /// # Errors
    /// [`TokenError`] for a caller that does not authenticate, or when the revocation could not be made durable.
    pub async fn revoke(
        &self,
        domain: &DomainId,
        request: Result<RevocationRequest, RequestError>,
        peer: &Peer,
    ) -> Result<(), TokenError> {
        let issuer = self.issuer(domain)?;
        let client = request.as_ref().ok().map(|request| &request.client);
        let attempt = self.attempt(Action::RevokeToken, client, peer)?;
        let result = self.end(&issuer, request, peer, attempt.now).await;
        let target = match &result {
            Ok(Some(token_id)) => Target::Token(token_id.as_str().into()),
            Ok(None) | Err(_) => Target::Issuer(domain.as_str().into()),
        };
        self.record(&attempt, target, result.as_ref().err())?;
        result.map(|_token_id| ())
    }

    async fn end(
        &self,
        issuer: &IssuerState,
        request: Result<RevocationRequest, RequestError>,
        peer: &Peer,
        now: UnixTime,
    ) -> Result<Option<TokenId>, TokenError> {
        let request = request.map_err(Denial::Malformed)?;
        let caller = self.authenticate(request.client, peer, issuer, now).await?;
        let token = issuer
            .verify(request.token.expose(), now)
            .filter(|token| inspect::may_revoke(caller.client(), &token.client_id));
        let Some((token, token_id)) = token.and_then(|token| {
            let token_id = TokenId::parse(&token.token_id).ok()?;
            Some((token, token_id))
        }) else {
            let family = Box::pin(self.end_family_of(issuer, &caller, &request.token, now));
            family.await?;
            return Ok(None);
        };
        let revoked = RevokedToken {
            token_id: token_id.clone(),
            expires_at: token.expires_at,
        };
        self.0.ports.revocations.revoke(&issuer.domain, &revoked).await?;
        issuer.add_revoked(revoked);
        Ok(Some(token_id))
    }
}
