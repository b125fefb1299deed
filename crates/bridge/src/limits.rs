//! Limits on what comes from both sides, each with its reason.

use std::time::Duration;

/// How far the clock of the node that issued a token may be ahead of ours: what `sealstone-fernet` allows for Fernet.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The longest body of a login that is read whole: Keystone's own limit (`[oslo_middleware] max_request_body_size`).
pub(crate) const MAX_AUTH_BODY: usize = 114_688;

/// The longest body of a refusal in which an echoed token is looked for. Keystone's are below 1 KiB, and one echoes a
/// token of 16 KiB at most.
pub(crate) const MAX_ERROR_BODY: u64 = 64 * 1024;

/// How much is kept of translations that were made already, in octets. Some 20,000 tokens of the common length; a JWS
/// signature costs 17 µs and comes out anew each time, so that a Keystone with a cache would not know the token again.
pub(crate) const MEMO_OCTETS: u64 = 16 * 1024 * 1024;

/// How many tokens are kept of which no key proves any: 1 MiB or less. A program that shows a dead token over and over is
/// common; each time it would cost what all keys cost: 60 µs with three of them, 117 with two.
pub(crate) const MEMO_REFUSED: usize = 8192;

/// The largest head of an answer: what the listener takes of a request.
pub(crate) const MAX_ANSWER_HEAD: usize = 64 * 1024;

/// The most header fields of an answer: what the listener takes of a request.
pub(crate) const MAX_ANSWER_FIELDS: usize = 100;

/// Idle connections that are kept to the node; more are closed when their answer has ended. A node with more than 64
/// workers is rare.
pub(crate) const MAX_IDLE: usize = 64;

/// How long an idle connection to the node is kept: below the 5 s after which Apache closes it (`KeepAliveTimeout`), so
/// that a request seldom meets a connection that is about to end.
pub(crate) const IDLE: Duration = Duration::from_secs(4);

/// How long the two sides may take. A size beyond these is the listener's ([`sealstone_tls::ServeLimits`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeLimits {
    /// For a TCP (and TLS) connection to the node: 5 s.
    pub connect: Duration,
    /// From a request's head to the head of the node's answer: 50 s, below the minute after which balancers give up.
    /// Then 504.
    pub answer: Duration,
    /// Between two pieces of the answer's body: 30 s. Then the connection is cut, so that the client sees a part as a part.
    pub pause: Duration,
    /// For the whole body of a login, which is read before it goes on: 15 s. Then 408.
    pub auth_body: Duration,
}

impl Default for BridgeLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(50),
            pause: Duration::from_secs(30),
            auth_body: Duration::from_secs(15),
        }
    }
}
