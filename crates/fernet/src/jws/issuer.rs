#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_jose::{KeyId, base64url};

use super::{JwsAlgorithm, JwsPrivateKey, JwsPublicKey, wire};
#[cfg(unix)]
use crate::RepositoryError;
use crate::limits::MAX_JWS_TOKEN;
use crate::{AuditId, IssueError, TokenClaims, TokenSubject};

/// Signs tokens that Keystone takes for its own, because it holds our public key in its JWS key repository.
///
/// # Security
/// Whoever holds the key can act as any user of that Keystone. The key belongs in a file of its own, which only this
/// process reads, and signs nothing else: a token of another kind under this key would be a Keystone token.
pub struct JwsTokenIssuer {
    key: JwsPrivateKey,
    /// The header in base64url, with its dot.
    header: String,
    backdate: Duration,
}

impl JwsTokenIssuer {
    /// How far [`JwsTokenIssuer::mint`] dates tokens back unless told otherwise.
    ///
    /// Keystone compares `iat` with its own clock, without leeway, and fails on a token "of the future" so hard that
    /// the connection breaks. Clocks that NTP keeps differ by milliseconds, which one second covers.
    pub const DEFAULT_BACKDATE: Duration = Duration::from_secs(1);

    /// The farthest that tokens may be dated back. A revocation event ends all tokens issued until then, so a token
    /// minted just after the event, and dated back before it, is born dead: the span is the time for which that lasts.
    pub const MAX_BACKDATE: Duration = Duration::from_secs(30);

    /// Signs with `key`, under the header that Keystone itself writes: `alg` and `typ`.
    #[must_use]
    pub fn new(key: JwsPrivateKey) -> Self {
        let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, key.algorithm());
        Self {
            header: encoded(&header),
            key,
            backdate: Self::DEFAULT_BACKDATE,
        }
    }

    /// Signs with the key in a file: PKCS#8 in PEM, readable by its owner alone.
    ///
    /// # Errors
    /// As [`JwsPrivateKey::from_file`].
    #[cfg(unix)]
    pub fn from_file(algorithm: JwsAlgorithm, path: &Path) -> Result<Self, RepositoryError> {
        JwsPrivateKey::from_file(algorithm, path).map(Self::new)
    }

    /// Names the key in the header. Keystone takes such a token, and looks for the key no other way.
    #[must_use]
    pub fn with_key_id(mut self, key_id: &KeyId) -> Self {
        let algorithm = self.key.algorithm();
        self.header = encoded(&format!(
            r#"{{"alg":"{algorithm}","kid":"{key_id}","typ":"JWT"}}"#
        ));
        self
    }

    /// Dates tokens back by `backdate`, in whole seconds.
    ///
    /// # Errors
    /// [`IssueError::Backdate`] above [`JwsTokenIssuer::MAX_BACKDATE`].
    pub fn with_backdate(mut self, backdate: Duration) -> Result<Self, IssueError> {
        if backdate > Self::MAX_BACKDATE {
            return Err(IssueError::Backdate);
        }
        self.backdate = backdate;
        Ok(self)
    }

    /// The algorithm of every token, which must be among Keystone's `jws_accepted_algorithms`.
    #[must_use]
    pub const fn algorithm(&self) -> JwsAlgorithm {
        self.key.algorithm()
    }

    /// The key that Keystone must hold.
    #[must_use]
    pub const fn public_key(&self) -> &JwsPublicKey {
        self.key.public_key()
    }

    /// Makes a new token.
    ///
    /// `audit_id` is 16 random octets. The token is valid until `expires_at`, and says that it was issued at `now`
    /// less the time that tokens are dated back.
    ///
    /// The caller ends it no later than the application credential or trust that it names: Keystone shortens only
    /// the tokens that it issues itself, and finds a credential that ended in between at validation.
    ///
    /// # Errors
    /// [`IssueError::Lifetime`] if `expires_at` is not after `now`; the others as [`JwsTokenIssuer::sign`].
    pub fn mint(
        &self,
        subject: &TokenSubject,
        audit_id: AuditId,
        now: UnixTime,
        expires_at: UnixTime,
    ) -> Result<MintedToken, IssueError> {
        if expires_at <= now {
            return Err(IssueError::Lifetime);
        }
        let issued_at = now.as_secs().saturating_sub(self.backdate.as_secs());
        let claims = TokenClaims {
            subject: subject.clone(),
            audit_ids: audit_id.into(),
            issued_at: UnixTime::since_unix_epoch(Duration::from_secs(issued_at)),
            expires_at,
        };
        let text = self.sign(&claims)?;
        Ok(MintedToken { text, claims })
    }

    /// Signs `claims` as they are: for a token that exists in another form already.
    ///
    /// # Errors
    /// [`IssueError::Claim`] for claims that a reader would refuse; [`IssueError::TooLong`];
    /// [`IssueError::Backend`] if the cryptographic library fails.
    pub fn sign(&self, claims: &TokenClaims) -> Result<String, IssueError> {
        claims.check().map_err(IssueError::Claim)?;
        let mut json = Vec::with_capacity(512);
        wire::write(claims, &mut json).map_err(|_error| IssueError::Backend)?;
        let mut token = String::with_capacity(json.len().saturating_mul(2));
        token.push_str(&self.header);
        base64url::encode_to(&json, &mut token);
        json.clear();
        self.key
            .sign(token.as_bytes(), &mut json)
            .map_err(|_error| IssueError::Backend)?;
        token.push('.');
        base64url::encode_to(&json, &mut token);
        if token.len() > MAX_JWS_TOKEN {
            return Err(IssueError::TooLong { limit: MAX_JWS_TOKEN });
        }
        Ok(token)
    }
}

impl std::fmt::Debug for JwsTokenIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwsTokenIssuer")
            .field("key", &self.key)
            .field("backdate", &self.backdate)
            .finish_non_exhaustive()
    }
}

fn encoded(header: &str) -> String {
    let mut text = base64url::encode(header);
    text.push('.');
    text
}

/// A new token and what it says. `Debug` shows the claims alone.
#[derive(Clone)]
pub struct MintedToken {
    text: String,
    claims: TokenClaims,
}

impl MintedToken {
    /// The token, for `X-Auth-Token`. Whoever reads it can use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &TokenClaims {
        &self.claims
    }
}

impl std::fmt::Debug for MintedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MintedToken")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
