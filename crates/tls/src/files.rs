//! Certificates and private keys from PEM files, with errors that say what to do.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

/// The longest file that is read: a chain of certificates or one key. A wrong path must not fill the memory.
const MAX_FILE_OCTETS: u64 = 1024 * 1024;

/// Why a certificate or key file cannot be used. `origin` is the path, or what the caller named the text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file is not there or not readable.
    #[error("cannot read {}: {source}. Check the path, and that the server's user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than any certificate chain or key.
    #[error("{} is larger than 1 MiB, so it is neither a certificate chain nor a key. Check the path", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner can read or change the private key (CWE-732).
    #[error(
        "the private key {} is open to others (mode {mode:04o}). Run `chmod 600 {}`", path.display(), path.display()
    )]
    KeyTooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The private key is reached through a symbolic link, whose target others may change.
    #[error("the private key {} is a symbolic link. Name the file that it points to", path.display())]
    KeyIsSymlink {
        /// The link.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("{origin} is empty. Write the PEM text into it again")]
    Empty {
        /// Where the text came from.
        origin: String,
    },
    /// A PEM block is cut off or damaged.
    #[error("{origin} is not whole PEM text: {reason}. Write it again from its source")]
    Damaged {
        /// Where the text came from.
        origin: String,
        /// What the PEM reader found.
        reason: String,
    },
    /// There is no `CERTIFICATE` block.
    #[error("{origin} has no certificate: a block that begins -----BEGIN CERTIFICATE----- is due")]
    NoCertificate {
        /// Where the text came from.
        origin: String,
    },
    /// There is no private key.
    #[error(
        "{origin} has no private key: a block PRIVATE KEY (PKCS#8), EC PRIVATE KEY or RSA PRIVATE KEY is due"
    )]
    NoKey {
        /// Where the text came from.
        origin: String,
    },
    /// The private key has a passphrase.
    #[error(
        "the private key in {origin} is encrypted. Decrypt it with `openssl pkey -in KEY -out NEW` and protect NEW by \
         its file mode"
    )]
    EncryptedKey {
        /// Where the text came from.
        origin: String,
    },
    /// There are several private keys, and no telling which is meant.
    #[error("{origin} has {count} private keys. Keep the one that belongs to the certificate")]
    SeveralKeys {
        /// Where the text came from.
        origin: String,
        /// How many.
        count: usize,
    },
}

/// Reads the certificates of a PEM file, in their order.
///
/// # Errors
/// [`FileError`] when the file cannot be read, is damaged, or has no certificate.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    parse_certificates(&read(path)?, &path.display().to_string())
}

/// Reads the certificates of a PEM text; `origin` names it in errors.
///
/// # Errors
/// [`FileError`] when the text is damaged or has no certificate.
pub fn parse_certificates(pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let origin = origin.to_owned();
    if pem.trim_ascii().is_empty() {
        return Err(FileError::Empty { origin });
    }
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| FileError::Damaged {
            origin: origin.clone(),
            reason: reason(&error),
        })?;
    if certificates.is_empty() {
        Err(FileError::NoCertificate { origin })
    } else {
        Ok(certificates)
    }
}

/// In words: the reader's own show octets.
fn reason(error: &pem::Error) -> String {
    if let pem::Error::MissingSectionEnd { .. } = error {
        "the END line is missing".to_owned()
    } else if let pem::Error::IllegalSectionStart { .. } = error {
        "the BEGIN line is malformed".to_owned()
    } else {
        error.to_string()
    }
}

/// Reads the one private key of a PEM file that only its owner can open.
///
/// # Errors
/// [`FileError::KeyTooOpen`] when group or others have any right to the file, [`FileError::KeyIsSymlink`]; else as
/// [`parse_private_key`]. Whoever must read a key of another mode reads the file and calls that.
pub fn load_private_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let metadata = fs::symlink_metadata(path).map_err(unreadable)?;
    if metadata.is_symlink() {
        return Err(FileError::KeyIsSymlink {
            path: path.to_owned(),
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(FileError::KeyTooOpen {
                path: path.to_owned(),
                mode,
            });
        }
    }
    parse_private_key(&read(path)?, &path.display().to_string())
}

/// Reads the one private key of a PEM text: PKCS#8, SEC1 or PKCS#1; `origin` names it in errors.
///
/// # Errors
/// [`FileError`] when there is none, several, an encrypted one, or the text is damaged.
pub fn parse_private_key(pem: &[u8], origin: &str) -> Result<PrivateKeyDer<'static>, FileError> {
    let origin = origin.to_owned();
    if pem.trim_ascii().is_empty() {
        return Err(FileError::Empty { origin });
    }
    let mut keys: Vec<_> = PrivateKeyDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| FileError::Damaged {
            origin: origin.clone(),
            reason: reason(&error),
        })?;
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (Some(_), others) => Err(FileError::SeveralKeys {
            origin,
            count: others.saturating_add(1),
        }),
        (None, _) if has(pem, b"ENCRYPTED") => Err(FileError::EncryptedKey { origin }),
        (None, _) => Err(FileError::NoKey { origin }),
    }
}

fn has(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_OCTETS {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
        });
    }
    fs::read(path).map_err(unreadable)
}
