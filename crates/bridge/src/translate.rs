//! One token in the other form: a function without I/O.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    DecodeError, FernetTokens, IssueError, JwsTokenIssuer, JwsTokenReader, ReadAt, TokenClaims,
};

use crate::limits::MAX_CLOCK_SKEW;

/// The two kinds of tokens that a Keystone issues and takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "Keystone has these two, and callers handle both"
)]
pub enum TokenForm {
    /// Symmetric.
    Fernet,
    /// Asymmetric.
    Jws,
}

impl TokenForm {
    /// What a text has the look of, before anything is proved.
    ///
    /// A JWS token has two dots and begins with a JSON object in base64url; a Fernet token has none, and begins with
    /// its version and the first octets of a time before the year 10889. Everything else is neither, and never touched.
    #[must_use]
    pub fn of(token: &str) -> Option<Self> {
        if token.starts_with("gAAA") && !token.contains('.') {
            Some(Self::Fernet)
        } else if token.starts_with("ey") && token.bytes().filter(|&octet| octet == b'.').count() == 2 {
            Some(Self::Jws)
        } else {
            None
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Fernet => Self::Jws,
            Self::Jws => Self::Fernet,
        }
    }

    /// As `[token] provider` has it: `fernet`, `jws`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fernet => "fernet",
            Self::Jws => "jws",
        }
    }
}

impl std::fmt::Display for TokenForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for TokenForm {
    type Err = InvalidForm;

    fn from_str(text: &str) -> Result<Self, InvalidForm> {
        match text {
            "fernet" => Ok(Self::Fernet),
            "jws" => Ok(Self::Jws),
            _ => Err(InvalidForm),
        }
    }
}

/// Neither `fernet` nor `jws`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a Keystone issues `fernet` or `jws` tokens")]
#[non_exhaustive]
pub struct InvalidForm;

/// Reads tokens of one form and writes them in the other, both as one pool of Keystones does.
///
/// It reads no clock and keeps nothing; the same claims come out as went in:
///
/// - user, methods, scope, trust, federation, access token, application credential, thumbprint, audit ids and end are
///   the same, so that Keystone's revocation events, its look at the user and its own limits meet the token as they met
///   it before;
/// - a time of issue ahead of `now` by up to 60 s (nodes whose clocks differ) becomes `now`: a JWS Keystone would break
///   the connection on it, and an earlier time can only make a revocation event end the token sooner;
/// - what cannot be said in the other form is refused, never left out. One exception is Keystone's own: Fernet has no
///   place for the method `oauth2_credential`, and a token with that method alone says none there.
///
/// # Security
/// Whoever holds it can make tokens for any user: it holds the pool's Fernet keys and a private key that the pool's JWS
/// nodes trust. It makes none but from a token that a key of the pool proves.
#[derive(Debug)]
pub struct Translator {
    fernet: FernetTokens,
    reader: JwsTokenReader,
    issuer: JwsTokenIssuer,
    expired_window: Duration,
}

/// A token in its other form. `Debug` shows no token.
#[derive(Clone)]
#[non_exhaustive]
pub struct Translated {
    text: String,
    /// The first second at which it would not be translated any more: its end, and the window after it.
    pub usable_until: UnixTime,
    /// Whether it would come out so at another time: not, where its time of issue was brought back.
    pub is_stable: bool,
}

impl Translated {
    /// The token. Whoever reads it can use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl std::fmt::Debug for Translated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Translated")
            .field("usable_until", &self.usable_until)
            .finish_non_exhaustive()
    }
}

/// Why a translator would be of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TranslatorError {
    /// Its tokens would be refused everywhere.
    #[error(
        "the public half of the private key that signs is not in the public repository, or its algorithm is not \
         accepted: every JWS node would refuse what is signed with it; publish it on every node first"
    )]
    NotPublished,
}

/// Why a token is not translated. It holds no part of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not proved, not well formed, or past its end and the window after it.
    #[error("{0}")]
    Unproved(#[from] DecodeError),
    /// The other form has no place for what it says.
    #[error("cannot be said in the other form: {0}")]
    Unspeakable(#[from] IssueError),
    /// A method that the Fernet tokens of this pool have no bit for would be left out.
    #[error("a method beyond `[auth] methods` would be left out: compare that option on all nodes")]
    Method,
}

impl Refusal {
    /// A name for logs and metrics that stays when the message changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unproved(error) => error.code(),
            Self::Unspeakable(_) => "bridge.unspeakable",
            Self::Method => "bridge.method",
        }
    }
}

impl Translator {
    /// With a pool's Fernet keys and options, the public keys of its JWS nodes, and a private key that those trust.
    ///
    /// `expired_window` is `[token] allow_expired_window`: for that long after its end a token is translated still, with
    /// its end as it is, since Keystone takes it from services that finish what a user began.
    ///
    /// # Errors
    /// [`TranslatorError::NotPublished`] if `reader` would not take what `issuer` signs.
    pub fn new(
        fernet: FernetTokens,
        reader: JwsTokenReader,
        issuer: JwsTokenIssuer,
        expired_window: Duration,
    ) -> Result<Self, TranslatorError> {
        if !reader.trusts(issuer.public_key()) {
            return Err(TranslatorError::NotPublished);
        }
        Ok(Self {
            fernet,
            reader,
            issuer,
            expired_window,
        })
    }

    /// Reads a token, and writes it in the form `target`; `None` if it does not have the look of the other form.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn translate(
        &self,
        token: &str,
        target: TokenForm,
        now: UnixTime,
    ) -> Result<Option<Translated>, Refusal> {
        if TokenForm::of(token) != Some(target.other()) {
            return Ok(None);
        }
        match target {
            TokenForm::Jws => self.to_jws(token, now),
            TokenForm::Fernet => self.to_fernet(token, now),
        }
        .map(Some)
    }

    fn to_jws(&self, token: &str, now: UnixTime) -> Result<Translated, Refusal> {
        let at = ReadAt {
            now,
            expired_window: self.expired_window,
        };
        let mut claims = self.fernet.read(token, at)?.claims;
        let is_stable = settle(&mut claims, now);
        let text = self.issuer.sign(&claims)?;
        Ok(self.done(text, &claims, is_stable))
    }

    fn to_fernet(&self, token: &str, now: UnixTime) -> Result<Translated, Refusal> {
        // Fernet's reader forgives clocks that differ, JWS's does not: both are read alike here, and the end is judged
        // at `now` all the same.
        let at = ReadAt {
            now: UnixTime::since_unix_epoch(Duration::from_secs(
                now.as_secs().saturating_add(MAX_CLOCK_SKEW.as_secs()),
            )),
            expired_window: self.expired_window.saturating_add(MAX_CLOCK_SKEW),
        };
        let mut claims = self.reader.read(token, at)?;
        let is_stable = settle(&mut claims, now);
        let lone = claims.subject.methods == ["oauth2_credential"];
        if !lone && !self.fernet.names_all(&claims.subject.methods) {
            return Err(Refusal::Method);
        }
        let text = self.fernet.issue_derived(&claims)?;
        Ok(self.done(text, &claims, is_stable))
    }

    fn done(&self, text: String, claims: &TokenClaims, is_stable: bool) -> Translated {
        let end = claims.expires_at.as_secs();
        Translated {
            text,
            usable_until: UnixTime::since_unix_epoch(Duration::from_secs(
                end.saturating_add(self.expired_window.as_secs()),
            )),
            is_stable,
        }
    }
}

/// Brings a time of issue ahead of `now` back to it. Whether there was nothing to bring back.
fn settle(claims: &mut TokenClaims, now: UnixTime) -> bool {
    let is_ahead = claims.issued_at > now;
    claims.issued_at = claims.issued_at.min(now);
    !is_ahead
}
