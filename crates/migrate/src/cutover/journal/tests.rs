use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn events() -> Vec<Event> {
    let begun = |op| Event::Begun { at: 1, op };
    let done = |op| Event::Done { at: 2, op };
    let stopped = Event::Stopped {
        at: 3,
        op: 1,
        reason: "a line\nbreak, \"quotes\" and \u{e4}".to_owned(),
    };
    vec![begun(0), done(0), begun(1), stopped, done(1)]
}

fn written() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, found) = JournalFile::open(&path).unwrap();
    assert!(found.is_empty());
    for event in events() {
        journal.append(&event).unwrap();
    }
    (folder, path)
}

#[test]
fn what_was_written_is_there_and_more_can_be_added() {
    let (_folder, path) = written();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (mut journal, found) = JournalFile::open(&path).unwrap();
    assert_eq!(found, events());
    assert!(matches!(JournalFile::open(&path), Err(JournalError::Locked(_))));
    let more = Event::Begun { at: 4, op: 2 };
    journal.append(&more).unwrap();
    drop(journal);
    let (_journal, found) = JournalFile::open(&path).unwrap();
    assert_eq!(found, [events(), vec![more]].concat());
}

/// S11: a process that is killed while it writes leaves a part of a line, which nobody went by.
#[test]
fn s11_a_line_that_is_cut_off_anywhere_was_never_written() {
    let (_folder, path) = written();
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
        let (mut journal, found) = JournalFile::open(&path).unwrap();
        assert_eq!(found, events()[..lines], "{length}");
        let more = Event::Begun { at: 9, op: 9 };
        journal.append(&more).unwrap();
        drop(journal);
        let (_journal, found) = JournalFile::open(&path).unwrap();
        assert_eq!(
            found,
            [events()[..lines].to_vec(), vec![more]].concat(),
            "{length}"
        );
    }
}

#[test]
fn what_somebody_changed_is_refused_with_its_line() {
    let (_folder, path) = written();
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let text = |lines: &[&str]| lines.concat();
    for (name, changed, line) in [
        ("a number", whole.replacen("\"op\":1", "\"op\":2", 1), 3),
        ("a line less", text(&[lines[0], lines[2], lines[3]]), 2),
        ("lines in another order", text(&[lines[1], lines[0]]), 1),
        ("a line twice", text(&[lines[0], lines[0]]), 2),
        ("the beginning missing", text(&lines[1..]), 1),
        ("the digest missing", whole.replacen(' ', "", 1), 1),
        ("another file", "[token]\nprovider = jws\n".to_owned(), 1),
        (
            "another form",
            whole.replacen("\"version\":1", "\"version\":2", 1),
            1,
        ),
        ("an empty line", format!("{}\n{}", lines[0], lines[1]), 2),
    ] {
        fs::write(&path, &changed).unwrap();
        match JournalFile::open(&path) {
            Err(JournalError::Line { line: found, .. }) => assert_eq!(found, line, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            changed,
            "{name}: it is left as it is"
        );
    }
}
