//! A provider that is down, slow, or answers with what it should not.

use sealstone_jose::Algorithm;
use sealstone_login::{UpstreamError, UpstreamLogin as _, UpstreamRefusal};
use sealstone_testkit::HttpReply;
use sealstone_upstream::{ClientAuthentication, ConfigError, UpstreamConfig, UpstreamProvider};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::{
    ACCESS_TOKEN, CODE, IMPATIENT, Key, Lab, Log, SECRET, ask, callback, metadata, secrets, shown, unseen,
};

type Odd = Box<dyn Fn() -> HttpReply + Send + Sync>;

const DISCOVERY: &str = "/.well-known/openid-configuration";

fn is_outage_or_nonsense(error: &UpstreamError) -> bool {
    matches!(
        error,
        UpstreamError::Unavailable { .. } | UpstreamError::Malformed { .. }
    )
}

#[tokio::test]
async fn r17_down_slow_or_nonsense_lets_nobody_in() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(300 * 1024));
    let octets = |text: &'static str| Box::new(move || HttpReply::Octets(text.as_bytes().to_vec())) as Odd;
    let cases: Vec<(&str, Odd)> = vec![
        ("closes at once", Box::new(|| HttpReply::Close)),
        ("says nothing", Box::new(|| HttpReply::Silence)),
        (
            "one octet at a time",
            Box::new(|| HttpReply::Slow(b"HTTP/1.1 200 OK\r\n".to_vec())),
        ),
        (
            "never ends",
            Box::new(|| {
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
                HttpReply::Endless(head.as_bytes().to_vec())
            }),
        ),
        ("no HTTP", octets("gopher\r\n\r\n")),
        (
            "cut off",
            octets("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}"),
        ),
        ("500", Box::new(|| HttpReply::json(500, "{}"))),
        ("429", Box::new(|| HttpReply::json(429, "{}"))),
        (
            "502 of a proxy",
            Box::new(|| HttpReply::new(502, "text/html", "<html>")),
        ),
        (
            "200 of a proxy",
            Box::new(|| HttpReply::new(200, "text/html", "<html>")),
        ),
        (
            "401 of a proxy",
            Box::new(|| HttpReply::new(401, "text/html", "<html>")),
        ),
        ("404", Box::new(|| HttpReply::json(404, "{}"))),
        ("204", octets("HTTP/1.1 204 No Content\r\n\r\n")),
        (
            "a redirect",
            Box::new(|| HttpReply::redirect(302, "http://127.0.0.1:1/")),
        ),
        (
            "a redirect that keeps the method",
            Box::new(|| HttpReply::redirect(307, "/token/")),
        ),
        ("no JSON", Box::new(|| HttpReply::json(200, "access_token=x"))),
        ("nothing", Box::new(|| HttpReply::json(200, ""))),
        ("an empty object", Box::new(|| HttpReply::json(200, "{}"))),
        ("a list", Box::new(|| HttpReply::json(200, "[]"))),
        (
            "a name twice",
            Box::new(|| HttpReply::json(200, r#"{"sub":"s1","sub":"s1"}"#)),
        ),
        ("nested deeply", Box::new(move || HttpReply::json(200, &deep))),
        ("too large", Box::new(move || HttpReply::json(200, &large))),
    ];
    let log = Log::capture();
    for (name, reply) in cases {
        let reply = std::sync::Arc::new(reply);
        for path in [DISCOVERY, "/jwks", "/token", "/userinfo"] {
            let lab = Lab::with(|config| config.with_call_deadline(IMPATIENT));
            let reply = std::sync::Arc::clone(&reply);
            lab.answer_oddly(move |ask| (ask.path() == path).then(|| reply()));
            if path == DISCOVERY {
                let error = lab.provider.begin(&ask(), secrets()).await.unwrap_err();
                assert!(is_outage_or_nonsense(&error), "{name} at {path}: {error:?}");
                continue;
            }
            let pending = lab.begin(&ask()).await;
            lab.issue_honestly(&pending);
            let error = lab.finish(&pending).await.expect_err(name);
            assert!(is_outage_or_nonsense(&error), "{name} at {path}: {error:?}");
            unseen(&shown(&error), name, &pending);
        }
    }
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    unseen(&log.text(), "the log", &pending);
}

#[tokio::test]
async fn metadata_of_another_or_that_leads_elsewhere_is_refused() {
    let lab = Lab::start();
    let url = lab.fake.url();
    for (name, member, value) in [
        ("another issuer", "issuer", json!("https://evil.example")),
        ("the issuer with a slash", "issuer", json!(format!("{url}/"))),
        ("no issuer", "issuer", Value::Null),
        (
            "a token endpoint in the clear elsewhere",
            "token_endpoint",
            json!("http://evil.example/token"),
        ),
        (
            "a token endpoint that is no address",
            "token_endpoint",
            json!("token"),
        ),
        ("keys in a file", "jwks_uri", json!("file:///etc/passwd")),
        (
            "an authorization endpoint as script",
            "authorization_endpoint",
            json!("javascript:alert(1)"),
        ),
        (
            "an authorization endpoint in the clear elsewhere",
            "authorization_endpoint",
            json!("http://evil.example/"),
        ),
        (
            "a name before the host",
            "authorization_endpoint",
            json!(format!("{url}@evil.example/")),
        ),
        ("userinfo as a number", "userinfo_endpoint", json!(1)),
        (
            "iss support as text",
            "authorization_response_iss_parameter_supported",
            json!("true"),
        ),
    ] {
        let mut document = metadata(&url);
        document[member] = value;
        lab.change(|script| script.metadata = document);
        let error = lab.provider.begin(&ask(), secrets()).await.expect_err(name);
        assert!(
            matches!(error, UpstreamError::Malformed { .. }),
            "{name}: {error:?}"
        );
    }
    lab.change(|script| script.metadata = metadata(&url));
    lab.begin(&ask()).await;
    assert_eq!(lab.fake.count(DISCOVERY), 12, "what was refused is not kept");
    lab.begin(&ask()).await;
    assert_eq!(lab.fake.count(DISCOVERY), 12, "what was taken is, for an hour");
    lab.clock.advance(std::time::Duration::from_secs(3599));
    lab.begin(&ask()).await;
    assert_eq!(lab.fake.count(DISCOVERY), 12);
    lab.clock.advance(std::time::Duration::from_secs(1));
    lab.begin(&ask()).await;
    assert_eq!(lab.fake.count(DISCOVERY), 13);
}

/// Two addresses: whatever the provider says, ours stays ours and the browser's the browser's.
#[tokio::test]
async fn addresses_of_one_side_are_never_used_by_the_other() {
    let public = "https://login.example";
    let lab = Lab::start();
    let internal = lab.fake.url();
    let config = UpstreamConfig::new(public, "sealstone", ClientAuthentication::None).unwrap();
    let config = config.with_back_channel_url(&internal).unwrap();
    let hand = lab.clock.clone();
    let config = config.with_clock(move || hand.now());
    for (name, authorization, token, accepted) in [
        ("public names", public, public, true),
        ("internal names", internal.as_str(), internal.as_str(), true),
        ("tokens elsewhere", public, "https://evil.example", false),
        ("pages elsewhere", "https://evil.example", public, false),
        ("a metadata service", public, "http://169.254.169.254", false),
    ] {
        let mut document = metadata(public);
        document["authorization_endpoint"] = json!(format!("{authorization}/authorize"));
        document["token_endpoint"] = json!(format!("{token}/token"));
        lab.change(|script| script.metadata = document);
        let provider = UpstreamProvider::new(config.clone()).unwrap();
        match provider.begin(&ask(), secrets()).await {
            Ok(redirect) => {
                assert!(accepted, "{name}");
                assert!(
                    redirect.url.starts_with("https://login.example/authorize?"),
                    "{}",
                    redirect.url
                );
                assert!(!redirect.url.contains("127.0.0.1"));
                // The code goes to the internal address: nothing answers at the other.
                let _refused = provider
                    .finish(&redirect.pending, &callback(&redirect.pending))
                    .await;
                assert!(lab.fake.count("/token") > 0, "{name}");
            }
            Err(error) => assert!(
                !accepted && matches!(error, UpstreamError::Malformed { .. }),
                "{name}: {error:?}"
            ),
        }
    }
}

#[tokio::test]
async fn what_is_sent_is_what_the_specifications_have() {
    let lab = Lab::start();
    let redirect = lab.provider.begin(&ask(), secrets()).await.unwrap();
    let pending = redirect.pending;
    let challenge =
        sealstone_jose::base64url::encode(sealstone_testkit::sha256(pending.expose_verifier().as_bytes()));
    for wanted in [
        "response_type=code".to_owned(),
        "client_id=sealstone".to_owned(),
        "scope=openid+profile+email+groups".to_owned(),
        "redirect_uri=https%3A%2F%2Fid.example%2Fv4%2Foauth2%2Fdemo%2Fcallback".to_owned(),
        format!("state={}", pending.expose_state()),
        format!("nonce={}", pending.expose_nonce()),
        format!("code_challenge={challenge}"),
        "code_challenge_method=S256".to_owned(),
    ] {
        assert_eq!(
            redirect.url.matches(&wanted).count(),
            1,
            "{wanted}: {}",
            redirect.url
        );
    }
    assert!(!redirect.url.contains(pending.expose_verifier()) && !redirect.url.contains(SECRET));
    lab.issue_honestly(&pending);
    lab.finish(&pending).await.unwrap();
    let seen = lab.fake.seen();
    let token = seen.iter().find(|ask| ask.path() == "/token").unwrap();
    for wanted in [
        "grant_type=authorization_code",
        &format!("code={CODE}"),
        &format!("code_verifier={}", pending.expose_verifier()),
    ] {
        assert!(token.body.contains(wanted), "{wanted}: {}", token.body);
    }
    assert!(token.header("authorization").unwrap().starts_with("Basic "));
    assert!(!token.body.contains(SECRET));
    let userinfo = seen.iter().find(|ask| ask.path() == "/userinfo").unwrap();
    assert_eq!(
        userinfo.header("authorization"),
        Some(format!("Bearer {ACCESS_TOKEN}").as_str())
    );
    assert!(
        seen.iter().all(|ask| !ask.target.contains('?')),
        "nothing secret is in an address"
    );
}

#[tokio::test]
async fn r18_userinfo_of_another_is_refused() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    for (name, userinfo) in [
        ("another subject", json!({"sub": "s2", "groups": ["admins"]})),
        ("no subject", json!({"groups": ["admins"]})),
        ("a subject that is none", json!({"sub": 1})),
        ("a list", json!(["s1"])),
    ] {
        lab.change(|script| script.userinfo = userinfo);
        let error = lab.finish(&pending).await.expect_err(name);
        assert!(
            matches!(error, UpstreamError::Malformed { .. }),
            "{name}: {error:?}"
        );
    }
    lab.change(|script| {
        script.userinfo = json!({"sub": "s1", "iss": "https://evil.example", "nonce": "x", "name": "x"})
    });
    let identity = lab.finish(&pending).await.unwrap();
    assert_eq!(identity.claims["iss"], lab.fake.url(), "what was signed stands");
    // A signed one is not read, and none is asked for where the configuration says so.
    lab.answer_oddly(|ask| {
        (ask.path() == "/userinfo").then(|| HttpReply::new(200, "application/jwt", "e30.e30."))
    });
    assert!(lab.finish(&pending).await.is_err());
    let quiet = Lab::with(|config| config.with_userinfo(false));
    let pending = quiet.begin(&ask()).await;
    quiet.issue_honestly(&pending);
    assert!(
        !quiet
            .finish(&pending)
            .await
            .unwrap()
            .claims
            .contains_key("groups")
    );
    assert_eq!(quiet.fake.count("/userinfo"), 0);
}

#[tokio::test]
async fn token_answers_that_lack_something_are_refused() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    let honest = lab.script.lock().unwrap().tokens.clone();
    for (name, member, value) in [
        ("no ID token", "id_token", Value::Null),
        ("an ID token that is a number", "id_token", json!(1)),
        ("no access token", "access_token", Value::Null),
        (
            "an access token that splits a header",
            "access_token",
            json!("a\r\nX-Evil: 1"),
        ),
        ("an empty access token", "access_token", json!("")),
        (
            "an access token without end",
            "access_token",
            json!("a".repeat(20_000)),
        ),
        ("no token type", "token_type", Value::Null),
    ] {
        let mut tokens = honest.clone();
        tokens[member] = value;
        lab.change(|script| script.tokens = tokens);
        let error = lab.finish(&pending).await.expect_err(name);
        assert!(
            matches!(error, UpstreamError::Malformed { .. }),
            "{name}: {error:?}"
        );
        unseen(&shown(&error), name, &pending);
    }
    assert_eq!(lab.fake.count("/userinfo"), 0);
}

#[tokio::test]
async fn key_sets_without_a_usable_key_are_refused() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    let other = Key::set(&[&Key::new(Algorithm::EdDsa, "k1")]);
    let doubled = json!({"keys": [Key::set(&[&lab.key])["keys"][0], other["keys"][0]]});
    for (name, keys) in [
        ("none", json!({"keys": []})),
        ("no list", json!({"keys": {}})),
        ("one of another algorithm", other),
        (
            "a secret",
            json!({"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k1"}]}),
        ),
        ("two of one name", doubled),
    ] {
        lab.change(|script| script.keys = keys);
        let error = lab.finish(&pending).await.expect_err(name);
        assert!(
            matches!(
                error,
                UpstreamError::Malformed { .. } | UpstreamError::Refused(UpstreamRefusal::IdToken)
            ),
            "{name}: {error:?}"
        );
    }
    lab.change(|script| script.keys = Key::set(&[&lab.key]));
    assert!(lab.finish(&pending).await.is_ok());
}

#[test]
fn what_cannot_be_meant_is_refused_when_it_is_configured() {
    let new = |issuer: &str| UpstreamConfig::new(issuer, "sealstone", ClientAuthentication::None);
    for issuer in [
        "",
        "login.example",
        "ftp://login.example",
        "https://login.example/?x",
        "https://a@login.example",
        "https://login.example/#x",
    ] {
        assert!(matches!(new(issuer), Err(ConfigError::Url("issuer"))), "{issuer}");
    }
    for client_id in ["", "a b", "a\n", &"c".repeat(256)] {
        let config = UpstreamConfig::new("https://login.example", client_id, ClientAuthentication::None);
        assert!(matches!(config, Err(ConfigError::ClientId)), "{client_id:?}");
    }
    let empty = ClientAuthentication::Basic(Zeroizing::new(String::new()));
    let config = UpstreamConfig::new("https://login.example", "sealstone", empty);
    assert!(matches!(config, Err(ConfigError::ClientSecret)));
    let config = || new("https://login.example").unwrap();
    for scopes in [
        vec![],
        vec!["profile"],
        vec!["openid", ""],
        vec!["openid", "a b"],
        vec!["openid", "\""],
    ] {
        let scopes = scopes.into_iter().map(str::to_owned).collect();
        assert!(matches!(config().with_scopes(scopes), Err(ConfigError::Scopes)));
    }
    assert!(matches!(
        config().with_algorithms(Vec::new()),
        Err(ConfigError::Algorithms)
    ));
    assert!(
        matches!(UpstreamProvider::new(config()), Err(ConfigError::Tls(_))),
        "nobody vouches for it"
    );
    for config in [
        new("http://login.example").unwrap(),
        new("http://127.0.0.1:1")
            .unwrap()
            .with_browser_url("http://login.example")
            .unwrap(),
    ] {
        assert!(matches!(
            UpstreamProvider::new(config.clone()),
            Err(ConfigError::PlainHttp(_))
        ));
        assert!(UpstreamProvider::new(config.dangerous_with_plain_http()).is_ok());
    }
    let secret = ClientAuthentication::Post(Zeroizing::new(SECRET.to_owned()));
    let config = UpstreamConfig::new("https://login.example", "sealstone", secret).unwrap();
    assert!(!format!("{config:?}").contains(SECRET));
}
