use std::{fmt, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_jose::json;
use sealstone_oauth_types::Secret;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Iso8601};
use zeroize::Zeroizing;

use super::scope::KeystoneScope;
use crate::{RecordError, error::visible};

/// The longest token: a JWS of Keystone's with many methods stays below a quarter of it.
const MAX_TOKEN: usize = 16 * 1024;
const RECORD_VERSION: u32 = 1;

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeystoneUser {
    /// The user's id.
    pub id: String,
    /// The user's name.
    pub name: String,
    /// The name of the user's domain; federated users of old Keystones have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// A token of Keystone's, and what it says of itself. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct KeystoneToken {
    token: Secret,
    expires_at: UnixTime,
    user: KeystoneUser,
    scope: Option<KeystoneScope>,
    roles: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<S> {
    version: u32,
    keystone_token: S,
    expires_at: u64,
    user: KeystoneUser,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<KeystoneScope>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
}

impl KeystoneToken {
    /// The token itself.
    #[must_use]
    pub const fn token(&self) -> &Secret {
        &self.token
    }

    /// When it ends, by Keystone's clock.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Whether it lasts for this long yet.
    #[must_use]
    pub fn lasts(&self, now: UnixTime, span: Duration) -> bool {
        self.expires_at.as_secs() > now.as_secs().saturating_add(span.as_secs())
    }

    /// Whose it is.
    #[must_use]
    pub const fn user(&self) -> &KeystoneUser {
        &self.user
    }

    /// Where it is good; `None` for an unscoped one.
    #[must_use]
    pub const fn scope(&self) -> Option<&KeystoneScope> {
        self.scope.as_ref()
    }

    /// The names of the user's roles there.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// All of it as JSON, to be kept by the caller and read by [`KeystoneToken::from_record`].
    ///
    /// # Security
    /// It holds the token, which is good for whoever has it.
    #[must_use]
    pub fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let record = Record {
            version: RECORD_VERSION,
            keystone_token: self.token.expose(),
            expires_at: self.expires_at.as_secs(),
            user: self.user.clone(),
            scope: self.scope.clone(),
            roles: self.roles.clone(),
        };
        // Strings and numbers cannot fail to serialize.
        Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`] for anything that [`KeystoneToken::to_record`] does not write.
    pub fn from_record(record: &[u8]) -> Result<Self, RecordError> {
        let record: Record<Secret> = json::from_slice(record).map_err(|_not_it| RecordError)?;
        if record.version != RECORD_VERSION || !is_token(record.keystone_token.expose()) {
            return Err(RecordError);
        }
        Ok(Self {
            token: record.keystone_token,
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(record.expires_at)),
            user: record.user,
            scope: record.scope,
            roles: record.roles,
        })
    }
}

/// Goes into a header, a shell line and a form without harm.
pub(crate) fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(plain)
}

#[derive(Deserialize)]
struct Document {
    token: Body,
}

#[derive(Deserialize)]
struct Body {
    expires_at: String,
    user: User,
    project: Option<Project>,
    domain: Option<Named>,
    system: Option<System>,
    #[serde(default)]
    roles: Vec<Named>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: String,
    domain: Option<Loose>,
}

/// The domain of a federated user may be without an id.
#[derive(Deserialize)]
struct Loose {
    name: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
    domain: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct System {
    all: bool,
}

/// Reads what Keystone says of a token.
pub(crate) fn read(token: Secret, body: &[u8]) -> Option<KeystoneToken> {
    if !is_token(token.expose()) {
        return None;
    }
    let Document { token: said } = json::from_slice(body).ok()?;
    let end = OffsetDateTime::parse(&said.expires_at, &Iso8601::DEFAULT).ok()?;
    let end = u64::try_from(end.unix_timestamp()).ok()?;
    let scope = match (said.project, said.domain, said.system) {
        (Some(project), None, None) => Some(KeystoneScope::Project {
            id: visible(&project.id),
            name: visible(&project.name),
            domain: project.domain.map(|domain| visible(&domain.name)),
        }),
        (None, Some(domain), None) => Some(KeystoneScope::Domain {
            id: visible(&domain.id),
            name: visible(&domain.name),
        }),
        (None, None, Some(system)) if system.all => Some(KeystoneScope::System),
        (None, None, None) => None,
        _ => return None,
    };
    let domain = said.user.domain.and_then(|domain| domain.name.or(domain.id));
    Some(KeystoneToken {
        token,
        expires_at: UnixTime::since_unix_epoch(Duration::from_secs(end)),
        user: KeystoneUser {
            id: visible(&said.user.id),
            name: visible(&said.user.name),
            domain: domain.map(|name| visible(&name)),
        },
        scope,
        roles: said.roles.iter().map(|role| visible(&role.name)).collect(),
    })
}

impl fmt::Debug for KeystoneToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeystoneToken")
            .field("expires_at", &self.expires_at)
            .field("user", &self.user)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
