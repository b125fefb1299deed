//! Why a user cannot be registered or changed, and why a store gave no answer.

use std::error::Error;

use sealstone_identity::{MAX_GROUPS, MAX_ROLES};

use crate::registration::MAX_PROJECTS;

/// What is wrong with a registration. The texts are for whoever registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a command says what to do about each")]
pub enum RegistrationFault {
    /// Not a name to log in with.
    #[error("a user name has 1 to 64 characters of A-Z a-z 0-9 . _ @ + -, and begins with a letter or digit")]
    UserName,
    /// More groups than fit, or one twice.
    #[error("a user is in at most {MAX_GROUPS} groups, in each once")]
    Groups,
    /// More projects than fit, one twice, or one of another domain.
    #[error("a user has roles in at most {MAX_PROJECTS} projects of the user's own domain, each named once")]
    Projects,
    /// A project without a role, with too many, or with one twice.
    #[error("a project has 1 to {MAX_ROLES} roles, each once")]
    Roles,
}

/// Why a user was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a command says what to do about each")]
pub enum ChangeError {
    /// What it would become is no user.
    #[error(transparent)]
    Fault(#[from] RegistrationFault),
    /// It was changed more often than a record can count.
    #[error("the user was changed too often: delete it and make it anew")]
    Version,
}

/// A store of users gave no answer: whoever asked lets nobody in, and changed nothing that is known.
#[derive(Debug, thiserror::Error)]
#[error("the directory's users can't be read or written")]
pub struct DirectoryStoreError(#[source] Box<dyn Error + Send + Sync>);

impl DirectoryStoreError {
    /// For this cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
