//! Introspection and revocation of what people granted: their access tokens, and refresh tokens.

use crate::error::BackendError;
use crate::introspect::describe;
use crate::issuer::IssuerState;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_grants::authenticate::Authenticated;
use sealstone_grants::inspect::may_end;
use sealstone_grants::refresh::{Ending, FamilyId, RefreshFamily};
use sealstone_oauth_types::{IntrospectionResponse, OpaqueToken, Secret};
use sealstone_registry::{Client, IntrospectionFormat, IntrospectionRight};
use sealstone_tokens::VerifiedToken;

impl Provider {
    /// What is told of a person's token: nothing, unless the person is still there, their login stands, and they still
    /// may do all that it carries.
    pub(crate) async fn describe_of_person(
        &self,
        issuer: &IssuerState,
        owner: &Client,
        token: VerifiedToken,
        format: IntrospectionFormat,
        now: UnixTime,
    ) -> Result<IntrospectionResponse, BackendError> {
        if owner.created_at().as_secs() > token.issued_at.as_secs() {
            return Ok(IntrospectionResponse::inactive());
        }
        let person = self.persons_token_stands(issuer, owner, &token, now).await?;
        Ok(match person {
            Some(person) => describe(issuer, token, person.user.name().as_str(), format),
            None => IntrospectionResponse::inactive(),
        })
    }

    async fn family_of(
        &self,
        token: &Secret,
    ) -> Result<Option<(OpaqueToken, Box<RefreshFamily>)>, BackendError> {
        let (Some(people), Ok(token)) = (&self.0.ports.people, OpaqueToken::parse(token.expose())) else {
            return Ok(None);
        };
        let family = people.refresh.family(&FamilyId::of(&token)).await?;
        Ok(family.map(|family| (token, family)))
    }

    /// What is told of a refresh token: to its client, or to one that may know of every token of the domain.
    pub(crate) async fn look_at_refresh_token(
        &self,
        issuer: &IssuerState,
        caller: &Authenticated,
        token: &Secret,
        now: UnixTime,
    ) -> Result<IntrospectionResponse, BackendError> {
        let inactive = IntrospectionResponse::inactive;
        let Some((token, family)) = self.family_of(token).await? else {
            return Ok(inactive());
        };
        let may_know = may_end(caller.client(), &family)
            || caller.client().introspection() == IntrospectionRight::Domain;
        let is_good = family.grant.domain == issuer.domain
            && family.current == token.hash()
            && family.expires_at().as_secs() > now.as_secs()
            && caller.client().introspection_format() == IntrospectionFormat::Standard;
        if !may_know || !is_good {
            return Ok(inactive());
        }
        let owner = self.0.ports.clients.client(&family.grant.client_id).await?;
        let owner =
            owner.filter(|owner| owner.is_enabled() && owner.created_at() == family.grant.client_created_at);
        let person = self.person_now(issuer, &family.grant, now).await?;
        let stands = person.is_ok_and(|person| person.stands_since(family.grant.authenticated_at));
        let (Some(owner), true) = (owner, stands) else {
            return Ok(inactive());
        };
        let mut answer = IntrospectionResponse::active();
        answer.iss = Some(issuer.issuer.clone());
        answer.sub = Some(self.subject(&owner, &family.grant.user_id)?);
        answer.scope = Some(family.grant.scope.clone());
        answer.exp = Some(family.expires_at().as_secs());
        answer.iat = Some(family.created_at.as_secs());
        answer.client_id = Some(family.grant.client_id.clone());
        Ok(answer)
    }

    /// Ends a family by one of its tokens, old or new, for its own client; what lives of it is revoked with it.
    pub(crate) async fn end_family_of(
        &self,
        issuer: &IssuerState,
        caller: &Authenticated,
        token: &Secret,
        now: UnixTime,
    ) -> Result<(), BackendError> {
        let Some((_token, family)) = self.family_of(token).await? else {
            return Ok(());
        };
        if !may_end(caller.client(), &family) || family.grant.domain != issuer.domain {
            return Ok(());
        }
        let Some(people) = &self.0.ports.people else {
            return Ok(());
        };
        let ended = people.refresh.end(Ending::Family(&family.id), now).await?;
        issuer.add_ended(ended);
        Ok(())
    }
}
