use std::{error::Error, fmt, time::Duration};

use http::StatusCode;

/// Why there is no answer.
///
/// No text of an error shows anything that was sent or received but the status.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "each caller tells each of them in its own words"
)]
pub enum HttpsError {
    /// The address is neither `https` nor admitted in the clear.
    #[error("only https addresses are asked, and http ones where the settings admit them")]
    Address,
    /// No connection came about: name, port, or TLS handshake. Nothing was sent.
    #[error("no connection")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The connection broke, or spoke no HTTP, after the request may have been sent.
    #[error("the connection broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The other side sends us elsewhere, which is not followed.
    #[error("it redirects ({}), which is not followed", .0.status.as_u16())]
    Redirect(Redirected),
    /// The answer is larger than the limit.
    #[error("the answer is larger than {0} octets")]
    TooLarge(usize),
    /// The whole answer was not there in time.
    #[error("no whole answer within {} ms", .0.as_millis())]
    Deadline(Duration),
}

impl HttpsError {
    /// Which of them it is, in a word for traces.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Connect(_) => "connect",
            Self::Broken(_) => "broken",
            Self::Redirect(_) => "redirect",
            Self::TooLarge(_) => "too_large",
            Self::Deadline(_) => "deadline",
        }
    }

    /// Whether the request cannot have reached the other side, so that it may be repeated whatever it does.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        match self {
            Self::Address | Self::Connect(_) => true,
            Self::Broken(_) | Self::Redirect(_) | Self::TooLarge(_) | Self::Deadline(_) => false,
        }
    }
}

/// Where the other side sends us. `Debug` shows the status alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Redirected {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
}

impl Redirected {
    /// 301, 302, 303, 307 or 308.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What `Location` said, if it was text.
    ///
    /// # Security
    /// The other side wrote it, and may have repeated in it what was sent: show it only to whoever sent that.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }
}

impl fmt::Debug for Redirected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redirected")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Why a client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The text holds no certificate, or one that is no authority's.
    #[error("the PEM text must hold certificates of authorities, and only those")]
    Authority(#[source] Box<dyn Error + Send + Sync>),
    /// The TLS library refuses the certificate with its key, or its own parameters.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}
