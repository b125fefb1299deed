//! One error for each operation. No message holds a token, a key or a claim's value.

use std::path::{Path, PathBuf};

use sealstone_jose::JoseError;

use crate::jws::JwsAlgorithm;

/// Why a token, a receipt or a payload was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than any token of its form.
    #[error("token is longer than {limit} characters")]
    TooLong {
        /// The limit, in characters.
        limit: usize,
    },
    /// Not a token of this form.
    #[error("not a token of this form")]
    Form,
    /// Not strict base64url.
    #[error("not strict base64url")]
    Base64,
    /// A JWS header that asks for what no Keystone token has.
    #[error("header `{0}` is refused")]
    Header(&'static str),
    /// An algorithm that is not accepted here; `none` and HMAC always.
    #[error("algorithm is not accepted")]
    Algorithm,
    /// No key of the repository proves the token.
    #[error("no key of the repository proves the token")]
    Unauthentic,
    /// Claims or header that are not strict JSON, or lack a member, or have one of another type.
    #[error("header or claims: {0}")]
    Json(#[source] JoseError),
    /// A claim whose value Keystone never writes.
    #[error("claim out of bounds: {0}")]
    Claim(&'static str),
    /// A Fernet payload that Keystone never writes: odd `MessagePack`, another layout, octets after it.
    #[error("payload: {0}")]
    Payload(&'static str),
    /// A number in front of the payload that no layout has.
    #[error("no known version of a payload")]
    Version,
    /// A method mask with a bit that the list of methods does not have: nodes with another `[auth] methods`.
    #[error("a method beyond `[auth] methods`: compare that option on all nodes")]
    Methods,
    /// Issued later than now: the clock of the node that issued it is ahead of ours.
    #[error("issued in the future: compare the clocks of the nodes")]
    IssuedInTheFuture,
    /// Past its end.
    #[error("expired")]
    Expired,
}

impl DecodeError {
    /// A name for logs and metrics that stays when the message changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "keystone_token.too_long",
            Self::Form => "keystone_token.form",
            Self::Base64 => "keystone_token.base64",
            Self::Header(_) => "keystone_token.header",
            Self::Algorithm => "keystone_token.algorithm",
            Self::Unauthentic => "keystone_token.unauthentic",
            Self::Json(_) => "keystone_token.json",
            Self::Claim(_) => "keystone_token.claim",
            Self::Payload(_) => "keystone_token.payload",
            Self::Version => "keystone_token.version",
            Self::Methods => "keystone_token.methods",
            Self::IssuedInTheFuture => "keystone_token.issued_in_the_future",
            Self::Expired => "keystone_token.expired",
        }
    }
}

/// Why a token could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// A claim that no reader would take.
    #[error("claim out of bounds: {0}")]
    Claim(&'static str),
    /// No Fernet layout has a place for all that the claims say: a certificate besides an application credential, say.
    #[error("no Fernet layout has a place for all that the claims say")]
    Layout,
    /// An identifier that Fernet would give back in another spelling: a UUID with hyphens, capitals or braces.
    #[error("an identifier would come back in another spelling")]
    Id,
    /// The end is not after now.
    #[error("the token would end before it begins")]
    Lifetime,
    /// Tokens dated back too far.
    #[error("tokens may be dated back by 30 seconds at most")]
    Backdate,
    /// The token would be longer than readers take; too many groups.
    #[error("token would be longer than {limit} characters")]
    TooLong {
        /// The limit, in characters.
        limit: usize,
    },
    /// The cryptographic library failed on valid input (no randomness, no memory).
    #[error("the cryptographic library failed")]
    Backend,
}

/// Why a key was refused, or could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Longer than any key.
    #[error("key file is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not a Fernet key.
    #[error("not a Fernet key: 44 characters of base64url")]
    Fernet,
    /// No key at all.
    #[error("no key")]
    NoKey,
    /// Not a list of methods.
    #[error("not a list of methods: 1 to 32 names, each once")]
    Methods,
    /// Not one PEM block of the label that is due.
    #[error(
        "not one PEM block `PRIVATE KEY` or `PUBLIC KEY`; \
         `openssl pkcs8 -topk8 -nodes` and `openssl pkey -pubout` write them"
    )]
    NotPem,
    /// Not a private key of the algorithm.
    #[error("not a private key for {0} in PKCS#8")]
    Private(JwsAlgorithm),
    /// Not a public key of any algorithm that Keystone offers.
    #[error("not a public key on P-256, P-384, P-521 or Ed25519")]
    Public,
    /// More keys than are tried.
    #[error("more than {limit} keys")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The cryptographic library failed on valid input (no randomness, no memory).
    #[error("the cryptographic library failed")]
    Backend,
}

/// Why a key repository, or a file of it, was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// The operating system refused.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Others than the owner can read or change it.
    #[error("{}: {fault}; {advice}", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        fault: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Another process is changing the folder.
    #[error("{}: another process is changing it; try again when that has ended", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that somebody else fills was to be changed.
    #[error("{}: a mounted repository is never written; change it where it comes from", path.display())]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// More names than any repository has.
    #[error("{}: more than {limit} files; is this a key repository?", path.display())]
    Crowded {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A name that Keystone reads as a number, and that is not written as one: `01`, `+1`, `1_0`.
    #[error("{}: Keystone takes the name for a number; rename it to that number, or remove it", path.display())]
    OddName {
        /// The file.
        path: PathBuf,
    },
    /// There are keys already.
    #[error("{}: there are keys already; rotate them instead", path.display())]
    AlreadyThere {
        /// The folder or file.
        path: PathBuf,
    },
    /// There is no key.
    #[error("{}: no key there; create the repository first", path.display())]
    Empty {
        /// The folder or file.
        path: PathBuf,
    },
    /// Another node changes this repository.
    #[error("{}: node `{node}` rotates these keys; rotate there and copy them here, or take over", path.display())]
    RotatedElsewhere {
        /// The folder.
        path: PathBuf,
        /// The node that rotated last.
        node: String,
    },
    /// Fewer keys than a rotation needs to keep tokens alive.
    #[error("max_active_keys must be from 2 to 256")]
    MaxActiveKeys,
    /// The key is in use.
    #[error("{}: it is the key that signs; tokens under it would die", path.display())]
    InUse {
        /// The file of the key.
        path: PathBuf,
    },
    /// The numbers of the keys are used up.
    #[error("{}: no number above it is left", path.display())]
    Numbers {
        /// The file of the primary key.
        path: PathBuf,
    },
    /// The file holds no good key.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl RepositoryError {
    pub(crate) fn key(path: &Path, source: KeyError) -> Self {
        Self::Key {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn unsafe_at(path: &Path, fault: &'static str, advice: &'static str) -> Self {
        Self::Unsafe {
            path: path.to_owned(),
            fault,
            advice,
        }
    }

    pub(crate) fn io(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { verb, path, source }
    }
}
