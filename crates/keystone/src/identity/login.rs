//! A login that outlives its request, and what an answer to it is remembered by.

use sealstone_identity::{ApplicationCredentialId, DelegationMethod, MachineLogin, ProjectId, UserId};
use sha2::{Digest as _, Sha256};

use crate::{Secret, mint::Minted};

/// What an answer is remembered by: SHA-256 of all that the login says, each part behind its length. The secret is part of
/// it: a wrong one never meets the answer to the right one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(login: &MachineLogin<'_>) -> Self {
        let (kind, parts) = match *login {
            MachineLogin::ApplicationCredential { id, secret } => (0, [id.as_str(), secret, ""]),
            MachineLogin::MintedApplicationCredential {
                id,
                user_id,
                project_id,
            } => (1, [id.as_str(), user_id.as_str(), project_id.as_str()]),
            MachineLogin::MintedUser { user_id, project_id } => {
                (2, [user_id.as_str(), project_id.as_str(), ""])
            }
        };
        let mut hash = Sha256::new_with_prefix([kind]);
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn logins_that_differ_in_anything_are_remembered_apart() {
        let credential = |text: &str| ApplicationCredentialId::parse(text).unwrap();
        let (ab, a) = (credential("ab"), credential("a"));
        let user = |text: &str| UserId::parse(text).unwrap();
        let project = |text: &str| ProjectId::parse(text).unwrap();
        let (u, p, up) = (user("u"), project("p"), user("up"));
        let minted = |id, user_id, project_id| MachineLogin::MintedApplicationCredential {
            id,
            user_id,
            project_id,
        };
        let logins = [
            MachineLogin::ApplicationCredential { id: &ab, secret: "c" },
            MachineLogin::ApplicationCredential { id: &a, secret: "bc" },
            MachineLogin::ApplicationCredential { id: &a, secret: "bd" },
            MachineLogin::ApplicationCredential { id: &a, secret: "" },
            minted(&a, &u, &p),
            minted(&ab, &u, &p),
            minted(&a, &up, &p),
            MachineLogin::MintedUser {
                user_id: &u,
                project_id: &p,
            },
            MachineLogin::MintedUser {
                user_id: &up,
                project_id: &p,
            },
        ];
        let keys: BTreeSet<[u8; 32]> = logins.iter().map(|login| Key::of(login).0).collect();
        assert_eq!(keys.len(), logins.len());
        assert!(Key::of(&logins[0]) == Key::of(&logins[0]));
    }
}
