use crate::GrantStoreError;
use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, unix_seconds};
use sealstone_login::Sid;
use sealstone_oauth_types::{ClientId, TokenId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long whoever took a notice has to send it before another may: longer than any receiver is waited for.
pub const NOTICE_LEASE: Duration = Duration::from_secs(30);

/// How many notices wait at once in all: some 10 MB. Beyond it new ones are dropped, and counted.
pub const MAX_NOTICES: u64 = 20_000;

/// How long the first failure waits; each further one waits twice as long.
const FIRST_RETRY_S: u64 = 15;

/// How many times a notice is sent at most: 15 s doubled six times is a quarter of an hour, within which a receiver that
/// is restarted is back.
const MAX_TRIES: u32 = 7;

/// A client that is to be told that a session has ended (OpenID Connect Back-Channel Logout §2.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where notices are made"
)]
pub struct LogoutNotice {
    /// Which notice: the `jti` of its logout token, the same at each try.
    pub id: TokenId,
    /// The domain, whose key signs the logout token.
    pub domain: DomainId,
    /// The client. Where it wants to be told is asked of its registration at each try.
    pub client_id: ClientId,
    /// The `sub` that this client knows the person by.
    pub subject: String,
    /// The session.
    pub sid: Sid,
    /// When the session ended.
    #[serde(with = "unix_seconds")]
    pub created_at: UnixTime,
    /// From when it may be sent.
    #[serde(with = "unix_seconds")]
    pub due_at: UnixTime,
    /// How many times it was sent in vain.
    pub tries: u32,
}

impl LogoutNotice {
    /// The notice after one more try in vain; `None` if it was the last one.
    #[must_use]
    pub fn after_failure(mut self, now: UnixTime) -> Option<Self> {
        let wait = FIRST_RETRY_S.saturating_mul(1_u64.checked_shl(self.tries).unwrap_or(u64::MAX));
        self.tries = self.tries.saturating_add(1);
        self.due_at = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().saturating_add(wait)));
        (self.tries < MAX_TRIES).then_some(self)
    }
}

/// Keeps notices until they are sent.
///
/// # Security
/// A notice that is lost leaves a person signed in at a client after signing out: it is durable when the person is told
/// that they are signed out. One that is sent twice does no harm.
#[async_trait]
pub trait LogoutStore: Send + Sync {
    /// Keeps notices. Returns how many found no room, beyond [`MAX_NOTICES`].
    ///
    /// # Errors
    /// [`GrantStoreError`] when they are not known to be kept.
    async fn insert_notices(&self, notices: &[LogoutNotice]) -> Result<u64, GrantStoreError>;

    /// Takes at most `limit` notices that are due at `now`, the oldest first. They are due again after
    /// [`NOTICE_LEASE`], so that those of a server that died are sent by the next one.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn take_due(&self, now: UnixTime, limit: usize) -> Result<Vec<LogoutNotice>, GrantStoreError>;

    /// Forgets a notice: it was sent, or is given up.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known to be gone.
    async fn remove_notice(&self, id: &TokenId) -> Result<(), GrantStoreError>;

    /// Keeps a notice of [`LogoutNotice::after_failure`] in place of what it was. One that is gone stays gone.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known to be kept.
    async fn postpone_notice(&self, notice: &LogoutNotice) -> Result<(), GrantStoreError>;

    /// When the next notice is due.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn next_due(&self) -> Result<Option<UnixTime>, GrantStoreError>;
}
