//! Who administers clients by a token of OpenStack, and what they hold there.

use async_trait::async_trait;

use crate::{Authority, DomainId, IdentitySourceError, MachineLogin};

/// Whom a Keystone token says its holder is.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "whoever is told decides on each")]
pub struct TokenHolder {
    /// Who acts, where, with which roles.
    pub authority: Authority,
    /// Whether only some requests are allowed with it (access rules): none of them is one to this server.
    pub is_narrowed: bool,
    /// Keystone's thumbprint of the certificate that it is bound to; it counts beside that certificate only.
    pub certificate_thumbprint: Option<String>,
}

/// What a tie leads to, as its giver may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever is told decides on each")]
pub struct TieFacts {
    /// The domain of the user.
    pub user_domain: DomainId,
    /// The domain of the project.
    pub project_domain: DomainId,
    /// Whether the giver holds every role that it gives, in that project.
    pub within_roles: bool,
    /// Whether it is an unrestricted application credential.
    pub unrestricted: bool,
}

/// Asks OpenStack about whoever comes with one of its tokens.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Believing a token that Keystone does not vouch for now**: a stranger administers the domain's clients.
/// - **Asking in its own name what the holder may not see or hold**: somebody gives away another's roles. Each question
///   is asked with the holder's own token.
/// - **An answer where none could be had**: an outage is [`IdentitySourceError::Unavailable`], never a yes.
#[async_trait]
pub trait AdministratorSource: Send + Sync {
    /// Who holds the token.
    ///
    /// # Errors
    /// [`IdentitySourceError::Refused`] for a token that is not valid.
    async fn holder(&self, token: &str) -> Result<TokenHolder, IdentitySourceError>;

    /// What a client's login leads to, asked with the token of whoever gives it.
    ///
    /// # Errors
    /// [`IdentitySourceError::Refused`] when the tie leads nowhere, or its giver may not see where.
    async fn tie(&self, token: &str, login: &MachineLogin<'_>) -> Result<TieFacts, IdentitySourceError>;
}
