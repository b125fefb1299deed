//! What happens to a client's assertion when a port fails, or a sealed secret does not open: it is ours to mend, and
//! nothing is issued.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_audit::NullSink;
use sealstone_grants::assertion::{AssertionStore, AssertionStoreError, AssertionUse, UsedAssertion};
use sealstone_identity::DomainId;
use sealstone_jose::{MacAlgorithm, MacKey};
use sealstone_keyring::{KeyEncryptionKey, RotationPolicy, RotationSettings, SecretPlace, SecretPurpose};
use sealstone_oauth_types::{ClientId, Form, TokenRequest, TokenResponse};
use sealstone_provider::{BaseUrl, Clock, Peer, Ports, Provider, ProviderConfig, SystemEntropy, TokenError};
use sealstone_registry::{
    ClientRegistration, ClientStore, Domain, DomainStore, Pepper, SealedSecret, SecretSet,
};
use sealstone_storage::MemoryStore;
use sealstone_testkit::ManualClock;
use serde_json::json;
use std::sync::Arc;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const KEK: [u8; 32] = [2; 32];

struct TestClock(ManualClock);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

struct BrokenStore;

#[async_trait]
impl AssertionStore for BrokenStore {
    async fn use_once(&self, _assertion: &UsedAssertion) -> Result<AssertionUse, AssertionStoreError> {
        Err(AssertionStoreError::new("the disk is full"))
    }

    async fn purge_assertions(&self, _now: UnixTime) -> Result<u64, AssertionStoreError> {
        Ok(0)
    }
}

fn place(client: &str) -> SecretPlace<'_> {
    SecretPlace {
        purpose: SecretPurpose::ClientSecret,
        domain: "demo",
        client,
    }
}

/// Asks for a token as `ci`, whose stored secret is `sealed`, of a server with these used assertions.
async fn ask(sealed: &str, broken: bool) -> Result<TokenResponse, TokenError> {
    let (store, clock) = (Arc::new(MemoryStore::new()), ManualClock::default());
    let demo = DomainId::parse("demo").unwrap();
    let _ = store
        .insert_domain(Domain::new(demo.clone(), "Demo", true).unwrap())
        .await
        .unwrap();
    let document = json!({"token_endpoint_auth_method": "client_secret_jwt"}).to_string();
    let secrets = SecretSet::new(SealedSecret::parse(sealed).unwrap(), None);
    let client = ClientRegistration::from_json(document.as_bytes())
        .and_then(|registration| {
            registration.into_client(
                demo.clone(),
                ClientId::parse("ci").unwrap(),
                Some(secrets),
                clock.now(),
            )
        })
        .unwrap();
    let _ = store.insert(client).await.unwrap();
    let ports = Ports {
        clients: store.clone(),
        domains: store.clone(),
        keys: store.clone(),
        revocations: store.clone(),
        assertions: if broken { Arc::new(BrokenStore) } else { store },
        audit: Arc::new(NullSink),
        identity: None,
        people: None,
        clock: Arc::new(TestClock(clock.clone())),
        entropy: Arc::new(SystemEntropy),
    };
    let config = ProviderConfig {
        base: BaseUrl::parse("https://id.example").unwrap(),
        mtls_base: None,
        rotation: RotationPolicy::new(RotationSettings::default()).unwrap(),
        pepper: Pepper::from_bytes([7; 32]),
        key_encryption_key: KeyEncryptionKey::from_bytes(KEK),
    };
    let provider = Provider::new(config, ports);
    provider.maintain().await.unwrap();
    let claims = json!({"iss": "ci", "sub": "ci", "aud": "https://id.example/v4/oauth2/demo",
        "exp": clock.seconds() + 60, "jti": "j1"});
    let assertion = MacKey::new(SECRET.as_bytes())
        .and_then(|key| key.encode(MacAlgorithm::Hs256, "JWT", &claims))
        .unwrap();
    let form = format!(
        "grant_type=client_credentials&client_assertion={assertion}&client_assertion_type=\
         urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let request = TokenRequest::parse(None, &Form::parse(form.as_bytes()).unwrap());
    let peer = Peer {
        address: None,
        certificate: None,
        request_id: "r1".into(),
    };
    provider.token(&demo, request, &peer).await
}

fn sealed_under(kek: [u8; 32], client: &str) -> String {
    KeyEncryptionKey::from_bytes(kek)
        .seal_secret(place(client), SECRET)
        .unwrap()
}

#[tokio::test]
async fn an_assertion_that_cannot_be_marked_as_used_is_not_accepted() {
    let good = sealed_under(KEK, "ci");
    assert!(ask(&good, false).await.is_ok());
    let refused = ask(&good, true).await.unwrap_err();
    assert_eq!(refused.code().status(), 503);
    assert!(
        !refused.description().contains("disk"),
        "nothing of the inside is told"
    );
}

/// Another key-encryption key than before, or a secret moved from another client: the client is not told that it is
/// wrong, for it is not.
#[tokio::test]
async fn a_secret_that_does_not_open_is_ours_to_mend() {
    for sealed in [
        sealed_under([3; 32], "ci"),
        sealed_under(KEK, "other"),
        "v1.0011223344556677.AAAA".to_owned(),
    ] {
        let refused = ask(&sealed, false).await.unwrap_err();
        assert_eq!(refused.code().status(), 500, "{refused:?}");
        let shown = format!("{refused:?} {}", refused.description());
        assert!(!shown.contains(SECRET) && !shown.contains(&sealed), "{shown}");
    }
}
