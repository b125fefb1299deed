//! How a command ends when it does not end well.

use std::{fmt, process::ExitCode};

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// What went wrong, to be told on standard error. The text says what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line cannot be meant: exit status 2.
    Usage(String),
    /// The work failed: exit status 1.
    Failed(anyhow::Error),
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(text.into()))
    }

    /// The same, with what else can be done.
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(format!("{text}; {hint}")),
            Self::Failed(error) => Self::failed(format!("{error:#}; {hint}")),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}
