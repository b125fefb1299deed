//! Why nobody vouches for a certificate, and why authorities cannot be used.

use rustls_pki_types::UnixTime;
use sealstone_mtls::BindingError;
use webpki::Error;

/// Why a chain was refused (RFC 5280 §6.1). Texts hold nothing that the client sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No configured authority signed it, directly or through the chain that came along.
    #[error("no trusted authority vouches for the certificate")]
    UnknownIssuer,
    /// A certificate names a trusted authority, which did not sign it: an impostor of the same name.
    #[error("the certificate is not signed by the authority it names")]
    Forged,
    /// A certificate of the path, or the authority, is past its last second.
    #[error("a certificate of the path has expired")]
    Expired {
        /// Its last second of validity.
        not_after: UnixTime,
    },
    /// A certificate of the path, or the authority, is before its first second.
    #[error("a certificate of the path is not yet valid")]
    NotYetValid {
        /// Its first second of validity.
        not_before: UnixTime,
    },
    /// The extended key usages of a certificate of the path leave `clientAuth` out.
    #[error("the certificate is not for client authentication")]
    NotForClients,
    /// The client presented an authority's certificate.
    #[error("the certificate is an authority's")]
    AuthorityAsClient,
    /// A certificate of the path was signed by one that is no authority.
    #[error("a certificate of the path was signed by one that is no authority")]
    ClientAsAuthority,
    /// An authority signed below a depth that it was not given.
    #[error("the path is longer than its authority allows")]
    PathLength,
    /// An authority named somebody whom it may not name.
    #[error("the authority may not name this subject")]
    NameConstraint,
    /// A revocation list names a certificate of the path.
    #[error("a certificate of the path has been revoked")]
    Revoked,
    /// No revocation list answers for a certificate of the path.
    #[error("no revocation list answers for a certificate of the path")]
    RevocationUnknown,
    /// The revocation list is past its `nextUpdate`.
    #[error("the revocation list has expired")]
    RevocationListExpired {
        /// When a fresh one was due.
        next_update: UnixTime,
    },
    /// The revocation list was not signed by the authority it speaks for.
    #[error("the revocation list is not signed by its authority")]
    RevocationListForged,
    /// Judging the path would cost more than a request is worth.
    #[error("the path costs too much to judge")]
    TooCostly,
    /// A certificate of the path is malformed, wrongly signed or of an unsupported kind.
    #[error("a certificate of the path cannot be used")]
    Unusable(#[source] Error),
}

impl ChainError {
    /// A stable word for logs and audit records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownIssuer => "unknown_issuer",
            Self::Forged => "signature_forged",
            Self::Expired { .. } => "certificate_expired",
            Self::NotYetValid { .. } => "certificate_not_yet_valid",
            Self::NotForClients => "not_for_clients",
            Self::AuthorityAsClient => "authority_as_client",
            Self::ClientAsAuthority => "client_as_authority",
            Self::PathLength => "path_length",
            Self::NameConstraint => "name_constraint",
            Self::Revoked => "certificate_revoked",
            Self::RevocationUnknown => "revocation_unknown",
            Self::RevocationListExpired { .. } => "revocation_list_expired",
            Self::RevocationListForged => "revocation_list_forged",
            Self::TooCostly => "path_too_costly",
            Self::Unusable(_) => "certificate_unusable",
        }
    }
}

impl From<Error> for ChainError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "webpki adds variants; all of them refuse"
    )]
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownIssuer => Self::UnknownIssuer,
            Error::InvalidSignatureForPublicKey => Self::Forged,
            Error::CertExpired { not_after, .. } => Self::Expired { not_after },
            Error::CertNotValidYet { not_before, .. } => Self::NotYetValid { not_before },
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Self::NotForClients,
            Error::CaUsedAsEndEntity => Self::AuthorityAsClient,
            Error::EndEntityUsedAsCa => Self::ClientAsAuthority,
            Error::PathLenConstraintViolated => Self::PathLength,
            Error::NameConstraintViolation => Self::NameConstraint,
            Error::CertRevoked => Self::Revoked,
            Error::UnknownRevocationStatus => Self::RevocationUnknown,
            Error::CrlExpired { next_update, .. } => Self::RevocationListExpired { next_update },
            Error::InvalidCrlSignatureForPublicKey | Error::IssuerNotCrlSigner => Self::RevocationListForged,
            Error::MaximumNameConstraintComparisonsExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumSignatureChecksExceeded => Self::TooCostly,
            other => Self::Unusable(other),
        }
    }
}

/// Why authorities or revocation lists cannot be used. `index` counts from zero in the order they were given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// There is no authority at all.
    #[error("no authority: give at least one certificate (-----BEGIN CERTIFICATE-----)")]
    NoAuthority,
    /// The PEM text is damaged.
    #[error("damaged PEM text: {0}. Write the file again from its source")]
    Pem(String),
    /// One of the authorities is not a certificate.
    #[error("authority number {index} is not a certificate: {source}")]
    Certificate {
        /// Which.
        index: usize,
        /// What is wrong.
        source: BindingError,
    },
    /// One of the authorities may not sign certificates.
    #[error(
        "authority number {index} ({subject}) is not an authority (basicConstraints lacks CA:TRUE): configure the one \
         that issued it"
    )]
    NotAnAuthority {
        /// Which.
        index: usize,
        /// Its subject.
        subject: String,
    },
    /// One of the authorities is of an unsupported kind.
    #[error("authority number {index} cannot be used: {source}")]
    Anchor {
        /// Which.
        index: usize,
        /// What is wrong.
        source: Error,
    },
    /// One of the revocation lists cannot be used.
    #[error(
        "revocation list number {index} cannot be used: {source}. A full list with nextUpdate is due (RFC 5280 §5)"
    )]
    RevocationList {
        /// Which.
        index: usize,
        /// What is wrong.
        source: Error,
    },
}
