//! What a module shows of its tokens before anybody logs in, and what a key shows when it is tried.

use std::path::Path;

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    slot::{Limit, TokenInfo},
};
use sealstone_jose::{Algorithm, Jwk};
use sealstone_keyring::KeyReference;

use crate::{Pkcs11Error, Token, error::code, sessions::unusable};

/// What a token says of its user's PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever holds a PIN must decide on each")]
pub enum PinState {
    /// There is none yet.
    Unset,
    /// Nothing speaks against it.
    Good,
    /// A wrong one was tried since the last login.
    WrongTried,
    /// The next wrong one locks it.
    LastTry,
    /// It is locked.
    Locked,
}

impl PinState {
    pub(crate) fn of(info: &TokenInfo) -> Self {
        if info.user_pin_locked() {
            Self::Locked
        } else if info.user_pin_final_try() {
            Self::LastTry
        } else if !info.user_pin_initialized() {
            Self::Unset
        } else if info.user_pin_count_low() {
            Self::WrongTried
        } else {
            Self::Good
        }
    }
}

/// How many sessions a token opens at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "PKCS#11 has no other")]
pub enum SessionLimit {
    /// It does not say.
    Unknown,
    /// As many as are asked for.
    None,
    /// So many, of all programs together.
    Of(u64),
}

/// What a token says of itself to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenFacts {
    /// Its label.
    pub label: String,
    /// Who made it.
    pub manufacturer: String,
    /// Which model.
    pub model: String,
    /// Its number.
    pub serial: String,
    /// Its user's PIN.
    pub pin: PinState,
    /// Its sessions.
    pub sessions: SessionLimit,
}

/// Loads the module and lists its tokens that are set up, without a PIN.
///
/// # Errors
/// [`Pkcs11Error::Module`] for one that cannot be used.
///
/// # Security
/// The module is a program's code that runs in this process.
pub fn survey(module: &Path) -> Result<Vec<TokenFacts>, Pkcs11Error> {
    let loaded = Pkcs11::new(module).map_err(|error| unusable(module, &error))?;
    match loaded.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(unusable(module, &error)),
    }
    let slots = loaded.get_slots_with_initialized_token();
    let slots = slots.map_err(|error| unusable(module, &error))?;
    let infos = slots.into_iter().map(|slot| loaded.get_token_info(slot));
    // A slot whose token does not answer holds none that could be used.
    Ok(infos.flatten().map(|info| facts(&info)).collect())
}

fn facts(info: &TokenInfo) -> TokenFacts {
    let sessions = match (info.max_session_count(), info.max_rw_session_count()) {
        (Limit::Max(all), Limit::Max(writing)) => SessionLimit::Of(all.min(writing)),
        (Limit::Max(one), Limit::Infinite | Limit::Unavailable)
        | (Limit::Infinite | Limit::Unavailable, Limit::Max(one)) => SessionLimit::Of(one),
        (Limit::Infinite, Limit::Infinite) => SessionLimit::None,
        (Limit::Infinite | Limit::Unavailable, Limit::Infinite | Limit::Unavailable) => SessionLimit::Unknown,
    };
    TokenFacts {
        label: info.label().to_owned(),
        manufacturer: info.manufacturer_id().to_owned(),
        model: info.model().to_owned(),
        serial: info.serial_number().to_owned(),
        pin: PinState::of(info),
        sessions,
    }
}

impl Token {
    /// Lets a key sign something that is no token, and compares it with the public half that the ring has.
    ///
    /// # Errors
    /// [`Pkcs11Error::NoKey`], [`Pkcs11Error::AnotherKey`], or why it does not sign.
    pub fn prove(
        &self,
        reference: &KeyReference,
        algorithm: Algorithm,
        public: &Jwk,
    ) -> Result<(), Pkcs11Error> {
        let proved = self
            .0
            .identifier(reference)
            .and_then(|id| self.0.opened(self, &id, algorithm, public));
        self.0.note(proved).map(|_key| ())
    }

    /// Opens as many sessions as were configured, at once, and closes them.
    ///
    /// # Errors
    /// [`Pkcs11Error::NoSession`] where the token opens fewer.
    pub fn prove_sessions(&self) -> Result<(), Pkcs11Error> {
        let opened = self.0.sessions.all_at_once();
        self.0.note(opened)
    }
}

pub(crate) fn reason(error: &Error) -> String {
    if let Error::LibraryLoading(why) = error {
        why.to_string()
    } else {
        code(error)
    }
}
