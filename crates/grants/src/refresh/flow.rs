use super::{
    FamilyId, LastIssue, RefreshFamily, RefreshRotation, binding, dates, rotation,
    succession::{self, Succession},
};
use crate::{
    Denial, GrantDenial,
    authenticate::Authenticated,
    person::{Completion, Facts, NeedsPerson, Refused, Source, narrowing},
    token,
};
use rustls_pki_types::UnixTime;
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{GrantType, OpaqueToken, ResourceUri, ScopeSet};
use sealstone_registry::Client;
use std::sync::Arc;

/// A client sent a refresh token; its family has not been looked up.
#[derive(Debug)]
pub struct NeedsFamily {
    request: RefreshRequest,
}

/// What a client that proved itself asks for.
#[derive(Debug)]
struct RefreshRequest {
    client: Arc<Client>,
    bound_to: Option<ClientCertificate>,
    token: OpaqueToken,
    scope: Option<ScopeSet>,
    resources: Vec<ResourceUri>,
}

/// Begins a refresh (RFC 6749 §6).
pub(crate) fn begin(
    authenticated: Authenticated,
    token: OpaqueToken,
    scope: Option<ScopeSet>,
    resources: Vec<ResourceUri>,
    now: UnixTime,
) -> Result<NeedsFamily, Denial> {
    let (client, certificate) = authenticated.into_parts();
    if !client.grants().contains(&GrantType::RefreshToken) {
        return Err(Denial::UnauthorizedGrantType);
    }
    let bound_to = token::binding::decide(&client, certificate, now)?;
    Ok(NeedsFamily {
        request: RefreshRequest {
            client,
            bound_to,
            token,
            scope,
            resources,
        },
    })
}

impl NeedsFamily {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.request.client
    }

    /// The family to look up.
    #[must_use]
    pub fn family_id(&self) -> FamilyId {
        FamilyId::of(&self.request.token)
    }

    /// Goes on with what the store said.
    ///
    /// Whose token it is decides first: another client's request ends nothing, whatever it holds.
    ///
    /// # Errors
    /// [`Refused`] with [`GrantDenial::UnknownRefreshToken`], [`GrantDenial::RefreshTokenOfAnotherClient`],
    /// [`GrantDenial::RegisteredAnew`], [`GrantDenial::RefreshTokenExpired`], [`GrantDenial::RefreshTokenReused`],
    /// [`GrantDenial::OtherBinding`], [`GrantDenial::ScopeBeyondGrant`], [`GrantDenial::GrantLost`]
    /// or [`GrantDenial::TargetBeyondGrant`].
    pub fn with_family(
        self,
        family: Option<Box<RefreshFamily>>,
        now: UnixTime,
    ) -> Result<NeedsPerson, Refused> {
        judge(self.request, family, now)
    }
}

fn judge(
    request: RefreshRequest,
    family: Option<Box<RefreshFamily>>,
    now: UnixTime,
) -> Result<NeedsPerson, Refused> {
    let client = &request.client;
    let family = family.ok_or(GrantDenial::UnknownRefreshToken)?;
    if !narrowing::is_of(client, &family.grant) {
        return Err(GrantDenial::RefreshTokenOfAnotherClient.into());
    }
    let end = |denial: GrantDenial| Refused::ending(denial, family.id);
    if !narrowing::is_same_registration(client, &family.grant) {
        return Err(end(GrantDenial::RegisteredAnew));
    }
    dates::check(&family, now).map_err(end)?;
    // A thief without the certificate learns and ends nothing.
    binding::check(&family, request.bound_to.as_ref())?;
    let succession = succession::judge(&family, &request.token.hash(), now).map_err(end)?;
    let asked_scope = narrowing::scope(client, &family.grant, request.scope.as_ref())?;
    let asked_target = narrowing::target(client, &family.grant, &asked_scope, &request.resources)?;
    let (scope, target) = match succession {
        Succession::Next => (asked_scope, asked_target),
        Succession::Again => (family.last.scope.clone(), family.last.target.clone()),
    };
    let facts = Facts {
        client: Arc::clone(client),
        grant: family.grant.clone(),
        scope,
        target,
        bound_to: request.bound_to.clone(),
        nonce: None,
    };
    let used = RefreshUse {
        request,
        family,
        succession,
    };
    Ok(NeedsPerson {
        facts,
        source: Source::Refresh(Box::new(used)),
    })
}

/// A refresh token that is good, and its family.
#[derive(Debug)]
pub(crate) struct RefreshUse {
    request: RefreshRequest,
    family: Box<RefreshFamily>,
    succession: Succession,
}

impl RefreshUse {
    pub(crate) const fn family_id(&self) -> FamilyId {
        self.family.id
    }

    pub(crate) fn again(&self) -> Option<&LastIssue> {
        match self.succession {
            Succession::Next => None,
            Succession::Again => Some(&self.family.last),
        }
    }

    /// What is left to do when this is issued.
    pub(crate) fn complete(&self, issued: LastIssue, now: UnixTime) -> Completion {
        let next_token = rotation::next_token(&self.family, &self.request.token, self.succession);
        match self.succession {
            Succession::Again => Completion::Again {
                refresh_token: next_token,
            },
            Succession::Next => {
                let (next, revoked) =
                    rotation::next(&self.family, &self.request.token, &next_token, issued, now);
                Completion::Rotate {
                    rotation: Box::new(RefreshRotation {
                        expected_generation: self.family.generation,
                        next,
                        revoked,
                    }),
                    refresh_token: next_token,
                }
            }
        }
    }

    pub(crate) fn with_changed(
        self,
        family: Box<RefreshFamily>,
        now: UnixTime,
    ) -> Result<NeedsPerson, Refused> {
        judge(self.request, Some(family), now)
    }
}
