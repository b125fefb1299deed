//! Rows of group S of the attack catalogue that concern Keystone's tokens and their keys.

#[path = "support/folders.rs"]
mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use sealstone_fernet::{
    AuditId, DecodeError, FernetKey, FernetKeys, FernetReceipts, FernetRepository, FernetTokens, Iv,
    JwsAlgorithm, JwsPrivateKey, JwsRepository, JwsTokenIssuer, JwsTokenReader, KeyError, KeystoneId, ReadAt,
    RepositoryError, Scope, TokenClaims, TokenSubject,
};
use support::{at, methods, names, node, restrict};

const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const NOW: u64 = 1_795_302_749;

fn keys() -> FernetKeys {
    FernetKeys::new(vec![FernetKey::parse(KEY).unwrap()]).unwrap()
}

fn tokens() -> FernetTokens {
    FernetTokens::new(keys(), methods(), id("default"))
}

fn id(text: &str) -> KeystoneId {
    KeystoneId::parse(text).unwrap()
}

fn claims() -> TokenClaims {
    TokenClaims {
        subject: TokenSubject::new(
            id("451f13c616a94105ba37aae4469c6963"),
            &["password"],
            Scope::Project(id("c01ec4b87d21437eab890b4776ab6212")),
        ),
        audit_ids: AuditId::new([9; 16]).into(),
        issued_at: at(NOW),
        expires_at: at(NOW + 3600),
    }
}

fn token() -> String {
    tokens().issue(&claims(), Iv::new([1; 16])).unwrap()
}

fn is_unsafe<T>(result: Result<T, RepositoryError>) -> bool {
    matches!(result, Err(RepositoryError::Unsafe { .. }))
}

fn fernet_repository(folder: &Path) -> FernetRepository {
    let repository = FernetRepository::new(folder.join("fernet"), 3).unwrap();
    repository.create(&node("a"), at(0)).unwrap();
    repository
}

fn jws_repository(folder: &Path) -> JwsRepository {
    restrict(folder, 0o700);
    let repository = JwsRepository::new(folder.join("private"), folder.join("public"));
    repository.create(JwsAlgorithm::Es256, &node("a"), at(0)).unwrap();
    repository
}

/// What happens to the file of a key.
type Damage = fn(&Path);
type Expected = fn(&RepositoryError) -> bool;

#[test]
fn s05_fernet_key_files_that_others_reach_or_that_are_damaged() {
    let cases: [(&str, Damage, Expected); 13] = [
        ("readable by the group", |key| restrict(key, 0o640), unsafe_fault),
        ("readable by all", |key| restrict(key, 0o604), unsafe_fault),
        ("writable by the group", |key| restrict(key, 0o620), unsafe_fault),
        (
            "folder open to the group",
            |key| restrict(key.parent().unwrap(), 0o750),
            unsafe_fault,
        ),
        (
            "folder open to all",
            |key| restrict(key.parent().unwrap(), 0o707),
            unsafe_fault,
        ),
        (
            "a symbolic link",
            |key| {
                let away = key.parent().unwrap().with_file_name("away");
                fs::rename(key, &away).unwrap();
                symlink(&away, key).unwrap();
            },
            unsafe_fault,
        ),
        (
            "a folder",
            |key| {
                fs::remove_file(key).unwrap();
                fs::create_dir(key).unwrap();
            },
            unsafe_fault,
        ),
        ("empty", |key| fs::write(key, "").unwrap(), damaged),
        (
            "truncated",
            |key| {
                let text = fs::read(key).unwrap();
                fs::write(key, &text[..40]).unwrap();
            },
            damaged,
        ),
        (
            "with something after it",
            |key| {
                let text = fs::read_to_string(key).unwrap();
                fs::write(key, text + "\n\n").unwrap();
            },
            damaged,
        ),
        (
            "a megabyte",
            |key| fs::write(key, vec![b'A'; 1 << 20]).unwrap(),
            damaged,
        ),
        ("no text", |key| fs::write(key, [0xff; 44]).unwrap(), damaged),
        (
            "two that are both the highest",
            |key| {
                fs::copy(key, key.with_file_name("01")).unwrap();
            },
            |error| matches!(error, RepositoryError::OddName { .. }),
        ),
    ];
    for (name, damage, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let repository = fernet_repository(folder.path());
        damage(&repository.path().join("1"));
        let error = repository.load().expect_err(name);
        assert!(expected(&error), "{name}: {error}");
        assert!(
            repository.rotate(&node("a"), at(1)).is_err(),
            "{name}: and nothing is built on it"
        );
        if let Ok(report) = repository.check(&node("a")) {
            assert!(!report.faults.is_empty(), "{name}");
        }
    }
}

fn unsafe_fault(error: &RepositoryError) -> bool {
    matches!(error, RepositoryError::Unsafe { .. })
}

fn damaged(error: &RepositoryError) -> bool {
    matches!(
        error,
        RepositoryError::Key {
            source: KeyError::Fernet | KeyError::TooLong { .. },
            ..
        }
    )
}

#[test]
fn s05_a_repository_that_is_a_link_or_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet_repository(folder.path());
    let link = folder.path().join("link");
    symlink(repository.path(), &link).unwrap();
    assert!(is_unsafe(FernetRepository::new(&link, 3).unwrap().load()));
    let file = repository.path().join("1");
    assert!(is_unsafe(FernetRepository::new(file, 3).unwrap().load()));
    let nowhere = FernetRepository::new(folder.path().join("nowhere"), 3).unwrap();
    assert!(matches!(nowhere.load(), Err(RepositoryError::Io { .. })));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    restrict(&empty, 0o700);
    let empty = FernetRepository::new(empty, 3).unwrap();
    assert!(matches!(empty.load(), Err(RepositoryError::Empty { .. })));
}

#[test]
fn s05_names_that_only_keystone_takes_for_numbers() {
    for name in ["01", "+1", "-1", "1_0", " 7", "\u{0663}"] {
        let folder = tempfile::tempdir().unwrap();
        let repository = fernet_repository(folder.path());
        fs::copy(repository.path().join("1"), repository.path().join(name)).unwrap();
        let loaded = repository.load();
        assert!(
            matches!(loaded, Err(RepositoryError::OddName { .. })),
            "{name:?}: {loaded:?}"
        );
    }
    // What both skip.
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet_repository(folder.path());
    for name in ["0.tmp", "README", "1.bak", ".1"] {
        fs::write(repository.path().join(name), "x").unwrap();
    }
    assert!(repository.load().is_ok());
    assert_eq!(repository.check(&node("a")).unwrap().warnings.len(), 3);
}

#[test]
fn s05_private_jws_keys_that_others_reach_or_that_are_damaged() {
    let algorithm = JwsAlgorithm::Es256;
    let damage: [(&str, Damage); 7] = [
        ("readable by the group", |key| restrict(key, 0o640)),
        ("readable by all, as keystone-manage leaves it", |key| {
            restrict(key, 0o644)
        }),
        ("folder open to all", |key| restrict(key.parent().unwrap(), 0o755)),
        ("a symbolic link", |key| {
            let away = key.parent().unwrap().with_file_name("away.pem");
            fs::rename(key, &away).unwrap();
            symlink(&away, key).unwrap();
        }),
        ("empty", |key| fs::write(key, "").unwrap()),
        ("truncated", |key| {
            let text = fs::read(key).unwrap();
            fs::write(key, &text[..text.len() / 2]).unwrap();
        }),
        ("of another algorithm", |key| {
            let other = JwsPrivateKey::generate(JwsAlgorithm::Es384).unwrap();
            fs::write(key, other.to_pem().unwrap().as_bytes()).unwrap();
        }),
    ];
    for (name, damage) in damage {
        let folder = tempfile::tempdir().unwrap();
        let repository = jws_repository(folder.path());
        let key = repository.private_path().join("private.pem");
        damage(&key);
        assert!(repository.issuer(algorithm).is_err(), "{name}");
        if !name.starts_with("folder") {
            assert!(
                JwsTokenIssuer::from_file(algorithm, &key).is_err(),
                "{name}, by its path"
            );
            assert!(
                !repository.check(algorithm, &node("a")).unwrap().faults.is_empty(),
                "{name}"
            );
        }
    }
}

#[test]
fn s05_public_files_on_which_keystone_fails_are_found() {
    let algorithm = JwsAlgorithm::Es256;
    let private = JwsPrivateKey::generate(algorithm).unwrap().to_pem().unwrap();
    let damage: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("half a key", b"-----BEGIN PUBLIC KEY-----\nMFkw"),
        ("a note", b"these are our keys"),
        ("no text", &[0xff, 0xfe, 0x00]),
        ("a private key", private.as_bytes()),
    ];
    for (name, content) in damage {
        let folder = tempfile::tempdir().unwrap();
        let repository = jws_repository(folder.path());
        let file = repository.public_path().join(".left-behind");
        fs::write(&file, content).unwrap();
        restrict(&file, 0o644);
        assert!(repository.reader(&[algorithm]).is_err(), "{name}");
        let report = repository.check(algorithm, &node("a")).unwrap();
        assert_eq!(
            (report.faults.len(), report.keys.len()),
            (1, 1),
            "{name}: {report:?}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let repository = jws_repository(folder.path());
    fs::create_dir(repository.public_path().join("old")).unwrap();
    assert!(is_unsafe(repository.reader(&[algorithm])));

    // Whoever may put a key here may sign for everybody.
    for mode in [0o775, 0o757] {
        let folder = tempfile::tempdir().unwrap();
        let repository = jws_repository(folder.path());
        restrict(repository.public_path(), mode);
        assert!(is_unsafe(repository.reader(&[algorithm])), "{mode:o}");
    }
    let folder = tempfile::tempdir().unwrap();
    let repository = jws_repository(folder.path());
    let name = names(repository.public_path()).remove(0);
    restrict(&repository.public_path().join(name), 0o664);
    assert!(is_unsafe(repository.reader(&[algorithm])));
}

#[test]
fn s06_no_key_in_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let fernet = fernet_repository(folder.path());
    let secret = fs::read_to_string(fernet.path().join("1")).unwrap();
    let jws_folder = tempfile::tempdir().unwrap();
    let jws = jws_repository(jws_folder.path());
    let private = fs::read_to_string(jws.private_path().join("private.pem")).unwrap();
    let body = private.lines().nth(1).unwrap().to_owned();
    let issuer = jws.issuer(JwsAlgorithm::Es256).unwrap();
    let minted = issuer
        .mint(&claims().subject, AuditId::new([1; 16]), at(NOW), at(NOW + 60))
        .unwrap();
    fs::write(fernet.path().join("1"), format!("{secret}=")).unwrap();
    fs::write(
        jws.private_path().join("private.pem"),
        private.replace("-----END", "----END"),
    )
    .unwrap();
    let shown = [
        format!("{:?}", fernet.load()),
        format!("{:?}", fernet.check(&node("a"))),
        format!("{}", fernet.load().unwrap_err()),
        format!("{:?}", FernetKey::parse(&secret).unwrap()),
        format!("{issuer:?}"),
        format!("{:?}", jws.issuer(JwsAlgorithm::Es256)),
        format!("{:?}", jws.check(JwsAlgorithm::Es256, &node("a"))),
        format!("{minted:?}"),
        format!("{:?}", keys().open(&token())),
    ];
    for shown in &shown {
        assert!(
            !shown.contains(&secret[..20]) && !shown.contains(&body[..20]),
            "{shown}"
        );
        assert!(!shown.contains(&minted.expose()[100..140]), "{shown}");
    }
    // The public folder holds public keys alone.
    for name in names(jws.public_path()) {
        let text = fs::read_to_string(jws.public_path().join(name)).unwrap();
        assert!(text.starts_with("-----BEGIN PUBLIC KEY-----") && !text.contains("PRIVATE"));
    }
}

#[test]
fn s07_truncated_or_altered_anywhere() {
    let (tokens, token) = (tokens(), token());
    assert!(tokens.read(&token, at(NOW)).is_ok());
    for length in 0..token.len() {
        let read = tokens.read(&token[..length], at(NOW));
        assert!(read.is_err(), "cut at {length}");
    }
    for place in 0..token.len() {
        for other in ["A", "_", "=", "+", "\n", "."] {
            if &token[place..=place] == other {
                continue;
            }
            let mut altered = token.clone();
            altered.replace_range(place..=place, other);
            assert!(tokens.read(&altered, at(NOW)).is_err(), "{other:?} at {place}");
        }
    }
}

/// A token of whatever octets, tag right.
fn forge(octets: &[u8]) -> String {
    let key = URL_SAFE_NO_PAD.decode_to_vec(KEY.trim_end_matches('=')).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key[..16]);
    let tag = aws_lc_rs::hmac::sign(&key, octets);
    URL_SAFE_NO_PAD.encode_to_string([octets, tag.as_ref()].concat())
}

#[test]
fn s07_wrong_version_octet_padding_or_length_under_a_right_tag() {
    let good = URL_SAFE_NO_PAD.decode_to_vec(token()).unwrap();
    let message = &good[..good.len() - 32];
    assert!(
        tokens().read(&forge(message), at(NOW)).is_ok(),
        "the forger knows the way"
    );
    let mut version = message.to_vec();
    version[0] = 0x81;
    let mut padding = message.to_vec();
    *padding.last_mut().unwrap() ^= 1;
    let mut year_ten_thousand = message.to_vec();
    year_ten_thousand[1..9].copy_from_slice(&253_402_300_800_u64.to_be_bytes());
    let mut end_of_time = message.to_vec();
    end_of_time[1..9].fill(0xff);
    let cases: [(&str, &[u8]); 8] = [
        ("version octet", &version),
        ("PKCS 7 padding", &padding),
        ("a time that no calendar has", &year_ten_thousand),
        ("the last of all times", &end_of_time),
        ("no block", &message[..25]),
        ("a block that is not whole", &message[..message.len() - 1]),
        ("no initialization vector", &message[..20]),
        ("nothing", b""),
    ];
    for (name, octets) in cases {
        let read = tokens().read(&forge(octets), at(NOW));
        assert_eq!(read, Err(DecodeError::Form), "{name}");
    }
}

#[test]
fn s07_padding_of_the_text() {
    let (tokens, token) = (tokens(), token());
    let whole = "=".repeat((4 - token.len() % 4) % 4);
    assert!(
        tokens.read(&format!("{token}{whole}"), at(NOW)).is_ok(),
        "as Keystone takes it"
    );
    for bad in ["=", "==", "===", "====", "====="] {
        if bad != whole {
            assert!(tokens.read(&format!("{token}{bad}"), at(NOW)).is_err(), "{bad}");
        }
    }
    for bad in [" ", "\n", "\r\n", "\0"] {
        assert!(tokens.read(&format!("{token}{bad}"), at(NOW)).is_err());
        assert!(tokens.read(&format!("{bad}{token}"), at(NOW)).is_err());
    }
    let long = "A".repeat(8 * 1024 + 1);
    assert!(matches!(
        tokens.read(&long, at(NOW)),
        Err(DecodeError::TooLong { .. })
    ));
}

#[test]
fn s08_tokens_of_a_dropped_key() {
    let (dropped, token) = (tokens(), token());
    assert!(dropped.read(&token, at(NOW)).is_ok());
    let others = (0..3).map(|_| FernetKey::generate().unwrap()).collect();
    let rotated = FernetTokens::new(FernetKeys::new(others).unwrap(), methods(), id("default"));
    assert_eq!(rotated.read(&token, at(NOW)), Err(DecodeError::Unauthentic));

    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let other = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let token = JwsTokenIssuer::new(key).sign(&claims()).unwrap();
    let reader = JwsTokenReader::new(vec![other.public_key().clone()], &[JwsAlgorithm::Es256]).unwrap();
    assert_eq!(reader.read(&token, at(NOW)), Err(DecodeError::Unauthentic));
}

/// The payload of a project token, item by item, so that each can be spoilt.
fn items() -> Vec<Vec<u8>> {
    let pair = |octets: [u8; 16]| [&[0x92, 0xc3, 0xc4, 16], octets.as_slice()].concat();
    vec![
        vec![2],
        pair([1; 16]),
        vec![2],
        pair([2; 16]),
        [&[0xcb], ((NOW + 3600) as f64).to_be_bytes().as_slice()].concat(),
        [&[0x91, 0xc4, 16], [3; 16].as_slice()].concat(),
    ]
}

fn read_payload(payload: &[u8]) -> Result<(), DecodeError> {
    let sealed = keys().seal(payload, at(NOW), Iv::new([1; 16])).unwrap();
    tokens().read(&sealed, at(NOW)).map(|_token| ())
}

#[test]
fn s09_odd_message_pack() {
    let spoilt = |place: usize, octets: &[u8]| {
        let mut items = items();
        items[place] = octets.to_vec();
        [vec![0x96], items.concat()].concat()
    };
    let whole = [vec![0x96], items().concat()].concat();
    assert_eq!(read_payload(&whole), Ok(()));
    let seconds = |seconds: f64| [&[0xcb], seconds.to_be_bytes().as_slice()].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("nil", vec![0xc0]),
        ("a map", vec![0x86, 2]),
        ("an empty list", vec![0x90]),
        (
            "a list of four thousand million",
            vec![0xdd, 0xff, 0xff, 0xff, 0xff, 2],
        ),
        ("an extension", vec![0xc7, 0xff, 1]),
        ("a type that is never used", vec![0xc1]),
        ("nested ten thousand deep", vec![0x91; 6000]),
        (
            "one item too many",
            [vec![0x97], items().concat(), vec![0xc0]].concat(),
        ),
        ("one item too few", [vec![0x95], items()[..5].concat()].concat()),
        ("something after it", [whole.clone(), vec![0xc0]].concat()),
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("version 11", spoilt(0, &[11])),
        (
            "a version of eight octets",
            spoilt(0, &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ),
        ("a negative version", spoilt(0, &[0xff])),
        ("another layout's number", spoilt(0, &[9])),
        ("a user that is no pair", spoilt(1, &[0xc4, 2, 1, 1])),
        ("a user of nil", spoilt(1, &[0x92, 0xc2, 0xc0])),
        ("a user of no text", spoilt(1, &[0x92, 0xc2, 0xa0])),
        (
            "a user with a control character",
            spoilt(1, &[0x92, 0xc2, 0xa1, 7]),
        ),
        ("a user that is not UTF-8", spoilt(1, &[0x92, 0xc2, 0xa1, 0xff])),
        (
            "a user of 256 octets",
            spoilt(1, &[&[0x92, 0xc2, 0xda, 1, 0], [b'u'; 256].as_slice()].concat()),
        ),
        (
            "a string of four thousand million",
            spoilt(1, &[0x92, 0xc2, 0xdb, 0xff, 0xff, 0xff, 0xff]),
        ),
        (
            "a UUID of 15 octets",
            spoilt(1, &[&[0x92, 0xc3, 0xc4, 15], [1; 15].as_slice()].concat()),
        ),
        (
            "a flag that is a number",
            spoilt(1, &[&[0x92, 1, 0xc4, 16], [1; 16].as_slice()].concat()),
        ),
        ("a pair of three", spoilt(1, &[0x93, 0xc2, 0xa1, b'u', 0xc0])),
        ("methods as text", spoilt(2, &[0xa1, b'2'])),
        ("a method beyond the list", spoilt(2, &[0xcd, 1, 0])),
        (
            "every bit of the mask",
            spoilt(2, &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ),
        ("an end that is no number", spoilt(4, &seconds(f64::NAN))),
        ("an end that is infinite", spoilt(4, &seconds(f64::INFINITY))),
        ("an end before 1970", spoilt(4, &seconds(-1.0))),
        (
            "an end after the year 9999",
            spoilt(4, &seconds(253_402_300_800.0)),
        ),
        ("an end of 1.8e308", spoilt(4, &seconds(f64::MAX))),
        ("no audit id", spoilt(5, &[0x90])),
        (
            "three audit ids",
            spoilt(
                5,
                &[
                    &[0x93],
                    [[0xc4, 16].as_slice(), &[3; 16]].concat().repeat(3).as_slice(),
                ]
                .concat(),
            ),
        ),
        (
            "an audit id of 17 octets",
            spoilt(5, &[&[0x91, 0xc4, 17], [3; 17].as_slice()].concat()),
        ),
    ];
    for (name, payload) in cases {
        let read = read_payload(&payload);
        assert!(
            matches!(
                read,
                Err(DecodeError::Payload(_) | DecodeError::Version | DecodeError::Methods)
            ),
            "{name}: {read:?}"
        );
    }
}

#[test]
fn s09_what_older_keystones_wrote_is_read() {
    // Octets as text, as MessagePack had them before it knew octets, and a whole number for a time.
    let pair = |octets: [u8; 16]| [&[0x92, 0xc3, 0xb0], octets.as_slice()].concat();
    let payload = [
        vec![0x96, 2],
        pair([1; 16]),
        vec![2],
        pair([0xf0; 16]),
        [&[0xce], u32::try_from(NOW + 60).unwrap().to_be_bytes().as_slice()].concat(),
        [&[0x91, 0xb0], [0x83; 16].as_slice()].concat(),
    ]
    .concat();
    let sealed = keys().seal(&payload, at(NOW), Iv::new([1; 16])).unwrap();
    let read = tokens().read(&sealed, at(NOW)).unwrap();
    assert_eq!(read.claims.subject.scope, Scope::Project(id(&"f0".repeat(16))));
    assert_eq!(read.claims.expires_at, at(NOW + 60));
}

#[test]
fn s10_expired_and_of_the_future() {
    let (tokens, token) = (tokens(), token());
    assert!(tokens.read(&token, at(NOW + 3599)).is_ok());
    assert_eq!(tokens.read(&token, at(NOW + 3600)), Err(DecodeError::Expired));
    assert_eq!(tokens.read(&token, at(u64::MAX)), Err(DecodeError::Expired));
    assert!(
        tokens.read(&token, at(NOW - 60)).is_ok(),
        "the skew of the specification"
    );
    assert_eq!(
        tokens.read(&token, at(NOW - 61)),
        Err(DecodeError::IssuedInTheFuture)
    );
    let window = |now| ReadAt {
        now: at(now),
        expired_window: Duration::from_secs(100),
    };
    assert!(tokens.read(&token, window(NOW + 3699)).is_ok());
    assert_eq!(tokens.read(&token, window(NOW + 3700)), Err(DecodeError::Expired));

    let key = JwsPrivateKey::generate(JwsAlgorithm::EdDsa).unwrap();
    let reader = JwsTokenReader::new(vec![key.public_key().clone()], &[JwsAlgorithm::EdDsa]).unwrap();
    let issuer = JwsTokenIssuer::new(key);
    let token = issuer.sign(&claims()).unwrap();
    assert!(reader.read(&token, at(NOW)).is_ok());
    assert_eq!(
        reader.read(&token, at(NOW - 1)),
        Err(DecodeError::IssuedInTheFuture),
        "no leeway at Keystone"
    );
    assert_eq!(reader.read(&token, at(NOW + 3600)), Err(DecodeError::Expired));
    assert!(reader.read(&token, window(NOW + 3699)).is_ok());
    assert_eq!(reader.read(&token, window(NOW + 3700)), Err(DecodeError::Expired));
}

#[test]
fn s12_a_token_of_one_form_as_the_other() {
    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let reader = JwsTokenReader::new(vec![key.public_key().clone()], &[JwsAlgorithm::Es256]).unwrap();
    let jws = JwsTokenIssuer::new(key).sign(&claims()).unwrap();
    let fernet = token();
    assert_eq!(reader.read(&fernet, at(NOW)), Err(DecodeError::Form));
    assert!(matches!(tokens().read(&jws, at(NOW)), Err(DecodeError::Base64)));
    // A Fernet token as a part of a JWS, and a JWS inside a Fernet token.
    for mixed in [
        format!("{fernet}.."),
        format!("..{fernet}"),
        format!("{jws}.{fernet}"),
        format!(".{jws}"),
    ] {
        assert!(reader.read(&mixed, at(NOW)).is_err());
        assert!(tokens().read(&mixed, at(NOW)).is_err());
    }
    assert!(read_payload(jws.as_bytes()).is_err());

    // A receipt is no token, and a token no receipt, though keys were mixed up.
    let receipts = FernetReceipts::new(keys(), methods());
    assert!(receipts.read(&fernet, at(NOW)).is_err());
    let receipt = sealstone_fernet::Receipt {
        user_id: id("bob"),
        methods: vec!["password".to_owned()],
        issued_at: at(NOW),
        expires_at: at(NOW + 300),
    };
    let receipt = receipts.issue(&receipt, Iv::new([1; 16])).unwrap();
    assert!(receipts.read(&receipt, at(NOW)).is_ok());
    assert!(tokens().read(&receipt, at(NOW)).is_err());
}
