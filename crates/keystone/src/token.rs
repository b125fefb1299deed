//! What a token says.

mod wire;

use rustls_pki_types::UnixTime;
use sealstone_identity::{ApplicationCredentialId, DomainId, ProjectId, UserId};
use serde::Deserialize;

use crate::{AuditId, Catalog, GroupId, Label, RoleId, Token, TrustId};
pub(crate) use wire::{ReceiptDocument, TokenDocument};

/// A domain, as a token names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct DomainRef {
    /// Its id.
    pub id: DomainId,
    /// Its name.
    pub name: Label,
}

/// A user, as a token names one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserInToken {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub name: Label,
    /// The domain that owns the user; of a federated user, that of its identity provider.
    pub domain: DomainRef,
    /// When the password ends, if it does.
    pub password_expires_at: Option<UnixTime>,
    /// Where the user comes from, if not from Keystone.
    pub federation: Option<Federation>,
}

/// The origin of a federated user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Federation {
    /// The groups that the mapping gave.
    pub groups: Vec<GroupId>,
    /// The identity provider's id.
    pub identity_provider: Label,
    /// The protocol's id.
    pub protocol: Label,
}

/// A project, as a token names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ProjectInToken {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: Label,
    /// The domain that owns it.
    pub domain: DomainRef,
}

/// Where a token holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone has these four scopes")]
pub enum TokenScope {
    /// One project.
    Project {
        /// Which.
        project: ProjectInToken,
        /// Whether the project stands for its domain.
        is_domain: bool,
    },
    /// One domain.
    Domain(DomainRef),
    /// The whole deployment.
    System,
    /// Nowhere.
    Unscoped,
}

/// A role, as a token or an assignment names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RoleRef {
    /// Its id.
    pub id: RoleId,
    /// Its name, exactly: it may hold any character.
    pub name: Label,
}

/// The application credential that a token was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialInToken {
    /// Its id.
    pub id: ApplicationCredentialId,
    /// Its name.
    pub name: Label,
    /// Whether it may not make further credentials and trusts.
    pub restricted: bool,
    /// The only requests that it allows; `None` leaves that to the roles, an empty list allows nothing.
    pub access_rules: Option<Vec<RuleInToken>>,
}

/// One kind of request that a credential allows, as Keystone states it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RuleInToken {
    /// The service's type.
    pub service: Label,
    /// The HTTP method.
    pub method: Label,
    /// The path, which may hold `*`, `**` and `{name}`.
    pub path: Label,
}

/// The trust that a token was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustInToken {
    /// Its id.
    pub id: TrustId,
    /// Who lends.
    pub trustor_user_id: UserId,
    /// Who uses it.
    pub trustee_user_id: UserId,
    /// Whether the token's user is the trustor.
    pub impersonation: bool,
}

/// What Keystone says about a token: the body of its answer.
///
/// Held to limits: 16 methods and audit ids, 1,000 roles, access rules and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenInfo {
    /// How its user logged in. Empty where Keystone's Fernet tokens cannot say it (mutual TLS).
    pub methods: Vec<Label>,
    /// Who acts.
    pub user: UserInToken,
    /// Where.
    pub scope: TokenScope,
    /// The roles there, with those that they imply and inherit.
    pub roles: Vec<RoleRef>,
    /// What names the token in revocations: its own, then the first of its chain.
    pub audit_ids: Vec<AuditId>,
    /// When it was issued, by Keystone's clock.
    pub issued_at: UnixTime,
    /// When it ends, by Keystone's clock.
    pub expires_at: UnixTime,
    /// The credential that it was made with.
    pub application_credential: Option<CredentialInToken>,
    /// The trust that it was made with.
    pub trust: Option<TrustInToken>,
    /// Keystone's thumbprint of the certificate that it is bound to: over the PEM text, with padding.
    pub certificate_thumbprint: Option<String>,
    /// The services, where they were asked for.
    pub catalog: Option<Catalog>,
}

/// A token just issued.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedToken {
    /// The token.
    pub token: Token,
    /// What it says.
    pub info: TokenInfo,
    /// When it ends **by our clock**: the lifetime that Keystone gave, counted from before it was asked. 24 hours at
    /// most are believed.
    pub ends_at: UnixTime,
}

/// What Keystone gives when more factors are due: it vouches for those that were right.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub(crate) token: Token,
    pub(crate) user_id: UserId,
    pub(crate) user_name: Label,
    pub(crate) domain: DomainRef,
    pub(crate) methods: Vec<Label>,
    pub(crate) required: Vec<Vec<Label>>,
    pub(crate) expires_at: UnixTime,
}

impl Receipt {
    /// What stands in `Openstack-Auth-Receipt`.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Whose login it is.
    #[must_use]
    pub const fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The user's name.
    #[must_use]
    pub const fn user_name(&self) -> &Label {
        &self.user_name
    }

    /// The domain that owns the user.
    #[must_use]
    pub const fn domain(&self) -> &DomainRef {
        &self.domain
    }

    /// The methods that were right.
    #[must_use]
    pub fn methods(&self) -> &[Label] {
        &self.methods
    }

    /// The sets of methods of which any one will do; each holds the methods that were right, too.
    #[must_use]
    pub fn required_methods(&self) -> &[Vec<Label>] {
        &self.required
    }

    /// When it ends, by Keystone's clock.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

/// How a login went.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "a login is complete or it is not")]
#[expect(clippy::large_enum_variant, reason = "it is looked at once and taken apart")]
pub enum Login {
    /// A token.
    Complete(IssuedToken),
    /// The factors were right, and more are due.
    Incomplete(Receipt),
}
