//! Tokens made here, which Keystone takes for its own.

use std::{fmt, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_fernet::{AuditId, InvalidId, IssueError, JwsTokenIssuer, KeystoneId, Scope, TokenSubject};
use sealstone_identity::{ApplicationCredentialId, ProjectId, UserId};

use crate::{BadToken, Token, moment};

/// Long enough for one lookup at a slow Keystone; the token is used for nothing else.
const LOOKUP_LIFETIME: Duration = Duration::from_secs(120);

type Entropy = dyn Fn(&mut [u8; 16]) -> Result<(), EntropyFailed> + Send + Sync;

/// The source of random octets failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random octets")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to tell")]
pub struct EntropyFailed;

/// Makes JWS tokens that Keystone takes, because its repository holds the public key.
///
/// # Security
/// Whoever has the key, or may call this, acts as any user of that Keystone. What a minted token says is a request:
/// Keystone itself judges user, project, roles and credential whenever the token is used.
pub struct TokenMint {
    issuer: JwsTokenIssuer,
    lifetime: Duration,
    entropy: Box<Entropy>,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// An identifier that Keystone's tokens cannot carry.
    #[error("an identifier does not fit a token")]
    Identifier(#[from] InvalidId),
    /// The issuer refuses, or failed.
    #[error("the token cannot be signed")]
    Issue(#[from] IssueError),
    /// There are no random octets.
    #[error("the token cannot be named")]
    Entropy(#[from] EntropyFailed),
    /// The token does not fit a header.
    #[error("the token does not fit a header")]
    Token(#[from] BadToken),
}

/// For whom a token is made.
pub(crate) enum Minted<'a> {
    Credential {
        id: &'a ApplicationCredentialId,
        user_id: &'a UserId,
        project_id: &'a ProjectId,
    },
    User {
        user_id: &'a UserId,
        project_id: &'a ProjectId,
    },
    /// The user in no project: for looking at the user's own records.
    Unscoped { user_id: &'a UserId },
}

impl TokenMint {
    /// Makes tokens that live for `lifetime`; `entropy` fills 16 octets with randomness from the machine's source.
    pub fn new(
        issuer: JwsTokenIssuer,
        lifetime: Duration,
        entropy: impl Fn(&mut [u8; 16]) -> Result<(), EntropyFailed> + Send + Sync + 'static,
    ) -> Self {
        Self {
            issuer,
            lifetime,
            entropy: Box::new(entropy),
        }
    }

    /// A token to hand out, with its end: after the configured lifetime, and at `latest` if that comes first.
    pub(crate) fn token(
        &self,
        minted: &Minted<'_>,
        bound_to: Option<&str>,
        now: UnixTime,
        latest: Option<UnixTime>,
    ) -> Result<(Token, UnixTime), MintError> {
        let left = latest.and_then(|latest| moment::since(now, latest));
        let lifetime = left.map_or(self.lifetime, |left| left.min(self.lifetime));
        self.mint(minted, bound_to, now, lifetime)
    }

    /// A token to ask Keystone with.
    pub(crate) fn lookup(&self, minted: &Minted<'_>, now: UnixTime) -> Result<Token, MintError> {
        let lifetime = LOOKUP_LIFETIME.min(self.lifetime);
        self.mint(minted, None, now, lifetime).map(|(token, _end)| token)
    }

    fn mint(
        &self,
        minted: &Minted<'_>,
        bound_to: Option<&str>,
        now: UnixTime,
        lifetime: Duration,
    ) -> Result<(Token, UnixTime), MintError> {
        let subject = match *minted {
            Minted::Credential {
                id,
                user_id,
                project_id,
            } => TokenSubject::application_credential(
                KeystoneId::parse(id.as_str())?,
                KeystoneId::parse(user_id.as_str())?,
                KeystoneId::parse(project_id.as_str())?,
            ),
            // Keystone lets nobody exchange a token of this method for another, or make credentials with it.
            Minted::User { user_id, project_id } => TokenSubject::new(
                KeystoneId::parse(user_id.as_str())?,
                &["oauth2_credential"],
                Scope::Project(KeystoneId::parse(project_id.as_str())?),
            ),
            Minted::Unscoped { user_id } => TokenSubject::new(
                KeystoneId::parse(user_id.as_str())?,
                &["oauth2_credential"],
                Scope::Unscoped,
            ),
        };
        let subject = match bound_to {
            Some(thumbprint) => subject.bound_to(thumbprint),
            None => subject,
        };
        let mut octets = [0; 16];
        (self.entropy)(&mut octets)?;
        let end = moment::after(now, lifetime);
        let minted = self.issuer.mint(&subject, AuditId::new(octets), now, end)?;
        Ok((Token::parse(minted.expose())?, end))
    }
}

impl fmt::Debug for TokenMint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenMint")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
