use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustls_pki_types::UnixTime;
use sealstone_client::{ClientContext, ClientIdentity, Provider, RelyingParty};
use sealstone_https::PlainHttp;
use sealstone_jose::{Algorithm, JwkSet, JwtEncoder, KeyId, PrivateKey, Signer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// 2026-08-01T12:00:00Z
pub(crate) const NOW: u64 = 1_785_585_600;

/// A clock that moves when told.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_secs(), Ordering::SeqCst);
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) fn context(clock: &TestClock) -> ClientContext {
    let clock = clock.clone();
    let now = move || UnixTime::since_unix_epoch(Duration::from_secs(clock.seconds()));
    let entropy = |octets: &mut [u8]| aws_lc_rs::rand::fill(octets).is_ok();
    let context = ClientContext::new(rustls::RootCertStore::empty(), Arc::new(now), Arc::new(entropy));
    context.with_plain_http(PlainHttp::Loopback)
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        fields(&self.body)
    }
}

pub(crate) fn fields(text: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// One answer: status, headers, body.
#[derive(Debug, Clone)]
pub(crate) struct Said(
    pub(crate) u16,
    pub(crate) Vec<(String, String)>,
    pub(crate) String,
);

pub(crate) fn said(status: u16, body: &Value) -> Said {
    Said(status, Vec::new(), body.to_string())
}

#[derive(Default)]
struct Script {
    /// By method and path; the last answer stays.
    answers: BTreeMap<String, VecDeque<Said>>,
    seen: Vec<Seen>,
}

/// An HTTP server of this machine that says what the test wants.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) base: String,
    script: Arc<Mutex<Script>>,
    encoder: Arc<JwtEncoder>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        let signer = Signer::new(&key, KeyId::parse("k1").unwrap()).unwrap();
        let jwks = JwkSet::new(vec![signer.public_jwk().clone()]).unwrap().to_json();
        let fake = Self {
            base: base.clone(),
            script: Arc::default(),
            encoder: Arc::new(JwtEncoder::new(Arc::new(signer), "JWT").unwrap()),
        };
        fake.says("GET /jwks", Said(200, Vec::new(), jwks));
        fake.publishes(&json!({}));
        let script = Arc::clone(&fake.script);
        tokio::spawn(async move {
            loop {
                let (stream, _peer) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&script)));
            }
        });
        fake
    }

    /// Its metadata, with these members in place of the usual ones; `null` leaves one out.
    pub(crate) fn publishes(&self, members: &Value) {
        let base = &self.base;
        let mut metadata = json!({
            "issuer": base,
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "device_authorization_endpoint": format!("{base}/device_authorization"),
            "revocation_endpoint": format!("{base}/revoke"),
            "end_session_endpoint": format!("{base}/logout"),
            "jwks_uri": format!("{base}/jwks"),
            "authorization_response_iss_parameter_supported": true,
        });
        for (name, value) in members.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        metadata
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        self.says("GET /.well-known/openid-configuration", said(200, &metadata));
    }

    /// What is answered there from now on.
    pub(crate) fn says(&self, what: &str, answer: Said) {
        let answers = VecDeque::from([answer]);
        self.script
            .lock()
            .unwrap()
            .answers
            .insert(what.to_owned(), answers);
    }

    /// What is answered there, one after the other.
    pub(crate) fn says_in_turn(&self, what: &str, answers: Vec<Said>) {
        self.script
            .lock()
            .unwrap()
            .answers
            .insert(what.to_owned(), answers.into());
    }

    /// The requests that came there.
    pub(crate) fn asked(&self, what: &str) -> Vec<Seen> {
        let script = self.script.lock().unwrap();
        script
            .seen
            .iter()
            .filter(|seen| seen.line == what)
            .cloned()
            .collect()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.encoder.encode_to_string(claims).unwrap()
    }

    /// A token answer with an ID token of this nonce, its claims changed by `members`.
    pub(crate) fn grants(&self, nonce: Option<&str>, members: &Value) -> Said {
        let mut claims = json!({
            "iss": self.base, "sub": "u1", "aud": "terminal", "exp": NOW + 300, "iat": NOW,
            "preferred_username": "alice",
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        for (name, value) in members.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        said(
            200,
            &json!({
                "access_token": "at-1", "token_type": "Bearer", "expires_in": 900, "refresh_token": "rt-1",
                "id_token": self.sign(&claims),
            }),
        )
    }

    pub(crate) async fn party(&self, clock: &TestClock) -> RelyingParty {
        let provider = Provider::discover(&context(clock), &self.base).await.unwrap();
        RelyingParty::new(&provider, ClientIdentity::public("terminal")).unwrap()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut octets = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, _body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            });
            break (
                head.to_owned(),
                length.map_or(0, |length| length.parse().unwrap()),
            );
        }
    };
    while octets.len() < head.len() + 4 + length {
        if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let body = String::from_utf8(octets[head.len() + 4..].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let seen = Seen {
        line: line.clone(),
        headers: headers.collect(),
        body,
    };
    let Said(status, headers, body) = {
        let mut script = script.lock().unwrap();
        script.seen.push(seen);
        match script.answers.get_mut(&line) {
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
            Some(answers) => answers.front().unwrap().clone(),
            None => Said(404, Vec::new(), String::new()),
        }
    };
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let answer = format!(
        "HTTP/1.1 {status} Told\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _gone = stream.write_all(answer.as_bytes()).await;
}

/// Sends these octets to a loopback port, and reads all that comes back; empty if nobody is there.
pub(crate) async fn raw(address: &str, octets: &[u8]) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return String::new();
    };
    let _gone = stream.write_all(octets).await;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A browser's request, as Chromium makes it when it is led to a page.
pub(crate) async fn visit(port: u16, target: &str) -> String {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: \
         navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n\r\n"
    );
    raw(&format!("127.0.0.1:{port}"), request.as_bytes()).await
}

pub(crate) fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}
