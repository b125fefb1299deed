use super::*;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, EventId, Outcome, Target};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::Duration;

fn event(client: &str) -> Event<'_> {
    Event {
        id: EventId::from_random([7; 16]),
        time: UnixTime::since_unix_epoch(Duration::from_secs(1_767_322_984)),
        action: Action::UpdateClient,
        outcome: Outcome::Success,
        reason: None,
        initiator: Actor::default(),
        target: Target::Client(client.into()),
        request_id: "r".into(),
    }
}

fn targets(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| event["target"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn lines_of_two_writers_never_mix() {
    const EACH: usize = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // Two open files of one path, as two processes have.
    let files = [AuditFile::open(&path).unwrap(), AuditFile::open(&path).unwrap()];
    let names = ["a".repeat(64), "b".repeat(3_000)];
    thread::scope(|scope| {
        for (file, name) in files.iter().zip(&names) {
            scope.spawn(move || (0..EACH).for_each(|_| file.record(&event(name)).unwrap()));
        }
    });
    let found = targets(&path);
    for name in &names {
        assert_eq!(found.iter().filter(|found| *found == name).count(), EACH);
    }
}

#[test]
fn a_forged_line_end_stays_inside_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let file = AuditFile::open(&path).unwrap();
    let forged = "x\"}}\n{\"typeURI\":\"forged\"}\r\n\u{2028}";
    file.record(&event(forged)).unwrap();
    assert_eq!(targets(&path), [forged]);
}

#[test]
fn the_file_is_its_owners_alone_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    AuditFile::open(&path).unwrap().record(&event("a")).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    AuditFile::open(&path).unwrap().record(&event("b")).unwrap();
    assert_eq!(targets(&path), ["a", "b"]);
}

#[test]
fn after_a_rotation_the_path_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("old"));
    let file = AuditFile::open(&path).unwrap();
    file.record(&event("a")).unwrap();
    fs::rename(&path, &old).unwrap();
    file.record(&event("b")).unwrap();
    file.reopen().unwrap();
    file.record(&event("c")).unwrap();
    assert_eq!(
        (targets(&old), targets(&path)),
        (vec!["a".into(), "b".into()], vec!["c".into()])
    );
}

#[test]
fn a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    AuditFile::open(&path).unwrap().record(&event("a")).unwrap();
    let full = AuditFile::open(Path::new("/dev/full")).unwrap();
    let error = full.record(&event("a")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap();
    let cause: &io::Error = cause.downcast_ref().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn the_line_after_a_torn_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fs::write(&path, "{\"typeURI\":\"ht").unwrap();
    let file = AuditFile::open(&path).unwrap();
    file.record(&event("a")).unwrap();
    file.record(&event("b")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[1..]
            .iter()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
}
