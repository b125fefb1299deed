use std::error::Error;

use sealstone_https::HttpsError;
use sealstone_login::{UpstreamError, UpstreamRefusal};

/// What was asked of the provider: a fixed text, as in `for its metadata`.
pub type Step = &'static str;

/// Why the provider could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Outage {
    /// No connection, a broken one, or no whole answer in time.
    #[error("it can't be asked {step}")]
    Exchange {
        /// For what.
        step: Step,
        /// What happened.
        #[source]
        source: HttpsError,
    },
    /// A status of 500 or above, or 429.
    #[error("it was asked {step}, and has a fault of its own or too much to do ({status})")]
    Status {
        /// For what.
        step: Step,
        /// The HTTP status.
        status: u16,
    },
    /// It sent the browser back with `temporarily_unavailable` or `server_error`.
    #[error("it sent the browser back and says that it has a fault of its own")]
    Announced,
    /// All the calls that may run at one time are running.
    #[error("too many calls wait for it already")]
    Crowded,
}

/// What is wrong with an answer. Nothing of its text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was asked {step}: {kind}")]
#[non_exhaustive]
pub struct Fault {
    /// What it was asked for.
    pub step: Step,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What can be wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// A status that is no answer to this.
    #[error("status {0} is no answer to this: check the addresses and what stands before it")]
    Status(u16),
    /// It sends us elsewhere, which is not followed.
    #[error("it redirects, which is not followed: use the final address")]
    Redirect,
    /// It is not JSON by its own account.
    #[error("the answer is not JSON by its own account")]
    ContentType,
    /// It is larger than the limit.
    #[error("the answer has more than {0} octets")]
    TooLarge(usize),
    /// It is not strict JSON.
    #[error("the answer is not strict JSON: malformed, a name twice, or nested too deeply")]
    Json,
    /// It is JSON of another shape than the specification has.
    #[error("the answer is not of the documented shape")]
    Shape,
    /// The metadata is of another issuer than was configured.
    #[error("the metadata is of another issuer than configured: they must be equal letter by letter")]
    Issuer,
    /// An address is neither below the issuer nor below one of the two base addresses, or is not https.
    #[error("its {0} is neither below the issuer nor below a base address that is configured, or not https")]
    Elsewhere(&'static str),
    /// The key set holds no key for the algorithms that are configured.
    #[error("its key set holds no usable key for the ID token algorithms that are configured")]
    NoKey,
    /// The answer is about another subject than the ID token.
    #[error("the answer is about another subject than the ID token")]
    Subject,
    /// The access token cannot be sent in a header.
    #[error("the access token cannot be sent in a header")]
    AccessToken,
}

/// What goes wrong between the two of us; the port's error is made of it.
#[derive(Debug)]
pub(crate) enum Failure {
    Outage(Outage),
    Fault(Fault),
    Refused(UpstreamRefusal),
    NotConfigured(&'static str),
}

impl Failure {
    pub(crate) const fn fault(step: Step, kind: FaultKind) -> Self {
        Self::Fault(Fault { step, kind })
    }
}

impl From<Failure> for UpstreamError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Outage(outage) => Self::unavailable(outage),
            Failure::Fault(fault) => Self::malformed(fault),
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::NotConfigured(needs) => Self::NotConfigured { needs },
        }
    }
}

/// Why the adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not an address of a provider.
    #[error("`{0}` must be https://HOST[:PORT][/PATH], without query, fragment, user or password")]
    Url(&'static str),
    /// The address is in the clear and not of this machine.
    #[error(
        "`{0}` must be https: over plain http, codes and secrets cross the network readable and tokens can be forged"
    )]
    PlainHttp(&'static str),
    /// The client id is empty or has characters that no client id has.
    #[error("the client id must have 1 to 255 visible ASCII characters")]
    ClientId,
    /// The client secret is empty.
    #[error("the client secret must not be empty")]
    ClientSecret,
    /// A scope is malformed, or `openid` is missing.
    #[error("the scopes must be words of RFC 6749 §3.3, `openid` among them")]
    Scopes,
    /// No algorithm for ID tokens.
    #[error("name at least one algorithm for ID tokens")]
    Algorithms,
    /// The certificates are not usable.
    #[error("the certificates for the upstream provider cannot be used")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
}
