//! What is told about people, and what is believed when it comes back.

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_jose::{
    Algorithm, JwkSet, JwtEncoder, KeyId, PrivateKey, Signer, UnverifiedJwt, VerifierSet, base64url,
};
use sealstone_oauth_types::{ClientEnd, ClientId, Issuer, Nonce, ScopeSet};
use sealstone_tokens::{
    AccessTokenClaims, AccessTokenHash, AccessTokenVerifier, Audience, HintVerifier, IdTokenClaims,
    LoginClaims, LogoutTokenClaims, NothingRevoked, PeopleMint, PersonClaims, Possession, Revocations,
    UserinfoClaims, VerifyError,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example/v4/oauth2/demo";

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

const LOGIN: LoginClaims<'static> = LoginClaims {
    auth_time: UnixTime::since_unix_epoch(Duration::from_secs(NOW - 60)),
    acr: Some("urn:sealstone:acr:two-factor"),
    amr: &["mfa", "otp", "pwd"],
    sid: Some("s1"),
};

struct World {
    issuer: Issuer,
    client: ClientId,
    signer: Arc<Signer>,
    mint: PeopleMint,
    keys: VerifierSet,
}

struct RevokedKey;

impl Revocations for RevokedKey {
    fn is_token_revoked(&self, _token_id: &str) -> bool {
        false
    }

    fn is_key_revoked(&self, key_id: &str) -> bool {
        key_id == "k1"
    }

    fn client_end(&self, _client_id: &ClientId) -> Option<ClientEnd> {
        None
    }
}

impl World {
    fn new() -> Self {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        let signer = Arc::new(Signer::new(&key, KeyId::parse("k1").unwrap()).unwrap());
        let set = JwkSet::new(vec![signer.public_jwk().clone()]).unwrap();
        Self {
            issuer: Issuer::parse(ISSUER).unwrap(),
            client: ClientId::parse("web").unwrap(),
            mint: PeopleMint::new(Arc::clone(&signer)).unwrap(),
            keys: VerifierSet::new(&set, &[Algorithm::Es256]).unwrap(),
            signer,
        }
    }

    fn id_token<'a>(
        &'a self,
        nonce: Option<&'a Nonce>,
        at_hash: Option<&'a AccessTokenHash>,
    ) -> IdTokenClaims<'a> {
        IdTokenClaims {
            issuer: &self.issuer,
            subject: "u1",
            client_id: &self.client,
            issued_at: at(NOW),
            expires_at: at(NOW + 300),
            login: LOGIN,
            nonce,
            at_hash,
            person: PersonClaims::default(),
            mapped: None,
        }
    }

    fn logout_token(&self) -> LogoutTokenClaims<'_> {
        LogoutTokenClaims {
            issuer: &self.issuer,
            client_id: &self.client,
            issued_at: at(NOW),
            expires_at: at(NOW + 120),
            token_id: "j1",
            subject: "u1",
            sid: Some("s1"),
        }
    }

    /// A hint, signed with the issuer's key whatever it says.
    fn hint(&self, typ: &str, change: &Value) -> Result<sealstone_tokens::VerifiedHint, VerifyError> {
        let mut claims = serde_json::to_value(self.id_token(None, None)).unwrap();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let encoder = JwtEncoder::new(Arc::clone(&self.signer), typ).unwrap();
        self.verify(&encoder.encode_to_string(&claims).unwrap())
    }

    fn verify(&self, token: &str) -> Result<sealstone_tokens::VerifiedHint, VerifyError> {
        HintVerifier::new(self.issuer.clone()).verify(token, &self.keys, &NothingRevoked, at(NOW + 10))
    }
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&base64url::decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[test]
fn an_id_token_says_what_happened_and_nothing_else() {
    let world = World::new();
    let nonce = Nonce::parse("n-0S6_WzA2Mj").unwrap();
    let at_hash = AccessTokenHash::of("an access token", world.mint.algorithm());
    let groups = ["operators", "staff"];
    let mut claims = world.id_token(Some(&nonce), Some(&at_hash));
    claims.person = PersonClaims {
        name: Some("Demo User"),
        email: Some("demo@example.org"),
        email_verified: Some(false),
        groups: Some(&groups),
        ..PersonClaims::default()
    };
    let token = world.mint.id_token(&claims).unwrap();
    assert!(UnverifiedJwt::parse(&token).unwrap().header().typ_is("JWT"));
    assert_eq!(
        claims_of(&token),
        json!({
            "iss": ISSUER, "sub": "u1", "aud": "web", "iat": NOW, "exp": NOW + 300, "auth_time": NOW - 60,
            "acr": "urn:sealstone:acr:two-factor", "amr": ["mfa", "otp", "pwd"], "sid": "s1",
            "nonce": "n-0S6_WzA2Mj", "at_hash": at_hash.as_str(), "name": "Demo User",
            "email": "demo@example.org", "email_verified": false, "groups": ["operators", "staff"],
        })
    );
    let least = claims_of(&world.mint.id_token(&world.id_token(None, None)).unwrap());
    for absent in ["nonce", "at_hash", "name", "email", "groups", "roles", "jti"] {
        assert_eq!(least.get(absent), None, "{absent}");
    }
}

#[test]
fn no_further_claim_sets_what_the_server_alone_sets() {
    let world = World::new();
    let evil: Map<String, Value> = [
        "iss",
        "sub",
        "aud",
        "exp",
        "nonce",
        "auth_time",
        "acr",
        "amr",
        "sid",
        "at_hash",
        "events",
        "cnf",
        "scope",
        "roles",
        "name",
        "email",
        "email_verified",
        "groups",
        "preferred_username",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), json!("evil")))
    .chain([("tenant".to_owned(), json!("t1"))])
    .collect();
    let person = PersonClaims {
        further: Some(&evil),
        ..PersonClaims::default()
    };
    let id_token = IdTokenClaims {
        person,
        ..world.id_token(None, None)
    };
    let userinfo = UserinfoClaims {
        subject: "u1",
        person,
        signed_for: None,
    };
    for text in [
        serde_json::to_string(&id_token).unwrap(),
        serde_json::to_string(&userinfo).unwrap(),
    ] {
        assert!(
            !text.contains("evil") && text.contains("\"tenant\":\"t1\""),
            "{text}"
        );
    }
}

#[test]
fn a_userinfo_answer_plain_and_signed() {
    let world = World::new();
    let plain = UserinfoClaims {
        subject: "u1",
        person: PersonClaims {
            preferred_username: Some("demo"),
            ..PersonClaims::default()
        },
        signed_for: None,
    };
    assert_eq!(
        serde_json::to_value(plain).unwrap(),
        json!({"sub": "u1", "preferred_username": "demo"})
    );
    let signed = UserinfoClaims {
        signed_for: Some((&world.issuer, &world.client)),
        ..plain
    };
    let token = world.mint.userinfo(&signed).unwrap();
    assert_eq!(
        claims_of(&token),
        json!({"sub": "u1", "iss": ISSUER, "aud": "web", "preferred_username": "demo"})
    );
    // It says nothing of a login, so it passes for no ID token.
    assert!(matches!(world.verify(&token), Err(VerifyError::Claims)));
}

#[test]
fn g31_hints() {
    let world = World::new();
    let hint = world.hint("JWT", &json!({})).unwrap();
    assert_eq!(
        (
            hint.subject.as_str(),
            hint.client_id.as_str(),
            hint.sid.as_deref(),
            hint.expires_at
        ),
        ("u1", "web", Some("s1"), at(NOW + 300))
    );
    // It has ended, and still says who it was of.
    assert!(
        world
            .hint("JWT", &json!({"iat": NOW - 9000, "exp": NOW - 8000}))
            .is_ok()
    );

    type Wanted = fn(&VerifyError) -> bool;
    let cases: [(&str, Value, Wanted); 12] = [
        ("JWT", json!({"iss": "https://id.example/v4/oauth2/other"}), |e| {
            matches!(e, VerifyError::Issuer)
        }),
        ("JWT", json!({"iss": "https://id.example/v4/oauth2/demo/"}), |e| {
            matches!(e, VerifyError::Issuer)
        }),
        ("JWT", json!({"sub": ""}), |e| matches!(e, VerifyError::Claims)),
        ("JWT", json!({"sub": 7}), |e| matches!(e, VerifyError::Claims)),
        ("JWT", json!({"aud": ["web", "other"]}), |e| {
            matches!(e, VerifyError::Claims)
        }),
        ("JWT", json!({"aud": "a b"}), |e| matches!(e, VerifyError::Claims)),
        ("JWT", json!({"auth_time": null}), |e| {
            matches!(e, VerifyError::Claims)
        }),
        ("JWT", json!({"exp": "never"}), |e| {
            matches!(e, VerifyError::Claims)
        }),
        ("JWT", json!({"iat": NOW + 1000}), |e| {
            matches!(e, VerifyError::NotYetValid)
        }),
        ("JWT", json!({"auth_time": NOW + 1000}), |e| {
            matches!(e, VerifyError::NotYetValid)
        }),
        ("at+jwt", json!({}), |e| matches!(e, VerifyError::IdTokenType)),
        ("logout+jwt", json!({}), |e| matches!(e, VerifyError::IdTokenType)),
    ];
    for (typ, change, is_wanted) in cases {
        let error = world.hint(typ, &change).expect_err(&change.to_string());
        assert!(is_wanted(&error), "{typ} {change}: {error:?}");
    }
    let token = world.mint.id_token(&world.id_token(None, None)).unwrap();
    let revoked = HintVerifier::new(world.issuer.clone()).verify(&token, &world.keys, &RevokedKey, at(NOW));
    assert!(matches!(revoked, Err(VerifyError::KeyRevoked)));
    let stranger = World::new().mint.id_token(&world.id_token(None, None)).unwrap();
    assert!(world.verify(&stranger).is_err());
    let payload = token.split('.').nth(1).unwrap();
    for header in [
        r#"{"alg":"none","typ":"JWT","kid":"k1"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#,
    ] {
        let header = base64url::encode(header);
        for signature in ["", "c2ln"] {
            assert!(world.verify(&format!("{header}.{payload}.{signature}")).is_err());
        }
    }
    for odd in [
        "",
        ".",
        "..",
        "a.b.c",
        &token[..token.len() - 2],
        &format!("{token}x"),
    ] {
        assert!(world.verify(odd).is_err(), "{odd}");
    }
}

#[test]
fn n12_a_logout_token_is_neither_an_id_token_nor_an_access_token() {
    let world = World::new();
    let token = world.mint.logout_token(&world.logout_token()).unwrap();
    assert!(
        UnverifiedJwt::parse(&token)
            .unwrap()
            .header()
            .typ_is("logout+jwt")
    );
    assert_eq!(
        claims_of(&token),
        json!({
            "iss": ISSUER, "sub": "u1", "aud": "web", "iat": NOW, "exp": NOW + 120, "jti": "j1", "sid": "s1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        })
    );
    assert!(matches!(world.verify(&token), Err(VerifyError::IdTokenType)));
    // Even under the type of an ID token, with all that one has.
    let disguised = json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
    assert!(matches!(world.hint("JWT", &disguised), Err(VerifyError::Claims)));
    let verifier = AccessTokenVerifier::dangerous_for_any_audience(world.issuer.clone());
    let id_token = world.mint.id_token(&world.id_token(None, None)).unwrap();
    for token in [token, id_token] {
        let verified = verifier.verify(
            &token,
            &world.keys,
            Possession::LeftToCaller,
            &NothingRevoked,
            at(NOW),
        );
        assert!(matches!(verified, Err(VerifyError::Type)));
    }
}

#[test]
fn an_access_token_tells_a_persons_login_and_none_of_a_machine() {
    let world = World::new();
    let (scope, domain) = (
        ScopeSet::parse("openid").unwrap(),
        DomainId::parse("demo").unwrap(),
    );
    let template = sealstone_claims::ClaimsTemplate::default();
    let subject = sealstone_claims::ClaimsSubject {
        subject: "u1",
        client_id: "web",
        client_name: "web",
        domain: &domain,
        authority: None,
    };
    let verified = |login| {
        let claims = AccessTokenClaims {
            issuer: &world.issuer,
            subject: "u1",
            audience: Audience::One("web"),
            client_id: &world.client,
            client_version: None,
            issued_at: at(NOW),
            expires_at: at(NOW + 900),
            token_id: "t1",
            scope: &scope,
            bound_to: None,
            login,
            userinfo: &[],
            authority: None,
            delegation: None,
            mapped: template.map(&subject).unwrap(),
        };
        let mint = sealstone_tokens::Mint::new(Arc::clone(&world.signer)).unwrap();
        let mut buffer = sealstone_jose::JwtBuffer::new();
        let token = mint.mint(&claims, &mut buffer).unwrap();
        let verifier = AccessTokenVerifier::new(world.issuer.clone(), vec!["web".to_owned()]);
        let held = Possession::ProvedUnlessBearer(None);
        verifier
            .verify(token, &world.keys, held, &NothingRevoked, at(NOW))
            .unwrap()
    };
    let person = verified(Some(LOGIN));
    let login = person.login().unwrap();
    assert_eq!(
        (login.auth_time, login.acr, login.sid),
        (at(NOW - 60), Some("urn:sealstone:acr:two-factor"), Some("s1"))
    );
    assert_eq!(person.other["amr"], json!(["mfa", "otp", "pwd"]));
    assert!(verified(None).login().is_none());
}

#[test]
fn the_hash_of_an_access_token_goes_with_the_algorithm() {
    let length = |algorithm| {
        base64url::decode(AccessTokenHash::of("t", algorithm).as_str())
            .unwrap()
            .len()
    };
    for (algorithm, octets) in [
        (Algorithm::Es256, 16),
        (Algorithm::Rs256, 16),
        (Algorithm::Ps256, 16),
        (Algorithm::Es384, 24),
        (Algorithm::EdDsa, 32),
    ] {
        assert_eq!(length(algorithm), octets, "{algorithm}");
    }
}
