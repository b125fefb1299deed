//! Requests and answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Request, StatusCode};
use serde_json::Value;

/// A request in the making.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn has_header(&self, wanted: &str) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    }

    pub(crate) fn basic(self, client: &str, secret: &str) -> Self {
        let pair = base64_simd::STANDARD.encode_to_string(format!("{client}:{secret}"));
        self.header("authorization", format!("Basic {pair}"))
    }

    pub(crate) fn form(self, body: impl Into<Vec<u8>>) -> Self {
        let mut this = self.header("content-type", "application/x-www-form-urlencoded");
        this.body = body.into();
        this
    }

    pub(super) fn into_request(self) -> Request<Full<Bytes>> {
        let names_host = self.has_header("host");
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(self.target.as_str());
        if !names_host {
            request = request.header("host", "id.example.test");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(self.body))).unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The token of a good answer.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.is_clean();
        let json = self.json();
        assert_eq!(json["token_type"], "Bearer");
        json["access_token"].as_str().unwrap().to_owned()
    }

    /// A refusal in the form of RFC 6749 §5.2.
    #[track_caller]
    pub(crate) fn is_refused(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json()["error"], error, "{self:?}");
        assert!(self.json().get("access_token").is_none(), "{self:?}");
        self.is_clean();
        let challenge = self.header("www-authenticate");
        assert_eq!(challenge.is_some(), status == 401, "{self:?}");
    }

    /// What every answer of a client's endpoint has.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        self.is_hardened();
    }

    /// What every answer has (S18).
    #[track_caller]
    pub(crate) fn is_hardened(&self) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        let lasting = self.header("strict-transport-security");
        assert_eq!(lasting, Some("max-age=63072000"), "{self:?}");
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        assert_eq!(self.header("server"), None, "{self:?}");
        assert_eq!(self.header("set-cookie"), None, "{self:?}");
    }
}

/// The claims of a token; its signature is not the matter here.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let octets = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    serde_json::from_slice(&octets).unwrap()
}
