use super::*;
use crate::{Ending, Report, Verification, rotated};
use sealstone_audit::{Action, Actor, EventId, Outcome, Target};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

const NOW: u64 = 1_767_322_984;

pub(super) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW + seconds))
}

pub(super) fn event(client: &str) -> Event<'_> {
    Event {
        id: EventId::from_random([7; 16]),
        time: at(0),
        action: Action::UpdateClient,
        outcome: Outcome::Success,
        reason: None,
        initiator: Actor::default(),
        target: Target::Client(client.into()),
        request_id: "r".into(),
    }
}

pub(super) struct Place(pub(super) tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("audit.jsonl")
    }

    pub(super) fn open(&self) -> TrailFile {
        self.open_with(Rotation::default())
    }

    pub(super) fn open_with(&self, rotation: Rotation) -> TrailFile {
        TrailFile::open(&self.path(), &self.0.path().join("audit.key"), rotation).unwrap()
    }

    /// Rotated files and the one that is written on.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let rotated = rotated(&self.path()).unwrap().into_iter().map(|(_, path)| path);
        rotated.chain([self.path()]).collect()
    }

    pub(super) fn verify(&self, files: &[PathBuf]) -> Report {
        let key = NodeKey::load(&self.0.path().join("audit.key")).unwrap();
        let mut verification = Verification::new(Some(key.public_jwk()));
        for path in files {
            let text = fs::read(path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            verification
                .file(&name, text.as_slice(), &mut |_octets| {})
                .unwrap();
        }
        verification.finish()
    }

    pub(super) fn sound(&self) -> Report {
        let report = self.verify(&self.files());
        assert!(report.is_sound(), "{:#?}", report.findings);
        report
    }
}

/// The events that are not the trail's own, by their target.
fn targets(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["target"]["typeURI"] == "data/security/account")
        .map(|event| event["target"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_line_is_canonical_and_linked_to_the_one_before() {
    let place = Place::new();
    let trail = place.open();
    for name in ["a", "b\"\n\u{2028}", "c"] {
        trail.record(&event(name)).unwrap();
    }
    trail.stop(at(1)).unwrap();
    let text = fs::read_to_string(place.path()).unwrap();
    let mut previous = "0".repeat(64);
    for (number, line) in text.lines().enumerate() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(sealstone_audit::canonical(&event).unwrap(), line.as_bytes());
        let link = &event["attachments"][0]["content"];
        assert_eq!(link["sequence"], number + 1);
        assert_eq!(link["previous"], previous);
        previous = Hash::of(line.as_bytes()).to_string();
    }
    let report = place.sound();
    assert_eq!((report.events, report.checkpoints, report.unsigned), (5, 2, 0));
    assert_eq!(report.ending, Ending::Stopped);
}

/// S19: whatever outsiders choose is escaped: it can't begin a line, nor look like a link of the chain.
#[test]
fn s19_a_forged_newline_stays_inside_its_field() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("right")).unwrap();
    let forged = "x\"},\"outcome\":\"success\"}\n{\"typeURI\":\"forged\"}\r\n\u{2028}";
    trail.record(&event(forged)).unwrap();
    trail
        .record(&Event {
            request_id: forged.into(),
            ..event("b")
        })
        .unwrap();
    trail.stop(at(0)).unwrap();
    assert_eq!(targets(&place.path()), ["right", forged, "b"]);
    assert_eq!(place.sound().events, 5);
}

/// S06: the key that signs the trail is in its own file alone.
#[test]
fn s06_the_audit_key_is_in_no_trail_and_no_debug_text() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    trail.stop(at(0)).unwrap();
    let pem = fs::read_to_string(place.0.path().join("audit.key")).unwrap();
    let secret: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    // PKCS#8 of Ed25519 ends with the 32 octets of the seed.
    let shown = format!(
        "{trail:?} {:?} {}",
        trail.key(),
        fs::read_to_string(place.path()).unwrap()
    );
    assert!(secret.len() > 60 && !shown.contains(&secret[22..62]));
    assert!(!shown.contains("\"d\":"));
}

#[test]
fn lines_of_several_writers_are_one_chain() {
    const EACH: usize = 400;
    let place = Place::new();
    let trails = [place.open(), place.open(), place.open()];
    let names = ["a".repeat(64), "b".repeat(3_000), "c".to_owned()];
    thread::scope(|scope| {
        for (trail, name) in trails.iter().zip(&names) {
            scope.spawn(move || {
                for _ in 0..EACH {
                    trail.record(&event(name)).unwrap();
                    trail.tend(at(0)).unwrap();
                }
                trail.stop(at(0)).unwrap();
            });
        }
    });
    let found = targets(&place.path());
    for name in &names {
        assert_eq!(found.iter().filter(|found| *found == name).count(), EACH);
    }
    place.sound();
}

#[test]
fn the_file_is_its_owners_alone_and_keeps_what_it_has() {
    let place = Place::new();
    place.open().record(&event("a")).unwrap();
    for name in [
        "audit.jsonl",
        "audit.key",
        ".audit.jsonl.lock",
        ".audit.jsonl.turn",
    ] {
        let mode = fs::metadata(place.0.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    place.open().record(&event("b")).unwrap();
    assert_eq!(targets(&place.path()), ["a", "b"]);
    place.sound();
}

#[test]
fn checkpoints_come_by_number_and_by_time() {
    let place = Place::new();
    let trail = place.open();
    let signed = || trail.standing().signed;
    trail.record(&event("a")).unwrap();
    assert_eq!(signed(), 1, "a file begins with one");
    trail.tend(at(9)).unwrap();
    assert_eq!(signed(), 1);
    trail.tend(at(10)).unwrap();
    assert_eq!(signed(), 3);
    trail.tend(at(1_000)).unwrap();
    assert_eq!(signed(), 3, "nothing has come");
    for _ in 0..10_000 {
        trail.record(&event("a")).unwrap();
    }
    trail.tend(at(10)).unwrap();
    assert_eq!(signed(), 10_004);
    place.sound();
}

#[test]
fn files_are_rotated_by_size_and_by_age_and_the_chain_goes_on() {
    let cases = [
        (
            Rotation {
                size: Some(3_000),
                age: None,
            },
            0,
        ),
        (
            Rotation {
                size: None,
                age: Some(Duration::from_secs(60)),
            },
            60,
        ),
    ];
    for (rotation, later) in cases {
        let place = Place::new();
        let trail = place.open_with(rotation);
        for round in 0..3 {
            for _ in 0..5 {
                trail
                    .record(&Event {
                        time: at(round * later),
                        ..event("a")
                    })
                    .unwrap();
            }
            trail.tend(at((round + 1) * later)).unwrap();
        }
        trail.record(&event("a")).unwrap();
        let files = place.files();
        assert_eq!(files.len(), 4);
        let first = files[1].to_string_lossy().into_owned();
        assert!(first.ends_with("audit.jsonl.0000000000000008"), "{first}");
        let report = place.sound();
        assert_eq!((report.first, report.last), (Some(1), Some(23)));
        // A process that starts anew goes on too, and also from an empty file.
        drop(trail);
        place.open_with(rotation).record(&event("b")).unwrap();
        fs::remove_file(place.path()).unwrap();
        place.open_with(rotation).record(&event("b")).unwrap();
        assert_eq!(place.sound().last, Some(23));
        // A file that is taken away is missed.
        let report = place.verify(&[files[0].clone(), files[2].clone()]);
        assert_eq!(
            report.findings[0].fault.name(),
            "file_missing",
            "{:?}",
            report.findings
        );
        assert_eq!(report.findings[0].line, 1);
    }
}

/// Other measures count for the file that is written now.
#[test]
fn measures_of_a_file_are_changed_while_it_is_written() {
    let place = Place::new();
    let trail = place.open_with(Rotation::default());
    let recorded = |seconds| {
        let event = Event {
            time: at(seconds),
            ..event("a")
        };
        trail.record(&event).unwrap();
        trail.tend(at(seconds)).unwrap();
        place.files().len()
    };
    for _ in 0..5 {
        assert_eq!(recorded(1_000), 1, "nothing was said of size or age");
    }
    trail.set_rotation(Rotation {
        size: Some(1_000),
        age: None,
    });
    assert_eq!(recorded(1_000), 2, "it is too large at once");
    trail.set_rotation(Rotation {
        size: None,
        age: Some(Duration::from_secs(60)),
    });
    assert_eq!(recorded(1_059), 2);
    assert_eq!(recorded(1_060), 3);
    trail.set_rotation(Rotation::default());
    assert_eq!(recorded(9_000), 3);
    place.sound();
}

#[test]
fn after_a_rotation_by_others_the_path_is_opened_anew() {
    let place = Place::new();
    let old = place.0.path().join("old");
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    fs::rename(place.path(), &old).unwrap();
    trail.record(&event("b")).unwrap();
    trail.reopen().unwrap();
    trail.record(&event("c")).unwrap();
    assert_eq!(
        (targets(&old), targets(&place.path())),
        (vec!["a".into(), "b".into()], vec!["c".into()])
    );
    let report = place.verify(&[old, place.path()]);
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_gap() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    let kept = place.0.path().join("kept");
    fs::rename(place.path(), &kept).unwrap();
    std::os::unix::fs::symlink("/dev/full", place.path()).unwrap();
    trail.reopen().unwrap();
    let error = trail.record(&event("lost")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap();
    let cause: &io::Error = cause.downcast_ref().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
    assert_eq!((trail.standing().recorded, trail.standing().failed), (1, 1));
    fs::remove_file(place.path()).unwrap();
    trail.reopen().unwrap();
    trail.record(&event("b")).unwrap();
    let report = place.verify(&[kept, place.path()]);
    assert!(report.is_sound(), "{:?}", report.findings);
}

/// A kill, a full disk or a power failure leaves the last line torn at any octet: the next writer sets it aside.
#[test]
fn a_torn_line_is_mended_wherever_it_ends() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    trail.record(&event("torn")).unwrap();
    trail.stop(at(0)).unwrap();
    drop(trail);
    let whole = fs::read(place.path()).unwrap();
    let starts: Vec<usize> = (0..whole.len())
        .filter(|at| *at == 0 || whole[at - 1] == b'\n')
        .collect();
    let (second, third, fourth) = (starts[1], starts[2], starts[3]);
    assert!(second < third);
    for end in third..fourth {
        fs::write(place.path(), &whole[..end]).unwrap();
        let trail = place.open();
        trail.record(&event("b")).unwrap();
        trail.stop(at(0)).unwrap();
        let report = place.sound();
        // Whole lines stay events; all but the line's end is whole, too.
        let torn = end != third && end != fourth - 1;
        assert_eq!(report.mended, u64::from(torn), "at {end}");
        // What was set aside is still there, and can't be changed.
        if torn {
            let mut text = fs::read(place.path()).unwrap();
            text[third] ^= 1;
            fs::write(place.path(), &text).unwrap();
            assert!(!place.verify(&place.files()).is_sound(), "at {end}");
            // A receiver never had it: what it has is right without.
            let rest: Vec<&[u8]> = text.split_inclusive(|octet| *octet == b'\n').collect();
            fs::write(place.path(), [&rest[..2], &rest[3..]].concat().concat()).unwrap();
            assert!(place.verify(&place.files()).is_sound(), "at {end}");
        }
    }
}

#[test]
fn what_is_torn_twice_is_mended_once() {
    let place = Place::new();
    place.open().record(&event("a")).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(place.path()).unwrap();
    file.write_all(b"{\"action\":\"torn\n{\"action\":\"upd").unwrap();
    place.open().record(&event("b")).unwrap();
    assert_eq!(place.sound().mended, 1);
}

#[test]
fn a_closed_trail_records_nothing_and_says_why() {
    let place = Place::new();
    let trail = place.open();
    trail.close(true);
    let error = trail.record(&event("a")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("too far behind"), "{cause}");
    assert!(trail.standing().closed && targets_of(&place).is_empty());
    trail.close(false);
    trail.record(&event("b")).unwrap();
    assert_eq!(targets_of(&place), ["b"]);
}

pub(super) fn targets_of(place: &Place) -> Vec<String> {
    if fs::metadata(place.path()).unwrap().len() == 0 {
        return Vec::new();
    }
    targets(&place.path())
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused() {
    let place = Place::new();
    drop(place.open());
    let key = place.0.path().join("audit.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let open = || TrailFile::open(&place.path(), &key, Rotation::default());
    let error = open().unwrap_err().to_string();
    assert!(
        error.contains("mode 640") && error.contains("chmod 600"),
        "{error}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(
        &key,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    let error = open().unwrap_err().to_string();
    assert!(error.contains("no Ed25519 key"), "{error}");
}

/// A node whose key was made anew says so at once, and the trail tells where.
#[test]
fn another_key_is_another_node() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    trail.stop(at(0)).unwrap();
    let before = trail.key().public_jwk().clone();
    drop(trail);
    fs::remove_file(place.0.path().join("audit.key")).unwrap();
    place.open().record(&event("b")).unwrap();
    let text = fs::read(place.path()).unwrap();
    let mut verification = Verification::new(Some(&before));
    verification
        .file("f", text.as_slice(), &mut |_octets| {})
        .unwrap();
    let names: Vec<_> = verification
        .finish()
        .findings
        .iter()
        .map(|found| (found.line, found.fault.name()))
        .collect();
    assert_eq!(names, [(4, "other_node"), (4, "other_key")]);
}
