use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, MAX_GROUPS};
use sealstone_oauth_types::OpaqueToken;
use serde_json::{Value, json};

use super::{
    PendingUpstream, UpstreamAsk, UpstreamCallback, UpstreamIdentity, UpstreamRefusal, UpstreamSecrets,
};
use crate::{LoginDenial, UpstreamError};

fn identity(issuer: &str, subject: &str, claims: Value) -> UpstreamIdentity {
    let Value::Object(claims) = claims else {
        panic!("{claims}")
    };
    UpstreamIdentity {
        issuer: issuer.into(),
        subject: subject.into(),
        claims,
        amr: Vec::new(),
        acr: None,
        auth_time: None,
    }
}

fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

#[test]
fn no_two_upstream_accounts_are_one_person() {
    let ids: std::collections::BTreeSet<String> = [
        ("https://a.example", "1"),
        ("https://a.example", "2"),
        ("https://b.example", "1"),
        ("https://a.example1", ""),
        ("https://a.example", "\u{0}1"),
    ]
    .map(|(issuer, subject)| identity(issuer, subject, json!({})).user_id())
    .into();
    assert_eq!(ids.len(), 5);
    assert!(
        ids.iter()
            .all(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    );
}

#[test]
fn claims_say_who_and_choose_no_id() {
    let claims = json!({
        "preferred_username": "ada",
        "sub": "forged", "user_id": "forged", "id": "forged",
        "name": "Ada L.", "email": "ada@example.org", "email_verified": true,
        "groups": ["staff", "admins", "staff"],
    });
    let identity = identity("https://a.example", "s1", claims);
    let person = identity.person(&demo()).unwrap();
    assert_eq!(person.user.id().as_str(), identity.user_id());
    assert_eq!(person.user.name().as_str(), "ada");
    assert_eq!(person.full_name.unwrap().as_str(), "Ada L.");
    assert!(person.email.unwrap().is_verified());
    let groups: Vec<&str> = person
        .groups
        .iter()
        .map(sealstone_identity::Name::as_str)
        .collect();
    assert_eq!(groups, ["admins", "staff"]);
}

#[test]
fn what_does_not_fit_is_refused_and_not_left_out() {
    let many: Vec<String> = (0..=MAX_GROUPS).map(|number| format!("g{number}")).collect();
    for claims in [
        json!({"groups": many}),
        json!({"groups": ["staff", 7]}),
        json!({"groups": ["sta\nff"]}),
        json!({"name": "A\u{202e}da"}),
        json!({"preferred_username": "a\0"}),
        json!({"email": "nobody"}),
    ] {
        assert!(
            identity("https://a.example", "s", claims.clone())
                .person(&demo())
                .is_err(),
            "{claims}"
        );
    }
    let plain = identity(
        "https://a.example",
        "s",
        json!({"email": "a@b", "email_verified": "true"}),
    );
    let email = plain.person(&demo()).unwrap().email.unwrap();
    assert!(!email.is_verified(), "only `true` is true");
}

#[test]
fn a_pending_login_is_read_as_written_and_shows_nothing() {
    let secrets = UpstreamSecrets {
        state: OpaqueToken::from_octets([1; 32]),
        nonce: OpaqueToken::from_octets([2; 32]),
        verifier: OpaqueToken::from_octets([3; 32]),
    };
    let ask = UpstreamAsk {
        redirect_uri: "https://us.example/callback".into(),
        max_age: Some(Duration::from_secs(60)),
        ..UpstreamAsk::default()
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(5));
    let pending = PendingUpstream::new("https://a.example", &ask, &secrets, now);
    let text = serde_json::to_string(&pending).unwrap();
    assert_eq!(serde_json::from_str::<PendingUpstream>(&text).unwrap(), pending);
    assert_eq!(pending.max_age(), Some(Duration::from_secs(60)));
    let callback = UpstreamCallback {
        code: Some("hush-code"),
        state: Some(pending.expose_state()),
        ..UpstreamCallback::default()
    };
    let shown = format!("{pending:?} {callback:?} {secrets:?}");
    for secret in [
        pending.expose_state(),
        pending.expose_nonce(),
        pending.expose_verifier(),
        "hush-code",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn r17_an_upstream_without_a_good_answer_lets_nobody_in() {
    let unavailable = LoginDenial::SourceUnavailable;
    assert_eq!(
        LoginDenial::from(&UpstreamError::unavailable("down")),
        unavailable
    );
    assert_eq!(LoginDenial::from(&UpstreamError::malformed("odd")), unavailable);
    for refusal in UpstreamRefusal::ALL {
        let denial = LoginDenial::from(&UpstreamError::Refused(refusal));
        assert_eq!(denial.as_str(), refusal.as_str());
    }
}
