//! What an ID token must be, and each thing that it must not.

use std::time::Duration;

use sealstone_jose::Algorithm;
use sealstone_login::{PendingUpstream, UpstreamAsk, UpstreamError, UpstreamRefusal};
use serde_json::{Value, json};

use crate::support::{Key, Lab, Log, ask, shown, unseen};

async fn refused(lab: &Lab, pending: &PendingUpstream, name: &str) {
    match lab.finish(pending).await {
        Err(UpstreamError::Refused(UpstreamRefusal::IdToken) | UpstreamError::Malformed { .. }) => {}
        other => panic!("{name}: {other:?}"),
    }
    assert_eq!(lab.fake.count("/userinfo"), 0, "{name}: nothing more is asked");
}

#[tokio::test]
async fn an_honest_token_is_believed() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    let identity = lab.finish(&pending).await.unwrap();
    assert_eq!(
        (identity.issuer.as_str(), identity.subject.as_str()),
        (lab.fake.url().as_str(), "s1")
    );
    assert_eq!(identity.amr, ["pwd"]);
    // What was signed stands; userinfo adds the rest.
    assert_eq!(identity.claims["name"], "of the ID token");
    assert_eq!(identity.claims["groups"], json!(["staff"]));
    // The audience as a list of one, dates a minute off, a token without `kid` while there is one key.
    let mut claims = lab.claims(&pending);
    claims["aud"] = json!(["sealstone"]);
    claims["azp"] = json!("sealstone");
    claims["exp"] = json!(lab.clock.seconds() - 59);
    claims["iat"] = json!(lab.clock.seconds() + 59);
    claims["auth_time"] = json!(lab.clock.seconds() + 59);
    lab.issue(&lab.key.sign(r#"{"alg":"ES256"}"#, &claims.to_string()));
    let identity = lab.finish(&pending).await.unwrap();
    assert_eq!(identity.auth_time, Some(lab.clock.now()), "never later than now");
}

#[tokio::test]
async fn r01_a_token_that_says_anything_else_is_refused() {
    let lab = Lab::start();
    let log = Log::capture();
    let pending = lab.begin(&ask()).await;
    let now = lab.clock.seconds();
    let long = "s".repeat(256);
    let cases: Vec<(&str, &str, Option<Value>)> = vec![
        ("another issuer", "iss", Some(json!("https://evil.example"))),
        (
            "the issuer with a slash",
            "iss",
            Some(json!(format!("{}/", lab.fake.url()))),
        ),
        ("no issuer", "iss", None),
        ("another audience", "aud", Some(json!("other"))),
        ("no audience", "aud", None),
        ("an empty list of audiences", "aud", Some(json!([]))),
        ("a further audience", "aud", Some(json!(["sealstone", "other"]))),
        ("issued for another", "azp", Some(json!("other"))),
        ("another nonce", "nonce", Some(json!(pending.expose_state()))),
        ("an empty nonce", "nonce", Some(json!(""))),
        ("no nonce", "nonce", None),
        ("ended", "exp", Some(json!(now - 61))),
        ("without end", "exp", None),
        ("an end as text", "exp", Some(json!("never"))),
        ("issued in two minutes", "iat", Some(json!(now + 120))),
        ("never issued", "iat", None),
        ("nobody", "sub", None),
        ("an empty subject", "sub", Some(json!(""))),
        ("a long subject", "sub", Some(json!(long))),
        ("a number for a subject", "sub", Some(json!(1))),
        ("signed in next year", "auth_time", Some(json!(now + 31_536_000))),
        (
            "of another access token",
            "at_hash",
            Some(json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ),
    ];
    for (name, member, value) in cases {
        let mut claims = lab.claims(&pending);
        match value {
            Some(value) => claims[member] = value,
            None => drop(claims.as_object_mut().unwrap().remove(member)),
        }
        lab.issue(&lab.key.sign(&lab.key.header().to_string(), &claims.to_string()));
        refused(&lab, &pending, name).await;
    }
    lab.issue_honestly(&pending);
    assert!(lab.finish(&pending).await.is_ok());
    unseen(&log.text(), "the log", &pending);
}

#[tokio::test]
async fn r01_a_token_of_another_form_or_key_is_refused() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    let claims = lab.claims(&pending).to_string();
    let header = lab.key.header();
    let with = |member: &str, value: Value| {
        let mut header = header.clone();
        header[member] = value;
        header.to_string()
    };
    let own = lab.key.sign(&header.to_string(), &claims);
    let unsigned = |header: &str| {
        let signed = lab.key.sign(header, &claims);
        let (input, _signature) = signed.rsplit_once('.').unwrap();
        format!("{input}.")
    };
    let stranger = Key::new(Algorithm::Es256, "k1");
    let jwk = Key::set(&[&stranger])["keys"][0].clone();
    let twice = claims.replacen("\"sub\":\"s1\"", "\"sub\":\"s1\",\"sub\":\"s1\"", 1);
    assert!(twice.matches("\"sub\"").count() == 2);
    let other = Key::new(Algorithm::EdDsa, "k1");
    let cases = [
        ("alg none", unsigned(r#"{"alg":"none"}"#)),
        ("alg None", unsigned(r#"{"alg":"None"}"#)),
        ("no signature", unsigned(&header.to_string())),
        ("alg HS256", lab.key.sign(&with("alg", json!("HS256")), &claims)),
        ("alg ES384", lab.key.sign(&with("alg", json!("ES384")), &claims)),
        ("no alg", lab.key.sign("{}", &claims)),
        (
            "an algorithm that is not configured",
            other.sign(&other.header().to_string(), &claims),
        ),
        (
            "another's key under the same name",
            stranger.sign(&header.to_string(), &claims),
        ),
        (
            "another's key in the header",
            stranger.sign(&with("jwk", jwk), &claims),
        ),
        (
            "an address in the header",
            lab.key.sign(&with("jku", json!(lab.fake.url())), &claims),
        ),
        (
            "a chain in the header",
            lab.key.sign(&with("x5c", json!(["MA=="])), &claims),
        ),
        ("critical", lab.key.sign(&with("crit", json!(["x"])), &claims)),
        (
            "an unknown name",
            lab.key.sign(&with("kid", json!("k2")), &claims),
        ),
        (
            "a path for a name",
            lab.key.sign(&with("kid", json!("../../dev/null")), &claims),
        ),
        (
            "an access token",
            lab.key.sign(&with("typ", json!("at+jwt")), &claims),
        ),
        (
            "a nested token",
            lab.key.sign(&with("cty", json!("JWT")), &claims),
        ),
        ("a claim twice", lab.key.sign(&header.to_string(), &twice)),
        ("no JSON", lab.key.sign(&header.to_string(), "sub=s1")),
        (
            "a list",
            lab.key.sign(&header.to_string(), &format!("[{claims}]")),
        ),
        ("a changed claim", own.replacen('.', ".e30", 1)),
        ("two parts", own.rsplit_once('.').unwrap().0.to_owned()),
        ("four parts", format!("{own}.AA")),
        ("padding", format!("{own}=")),
        ("nothing", String::new()),
        (
            "too large",
            lab.key.sign(
                &header.to_string(),
                &claims.replacen("\"pwd\"", &format!("\"{}\"", "p".repeat(20_000)), 1),
            ),
        ),
    ];
    for (name, token) in cases {
        lab.issue(&token);
        refused(&lab, &pending, name).await;
    }
    lab.issue(&own);
    assert!(lab.finish(&pending).await.is_ok());
}

#[tokio::test]
async fn how_long_ago_the_person_signed_in_is_held_to_what_was_asked() {
    let lab = Lab::start();
    let asked = UpstreamAsk {
        max_age: Some(Duration::from_secs(600)),
        ..ask()
    };
    let pending = lab.begin(&asked).await;
    let begun = lab.clock.seconds();
    // The person takes two minutes: counted is until they were sent.
    lab.clock.advance(Duration::from_secs(120));
    for (name, auth_time, accepted) in [
        ("now", json!(begun + 100), true),
        ("ten minutes before", json!(begun - 600), true),
        ("eleven minutes and more", json!(begun - 661), false),
        ("not told", Value::Null, false),
        ("as text", json!("now"), false),
    ] {
        let mut claims = lab.claims(&pending);
        claims["auth_time"] = auth_time;
        lab.issue(&lab.key.sign(&lab.key.header().to_string(), &claims.to_string()));
        match lab.finish(&pending).await {
            Ok(identity) => assert!(accepted && identity.auth_time.is_some(), "{name}"),
            Err(error) => assert!(!accepted, "{name}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn a_new_key_is_found_and_unknown_names_do_not_make_us_ask_without_end() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    assert!(lab.finish(&pending).await.is_ok());
    assert_eq!(lab.fake.count("/jwks"), 1);
    let next = Key::new(Algorithm::Es256, "k2");
    let token = next.sign(&next.header().to_string(), &lab.claims(&pending).to_string());
    lab.issue(&token);
    for _login in 0..5 {
        assert!(lab.finish(&pending).await.is_err());
    }
    assert_eq!(lab.fake.count("/jwks"), 1, "the set was read a moment ago");
    lab.clock.advance(Duration::from_secs(10));
    for _login in 0..5 {
        assert!(lab.finish(&pending).await.is_err());
    }
    assert_eq!(lab.fake.count("/jwks"), 2);
    // Published at last; the old key is gone with it.
    lab.change(|script| script.keys = Key::set(&[&next]));
    lab.clock.advance(Duration::from_secs(10));
    assert!(lab.finish(&pending).await.is_ok());
    lab.issue_honestly(&pending);
    assert!(lab.finish(&pending).await.is_err());
    // A key that was taken back is believed five minutes at most.
    lab.issue(&token);
    lab.change(|script| script.keys = Key::set(&[&Key::new(Algorithm::Es256, "k3")]));
    lab.clock.advance(Duration::from_secs(280));
    lab.issue(&next.sign(&next.header().to_string(), &lab.claims(&pending).to_string()));
    assert!(lab.finish(&pending).await.is_ok());
    lab.clock.advance(Duration::from_secs(20));
    let error = lab.finish(&pending).await.unwrap_err();
    assert!(shown(&error).contains("ID token"), "{error:?}");
}
