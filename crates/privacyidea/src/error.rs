use std::error::Error;

use sealstone_https::HttpsError;

/// What was asked of privacyIDEA: a fixed text, as in `to check a code`.
pub type Operation = &'static str;

/// Why privacyIDEA gave no answer that can be used. None of them lets anybody in.
///
/// Nothing of an answer's text is kept, for privacyIDEA and what stands before it may repeat what was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivacyIdeaError {
    /// privacyIDEA was asked and says no.
    #[error("privacyIDEA refuses {operation}: {refusal}")]
    Refused {
        /// What was asked.
        operation: Operation,
        /// How it refused.
        refusal: PrivacyIdeaRefusal,
    },
    /// privacyIDEA could not be asked, or cannot answer now.
    #[error("privacyIDEA cannot be asked {operation}")]
    Unavailable {
        /// What was asked.
        operation: Operation,
        /// Why.
        #[source]
        outage: Outage,
    },
    /// privacyIDEA, or what stands before it, answered what cannot be believed.
    #[error("privacyIDEA's answer to the request {operation} cannot be believed")]
    Malformed {
        /// What was asked.
        operation: Operation,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
}

impl PrivacyIdeaError {
    /// The refusal, if that is what it is.
    #[must_use]
    pub const fn refusal(&self) -> Option<PrivacyIdeaRefusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            Self::Unavailable { .. } | Self::Malformed { .. } => None,
        }
    }

    /// Whether privacyIDEA cannot have heard of it.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        match self {
            Self::Unavailable { outage, .. } => match outage {
                Outage::Exchange(error) => error.is_unsent(),
                Outage::Crowded => true,
                Outage::Status(_) => false,
            },
            Self::Refused { .. } | Self::Malformed { .. } => false,
        }
    }
}

/// How privacyIDEA refused: by its own error code, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PrivacyIdeaRefusal {
    /// 904: there is no such user in the realm, or no such realm.
    #[error("it knows no such user, or no such realm (904)")]
    UnknownUser,
    /// A user name that privacyIDEA would read as another, or as nobody: it was not asked.
    #[error("the user name has blanks at its ends, which privacyIDEA would leave out")]
    UserName,
    /// 4031: the adapter's own name and password are not accepted.
    #[error("the adapter's user name and password are not accepted (4031)")]
    AdapterPassword,
    /// The adapter's password was refused a moment ago: it is not tried again yet.
    #[error(
        "the adapter's user name and password were not accepted a moment ago, and are not tried again yet"
    )]
    AdapterWaits,
    /// 401: the token of the adapter's login is not accepted, also not a fresh one.
    #[error("the token of the adapter's login is not accepted (401)")]
    AdapterToken,
    /// 403: a policy denies the adapter what it asked; it needs `triggerchallenge` and `tokenlist`.
    #[error(
        "a policy denies the adapter that: it needs `triggerchallenge` and `tokenlist` in the realm (403)"
    )]
    AdapterRights,
    /// Any other error of its own.
    #[error("error {code} with status {status}")]
    Other {
        /// The HTTP status.
        status: u16,
        /// Its error code.
        code: i64,
    },
}

/// Why privacyIDEA could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Outage {
    /// No connection, a broken one, or no whole answer in time.
    #[error(transparent)]
    Exchange(HttpsError),
    /// A status of 500 or above.
    #[error("it has a fault of its own ({0})")]
    Status(u16),
    /// All the calls that may run at one time are running.
    #[error("too many calls wait for it already")]
    Crowded,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A status that the API does not have there, or a refusal that is not privacyIDEA's own.
    #[error("status {0} is not privacyIDEA's answer to this: check the address and what stands before it")]
    Status(u16),
    /// It sends us elsewhere, which is not followed.
    #[error("it redirects, which is not followed: use the final address")]
    Redirect,
    /// It is not `application/json`.
    #[error("it is not JSON by its own account")]
    ContentType,
    /// It is larger than the limit.
    #[error("it has more than {0} octets")]
    TooLarge(usize),
    /// It is not JSON, or a name stands twice in one object, or it nests too deeply.
    #[error("it is not strict JSON: malformed, a name twice, or nested too deeply")]
    Json,
    /// It is JSON, but not of the shape that the API documents.
    #[error("it is not of the documented shape")]
    Shape,
    /// Its parts say different things: `true` with `REJECT`, a count without what is counted.
    #[error("its parts contradict each other")]
    Contradiction,
    /// It wants a further step that was not asked for.
    #[error("it wants a further challenge to be answered, which this adapter does not do")]
    FurtherChallenge,
    /// It speaks of another user, realm or token than was asked about.
    #[error("it is about another {0} than was asked")]
    Mismatch(&'static str),
}

/// Why the adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not an address of privacyIDEA.
    #[error(
        "the privacyIDEA address must be https://HOST[:PORT][/PATH], without query, fragment, user or password"
    )]
    Url,
    /// The address is in the clear and not of this machine.
    #[error(
        "the privacyIDEA address must be https: over plain http, codes cross the network readable and an acceptance can be forged"
    )]
    PlainHttp,
    /// The realm is empty, or has blanks or control characters.
    #[error("the privacyIDEA realm must be a name of 1 to 255 characters without blanks")]
    Realm,
    /// The adapter's name or password is empty.
    #[error("the adapter's user name and password must not be empty")]
    Credentials,
    /// The certificates are not usable.
    #[error("the certificates for privacyIDEA cannot be used")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
}
