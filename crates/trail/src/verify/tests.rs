use super::*;
use crate::{LineError, NodeKey, Rotation, TrailFile, rotated};
use sealstone_audit::{Action, Actor, AuditSink as _, Event, EventId, Outcome, Target};
use sealstone_jose::PrivateKey;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_767_322_984 + seconds))
}

/// A trail of twelve events in one file: 1 opens it, 2 to 5 are recorded, 6 signs, 7 to 11 are recorded, 12 ends it.
struct Written {
    folder: tempfile::TempDir,
    lines: Vec<String>,
    key: Jwk,
}

fn record(trail: &TrailFile, number: usize) {
    for n in 0..number {
        let event = Event {
            id: EventId::from_random([7; 16]),
            time: at(0),
            action: Action::UpdateClient,
            outcome: Outcome::Success,
            reason: None,
            initiator: Actor::default(),
            target: Target::Client(format!("client-{n}").into()),
            request_id: "r".into(),
        };
        trail.record(&event).unwrap();
    }
}

impl Written {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let trail = TrailFile::open(&path, &folder.path().join("audit.key"), Rotation::default()).unwrap();
        record(&trail, 4);
        trail.tend(at(10)).unwrap();
        record(&trail, 5);
        trail.stop(at(11)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 12);
        Self {
            folder,
            lines,
            key: trail.key().public_jwk().clone(),
        }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("audit.key")
    }
}

fn verify(lines: &[String], key: Option<&Jwk>) -> Report {
    let mut verification = Verification::new(key);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    verification
        .file("f", text.as_bytes(), &mut |_octets| {})
        .unwrap();
    verification.finish()
}

fn names(report: &Report) -> Vec<(u64, &'static str)> {
    report
        .findings
        .iter()
        .map(|found| (found.line, found.fault.name()))
        .collect()
}

/// What an attacker does to the lines, without the key.
type Attack = fn(&mut Vec<String>);

/// What is done, and the findings: line and fault.
type Case = (&'static str, Attack, &'static [(u64, &'static str)]);

/// The files that are given, and the findings: file, line and fault.
type FilesCase = (
    &'static str,
    Vec<Vec<u8>>,
    &'static [(&'static str, u64, &'static str)],
);

#[test]
fn every_change_is_found_and_its_line_is_named() {
    let written = Written::new();
    let cases: [Case; 18] = [
        ("nothing", |_| {}, &[]),
        (
            "an outcome changed",
            |l| l[2] = l[2].replace("success", "failure"),
            &[(3, "changed")],
        ),
        (
            "a space put in",
            |l| l[2] = l[2].replacen(':', ": ", 1),
            &[(3, "not_canonical"), (3, "changed")],
        ),
        // The last line: no event after it holds its hash, and its signature is over what was parsed.
        (
            "a member put in twice, before the right one of the last checkpoint",
            |l| l[11] = l[11].replacen('{', r#"{"action":"delete/user","#, 1),
            &[(12, "not_canonical")],
        ),
        (
            "an outcome twice within the last checkpoint",
            |l| l[11] = l[11].replacen(r#""outcome":"#, r#""outcome":"failure","outcome":"#, 1),
            &[(12, "not_canonical")],
        ),
        (
            "a member twice in an inner object of the last checkpoint",
            |l| l[11] = l[11].replacen(r#""initiator":{"#, r#""initiator":{"id":"mallory","#, 1),
            &[(12, "not_canonical")],
        ),
        (
            "a letter of the last checkpoint escaped",
            |l| l[11] = l[11].replacen(r#""id":"sealstone""#, r#""id":"s\u0065alstone""#, 1),
            &[(12, "not_canonical")],
        ),
        ("a line removed", |l| drop(l.remove(2)), &[(3, "missing")]),
        ("three lines removed", |l| drop(l.drain(2..5)), &[(3, "missing")]),
        ("a checkpoint removed", |l| drop(l.remove(5)), &[(6, "missing")]),
        (
            "two lines swapped",
            |l| l.swap(2, 3),
            &[(3, "later"), (4, "moved")],
        ),
        (
            "a line moved to the end",
            |l| {
                let line = l.remove(2);
                l.push(line);
            },
            &[(3, "later"), (12, "moved")],
        ),
        (
            "a line repeated",
            |l| {
                let line = l[2].clone();
                l.insert(3, line);
            },
            &[(4, "put_in")],
        ),
        ("text put in", |l| l.insert(3, "hello".into()), &[(4, "no_event")]),
        (
            "an event without a place put in",
            |l| {
                let start = l[3].find(r#","attachments"#).unwrap();
                let end = l[3].find(r#","eventTime"#).unwrap();
                let bare = format!("{}{}", &l[3][..start], &l[3][end..]);
                l.insert(4, bare);
            },
            &[(5, "no_event")],
        ),
        (
            "a checkpoint's signature changed",
            |l| {
                let at = l[5].find(r#""signature":""#).unwrap() + 14;
                let other = if l[5].as_bytes()[at] == b'A' { "B" } else { "A" };
                l[5].replace_range(at..=at, other);
            },
            &[(6, "wrong_signature"), (6, "changed")],
        ),
        (
            "a number changed",
            |l| l[2] = l[2].replace(r#""sequence":3}"#, r#""sequence":9}"#),
            &[(3, "missing"), (4, "moved")],
        ),
        ("the start cut off", |l| drop(l.drain(..2)), &[]),
    ];
    for (name, attack, want) in cases {
        let mut lines = written.lines.clone();
        attack(&mut lines);
        let report = verify(&lines, Some(&written.key));
        let found = names(&report);
        assert!(found.starts_with(want), "{name}: {found:?}");
        assert_eq!(report.is_sound(), want.is_empty(), "{name}: {found:?}");
    }
}

/// Whoever rewrites everything after a change, but has no key, is found at the next checkpoint.
#[test]
fn what_is_chained_anew_is_found_at_the_next_checkpoint() {
    let written = Written::new();
    let mut lines = written.lines.clone();
    lines[2] = lines[2].replace("client-1", "client-X");
    for at in 3..lines.len() {
        let previous = Hash::of(lines[at - 1].as_bytes()).to_string();
        let start = lines[at].find(r#""previous":""#).unwrap() + 12;
        lines[at].replace_range(start..start + 64, &previous);
    }
    let report = verify(&lines, Some(&written.key));
    assert_eq!(names(&report), [(6, "wrong_signature"), (12, "wrong_signature")]);
    let text = report.findings[0].fault.to_string();
    assert!(text.contains("chained anew since event 1"), "{text}");
    assert_eq!(report.signed.unwrap().sequence, 1);
}

/// Every octet of every line matters.
#[test]
fn no_octet_can_be_changed_unseen() {
    let written = Written::new();
    let text = written.lines.join("\n") + "\n";
    let signed_end = text.len() - 1;
    let last = text.len() - written.lines[11].len();
    for at in (0..signed_end).step_by(3) {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
        let mut verification = Verification::new(Some(&written.key));
        verification
            .file("f", changed.as_slice(), &mut |_octets| {})
            .unwrap();
        let report = verification.finish();
        // A last checkpoint that is made unreadable vouches for nothing, which is said.
        let signed = report.signed.map_or(0, |signed| signed.sequence);
        assert!(
            !report.is_sound() || (at > last && signed == 6),
            "octet {at}: {}",
            &text[at.saturating_sub(40)..=at]
        );
    }
}

/// The end can be cut off: what is left is right, and how much is signed is said.
#[test]
fn what_was_cut_off_the_end_is_said_to_be_unknown() {
    let written = Written::new();
    let cases = [
        (12, 12, 0, Ending::Stopped),
        (11, 6, 5, Ending::Open),
        (8, 6, 2, Ending::Open),
        (6, 6, 0, Ending::Open),
    ];
    for (kept, signed, unsigned, ending) in cases {
        let report = verify(&written.lines[..kept], Some(&written.key));
        assert!(report.is_sound(), "{:?}", report.findings);
        assert_eq!(
            (report.signed.unwrap().sequence, report.unsigned, report.ending),
            (signed, unsigned, ending)
        );
    }
    let none = verify(&[], Some(&written.key));
    assert_eq!((none.events, none.signed, none.last), (0, None, None));
}

#[test]
fn files_are_bound_to_each_other_and_to_their_node() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let size = Rotation {
        size: Some(1),
        age: None,
    };
    let trail = TrailFile::open(&path, &folder.path().join("audit.key"), size).unwrap();
    for _ in 0..3 {
        record(&trail, 2);
        trail.tend(at(0)).unwrap();
    }
    let files: Vec<PathBuf> = rotated(&path)
        .unwrap()
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(files.len(), 3);
    let texts: Vec<Vec<u8>> = files
        .iter()
        .chain([&path])
        .map(|path| fs::read(path).unwrap())
        .collect();
    let foreign = Written::new().lines.join("\n") + "\n";
    let without_last = |text: &[u8]| {
        let end = text[..text.len() - 1]
            .iter()
            .rposition(|octet| *octet == b'\n')
            .unwrap();
        text[..=end].to_vec()
    };
    let cases: [FilesCase; 5] = [
        ("all", texts.clone(), &[]),
        (
            "one is not given",
            vec![texts[0].clone(), texts[2].clone(), texts[3].clone()],
            &[("1", 1, "file_missing")],
        ),
        (
            "the end of one is cut off",
            vec![texts[0].clone(), without_last(&texts[1]), texts[2].clone()],
            &[("2", 1, "file_missing")],
        ),
        (
            "one of another node",
            vec![texts[0].clone(), foreign.into_bytes()],
            &[
                ("1", 1, "other_node"),
                ("1", 1, "chain_begins_anew"),
                ("1", 1, "other_key"),
            ],
        ),
        (
            "in another order",
            vec![texts[1].clone(), texts[0].clone()],
            &[("1", 1, "chain_begins_anew")],
        ),
    ];
    for (name, texts, want) in cases {
        let mut verification = Verification::new(Some(trail.key().public_jwk()));
        for (number, text) in texts.iter().enumerate() {
            verification
                .file(&number.to_string(), text.as_slice(), &mut |_octets| {})
                .unwrap();
        }
        let report = verification.finish();
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|f| (f.file.as_str(), f.line, f.fault.name()))
            .collect();
        assert!(found.starts_with(want), "{name}: {found:?}");
        assert_eq!(report.is_sound(), want.is_empty(), "{name}");
    }
}

#[test]
fn a_key_is_taken_from_the_trail_only_if_none_is_given() {
    let written = Written::new();
    let own = verify(&written.lines, None);
    assert!(own.is_sound());
    assert_eq!(own.kid, Some(written.key.thumbprint().to_string()));
    let other = NodeKey::of(&PrivateKey::generate(ALGORITHM).unwrap()).unwrap();
    let report = verify(&written.lines, Some(other.public_jwk()));
    assert_eq!(names(&report)[..2], [(1, "other_node"), (1, "other_key")]);
    let es256 = PrivateKey::generate(sealstone_jose::Algorithm::Es256).unwrap();
    assert!(names(&verify(&written.lines, Some(es256.public_jwk()))).contains(&(1, "no_key")));
    // The line with the key is not among them.
    assert_eq!(
        names(&verify(&written.lines[1..], None)),
        [(5, "no_key"), (11, "no_key")]
    );
    assert_eq!(
        NodeKey::load(&written.key_file()).unwrap().public_jwk(),
        &written.key
    );
}

#[test]
fn findings_and_memory_are_bounded() {
    let nonsense = "x\n".repeat(50_000);
    let mut verification = Verification::new(None);
    verification
        .file("f", nonsense.as_bytes(), &mut |_octets| {})
        .unwrap();
    let long = "y".repeat(3 * Line::LONGEST) + "\n";
    verification
        .file("g", long.as_bytes(), &mut |_octets| {})
        .unwrap();
    let report = verification.finish();
    assert_eq!(report.findings.len(), 21);
    assert_eq!(report.more, 49_980);
    assert_eq!(report.findings[20].fault, Fault::NoEvent(LineError::TooLong));
}

#[test]
fn hostile_lines_are_no_events() {
    let line = Written::new().lines.remove(5);
    let chain = r#""name":"chain""#;
    let twice = line.replacen(r#""attachments":["#, &format!(r#""attachments":[{{"content":{{"node":"AAAAAAAAAAAAAAAA","previous":"{}","sequence":1}},{chain},"typeURI":"x"}},"#, "0".repeat(64)), 1);
    let cases = [
        ("", LineError::NoEvent),
        ("null", LineError::NoEvent),
        ("[]", LineError::NoEvent),
        (&"[".repeat(60_000), LineError::NoEvent),
        (&line[..line.len() - 1], LineError::NoEvent),
        (&format!("{line}{line}"), LineError::NoEvent),
        (&twice, LineError::Link),
        (&line.replace(chain, r#""name":"other""#), LineError::Unchained),
        (
            &line.replace(r#""sequence":6"#, r#""sequence":-6"#),
            LineError::Link,
        ),
        (
            &line.replace(r#""sequence":6"#, r#""sequence":6.5"#),
            LineError::Link,
        ),
        (
            &line.replace(r#""sequence":6"#, r#""sequence":99999999999999999999"#),
            LineError::Link,
        ),
        (&line.replace("2026-01-02T", "2026-13-02T"), LineError::NoEvent),
        (
            &line.replace(r#""signature":""#, r#""signature":"%"#),
            LineError::Link,
        ),
        (&line.replace(r#""node":""#, r#""node":"\n"#), LineError::Link),
    ];
    for (text, want) in cases {
        assert_eq!(Line::parse(text.as_bytes()).unwrap_err(), want, "{text:.200}");
    }
    assert!(Line::parse(line.as_bytes()).unwrap().checkpoint.is_some());
}
