//! What one event costs the request that it tells of: written as CADF alone, and chained into a file on a disk and on none.
//! The token endpoint's own cost (`token_endpoint`) is what it is held against. And how fast a trail is verified.

use criterion::{BatchSize, Criterion};
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, AuditSink as _, Event, EventId, Outcome, Target};
use sealstone_trail::{Rotation, TrailFile, Verification};
use std::hint::black_box;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

/// Events of the trail that is verified.
const EVENTS: u32 = 20_000;

fn event(number: u32) -> Event<'static> {
    Event {
        id: EventId::from_random(u128::from(number).to_be_bytes()),
        time: UnixTime::since_unix_epoch(Duration::from_secs(1_767_322_984)),
        action: Action::IssueToken,
        outcome: Outcome::Success,
        reason: None,
        initiator: Actor {
            client_id: Some("machine-san_0123456789".into()),
            user_id: None,
            address: Some([192, 0, 2, 7].into()),
        },
        target: Target::Token("q0yM0Kc1TnyTb1v3mJ5zZg".into()),
        request_id: "01JK8YQ4Z9T7M3".into(),
    }
}

fn trail(folder: &Path, name: &str) -> TrailFile {
    let trail = TrailFile::open(&folder.join(name), &folder.join("audit.key"), Rotation::default());
    trail.expect("a trail")
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/dev/null", folder.path().join("null")).expect("a link");
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("audit_event/as_cadf_alone", |bencher| {
        bencher.iter(|| black_box(event(7)).to_cadf().len());
    });
    for name in ["null", "audit.jsonl"] {
        let trail = trail(folder.path(), name);
        trail.record(&event(0)).expect("an event");
        criterion.bench_function(&format!("audit_event/chained_into_{name}"), |bencher| {
            bencher.iter(|| trail.record(black_box(&event(7))).expect("an event"));
        });
        assert!(trail.standing().failed == 0 && trail.standing().recorded > 1);
    }
    let signed = trail(folder.path(), "signed.jsonl");
    let now = event(0).time;
    criterion.bench_function("audit_event/checkpoint", |bencher| {
        bencher.iter_batched(
            || signed.record(&event(7)).expect("an event"),
            |()| signed.stop(now).expect("a checkpoint"),
            BatchSize::PerIteration,
        );
    });

    let verified = trail(folder.path(), "verified.jsonl");
    for number in 0..EVENTS {
        verified.record(&event(number)).expect("an event");
    }
    verified.stop(now).expect("a checkpoint");
    criterion.bench_function(&format!("audit_trail/verify_{EVENTS}_events"), |bencher| {
        bencher.iter(|| {
            let file = std::fs::File::open(verified.path()).expect("the trail");
            let mut verification = Verification::new(Some(verified.key().public_jwk()));
            verification
                .file("f", BufReader::new(file), &mut |_octets| {})
                .expect("the trail");
            let report = verification.finish();
            assert!(report.is_sound() && report.unsigned == 0);
            report.events
        });
    });
    criterion.final_summary();
}
