use super::*;
use crate::secret::ClientSecretText;

fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

fn text(fill: u8) -> ClientSecretText {
    ClientSecretText::from_random([fill; 32])
}

fn good(set: &SecretSet, fill: u8, secs: u64) -> bool {
    set.verify(&pepper(), text(fill).secret(), at(secs))
}

#[test]
fn one_secret_is_good_until_it_expires() {
    let endless = SecretSet::new(text(1).hash(&pepper()), None);
    assert!(good(&endless, 1, 0) && good(&endless, 1, u64::MAX) && !good(&endless, 2, 0));
    let ending = SecretSet::new(text(1).hash(&pepper()), Some(at(100)));
    assert!(good(&ending, 1, 99) && !good(&ending, 1, 100) && !good(&ending, 1, 101));
}

#[test]
fn the_decoy_refuses_everything_at_every_time() {
    for secs in [0, 1, u64::MAX] {
        assert!(!good(&SecretSet::decoy(), 0, secs) && !good(&SecretSet::decoy(), 1, secs));
    }
}

/// O16: the old secret dies at the end of its overlap, and the overlap is bounded.
#[test]
fn o16_the_old_secret_dies_with_its_overlap() {
    let set = SecretSet::new(text(1).hash(&pepper()), None);
    let day = Duration::from_secs(86_400);
    let rotated = set
        .rotate(text(2).hash(&pepper()), None, day, at(1_000))
        .expect("rotation");
    assert!(good(&rotated, 1, 87_399) && good(&rotated, 2, 87_399));
    assert!(!good(&rotated, 1, 87_400) && good(&rotated, 2, 87_400));
    assert_eq!(rotated.previous_expires_at().map(|t| t.as_secs()), Some(87_400));

    let at_limit = set.rotate(text(2).hash(&pepper()), None, MAX_SECRET_OVERLAP, at(1_000));
    assert!(at_limit.is_ok());
    let over = MAX_SECRET_OVERLAP + Duration::from_secs(1);
    let refused = set.rotate(text(2).hash(&pepper()), None, over, at(1_000));
    assert_eq!(refused, Err(RotationError::OverlapTooLong { asked: over }));
}

#[test]
fn a_second_rotation_drops_the_oldest_and_an_emergency_drops_the_old_one_at_once() {
    let day = Duration::from_secs(86_400);
    let set = SecretSet::new(text(1).hash(&pepper()), None);
    let set = set
        .rotate(text(2).hash(&pepper()), None, day, at(1_000))
        .expect("rotation");
    let set = set
        .rotate(text(3).hash(&pepper()), None, day, at(1_001))
        .expect("rotation");
    assert!(!good(&set, 1, 1_001) && good(&set, 2, 1_001) && good(&set, 3, 1_001));
    let set = set
        .rotate(text(4).hash(&pepper()), None, Duration::ZERO, at(1_002))
        .expect("rotation");
    assert!(!good(&set, 2, 1_002) && !good(&set, 3, 1_002) && good(&set, 4, 1_002));
    assert_eq!(set.previous_expires_at(), None);
}

#[test]
fn an_overlap_never_prolongs_a_secret_beyond_its_own_expiry() {
    let set = SecretSet::new(text(1).hash(&pepper()), Some(at(1_010)));
    let day = Duration::from_secs(86_400);
    let rotated = set
        .rotate(text(2).hash(&pepper()), Some(at(9_999)), day, at(1_000))
        .expect("rotation");
    assert!(good(&rotated, 1, 1_009) && !good(&rotated, 1, 1_010));
    let late = set
        .rotate(text(2).hash(&pepper()), None, day, at(1_010))
        .expect("rotation");
    assert_eq!(late.previous_expires_at(), None);
}

#[test]
fn a_rotation_to_the_same_or_to_an_expired_secret_is_refused() {
    let set = SecretSet::new(text(1).hash(&pepper()), None);
    let same = set.rotate(text(1).hash(&pepper()), None, Duration::ZERO, at(5));
    assert_eq!(same, Err(RotationError::Unchanged));
    let dead = set.rotate(text(2).hash(&pepper()), Some(at(5)), Duration::ZERO, at(5));
    assert_eq!(dead, Err(RotationError::AlreadyExpired));
}
