//! From one key-encryption key to the next, while nodes run: page by page, each record by compare-and-swap.

use async_trait::async_trait;
use sealstone_keyring::{KeyEncryptionKey, SecretPlace, SecretPurpose};
use serde_json::Value;

use super::{
    Backend, SqlError, SqlStore,
    connection::{Connection, statement},
    error::Failure,
    rows::{from_text, number, to_text},
    transaction::Transaction,
};

/// Records that are looked at in one go: at most a few MiB.
const PAGE: usize = 500;
/// How every sealed secret begins, within a record.
const SEALED: &str = "\"v1.";

/// What of the store is sealed besides key rings, which [`rewrap`](sealstone_keyring::rewrap) moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever moves one must move all")]
pub enum Sealed {
    /// Secrets of clients, and of the application credentials that they are tied to.
    Clients,
    /// Secrets of people's authenticator apps.
    Factors,
    /// Logins under way, where several nodes share them.
    Logins,
}

impl Sealed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clients, Self::Factors, Self::Logins];

    const fn page(self) -> &'static str {
        match self {
            Self::Clients => {
                "SELECT domain_id, client_id, record FROM clients WHERE client_id > $2 AND $1 = $1
                 ORDER BY client_id LIMIT $3"
            }
            Self::Factors => {
                "SELECT domain_id, user_id, record FROM user_factors
                 WHERE (user_id, domain_id) > ($2, $1) ORDER BY user_id, domain_id LIMIT $3"
            }
            Self::Logins => {
                "SELECT domain_id, encode(id, 'hex'), record FROM interactions
                 WHERE id > decode($2, 'hex') AND $1 = $1 ORDER BY id LIMIT $3"
            }
        }
    }

    const fn replacement(self) -> &'static str {
        match self {
            Self::Clients => {
                "UPDATE clients SET record = $4 WHERE domain_id = $1 AND client_id = $2 AND record = $3"
            }
            Self::Factors => {
                "UPDATE user_factors SET record = $4 WHERE domain_id = $1 AND user_id = $2 AND record = $3"
            }
            Self::Logins => {
                "UPDATE interactions SET record = $4
                 WHERE domain_id = $1 AND id = decode($2, 'hex') AND record = $3"
            }
        }
    }

    const fn purposes(self) -> &'static [SecretPurpose] {
        match self {
            Self::Clients => &[SecretPurpose::ClientSecret, SecretPurpose::ApplicationCredential],
            Self::Factors => &[SecretPurpose::OneTimeCodes],
            Self::Logins => &[],
        }
    }
}

/// Where a walk through the records stands; it begins at the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedCursor {
    domain: String,
    id: String,
}

/// What became of one page of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedPage {
    /// Records that hold something sealed.
    pub sealed: usize,
    /// Of those, the ones that are sealed under a key that is not the one that seals.
    pub earlier: usize,
    /// Of those, the ones that were moved.
    pub moved: usize,
    /// Of those, the ones that somebody else changed meanwhile: walk once more.
    pub overtaken: usize,
    /// Records of which something does not open under any key, as `domain/id`.
    pub unreadable: Vec<String>,
    /// Where to go on; `None` at the end.
    pub next: Option<SealedCursor>,
}

/// Whether records are changed, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one does or one does not")]
pub enum Rewrapping {
    /// They are sealed anew.
    Do,
    /// They are looked at.
    Count,
}

struct Replace {
    sealed: Sealed,
    domain: String,
    id: String,
    before: String,
    after: String,
}

#[async_trait]
impl Transaction for Replace {
    type Answer = bool;

    async fn make(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let query = statement(self.sealed.replacement())
            .bind(&self.domain)
            .bind(&self.id);
        let query = query.bind(&self.before).bind(&self.after);
        Ok(query.execute(connection).await? > 0)
    }

    fn is_counted(&self, changed: &bool) -> bool {
        *changed && self.sealed == Sealed::Clients
    }
}

/// What a record is under the keys there are.
enum Found {
    Nothing,
    Current,
    Earlier(String),
    Unreadable,
}

impl SqlStore {
    /// Seals one page of records under the key that seals now, or counts them. Begin at [`SealedCursor::default`], go on
    /// at [`SealedPage::next`]; whoever begins anew finds what was moved already in order.
    ///
    /// # Errors
    /// [`SqlError`] when the database cannot be read or written. What was moved before stays moved.
    pub async fn rewrap(
        &self,
        sealed: Sealed,
        from: &SealedCursor,
        kek: &KeyEncryptionKey,
        rewrapping: Rewrapping,
    ) -> Result<SealedPage, SqlError> {
        if sealed == Sealed::Logins && !self.shares_logins() {
            return Ok(SealedPage::default());
        }
        let query = statement(sealed.page()).bind(&from.domain).bind(&from.id);
        let rows = query.bind(number(PAGE)).read_all(self).await;
        let rows = rows.map_err(|failure| self.failed(failure))?;
        let mut page = SealedPage::default();
        for row in &rows {
            let text = |index: usize| row.try_get::<&str>(index).map_err(|error| self.failed(error));
            let (domain, id, record) = (text(0)?, text(1)?, text(2)?);
            if rows.len() >= PAGE {
                page.next = Some(SealedCursor {
                    domain: domain.to_owned(),
                    id: id.to_owned(),
                });
            }
            let found = look(sealed, domain, id, record, kek).map_err(|failure| self.failed(failure))?;
            if !matches!(found, Found::Nothing) {
                page.sealed = page.sealed.saturating_add(1);
            }
            match found {
                Found::Nothing | Found::Current => {}
                Found::Unreadable => page.unreadable.push(format!("{domain}/{id}")),
                Found::Earlier(after) => {
                    page.earlier = page.earlier.saturating_add(1);
                    let replace = Replace {
                        sealed,
                        domain: domain.to_owned(),
                        id: id.to_owned(),
                        before: record.to_owned(),
                        after,
                    };
                    if rewrapping == Rewrapping::Count {
                        continue;
                    }
                    let count = if self.write(replace).await? {
                        &mut page.moved
                    } else {
                        &mut page.overtaken
                    };
                    *count = count.saturating_add(1);
                }
            }
        }
        Ok(page)
    }

    /// Whether logins under way are in the database. An SQLite file has none of them.
    fn shares_logins(&self) -> bool {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => true,
        }
    }
}

fn look(
    sealed: Sealed,
    domain: &str,
    id: &str,
    record: &str,
    kek: &KeyEncryptionKey,
) -> Result<Found, Failure> {
    if sealed == Sealed::Logins {
        return Ok(look_at_login(id, record, kek));
    }
    if !record.contains(SEALED) {
        return Ok(Found::Nothing);
    }
    let mut value: Value = from_text("a record with a sealed secret", record)?;
    let mut seen = Seen::default();
    walk(&mut value, &mut |text| {
        for purpose in sealed.purposes() {
            let place = SecretPlace {
                purpose: *purpose,
                domain,
                client: id,
            };
            match kek.rewrap_secret(place, text) {
                Ok(Some(moved)) => {
                    seen.earlier = true;
                    return Some(moved);
                }
                Ok(None) => {
                    seen.current = true;
                    return None;
                }
                Err(_not_of_this_purpose) => {}
            }
        }
        seen.unreadable = true;
        None
    });
    Ok(match seen {
        Seen { unreadable: true, .. } => Found::Unreadable,
        Seen { earlier: true, .. } => Found::Earlier(to_text(&value)?),
        Seen { current: true, .. } => Found::Current,
        Seen { .. } => Found::Nothing,
    })
}

#[derive(Default)]
struct Seen {
    current: bool,
    earlier: bool,
    unreadable: bool,
}

fn look_at_login(id: &str, record: &str, kek: &KeyEncryptionKey) -> Found {
    let octets: Option<Vec<u8>> = (0..id.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(id.get(at..at.checked_add(2)?)?, 16).ok())
        .collect();
    let id = octets.and_then(|octets| <[u8; 32]>::try_from(octets).ok());
    match id.map(|id| kek.rewrap_login(&id, record)) {
        Some(Ok(Some(moved))) => Found::Earlier(moved),
        Some(Ok(None)) => Found::Current,
        Some(Err(_)) | None => Found::Unreadable,
    }
}

/// Offers every text that may be a sealed secret, and takes what comes back in its place.
fn walk(value: &mut Value, moved: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if is_sealed(text)
                && let Some(after) = moved(text)
            {
                *text = after;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| walk(value, moved)),
        Value::Object(members) => members.values_mut().for_each(|value| walk(value, moved)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `v1.`, the identifier of a key, and what is sealed: 12 octets of nonce and 16 of tag at least. A display name that
/// looks so does not open, and is told.
fn is_sealed(text: &str) -> bool {
    let mut parts = text.splitn(3, '.');
    let (form, key, octets) = (parts.next(), parts.next(), parts.next());
    let is_key = |key: &str| key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    form == Some("v1") && key.is_some_and(is_key) && octets.is_some_and(|octets| octets.len() > 37)
}
