use std::{fmt, sync::Arc, time::Duration};

use sealstone_jose::{Algorithm, HeldKey, Jwk};
use thiserror::Error;

/// The longest [`KeyReference`], in bytes: a label of PKCS#11 and what tells homes apart.
const MAX_REFERENCE: usize = 128;

/// What a [`KeyHome`] calls one of its keys: 1 to 128 printable ASCII characters, kept in the ring in the place of a
/// sealed private key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyReference(String);

impl KeyReference {
    /// Reads a reference; `None` for other characters or another length.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits =
            (1..=MAX_REFERENCE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key that a [`KeyHome`] holds.
#[expect(clippy::exhaustive_structs, reason = "a key is all of it")]
pub struct HomeKey {
    /// What the home calls it.
    pub reference: KeyReference,
    /// Its public half.
    pub public: Jwk,
    /// What signs by it.
    pub key: Arc<dyn HeldKey>,
}

impl fmt::Debug for HomeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HomeKey")
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

/// Where private signing keys are made and stay, in the place of the ring itself: a hardware security module.
///
/// Calls may take as long as the module does. The ring's database names the keys and holds their public halves; a home
/// that several nodes share holds one key for all.
///
/// # Security
/// [`find`](Self::find) must check that the key it opens has the public half that it is told, or tokens would be signed
/// by a key that nobody verifies with.
pub trait KeyHome: Send + Sync + fmt::Debug {
    /// Makes a key that cannot be taken out.
    ///
    /// # Errors
    /// [`KeyHomeError`], whose text says what to do.
    fn generate(&self, algorithm: Algorithm) -> Result<HomeKey, KeyHomeError>;

    /// The key called `reference`, whose public half is `public`.
    ///
    /// # Errors
    /// [`KeyHomeError`], whose text says what to do.
    fn find(
        &self,
        reference: &KeyReference,
        algorithm: Algorithm,
        public: &Jwk,
    ) -> Result<Arc<dyn HeldKey>, KeyHomeError>;

    /// Destroys a key that no ring names any more. One that is not there is as good.
    ///
    /// # Errors
    /// [`KeyHomeError`]: the key may still be there.
    fn destroy(&self, reference: &KeyReference) -> Result<(), KeyHomeError>;

    /// How its signing goes, as far as it counts; asks nobody.
    fn figures(&self) -> Option<HomeFigures> {
        None
    }
}

/// Up to how long a signature takes, for each column of [`HomeFigures::within`]: a quarter of a millisecond is a fast network
/// module, five seconds the longest that a caller waits.
pub const SIGNATURE_TIMES: [Duration; 12] = [
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// What a home counted since it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "figures: whoever shows them shows all")]
pub struct HomeFigures {
    /// Signatures that it made.
    pub signed: u64,
    /// Signatures that were asked for, and not made.
    pub failed: u64,
    /// Of both together, how many took no longer than each of [`SIGNATURE_TIMES`].
    pub within: [u64; SIGNATURE_TIMES.len()],
    /// How long both together took.
    pub taken: Duration,
    /// Whether it did what it was last asked for.
    pub answers: bool,
}

/// A home that did not do what it was asked. Holds no PIN.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct KeyHomeError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl KeyHomeError {
    /// Wraps the home's own error, whose text says what happened and what to do.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
