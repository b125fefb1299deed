//! What clients that register themselves may be.

use std::collections::BTreeSet;

use sealstone_claims::ClaimsTemplate;
use sealstone_oauth_types::{GrantType, RedirectUri, RedirectUriKind, ScopeSet, TokenEndpointAuthMethod};

use crate::{
    client::{Client, IntrospectionRight},
    logout_uri::host_of,
    people::ConsentPolicy,
    tie::MachineTie,
};

/// The rules of one domain for clients that register themselves (RFC 7591). Without one, none does.
///
/// # Examples
/// ```
/// # use sealstone_registry::RegistrationPolicy;
/// let policy = RegistrationPolicy::default();
/// assert!(policy.scopes().contains("openid"));
/// assert!(!policy.scopes().contains("openstack:api"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationPolicy {
    scopes: ScopeSet,
    grants: BTreeSet<GrantType>,
    methods: Vec<TokenEndpointAuthMethod>,
    redirect_hosts: Option<Vec<String>>,
}

/// Why a client may not register itself as it wants to. On the wire each is `invalid_client_metadata`, or
/// `invalid_redirect_uri`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the audit trail names each")]
pub enum PolicyError {
    /// A scope beyond the policy.
    #[error("`scope` has a name that clients cannot register for themselves here: ask for less")]
    Scope,
    /// A grant beyond the policy.
    #[error("`grant_types` has a grant that clients cannot register for themselves here: ask for fewer")]
    Grant,
    /// An authentication method beyond the policy.
    #[error("clients cannot register themselves with this `token_endpoint_auth_method` here: take another")]
    Method,
    /// A redirect URI at a host beyond the policy.
    #[error("a redirect URI is at a host that clients cannot register for themselves here")]
    RedirectHost,
    /// Something that only an administrator registers.
    #[error("`{0}` is for administrators to register: leave it out")]
    Reserved(&'static str),
}

impl PolicyError {
    /// A stable word in snake case, for the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Grant => "grant_type",
            Self::Method => "authentication_method",
            Self::RedirectHost => "redirect_host",
            Self::Reserved(_) => "reserved_member",
        }
    }
}

impl Default for RegistrationPolicy {
    /// Applications that people sign in to, and nothing else.
    fn default() -> Self {
        Self {
            scopes: ScopeSet::parse(super::LOGIN_SCOPES).unwrap_or_default(),
            grants: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]),
            methods: vec![
                TokenEndpointAuthMethod::ClientSecretBasic,
                TokenEndpointAuthMethod::ClientSecretPost,
                TokenEndpointAuthMethod::PrivateKeyJwt,
                TokenEndpointAuthMethod::None,
            ],
            redirect_hosts: None,
        }
    }
}

impl RegistrationPolicy {
    /// Other scopes. Those that administer clients or act on OpenStack are left out whatever is given: what
    /// registers itself has no right of its own.
    #[must_use]
    pub fn with_scopes(mut self, scopes: &ScopeSet) -> Self {
        let reserved = |scope: &str| {
            [
                super::ADMINISTRATION_SCOPE,
                super::KEYS_SCOPE,
                super::OPENSTACK_API_SCOPE,
            ]
            .contains(&scope)
        };
        let kept: Vec<&str> = scopes.iter().filter(|scope| !reserved(scope)).collect();
        self.scopes = ScopeSet::parse(&kept.join(" ")).unwrap_or_default();
        self
    }

    /// Other grants.
    #[must_use]
    pub fn with_grants(mut self, grants: BTreeSet<GrantType>) -> Self {
        self.grants = grants;
        self
    }

    /// Other authentication methods.
    #[must_use]
    pub fn with_methods(mut self, methods: Vec<TokenEndpointAuthMethod>) -> Self {
        self.methods = methods;
        self
    }

    /// Redirect URIs only at these hosts, or, for one that begins with a period, at hosts below it. Loopback and
    /// private-use schemes stay allowed: they are the person's own machine.
    #[must_use]
    pub fn with_redirect_hosts(mut self, hosts: Vec<String>) -> Self {
        self.redirect_hosts = Some(hosts);
        self
    }

    /// The scopes that a client may have.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Whether a client may register itself so, or change itself to this.
    ///
    /// # Errors
    /// The first [`PolicyError`].
    pub fn check(&self, client: &Client) -> Result<(), PolicyError> {
        if !client.scopes().is_subset_of(&self.scopes) {
            return Err(PolicyError::Scope);
        }
        if !client.grants().is_subset(&self.grants) {
            return Err(PolicyError::Grant);
        }
        if !self.methods.contains(&client.auth_method()) {
            return Err(PolicyError::Method);
        }
        let uris = client
            .redirect_uris()
            .iter()
            .chain(client.post_logout_redirect_uris());
        if !uris.into_iter().all(|uri| self.allows(uri)) {
            return Err(PolicyError::RedirectHost);
        }
        let reserved = [
            (*client.tie() != MachineTie::None, "authority` or `openstack_*"),
            (
                client.introspection() != IntrospectionRight::None,
                "introspection",
            ),
            (client.consent() == ConsentPolicy::Never, "consent"),
            (*client.claims() != ClaimsTemplate::default(), "claims"),
            (!client.resources().is_empty(), "resources"),
            (!self.allows_logout(client), "backchannel_logout_uri"),
            (!client.is_enabled(), "enabled"),
        ];
        match reserved.into_iter().find(|(present, _)| *present) {
            Some((_, member)) => Err(PolicyError::Reserved(member)),
            None => Ok(()),
        }
    }

    /// The server posts there itself: only where the operator named the hosts.
    fn allows_logout(&self, client: &Client) -> bool {
        let Some(logout) = client.backchannel_logout() else {
            return true;
        };
        let uri = RedirectUri::parse(logout.uri.as_str());
        self.redirect_hosts.is_some() && uri.is_ok_and(|uri| self.allows(&uri))
    }

    fn allows(&self, uri: &RedirectUri) -> bool {
        let Some(hosts) = &self.redirect_hosts else {
            return true;
        };
        if uri.kind() != RedirectUriKind::Https {
            return true;
        }
        let authority = uri.origin().trim_start_matches("https://");
        let host = host_of(authority).to_ascii_lowercase();
        Self::allows_host(hosts, &host)
    }

    fn allows_host(hosts: &[String], host: &str) -> bool {
        hosts.iter().any(|allowed| match allowed.strip_prefix('.') {
            Some(parent) => host
                .strip_suffix(parent)
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            None => host == *allowed,
        })
    }
}
