//! A login that outlives its request, and what an answer to it is remembered by.

use sealstone_identity::{ApplicationCredentialId, DelegationMethod, MachineLogin, ProjectId, UserId};
use sha2::{Digest as _, Sha256};

use crate::{Secret, mint::Minted};

/// What an answer is remembered by. The secret is part of it: a wrong one never meets the answer to the right one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Credential {
        id: ApplicationCredentialId,
        secret: [u8; 32],
    },
    MintedCredential {
        id: ApplicationCredentialId,
        user_id: UserId,
        project_id: ProjectId,
    },
    MintedUser {
        user_id: UserId,
        project_id: ProjectId,
    },
}

impl Key {
    pub(super) fn of(login: &MachineLogin<'_>) -> Self {
        match *login {
            MachineLogin::ApplicationCredential { id, secret } => Self::Credential {
                id: id.clone(),
                secret: Sha256::digest(secret).into(),
            },
            MachineLogin::MintedApplicationCredential {
                id,
                user_id,
                project_id,
            } => Self::MintedCredential {
                id: id.clone(),
                user_id: user_id.clone(),
                project_id: project_id.clone(),
            },
            MachineLogin::MintedUser { user_id, project_id } => Self::MintedUser {
                user_id: user_id.clone(),
                project_id: project_id.clone(),
            },
        }
    }
}

/// A login for as long as it is asked about.
pub(super) enum OwnedLogin {
    Credential {
        id: ApplicationCredentialId,
        secret: Secret,
    },
    MintedCredential {
        id: ApplicationCredentialId,
        user_id: UserId,
        project_id: ProjectId,
    },
    MintedUser {
        user_id: UserId,
        project_id: ProjectId,
    },
}

impl OwnedLogin {
    pub(super) fn of(login: &MachineLogin<'_>) -> Self {
        match *login {
            MachineLogin::ApplicationCredential { id, secret } => Self::Credential {
                id: id.clone(),
                secret: Secret::from(secret),
            },
            MachineLogin::MintedApplicationCredential {
                id,
                user_id,
                project_id,
            } => Self::MintedCredential {
                id: id.clone(),
                user_id: user_id.clone(),
                project_id: project_id.clone(),
            },
            MachineLogin::MintedUser { user_id, project_id } => Self::MintedUser {
                user_id: user_id.clone(),
                project_id: project_id.clone(),
            },
        }
    }

    pub(super) const fn method(&self) -> DelegationMethod {
        match self {
            Self::Credential { .. } | Self::MintedCredential { .. } => {
                DelegationMethod::ApplicationCredential
            }
            Self::MintedUser { .. } => DelegationMethod::MappedUser,
        }
    }

    /// For whom a token is made, where one is made.
    pub(super) const fn minted(&self) -> Option<Minted<'_>> {
        match self {
            Self::Credential { .. } => None,
            Self::MintedCredential {
                id,
                user_id,
                project_id,
            } => Some(Minted::Credential {
                id,
                user_id,
                project_id,
            }),
            Self::MintedUser { user_id, project_id } => Some(Minted::User { user_id, project_id }),
        }
    }

    /// The credential that the answer must name, if any.
    pub(super) const fn credential(&self) -> Option<&ApplicationCredentialId> {
        match self {
            Self::Credential { id, .. } | Self::MintedCredential { id, .. } => Some(id),
            Self::MintedUser { .. } => None,
        }
    }

    /// The user and the project that the answer must name, where they are known beforehand.
    pub(super) const fn user_and_project(&self) -> Option<(&UserId, &ProjectId)> {
        match self {
            Self::Credential { .. } => None,
            Self::MintedCredential {
                user_id, project_id, ..
            }
            | Self::MintedUser { user_id, project_id } => Some((user_id, project_id)),
        }
    }
}
