use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn codes() -> Vec<RecoveryCode> {
    (0_u8..10).map(|n| RecoveryCode::from_octets([n; 10])).collect()
}

#[test]
fn a_code_is_taken_as_people_copy_it() {
    let code = RecoveryCode::from_octets([0x0a, 0x9f, 0xff, 0, 1, 2, 3, 4, 5, 6]);
    let shown = code.expose();
    assert_eq!(*shown, "BKP7-6AAB-AIBQ-IBIG");
    for typed in [
        shown.as_str(),
        "bkp7-6aab-aibq-ibig",
        "BKP76AABAIBQIBIG",
        " bkp7 6aab aibq ibig ",
        "BKP7-6AAB-A1BQ-1B1G",
        "8KP7-6AA8-AI8Q-I8IG",
    ] {
        assert_eq!(RecoveryCode::parse(typed).unwrap().hash(), code.hash(), "{typed}");
    }
    for wrong in [
        "",
        "BKP7-6AAB-AIBQ",
        "BKP7-6AAB-AIBQ-IBIG-A",
        "BKP7-6AAB-AIBQ-IB!G",
        "BKP7_6AAB_AIBQ_IBIG",
        "ＢKP7-6AAB-AIBQ-IBIG",
        "287082",
        &"-".repeat(65),
    ] {
        assert!(RecoveryCode::parse(wrong).is_none(), "{wrong}");
    }
}

/// R14: a recovery code is good once, too.
#[test]
fn r14_a_recovery_code_is_good_once() {
    let shown = codes();
    let mut kept = RecoveryCodes::of(&shown);
    assert!(!kept.spend(&RecoveryCode::from_octets([77; 10])));
    assert_eq!(kept.left(), RECOVERY_CODES);
    // In another order than they were shown, with the first and the last among them.
    for (spent, place) in [9_usize, 0, 5, 4, 1, 8, 2, 7, 3, 6].into_iter().enumerate() {
        assert!(kept.spend(&shown[place]), "{place}");
        assert!(!kept.spend(&shown[place]), "{place} again");
        assert_eq!(kept.left(), RECOVERY_CODES - spent - 1);
    }
    assert!(!kept.spend(&shown[0]), "none is left");
}

#[test]
fn what_is_kept_is_hashes() {
    let kept = RecoveryCodes::of(&codes());
    let stored = serde_json::to_string(&kept).unwrap();
    for code in codes() {
        let shown = code.expose();
        assert!(!stored.contains(shown.as_str()) && !stored.contains(&shown.replace('-', "")));
    }
    assert_eq!(serde_json::from_str::<RecoveryCodes>(&stored).unwrap(), kept);
    assert!(serde_json::from_str::<RecoveryCodes>("[\"AAAA\"]").is_err());
    let text = format!("{:?} {kept:?}", codes());
    assert!(!text.contains("AAAA"), "{text}");
}

proptest! {
    #[test]
    fn a_code_survives_its_text_and_two_are_not_one(octets: [u8; 10], other: [u8; 10]) {
        let code = RecoveryCode::from_octets(octets);
        let again = RecoveryCode::parse(&code.expose()).unwrap();
        prop_assert_eq!(again.hash(), code.hash());
        prop_assert_eq!(RecoveryCode::from_octets(other).hash() == code.hash(), octets == other);
    }

    #[test]
    fn whatever_parses_has_sixteen_letters(text in "[A-Za-z0-9 -]{0,24}") {
        if let Some(code) = RecoveryCode::parse(&text) {
            let shown = code.expose();
            let letters: BTreeSet<char> = shown.chars().collect();
            prop_assert_eq!(shown.len(), 19);
            prop_assert!(letters.iter().all(|c| c.is_ascii_uppercase() || ('2'..='7').contains(c) || *c == '-'));
        }
    }
}
