//! Where a machine's next certificate comes from.

mod built_in;
mod command;
mod est;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_ca::{CaError, CertificateInfo, KeyKind, RenewKey, SigningRequest};

use crate::{FileError, MachinePair, PairError};
pub use built_in::BuiltInCa;
pub use command::{CommandFault, RenewCommand};
pub use est::{EstClient, EstFault, EstOperation, certificates_of_est_answer};

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewFault {
    /// The authority in a folder says no.
    #[error("the authority's folder: {}", told(.0))]
    Ca(#[from] CaError),
    /// The program that was to get it.
    #[error(transparent)]
    Command(#[from] CommandFault),
    /// The EST server.
    #[error(transparent)]
    Est(#[from] EstFault),
    /// What came is not a certificate for our key.
    #[error("what came cannot be used: {0}")]
    Pair(#[from] PairError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Our own.
    #[error("the work was broken off: it is tried again")]
    BrokenOff,
}

/// An error of the authority with the system's word, where that has one.
fn told(error: &CaError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl RenewFault {
    /// When the other side wants to be asked again, if it said so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        if let Self::Est(EstFault::Later(wait)) = self {
            return Some(*wait);
        }
        None
    }
}

/// What the next certificate's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum NextKey {
    /// A new one of this kind.
    New(KeyKind),
    /// The same: for clients that are registered by their key.
    Keep,
}

impl NextKey {
    pub(crate) fn of(self, pair: &MachinePair) -> RenewKey<'_> {
        match self {
            Self::New(kind) => RenewKey::New(kind),
            Self::Keep => RenewKey::Same(pair.expose_key_pem()),
        }
    }

    pub(crate) fn request(self, pair: &MachinePair) -> Result<SigningRequest, RenewFault> {
        let info = CertificateInfo::parse(pair.certificate().der())?;
        Ok(SigningRequest::renewing(&info, self.of(pair))?)
    }
}

/// An authority that issues a machine's next certificate.
///
/// What it gives is judged by the agent before it is used; it need not judge it itself.
#[async_trait]
pub trait CertificateSource: Send + Sync + fmt::Debug {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// A successor of `present`, with its key.
    ///
    /// # Errors
    /// [`RenewFault`].
    async fn successor(&self, present: &MachinePair, now: UnixTime) -> Result<MachinePair, RenewFault>;
}
