//! Who administers: by an access token of ours, a Keystone token, the local socket, or a certificate.

use super::{Administration, AdministrationDenial, AdministrationError, Asking, Named};
use crate::identity::refusal;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_grants::ChainVerdict;
use sealstone_identity::{AdministratorSource, DomainId, RoleName, Scope, TokenHolder};
use sealstone_oauth_types::{ScopeSet, ScopeToken, UserinfoRequest};
use sealstone_registry::{Administrator, CLOUD_DOMAIN, OPENSTACK_API_SCOPE};
use sealstone_tokens::{Possession, VerifiedToken};
use std::sync::Arc;

/// An administrator who proved it, and how Keystone is asked in their name.
pub(super) struct Acting<'a> {
    pub(super) administrator: Administrator,
    pub(super) keystone: Option<(&'a dyn AdministratorSource, &'a str)>,
}

impl Acting<'_> {
    const fn of(administrator: Administrator) -> Self {
        Self {
            administrator,
            keystone: None,
        }
    }
}

impl Provider {
    pub(super) async fn acting<'a>(
        &self,
        issuer: &Arc<IssuerState>,
        administration: &'a Administration,
        asking: Asking<'a>,
        named: &mut Named,
    ) -> Result<Acting<'a>, AdministrationError> {
        let (credentials, peer, now) = (asking.credentials, asking.peer, asking.now);
        if credentials.is_of_a_page {
            return Err(AdministrationDenial::FromAPage.into());
        }
        match (credentials.authorization, credentials.keystone_token) {
            (Some(_), Some(_)) => Err(AdministrationDenial::SeveralCredentials.into()),
            (Some(header), None) => {
                let of_token = self.by_access_token(issuer, administration, header, asking, named);
                of_token.await.map(Acting::of)
            }
            (None, Some(token)) => {
                let by_token = self.by_keystone_token(issuer, administration, token, peer, named);
                by_token.await
            }
            (None, None) => match credentials.local_user {
                Some(user) => {
                    named.client = Some(format!("os-user:{user}"));
                    Ok(Acting::of(Administrator::of_the_cloud()))
                }
                None => by_certificate(administration, (peer, now), named).map(Acting::of),
            },
        }
    }

    async fn by_access_token(
        &self,
        issuer: &Arc<IssuerState>,
        administration: &Administration,
        header: &str,
        asking: Asking<'_>,
        named: &mut Named,
    ) -> Result<Administrator, AdministrationError> {
        let (peer, now, scope) = (asking.peer, asking.now, asking.scope);
        let bearer = UserinfoRequest::parse(Some(header), None);
        let bearer = bearer.map_err(|_malformed| AdministrationDenial::InvalidToken)?;
        let text = bearer.token.expose();
        let cloud = DomainId::parse(CLOUD_DOMAIN).ok();
        let cloud = cloud.and_then(|cloud| self.issuer(&cloud).ok());
        let by = |of: &Arc<IssuerState>| Some((Arc::clone(of), held(of, text, peer, now)?));
        let found = by(issuer).or_else(|| by(cloud.as_ref()?));
        let (of, token) = found.ok_or(AdministrationDenial::InvalidToken)?;
        let owner = self.0.ports.clients.client(&token.client_id).await?;
        let owner = owner.filter(|owner| owner.is_enabled() && owner.domain() == &of.domain);
        let owner = owner.ok_or(AdministrationDenial::InvalidToken)?;
        named.client = Some(owner.id().as_str().to_owned());
        // Everybody who signs in by way of a client gets the client's scopes: none of them is an administrator for it.
        if token.login().is_some() {
            return Err(AdministrationDenial::PersonToken.into());
        }
        let is_meant = |name: &String| name == owner.id().as_str() || name == of.issuer.as_str();
        if !token.audience.iter().all(is_meant) {
            return Err(AdministrationDenial::OtherAudience.into());
        }
        if !token.scope.contains(scope) || !owner.scopes().contains(scope) {
            return Err(AdministrationDenial::MissingScope(scope).into());
        }
        if of.domain.as_str() == CLOUD_DOMAIN {
            return Ok(Administrator::of_the_cloud());
        }
        let holds = together(&token.scope, &administration.grantable);
        Ok(Administrator::of_domain(of.domain.clone(), holds))
    }

    async fn by_keystone_token<'a>(
        &self,
        issuer: &IssuerState,
        administration: &'a Administration,
        token: &'a str,
        peer: &Peer,
        named: &mut Named,
    ) -> Result<Acting<'a>, AdministrationError> {
        let source = administration.keystone.as_deref();
        let source = source.ok_or(AdministrationDenial::InvalidToken)?;
        let holder = match source.holder(token).await {
            Ok(holder) => holder,
            Err(error) => {
                refusal(error)?;
                return Err(AdministrationDenial::InvalidToken.into());
            }
        };
        named.user = Some(holder.authority.user().id().as_str().to_owned());
        let bound_here = |thumbprint: &String| {
            let presented = peer.certificate.as_ref();
            presented.is_some_and(|presented| {
                presented.certificate.keystone_thumbprint().to_string() == *thumbprint
            })
        };
        if holder.is_narrowed || !holder.certificate_thumbprint.as_ref().is_none_or(bound_here) {
            return Err(AdministrationDenial::InvalidToken.into());
        }
        let administrator = of_holder(issuer, administration, &holder)?;
        Ok(Acting {
            administrator,
            keystone: Some((source, token)),
        })
    }
}

/// The token, if it is of this issuer, good now, and its holder's.
fn held(issuer: &IssuerState, text: &str, peer: &Peer, now: UnixTime) -> Option<VerifiedToken> {
    let presented = peer.certificate.as_ref();
    let thumbprint = presented.map(|presented| presented.certificate.thumbprint());
    let possession = Possession::ProvedUnlessBearer(thumbprint.as_ref());
    let keys = issuer.keys.load();
    let verified = issuer
        .verifier
        .verify(text, &keys.verifiers, possession, issuer, now);
    verified.ok()
}

/// What the roles of a Keystone token come to: `admin` on the system, or a manager's role on the domain itself.
fn of_holder(
    issuer: &IssuerState,
    administration: &Administration,
    holder: &TokenHolder,
) -> Result<Administrator, AdministrationDenial> {
    let has = |wanted: &[RoleName]| holder.authority.roles().iter().any(|role| wanted.contains(role));
    match holder.authority.scope() {
        Scope::System if has(&administration.cloud_roles) => Ok(Administrator::of_the_cloud()),
        Scope::Domain { id, .. } if has(&administration.manager_roles) => {
            if *id != issuer.domain {
                return Err(AdministrationDenial::OtherDomain);
            }
            let mut holds = administration.grantable.clone();
            if let Ok(openstack) = ScopeToken::parse(OPENSTACK_API_SCOPE) {
                // One more name always fits: what is configured has fewer than a scope may.
                let _: Result<bool, _> = holds.insert(&openstack);
            }
            let administrator = Administrator::of_domain(id.clone(), holds);
            Ok(administrator.with_authority(Some(holder.authority.clone())))
        }
        Scope::Project(_) | Scope::Domain { .. } | Scope::System | Scope::Unscoped => {
            Err(AdministrationDenial::NotAnAdministrator)
        }
    }
}

fn by_certificate(
    administration: &Administration,
    (peer, now): (&Peer, UnixTime),
    named: &mut Named,
) -> Result<Administrator, AdministrationError> {
    let Some(presented) = &peer.certificate else {
        return Err(AdministrationDenial::NoCredential.into());
    };
    let certificate = &presented.certificate;
    if presented.chain != ChainVerdict::Verified || !certificate.is_in_date(now) {
        return Err(AdministrationDenial::UntrustedCertificate.into());
    }
    named.client = Some(format!("certificate:{}", certificate.thumbprint()));
    let mut known = administration.certificates.iter();
    let known = known.find(|known| known.subject.matches(certificate));
    match known.map(|known| &known.domain) {
        None => Err(AdministrationDenial::NotAnAdministrator.into()),
        Some(None) => Ok(Administrator::of_the_cloud()),
        Some(Some(domain)) => {
            let holds = administration.grantable.clone();
            Ok(Administrator::of_domain(domain.clone(), holds))
        }
    }
}

/// The names of both, as far as one scope holds them.
fn together(one: &ScopeSet, other: &ScopeSet) -> ScopeSet {
    let mut all = one.clone();
    for name in other.iter() {
        if let Ok(name) = ScopeToken::parse(name) {
            // What does not fit is not held.
            let _: Result<bool, _> = all.insert(&name);
        }
    }
    all
}
