//! An issuer that says what a test wants: documents over TLS, and tokens that no honest issuer signs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64_simd::URL_SAFE_NO_PAD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sealstone_jose::{Algorithm, KeyId, PrivateKey, Signer};
use sealstone_testkit::TestCa;
use serde_json::{Value, json};

type Documents = Arc<Mutex<BTreeMap<String, String>>>;

/// The issuers of one host. Its thread ends with the test's process.
pub(crate) struct TestIssuer {
    pub(crate) ca: TestCa,
    port: u16,
    documents: Documents,
}

impl TestIssuer {
    pub(crate) fn start() -> Self {
        let ca = TestCa::new("Issuer CA");
        let own = ca.server();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(own.chain(), own.private_key_der())
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let documents = Documents::default();
        let (served, tls) = (Arc::clone(&documents), Arc::new(tls));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (served, tls) = (Arc::clone(&served), Arc::clone(&tls));
                thread::spawn(move || answer(stream, tls, &served));
            }
        });
        Self { ca, port, documents }
    }

    /// The issuer of `domain`.
    pub(crate) fn url(&self, domain: &str) -> String {
        format!("https://localhost:{}/v4/oauth2/{domain}", self.port)
    }

    /// What it answers at `path` of the host: a whole HTTP answer after its status line's version.
    pub(crate) fn answer(&self, path: &str, text: String) {
        let mut documents = self.documents.lock().unwrap();
        documents.insert(path.to_owned(), text);
    }

    /// The two documents of `domain`.
    pub(crate) fn publish(&self, domain: &str, keys: &str, revocations: &str) {
        let place = format!("/v4/oauth2/{domain}/jwks");
        self.answer(&format!("{place}/revocation"), document(revocations));
        self.answer(&place, document(keys));
    }

    /// A revocation document of `domain` with these members changed.
    pub(crate) fn revocations(&self, domain: &str, keys: &[&str], tokens: &[&str]) -> Value {
        let tokens: Vec<Value> = tokens
            .iter()
            .map(|jti| json!({"jti": jti, "exp": now() + 300}))
            .collect();
        json!({
            "iss": self.url(domain), "iat": now(), "exp": now() + 600,
            "revoked_keys": keys, "revoked_tokens": tokens,
            "ended_clients": [
                {"client_id": "ended", "until": now(), "version": 3, "exp": now() + 3600},
                {"client_id": "ended-before", "until": now() + 60, "exp": now() + 3600},
            ],
        })
    }
}

/// A good answer with this JSON.
pub(crate) fn document(body: &str) -> String {
    format!(
        "200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn answer(stream: TcpStream, tls: Arc<ServerConfig>, documents: &Documents) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let Ok(connection) = ServerConnection::new(tls) else {
        return;
    };
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut head = String::new();
    // Whoever sends no request to the end gets no answer.
    while !head.ends_with("\r\n\r\n") {
        if head.len() > 8192 || !matches!(reader.read_line(&mut head), Ok(read) if read > 0) {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let found = documents.lock().unwrap().get(path).cloned();
    let text = found.unwrap_or_else(|| "404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned());
    let stream = reader.get_mut();
    let _ = stream.write_all(format!("HTTP/1.1 {text}").as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
    // Until the other side closes, so that nothing that was sent is lost.
    let _ = stream.sock.read(&mut [0; 1]);
}

/// A signing key of the test's own.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) algorithm: &'static str,
    signer: Signer,
}

impl Key {
    pub(crate) fn new(id: &str, algorithm: Algorithm, name: &'static str) -> Self {
        let private = PrivateKey::generate(algorithm).unwrap();
        let signer = Signer::new(&private, KeyId::parse(id).unwrap()).unwrap();
        Self {
            id: id.to_owned(),
            algorithm: name,
            signer,
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        serde_json::from_str(&serde_json::to_string(self.signer.public_jwk()).unwrap()).unwrap()
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.id, "typ": "at+jwt"})
    }

    /// A token with this header and these claims, whatever they say.
    pub(crate) fn sign(&self, header: &Value, claims: &str) -> String {
        let message = message(header, claims);
        let mut signature = Vec::new();
        self.signer.sign(message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", base64url(&signature))
    }
}

/// Header and claims as they are signed.
pub(crate) fn message(header: &Value, claims: &str) -> String {
    format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.as_bytes())
    )
}

pub(crate) fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the filter under test reads the real clock"
)]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
