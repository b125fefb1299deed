//! The key that bound tokens are bound to: made here, kept beside them, shown to nobody.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_client::{CacheEntry, CertificatePair, TokenCache};
use zeroize::Zeroizing;

use super::target::Target;
use crate::{
    clock,
    failure::{Failure, Outcome},
};

/// Longer than any login lasts; whoever logs in later gets another.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Left over when it is used: a refresh token lasts for a month.
const MARGIN: u64 = 30 * 24 * 3600;

/// Certificate and key in PEM.
pub(crate) struct KeptPair {
    pub(crate) certificate: String,
    pub(crate) key: Zeroizing<String>,
}

/// The pair, if there is one.
pub(crate) fn kept(cache: Option<&TokenCache>, target: &Target) -> Outcome<Option<CertificatePair>> {
    let Some(kept) = texts(cache, target)? else {
        return Ok(None);
    };
    let pair = CertificatePair::from_pem(kept.certificate.as_bytes(), kept.key.as_bytes());
    Ok(pair.ok())
}

/// The same as texts.
pub(crate) fn texts(cache: Option<&TokenCache>, target: &Target) -> Outcome<Option<KeptPair>> {
    let (Some(cache), Some(slot)) = (cache, target.key_slot()) else {
        return Ok(None);
    };
    let entry = cache.read(&slot)?;
    Ok(entry.filter(lasts).and_then(|entry| {
        let (certificate, key) = entry.payload.split_once('|')?;
        let lines = |text: &str| text.replace(';', "\n");
        Some(KeptPair {
            certificate: lines(certificate),
            key: Zeroizing::new(lines(key)),
        })
    }))
}

/// The pair, made if there is none.
pub(super) fn made(cache: Option<&TokenCache>, target: &Target) -> Outcome<Option<CertificatePair>> {
    let (Some(cache), Some(slot)) = (cache, target.key_slot()) else {
        return Err(Failure::usage(
            "bound tokens need a key that is kept: leave --no-cache out",
        ));
    };
    let lock = cache.lock(&slot, |_| {})?;
    if let Some(pair) = kept(Some(cache), target)? {
        return Ok(Some(pair));
    }
    let now = clock::now();
    let made =
        CertificatePair::self_signed(now, LIFETIME).map_err(|error| Failure::failed(error.to_string()))?;
    // One line each, as an entry has them: neither `;` nor `|` occurs in PEM.
    let line = |text: &str| text.trim_end().replace("\r\n", ";").replace('\n', ";");
    let payload = Zeroizing::new(format!(
        "{}|{}",
        line(&made.certificate),
        *Zeroizing::new(line(&made.key))
    ));
    let end = UnixTime::since_unix_epoch(Duration::from_secs(
        now.as_secs().saturating_add(LIFETIME.as_secs()),
    ));
    lock.replace(&CacheEntry::new(payload, Some(end)))?;
    Ok(Some(made.pair))
}

fn lasts(entry: &CacheEntry) -> bool {
    let until = clock::now().as_secs().saturating_add(MARGIN);
    entry.expires_at.is_some_and(|end| end.as_secs() > until)
}
