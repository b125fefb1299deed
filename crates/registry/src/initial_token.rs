//! Initial access tokens (RFC 7591 §3), registration access tokens (RFC 7592 §3), and how both are kept.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, TokenHash};

use crate::{
    client::Client,
    store::{Insertion, Removal, StoreError},
};

/// The longest life of an initial access token, 90 days: a token that outlives the project it was made for is nobody's.
pub const MAX_INITIAL_TOKEN_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// The shortest, a minute: below it, nobody has pasted it in time.
pub const MIN_INITIAL_TOKEN_LIFETIME: Duration = Duration::from_secs(60);
/// The most clients that one initial access token may register: a rollout; who needs more makes another.
pub const MAX_INITIAL_TOKEN_USES: u32 = 1_000;
/// The most initial access tokens of a domain at a time: all of them fit on one page.
pub const MAX_INITIAL_TOKENS: usize = 500;

/// The public name of an initial access token, by which it is listed and taken back: 16 hexadecimal digits. It proves
/// nothing.
///
/// # Examples
/// ```
/// # use sealstone_registry::InitialTokenId;
/// let id = InitialTokenId::from_random([7; 8]);
/// assert_eq!(InitialTokenId::parse("0707070707070707"), Some(id));
/// assert_eq!(InitialTokenId::parse("../x"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InitialTokenId(String);

impl InitialTokenId {
    /// The name of these random octets.
    #[must_use]
    pub fn from_random(octets: [u8; 8]) -> Self {
        Self(octets.iter().map(|octet| format!("{octet:02x}")).collect())
    }

    /// Parses a name; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_name.then(|| Self(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InitialTokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What lets somebody register clients in a domain: a number of them, until a date. Kept by the hash of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored row: a new member is a migration"
)]
pub struct InitialToken {
    /// Its public name.
    pub id: InitialTokenId,
    /// The domain that it registers clients in.
    pub domain: DomainId,
    /// What is kept of the token itself.
    pub hash: TokenHash,
    /// When it was made.
    pub created_at: UnixTime,
    /// From when it registers nothing.
    pub expires_at: UnixTime,
    /// How many clients it may still register.
    pub uses_left: u32,
}

impl InitialToken {
    /// Whether it registers clients of this domain now.
    #[must_use]
    pub fn is_good(&self, domain: &DomainId, now: UnixTime) -> bool {
        self.domain == *domain && self.uses_left > 0 && now.as_secs() < self.expires_at.as_secs()
    }
}

/// What became of a registration by an initial access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Registered {
    /// The client is stored, durably, and the token has one use less.
    Registered,
    /// The token has ended, is used up or was taken back since it was looked at; nothing changed.
    TokenSpent,
    /// The id is taken; nothing changed.
    Exists,
    /// The client's domain does not exist; nothing changed.
    UnknownDomain,
}

/// Where initial and registration access tokens are kept.
///
/// # Security
/// As for [`ClientStore`](crate::ClientStore), and: `register` spends one use and stores the client in one step, so
/// that racing registrations never make more clients than the token allows. A registration access token ends with its
/// client: one that outlives it would be the key to whoever is registered under its id next.
#[async_trait]
pub trait RegistrationStore: Send + Sync {
    /// Stores a new initial access token. [`Insertion::Exists`] when the domain has [`MAX_INITIAL_TOKENS`] already.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known to be stored.
    async fn insert_initial_token(&self, token: &InitialToken) -> Result<Insertion, StoreError>;

    /// The initial access token with this hash, good or not.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn initial_token(&self, hash: &TokenHash) -> Result<Option<InitialToken>, StoreError>;

    /// Those of a domain, ordered by name.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn initial_tokens(&self, domain: &DomainId) -> Result<Vec<InitialToken>, StoreError>;

    /// Takes one of this domain back. Clients that it registered stay.
    ///
    /// # Errors
    /// [`StoreError`] when the outcome is not known.
    async fn remove_initial_token(
        &self,
        domain: &DomainId,
        id: &InitialTokenId,
    ) -> Result<Removal, StoreError>;

    /// Stores a new client with the hash of its registration access token, and spends one use of the initial access
    /// token with the hash `spent`, if that is good for the client's domain at `now`: all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the outcome is not known.
    async fn register(
        &self,
        client: Client,
        registration_token: &TokenHash,
        spent: &TokenHash,
        now: UnixTime,
    ) -> Result<Registered, StoreError>;

    /// The hash of a client's registration access token; `None` for one that an administrator registered.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn registration_token(&self, client: &ClientId) -> Result<Option<TokenHash>, StoreError>;

    /// Forgets initial access tokens that have ended at `now` or are used up; returns how many.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be written.
    async fn purge_initial_tokens(&self, now: UnixTime) -> Result<u64, StoreError>;
}
