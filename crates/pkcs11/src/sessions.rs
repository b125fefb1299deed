//! Sessions of one token: a few, kept open, made anew when the token was away.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    object::{Attribute, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};

use crate::{
    Pin, PinState, Pkcs11Error, TokenConfig, TokenStatus,
    error::{Means, code, means},
    inspect::reason,
};

/// How long a caller waits for a session: what a client of the token endpoint waits for anyway.
const WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Sessions {
    module: Pkcs11,
    config: TokenConfig,
    pin: Pin,
    pool: Mutex<Pool>,
    returned: Condvar,
    /// Held while the module works, and alone while it is started anew: it must not be called meanwhile.
    calls: RwLock<()>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Open>,
    open: usize,
    /// Sessions of an earlier round do not come back.
    round: u64,
    /// The token refused the PIN: it is not tried again.
    refused: Option<Pkcs11Error>,
}

/// A session, and where it found the keys that it used.
pub(crate) struct Open {
    pub(crate) session: Session,
    handles: BTreeMap<Vec<u8>, ObjectHandle>,
    round: u64,
}

impl Open {
    /// The object of this class and identifier.
    pub(crate) fn key(&mut self, class: ObjectClass, id: &[u8]) -> Result<Option<ObjectHandle>, Error> {
        if class == ObjectClass::PRIVATE_KEY
            && let Some(handle) = self.handles.get(id)
        {
            return Ok(Some(*handle));
        }
        let template = [
            Attribute::Class(class),
            Attribute::Token(true),
            Attribute::Id(id.to_vec()),
        ];
        let found = self.session.find_objects(&template)?.first().copied();
        if let (ObjectClass::PRIVATE_KEY, Some(handle)) = (class, found) {
            self.handles.insert(id.to_vec(), handle);
        }
        Ok(found)
    }
}

impl Sessions {
    pub(crate) fn load(config: TokenConfig, pin: Pin) -> Result<Self, Pkcs11Error> {
        let module = Pkcs11::new(&config.module).map_err(|error| unusable(&config.module, &error))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another token of the same module in this process.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(unusable(&config.module, &error)),
        }
        Ok(Self {
            module,
            config,
            pin,
            pool: Mutex::new(Pool::default()),
            returned: Condvar::new(),
            calls: RwLock::new(()),
        })
    }

    pub(crate) fn label(&self) -> &str {
        &self.config.label
    }

    /// Does `work` by a session. What fails because the sessions are gone is done once more by a new one.
    pub(crate) fn with<T>(
        &self,
        what: &'static str,
        work: impl Fn(&mut Open) -> Result<T, Error>,
    ) -> Result<T, Pkcs11Error> {
        let mut again = true;
        let _call = self.calls.read().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut open = self.take()?;
            match work(&mut open) {
                Ok(done) => {
                    self.give_back(open);
                    return Ok(done);
                }
                Err(error) if means(&error) == Means::Gone => {
                    self.drop_all(open);
                    if !again {
                        return Err(self.away(&error));
                    }
                    again = false;
                }
                Err(error) => {
                    self.give_back(open);
                    return Err(self.refused(what, &error));
                }
            }
        }
    }

    /// Whether the token can be used. Where it was away, the module is started anew: many learn of a token only then.
    pub(crate) fn status(&self) -> Result<TokenStatus, Pkcs11Error> {
        match self.asked() {
            Err(Pkcs11Error::Away { .. } | Pkcs11Error::NoToken { .. }) => {
                self.restart()?;
                self.asked()
            }
            asked => asked,
        }
    }

    fn restart(&self) -> Result<(), Pkcs11Error> {
        let alone = self.calls.write().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self.pool();
        pool.round = pool.round.wrapping_add(1);
        pool.open = 0;
        pool.idle.clear();
        drop(pool);
        // One that says it is not initialized is as good as one that was finalized.
        let _finalized = self.module.clone().finalize();
        let started = self
            .module
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        drop(alone);
        started.map_err(|error| self.away(&error))
    }

    fn asked(&self) -> Result<TokenStatus, Pkcs11Error> {
        let call = self.calls.read().unwrap_or_else(PoisonError::into_inner);
        let slot = self.slot()?;
        let info = self.module.get_token_info(slot);
        let info = info.map_err(|error| self.away(&error))?;
        drop(call);
        self.with("answer", |open| {
            // A session that is in order, of a user who is logged in: only such a one sees private keys.
            open.session.get_session_info()?;
            open.session
                .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)])
        })?;
        Ok(TokenStatus {
            label: info.label().to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
        })
    }

    /// Every session that may be open, opened.
    pub(crate) fn all_at_once(&self) -> Result<(), Pkcs11Error> {
        let _call = self.calls.read().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::with_capacity(self.config.sessions);
        let mut opened = Ok(());
        while opened.is_ok() && taken.len() < self.config.sessions {
            opened = self.take().map(|open| taken.push(open));
        }
        for open in taken {
            self.give_back(open);
        }
        opened
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Open, Pkcs11Error> {
        let is_full = |pool: &mut Pool| pool.idle.is_empty() && pool.open >= self.config.sessions;
        let waited = self.returned.wait_timeout_while(self.pool(), WAIT, is_full);
        let (mut pool, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Pkcs11Error::Busy {
                label: self.config.label.clone(),
                sessions: self.config.sessions,
            });
        }
        if let Some(open) = pool.idle.pop() {
            return Ok(open);
        }
        if let Some(refused) = &pool.refused {
            return Err(refused.clone());
        }
        // Under the lock: of several callers whose PIN is wrong, one tries it.
        let session = self.log_in().inspect_err(|error| {
            if matches!(
                error,
                Pkcs11Error::WrongPin { .. } | Pkcs11Error::LockedPin { .. } | Pkcs11Error::LastTry { .. }
            ) {
                pool.refused = Some(error.clone());
            }
        })?;
        pool.open = pool.open.saturating_add(1);
        Ok(Open {
            session,
            handles: BTreeMap::new(),
            round: pool.round,
        })
    }

    fn give_back(&self, open: Open) {
        let mut pool = self.pool();
        if open.round == pool.round {
            pool.idle.push(open);
        }
        drop(pool);
        self.returned.notify_one();
    }

    /// The token was away: whatever is open is of no use any more.
    fn drop_all(&self, open: Open) {
        let mut pool = self.pool();
        if open.round == pool.round {
            pool.round = pool.round.wrapping_add(1);
            pool.open = 0;
            pool.idle.clear();
        }
        drop(pool);
        drop(open);
        self.returned.notify_all();
    }

    fn slot(&self) -> Result<Slot, Pkcs11Error> {
        let slots = self.module.get_slots_with_initialized_token();
        let slots = slots.map_err(|error| self.away(&error))?;
        let mut present = Vec::new();
        let mut silent = None;
        for slot in slots {
            let info = match self.module.get_token_info(slot) {
                Ok(info) => info,
                Err(error) => {
                    silent = Some(error);
                    continue;
                }
            };
            if info.label() == self.config.label {
                return Ok(slot);
            }
            present.push(format!("{:?}", info.label()));
        }
        if let Some(error) = silent {
            return Err(self.away(&error));
        }
        let present = if present.is_empty() {
            "there is none at all".to_owned()
        } else {
            format!("there are {}", present.join(", "))
        };
        Err(Pkcs11Error::NoToken {
            label: self.config.label.clone(),
            present,
        })
    }

    fn log_in(&self) -> Result<Session, Pkcs11Error> {
        let slot = self.slot()?;
        let label = || self.config.label.clone();
        let info = self.module.get_token_info(slot);
        let info = info.map_err(|error| self.away(&error))?;
        match PinState::of(&info) {
            PinState::Locked => return Err(Pkcs11Error::LockedPin { label: label() }),
            PinState::LastTry => return Err(Pkcs11Error::LastTry { label: label() }),
            PinState::Unset | PinState::WrongTried | PinState::Good => {}
        }
        let session = self.module.open_rw_session(slot);
        let session = session.map_err(|error| {
            if matches!(error, Error::Pkcs11(RvError::SessionCount, _)) {
                Pkcs11Error::NoSession { label: label() }
            } else {
                self.away(&error)
            }
        })?;
        let pin = AuthPin::from(self.pin.0.as_str());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid | RvError::PinExpired,
                _,
            )) => Err(Pkcs11Error::WrongPin { label: label() }),
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(Pkcs11Error::LockedPin { label: label() }),
            Err(Error::Pkcs11(RvError::UserPinNotInitialized, _)) => {
                Err(Pkcs11Error::NoPin { label: label() })
            }
            Err(error) => Err(self.refused("let its user in", &error)),
        }
    }

    fn away(&self, error: &Error) -> Pkcs11Error {
        Pkcs11Error::Away {
            label: self.config.label.clone(),
            code: code(error),
        }
    }

    fn refused(&self, what: &'static str, error: &Error) -> Pkcs11Error {
        Pkcs11Error::Refused {
            label: self.config.label.clone(),
            what,
            code: code(error),
        }
    }
}

pub(crate) fn unusable(module: &Path, error: &Error) -> Pkcs11Error {
    Pkcs11Error::Module {
        path: module.to_owned(),
        reason: reason(error),
    }
}
