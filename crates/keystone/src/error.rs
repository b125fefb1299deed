use std::{error::Error, fmt, time::Duration};

use sealstone_https::HttpsError;

/// What was asked of Keystone: a fixed text, as in `to authenticate`.
pub type Operation = &'static str;

/// Why Keystone gave no answer that can be used.
///
/// Nothing of an answer's text is kept, for Keystone and what stands before it may repeat what was sent: an operator
/// finds the rest in Keystone's own log by [`RequestId`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoneError {
    /// Keystone was asked and says no.
    #[error("Keystone refuses {operation}: {refusal}{}", Trace(.request_id))]
    Refused {
        /// What was asked.
        operation: Operation,
        /// How it refused.
        refusal: KeystoneRefusal,
        /// Where Keystone's log tells more.
        request_id: Option<RequestId>,
    },
    /// Keystone could not be asked, or cannot answer now.
    #[error("Keystone cannot be asked {operation}")]
    Unavailable {
        /// What was asked.
        operation: Operation,
        /// Why.
        #[source]
        outage: Outage,
    },
    /// Keystone, or what stands before it, answered what cannot be believed.
    #[error("the answer to {operation} cannot be believed{}", Trace(.request_id))]
    Malformed {
        /// What was asked.
        operation: Operation,
        /// What is wrong with it.
        #[source]
        fault: Fault,
        /// Where Keystone's log tells more.
        request_id: Option<RequestId>,
    },
}

impl KeystoneError {
    /// The refusal, if that is what it is.
    #[must_use]
    pub const fn refusal(&self) -> Option<KeystoneRefusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            Self::Unavailable { .. } | Self::Malformed { .. } => None,
        }
    }
}

/// How Keystone refused, by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoneRefusal {
    /// 400: the request makes no sense to it.
    #[error("the request is not understood (400)")]
    BadRequest,
    /// 401: the credentials, or the token that speaks, are not accepted.
    #[error("the credentials are not accepted (401)")]
    Unauthenticated,
    /// 403: the token that speaks may not do this.
    #[error("that is not allowed (403)")]
    Forbidden,
    /// 404: there is no such thing, or the token is not valid.
    #[error("there is no such thing (404)")]
    NotFound,
    /// 409: another thing has the name, or stands in the way.
    #[error("something else stands in the way (409)")]
    Conflict,
    /// 413: too much, or too many.
    #[error("it is too much (413)")]
    TooMuch,
}

/// Why Keystone could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Outage {
    /// No connection, a broken one, or no whole answer in time.
    #[error(transparent)]
    Exchange(HttpsError),
    /// A status of 500 or above.
    #[error("it has a fault of its own ({0})")]
    Status(u16),
    /// A status of 429.
    #[error("it has too much to do (429)")]
    Busy {
        /// When to come again, as it says.
        retry_after: Option<Duration>,
    },
    /// It failed so often in a row that it is left alone for a while.
    #[error("it failed several times in a row and is left alone for {} s more", .retry_after.as_secs())]
    LeftAlone {
        /// When it is asked again.
        retry_after: Duration,
    },
    /// All the calls that may run at one time are running.
    #[error("too many calls wait for it already")]
    Crowded,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A status that the API does not have there, or a refusal that is not Keystone's own.
    #[error("status {0} is not Keystone's answer to this: check the address and what stands before it")]
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
    /// A token without `X-Subject-Token`, with two, or with one that is no token.
    #[error("it lacks one good X-Subject-Token")]
    SubjectToken,
    /// A token that has ended, ends before it begins, or was issued too far from our own time.
    #[error("{0}")]
    Time(TimeFault),
    /// It speaks of another user, project or credential than was asked about.
    #[error("it is about another {0} than was asked")]
    Mismatch(&'static str),
    /// More items than an answer may have.
    #[error("it holds more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Pages that do not end, or a page that leads elsewhere.
    #[error("its pages do not end")]
    Pages,
    /// Keystone cut the list short, and says so.
    #[error("it is cut short by Keystone's own list limit: raise `list_limit`, or ask by domain")]
    Truncated,
}

/// What is wrong with the times of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeFault {
    /// It ends before, or when, it begins.
    #[error("the token ends before it begins")]
    Backwards,
    /// It has ended.
    #[error("the token has ended already")]
    Ended,
    /// It says that it was issued at another time than now.
    #[error("the token's time of issue is more than 15 minutes from ours: set the clocks")]
    Skew,
}

/// Keystone's `x-openstack-request-id`, by which its log tells the rest.
///
/// Only `req-` and a UUID is taken for one, so that nothing else gets into logs by this way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uuid = text.strip_prefix("req-")?;
        let shape = uuid.len() == 36
            && uuid.char_indices().all(|(at, c)| match at {
                8 | 13 | 18 | 23 => c == '-',
                _ => matches!(c, '0'..='9' | 'a'..='f'),
            });
        shape.then(|| Self(text.to_owned()))
    }

    /// The text, beginning with `req-`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// ` [req-...]`, or nothing.
struct Trace<'a>(&'a Option<RequestId>);

impl fmt::Display for Trace<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(formatter, " [{id}]"),
            None => Ok(()),
        }
    }
}

/// Why a client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not an address of Keystone.
    #[error(
        "the Keystone address must be https://HOST[:PORT][/PATH], without query, fragment, user or password"
    )]
    Url,
    /// The address is in the clear and not of this machine.
    #[error(
        "the Keystone address must be https: over plain http, passwords and tokens cross the network readable"
    )]
    PlainHttp,
    /// The certificates, or the key, are not usable.
    #[error("the certificates for Keystone cannot be used")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q14_only_a_uuid_passes_for_a_request_id() {
        let right = "req-1c9e6fc2-046d-4c28-a2a7-e24748e74f17";
        assert_eq!(RequestId::parse(right).unwrap().as_str(), right);
        for wrong in [
            "",
            "req-",
            "req-hunter2",
            "1c9e6fc2-046d-4c28-a2a7-e24748e74f17",
            "req-1c9e6fc2-046d-4c28-a2a7-e24748e74f1",
            "req-1c9e6fc2x046d-4c28-a2a7-e24748e74f17",
            "req-1c9e6fc2-046d-4c28-a2a7-e24748e74f1\n",
        ] {
            assert_eq!(RequestId::parse(wrong), None, "{wrong:?}");
        }
    }
}
