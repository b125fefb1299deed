use super::{Granted, Target, TokenStep, binding, scope, target};
use crate::Denial;
use crate::authenticate::Authenticated;
use crate::identity;
use rustls_pki_types::UnixTime;
use sealstone_oauth_types::{GrantType, ResourceUri, ScopeSet};

/// The client acts for itself (RFC 6749 §4.4).
///
/// # Errors
/// [`Denial::UnauthorizedGrantType`], [`Denial::ScopeNotAllowed`], [`Denial::TargetNotAllowed`],
/// [`Denial::MixedTargets`], [`Denial::BindingImpossible`], [`Denial::CertificateOutOfDate`] or
/// [`Denial::MappingUndecided`].
pub fn client_credentials(
    authenticated: Authenticated,
    requested: Option<ScopeSet>,
    resources: Vec<ResourceUri>,
    now: UnixTime,
) -> Result<TokenStep, Denial> {
    let (client, certificate) = authenticated.into_parts();
    if !client.grants().contains(&GrantType::ClientCredentials) {
        return Err(Denial::UnauthorizedGrantType);
    }
    let scope = scope::decide(&client, requested)?;
    let target = target::decide(&client, &scope, resources)?;
    let mapped = match target {
        Target::OpenstackServices => identity::mapped(client.tie(), certificate.as_ref())?,
        Target::Client | Target::Resources(_) => None,
    };
    let bound_to = binding::decide(&client, certificate, now)?;
    let granted = Granted {
        client,
        scope,
        target,
        bound_to,
        delegated: None,
    };
    Ok(TokenStep::of(granted, mapped))
}
