/// Why a request to the loopback listener is not the one waited for. It got its page, and the wait goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedRequest {
    /// No HTTP/1.1 that is read in one way only.
    #[error("The request is malformed")]
    Malformed,
    /// Larger than anything that a login brings.
    #[error("The request is too large")]
    TooLarge,
    /// Not whole in time.
    #[error("The request did not arrive in time")]
    Slow,
    /// `Host` is not the listener: a name that leads here (DNS rebinding).
    #[error("The request is for another host")]
    Host,
    /// Another path: a favicon, a guess.
    #[error("There is nothing at this address")]
    Path,
    /// Another method than that of the answer, GET.
    #[error("The request has a method that is not served here")]
    MethodNotGet,
    /// Another method than that of the form, POST.
    #[error("The request has a method that is not served here")]
    MethodNotPost,
    /// Not the form's type.
    #[error("The request is no form")]
    ContentType,
    /// From a page of somebody else.
    #[error("The request comes from a page that has nothing to do with this login")]
    Origin,
    /// A script, a frame or an image asks: no person is led here by one.
    #[error("The request was not made by going to a page")]
    Fetch,
    /// Parameters that are malformed, repeated or missing.
    #[error("The request lacks what the answer to a login has")]
    Parameters,
    /// `state` is another login's (RFC 6749 §10.12).
    #[error("The request belongs to another login")]
    State,
    /// `iss` is another provider's, or missing (RFC 9207 §2.4).
    #[error("The request is the answer of another provider")]
    Issuer,
    /// Keystone does not know the token that was posted.
    #[error("The token of the form is none of this cloud")]
    Token,
    /// The token is another user's than the one who shall log in.
    #[error("The browser is logged in as another user than the one who was named: sign out there first")]
    User,
}

impl RefusedRequest {
    /// The HTTP status of its page.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::Parameters | Self::State | Self::Issuer | Self::Token => 400,
            Self::Origin | Self::Fetch | Self::User => 403,
            Self::Path => 404,
            Self::MethodNotGet | Self::MethodNotPost => 405,
            Self::Slow => 408,
            Self::TooLarge => 413,
            Self::ContentType => 415,
            Self::Host => 421,
        }
    }

    pub(crate) const fn allow(self) -> Option<&'static str> {
        match self {
            Self::MethodNotGet => Some("GET"),
            Self::MethodNotPost => Some("POST"),
            Self::Malformed
            | Self::TooLarge
            | Self::Slow
            | Self::Host
            | Self::Path
            | Self::ContentType
            | Self::Origin
            | Self::Fetch
            | Self::Parameters
            | Self::State
            | Self::Issuer
            | Self::Token
            | Self::User => None,
        }
    }
}
