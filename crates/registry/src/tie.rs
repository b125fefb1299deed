//! How a client is tied to OpenStack.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use sealstone_claims::RuleSet;
use sealstone_identity::{ApplicationCredentialId, Authority, ProjectId, UserId};

use crate::sealed_secret::SealedSecret;

/// What the OpenStack authority of a client's `openstack:api` tokens comes from.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "issuing and introspection must decide on each"
)]
pub enum MachineTie {
    /// Nothing: the client may not have `openstack:api`.
    None,
    /// The registration itself says it all; no Keystone is asked.
    Static(Authority),
    /// An application credential, asked of Keystone.
    ApplicationCredential(TiedCredential),
    /// A user in one project, with the roles that Keystone says it has there. We make the Keystone token ourselves.
    User {
        /// Who acts.
        user_id: UserId,
        /// Where, and nowhere else.
        project_id: ProjectId,
    },
    /// Whom the client's certificate says, by rules; then as for a user.
    Mapping {
        /// From the certificate's names to the user, and to the project where none is registered.
        rules: Arc<RuleSet>,
        /// Where, and nowhere else, if the registration names it.
        project_id: Option<ProjectId>,
    },
}

/// The application credential that a client is tied to.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever asks for an identity needs all of it"
)]
pub struct TiedCredential {
    /// Which credential.
    pub id: ApplicationCredentialId,
    /// How we act with it.
    pub login: CredentialLogin,
    /// Whether it may be one that can make further credentials and trusts:
    /// `dangerous_unrestricted_application_credential`.
    pub dangerous_unrestricted: bool,
    /// When it ends, as far as that was known when the client was registered: no token outlives it.
    pub ends_at: Option<UnixTime>,
}

/// How we act with an application credential.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks for an identity handles both"
)]
pub enum CredentialLogin {
    /// With its secret, which is kept sealed.
    Secret {
        /// The secret.
        sealed: SealedSecret,
        /// The only user that it may turn out to be of, if the registration names one.
        user_id: Option<UserId>,
        /// The only project that it may turn out to be for, if the registration names one.
        project_id: Option<ProjectId>,
    },
    /// Without it: we make the Keystone token ourselves.
    Minted {
        /// Whose it is.
        user_id: UserId,
        /// The project that it is for.
        project_id: ProjectId,
    },
}

impl MachineTie {
    /// The authority that the registration itself states.
    #[must_use]
    pub const fn static_authority(&self) -> Option<&Authority> {
        match self {
            Self::Static(authority) => Some(authority),
            Self::None | Self::ApplicationCredential(_) | Self::User { .. } | Self::Mapping { .. } => None,
        }
    }

    /// The only project that a token of this tie may be for, where the registration names one.
    #[must_use]
    pub const fn project_id(&self) -> Option<&ProjectId> {
        match self {
            Self::ApplicationCredential(credential) => match &credential.login {
                CredentialLogin::Secret { project_id, .. } => project_id.as_ref(),
                CredentialLogin::Minted { project_id, .. } => Some(project_id),
            },
            Self::User { project_id, .. } => Some(project_id),
            Self::Mapping { project_id, .. } => project_id.as_ref(),
            Self::None | Self::Static(_) => None,
        }
    }

    /// The only user that a token of this tie may be of, where the registration names one.
    #[must_use]
    pub const fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::ApplicationCredential(credential) => match &credential.login {
                CredentialLogin::Secret { user_id, .. } => user_id.as_ref(),
                CredentialLogin::Minted { user_id, .. } => Some(user_id),
            },
            Self::User { user_id, .. } => Some(user_id),
            Self::None | Self::Static(_) | Self::Mapping { .. } => None,
        }
    }

    /// The sealed secret of the application credential, for ties that have one.
    #[must_use]
    pub const fn sealed_secret(&self) -> Option<&SealedSecret> {
        match self {
            Self::ApplicationCredential(TiedCredential {
                login: CredentialLogin::Secret { sealed, .. },
                ..
            }) => Some(sealed),
            Self::ApplicationCredential(_)
            | Self::None
            | Self::Static(_)
            | Self::User { .. }
            | Self::Mapping { .. } => None,
        }
    }

    /// Whether both lead to the same identity upstream, whatever that may do there now. A renewed secret of the same
    /// credential changes nothing; nor does what a static authority holds, which is compared itself.
    #[must_use]
    pub fn leads_where(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Static(_), Self::Static(_)) => true,
            (Self::ApplicationCredential(one), Self::ApplicationCredential(two)) => {
                one.id == two.id
                    && self.user_id() == other.user_id()
                    && self.project_id() == other.project_id()
            }
            (
                Self::None
                | Self::Static(_)
                | Self::ApplicationCredential(_)
                | Self::User { .. }
                | Self::Mapping { .. },
                _,
            ) => self == other,
        }
    }
}
