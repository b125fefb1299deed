//! "Give me a token that is good": from the cache, by refreshing, or by logging in; once for all processes.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::{
    KeystoneToken, TokenSet,
    cache::{CacheEntry, CacheError, CacheSlot, TokenCache},
    lock::CacheLock,
};

/// Something that a [`TokenCache`] keeps.
pub trait Kept: Sized {
    /// As one line of text. It holds the tokens.
    fn to_payload(&self) -> Zeroizing<String>;
    /// The same back; `None` for what is none.
    fn from_payload(payload: &str) -> Option<Self>;
    /// When it ends; `None` for what does not end, or nobody knows when.
    fn expires_at(&self) -> Option<UnixTime>;

    /// Whether it lasts for `span` yet. What has no known end is asked for anew each time, unless this says otherwise.
    fn lasts(&self, now: UnixTime, span: Duration) -> bool {
        let until = now.as_secs().saturating_add(span.as_secs());
        self.expires_at().is_some_and(|end| end.as_secs() > until)
    }
}

impl Kept for TokenSet {
    fn to_payload(&self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8_lossy(&self.to_record()).into_owned())
    }

    fn from_payload(payload: &str) -> Option<Self> {
        Self::from_record(payload.as_bytes()).ok()
    }

    fn expires_at(&self) -> Option<UnixTime> {
        Self::expires_at(self)
    }
}

impl Kept for KeystoneToken {
    fn to_payload(&self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8_lossy(&self.to_record()).into_owned())
    }

    fn from_payload(payload: &str) -> Option<Self> {
        Self::from_record(payload.as_bytes()).ok()
    }

    fn expires_at(&self) -> Option<UnixTime> {
        Some(Self::expires_at(self))
    }
}

/// How a token was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these three ways")]
pub enum Origin {
    /// It was there.
    Cache,
    /// A refresh token gave it.
    Refreshed,
    /// Somebody logged in.
    LoggedIn,
}

/// A token that is good now.
#[derive(Debug)]
#[non_exhaustive]
pub struct Current<T> {
    /// The token, with what came with it.
    pub value: T,
    /// How it was come by.
    pub origin: Origin,
    /// Why it was not kept, if it was not.
    pub not_kept: Option<CacheError>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError<E> {
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Refreshing or logging in failed.
    #[error(transparent)]
    Login(E),
    /// The wait for another process was broken off.
    #[error("the wait for another process was broken off: try again")]
    Interrupted,
}

/// One login of a [`TokenCache`], or one that is kept nowhere.
#[derive(Debug, Clone)]
pub struct Account {
    cache: Option<TokenCache>,
    slot: CacheSlot,
    margin: Duration,
    renew: bool,
}

/// Is told which process is waited for.
pub type Waiting = fn(&str);

impl Account {
    /// The login of this slot; without a cache, one that is kept nowhere. A token must last for a minute yet.
    #[must_use]
    pub const fn new(cache: Option<TokenCache>, slot: CacheSlot) -> Self {
        Self {
            cache,
            slot,
            margin: Duration::from_secs(60),
            renew: false,
        }
    }

    /// How long a token must last yet to be given out.
    #[must_use]
    pub const fn with_margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// Whether what is kept is passed over, as one does after a 401: it is refreshed, or there is a new login.
    #[must_use]
    pub const fn renewing(mut self, renew: bool) -> Self {
        self.renew = renew;
        self
    }

    /// Whose it is.
    #[must_use]
    pub const fn slot(&self) -> &CacheSlot {
        &self.slot
    }

    /// What is kept and lasts; nobody is asked, nothing is locked.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn cached<T: Kept>(&self, now: UnixTime) -> Result<Option<T>, CacheError> {
        if self.renew {
            return Ok(None);
        }
        let kept: Option<T> = self.kept()?;
        Ok(kept.filter(|kept| kept.lasts(now, self.margin)))
    }

    /// What is kept, whether it lasts or not.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn kept<T: Kept>(&self) -> Result<Option<T>, CacheError> {
        let Some(cache) = &self.cache else {
            return Ok(None);
        };
        Ok(cache
            .read(&self.slot)?
            .and_then(|entry| T::from_payload(&entry.payload)))
    }

    /// A token that is good: what is kept, else by `refresh` of what is kept, else by `login`. Only one process of all
    /// that share the cache refreshes or logs in; the others wait, and take what it got.
    ///
    /// `refresh` gives `None` for a login that stands no longer; an error of its own ends this, and keeps what is kept.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn token<T: Kept, E: std::fmt::Display>(
        &self,
        now: impl Fn() -> UnixTime,
        refresh: impl AsyncFnOnce(T) -> Result<Option<T>, E>,
        login: impl AsyncFnOnce() -> Result<T, E>,
        waiting: Waiting,
    ) -> Result<Current<T>, AccountError<E>> {
        if let Some(value) = self.cached(now())? {
            return Ok(Current {
                value,
                origin: Origin::Cache,
                not_kept: None,
            });
        }
        let Some(cache) = &self.cache else {
            let value = login().await.map_err(AccountError::Login)?;
            return Ok(Current {
                value,
                origin: Origin::LoggedIn,
                not_kept: None,
            });
        };
        let before = self.kept::<T>()?.map(|kept| kept.to_payload());
        let lock = lock(cache, &self.slot, waiting).await?;
        let kept = lock.read()?.and_then(|entry| T::from_payload(&entry.payload));
        // While this one waited, another may have done the work.
        let is_new = |kept: &T| before.as_ref() != Some(&kept.to_payload());
        if let Some(kept) = &kept
            && kept.lasts(now(), self.margin)
            && (!self.renew || lock.was_waited_for() && is_new(kept))
            && let Some(value) = T::from_payload(&kept.to_payload())
        {
            return Ok(Current {
                value,
                origin: Origin::Cache,
                not_kept: None,
            });
        }
        let got = match kept {
            Some(kept) => match refresh(kept).await {
                Ok(Some(value)) => Ok((value, Origin::Refreshed)),
                Ok(None) => login().await.map(|value| (value, Origin::LoggedIn)),
                Err(error) => Err(error),
            },
            None => login().await.map(|value| (value, Origin::LoggedIn)),
        };
        match got {
            Ok((value, origin)) => {
                let entry = CacheEntry::new(value.to_payload(), value.expires_at());
                let not_kept = lock.replace(&entry).err();
                if not_kept.is_some() {
                    // What lies there may be used up: it must not be tried again.
                    let _nothing_more_to_do = lock.remove();
                }
                Ok(Current {
                    value,
                    origin,
                    not_kept,
                })
            }
            Err(error) => {
                lock.fail(&error.to_string());
                Err(AccountError::Login(error))
            }
        }
    }

    /// Forgets what is kept; whether there was something.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn forget(&self, waiting: Waiting) -> Result<bool, CacheError> {
        let Some(cache) = &self.cache else {
            return Ok(false);
        };
        match lock::<std::convert::Infallible>(cache, &self.slot, waiting).await {
            Ok(lock) => lock.remove(),
            Err(AccountError::Cache(error)) => Err(error),
            Err(AccountError::Login(never)) => match never {},
            Err(AccountError::Interrupted) => Ok(false),
        }
    }
}

/// The lock, waited for beside the runtime's work.
async fn lock<E>(cache: &TokenCache, slot: &CacheSlot, waiting: Waiting) -> Result<CacheLock, AccountError<E>>
where
    AccountError<E>: From<CacheError>,
{
    if let Some(lock) = cache.try_lock(slot)? {
        return Ok(lock);
    }
    let (cache, slot) = (cache.clone(), slot.clone());
    let waited = tokio::task::spawn_blocking(move || cache.lock(&slot, waiting)).await;
    Ok(waited.map_err(|_panicked| AccountError::Interrupted)??)
}

#[cfg(test)]
mod tests;
