//! What a rotation costs, and what keeping rings costs when nothing is due: for one domain, and for a thousand.

#[path = "measure.rs"]
mod measure;

use std::hint::black_box;
use std::time::{Duration, Instant};

use measure::{Candidate, allocations_of, compare};
use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, PrivateKey};
use sealstone_keyring::{
    KeyEncryptionKey, KeyRing, KeyStore as _, RotationPolicy, RotationSettings, maintain, rewrap,
};
use sealstone_storage::SqlStore;

const OLD: &str = "8Jmq5OTmLrqvTuiUpeGr9ATXgoE4kwJlXNVfqDNVzMY";
const NEW: &str = "6b1d0c8f7a3e4b5d9c2f1a0e8d7c6b5a493827160f5e4d3c2b1a09f8e7d6c5b4";
const MONTH: u64 = 30 * 24 * 3600;
const LEAD: u64 = 3600;
/// Opening a ring may cost so many times what making its key does: it parses and checks it.
const TARGET: f64 = 4.0;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000 + seconds))
}

fn policy(algorithms: &[Algorithm]) -> RotationPolicy {
    let settings = RotationSettings {
        algorithms: algorithms.to_vec(),
        ..RotationSettings::default()
    };
    RotationPolicy::new(settings).expect("a policy")
}

fn main() {
    one_ring();
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .expect("a runtime")
        .block_on(many(if is_bench { 1000 } else { 3 }));
}

/// CPU, without a store.
fn one_ring() {
    let (policy, kek) = (
        policy(&[Algorithm::Es256]),
        KeyEncryptionKey::parse(OLD).expect("a key"),
    );
    let ring = KeyRing::bootstrap(&policy, at(0)).expect("a ring");
    let stored = ring.seal("demo", &kek).expect("sealed");
    let mut waiting = ring.clone();
    let publish = waiting.due(&policy, at(MONTH - LEAD));
    waiting
        .apply(&publish, &policy, at(MONTH - LEAD))
        .expect("published");
    let activate = waiting.due(&policy, at(MONTH));
    assert_eq!((publish.changes().len(), activate.changes().len()), (1, 1));
    let ratios = compare(&mut [
        Candidate::new("an ES256 key alone", || {
            black_box(PrivateKey::generate(Algorithm::Es256).expect("a key"));
        }),
        Candidate::new("publish: key and ring", || {
            let mut ring = ring.clone();
            ring.apply(&publish, &policy, at(MONTH - LEAD))
                .expect("published");
            black_box(ring);
        }),
        Candidate::new("activate, and retire the one before", || {
            let mut ring = waiting.clone();
            ring.apply(&activate, &policy, at(MONTH)).expect("activated");
            black_box(ring);
        }),
        Candidate::new("is anything due?", || {
            assert!(black_box(&ring).due(&policy, at(10)).is_empty());
        }),
        Candidate::new("open a ring from the store", || {
            black_box(KeyRing::open("demo", &stored, &kek).expect("opened"));
        }),
        Candidate::new("seal a ring for the store", || {
            black_box(ring.seal("demo", &kek).expect("sealed"));
        }),
    ]);
    let due = allocations_of(|| assert!(ring.due(&policy, at(10)).is_empty()));
    println!("Rust allocations of a look whether anything is due: {due}");
    assert!(ratios[4] < TARGET || cfg!(debug_assertions), "{ratios:?}");
}

/// Wall time, on an SQLite file; ES256 and RS256 in each domain.
async fn many(domains: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlStore::open(&folder.path().join("keys.db"))
        .await
        .expect("a store");
    let policy = policy(&[Algorithm::Es256, Algorithm::Rs256]);
    let old = KeyEncryptionKey::parse(OLD).expect("a key");
    let names: Vec<String> = (0..domains).map(|number| format!("domain-{number:04}")).collect();
    println!("\nwall time of {domains} domains, one after the other, on SQLite");
    for (what, seconds) in [
        ("rings made (ES256 and RS256)", 0),
        ("nothing due", 10),
        ("successors published", MONTH - LEAD),
        ("successors sign, the others retire", MONTH),
        ("the retired go", MONTH + 3 * LEAD),
    ] {
        let begun = Instant::now();
        for name in &names {
            maintain(&store, name, &policy, &old, at(seconds))
                .await
                .expect("kept");
        }
        tell(what, begun.elapsed(), domains);
    }
    let both = KeyEncryptionKey::parse(&format!("{NEW}\n{OLD}")).expect("keys");
    let begun = Instant::now();
    for name in &names {
        assert!(rewrap(&store, name, &both).await.expect("moved"));
    }
    tell(
        "sealed under another key-encryption key",
        begun.elapsed(),
        domains,
    );
    assert_eq!(store.domains().await.expect("domains").len(), domains);
    store.close().await;
}

fn tell(what: &str, took: Duration, domains: usize) {
    let each = took.as_secs_f64() * 1e3 / f64::from(u32::try_from(domains).expect("few"));
    println!(
        "  {what:<42} {:>9.1} ms  {each:>8.3} ms each",
        took.as_secs_f64() * 1e3
    );
}
