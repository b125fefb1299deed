//! What several events' one write keeps, and what it loses.

use super::*;
use crate::file::tests::{Place, at, event, targets_of};
use sealstone_audit::AuditSink as _;
use std::fs;
use std::thread;

#[test]
fn what_is_begun_is_written_with_one_write_when_the_first_receipt_is_settled() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    let receipts: Vec<Receipt> = ["b", "c", "d"]
        .map(|name| trail.begin(&event(name)).unwrap())
        .into();
    assert_eq!(targets_of(&place), ["a"]);
    assert_eq!(trail.standing().recorded, 1);
    for receipt in receipts {
        trail.settle(receipt).unwrap();
        assert_eq!(targets_of(&place), ["a", "b", "c", "d"]);
    }
    assert_eq!((trail.standing().recorded, trail.standing().failed), (4, 0));
    trail.stop(at(0)).unwrap();
    place.sound();
}

#[test]
fn what_nobody_settles_is_written_before_what_comes_next() {
    type Next = fn(&Place, &TrailFile);
    let nexts: [Next; 5] = [
        |_, trail| trail.record(&event("b")).unwrap(),
        |_, trail| trail.tend(at(0)).unwrap(),
        |_, trail| trail.stop(at(0)).unwrap(),
        |_, trail| trail.leave().unwrap(),
        |_, trail| trail.reopen().unwrap(),
    ];
    for next in nexts {
        let place = Place::new();
        let trail = place.open();
        // Its asker went away.
        drop(trail.begin(&event("a")).unwrap());
        assert!(targets_of(&place).is_empty());
        next(&place, &trail);
        assert_eq!(targets_of(&place)[0], "a");
        trail.stop(at(0)).unwrap();
        place.sound();
    }
}

#[test]
fn more_than_one_write_should_take_is_written_before_the_next_event() {
    let place = Place::new();
    let trail = place.open();
    let receipts: Vec<Receipt> = (0..200).map(|_| trail.begin(&event("a")).unwrap()).collect();
    let written = targets_of(&place).len();
    assert!((50..200).contains(&written), "{written}");
    for receipt in receipts {
        trail.settle(receipt).unwrap();
    }
    assert_eq!(targets_of(&place).len(), 200);
}

/// The write fails under those who wait: all of them are told, and the chain goes on where it stood before them.
#[test]
fn when_a_write_fails_all_who_wait_for_it_are_told_and_no_gap_is_left() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo")
        .arg(place.path())
        .status()
        .unwrap();
    assert!(made.success());
    let mut reader = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.path())
        .unwrap();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    let mut kept = vec![0; 64 * 1024];
    let length = io::Read::read(&mut reader, &mut kept).unwrap();
    let kept_as = place.0.path().join("kept");
    fs::write(&kept_as, &kept[..length]).unwrap();

    let receipts = ["b", "c"].map(|name| trail.begin(&event(name)).unwrap());
    // Nobody reads any more: a broken pipe.
    drop(reader);
    let causes = receipts.map(|receipt| {
        let error = trail.settle(receipt).unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    });
    assert!(causes[0].to_lowercase().contains("pipe"), "{}", causes[0]);
    assert!(causes[1].contains("failed"), "{}", causes[1]);
    assert_eq!((trail.standing().recorded, trail.standing().failed), (1, 2));

    fs::remove_file(place.path()).unwrap();
    trail.reopen().unwrap();
    let receipt = trail.begin(&event("d")).unwrap();
    trail.settle(receipt).unwrap();
    assert_eq!(targets_of(&place), ["d"]);
    let report = place.verify(&[kept_as, place.path()]);
    assert!(report.is_sound(), "{:?}", report.findings);
}

/// What got its place while a write was under way hangs on that write.
#[test]
fn what_was_begun_under_a_write_that_fails_is_lost_with_it() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    let first = trail.begin(&event("b")).unwrap();
    let outgoing = trail.state().take_pending().unwrap();
    let second = trail.begin(&event("c")).unwrap();
    let failed = Written {
        octets: 0,
        result: Err(io::ErrorKind::StorageFull.into()),
    };
    trail.state().wrote(&trail, outgoing, failed).unwrap_err();
    for receipt in [first, second] {
        trail.settle(receipt).unwrap_err();
    }
    let third = trail.begin(&event("d")).unwrap();
    trail.settle(third).unwrap();
    assert_eq!(targets_of(&place), ["a", "d"]);
    trail.stop(at(0)).unwrap();
    place.sound();
}

/// A part of it may stand there: what is whole stays an event, what is torn is set aside, and no asker takes it for kept.
#[test]
fn what_a_full_disk_left_of_several_events_is_found() {
    let place = Place::new();
    let trail = place.open();
    trail.record(&event("a")).unwrap();
    let receipts = ["b", "c"].map(|name| trail.begin(&event(name)).unwrap());
    let outgoing = trail.state().take_pending().unwrap();
    let lines = outgoing.lines().to_vec();
    let first = lines.iter().position(|octet| *octet == b'\n').unwrap();
    let taken = &lines[..first + 100];
    let mut file = fs::OpenOptions::new().append(true).open(place.path()).unwrap();
    file.write_all(taken).unwrap();
    let failed = Written {
        octets: taken.len(),
        result: Err(io::ErrorKind::StorageFull.into()),
    };
    trail.state().wrote(&trail, outgoing, failed).unwrap_err();
    for receipt in receipts {
        trail.settle(receipt).unwrap_err();
    }
    trail.record(&event("d")).unwrap();
    trail.stop(at(0)).unwrap();
    assert_eq!(place.sound().mended, 1);
}

#[test]
fn many_threads_find_their_events_written_when_they_are_told_so() {
    let place = Place::new();
    let trail = place.open();
    thread::scope(|scope| {
        for worker in 0..4 {
            let (trail, place) = (&trail, &place);
            scope.spawn(move || {
                for number in 0..50 {
                    let name = format!("{worker}-{number}");
                    let receipt = trail.begin(&event(&name)).unwrap();
                    if number % 3 == 0 {
                        thread::yield_now();
                    }
                    trail.settle(receipt).unwrap();
                    let text = fs::read_to_string(place.path()).unwrap();
                    assert!(text.contains(&format!("\"{name}\"")), "{name}");
                    if number % 10 == 0 {
                        trail.tend(at(0)).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(trail.standing().recorded, 200);
    trail.stop(at(0)).unwrap();
    assert!(place.sound().is_sound());
}
