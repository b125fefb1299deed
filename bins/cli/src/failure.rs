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
    /// Nobody is logged in, and nobody can be asked: exit status 3.
    NotLoggedIn(String),
    /// What was looked at is not as it should be: exit status 4.
    Unsound(String),
    /// A program that was to be run is not there, or is none: exit status 127.
    CannotRun(String),
    /// The person gave up: exit status 130, as for Ctrl-C.
    Interrupted,
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(text.into()))
    }

    pub(crate) fn not_logged_in(text: &str) -> Self {
        Self::NotLoggedIn(text.to_owned())
    }

    pub(crate) const fn cannot_run(text: String) -> Self {
        Self::CannotRun(text)
    }

    /// The same, with what else can be done.
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(format!("{text}; {hint}")),
            Self::NotLoggedIn(text) => Self::NotLoggedIn(format!("{text}; {hint}")),
            Self::Unsound(text) => Self::Unsound(format!("{text}; {hint}")),
            Self::CannotRun(text) => Self::CannotRun(format!("{text}; {hint}")),
            Self::Interrupted => Self::Interrupted,
            Self::Failed(error) => Self::failed(format!("{}; {hint}", told(&error))),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
            Self::NotLoggedIn(_) => ExitCode::from(3),
            Self::Unsound(_) => ExitCode::from(4),
            Self::CannotRun(_) => ExitCode::from(127),
            Self::Interrupted => ExitCode::from(130),
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
            Self::Usage(text) | Self::NotLoggedIn(text) | Self::Unsound(text) | Self::CannotRun(text) => {
                f.write_str(text)
            }
            Self::Interrupted => f.write_str("given up: nothing was changed"),
            Self::Failed(error) => f.write_str(&told(error)),
        }
    }
}

/// An error and its causes, without those that the error's own words have told already.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        for (error, want) in [
            (
                anyhow!("no such file").context("cannot read a"),
                "cannot read a: no such file",
            ),
            (
                anyhow!("no such file").context("cannot read a: no such file; name another"),
                "cannot read a: no such file; name another",
            ),
            (anyhow!("c").context("b").context("no a"), "no a: b: c"),
        ] {
            assert_eq!(Failure::from(error).to_string(), want);
        }
    }
}
