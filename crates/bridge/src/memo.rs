//! Translations that were made already: what can be made anew at any time, and nothing else.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rustls_pki_types::UnixTime;

use crate::limits::{MEMO_OCTETS, MEMO_REFUSED};
use crate::translate::Translated;

/// What an entry costs beside its text: the digest, the counts, the place in the table.
const ENTRY_OCTETS: u64 = 160;
/// A common entry, by which the table is laid out at first.
const COMMON_OCTETS: u64 = 800;

#[derive(Clone)]
struct Weight;

impl Weighter<[u8; 32], Arc<Entry>> for Weight {
    fn weight(&self, _key: &[u8; 32], entry: &Arc<Entry>) -> u64 {
        ENTRY_OCTETS.saturating_add(u64::try_from(entry.text.len()).unwrap_or(u64::MAX))
    }
}

struct Entry {
    text: Box<str>,
    usable_until: UnixTime,
}

/// By the digest of the token as it came: what was proved, and what no key proves. It holds as long as the keys stay what
/// they are: other keys come with another memo.
pub(crate) struct Memo {
    proved: Cache<[u8; 32], Arc<Entry>, Weight>,
    /// Apart, so that nobody drives out tokens by forging others.
    refused: Cache<[u8; 32], ()>,
}

impl Memo {
    pub(crate) fn new() -> Self {
        let entries = usize::try_from(MEMO_OCTETS / COMMON_OCTETS).unwrap_or(usize::MAX);
        Self {
            proved: Cache::with_weighter(entries, MEMO_OCTETS, Weight),
            refused: Cache::new(MEMO_REFUSED),
        }
    }

    pub(crate) fn key(token: &str) -> [u8; 32] {
        let digest = digest(&SHA256, token.as_bytes());
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The translation, if it was made and would be made again `now`.
    pub(crate) fn find(&self, key: &[u8; 32], now: UnixTime) -> Option<String> {
        let entry = self.proved.get(key)?;
        (now < entry.usable_until).then(|| entry.text.as_ref().to_owned())
    }

    pub(crate) fn keep(&self, key: [u8; 32], translated: &Translated) {
        if translated.is_stable {
            let entry = Entry {
                text: translated.expose().into(),
                usable_until: translated.usable_until,
            };
            self.proved.insert(key, Arc::new(entry));
        }
    }
}

impl Memo {
    /// Whether no key proves it, as was found out before.
    pub(crate) fn is_refused(&self, key: &[u8; 32]) -> bool {
        self.refused.get(key).is_some()
    }

    /// To be called for what the keys alone decide: never for what is refused for its time.
    pub(crate) fn keep_refused(&self, key: [u8; 32]) {
        self.refused.insert(key, ());
    }
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memo")
            .field("proved", &self.proved.len())
            .field("refused", &self.refused.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_tokens_are_known_again_and_their_number_is_bounded() {
        let memo = Memo::new();
        let key = |name: usize| Memo::key(&name.to_string());
        memo.keep_refused(key(0));
        assert!(memo.is_refused(&key(0)) && !memo.is_refused(&key(1)));
        for name in 0..MEMO_REFUSED * 3 {
            memo.keep_refused(key(name));
        }
        assert!(memo.refused.len() <= MEMO_REFUSED);
    }
}
