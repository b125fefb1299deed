//! Signing keys: whether they can be opened, and somebody looks after them.

use std::{collections::BTreeSet, time::Duration};

use sealstone_identity::DomainId;
use sealstone_keyring::{KeyRing, KeyState, KeyStore as _, RotationPolicy};
use sealstone_storage::SqlStore;

use super::{checks, finding::Area, finding::Report};
use crate::{clock, store::Places};

/// A server looks every minute; what is an hour late is not looked after.
const LATE: Duration = Duration::from_secs(3600);

/// The rings that could be opened, by domain.
pub(super) type Rings = Vec<(DomainId, KeyRing)>;

pub(super) async fn look(
    store: &SqlStore,
    domains: &[DomainId],
    places: &Places,
    report: &mut Report,
) -> Rings {
    let key = match places.key_encryption_key() {
        Ok(key) => key,
        Err(failure) => {
            report.left_out(Area::Keys, failure.to_string());
            return Rings::new();
        }
    };
    let policy = places.policy().ok();
    let mut rings = Rings::new();
    for domain in domains {
        let stored = match store.load(domain.as_str()).await {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                report.found(&checks::KEYS_NONE, format!("domain {domain}"));
                continue;
            }
            Err(error) => {
                report.left_out(Area::Keys, error.to_string());
                continue;
            }
        };
        match KeyRing::open(domain.as_str(), &stored, &key) {
            Ok(ring) => {
                if let Some(policy) = &policy {
                    judge(domain, &ring, policy, report);
                }
                rings.push((domain.clone(), ring));
            }
            Err(error) => {
                let evidence = format!("domain {domain}: {error}");
                report.found(&checks::KEY_ENCRYPTION_KEY_OTHER, evidence);
            }
        }
    }
    rings
}

fn judge(domain: &DomainId, ring: &KeyRing, policy: &RotationPolicy, report: &mut Report) {
    let have: BTreeSet<&str> = ring
        .keys()
        .iter()
        .filter(|key| key.state() == KeyState::Active)
        .map(|key| key.algorithm().as_str())
        .collect();
    for algorithm in policy.algorithms() {
        if !have.contains(algorithm.as_str()) {
            let evidence = format!("domain {domain}: no active {algorithm} key");
            report.found(&checks::KEYS_ALGORITHM_MISSING, evidence);
        }
    }
    let now = clock::now();
    for key in ring.keys().iter().filter(|key| key.state() == KeyState::Active) {
        let due = key.next_change(policy);
        if due.as_secs().saturating_add(LATE.as_secs()) < now.as_secs() {
            let evidence = format!(
                "domain {domain}: {} was to be replaced {}",
                key.kid().as_str(),
                clock::date_and_relative(due, now)
            );
            report.found(&checks::KEYS_OVERDUE, evidence);
        }
    }
}
