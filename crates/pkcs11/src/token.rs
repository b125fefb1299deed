use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use sealstone_jose::HeldKey;
use zeroize::Zeroizing;

use crate::{Pkcs11Error, figures::Figures, sessions::Sessions};

/// How many sessions are open at most, unless told otherwise: signatures at once. More do not make most tokens faster.
const SESSIONS: usize = 4;

/// A token's PIN. Never shown; overwritten when it goes.
pub struct Pin(pub(crate) Zeroizing<String>);

impl Pin {
    /// A PIN from a file or the environment; a line end at its end is not part of it.
    #[must_use]
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin([redacted])")
    }
}

/// Which token, and how it is used.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenConfig {
    /// The vendor's library.
    pub module: PathBuf,
    /// The token's label.
    pub label: String,
    /// How many sessions are open at most; at least one.
    pub sessions: usize,
}

impl TokenConfig {
    /// The token called `label` by this module.
    #[must_use]
    pub fn new(module: impl Into<PathBuf>, label: impl Into<String>) -> Self {
        Self {
            module: module.into(),
            label: label.into(),
            sessions: SESSIONS,
        }
    }

    /// The same with so many sessions at most.
    #[must_use]
    pub fn with_sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions.max(1);
        self
    }
}

/// What a token that answers says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenStatus {
    /// Its label.
    pub label: String,
    /// Who made it.
    pub manufacturer: String,
    /// Which model.
    pub model: String,
}

/// One token of one module. A clone is the same.
///
/// `Debug` shows its label.
#[derive(Clone)]
pub struct Token(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) sessions: Sessions,
    /// Keys that were looked at already: a token that is away for a moment does not take them out of use.
    pub(crate) known: Mutex<BTreeMap<String, Arc<dyn HeldKey>>>,
    pub(crate) figures: Figures,
    /// What the last call ended with.
    last: Mutex<Option<Pkcs11Error>>,
}

impl Token {
    /// Loads the module, finds the token and logs in.
    ///
    /// # Errors
    /// [`Pkcs11Error`], whose text says what to do.
    ///
    /// # Security
    /// The module is a program's code that runs in this process.
    pub fn open(config: TokenConfig, pin: Pin) -> Result<Self, Pkcs11Error> {
        let token = Self(Arc::new(Inner {
            sessions: Sessions::load(config, pin)?,
            known: Mutex::new(BTreeMap::new()),
            figures: Figures::default(),
            last: Mutex::new(None),
        }));
        token.check()?;
        Ok(token)
    }

    /// Asks the token for a little, by a session: whether it can be used now.
    ///
    /// # Errors
    /// [`Pkcs11Error`], whose text says what to do.
    pub fn check(&self) -> Result<TokenStatus, Pkcs11Error> {
        let status = self.0.sessions.status();
        self.0.note(status)
    }

    /// Why the last call failed, if it did; asks nobody.
    #[must_use]
    pub fn last_fault(&self) -> Option<Pkcs11Error> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its label.
    #[must_use]
    pub fn label(&self) -> &str {
        self.0.sessions.label()
    }
}

impl Inner {
    /// Remembers how a call ended.
    pub(crate) fn note<T>(&self, ended: Result<T, Pkcs11Error>) -> Result<T, Pkcs11Error> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = ended.as_ref().err().cloned();
        ended
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("label", &self.label())
            .finish_non_exhaustive()
    }
}
