//! There and back the claims are the same; never is more granted; what nothing proves comes to nothing.

use std::sync::LazyLock;

use crate::pool::{NOW, Pool, WINDOW, at, claims, id};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;
use sealstone_bridge::{Refusal, TokenForm, Translator, TranslatorError};
use sealstone_fernet::{
    AuditId, AuditIds, DecodeError, Federation, FernetKey, Iv, JwsAlgorithm, JwsPrivateKey, JwsTokenIssuer,
    KeystoneId, Methods, ReadAt, Scope, TokenClaims, TokenSubject,
};

const METHODS: [&str; 7] = [
    "ec2credential",
    "application_credential",
    "mapped",
    "oauth1",
    "token",
    "password",
    "external",
];

static POOL: LazyLock<(Pool, Translator)> = LazyLock::new(|| {
    let pool = Pool::new();
    let translator = pool.translator();
    (pool, translator)
});

fn uuid() -> impl Strategy<Value = KeystoneId> {
    "[0-9a-f]{32}".prop_map(|text| id(&text))
}

fn any_id() -> impl Strategy<Value = KeystoneId> {
    prop_oneof![
        4 => uuid(),
        1 => "[0-9a-f]{64}".prop_map(|text| id(&text)),
        1 => "[a-zA-Z0-9_.-]{1,31}".prop_map(|text| id(&text)),
        1 => "[0-9A-F]{32}|\\{[0-9a-f]{32}\\}".prop_map(|text| id(&text)),
        1 => "\\PC{1,60}".prop_map(|text| id(&text)),
    ]
}

prop_compose! {
    fn any_claims()(
        user in any_id(),
        methods in subsequence(METHODS.to_vec(), 0..=METHODS.len()),
        scope in prop_oneof![
            Just(Scope::Unscoped),
            any_id().prop_map(Scope::Project),
            any_id().prop_map(Scope::Domain),
            Just(Scope::System(id("all"))),
        ],
        kind in 0_u8..8,
        one in any_id(),
        groups in vec(any_id(), 0..6),
        own in any::<[u8; 16]>(),
        chain in option::of(any::<[u8; 16]>()),
        age in 0_u64..4000,
        life in 0_u64..8000,
    ) -> TokenClaims {
        let mut subject = TokenSubject::new(user, &methods, scope);
        match kind {
            0 => subject.trust_id = Some(one),
            1 => subject.federation = Some(Federation { groups, identity_provider_id: one, protocol_id: id("openid") }),
            2 => subject.access_token_id = Some(one),
            3 => subject.application_credential_id = Some(one),
            4 => {
                subject.thumbprint = Some("7CI0r5WXpM99UpaHAZn-Kvwt_u4QlrmGbZ1jFWSQT3o=".to_owned());
                subject.methods = Methods::new(&["oauth2_credential"]);
            }
            _ => {}
        }
        TokenClaims {
            subject,
            audit_ids: AuditIds { own: AuditId::new(own), chain: chain.map(AuditId::new) },
            issued_at: at(NOW - age),
            expires_at: at(NOW - age + life),
        }
    }
}

/// What any reader of the pool says, whenever the token ended.
fn whenever() -> ReadAt {
    ReadAt {
        now: at(NOW),
        expired_window: WINDOW,
    }
}

proptest! {
    #[test]
    fn from_fernet_and_back_the_claims_are_the_same(given in any_claims()) {
        let (pool, translator) = &*POOL;
        let Ok(token) = pool.fernet.issue(&given, Iv::new([3; 16])) else { return Ok(()) };
        let read = pool.fernet.read(&token, whenever()).unwrap().claims;
        let there = translator.translate(&token, TokenForm::Jws, at(NOW)).unwrap().unwrap();
        prop_assert_eq!(&pool.reader.read(there.expose(), whenever()).unwrap(), &read);
        prop_assert!(there.is_stable);
        prop_assert_eq!(there.usable_until.as_secs(), read.expires_at.as_secs() + WINDOW.as_secs());
        let back = translator.translate(there.expose(), TokenForm::Fernet, at(NOW)).unwrap().unwrap();
        prop_assert_eq!(&pool.fernet.read(back.expose(), whenever()).unwrap().claims, &read);
        // An ended token has ended in every form.
        let ended = read.expires_at <= at(NOW);
        prop_assert_eq!(pool.reader.read(there.expose(), at(NOW)).is_err(), ended);
        prop_assert_eq!(pool.fernet.read(back.expose(), at(NOW)).is_err(), ended);
    }

    #[test]
    fn from_jws_and_back_the_claims_are_the_same_or_there_is_no_token(given in any_claims()) {
        let (pool, translator) = &*POOL;
        let token = pool.jws(&given);
        let Ok(there) = translator.translate(&token, TokenForm::Fernet, at(NOW)) else { return Ok(()) };
        let there = there.unwrap();
        let mut want = given;
        if want.subject.methods == ["oauth2_credential"] {
            want.subject.methods = Methods::default();
        }
        prop_assert_eq!(&pool.fernet.read(there.expose(), whenever()).unwrap().claims, &want);
        let back = translator.translate(there.expose(), TokenForm::Jws, at(NOW)).unwrap().unwrap();
        prop_assert_eq!(&pool.reader.read(back.expose(), whenever()).unwrap(), &want);
        // Whoever holds the keys writes the same Fernet token.
        let again = pool.translator().translate(&token, TokenForm::Fernet, at(NOW)).unwrap().unwrap();
        prop_assert_eq!(there.expose(), again.expose());
    }

    #[test]
    fn s07_a_token_with_one_octet_changed_is_no_token(place in any::<prop::sample::Index>(), octet in 0x21_u8..0x7f) {
        let (pool, translator) = &*POOL;
        for (token, target) in [(pool.fernet(&claims(1)), TokenForm::Jws), (pool.jws(&claims(1)), TokenForm::Fernet)] {
            let mut octets = token.clone().into_bytes();
            let place = place.index(octets.len());
            octets[place] = octet;
            let changed = String::from_utf8(octets).unwrap();
            let translated = translator.translate(&changed, target, at(NOW));
            prop_assert!(changed == token || !matches!(translated, Ok(Some(_))), "{changed}");
        }
    }

    #[test]
    fn text_is_no_token(text in "\\PC{0,300}|gAAA[A-Za-z0-9_=-]{0,300}|ey[A-Za-z0-9_-]{0,90}\\.[A-Za-z0-9_-]{0,90}\\.[A-Za-z0-9_-]{0,90}") {
        let (_pool, translator) = &*POOL;
        for target in [TokenForm::Jws, TokenForm::Fernet] {
            prop_assert!(!matches!(translator.translate(&text, target, at(NOW)), Ok(Some(_))));
        }
    }
}

#[test]
fn s12_a_token_of_the_form_that_is_due_is_not_touched_and_of_no_form_neither() {
    let (pool, translator) = &*POOL;
    let texts = [
        (pool.jws(&claims(1)), TokenForm::Jws),
        (pool.fernet(&claims(1)), TokenForm::Fernet),
        ("ADMIN".to_owned(), TokenForm::Jws),
        (String::new(), TokenForm::Fernet),
        ("gAAA.b.c".to_owned(), TokenForm::Jws),
        ("eyJh.b".to_owned(), TokenForm::Fernet),
        ("eyJh.b.c.d".to_owned(), TokenForm::Fernet),
    ];
    for (text, target) in texts {
        assert!(
            translator.translate(&text, target, at(NOW)).unwrap().is_none(),
            "{text}"
        );
    }
}

#[test]
fn s08_what_another_pools_keys_prove_is_refused() {
    let (_pool, translator) = &*POOL;
    let stranger = Pool::new();
    for (token, target) in [
        (stranger.fernet(&claims(1)), TokenForm::Jws),
        (stranger.jws(&claims(1)), TokenForm::Fernet),
    ] {
        let refusal = translator.translate(&token, target, at(NOW)).unwrap_err();
        assert_eq!(refusal, Refusal::Unproved(DecodeError::Unauthentic));
        assert_eq!(refusal.code(), "keystone_token.unauthentic");
    }
    // A key that was rotated out proves nothing any more.
    let old = FernetKey::generate().unwrap();
    let text = old.expose();
    let before = Pool::of(vec![old]);
    let token = before.fernet(&claims(1));
    let both = Pool::of(vec![
        FernetKey::generate().unwrap(),
        FernetKey::parse(&text).unwrap(),
    ]);
    assert!(
        both.translator()
            .translate(&token, TokenForm::Jws, at(NOW))
            .is_ok()
    );
    assert!(translator.translate(&token, TokenForm::Jws, at(NOW)).is_err());
}

#[test]
fn s10_the_end_stays_the_end_and_clocks_that_differ_grant_nothing() {
    let (pool, translator) = &*POOL;
    let both = |claims: &TokenClaims| {
        [
            (pool.fernet(claims), TokenForm::Jws),
            (pool.jws(claims), TokenForm::Fernet),
        ]
    };
    let read = |text: &str, now| match TokenForm::of(text) {
        Some(TokenForm::Jws) => pool.reader.read(text, now).map_err(|error| error.to_string()),
        _ => pool
            .fernet
            .read(text, now)
            .map(|read| read.claims)
            .map_err(|error| error.to_string()),
    };
    let end = NOW + 3600;
    for (token, target) in both(&claims(1)) {
        let late = at(end + WINDOW.as_secs() - 1);
        let there = translator.translate(&token, target, late).unwrap().unwrap();
        assert!(read(there.expose(), at(end)).is_err(), "ended stays ended");
        assert_eq!(read(there.expose(), at(end - 1)).unwrap(), claims(1));
        let refusal = translator
            .translate(&token, target, there.usable_until)
            .unwrap_err();
        assert_eq!(refusal, Refusal::Unproved(DecodeError::Expired));
    }
    for ahead in [1, 60] {
        for (token, target) in both(&claims(1)) {
            let now = at(NOW - ahead);
            let there = translator.translate(&token, target, now).unwrap().unwrap();
            assert!(!there.is_stable);
            let claims = read(there.expose(), now).unwrap();
            assert_eq!((claims.issued_at, claims.expires_at), (now, at(end)), "{ahead}");
        }
    }
    for (token, target) in both(&claims(1)) {
        let refusal = translator.translate(&token, target, at(NOW - 61)).unwrap_err();
        assert_eq!(refusal, Refusal::Unproved(DecodeError::IssuedInTheFuture));
    }
}

type Change = fn(&mut TokenSubject);

#[test]
fn what_the_other_form_cannot_say_is_refused_and_not_left_out() {
    let (pool, translator) = &*POOL;
    let changed = |change: fn(&mut TokenSubject)| {
        let mut claims = claims(1);
        change(&mut claims.subject);
        pool.jws(&claims)
    };
    let cases: [(&str, Change); 7] = [
        ("a method without a bit", |subject| {
            subject.methods = Methods::new(&["totp"])
        }),
        ("one of several", |subject| {
            subject.methods = Methods::new(&["password", "totp"]);
        }),
        ("the certificate's method beside another", |subject| {
            subject.methods = Methods::new(&["oauth2_credential", "password"]);
        }),
        ("one method twice", |subject| {
            subject.methods = Methods::new(&["password", "password"]);
        }),
        ("a thumbprint beside a trust", |subject| {
            subject.trust_id = Some(id("e5051a6a1a2c4c72ac4b7de8d7d4a3d7"));
            subject.thumbprint = Some("x=".to_owned());
        }),
        ("a domain that is no UUID", |subject| {
            subject.scope = Scope::Domain(id("elsewhere"))
        }),
        ("an id that comes back otherwise", |subject| {
            subject.user_id = id("451F13C616A94105BA37AAE4469C6963");
        }),
    ];
    for (what, change) in cases {
        let refused = translator.translate(&changed(change), TokenForm::Fernet, at(NOW));
        assert!(
            matches!(refused, Err(Refusal::Unspeakable(_) | Refusal::Method)),
            "{what}: {refused:?}"
        );
    }
}

#[test]
fn a_signer_that_no_node_trusts_is_found_at_the_start() {
    let (pool, _translator) = &*POOL;
    let stranger = JwsTokenIssuer::new(JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap());
    let made = Translator::new(pool.fernet.clone(), pool.reader.clone(), stranger, WINDOW);
    assert_eq!(made.unwrap_err(), TranslatorError::NotPublished);
}

#[test]
fn nothing_shows_a_token() {
    let (pool, translator) = &*POOL;
    let token = pool.fernet(&claims(1));
    let there = translator
        .translate(&token, TokenForm::Jws, at(NOW))
        .unwrap()
        .unwrap();
    let shown = format!("{there:?} {translator:?}");
    assert!(
        !shown.contains(there.expose()) && !shown.contains("eyJ") && !shown.contains("gAAA"),
        "{shown}"
    );
}
