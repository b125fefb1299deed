//! Clients that authenticate by assertions, and what signs for them.

use std::sync::Arc;

use sealstone_jose::{Algorithm, JwtEncoder, KeyId, MacAlgorithm, MacKey, PrivateKey, Signer, base64url};
use sealstone_testkit::{KeyKind, TestKey};
use serde_json::{Value, json};

use crate::support::{Answer, Ask, GRANT, TOKEN, World, mac_secret};

pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub(crate) const ISSUER: &str = "https://id.example/v4/oauth2/demo";

/// The client `signer`, which signs with a key of its own, and the client `maced`, which uses its secret.
pub(crate) struct Assertions<'a> {
    pub(crate) world: &'a World,
    pub(crate) key: TestKey,
}

/// How an assertion is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Key,
    Secret,
}

impl By {
    pub(crate) const BOTH: [Self; 2] = [Self::Key, Self::Secret];

    pub(crate) const fn client(self) -> &'static str {
        match self {
            Self::Key => "signer",
            Self::Secret => "maced",
        }
    }
}

impl<'a> Assertions<'a> {
    pub(crate) async fn new(world: &'a World) -> Self {
        let own = Self {
            world,
            key: TestKey::generate(KeyKind::P256),
        };
        let mut jwk = own.key.public_jwk();
        jwk["kid"] = json!("k1");
        own.register(
            "signer",
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}}),
        )
        .await;
        own.register(
            "maced",
            json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        )
        .await;
        own
    }

    /// Registers a client that may ask for what the others may.
    pub(crate) async fn register(&self, id: &str, mut registration: Value) {
        registration["scope"] = json!("read write");
        registration["default_scope"] = json!("read");
        self.world.register("demo", id, registration).await;
    }

    /// The claims of a good assertion, never used before.
    pub(crate) fn good(&self, client: &str) -> Value {
        let now = self.world.clock.seconds();
        json!({"iss": client, "sub": client, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": unique()})
    }

    /// Signed by the key of `signer`, or under the secret of `maced`.
    pub(crate) fn signed(&self, by: By, claims: &Value) -> String {
        match by {
            By::Key => es256(&self.key, "k1", claims),
            By::Secret => under(&mac_secret("maced"), MacAlgorithm::Hs256, claims),
        }
    }

    pub(crate) async fn send(&self, assertion: &str, more: &str) -> Answer {
        let form = format!("{GRANT}&client_assertion_type={TYPE}&client_assertion={assertion}{more}");
        self.world.send(Ask::post(TOKEN).form(form)).await
    }

    /// Accepted, after a change of the claims.
    pub(crate) async fn is_accepted(&self, by: By, change: impl FnOnce(&mut Value)) {
        let mut claims = self.good(by.client());
        change(&mut claims);
        self.send(&self.signed(by, &claims), "").await.is_token();
    }

    /// Refused with the claims changed so, for this reason; the unchanged succeeds before.
    pub(crate) async fn is_refused(&self, by: By, reason: &str, change: impl FnOnce(&mut Value)) {
        self.is_accepted(by, |_| ()).await;
        let mut claims = self.good(by.client());
        change(&mut claims);
        let assertion = self.signed(by, &claims);
        let more = format!("&client_id={}", by.client());
        self.text_is_refused(&assertion, &more, reason).await;
    }

    /// Refused whatever it is, for this reason, and nothing comes of it.
    pub(crate) async fn text_is_refused(&self, assertion: &str, more: &str, reason: &str) {
        let issued = self.world.issued();
        self.send(assertion, more).await.is_refused(401, "invalid_client");
        assert_eq!(self.world.issued(), issued);
        let event = self.world.events().last().cloned().unwrap();
        let why = event.reason.unwrap();
        assert_eq!(why.rule(), "wrong_assertion", "{assertion:.60}");
        assert_eq!(why.detail(), Some(reason), "{assertion:.60}");
    }
}

/// A `jti` of its own.
pub(crate) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("j{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn signer(key: &TestKey, kid: &str) -> Arc<Signer> {
    let key = PrivateKey::from_pkcs8_der(Algorithm::Es256, &key.pkcs8_der()).unwrap();
    Arc::new(Signer::new(&key, KeyId::parse(kid).unwrap()).unwrap())
}

pub(crate) fn es256(key: &TestKey, kid: &str, claims: &Value) -> String {
    let encoder = JwtEncoder::new(signer(key, kid), "JWT").unwrap();
    encoder.encode_to_string(claims).unwrap()
}

/// With a header of the test's own, and its payload as text.
pub(crate) fn es256_with(key: &TestKey, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let mut signature = Vec::new();
    signer(key, "x").sign(input.as_bytes(), &mut signature).unwrap();
    format!("{input}.{}", base64url::encode(signature))
}

pub(crate) fn under(secret: &str, algorithm: MacAlgorithm, claims: &Value) -> String {
    under_octets(secret.as_bytes(), algorithm, claims)
}

pub(crate) fn under_octets(secret: &[u8], algorithm: MacAlgorithm, claims: &Value) -> String {
    MacKey::new(secret)
        .unwrap()
        .encode(algorithm, "JWT", claims)
        .unwrap()
}
