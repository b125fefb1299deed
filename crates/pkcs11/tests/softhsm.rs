//! Against `SoftHSM`, in a process of its own for each test: the module reads `SOFTHSM2_CONF` once.

use std::{fs, process::Command, sync::Arc, thread};

use sealstone_jose::{Algorithm, KeyId, PrivateKey, Signer, Verifier};
use sealstone_keyring::{
    KeyEncryptionKey, KeyHome as _, KeyReference, KeyRing, RotationPolicy, RotationSettings,
};
use sealstone_pkcs11::{Pin, PinState, Pkcs11Error, Token, TokenConfig, survey};
use sealstone_testkit::{SoftHsm, unix_time};

const LABEL: &str = "sealstone test";
const CHILD: &str = "SEALSTONE_TEST_HSM_FOLDER";

/// Runs `test` in a child process that has a token; nothing where `SoftHSM` is not installed. The full suite installs it, and
/// says that it must be there.
fn with_token(name: &str, test: impl FnOnce(TokenConfig)) {
    let Some(module) = SoftHsm::module() else {
        let demanded = std::env::var_os("SEALSTONE_NEEDS_SOFTHSM").is_some();
        assert!(!demanded, "SoftHSM is not installed: `cargo xtask setup`");
        eprintln!("skipped: SoftHSM is not installed");
        return;
    };
    if std::env::var_os(CHILD).is_some() {
        return test(TokenConfig::new(module, LABEL));
    }
    let hsm = SoftHsm::with_token(LABEL);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]);
    child.env("SOFTHSM2_CONF", hsm.config()).env(CHILD, hsm.tokens());
    let output = child.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{told}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn pin() -> Pin {
    Pin::new(format!("{}\n", SoftHsm::PIN))
}

fn open(config: TokenConfig) -> Token {
    Token::open(config, pin()).unwrap()
}

fn tokens() -> std::path::PathBuf {
    std::env::var_os(CHILD).unwrap().into()
}

#[test]
fn keys_are_made_sign_and_are_destroyed() {
    with_token("keys_are_made_sign_and_are_destroyed", |config| {
        let token = open(config);
        for algorithm in [
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Rs256,
            Algorithm::Ps256,
        ] {
            let made = token.generate(algorithm).unwrap();
            let verifier = Verifier::new(&made.public, algorithm).unwrap();
            let mut signature = b"kept".to_vec();
            made.key.sign(b"message", &mut signature).unwrap();
            verifier.verify(b"message", &signature[4..]).unwrap();
            assert!(verifier.verify(b"massage", &signature[4..]).is_err());

            // Another process finds it by what the ring keeps.
            let again = open(TokenConfig::new(SoftHsm::module().unwrap(), LABEL));
            let found = again.find(&made.reference, algorithm, &made.public).unwrap();
            let mut signature = Vec::new();
            found.sign(b"message", &mut signature).unwrap();
            verifier.verify(b"message", &signature).unwrap();

            token.destroy(&made.reference).unwrap();
            token.destroy(&made.reference).unwrap();
            let gone = token
                .find(&made.reference, algorithm, &made.public)
                .err()
                .unwrap();
            assert!(gone.to_string().contains("has no key"), "{gone}");
            assert!(made.key.sign(b"message", &mut signature).is_err());
        }
        let refused = token.generate(Algorithm::EdDsa).unwrap_err();
        assert!(refused.to_string().contains("EdDSA"), "{refused}");
    });
}

#[test]
fn a_ring_signs_by_the_token() {
    with_token("a_ring_signs_by_the_token", |config| {
        let token = Arc::new(open(config));
        let settings = RotationSettings {
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
            ..RotationSettings::default()
        };
        let policy = RotationPolicy::new(settings).unwrap().with_home(token);
        let ring = KeyRing::bootstrap(&policy, unix_time(0)).unwrap();
        let kek = KeyEncryptionKey::from_bytes([1; 32]);
        let stored = ring.seal("demo", &kek).unwrap();
        assert!(!stored.json.contains("\"sealed\":"), "{}", stored.json);
        let mut ring = KeyRing::open("demo", &stored, &kek).unwrap();
        assert!(ring.active(Algorithm::Es256).unwrap().signer().is_none());
        ring.attach(&policy).unwrap();
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let key = ring.active(algorithm).unwrap();
            let mut signature = Vec::new();
            key.signer().unwrap().sign(b"message", &mut signature).unwrap();
            let verifier = Verifier::new(key.public(), algorithm).unwrap();
            verifier.verify(b"message", &signature).unwrap();
        }
    });
}

#[test]
fn a_key_that_is_another_signs_nothing() {
    with_token("a_key_that_is_another_signs_nothing", |config| {
        let token = open(config);
        let [one, other] = [(); 2].map(|()| token.generate(Algorithm::Es256).unwrap());
        let wrong = token
            .find(&one.reference, Algorithm::Es256, &other.public)
            .err()
            .unwrap();
        assert!(wrong.to_string().contains("exchanged"), "{wrong}");
        let outside = PrivateKey::generate(Algorithm::Es256).unwrap();
        assert!(
            token
                .find(&one.reference, Algorithm::Es256, outside.public_jwk())
                .is_err()
        );
        let rsa = PrivateKey::generate(Algorithm::Rs256).unwrap();
        assert!(
            token
                .find(&one.reference, Algorithm::Rs256, rsa.public_jwk())
                .is_err()
        );
        for reference in [
            "pkcs11:AAAA",
            "pkcs11:!",
            "pkcs12:AAAAAAAAAAAAAAAAAAAAAA",
            "pkcs11:AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            let reference = KeyReference::parse(reference).unwrap();
            let unknown = token
                .find(&reference, Algorithm::Es256, &one.public)
                .err()
                .unwrap();
            assert!(unknown.to_string().contains("has no key"), "{unknown}");
        }
    });
}

#[test]
fn many_sign_by_few_sessions() {
    with_token("many_sign_by_few_sessions", |config| {
        let token = open(config.with_sessions(2));
        let made = token.generate(Algorithm::Es256).unwrap();
        let kid = KeyId::parse("k").unwrap();
        let signer = Signer::held_elsewhere(made.key, Algorithm::Es256, &made.public, kid).unwrap();
        let verifier = Verifier::new(&made.public, Algorithm::Es256).unwrap();
        thread::scope(|scope| {
            for number in 0..8_u8 {
                let (signer, verifier) = (&signer, &verifier);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let mut signature = Vec::new();
                        signer.sign(&[number], &mut signature).unwrap();
                        verifier.verify(&[number], &signature).unwrap();
                    }
                });
            }
        });
    });
}

/// What everybody may ask a token, before and after a wrong PIN; and what it counts of its work.
#[test]
fn a_token_tells_of_its_pin_and_counts_signatures() {
    with_token("a_token_tells_of_its_pin_and_counts_signatures", |config| {
        let asked = || survey(&SoftHsm::module().unwrap()).unwrap();
        let [one] = asked().try_into().unwrap();
        assert_eq!((one.label.as_str(), one.pin), (LABEL, PinState::Good));
        assert!(!one.serial.is_empty());
        let wrong = Pin::new("9999-not-it".to_owned());
        Token::open(config.clone(), wrong).unwrap_err();
        assert_eq!(asked()[0].pin, PinState::WrongTried);
        let token = open(config.with_sessions(3));
        assert_eq!(asked()[0].pin, PinState::Good, "a login sets it back");
        token.prove_sessions().unwrap();

        let figures = || token.figures().unwrap();
        assert_eq!(
            (figures().signed, figures().failed, figures().answers),
            (0, 0, true)
        );
        let made = token.generate(Algorithm::Es256).unwrap();
        let mut signature = Vec::new();
        for _ in 0..3 {
            made.key.sign(b"message", &mut signature).unwrap();
        }
        let done = figures();
        assert_eq!((done.signed, done.failed), (3, 0), "a proof is none");
        assert!(
            !done.taken.is_zero() && done.within.last() == Some(&3),
            "{done:?}"
        );
        token
            .prove(&made.reference, Algorithm::Es256, &made.public)
            .unwrap();
        let other = token.generate(Algorithm::Es256).unwrap();
        let exchanged = token.prove(&made.reference, Algorithm::Es256, &other.public);
        assert!(
            matches!(exchanged, Err(Pkcs11Error::AnotherKey { .. })),
            "{exchanged:?}"
        );
        token.destroy(&made.reference).unwrap();
        let gone = token.prove(&made.reference, Algorithm::Es256, &made.public);
        assert!(matches!(gone, Err(Pkcs11Error::NoKey { .. })), "{gone:?}");
        assert!(made.key.sign(b"message", &mut signature).is_err());
        assert_eq!((figures().failed, figures().answers), (1, false));
        token.check().unwrap();
        assert!(figures().answers);
    });
}

#[test]
fn a_wrong_pin_is_tried_once() {
    with_token("a_wrong_pin_is_tried_once", |config| {
        let wrong = "9999-not-it";
        let refused = Token::open(config.clone(), Pin::new(wrong.to_owned())).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::WrongPin { .. }), "{refused}");
        assert!(refused.to_string().contains("pkcs11.pin_file"), "{refused}");
        for shown in [
            format!("{refused} {refused:?}"),
            format!("{:?}", Pin::new(wrong.to_owned())),
        ] {
            assert!(!shown.contains(wrong), "{shown}");
        }
        open(config).check().unwrap();
    });
}

#[test]
fn a_token_that_was_taken_out_is_used_when_it_is_back() {
    with_token("a_token_that_was_taken_out_is_used_when_it_is_back", |config| {
        let token = open(config);
        let made = token.generate(Algorithm::Es256).unwrap();
        let (there, away) = (tokens(), tokens().with_extension("away"));
        fs::rename(&there, &away).unwrap();
        let mut signature = Vec::new();
        let refused = made.key.sign(b"message", &mut signature);
        assert!(refused.is_err() && signature.is_empty());
        let fault = token.last_fault().unwrap();
        assert!(fault.to_string().contains(LABEL), "{fault}");
        assert!(token.check().is_err());
        assert!(token.generate(Algorithm::Es256).is_err());
        fs::rename(&away, &there).unwrap();
        token.check().unwrap();
        made.key.sign(b"message", &mut signature).unwrap();
        assert!(token.last_fault().is_none());
    });
}

#[test]
fn what_is_not_there_is_named() {
    with_token("what_is_not_there_is_named", |config| {
        let mut other = config.clone();
        other.label = "no such token".to_owned();
        let refused = Token::open(other, pin()).unwrap_err().to_string();
        assert!(
            refused.contains("no such token") && refused.contains(LABEL),
            "{refused}"
        );
        for module in ["/does/not/exist.so", "/etc/passwd"] {
            let refused = Token::open(TokenConfig::new(module, LABEL), pin()).unwrap_err();
            assert!(matches!(refused, Pkcs11Error::Module { .. }), "{refused}");
            assert!(refused.to_string().contains(module), "{refused}");
        }
    });
}

#[test]
fn key_encryption_keys_open_by_their_token_only() {
    with_token("key_encryption_keys_open_by_their_token_only", |config| {
        let token = open(config);
        let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let missing = token.wrap_key("kek", &key).unwrap_err();
        assert!(matches!(missing, Pkcs11Error::NoKey { .. }), "{missing}");
        assert!(token.make_wrapping_key("kek").unwrap());
        assert!(!token.make_wrapping_key("kek").unwrap(), "one is enough");
        assert!(token.make_wrapping_key("other").unwrap());
        let wrapped = token.wrap_key("kek", &key).unwrap();
        let line = KeyEncryptionKey::wrapped_line(&wrapped);
        let opened = KeyEncryptionKey::parse_with(&line, Some(&token)).unwrap();
        assert_eq!(opened.id(), KeyEncryptionKey::from_bytes(key).id());

        let label = sealstone_jose::base64url::encode(b"other");
        let mut parts: Vec<&str> = wrapped.split('.').collect();
        parts[1] = &label;
        let moved = parts.join(".");
        let last = if wrapped.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{last}", &wrapped[..wrapped.len() - 1]);
        for (name, text, want) in [
            ("changed", changed.as_str(), "does not open"),
            ("another key's", &moved, "does not open"),
            ("cut", &wrapped[..wrapped.len() - 8], "does not open"),
            ("no nonce", "pkcs11-aes-gcm.a2Vr.AAAA", "not the text"),
            ("another form", "aes.a2Vr.AAAA", "not the text"),
            ("nothing", "", "not the text"),
            (
                "an unknown key",
                &wrapped.replacen("a2Vr", "bm9uZQ", 1),
                "has no key none",
            ),
        ] {
            let line = KeyEncryptionKey::wrapped_line(text);
            let refused = KeyEncryptionKey::parse_with(&line, Some(&token)).unwrap_err();
            assert!(refused.to_string().contains(want), "{name}: {refused}");
        }
        token.check().unwrap();
    });
}
