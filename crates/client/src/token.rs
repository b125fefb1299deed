use std::{fmt, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_jose::{base64url, json};
use sealstone_oauth_types::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

/// What a record says of its form; another form is not read.
const RECORD_VERSION: u32 = 1;

/// Who logged in, by the ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Person {
    /// `sub`: who it is, at this issuer, for ever.
    pub subject: String,
    /// A name to show: `preferred_username`, else `email`, else `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a login or a machine's request gave: an access token, and what came with it.
///
/// `Debug` shows no token. To keep it, there is an explicit record ([`TokenSet::to_record`]).
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSet {
    pub(crate) access_token: Secret,
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    pub(crate) scope: Option<String>,
    pub(crate) person: Option<Person>,
    pub(crate) shown: Option<String>,
}

/// A record that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no record of a login: remove it, and log in again")]
pub struct RecordError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<S> {
    version: u32,
    access_token: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<Person>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
}

impl TokenSet {
    /// The access token; its type is `Bearer` (RFC 6750).
    #[must_use]
    pub const fn access_token(&self) -> &Secret {
        &self.access_token
    }

    /// When the access token ends, by our clock at its coming; `None` if the provider did not say.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// Whether it lasts for this long yet. One whose end is not known does not.
    #[must_use]
    pub fn lasts(&self, now: UnixTime, span: Duration) -> bool {
        let until = now.as_secs().saturating_add(span.as_secs());
        self.expires_at.is_some_and(|end| end.as_secs() > until)
    }

    /// What gives the next access token.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// What the provider said of the login, as it came. It was verified.
    #[must_use]
    pub const fn id_token(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    /// What was granted, where the provider says so, else what was asked.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Who logged in, if an ID token came.
    #[must_use]
    pub const fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// The thumbprint of the certificate that was shown for it, bound or not: a refresh needs it again.
    #[must_use]
    pub fn shown(&self) -> Option<&str> {
        self.shown.as_deref()
    }

    /// The thumbprint of the certificate that the access token is bound to (`x5t#S256`), as far as the token tells:
    /// an opaque one tells nothing.
    #[must_use]
    pub fn bound_to(&self) -> Option<String> {
        let payload = self.access_token.expose().split('.').nth(1)?;
        let payload = Zeroizing::new(base64url::decode(payload).ok()?);
        let claims: Value = json::from_slice(&payload).ok()?;
        claims.pointer("/cnf/x5t#S256")?.as_str().map(str::to_owned)
    }

    /// The whole set as JSON, to be kept by the caller and read by [`TokenSet::from_record`].
    ///
    /// # Security
    /// It holds the tokens: into a file of mode 0600, encrypted where there is a keyring.
    #[must_use]
    pub fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let record = Record {
            version: RECORD_VERSION,
            access_token: self.access_token.expose(),
            expires_at: self.expires_at.map(|end| end.as_secs()),
            refresh_token: self.refresh_token.as_ref().map(Secret::expose),
            id_token: self.id_token.as_ref().map(Secret::expose),
            scope: self.scope.clone(),
            person: self.person.clone(),
            shown: self.shown.clone(),
        };
        // Strings and numbers cannot fail to serialize.
        Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`] for anything that [`TokenSet::to_record`] does not write.
    pub fn from_record(record: &[u8]) -> Result<Self, RecordError> {
        let record: Record<Secret> = json::from_slice(record).map_err(|_not_it| RecordError)?;
        if record.version != RECORD_VERSION || !is_bearer(record.access_token.expose()) {
            return Err(RecordError);
        }
        Ok(Self {
            access_token: record.access_token,
            expires_at: record
                .expires_at
                .map(|end| UnixTime::since_unix_epoch(Duration::from_secs(end))),
            refresh_token: record.refresh_token,
            id_token: record.id_token,
            scope: record.scope,
            person: record.person,
            shown: record.shown,
        })
    }
}

/// RFC 6750 §2.1: anything else could break out of a header or a shell line.
pub(crate) fn is_bearer(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenSet")
            .field("expires_at", &self.expires_at)
            .field("has_refresh_token", &self.refresh_token.is_some())
            .field("scope", &self.scope)
            .field("person", &self.person)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}
