/// What went wrong with a form: a text for the person, which tells no more than the person may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// User name or password is wrong, or the user may not sign in: which of them is not told.
    WrongPassword,
    /// The code is wrong, was used, or has ended.
    WrongCode,
    /// Too many attempts: wait a little.
    TooManyAttempts,
    /// The passkey was not accepted.
    WrongPasskey,
    /// Confirming on the other device was declined.
    Declined,
    /// Somebody else signed in than the person who was to sign in anew.
    OtherPerson,
    /// The code of a device is unknown, was used or has ended.
    UnknownUserCode,
    /// No project was chosen, or one that is not offered.
    NoProject,
    /// The password must be changed first, where it is kept.
    PasswordExpired,
    /// The last factor can't be removed: one is demanded.
    FactorDemanded,
}

impl Fault {
    /// A stable word in snake case, for the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongPassword => "credentials_not_accepted",
            Self::WrongCode => "code_not_accepted",
            Self::TooManyAttempts => "must_wait",
            Self::WrongPasskey => "passkey_not_accepted",
            Self::Declined => "second_factor_declined",
            Self::OtherPerson => "other_person",
            Self::UnknownUserCode => "unknown_user_code",
            Self::NoProject => "no_project",
            Self::PasswordExpired => "password_expired",
            Self::FactorDemanded => "factor_demanded",
        }
    }
}

/// The request can't go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageError {
    /// What happened.
    pub kind: PageErrorKind,
    /// The error code of OAuth, for who develops the client.
    pub code: Option<&'static str>,
    /// Fixed text for who develops the client, in English.
    pub description: Option<&'static str>,
    /// The client's name, where it is known.
    pub client: Option<String>,
    /// The request's id, to tell the operator.
    pub request_id: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageErrorKind {
    /// The client's request is wrong, and nowhere checked to go back to.
    Request,
    /// The page was open for too long, was sent already, or is of another browser: start again where it began.
    Expired,
    /// The cookie that the page belongs to did not come with it: another browser or a private window, a browser that was
    /// closed in between, or one that takes no cookies.
    NoCookie,
    /// The person may not do this.
    NotAllowed,
    /// The upstream provider answered with something that can't be believed.
    Upstream,
    /// What the browser brought from the upstream provider is no login: declined there, an error, or another login's.
    UpstreamRefused,
    /// The person was asked too often already: wait.
    TooMany,
    /// Something that signing in needs can't be asked now: try again.
    Unavailable,
}

impl PageErrorKind {
    /// The HTTP status of its page.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Request | Self::Expired | Self::NoCookie | Self::UpstreamRefused => 400,
            Self::NotAllowed => 403,
            Self::TooMany => 429,
            Self::Upstream => 502,
            Self::Unavailable => 503,
        }
    }
}
