use std::sync::Arc;

use sealstone_mtls::CertificateThumbprint;
use sealstone_tokens::VerifiedToken;

/// A token that was found good for this request; a request extension. A clone is one reference count.
///
/// # Security
/// Only [`ResourceLayer`](crate::ResourceLayer) makes one, and it replaces whatever stood in its place.
#[derive(Debug, Clone)]
pub struct Confirmed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    token: VerifiedToken,
    certificate: Option<CertificateThumbprint>,
}

impl Confirmed {
    /// `presented` counts only for a token that is bound: an unbound one says nothing about who sends it.
    pub(crate) fn new(token: VerifiedToken, presented: Option<CertificateThumbprint>) -> Self {
        let certificate = presented.filter(|_| token.confirmation.is_some());
        Self(Arc::new(Inner { token, certificate }))
    }

    /// What the token says.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.0.token
    }

    /// The certificate that the token is bound to and the sender holds (`x5t#S256`); `None` for a bearer token.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateThumbprint> {
        self.0.certificate.as_ref()
    }

    /// Whether the token carries this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.token.scope.contains(scope)
    }

    /// Whether the access rules of the token allow this request: `service` is a service type of the catalog,
    /// `method` in capitals, `path` as sent, without its query.
    ///
    /// A token without access rules allows everything that its roles do; one with an empty list allows nothing.
    #[must_use]
    pub fn allows(&self, service: &str, method: &str, path: &str) -> bool {
        let Some(rules) = self
            .0
            .token
            .authority
            .as_ref()
            .and_then(|authority| authority.access_rules())
        else {
            return true;
        };
        rules.iter().any(|rule| rule.allows(service, method, path))
    }

    /// Whether the token has access rules, be it an empty list.
    #[must_use]
    pub fn has_access_rules(&self) -> bool {
        let authority = self.0.token.authority.as_ref();
        authority.is_some_and(|authority| authority.access_rules().is_some())
    }
}
