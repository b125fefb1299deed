//! What is written is read back, in both forms; what is anything else is refused without a panic.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;
use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    AuditId, AuditIds, AuthMethods, Federation, FernetKey, FernetKeys, FernetReceipts, FernetTokens,
    IssueError, Iv, JwsAlgorithm, JwsPrivateKey, JwsTokenIssuer, JwsTokenReader, KeystoneId, PayloadVersion,
    Receipt, Scope, TokenClaims, TokenSubject,
};

const METHODS: [&str; 7] = [
    "external",
    "password",
    "token",
    "oauth1",
    "mapped",
    "application_credential",
    "ec2credential",
];

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn uuid() -> impl Strategy<Value = KeystoneId> {
    "[0-9a-f]{32}".prop_map(|text| KeystoneId::parse(text).unwrap())
}

/// UUIDs, hashes of federated users, names, text beyond ASCII, and what is nearly a UUID.
fn id() -> impl Strategy<Value = KeystoneId> {
    prop_oneof![
        4 => uuid(),
        1 => "[0-9a-f]{64}".prop_map(|text| KeystoneId::parse(text).unwrap()),
        1 => "[a-zA-Z0-9_.-]{1,31}".prop_map(|text| KeystoneId::parse(text).unwrap()),
        1 => "[0-9A-F]{32}|[0-9a-f]{8}-[0-9a-f]{24}|\\{[0-9a-f]{32}\\}"
            .prop_map(|text| KeystoneId::parse(text).unwrap()),
        1 => "\\PC{1,60}".prop_map(|text| KeystoneId::parse(text).unwrap()),
    ]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Unscoped),
        id().prop_map(Scope::Project),
        uuid().prop_map(Scope::Domain),
        Just(Scope::Domain(KeystoneId::parse("default").unwrap())),
        Just(Scope::System(KeystoneId::parse("all").unwrap())),
    ]
}

fn federation() -> impl Strategy<Value = Federation> {
    (vec(id(), 0..20), id(), id()).prop_map(|(groups, identity_provider_id, protocol_id)| Federation {
        groups,
        identity_provider_id,
        protocol_id,
    })
}

prop_compose! {
    fn claims()(
        user in id(),
        methods in subsequence(METHODS.to_vec(), 0..=METHODS.len()),
        scope in scope(),
        delegation in 0_u8..8,
        one in uuid(),
        federation in federation(),
        second in option::weighted(0.1, id()),
        own in any::<[u8; 16]>(),
        chain in option::of(any::<[u8; 16]>()),
        issued_at in 0_u64..=253_402_300_799,
        expires_at in 0_u64..=253_402_300_799,
    ) -> TokenClaims {
        // As Keystone lists them: highest bit first.
        let methods: Vec<&str> = methods.into_iter().rev().collect();
        let mut subject = TokenSubject::new(user, &methods, scope);
        match delegation {
            0 => subject.trust_id = Some(one),
            1 => subject.federation = Some(federation),
            2 => subject.access_token_id = Some(one),
            3 => subject.application_credential_id = Some(one),
            4 => subject.thumbprint = Some("7CI0r5WXpM99UpaHAZn-Kvwt_u4QlrmGbZ1jFWSQT3o=".to_owned()),
            _ => {}
        }
        if second.is_some() {
            subject.application_credential_id = second;
        }
        TokenClaims {
            subject,
            audit_ids: AuditIds { own: AuditId::new(own), chain: chain.map(AuditId::new) },
            issued_at: at(issued_at),
            expires_at: at(expires_at),
        }
    }
}

fn keys() -> FernetKeys {
    let key = FernetKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
    FernetKeys::new(vec![key]).unwrap()
}

fn tokens() -> FernetTokens {
    FernetTokens::new(
        keys(),
        AuthMethods::default(),
        KeystoneId::parse("default").unwrap(),
    )
}

/// Pairs that sign and read, made once.
fn pairs() -> &'static [(JwsTokenIssuer, JwsTokenReader)] {
    static PAIRS: std::sync::OnceLock<Vec<(JwsTokenIssuer, JwsTokenReader)>> = std::sync::OnceLock::new();
    PAIRS.get_or_init(|| {
        let pair = |algorithm| {
            let key = JwsPrivateKey::generate(algorithm).unwrap();
            let reader = JwsTokenReader::new(vec![key.public_key().clone()], &JwsAlgorithm::ALL).unwrap();
            (JwsTokenIssuer::new(key), reader)
        };
        JwsAlgorithm::ALL.map(pair).into()
    })
}

/// A moment at which the claims are in date, if there is one.
fn in_date(claims: &TokenClaims) -> bool {
    claims.issued_at < claims.expires_at
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fernet_token_says_what_was_written(claims in claims(), iv in any::<[u8; 16]>()) {
        let tokens = tokens();
        match tokens.issue(&claims, Iv::new(iv)) {
            Ok(token) => {
                let version = PayloadVersion::of(&claims.subject).unwrap();
                let read = tokens.read(&token, claims.issued_at);
                if in_date(&claims) {
                    let read = read.unwrap();
                    prop_assert_eq!(&read.claims, &claims);
                    prop_assert_eq!((read.version, read.iv), (version, Iv::new(iv)));
                    prop_assert_eq!(tokens.issue(&read.claims, read.iv).unwrap(), token);
                } else {
                    prop_assert!(read.is_err());
                }
            }
            // What Keystone would write in a form that says something else.
            Err(error) => prop_assert!(
                matches!(error, IssueError::Layout | IssueError::Id | IssueError::Claim(_)),
                "{}", error
            ),
        }
    }

    #[test]
    fn a_jws_token_says_what_was_written(claims in claims(), place in 0_usize..4) {
        let (issuer, reader) = &pairs()[place];
        let token = issuer.sign(&claims).unwrap();
        let read = reader.read(&token, claims.issued_at);
        if in_date(&claims) {
            prop_assert_eq!(read.unwrap(), claims);
        } else {
            prop_assert!(read.is_err());
        }
    }

    #[test]
    fn a_receipt_says_what_was_written(
        user_id in id(),
        methods in subsequence(METHODS.to_vec(), 0..=METHODS.len()),
        issued_at in 0_u64..1 << 40,
        lifetime in 1_u64..1000,
    ) {
        let receipts = FernetReceipts::new(keys(), AuthMethods::default());
        let receipt = Receipt {
            user_id,
            methods: methods.iter().rev().map(|&name| name.to_owned()).collect(),
            issued_at: at(issued_at),
            expires_at: at((issued_at + lifetime).min(253_402_300_799)),
        };
        if issued_at >= 253_402_300_799 {
            return Ok(());
        }
        match receipts.issue(&receipt, Iv::new([1; 16])) {
            Ok(text) => prop_assert_eq!(receipts.read(&text, at(issued_at)).unwrap(), receipt),
            Err(error) => prop_assert_eq!(error, IssueError::Id),
        }
    }

    #[test]
    fn whatever_is_sealed_is_refused_or_read_and_written_back(payload in vec(any::<u8>(), 0..300)) {
        let sealed = keys().seal(&payload, at(1000), Iv::new([1; 16])).unwrap();
        let opened = keys().open(&sealed).unwrap();
        prop_assert_eq!(opened.payload(), payload);
        if let Ok(read) = tokens().read(&sealed, at(1000)) {
            let again = tokens().issue(&read.claims, read.iv).unwrap();
            prop_assert_eq!(tokens().read(&again, at(1000)).unwrap().claims, read.claims);
        }
    }

    #[test]
    fn whatever_text_is_refused(text in "\\PC{0,300}|[A-Za-z0-9_-]{0,300}|gAAAAA[A-Za-z0-9_-]{60,300}={0,3}") {
        prop_assert!(tokens().read(&text, at(1000)).is_err());
        prop_assert!(pairs()[0].1.read(&text, at(1000)).is_err());
    }

    #[test]
    fn a_changed_jws_token_is_refused(claims in claims(), place in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let (issuer, reader) = &pairs()[0];
        let token = issuer.sign(&claims).unwrap();
        let mut changed = token.clone().into_bytes();
        let place = place.index(changed.len());
        changed[place] = octet;
        if let Ok(changed) = String::from_utf8(changed) && changed != token {
            prop_assert!(reader.read(&changed, claims.issued_at).is_err());
        }
    }
}
