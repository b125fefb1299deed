//! When a token is accepted: one that is right, and everything that is wrong about another.

use rustls_pki_types::UnixTime;
use sealstone_identity::Scope;
use sealstone_jose::{Algorithm, JwkSet, JwtEncoder, KeyId, PrivateKey, Signer, VerifierSet, base64url};
use sealstone_mtls::CertificateThumbprint;
use sealstone_oauth_types::{ClientEnd, ClientId, Issuer};
use sealstone_tokens::{
    AccessTokenVerifier, NothingRevoked, Possession, Revocations, VerifiedToken, VerifyError,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example/v4/oauth2/demo";

struct World {
    signer: Arc<Signer>,
    keys: VerifierSet,
    held: CertificateThumbprint,
}

struct Revoked(&'static str);

impl Revocations for Revoked {
    fn is_token_revoked(&self, token_id: &str) -> bool {
        token_id == self.0
    }

    fn is_key_revoked(&self, key_id: &str) -> bool {
        key_id == self.0
    }

    fn client_end(&self, client_id: &ClientId) -> Option<ClientEnd> {
        let end = ClientEnd {
            until: NOW,
            version: Some(3),
        };
        (client_id.as_str() == self.0).then_some(end)
    }
}

impl World {
    fn new() -> Self {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        let signer = Arc::new(Signer::new(&key, KeyId::parse("k1").unwrap()).unwrap());
        let set = JwkSet::new(vec![signer.public_jwk().clone()]).unwrap();
        let keys = VerifierSet::new(&set, &[Algorithm::Es256]).unwrap();
        Self {
            signer,
            keys,
            held: CertificateThumbprint::of_der(b"held"),
        }
    }

    fn good(&self) -> Value {
        json!({
            "iss": ISSUER, "sub": "ci", "aud": "https://r.example", "client_id": "ci", "iat": NOW, "nbf": NOW,
            "exp": NOW + 900, "jti": "t1", "scope": "read", "cnf": {"x5t#S256": self.held.to_string()}
        })
    }

    fn token(&self, typ: &str, claims: &Value) -> String {
        JwtEncoder::new(Arc::clone(&self.signer), typ)
            .unwrap()
            .encode_to_string(claims)
            .unwrap()
    }

    fn verify(&self, token: &str, revocations: &dyn Revocations) -> Result<VerifiedToken, VerifyError> {
        let verifier = AccessTokenVerifier::new(
            Issuer::parse(ISSUER).unwrap(),
            vec!["https://r.example".to_owned()],
        );
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        verifier.verify(
            token,
            &self.keys,
            Possession::Proved(Some(&self.held)),
            revocations,
            now,
        )
    }

    fn refused(&self, name: &str, value: Value) -> VerifyError {
        let mut claims = self.good();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        self.verify(&self.token("at+jwt", &claims), &NothingRevoked)
            .unwrap_err()
    }
}

#[test]
fn a_token_that_is_right_is_accepted() {
    let world = World::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        let token = world
            .verify(&world.token(typ, &world.good()), &NothingRevoked)
            .unwrap();
        assert_eq!((token.subject.as_str(), token.scope.as_str()), ("ci", "read"));
    }
    let mut ahead = world.good();
    ahead["iat"] = json!(NOW + 60);
    ahead["aud"] = json!(["https://other.example", "https://r.example"]);
    assert!(
        world
            .verify(&world.token("at+jwt", &ahead), &NothingRevoked)
            .is_ok()
    );
}

#[test]
fn each_claim_that_is_wrong_is_refused_for_what_it_is() {
    let world = World::new();
    let other = CertificateThumbprint::of_der(b"other").to_string();
    macro_rules! is {
        ($name:literal, $value:expr, $want:pat) => {
            let error = world.refused($name, $value);
            assert!(matches!(error, $want), "{} {}: {error:?}", $name, $value);
        };
    }
    for missing in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"] {
        assert!(
            matches!(world.refused(missing, Value::Null), VerifyError::Claims),
            "{missing}"
        );
    }
    is!(
        "iss",
        json!("https://id.example/v4/oauth2/demo/"),
        VerifyError::Issuer
    );
    is!("aud", json!("https://r.example/"), VerifyError::Audience);
    is!("aud", json!([]), VerifyError::Audience);
    is!("exp", json!(NOW), VerifyError::Expired);
    is!("exp", json!("1800000900"), VerifyError::Claims);
    is!("exp", json!(1e308), VerifyError::Claims);
    is!("exp", json!(-1), VerifyError::Claims);
    is!("iat", json!(NOW + 61), VerifyError::NotYetValid);
    is!("nbf", json!(NOW + 61), VerifyError::NotYetValid);
    is!("jti", json!(""), VerifyError::Claims);
    is!("client_id", json!("../ci"), VerifyError::Claims);
    is!("cnf", Value::Null, VerifyError::Unbound);
    is!("cnf", json!({"x5t#S256": other}), VerifyError::Binding(_));
    is!("cnf", json!({"jkt": "x"}), VerifyError::Binding(_));
    is!(
        "openstack_context",
        json!({"scope_type": "project"}),
        VerifyError::Claims
    );
}

#[test]
fn names_of_domains_come_back_and_a_token_without_them_is_still_read() {
    let world = World::new();
    let mut claims = world.good();
    claims["openstack_context"] = json!({
        "user_id": "u", "user_name": "ci", "user_domain_id": "demo", "scope_type": "project",
        "project_id": "p", "project_name": "builds", "project_domain_id": "other", "roles": ["member"],
    });
    let names = |claims: &Value| {
        let token = world
            .verify(&world.token("at+jwt", claims), &NothingRevoked)
            .unwrap();
        let authority = token.authority.unwrap();
        let Scope::Project(project) = authority.scope() else {
            panic!("a project")
        };
        [authority.user().domain_name(), project.domain_name()]
            .map(|name| name.map(|name| name.as_str().to_owned()))
    };
    assert_eq!(names(&claims), [None, None]);
    claims["openstack_context"]["user_domain_name"] = json!("Demo");
    claims["openstack_context"]["project_domain_name"] = json!("Other");
    assert_eq!(
        names(&claims),
        [Some("Demo".to_owned()), Some("Other".to_owned())]
    );
    claims["openstack_context"]["project_domain_name"] = json!("");
    let refused = world.verify(&world.token("at+jwt", &claims), &NothingRevoked);
    assert!(matches!(refused, Err(VerifyError::Claims)));
}

#[test]
fn what_was_revoked_and_what_is_no_access_token_is_refused() {
    let world = World::new();
    let token = world.token("at+jwt", &world.good());
    assert!(world.verify(&token, &Revoked("other")).is_ok());
    assert!(matches!(
        world.verify(&token, &Revoked("k1")),
        Err(VerifyError::KeyRevoked)
    ));
    assert!(matches!(
        world.verify(&token, &Revoked("t1")),
        Err(VerifyError::Revoked)
    ));
    for typ in ["JWT", "at+jwt2", "logout+jwt"] {
        let other = world.token(typ, &world.good());
        assert!(
            matches!(world.verify(&other, &NothingRevoked), Err(VerifyError::Type)),
            "{typ}"
        );
    }
    let stranger = World::new().token("at+jwt", &world.good());
    assert!(matches!(
        world.verify(&stranger, &NothingRevoked),
        Err(VerifyError::Jose(_))
    ));
}

#[test]
fn a25_s02_a_token_that_hides_its_key_does_not_escape_the_revocation() {
    let world = World::new();
    let header = base64url::encode(br#"{"alg":"ES256","typ":"at+jwt"}"#);
    let input = format!("{header}.{}", base64url::encode(world.good().to_string()));
    let mut signature = Vec::new();
    world.signer.sign(input.as_bytes(), &mut signature).unwrap();
    let token = format!("{input}.{}", base64url::encode(&signature));
    assert!(matches!(
        world.verify(&token, &Revoked("k1")),
        Err(VerifyError::NoKeyId)
    ));
}

#[test]
fn o14_a_client_that_ended_takes_its_tokens_along_and_none_of_those_that_come_after() {
    let world = World::new();
    // The client ended with its version 3, in this second.
    for (name, iat, version, is_good) in [
        ("from before, and says so", NOW, Some(2), false),
        (
            "from before, in an hour of a wrong clock",
            NOW + 55,
            Some(2),
            false,
        ),
        ("enabled again in the same second", NOW, Some(4), true),
        ("enabled again by a clock that is behind", NOW - 9, Some(4), true),
        ("of the state that ended it", NOW, Some(3), true),
        ("says nothing, in the same second", NOW, None, false),
        ("says nothing, by a clock that is ahead", NOW + 20, None, false),
        ("says nothing, and is from a minute after", NOW + 21, None, true),
    ] {
        let mut claims = world.good();
        claims["iat"] = json!(iat);
        claims["nbf"] = json!(iat);
        if let Some(version) = version {
            claims["client_version"] = json!(version);
        }
        let token = world.token("at+jwt", &claims);
        let found = world.verify(&token, &Revoked("ci"));
        assert_eq!(found.is_ok(), is_good, "{name}: {found:?}");
        assert!(world.verify(&token, &Revoked("another")).is_ok(), "{name}");
        if let Ok(found) = found {
            assert!(!found.other.contains_key("client_version"), "told to nobody else");
        }
    }
    for version in [json!("4"), json!(-1), json!(4.5), json!([4])] {
        let mut claims = world.good();
        claims["client_version"] = version;
        let token = world.token("at+jwt", &claims);
        assert!(matches!(
            world.verify(&token, &Revoked("ci")),
            Err(VerifyError::Claims)
        ));
    }
}
