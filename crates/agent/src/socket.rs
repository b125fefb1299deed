//! What a program gets at the agent's own Unix socket.

use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::json;

use crate::{
    Credential, Handle, Health,
    body::{Body, answer, told},
    serve::Answering,
};

const JSON: &str = "application/json";
const PEM: &str = "application/pem-certificate-chain";
const TEXT: &str = "text/plain; charset=utf-8";

/// Whether private keys are given out at a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum PrivateKeys {
    /// No: programs that present the certificate themselves read it from the state folder.
    #[default]
    Kept,
    /// Yes, in `/credential`.
    Given,
}

/// Answers programs of this machine: `GET /token`, `/header`, `/certificate`, `/credential`, `/status`, `/health`.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) handle: Handle,
    pub(crate) keys: PrivateKeys,
}

impl Answering for Socket {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut refused = told(StatusCode::METHOD_NOT_ALLOWED, "ask with GET");
            refused
                .headers_mut()
                .insert(header::ALLOW, http::HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path() {
            "/token" => self.given(|held| answer(StatusCode::OK, TEXT, held.token().expose().to_owned())),
            "/header" => self.given(|held| {
                let text = format!("Authorization: Bearer {}\n", held.token().expose());
                answer(StatusCode::OK, TEXT, text)
            }),
            "/certificate" => {
                self.given(|held| answer(StatusCode::OK, PEM, held.pair().chain_pem().to_owned()))
            }
            "/credential" => self.given(|held| self.credential(held)),
            "/status" => self.status(StatusCode::OK),
            "/health" => self.status(match self.handle.status().health {
                Health::Fresh | Health::Degraded => StatusCode::OK,
                Health::Starting | Health::Failing => StatusCode::SERVICE_UNAVAILABLE,
            }),
            _ => told(
                StatusCode::NOT_FOUND,
                "there are /token, /header, /certificate, /credential, /status and /health",
            ),
        }
    }
}

impl Socket {
    fn given(&self, give: impl FnOnce(&Credential) -> Response<Body>) -> Response<Body> {
        match self.handle.credential() {
            Some(held) => give(&held),
            None => told(StatusCode::SERVICE_UNAVAILABLE, &without(&self.handle)),
        }
    }

    fn credential(&self, held: &Credential) -> Response<Body> {
        let mut document = json!({
            "access_token": held.token().expose(),
            "token_type": "Bearer",
            "expires_at": held.token().until().as_secs(),
            "scope": held.token().scope(),
            "certificate_chain": held.pair().chain_pem(),
            "x5t#S256": held.pair().thumbprint().to_string(),
        });
        if self.keys == PrivateKeys::Given
            && let Some(object) = document.as_object_mut()
        {
            object.insert("private_key".to_owned(), held.pair().expose_key_pem().into());
        }
        answer(StatusCode::OK, JSON, format!("{document}\n"))
    }

    fn status(&self, status: StatusCode) -> Response<Body> {
        let mut text = serde_json::to_vec(&self.handle.status()).unwrap_or_default();
        text.push(b'\n');
        answer(status, JSON, text)
    }
}

/// Why there is nothing to give.
pub(crate) fn without(handle: &Handle) -> String {
    let faults = handle.status().faults;
    let fault = faults
        .iter()
        .find(|fault| fault.work == "token")
        .or_else(|| faults.first());
    fault.map_or_else(
        || "the agent has no token yet: try again in a second".to_owned(),
        |fault| format!("the agent has no token that is good: {}", fault.message),
    )
}
