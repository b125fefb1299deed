//! What a file of the cache holds: a line that says whose it is, and a line with the tokens.

use std::{fmt, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::CacheError;
use crate::keyring::SealingKey;

/// The format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// What a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SlotKind {
    /// Tokens of an authorization server.
    #[serde(rename = "oauth")]
    OAuth,
    /// A token of Keystone's.
    Keystone,
    /// A key that tokens are bound to.
    Key,
}

/// Whose tokens, from whom, for what: one file each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheSlot {
    /// What is kept.
    pub kind: SlotKind,
    /// Who issued it: an issuer, or Keystone's address.
    pub issuer: String,
    /// The client's identifier.
    pub client: String,
    /// The name of the cloud in `clouds.yaml`.
    #[serde(default)]
    pub cloud: String,
    /// The user that the caller asked for.
    #[serde(default)]
    pub user: String,
    /// The scope that was asked for.
    #[serde(default)]
    pub scope: String,
    /// What the tokens are bound to.
    #[serde(default)]
    pub binding: String,
}

impl CacheSlot {
    /// A slot without cloud, user, scope and binding.
    #[must_use]
    pub fn new(kind: SlotKind, issuer: &str, client: &str) -> Self {
        Self {
            kind,
            issuer: issuer.to_owned(),
            client: client.to_owned(),
            cloud: String::new(),
            user: String::new(),
            scope: String::new(),
            binding: String::new(),
        }
    }

    /// The same for a cloud of `clouds.yaml`.
    #[must_use]
    pub fn with_cloud(mut self, cloud: &str) -> Self {
        cloud.clone_into(&mut self.cloud);
        self
    }

    /// The same for a user whom the caller named.
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// The same for a scope.
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.scope);
        self
    }

    /// The same for tokens that are bound to something: a thumbprint.
    #[must_use]
    pub fn with_binding(mut self, binding: &str) -> Self {
        binding.clone_into(&mut self.binding);
        self
    }

    /// A name for files: 40 hexadecimal digits, of all that tells slots apart.
    pub(super) fn name(&self, key_id: Option<&str>) -> String {
        let kind = match self.kind {
            SlotKind::OAuth => "oauth",
            SlotKind::Keystone => "keystone",
            SlotKind::Key => "key",
        };
        let mut text = String::new();
        for part in [
            kind,
            &self.issuer,
            &self.client,
            &self.cloud,
            &self.user,
            &self.scope,
            &self.binding,
            key_id.unwrap_or_default(),
        ] {
            // The length before each part: no two slots make one text.
            text.push_str(&format!("{}:{part};", part.len()));
        }
        let digest = digest(&SHA256, text.as_bytes());
        digest
            .as_ref()
            .iter()
            .take(20)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// What is kept for a slot.
#[derive(Clone)]
#[non_exhaustive]
pub struct CacheEntry {
    /// When it is of no more use, refreshing apart.
    pub expires_at: Option<UnixTime>,
    /// The tokens, as their owner writes them: one line.
    pub payload: Zeroizing<String>,
}

impl fmt::Debug for CacheEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheEntry")
            .field("expires_at", &self.expires_at)
            .field("payload", &"[redacted]")
            .finish()
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    slot: CacheSlot,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    /// The key that the second line is encrypted by.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Head {
    /// With its own line, and the one below it.
    fn parse(bytes: &[u8]) -> Option<(Self, &str, &str)> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head_line, rest) = text.split_once('\n')?;
        // Two lines, as they are written: what has more is not ours.
        let payload = rest
            .strip_suffix('\n')
            .filter(|line| !line.contains(['\r', '\n']))?;
        let head: Self = serde_json::from_str(head_line).ok()?;
        (head.version == VERSION).then_some((head, head_line, payload))
    }
}

impl CacheEntry {
    /// Whether it says to be of this slot, and to be encrypted by another key.
    pub(super) fn is_sealed_otherwise(bytes: &[u8], slot: &CacheSlot, key: Option<&SealingKey>) -> bool {
        Head::parse(bytes).is_some_and(|(head, _, _)| {
            head.slot == *slot && head.key.is_some() && head.key.as_deref() != key.map(SealingKey::id)
        })
    }

    /// An entry of a payload without line ends.
    #[must_use]
    pub const fn new(payload: Zeroizing<String>, expires_at: Option<UnixTime>) -> Self {
        Self { expires_at, payload }
    }

    pub(crate) fn write(
        &self,
        slot: &CacheSlot,
        key: Option<&SealingKey>,
    ) -> Result<Zeroizing<Vec<u8>>, CacheError> {
        let head = Head {
            version: VERSION,
            slot: slot.clone(),
            expires_at: self.expires_at.map(|at| at.as_secs()),
            key: key.map(|key| key.id().to_owned()),
        };
        let head = serde_json::to_string(&head).map_err(|_| CacheError::Seal)?;
        let mut text = Zeroizing::new(Vec::with_capacity(
            head.len()
                .saturating_add(self.payload.len().saturating_mul(2))
                .saturating_add(128),
        ));
        text.extend_from_slice(head.as_bytes());
        text.push(b'\n');
        match key {
            Some(key) => {
                text.extend_from_slice(key.seal(head.as_bytes(), self.payload.as_bytes())?.as_bytes())
            }
            None => text.extend_from_slice(self.payload.replace(['\r', '\n'], " ").as_bytes()),
        }
        text.push(b'\n');
        Ok(text)
    }

    /// `None` for what is not ours, not this slot's, or not by this key: then there is no login.
    pub(super) fn parse(bytes: &[u8], slot: Option<&CacheSlot>, key: Option<&SealingKey>) -> Option<Self> {
        let (found, entry) = Self::parse_with_slot(bytes, key)?;
        slot.is_none_or(|slot| *slot == found).then_some(entry)
    }

    /// The same with the slot that the file names.
    pub(super) fn parse_with_slot(bytes: &[u8], key: Option<&SealingKey>) -> Option<(CacheSlot, Self)> {
        let (head, head_line, payload) = Head::parse(bytes)?;
        let payload = match (head.key, key) {
            (None, None) => Zeroizing::new(payload.to_owned()),
            (Some(id), Some(key)) if id == key.id() => key.open(head_line.as_bytes(), payload)?,
            (Some(_), _) | (None, Some(_)) => return None,
        };
        let expires_at = head
            .expires_at
            .map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        Some((head.slot, Self { expires_at, payload }))
    }
}

/// Reads octets as a file, and writes what was read again.
#[cfg(fuzzing)]
pub(crate) fn fuzzing_read(octets: &[u8]) {
    let key = SealingKey::new([7; 32]);
    for key in [None, Some(&key)] {
        if let Some((slot, entry)) = CacheEntry::parse_with_slot(octets, key)
            && let Ok(written) = entry.write(&slot, key)
        {
            let again = CacheEntry::parse(&written, Some(&slot), key);
            assert_eq!(again.map(|again| again.payload), Some(entry.payload));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_three_lines_is_no_login() {
        let slot = CacheSlot::new(SlotKind::OAuth, "https://id.example", "cli");
        let entry = CacheEntry::new(Zeroizing::new("{}".to_owned()), None);
        let mut written = entry.write(&slot, None).unwrap().to_vec();
        assert!(CacheEntry::parse(&written, Some(&slot), None).is_some());
        written.extend_from_slice(b"{}\n");
        assert!(CacheEntry::parse(&written, Some(&slot), None).is_none());
    }

    #[test]
    fn each_part_of_a_slot_makes_another_file() {
        let slot = || CacheSlot::new(SlotKind::OAuth, "https://a", "cli");
        let all = [
            slot().name(None),
            slot().name(Some("k")),
            slot().with_cloud("x").name(None),
            slot().with_user("x").name(None),
            slot().with_scope("x").name(None),
            slot().with_binding("x").name(None),
            CacheSlot::new(SlotKind::Keystone, "https://a", "cli").name(None),
            CacheSlot::new(SlotKind::OAuth, "https://ac", "li").name(None),
            CacheSlot::new(SlotKind::OAuth, "https://b", "cli").name(None),
        ];
        for (at, name) in all.iter().enumerate() {
            assert_eq!(name.len(), 40);
            assert!(!all[..at].contains(name), "{at}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let slot = CacheSlot::new(SlotKind::OAuth, "https://a", "cli").with_scope("openid");
        let at = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let entry = CacheEntry::new("{\"a\":\"secret\"}".to_owned().into(), Some(at));
        assert!(!format!("{entry:?}").contains("secret"));
        let bytes = entry.write(&slot, None).unwrap();
        let read = CacheEntry::parse(&bytes, Some(&slot), None).unwrap();
        assert_eq!((read.payload, read.expires_at), (entry.payload.clone(), Some(at)));
        assert!(CacheEntry::parse(&bytes, Some(&slot.clone().with_user("bob")), None).is_none());
        for cut in 0..bytes.len() {
            assert!(
                CacheEntry::parse(&bytes[..cut], Some(&slot), None).is_none(),
                "{cut}"
            );
        }
        let later = String::from_utf8(bytes.to_vec())
            .unwrap()
            .replace("\"version\":1", "\"version\":2");
        assert!(CacheEntry::parse(later.as_bytes(), Some(&slot), None).is_none());
    }

    #[test]
    fn an_encrypted_entry_needs_its_key_and_its_head() {
        let slot = CacheSlot::new(SlotKind::OAuth, "https://a", "cli");
        let (key, other) = (SealingKey::new([1; 32]), SealingKey::new([2; 32]));
        let entry = CacheEntry::new("{\"a\":\"secret\"}".to_owned().into(), None);
        let bytes = entry.write(&slot, Some(&key)).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(!text.contains("secret"));
        assert_eq!(
            CacheEntry::parse(&bytes, Some(&slot), Some(&key))
                .unwrap()
                .payload,
            entry.payload
        );
        assert!(CacheEntry::parse(&bytes, Some(&slot), Some(&other)).is_none());
        assert!(CacheEntry::parse(&bytes, Some(&slot), None).is_none());
        let claimed = text.replace("https://a", "https://b");
        assert!(
            CacheEntry::parse(claimed.as_bytes(), None, Some(&key)).is_none(),
            "the head is covered"
        );
        let is_sealed_otherwise =
            |slot: &CacheSlot, key: Option<&SealingKey>| CacheEntry::is_sealed_otherwise(&bytes, slot, key);
        assert!(is_sealed_otherwise(&slot, Some(&other)) && is_sealed_otherwise(&slot, None));
        assert!(!is_sealed_otherwise(&slot, Some(&key)));
        assert!(!is_sealed_otherwise(&slot.clone().with_user("bob"), None));
        let plain = entry.write(&slot, None).unwrap();
        assert!(!CacheEntry::is_sealed_otherwise(&plain, &slot, Some(&key)));
        assert!(
            CacheEntry::parse(&plain, Some(&slot), Some(&key)).is_none(),
            "no way back to plain text"
        );
    }
}
