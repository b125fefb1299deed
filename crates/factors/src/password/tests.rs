use super::*;

fn set(text: &str) -> PasswordHash {
    NewPassword::parse(text).unwrap().hash([5; 16]).unwrap()
}

#[test]
fn a_password_is_matched_by_itself_alone() {
    let hash = set("correct horse");
    assert!(hash.matches("correct horse").unwrap());
    for wrong in [
        "",
        "correct hors",
        "correct horse ",
        "Correct horse",
        "correct\u{a0}horse",
        "correct horse\0",
        &"x".repeat(100_000),
        hash.expose(),
    ] {
        assert!(!hash.matches(wrong).unwrap(), "{wrong:.40}");
    }
    let salted = NewPassword::parse("correct horse")
        .unwrap()
        .hash([6; 16])
        .unwrap();
    assert_ne!(salted, hash);
    assert!(salted.matches("correct horse").unwrap());
}

/// RFC 8265 §4.2: what two keyboards type is one password.
#[test]
fn composed_and_decomposed_letters_are_one_password() {
    let hash = set("gr\u{fc}\u{df}e gott");
    assert!(hash.matches("gru\u{308}\u{df}e gott").unwrap());
    assert!(!hash.matches("gru\u{df}e gott").unwrap());
    assert!(!hash.matches("gr\u{fc}SSe gott").unwrap());
}

/// The longest that may be set is told from one that goes on behind it.
#[test]
fn a_password_of_the_greatest_length_is_compared_whole() {
    let longest = format!("{}y", "x".repeat(MAX_PASSWORD_LENGTH - 1));
    let hash = set(&longest);
    assert!(hash.matches(&longest).unwrap());
    assert!(!hash.matches(&format!("{longest}z")).unwrap());
    assert!(!hash.matches(&longest[..MAX_PASSWORD_LENGTH - 1]).unwrap());
    // Cut within a character of two octets.
    assert!(
        !hash
            .matches(&format!("a{}", "é".repeat(MAX_PASSWORD_LENGTH)))
            .unwrap()
    );
}

#[test]
fn passwords_that_may_not_be_set_are_named() {
    for good in [
        "12345678",
        "pässwörd",
        "        x",
        "東京東京東京東京",
        &"ab".repeat(512),
    ] {
        assert!(NewPassword::parse(good).is_ok(), "{good:.40}");
    }
    for (text, want) in [
        ("", PasswordFault::TooShort),
        ("1234567", PasswordFault::TooShort),
        ("pa\u{308}sswo", PasswordFault::TooShort),
        (&"x".repeat(MAX_PASSWORD_LENGTH + 1), PasswordFault::TooLong),
        ("password\n", PasswordFault::Control),
        ("pass\0word", PasswordFault::Control),
        ("aaaaaaaaaaaa", PasswordFault::OneCharacter),
        ("        ", PasswordFault::OneCharacter),
    ] {
        assert_eq!(NewPassword::parse(text).unwrap_err(), want, "{text:.40}");
    }
}

#[test]
fn what_is_stored_is_a_phc_string_of_our_parameters() {
    let hash = set("correct horse");
    let parts: Vec<&str> = hash.expose().split('$').collect();
    assert_eq!(parts[1..4], ["argon2id", "v=19", "m=19456,t=2,p=1"]);
    let stored = serde_json::to_string(&hash).unwrap();
    assert_eq!(serde_json::from_str::<PasswordHash>(&stored).unwrap(), hash);
}

/// The command-line program of the Argon2 reference implementation writes these; so do other directories.
#[test]
fn hashes_of_other_systems_are_taken_within_bounds() {
    let salt = "c29tZXNhbHRzb21lc2FsdA";
    let output = "A".repeat(43);
    for (parameters, want) in [
        ("argon2id$v=19$m=19456,t=2,p=1", Ok(())),
        ("argon2id$v=19$m=65536,t=3,p=4", Ok(())),
        ("argon2id$v=19$m=7168,t=5,p=1", Ok(())),
        ("argon2id$v=19$m=262144,t=16,p=16", Ok(())),
        ("argon2id$v=19$m=64,t=1,p=1", Err(HashFault::Parameters)),
        ("argon2id$v=19$m=4194304,t=2,p=1", Err(HashFault::Parameters)),
        ("argon2id$v=19$m=19456,t=1000,p=1", Err(HashFault::Parameters)),
        ("argon2id$v=19$m=19456,t=2,p=64", Err(HashFault::Parameters)),
        ("argon2id$v=19$m=19456,t=0,p=1", Err(HashFault::Parameters)),
        ("argon2id$v=19$m=19456,t=2,p=1,x=1", Err(HashFault::Parameters)),
        (
            "argon2id$v=19$m=19456,t=2,p=1,keyid=AAAA",
            Err(HashFault::Parameters),
        ),
        ("argon2id$v=16$m=19456,t=2,p=1", Err(HashFault::Function)),
        ("argon2i$v=19$m=19456,t=2,p=1", Err(HashFault::Function)),
        ("argon2d$v=19$m=19456,t=2,p=1", Err(HashFault::Function)),
        ("scrypt$ln=16,r=8,p=1", Err(HashFault::Function)),
    ] {
        let text = format!("${parameters}${salt}${output}");
        assert_eq!(PasswordHash::parse(&text).map(|_hash| ()), want, "{text}");
    }
    for text in [
        "",
        "correct horse",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=19456,t=2,p=1",
        &format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"),
        &format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$AAAA"),
        &format!("$argon2id$v=19$m=19456,t=2,p=1$AAAA${output}"),
        &format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${}", "A".repeat(300)),
    ] {
        assert!(PasswordHash::parse(text).is_err(), "{text}");
        assert!(
            serde_json::from_value::<PasswordHash>(text.into()).is_err(),
            "{text}"
        );
    }
}

/// A hash of the reference implementation's own tests.
#[test]
fn a_hash_of_the_reference_implementation_is_matched() {
    let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let hash = PasswordHash::parse(phc).unwrap();
    assert!(hash.matches("password").unwrap());
    assert!(!hash.matches("Password").unwrap());
}

#[test]
fn a_decoy_costs_what_a_hash_costs_and_nothing_matches_it() {
    let decoy = PasswordHash::parse(PasswordHash::decoy().expose()).unwrap();
    let (params, salt, output) = parts(decoy.expose()).unwrap();
    let real = set("correct horse");
    let (of_real, real_salt, real_output) = parts(real.expose()).unwrap();
    assert_eq!(params, of_real);
    assert_eq!((salt.len(), output.len()), (real_salt.len(), real_output.len()));
    for typed in ["", "decoy", "correct horse"] {
        assert!(!decoy.matches(typed).unwrap());
    }
}

#[test]
fn no_debug_shows_a_password_or_its_hash() {
    let password = NewPassword::parse("correct horse").unwrap();
    let hash = password.hash([5; 16]).unwrap();
    let text = format!("{password:?} {hash:?}");
    assert!(!text.contains("correct") && !text.contains("argon2"), "{text}");
}
