//! The login at node oidc-provider 9, as the server's upstream adapter does it.

use sealstone_interop::{Browser, Https, UpstreamServer, UpstreamSetup};
use sealstone_jose::Algorithm;
use sealstone_login::{
    PendingUpstream, UpstreamAsk, UpstreamCallback, UpstreamError, UpstreamIdentity, UpstreamLogin as _,
    UpstreamRefusal, UpstreamSecrets,
};
use sealstone_oauth_types::OpaqueToken;
use sealstone_testkit::SeededBytes;
use sealstone_upstream::{ClientAuthentication, UpstreamConfig, UpstreamProvider};
use zeroize::Zeroizing;

const CALLBACK: &str = "https://id.example.org/v4/oauth2/demo/callback";

fn config(server: &UpstreamServer) -> UpstreamConfig {
    let secret = Zeroizing::new(UpstreamServer::CLIENT_SECRET.to_owned());
    config_as(server, ClientAuthentication::Basic(secret))
}

fn config_as(server: &UpstreamServer, authentication: ClientAuthentication) -> UpstreamConfig {
    UpstreamConfig::new(&server.issuer(), UpstreamServer::CLIENT_ID, authentication)
        .unwrap()
        .with_back_channel_url(&server.back_channel())
        .unwrap()
        .with_authorities(server.ca().as_bytes())
        .unwrap()
}

fn secrets(seed: u64) -> UpstreamSecrets {
    let mut bytes = SeededBytes::new(seed);
    let mut token = || {
        let mut octets = [0; 32];
        bytes.fill(&mut octets);
        OpaqueToken::from_octets(octets)
    };
    UpstreamSecrets {
        state: token(),
        nonce: token(),
        verifier: token(),
    }
}

fn ask() -> UpstreamAsk {
    UpstreamAsk {
        redirect_uri: CALLBACK.to_owned(),
        ..UpstreamAsk::default()
    }
}

fn browser(server: &UpstreamServer) -> Browser {
    Browser::new(Https::trusting(server.ca()))
}

/// What came back with a browser, as owned texts.
#[derive(Clone, Debug)]
struct Back(Vec<(String, String)>);

impl Back {
    fn of(url: &str) -> Self {
        let (address, query) = url.split_once('?').expect("a query");
        assert_eq!(address, CALLBACK);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let plain = |text: &str| text.replace("%3A", ":").replace("%2F", "/");
        Self(
            pairs
                .map(|(name, value)| (name.to_owned(), plain(value)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    fn callback(&self) -> UpstreamCallback<'_> {
        UpstreamCallback {
            code: self.get("code"),
            state: self.get("state"),
            iss: self.get("iss"),
            error: self.get("error"),
        }
    }
}

/// A browser that has signed in and come back.
async fn back(
    server: &UpstreamServer,
    provider: &UpstreamProvider,
    ask: &UpstreamAsk,
    seed: u64,
) -> (PendingUpstream, Back) {
    let redirect = provider.begin(ask, secrets(seed)).await.unwrap();
    assert!(
        redirect.url.starts_with(&format!("{}/auth?", server.issuer())),
        "{}",
        redirect.url
    );
    let left = server.sign_in(&mut browser(server), &redirect.url, UpstreamServer::ada());
    (redirect.pending, Back::of(&left))
}

fn refusal(outcome: Result<UpstreamIdentity, UpstreamError>) -> UpstreamRefusal {
    match outcome {
        Err(UpstreamError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_person_signs_in_upstream_with_every_client_authentication_and_algorithm() {
    let secret = || Zeroizing::new(UpstreamServer::CLIENT_SECRET.to_owned());
    for (auth, algorithm, authentication, alg) in [
        (
            "client_secret_basic",
            "RS256",
            ClientAuthentication::Basic(secret()),
            Algorithm::Rs256,
        ),
        (
            "client_secret_post",
            "ES256",
            ClientAuthentication::Post(secret()),
            Algorithm::Es256,
        ),
        ("none", "RS256", ClientAuthentication::None, Algorithm::Rs256),
    ] {
        let setup = UpstreamSetup {
            auth,
            algorithm,
            ..UpstreamSetup::new(CALLBACK)
        };
        let server = UpstreamServer::start(&setup);
        let config = config_as(&server, authentication)
            .with_algorithms(vec![alg])
            .unwrap();
        let provider = UpstreamProvider::new(config).unwrap();
        let (pending, came) = back(&server, &provider, &ask(), 1).await;
        let identity = provider.finish(&pending, &came.callback()).await.unwrap();
        assert_eq!(identity.issuer, server.issuer());
        assert_eq!(identity.subject.len(), 36, "a UUID: {}", identity.subject);
        assert_eq!(identity.amr, ["pwd"], "{auth}");
        // From userinfo: the ID token has none of these.
        let claims = UpstreamServer::claims(UpstreamServer::ada());
        for name in ["name", "preferred_username", "email", "email_verified", "groups"] {
            assert_eq!(identity.claims.get(name), claims.get(name), "{auth}: {name}");
        }
        let domain = sealstone_identity::DomainId::parse("demo").unwrap();
        let person = identity.person(&domain).unwrap();
        assert_eq!(person.user.name().as_str(), "ada");
        let groups: Vec<&str> = person.groups.iter().map(|group| group.as_str()).collect();
        assert_eq!(groups, ["cloud-admins", "staff"]);

        // The code is spent.
        assert_eq!(
            refusal(provider.finish(&pending, &came.callback()).await),
            UpstreamRefusal::Code
        );
    }
}

/// Row 5 of the broker profile: two addresses, and each side sees its own.
#[tokio::test]
async fn keycape_05_browsers_never_see_the_internal_host_and_we_never_ask_the_public_one() {
    let server = UpstreamServer::start(&UpstreamSetup::new(CALLBACK));
    let provider = UpstreamProvider::new(config(&server)).unwrap();
    let (pending, came) = back(&server, &provider, &ask(), 1).await;
    provider.finish(&pending, &came.callback()).await.unwrap();
    let ours = server.asked_as("127.0.0.1");
    assert_eq!(
        ours,
        [
            "GET /.well-known/openid-configuration",
            "POST /token",
            "GET /jwks",
            "GET /me"
        ],
        "asked once, and by the internal name"
    );
    let theirs = server.asked_as("localhost");
    assert!(theirs.iter().any(|line| line == "GET /auth"), "{theirs:?}");
    let back_channel = ["/token", "/jwks", "/me", "/.well-known/openid-configuration"];
    assert!(
        !theirs
            .iter()
            .any(|line| back_channel.iter().any(|path| line.ends_with(path))),
        "{theirs:?}"
    );
    assert!(!theirs.iter().any(|line| line.contains("127.0.0.1")));

    // A second login asks for nothing that is known.
    let (pending, came) = back(&server, &provider, &ask(), 2).await;
    provider.finish(&pending, &came.callback()).await.unwrap();
    assert_eq!(server.asked_as("127.0.0.1")[4..], ["POST /token", "GET /me"]);
}

#[tokio::test]
async fn r01_a_callback_with_another_state_is_refused_and_the_code_stays_good() {
    let server = UpstreamServer::start(&UpstreamSetup::new(CALLBACK));
    let provider = UpstreamProvider::new(config(&server)).unwrap();
    let (pending, came) = back(&server, &provider, &ask(), 1).await;
    let (other, _came) = back(&server, &provider, &ask(), 2).await;
    let forged = "A".repeat(43);
    for state in [None, Some(""), Some(forged.as_str()), Some(other.expose_state())] {
        let callback = UpstreamCallback {
            state,
            ..came.callback()
        };
        assert_eq!(
            refusal(provider.finish(&pending, &callback).await),
            UpstreamRefusal::State,
            "{state:?}"
        );
    }
    // The answer to this login, in another's pending state: the other browser's.
    assert_eq!(
        refusal(provider.finish(&other, &came.callback()).await),
        UpstreamRefusal::State
    );
    assert_eq!(
        server
            .asked_as("127.0.0.1")
            .iter()
            .filter(|line| line.ends_with("/token"))
            .count(),
        0
    );
    assert!(provider.finish(&pending, &came.callback()).await.is_ok());
}

/// The state of one login with the code of another: PKCE and the nonce hold, each by itself.
#[tokio::test]
async fn r01_a_code_of_another_login_is_useless() {
    let server = UpstreamServer::start(&UpstreamSetup::new(CALLBACK));
    let provider = UpstreamProvider::new(config(&server)).unwrap();
    let (pending, came) = back(&server, &provider, &ask(), 1).await;
    let (_stolen_from, stolen) = back(&server, &provider, &ask(), 2).await;
    let injected = UpstreamCallback {
        code: stolen.get("code"),
        ..came.callback()
    };
    assert_eq!(
        refusal(provider.finish(&pending, &injected).await),
        UpstreamRefusal::Code
    );
}

#[tokio::test]
async fn r02_a_callback_of_another_issuer_is_refused_before_anybody_is_asked() {
    let server = UpstreamServer::start(&UpstreamSetup::new(CALLBACK));
    let provider = UpstreamProvider::new(config(&server)).unwrap();
    let (pending, came) = back(&server, &provider, &ask(), 1).await;
    assert_eq!(
        came.get("iss"),
        Some(server.issuer().as_str()),
        "the provider says who it is"
    );
    let with_slash = format!("{}/", server.issuer());
    let internal = server.back_channel();
    for iss in [
        None,
        Some(""),
        Some("https://evil.example"),
        Some(with_slash.as_str()),
        Some(internal.as_str()),
    ] {
        let callback = UpstreamCallback {
            iss,
            ..came.callback()
        };
        assert_eq!(
            refusal(provider.finish(&pending, &callback).await),
            UpstreamRefusal::Issuer,
            "{iss:?}"
        );
        // Also when it brings an error: the error is another's.
        let callback = UpstreamCallback {
            error: Some("access_denied"),
            ..callback
        };
        assert_eq!(
            refusal(provider.finish(&pending, &callback).await),
            UpstreamRefusal::Issuer,
            "{iss:?}"
        );
    }
    assert!(
        !server
            .asked_as("127.0.0.1")
            .iter()
            .any(|line| line.ends_with("/token"))
    );
    assert!(provider.finish(&pending, &came.callback()).await.is_ok());
}

#[tokio::test]
async fn what_is_asked_reaches_the_provider_and_comes_back_true() {
    let server = UpstreamServer::start(&UpstreamSetup::new(CALLBACK));
    let provider = UpstreamProvider::new(config(&server)).unwrap();
    let mut browser = browser(&server);
    let max_age = Some(std::time::Duration::from_secs(3600));
    let asked = UpstreamAsk {
        max_age,
        prompt: Some("login".to_owned()),
        login_hint: Some("ada & co".to_owned()),
        ui_locales: vec!["de".to_owned()],
        ..ask()
    };
    let redirect = provider.begin(&asked, secrets(1)).await.unwrap();
    for wanted in [
        "max_age=3600",
        "prompt=login",
        "login_hint=ada+%26+co",
        "ui_locales=de",
        "code_challenge_method=S256",
    ] {
        assert!(redirect.url.contains(wanted), "{wanted}: {}", redirect.url);
    }
    let left = server.sign_in(&mut browser, &redirect.url, "ada");
    let identity = provider
        .finish(&redirect.pending, &Back::of(&left).callback())
        .await
        .unwrap();
    assert!(identity.auth_time.is_some());

    // The same browser again: signed in already, without a page; `prompt=none` too.
    for (prompt, seed) in [(None, 2), (Some("none"), 3)] {
        let asked = UpstreamAsk {
            prompt: prompt.map(str::to_owned),
            ..ask()
        };
        let redirect = provider.begin(&asked, secrets(seed)).await.unwrap();
        let back = Back::of(&browser.open(&redirect.url).left());
        assert!(provider.finish(&redirect.pending, &back.callback()).await.is_ok());
    }
    // Nobody is signed in, and nobody may be asked.
    let silent = UpstreamAsk {
        prompt: Some("none".to_owned()),
        ..ask()
    };
    let redirect = provider.begin(&silent, secrets(4)).await.unwrap();
    let mut stranger = self::browser(&server);
    let back = Back::of(&stranger.open(&redirect.url).left());
    assert_eq!(back.get("error"), Some("login_required"));
    assert_eq!(
        refusal(provider.finish(&redirect.pending, &back.callback()).await),
        UpstreamRefusal::Error
    );
}

#[tokio::test]
async fn a_registration_that_does_not_fit_is_told_as_that() {
    let server = UpstreamServer::start(&UpstreamSetup::new(CALLBACK));
    let wrong = ClientAuthentication::Basic(Zeroizing::new("another secret".to_owned()));
    let provider = UpstreamProvider::new(config_as(&server, wrong)).unwrap();
    let (pending, came) = back(&server, &provider, &ask(), 1).await;
    let error = provider.finish(&pending, &came.callback()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::NotConfigured { .. }), "{error:?}");

    // Signed with an algorithm that was not configured: what the provider says does not change it.
    let config = config(&server).with_algorithms(vec![Algorithm::Es256]).unwrap();
    let provider = UpstreamProvider::new(config).unwrap();
    let (pending, came) = back(&server, &provider, &ask(), 1).await;
    assert_eq!(
        refusal(provider.finish(&pending, &came.callback()).await),
        UpstreamRefusal::IdToken
    );

    // Another issuer than it calls itself, and an authority that does not vouch for it.
    let elsewhere =
        UpstreamConfig::new(&server.back_channel(), "sealstone", ClientAuthentication::None).unwrap();
    let elsewhere = elsewhere.with_authorities(server.ca().as_bytes()).unwrap();
    let error = UpstreamProvider::new(elsewhere)
        .unwrap()
        .probe()
        .await
        .unwrap_err();
    assert!(matches!(error, UpstreamError::Malformed { .. }), "{error:?}");
    let other_ca = sealstone_testkit::TestCa::new("Other").pem();
    let config = UpstreamConfig::new(&server.issuer(), "sealstone", ClientAuthentication::None).unwrap();
    let config = config.with_authorities(other_ca.as_bytes()).unwrap();
    let error = UpstreamProvider::new(config).unwrap().probe().await.unwrap_err();
    assert!(matches!(error, UpstreamError::Unavailable { .. }), "{error:?}");
}
