//! A provider that answers as a test says, and signs whatever it is told to.

mod log;

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

pub(crate) use log::Log;
use sealstone_jose::{Algorithm, JwkSet, PrivateKey, Signer, base64url};
use sealstone_login::{
    PendingUpstream, UpstreamAsk, UpstreamCallback, UpstreamError, UpstreamIdentity, UpstreamLogin as _,
    UpstreamSecrets,
};
use sealstone_oauth_types::OpaqueToken;
use sealstone_testkit::{FakeHttp, HttpAsk, HttpReply, ManualClock, START, SeededBytes};
use sealstone_upstream::{ClientAuthentication, UpstreamConfig, UpstreamProvider};
use serde_json::{Value, json};
use zeroize::Zeroizing;

pub(crate) const CALLBACK: &str = "https://id.example/v4/oauth2/demo/callback";
/// What must be seen in no log and no error.
pub(crate) const SECRET: &str = "correct-horse-battery-staple";
pub(crate) const CODE: &str = "code-that-opens-doors";
pub(crate) const ACCESS_TOKEN: &str = "authelia_at_opens-doors";

/// A key that the provider publishes, or not.
#[derive(Clone)]
pub(crate) struct Key(Arc<Signer>);

impl Key {
    pub(crate) fn new(algorithm: Algorithm, kid: &str) -> Self {
        let key = PrivateKey::generate(algorithm).unwrap();
        let kid = sealstone_jose::KeyId::parse(kid).unwrap();
        Self(Arc::new(Signer::new(&key, kid).unwrap()))
    }

    pub(crate) fn set(keys: &[&Self]) -> Value {
        let keys = keys.iter().map(|key| key.0.public_jwk().clone()).collect();
        serde_json::from_str(&JwkSet::new(keys).unwrap().to_json()).unwrap()
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.0.algorithm().as_str(), "kid": self.0.key_id().as_str(), "typ": "JWT"})
    }

    /// Signs these two texts, whatever they are.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let input = format!(
            "{}.{}",
            base64url::encode(header.as_bytes()),
            base64url::encode(payload.as_bytes())
        );
        let mut signature = Vec::new();
        self.0.sign(input.as_bytes(), &mut signature).unwrap();
        format!("{input}.{}", base64url::encode(&signature))
    }
}

/// What the provider says; each part can be replaced.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) metadata: Value,
    pub(crate) keys: Value,
    pub(crate) tokens: Value,
    pub(crate) userinfo: Value,
}

pub(crate) type Override = dyn Fn(&HttpAsk) -> Option<HttpReply> + Send + Sync;

pub(crate) struct Lab {
    pub(crate) fake: FakeHttp,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) odd: Arc<Mutex<Option<Box<Override>>>>,
    pub(crate) clock: ManualClock,
    pub(crate) key: Key,
    pub(crate) provider: UpstreamProvider,
}

impl Lab {
    pub(crate) fn start() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(change: impl FnOnce(UpstreamConfig) -> UpstreamConfig) -> Self {
        let key = Key::new(Algorithm::Es256, "k1");
        let script = Arc::new(Mutex::new(Script {
            metadata: Value::Null,
            keys: Key::set(&[&key]),
            tokens: Value::Null,
            userinfo: json!({"sub": "s1", "groups": ["staff"], "name": "of userinfo"}),
        }));
        let odd = Arc::new(Mutex::new(None::<Box<Override>>));
        let (kept, strange) = (Arc::clone(&script), Arc::clone(&odd));
        let fake = FakeHttp::start(move |ask| {
            if let Some(reply) = strange.lock().unwrap().as_ref().and_then(|odd| odd(ask)) {
                return reply;
            }
            let script = kept.lock().unwrap();
            let document = match ask.path() {
                "/.well-known/openid-configuration" => &script.metadata,
                "/jwks" => &script.keys,
                "/token" => &script.tokens,
                "/userinfo" => &script.userinfo,
                _ => return HttpReply::json(404, "{}"),
            };
            let status = if document.get("error").is_some() { 400 } else { 200 };
            HttpReply::json(status, &document.to_string())
        });
        script.lock().unwrap().metadata = metadata(&fake.url());
        let clock = ManualClock::default();
        let hand = clock.clone();
        let secret = ClientAuthentication::Basic(Zeroizing::new(SECRET.to_owned()));
        let config = UpstreamConfig::new(&fake.url(), "sealstone", secret).unwrap();
        let config = config.with_algorithms(vec![Algorithm::Es256]).unwrap();
        let config = config.with_clock(move || hand.now());
        Self {
            provider: UpstreamProvider::new(change(config)).unwrap(),
            fake,
            script,
            odd,
            clock,
            key,
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub(crate) fn answer_oddly(&self, odd: impl Fn(&HttpAsk) -> Option<HttpReply> + Send + Sync + 'static) {
        *self.odd.lock().unwrap() = Some(Box::new(odd));
    }

    pub(crate) async fn begin(&self, ask: &UpstreamAsk) -> PendingUpstream {
        let redirect = self.provider.begin(ask, secrets()).await.unwrap();
        assert!(
            redirect
                .url
                .starts_with(&format!("{}/authorize?", self.fake.url())),
            "{}",
            redirect.url
        );
        redirect.pending
    }

    /// What an honest ID token says.
    pub(crate) fn claims(&self, pending: &PendingUpstream) -> Value {
        json!({
            "iss": self.fake.url(), "sub": "s1", "aud": "sealstone", "exp": self.clock.seconds() + 300,
            "iat": self.clock.seconds(), "nonce": pending.expose_nonce(), "amr": ["pwd"], "name": "of the ID token",
        })
    }

    pub(crate) fn issue(&self, id_token: &str) {
        let tokens = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 60, "id_token": id_token});
        self.change(|script| script.tokens = tokens);
    }

    pub(crate) fn issue_honestly(&self, pending: &PendingUpstream) {
        self.issue(
            &self
                .key
                .sign(&self.key.header().to_string(), &self.claims(pending).to_string()),
        );
    }

    pub(crate) async fn finish(&self, pending: &PendingUpstream) -> Result<UpstreamIdentity, UpstreamError> {
        self.provider.finish(pending, &callback(pending)).await
    }
}

pub(crate) fn metadata(url: &str) -> Value {
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256", "none"],
    })
}

pub(crate) fn callback(pending: &PendingUpstream) -> UpstreamCallback<'_> {
    UpstreamCallback {
        code: Some(CODE),
        state: Some(pending.expose_state()),
        ..UpstreamCallback::default()
    }
}

pub(crate) fn ask() -> UpstreamAsk {
    UpstreamAsk {
        redirect_uri: CALLBACK.to_owned(),
        ..UpstreamAsk::default()
    }
}

pub(crate) fn secrets() -> UpstreamSecrets {
    let mut bytes = SeededBytes::new(START);
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

/// Everything that an error could show.
pub(crate) fn shown(error: &dyn Error) -> String {
    let mut text = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        text.push_str(&format!(" / {error}"));
        next = error.source();
    }
    text
}

pub(crate) fn unseen(text: &str, name: &str, pending: &PendingUpstream) {
    let own = [
        pending.expose_state(),
        pending.expose_nonce(),
        pending.expose_verifier(),
    ];
    for secret in [CODE, SECRET, ACCESS_TOKEN].into_iter().chain(own) {
        assert!(!text.contains(secret), "{name}: {text}");
    }
}

/// Short enough for a test of what never ends.
pub(crate) const IMPATIENT: Duration = Duration::from_millis(300);
