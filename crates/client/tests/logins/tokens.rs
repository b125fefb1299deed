use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_client::{
    CertificatePair, ClientCredentialsRequest, ClientIdentity, DiscoveryError, Provider, RecordError,
    RelyingParty, SecretMethod, TokenError, TokenSet,
};
use sealstone_jose::{Algorithm, JwtEncoder, KeyId, PrivateKey, Signer, UnverifiedJwt, Verifier};
use sealstone_oauth_types::Secret;
use serde_json::{Value, json};

use crate::support::{Fake, NOW, Said, TestClock, context, said};

const METADATA: &str = "GET /.well-known/openid-configuration";

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

async fn provider(fake: &Fake) -> Provider {
    Provider::discover(&context(&TestClock::new()), &fake.base)
        .await
        .unwrap()
}

async fn machine(fake: &Fake, identity: ClientIdentity) -> Result<TokenSet, TokenError> {
    let party = RelyingParty::new(&provider(fake).await, identity).unwrap();
    let request = ClientCredentialsRequest::new()
        .with_scope(" a  b ")
        .with_resource("https://one.example")
        .with_resource("https://two.example");
    party.client_credentials(&request).await
}

#[tokio::test]
async fn metadata_are_the_issuers_own() {
    let fake = Fake::start().await;
    let discover = async |issuer: &str| Provider::discover(&context(&TestClock::new()), issuer).await;
    let provider = discover(&fake.base).await.unwrap();
    assert!(
        provider.offers_browser_login() && provider.offers_device_login() && !provider.offers_bound_tokens()
    );
    // Byte for byte (RFC 8414 §3.3).
    for other in [
        "https://evil.example",
        &fake.base.to_uppercase(),
        &format!("{}/", fake.base),
    ] {
        fake.publishes(&json!({"issuer": other}));
        let error = discover(&fake.base).await.unwrap_err();
        assert!(matches!(error, DiscoveryError::OtherIssuer { .. }), "{error}");
    }
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        "{\"issuer\":1}",
        "{\"issuer\":\"a\",\"issuer\":\"b\"}",
    ] {
        fake.says(METADATA, Said(200, Vec::new(), body.to_owned()));
        let error = discover(&fake.base).await.unwrap_err();
        assert!(matches!(error, DiscoveryError::Shape(_)), "{body}: {error}");
    }
    // A server without OpenID Connect publishes at RFC 8414's place.
    let issuer = format!("{}/tenant", fake.base);
    let error = discover(&issuer).await.unwrap_err();
    assert!(matches!(error, DiscoveryError::Unpublished(_)), "{error}");
    let place = "GET /.well-known/oauth-authorization-server/tenant";
    fake.says(place, said(200, &json!({"issuer": issuer})));
    assert_eq!(discover(&issuer).await.unwrap().issuer(), issuer);
    // An issuer that ends with a slash, as some do.
    let slash = format!("{}/", fake.base);
    fake.publishes(&json!({"issuer": slash}));
    assert_eq!(discover(&slash).await.unwrap().issuer(), slash);

    for wrong in [
        "id.example",
        "ftp://id.example",
        "https://",
        "https://id.example?x",
        "https://id.example#x",
        "https://a@id.example",
        "https://id.example/../x",
        "https://id.example/a b",
        "https://id.example\n",
    ] {
        let error = discover(wrong).await.unwrap_err();
        assert!(matches!(error, DiscoveryError::Issuer(_)), "{wrong:?}: {error}");
    }
    // In the clear to another machine.
    let error = discover("http://192.0.2.1").await.unwrap_err();
    assert!(error.to_string().contains("must be https"), "{error}");
    fake.says(
        METADATA,
        Said(
            302,
            vec![("location".into(), "http://192.0.2.1/".into())],
            String::new(),
        ),
    );
    let error = discover(&fake.base).await.unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    fake.says(METADATA, Said(500, Vec::new(), String::new()));
    let error = discover(&fake.base).await.unwrap_err();
    assert!(
        matches!(&error, DiscoveryError::Call(call) if call.is_transient()),
        "{error}"
    );
}

#[tokio::test]
async fn who_asks_is_shown_as_the_provider_wants() {
    let fake = Fake::start().await;
    fake.says("POST /token", fake.grants(None, &json!({"aud": "ma chine"})));
    let secret = || Secret::from("s:e/c");
    let identity = ClientIdentity::with_secret("ma chine", secret(), SecretMethod::Offered);
    let tokens = machine(&fake, identity.clone()).await.unwrap();
    assert_eq!(tokens.scope(), Some("a b"));
    assert_eq!(tokens.expires_at(), Some(at(NOW + 900)));
    let sent = &fake.asked("POST /token")[0];
    // Each part is form-encoded first (RFC 6749 §2.3.1).
    let want = base64_simd::STANDARD.encode_to_string("ma+chine:s%3Ae%2Fc");
    assert_eq!(sent.headers["authorization"], format!("Basic {want}"));
    assert_eq!(
        sent.body,
        "grant_type=client_credentials&scope=a+b&resource=https%3A%2F%2Fone.example&resource=https%3A%2F%2Ftwo.example"
    );
    assert!(!format!("{identity:?}").contains("s:e/c"));

    for (offered, method) in [
        (json!(["client_secret_post"]), SecretMethod::Offered),
        (json!(["client_secret_basic"]), SecretMethod::Post),
    ] {
        fake.publishes(&json!({"token_endpoint_auth_methods_supported": offered}));
        machine(&fake, ClientIdentity::with_secret("ma chine", secret(), method))
            .await
            .unwrap();
        let sent = fake.asked("POST /token").pop().unwrap();
        assert!(!sent.headers.contains_key("authorization"));
        assert_eq!(sent.fields()["client_secret"], "s:e/c");
    }

    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    let signer = Signer::new(&key, KeyId::parse("c1").unwrap()).unwrap();
    let verifier = Verifier::new(signer.public_jwk(), Algorithm::EdDsa).unwrap();
    let encoder = JwtEncoder::new(std::sync::Arc::new(signer), "JWT").unwrap();
    machine(&fake, ClientIdentity::with_assertions("ma chine", encoder))
        .await
        .unwrap();
    let sent = fake.asked("POST /token").pop().unwrap().fields();
    let verified = UnverifiedJwt::parse(&sent["client_assertion"])
        .unwrap()
        .verify(&verifier)
        .unwrap();
    let claims: Value = verified.claims().unwrap();
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("ma chine"), &json!("ma chine"))
    );
    assert_eq!(
        (&claims["aud"], &claims["exp"]),
        (&json!(fake.base), &json!(NOW + 60))
    );
    assert_eq!(claims["jti"].as_str().unwrap().len(), 43);
}

#[tokio::test]
async fn answers_that_are_none_give_no_tokens() {
    let fake = Fake::start().await;
    let good = json!({"access_token": "at", "token_type": "Bearer"});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        said(200, &body)
    };
    let text = |status: u16, body: &str| Said(status, Vec::new(), body.to_owned());
    for (name, answer, want) in [
        (
            "refused",
            said(400, &json!({"error": "invalid_scope"})),
            "refused with invalid_scope",
        ),
        (
            "described",
            said(
                401,
                &json!({"error": "invalid_client", "error_description": "un\u{1b}known"}),
            ),
            "refused with invalid_client (un\u{fffd}known)",
        ),
        (
            "refused with 200",
            said(200, &json!({"error": "bad_verification_code"})),
            "refused with bad_",
        ),
        ("dpop", with("token_type", json!("DPoP")), "no bearer token"),
        (
            "no type",
            with("token_type", Value::Null),
            "not what it should be",
        ),
        (
            "no token",
            with("access_token", Value::Null),
            "not what it should be",
        ),
        ("empty", with("access_token", json!("")), "no bearer token"),
        (
            "two lines",
            with("access_token", json!("a\r\nb: c")),
            "no bearer token",
        ),
        (
            "shell",
            with("access_token", json!("a'; rm -rf ~")),
            "no bearer token",
        ),
        ("refresh", with("refresh_token", json!("a\nb")), "no bearer token"),
        (
            "long",
            with("access_token", json!("a".repeat(70_000))),
            "no bearer token",
        ),
        ("life", with("expires_in", json!(-1)), "not what it should be"),
        ("page", text(200, "<html>"), "not what it should be"),
        ("page 404", text(404, "<html>"), "it answered 404"),
        (
            "twice",
            text(
                200,
                r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#,
            ),
            "not what",
        ),
        ("busy", text(429, "{}"), "it answered 429"),
        (
            "down",
            said(503, &json!({"error": "server_error"})),
            "it answered 503",
        ),
    ] {
        fake.says("POST /token", answer);
        let error = machine(&fake, ClientIdentity::public("terminal"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(want), "{name}: {error}");
        assert!(!error.to_string().contains(['\u{1b}', '\n']), "{name}");
    }
}

#[tokio::test]
async fn refreshing_keeps_what_is_not_said_again() {
    let fake = Fake::start().await;
    let party = fake.party(&TestClock::new()).await;
    fake.says("POST /token", fake.grants(None, &json!({})));
    let first = party
        .client_credentials(&ClientCredentialsRequest::new().with_scope("openid"))
        .await
        .unwrap();

    let next =
        json!({"access_token": "at-2", "token_type": "Bearer", "expires_in": 60, "refresh_token": "rt-2"});
    fake.says("POST /token", said(200, &next));
    let second = party.refresh(&first).await.unwrap();
    assert_eq!(
        fake.asked("POST /token").pop().unwrap().fields()["refresh_token"],
        "rt-1"
    );
    assert_eq!(second.refresh_token().unwrap().expose(), "rt-2");
    assert_eq!(
        (second.person(), second.id_token()),
        (first.person(), first.id_token())
    );
    assert_eq!(second.scope(), Some("openid"));

    let same = json!({"access_token": "at-3", "token_type": "Bearer"});
    fake.says("POST /token", said(200, &same));
    assert_eq!(
        party
            .refresh(&second)
            .await
            .unwrap()
            .refresh_token()
            .unwrap()
            .expose(),
        "rt-2"
    );

    // A new ID token is of the same person (OpenID Connect Core 1.0 §12.2), and need not have the nonce.
    fake.says(
        "POST /token",
        fake.grants(None, &json!({"preferred_username": "alice2"})),
    );
    let third = party.refresh(&second).await.unwrap();
    assert_eq!(third.person().unwrap().name.as_deref(), Some("alice2"));
    fake.says("POST /token", fake.grants(None, &json!({"sub": "mallory"})));
    let error = party.refresh(&third).await.unwrap_err();
    assert!(error.to_string().contains("not who it should be"), "{error}");

    fake.says("POST /token", said(400, &json!({"error": "invalid_grant"})));
    let error = party.refresh(&third).await.unwrap_err();
    assert!(
        matches!(&error, TokenError::Refused(refusal) if refusal.code == "invalid_grant"),
        "{error}"
    );
    fake.says("POST /token", said(200, &same));
    let without = party
        .client_credentials(&ClientCredentialsRequest::new())
        .await
        .unwrap();
    assert!(matches!(
        party.refresh(&without).await,
        Err(TokenError::NoRefreshToken)
    ));
}

#[tokio::test]
async fn logging_out_revokes_both_and_names_the_page() {
    let fake = Fake::start().await;
    let party = fake.party(&TestClock::new()).await;
    fake.says("POST /token", fake.grants(None, &json!({})));
    let tokens = party
        .client_credentials(&ClientCredentialsRequest::new())
        .await
        .unwrap();
    fake.says("POST /revoke", Said(200, Vec::new(), String::new()));
    party.revoke(&tokens).await.unwrap();
    let sent: Vec<_> = fake
        .asked("POST /revoke")
        .iter()
        .map(|seen| seen.fields()["token"].clone())
        .collect();
    assert_eq!(
        sent,
        ["rt-1", "at-1"],
        "the refresh token first: it ends the rest"
    );

    fake.says("POST /revoke", said(401, &json!({"error": "invalid_client"})));
    assert!(matches!(party.revoke(&tokens).await, Err(TokenError::Refused(_))));
    let url = party.end_session_url(&tokens).unwrap();
    assert!(
        url.starts_with(&format!("{}/logout?id_token_hint=", fake.base)),
        "{url}"
    );
    assert!(url.ends_with("&client_id=terminal"));
    for endpoint in [
        json!(null),
        json!("javascript:alert(1)"),
        json!("http://192.0.2.1/logout"),
    ] {
        fake.publishes(&json!({"end_session_endpoint": endpoint}));
        let party = fake.party(&TestClock::new()).await;
        assert_eq!(party.end_session_url(&tokens), None, "{endpoint}");
    }
}

#[tokio::test]
async fn a_certificate_is_shown_where_tokens_are_bound() {
    let fake = Fake::start().await;
    let made = CertificatePair::self_signed(at(NOW), Duration::from_secs(86_400)).unwrap();
    let again = CertificatePair::from_pem(made.certificate.as_bytes(), made.key.as_bytes()).unwrap();
    assert_eq!(again.thumbprint(), made.pair.thumbprint());
    assert!(!format!("{made:?} {again:?}").contains("PRIVATE"));
    let thumbprint = made.pair.thumbprint().to_string();
    let bound = fake.sign(&json!({"cnf": {"x5t#S256": thumbprint}}));
    let answer = json!({"access_token": bound, "token_type": "Bearer"});
    fake.says("POST /token", said(200, &answer));
    fake.says("POST /mtls/token", said(200, &answer));
    let alias = json!({"token_endpoint": format!("{}/mtls/token", fake.base)});

    // Nothing is bound there: the certificate is not shown, and the plain endpoint is asked.
    fake.publishes(&json!({"mtls_endpoint_aliases": alias}));
    let identity = || ClientIdentity::public("terminal").bound_to(made.pair.clone());
    let tokens = machine(&fake, identity()).await.unwrap();
    assert_eq!((tokens.shown(), fake.asked("POST /mtls/token").len()), (None, 0));

    fake.publishes(
        &json!({"mtls_endpoint_aliases": alias, "tls_client_certificate_bound_access_tokens": true}),
    );
    let tokens = machine(&fake, identity()).await.unwrap();
    assert_eq!(
        fake.asked("POST /mtls/token")[0].fields()["client_id"],
        "terminal"
    );
    assert_eq!(tokens.shown(), Some(thumbprint.as_str()));
    assert_eq!(tokens.bound_to(), Some(thumbprint));

    for (certificate, key) in [("", made.key.as_str()), (made.certificate.as_str(), "")] {
        assert!(CertificatePair::from_pem(certificate.as_bytes(), key.as_bytes()).is_err());
    }
    // Certificate and key of two pairs.
    let other = CertificatePair::self_signed(at(NOW), Duration::from_secs(60)).unwrap();
    let mixed = CertificatePair::from_pem(made.certificate.as_bytes(), other.key.as_bytes()).unwrap();
    let refused = RelyingParty::new(
        &provider(&fake).await,
        ClientIdentity::with_certificate("m", mixed),
    );
    assert!(matches!(refused, Err(TokenError::Setup(_))));
}

#[tokio::test]
async fn records_are_read_as_they_were_written() {
    let fake = Fake::start().await;
    fake.says("POST /token", fake.grants(None, &json!({})));
    let party = fake.party(&TestClock::new()).await;
    let request = ClientCredentialsRequest::new().with_scope("openid");
    let tokens = party.client_credentials(&request).await.unwrap();
    assert!(!format!("{tokens:?}").contains("at-1") && !format!("{tokens:?}").contains("rt-1"));
    assert!(
        tokens.lasts(at(NOW), Duration::from_secs(899)) && !tokens.lasts(at(NOW), Duration::from_secs(900))
    );
    let record = tokens.to_record();
    assert_eq!(TokenSet::from_record(&record).unwrap(), tokens);
    let whole: Value = serde_json::from_slice(&record).unwrap();
    let with = |name: &str, value: Value| {
        let mut record = whole.clone();
        record[name] = value;
        record.to_string()
    };
    for wrong in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        with("version", json!(2)),
        with("access_token", json!("")),
        with("access_token", json!("a\nb")),
        with("expires_at", json!("soon")),
        with("other", json!(1)),
        String::from_utf8(record[..record.len() - 1].to_vec()).unwrap(),
    ] {
        assert_eq!(
            TokenSet::from_record(wrong.as_bytes()),
            Err(RecordError),
            "{wrong}"
        );
    }
}
