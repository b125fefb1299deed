use sealstone_jose::{Algorithm, JoseError, Jwk, KeyId, PrivateKey, Signer};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The one algorithm of checkpoints: its signatures need no randomness, and cost less than those of any other.
pub(crate) const ALGORITHM: Algorithm = Algorithm::EdDsa;

/// A key file is smaller than this: PKCS#8 of Ed25519 in PEM is some 120 octets.
const LARGEST_FILE: u64 = 4096;

/// The name of a node in its trail: the first sixteen characters of its audit key's thumbprint (RFC 7638).
///
/// Short, since each event carries it. It tells nodes apart and proves nothing: a checkpoint's signature does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeName(String);

impl NodeName {
    const LENGTH: usize = 16;

    /// Of a public key.
    #[must_use]
    pub fn of(key: &Jwk) -> Self {
        Self(key.thumbprint().to_string().chars().take(Self::LENGTH).collect())
    }

    /// What a line says, if it can be a name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        (text.len() == Self::LENGTH && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The sixteen characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The key that a node signs its trail with.
#[derive(Debug)]
pub struct NodeKey {
    signer: Signer,
    public: Jwk,
    node: NodeName,
}

/// The key could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("the audit key {} can't be read or made", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Others than its owner may read or write it.
    #[error("the audit key {} is open to others than its owner (mode {mode:o}): chmod 600, and look who had access", .0.display(), mode = .1)]
    Open(PathBuf, u32),
    /// It holds something else.
    #[error(
        "the audit key {} is no Ed25519 key in PKCS#8 (PEM): put back the one that was there, or remove it, and a new one \
         is made",
        .0.display()
    )]
    Malformed(PathBuf, #[source] JoseError),
}

impl NodeKey {
    /// The key in this file (PKCS#8 in PEM, Ed25519). A file that is not there is made, with a new key, for its owner
    /// alone, and is durable before this returns: what is signed must stay provable.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::File(_, error)) if error.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        let fault = |error| KeyError::File(path.to_owned(), error);
        let malformed = |error| KeyError::Malformed(path.to_owned(), error);
        let key = PrivateKey::generate(ALGORITHM).map_err(malformed)?;
        let pem = key.to_pkcs8_pem().map_err(malformed)?;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let mut file = match made {
            // Another process was faster: its key counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Self::load(path),
            made => made.map_err(fault)?,
        };
        file.write_all(pem.as_bytes()).map_err(fault)?;
        file.sync_all().map_err(fault)?;
        Self::of(&key).map_err(malformed)
    }

    /// The key in this file.
    ///
    /// # Errors
    /// [`KeyError`]; of a file that is not there, too.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let fault = |error| KeyError::File(path.to_owned(), error);
        let metadata = fs::metadata(path).map_err(fault)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open(path.to_owned(), mode));
        }
        if metadata.len() > LARGEST_FILE {
            return Err(fault(io::ErrorKind::FileTooLarge.into()));
        }
        let pem = zeroize::Zeroizing::new(fs::read_to_string(path).map_err(fault)?);
        PrivateKey::from_pkcs8_pem(ALGORITHM, &pem)
            .and_then(|key| Self::of(&key))
            .map_err(|error| KeyError::Malformed(path.to_owned(), error))
    }

    /// With a key that is there already.
    ///
    /// # Errors
    /// What `jose` says to a key of another algorithm than Ed25519.
    pub fn of(key: &PrivateKey) -> Result<Self, JoseError> {
        let kid = key.public_jwk().thumbprint().to_string();
        let public = key
            .public_jwk()
            .clone()
            .with_kid(&kid)?
            .with_algorithm(ALGORITHM)?;
        Ok(Self {
            node: NodeName::of(&public),
            signer: Signer::new(key, KeyId::parse(&kid)?)?,
            public,
        })
    }

    /// What auditors verify with: its `kid` is its thumbprint (RFC 7638).
    #[must_use]
    pub const fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    /// The node's name.
    #[must_use]
    pub const fn node(&self) -> &NodeName {
        &self.node
    }

    /// The thumbprint.
    pub(crate) fn kid(&self) -> &str {
        self.signer.key_id().as_str()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let mut signature = Vec::new();
        self.signer.sign(message, &mut signature)?;
        Ok(signature)
    }
}
