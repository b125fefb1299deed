use std::{fmt, time::Duration};

use sealstone_https::{HttpsError, SetupError};

use crate::{ClockSkew, IdTokenFault, KeystoneError, NoEntropy};

/// The longest text of a provider that is repeated.
const MAX_TEXT: usize = 400;

/// What was asked: a fixed text, as in `for tokens`.
pub type Step = &'static str;

/// An exchange that came to no answer that can be used.
///
/// It shows the address without its query, and nothing of what was sent or came back but the status.
#[derive(Debug, thiserror::Error)]
#[error("{address} was asked {step}: {fault}")]
#[non_exhaustive]
pub struct CallError {
    /// Scheme, host and path.
    pub address: String,
    /// What was asked.
    pub step: Step,
    /// What happened.
    #[source]
    pub fault: CallFault,
}

/// What can happen to an exchange.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallFault {
    /// It is no address.
    #[error("that is no address that is asked: it must be https://HOST[:PORT]/PATH")]
    Address,
    /// No connection, a broken one, no whole answer in time, a redirect.
    #[error(transparent)]
    Https(HttpsError),
    /// A status that is no answer to this.
    #[error("it answered {0}")]
    Status(u16),
    /// Not JSON, not strict, or not of the shape that the step has.
    #[error("the answer is not what it should be: check that the address is the right one")]
    Shape,
}

impl CallError {
    /// Whether the same call may go better in a while: no connection, 429, or 500 and above.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match &self.fault {
            CallFault::Https(error) => match error {
                HttpsError::Connect(_) | HttpsError::Broken(_) | HttpsError::Deadline(_) => true,
                HttpsError::Address | HttpsError::Redirect(_) | HttpsError::TooLarge(_) => false,
            },
            CallFault::Status(status) => *status == 429 || *status >= 500,
            CallFault::Address | CallFault::Shape => false,
        }
    }

    /// The connection's error, if that is what happened.
    #[must_use]
    pub const fn https(&self) -> Option<&HttpsError> {
        match &self.fault {
            CallFault::Https(error) => Some(error),
            CallFault::Address | CallFault::Status(_) | CallFault::Shape => None,
        }
    }
}

/// What the provider says when it refuses (RFC 6749 §5.2, §4.1.2.1; RFC 8628 §3.5).
///
/// Its texts are short, and without control characters; they are still another's words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The error code.
    pub code: String,
    /// Its description, for developers.
    pub description: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: &str, description: Option<&str>) -> Self {
        Self {
            code: visible(code),
            description: description.filter(|text| !text.is_empty()).map(visible),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.description {
            Some(description) => write!(formatter, "{} ({description})", self.code),
            None => formatter.write_str(&self.code),
        }
    }
}

/// Another's text, for a terminal: nothing that moves the cursor, turns the direction, or goes on for pages.
pub(crate) fn visible(text: &str) -> String {
    let hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown = |character| {
        if hidden(character) {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    text.chars().take(MAX_TEXT).map(shown).collect()
}

/// Why nothing is known of a provider.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The issuer is no address of a provider.
    #[error("{0:?} is no issuer: write it as the provider does, https://HOST/PATH")]
    Issuer(String),
    /// It cannot be asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Nothing is published at the places of OpenID Connect Discovery 1.0 and RFC 8414.
    #[error("{0} publishes no metadata: check the issuer's address")]
    Unpublished(String),
    /// What lies there is no metadata.
    #[error("what {0} publishes is no metadata: check the issuer's address")]
    Shape(String),
    /// They are another issuer's (RFC 8414 §3.3).
    #[error("the metadata at {issuer} are those of {said}: use that issuer, if you trust it (RFC 8414 §3.3)")]
    OtherIssuer {
        /// Whom we asked for.
        issuer: String,
        /// Who it says it is.
        said: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The provider has no such endpoint.
    #[error("{issuer} names no {endpoint}: it does not offer this")]
    NoEndpoint {
        /// The provider.
        issuer: String,
        /// The member of its metadata.
        endpoint: &'static str,
    },
    /// It cannot be asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It refuses.
    #[error("the provider refused with {0}")]
    Refused(Refusal),
    /// The access token is of a type, or in a form, that cannot be used (RFC 6750 §2.1).
    #[error(
        "the provider's answer holds no bearer token that can be used (RFC 6750 §2.1): tell its operator"
    )]
    Unusable,
    /// There is no refresh token to use.
    #[error("there is no refresh token: log in again")]
    NoRefreshToken,
    /// With a clock that is so wrong the next ID token would not be believed, and the refresh token would be used up.
    #[error("{0}, and try again: nothing was asked for, and the login stays")]
    Clock(ClockSkew),
    /// The ID token is not believed.
    #[error("the provider's ID token is not believed: {fault}{}", clock(skew.as_ref()))]
    IdToken {
        /// Why.
        fault: IdTokenFault,
        /// How far our clock is from the provider's, where that may be the reason.
        skew: Option<ClockSkew>,
    },
    /// The assertion that shows who we are cannot be signed.
    #[error("the client assertion cannot be signed: check the client's key")]
    Assertion,
    /// TLS cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No random octets.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

fn clock(skew: Option<&ClockSkew>) -> String {
    skew.map(|skew| format!("; {skew}")).unwrap_or_default()
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// No loopback port can be listened at.
    #[error("no port of this machine can be listened at: {0}")]
    Listen(#[source] std::io::Error),
    /// The one port that is wanted is another program's.
    #[error("port {0} is in use by another program: end that, or take another port")]
    PortTaken(u16),
    /// The redirect path is none.
    #[error("{0:?} is no path of a redirect URI: write /PATH without query, fragment and dot segments")]
    Path(String),
    /// Nothing came back in time.
    #[error("no answer came from the browser within {} s: log in again", .0.as_secs())]
    Deadline(Duration),
    /// The person, or the provider's policy, said no.
    #[error("the login was refused{}: log in again, or ask the provider's operator", told(.0.as_ref()))]
    Denied(Option<Refusal>),
    /// The code was not entered in time (RFC 8628 §3.5).
    #[error("the code is no longer good: log in again, and enter the code sooner")]
    Expired,
    /// The provider sent the browser back with an error.
    #[error("the provider ended the login with {0}")]
    Provider(Refusal),
    /// The provider gave no token for the answer.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Keystone did not take the token.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// No random octets.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

fn told(refusal: Option<&Refusal>) -> String {
    let description = refusal.and_then(|refusal| refusal.description.as_deref());
    description.map(|text| format!(" ({text})")).unwrap_or_default()
}
