use std::sync::Arc;

use rustls::{RootCertStore, crypto::aws_lc_rs, server::WebPkiClientVerifier};
use rustls_pki_types::UnixTime;

use crate::{MachinePair, status::date};

/// Why a new certificate is not used.
///
/// That its key fits is seen where the pair is made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Its subject is not that of the certificate before.
    #[error(
        "it is for the subject {new:?} and the one before for {old:?}, by which the client is registered: have the \
         authority keep the subject"
    )]
    Subject {
        /// Of the one before.
        old: String,
        /// Of the new one.
        new: String,
    },
    /// A name that the certificate before had is missing, or there are others.
    #[error(
        "its alternative names are not those of the one before, by which the client may be registered: have the \
         authority keep them"
    )]
    AltNames,
    /// No configured authority issued it, or it is not for clients.
    #[error(
        "no configured authority vouches for it as a client's ({0}): is its issuer in the authorities' file, and are \
         intermediates sent along?"
    )]
    Authority(rustls::Error),
    /// It begins later.
    #[error(
        "it begins at {}, and this machine's clock says {}: compare the authority's clock and this one",
        date(*not_before),
        date(*now)
    )]
    NotYet {
        /// Its first second.
        not_before: UnixTime,
        /// This machine's clock.
        now: UnixTime,
    },
    /// It has ended.
    #[error(
        "it ended at {}, and this machine's clock says {}: compare the authority's clock and this one",
        date(*not_after),
        date(*now)
    )]
    Ended {
        /// Its last second.
        not_after: UnixTime,
        /// This machine's clock.
        now: UnixTime,
    },
    /// It ends no later than the one before.
    #[error("it ends no later than the one before: the authority's own certificate may be near its end")]
    NoLonger,
    /// TLS refuses the authorities.
    #[error("the configured authorities cannot be used ({0}): correct their file")]
    Authorities(String),
}

/// Whether `new` may take the place of `old`.
///
/// # Errors
/// [`Unfit`].
pub fn check_successor(
    new: &MachinePair,
    old: &MachinePair,
    authorities: &RootCertStore,
    now: UnixTime,
) -> Result<(), Unfit> {
    let (after, before) = (new.certificate(), old.certificate());
    if after.subject() != before.subject() {
        return Err(Unfit::Subject {
            old: before.subject().to_string(),
            new: after.subject().to_string(),
        });
    }
    if after.subject_alt_names() != before.subject_alt_names() {
        return Err(Unfit::AltNames);
    }
    check_dates(new, now)?;
    if after.not_after() <= before.not_after() {
        return Err(Unfit::NoLonger);
    }
    vouched_for(new, authorities, now)
}

pub(crate) fn check_dates(pair: &MachinePair, now: UnixTime) -> Result<(), Unfit> {
    let certificate = pair.certificate();
    if now < certificate.not_before() {
        return Err(Unfit::NotYet {
            not_before: certificate.not_before(),
            now,
        });
    }
    if now > certificate.not_after() {
        return Err(Unfit::Ended {
            not_after: certificate.not_after(),
            now,
        });
    }
    Ok(())
}

fn vouched_for(pair: &MachinePair, authorities: &RootCertStore, now: UnixTime) -> Result<(), Unfit> {
    let roots = Arc::new(authorities.clone());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| Unfit::Authorities(error.to_string()))?;
    let (leaf, above) = pair
        .chain()
        .split_first()
        .ok_or_else(|| Unfit::Authorities("no certificate".to_owned()))?;
    verifier
        .verify_client_cert(leaf, above, now)
        .map(|_verified| ())
        .map_err(Unfit::Authority)
}
