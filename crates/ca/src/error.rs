use std::{io, path::PathBuf};

use thiserror::Error;

/// What the certificate authority could not do, why, and what helps.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaError {
    /// The text of a subject is not a distinguished name.
    #[error("the subject {text:?} is not a name ({reason}): write it like \"CN=machine,O=Example\"")]
    Subject {
        /// As given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An alternative name cannot be written into a certificate.
    #[error("the alternative name {name:?} cannot be used: {reason}")]
    AltName {
        /// As given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A lifetime of zero, or one that ends beyond what a certificate can say.
    #[error("this lifetime cannot be used: give between one second and 100 years")]
    Lifetime,
    /// A certificate that says nothing about its holder.
    #[error("a certificate needs a subject or an alternative name: give one")]
    Nameless,
    /// The text is not one certificate.
    #[error("not a certificate ({0}): give one PEM block \"-----BEGIN CERTIFICATE-----\", or its DER")]
    Certificate(String),
    /// The text is not a private key that we can use.
    #[error("not a private key that this CA can use: give an unencrypted PKCS #8, EC or RSA key in PEM")]
    PrivateKey,
    /// The certificate is not a CA's.
    #[error("this certificate is not one of a certificate authority: its basicConstraints lack CA:TRUE")]
    NotACa,
    /// Certificate and key are not a pair.
    #[error("the private key does not belong to the certificate: give the key that it was made with")]
    KeyMismatch,
    /// The CA certificate has expired, or starts later.
    #[error("the CA certificate is not valid at this time: check the clock, or make a new CA")]
    CaNotValid,
    /// The certificate was not issued by this CA.
    #[error("the certificate {0} was not issued by this CA: use the folder of the CA that issued it")]
    NotIssuedHere(String),
    /// The certificate is revoked.
    #[error("the certificate {0} is revoked: issue a new one instead")]
    Revoked(String),
    /// There is something in the way.
    #[error("{} exists and is not overwritten: choose another place, or move it away", .0.display())]
    Exists(PathBuf),
    /// There is no CA in this folder.
    #[error("there is no CA in {}: make one with `ca init`, or name the right folder", .0.display())]
    NoCa(PathBuf),
    /// A file that others may read, or that is not a plain file.
    #[error("{} {reason}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: &'static str,
    },
    /// The list of issued certificates cannot be read.
    #[error("{} cannot be read ({reason}): restore it from a backup", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused.
    #[error("{} cannot be {action}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `written`, ...
        action: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The certificate could not be made.
    #[error("the certificate cannot be made ({0})")]
    Make(String),
}

impl CaError {
    #[expect(clippy::needless_pass_by_value, reason = "taken as `map_err` gives it")]
    pub(crate) fn make(error: impl ToString) -> Self {
        Self::Make(error.to_string())
    }
}
