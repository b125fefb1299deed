use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::UserId;
use zeroize::Zeroizing;

use super::{Challenge, ChallengeMode};

fn challenge() -> Challenge {
    Challenge::new(
        UserId::parse("u1").unwrap(),
        Zeroizing::new("hush-transaction".into()),
        vec![ChallengeMode::Push, ChallengeMode::Code, ChallengeMode::Push],
        UnixTime::since_unix_epoch(Duration::from_secs(9)),
    )
}

#[test]
fn a_challenge_is_read_as_written_and_shows_nothing() {
    let challenge = challenge().with_message("please enter otp");
    assert_eq!(challenge.modes(), [ChallengeMode::Code, ChallengeMode::Push]);
    let text = serde_json::to_string(&challenge).unwrap();
    assert_eq!(serde_json::from_str::<Challenge>(&text).unwrap(), challenge);
    assert!(!format!("{challenge:?}").contains("hush"));
}

#[test]
fn what_the_authority_says_is_cut_to_text() {
    let said = challenge().with_message(&format!("a\r\n\0{}", "b".repeat(1_000)));
    let message = said.message().unwrap();
    assert!(message.starts_with("ab") && message.chars().count() == Challenge::MAX_MESSAGE);
    assert_eq!(challenge().with_message("\n").message(), None);
}
