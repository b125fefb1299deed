use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use sealstone_jose::Algorithm;

/// What a token did not do, and what to do about it. Holds no PIN.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module cannot be loaded.
    #[error("the PKCS#11 module {path} can't be used ({reason}): name the library of the token's vendor as pkcs11.module", path = .path.display())]
    Module {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No token of this name.
    #[error(
        "no PKCS#11 token is called {label:?} ({present}): plug it in, start its service, or correct pkcs11.token_label"
    )]
    NoToken {
        /// The name.
        label: String,
        /// Those that are there.
        present: String,
    },
    /// The token does not take this PIN.
    #[error(
        "the PKCS#11 token {label:?} refuses the PIN: correct pkcs11.pin_file and start again; it is not tried again until \
         then, because tokens lock after a few wrong PINs"
    )]
    WrongPin {
        /// The token.
        label: String,
    },
    /// The token takes no PIN any more.
    #[error(
        "the PIN of the PKCS#11 token {label:?} is locked after too many wrong ones: its security officer must set a new one"
    )]
    LockedPin {
        /// The token.
        label: String,
    },
    /// One wrong PIN more locks the token.
    #[error(
        "the PKCS#11 token {label:?} takes one try more before it locks: this PIN is not tried. Log in once by the vendor's \
         tool with the right PIN, which sets the count back, and correct pkcs11.pin_file"
    )]
    LastTry {
        /// The token.
        label: String,
    },
    /// The token has no PIN for its user.
    #[error("the PKCS#11 token {label:?} has no user PIN yet: its security officer must set one")]
    NoPin {
        /// The token.
        label: String,
    },
    /// The token went away.
    #[error(
        "the PKCS#11 token {label:?} does not answer ({code}): it was taken out, or its service is down; it is asked \
         again every few seconds"
    )]
    Away {
        /// The token.
        label: String,
        /// The module's word for it.
        code: String,
    },
    /// The token opens no session more.
    #[error(
        "the PKCS#11 token {label:?} opens no session more: lower pkcs11.sessions here and on every other node that uses it, \
         or raise the limit at the token"
    )]
    NoSession {
        /// The token.
        label: String,
    },
    /// Every session is in use.
    #[error(
        "all {sessions} sessions of the PKCS#11 token {label:?} were busy for 5 s: it is too slow for this load, or \
         pkcs11.sessions is too small"
    )]
    Busy {
        /// The token.
        label: String,
        /// How many there are.
        sessions: usize,
    },
    /// No key of this name.
    #[error(
        "the PKCS#11 token {label:?} has no key {key}: is it the right token? Restore it from the token's backup, or \
         revoke the key"
    )]
    NoKey {
        /// The token.
        label: String,
        /// What the key is called.
        key: String,
    },
    /// The key is not the one that the ring knows.
    #[error(
        "the key {key} of the PKCS#11 token {label:?} does not belong to the public key in the database: one of them was \
         exchanged; do not use either before you know why"
    )]
    AnotherKey {
        /// The token.
        label: String,
        /// What the key is called.
        key: String,
    },
    /// An algorithm that is not done by tokens here.
    #[error("no {} key is made in a PKCS#11 token: take it out of keys.algorithms, or set pkcs11.signing_keys = false", .0.as_str())]
    Algorithm(Algorithm),
    /// What was wrapped was changed, or is another key's.
    #[error(
        "the wrapped key-encryption key does not open with the key {key} of the token {label:?}: it was changed, or belongs to another token"
    )]
    Unwrap {
        /// The token.
        label: String,
        /// The wrapping key.
        key: String,
    },
    /// Something that is not the text of a wrapped key.
    #[error(
        "a line that begins with `wrapped.` is not the text of a wrapped key: make one by `sealstone key kek add --wrapped`"
    )]
    NotWrapped,
    /// Everything else that a module can say.
    #[error("the PKCS#11 token {label:?} did not {what} ({code})")]
    Refused {
        /// The token.
        label: String,
        /// What was asked.
        what: &'static str,
        /// The module's word for why not.
        code: String,
    },
}

/// What an error of the module means for the session that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// The session, and all others, are gone: the token may be there again.
    Gone,
    /// The session is as good as before.
    No,
}

pub(crate) fn code(error: &Error) -> String {
    if let Error::Pkcs11(value, function) = error {
        return format!("{value:?} from {function:?}");
    }
    format!("{error:?}")
}

pub(crate) fn means(error: &Error) -> Means {
    let Error::Pkcs11(value, _) = error else {
        return Means::No;
    };
    let is_gone = matches!(
        value,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceRemoved
            | RvError::DeviceError
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
    );
    if is_gone { Means::Gone } else { Means::No }
}
