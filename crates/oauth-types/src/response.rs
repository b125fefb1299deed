use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{ClientId, Issuer, OpaqueToken, ScopeSet, TokenId, TokenType};

/// The body of a token answer (RFC 6749 §5.1).
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{ScopeSet, TokenResponse};
///
/// let answer = TokenResponse::new("eyJ…".into(), 900, Some(ScopeSet::parse("read")?));
/// let json = serde_json::to_string(&answer).unwrap();
/// assert_eq!(json, r#"{"access_token":"eyJ…","token_type":"Bearer","expires_in":900,"scope":"read"}"#);
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// How to present it.
    pub token_type: TokenType,
    /// Its life, in seconds from now.
    pub expires_in: u64,
    /// What was granted; left out if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// What gives the next access token (RFC 6749 §6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Who signed in, and how (OpenID Connect Core §3.1.3.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

impl TokenResponse {
    /// An answer with a `Bearer` token. An empty scope is left out.
    #[must_use]
    pub fn new(access_token: String, expires_in: u64, scope: Option<ScopeSet>) -> Self {
        let scope = scope.filter(|scope| !scope.is_empty());
        Self {
            access_token,
            token_type: TokenType::Bearer,
            expires_in,
            scope,
            refresh_token: None,
            id_token: None,
        }
    }

    /// The same answer with a refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: &OpaqueToken) -> Self {
        self.refresh_token = Some(refresh_token.expose().to_owned());
        self
    }

    /// The same answer with an ID token.
    #[must_use]
    pub fn with_id_token(mut self, id_token: String) -> Self {
        self.id_token = Some(id_token);
        self
    }

    /// The answer as JSON: what `serde_json` writes, at a tenth of its cost, since a token is long and holds nothing
    /// to escape.
    ///
    /// ```
    /// # use sealstone_oauth_types::TokenResponse;
    /// let answer = TokenResponse::new("eyJ.eyJ.sig".into(), 900, None);
    /// assert_eq!(answer.to_json(), serde_json::to_vec(&answer).unwrap());
    /// ```
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let scope = self.scope.as_ref().map_or("", ScopeSet::as_str);
        let others = [
            ("refresh_token", &self.refresh_token),
            ("id_token", &self.id_token),
        ];
        let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len().saturating_add(24));
        let mut json = Vec::with_capacity(
            others
                .iter()
                .map(|(_, text)| length(text))
                .fold(self.access_token.len(), usize::saturating_add)
                .saturating_add(scope.len())
                .saturating_add(96),
        );
        json.extend_from_slice(b"{\"access_token\":");
        push_text(&mut json, &self.access_token);
        json.extend_from_slice(b",\"token_type\":\"");
        json.extend_from_slice(self.token_type.as_str().as_bytes());
        json.extend_from_slice(b"\",\"expires_in\":");
        // A number is always JSON, and writing into memory does not fail.
        let _written = serde_json::to_writer(&mut json, &self.expires_in);
        if self.scope.is_some() {
            json.extend_from_slice(b",\"scope\":");
            push_text(&mut json, scope);
        }
        for (name, text) in others {
            if let Some(text) = text {
                json.extend_from_slice(b",\"");
                json.extend_from_slice(name.as_bytes());
                json.extend_from_slice(b"\":");
                push_text(&mut json, text);
            }
        }
        json.push(b'}');
        json
    }
}

/// Text as a JSON string (RFC 8259 §7). A token has hundreds of octets, all above the quote and none a backslash: one look
/// without a branch, many octets at a time. Whatever else there is `serde_json` writes.
fn push_text(json: &mut Vec<u8>, text: &str) {
    let stands_out = |octet: u8| u8::from(octet <= b'"') | u8::from(octet == b'\\');
    if text.bytes().fold(0, |found, octet| found | stands_out(octet)) != 0 {
        json.extend_from_slice(Value::from(text).to_string().as_bytes());
        return;
    }
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenResponse")
            .field("access_token", &format_args!("[redacted]"))
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The body of an introspection answer (RFC 7662 §2.2).
///
/// # Examples
/// ```
/// use sealstone_oauth_types::IntrospectionResponse;
///
/// let json = serde_json::to_string(&IntrospectionResponse::inactive()).unwrap();
/// assert_eq!(json, r#"{"active":false}"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IntrospectionResponse {
    /// Whether the token is good now.
    pub active: bool,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// The client it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// A name of the subject for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// How it is presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<TokenType>,
    /// When it ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// When it was issued, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// When it begins, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The audiences; one is written as text, several as an array.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "one_or_many")]
    pub aud: Vec<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<Issuer>,
    /// The token's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<TokenId>,
    /// What the token is bound to (RFC 8705 §3.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Value>,
    /// Further members, flat beside the others.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl IntrospectionResponse {
    /// `{"active":false}` and nothing else (RFC 7662 §2.2).
    #[must_use]
    pub fn inactive() -> Self {
        Self::default()
    }

    /// An answer for a good token, its members still to be set.
    #[must_use]
    pub fn active() -> Self {
        Self {
            active: true,
            ..Self::default()
        }
    }
}

mod one_or_many {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match values {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            One(String),
            Many(Vec<String>),
        }
        Ok(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{IntrospectionResponse, TokenResponse};
    use crate::{OpaqueToken, ScopeSet};

    /// Wherever it stands, in texts of every length.
    #[test]
    fn what_json_escapes_is_escaped() {
        for length in 0..40_usize {
            for place in 0..length {
                for odd in ['"', '\\', '\n', '\u{0}', '\u{1f}', '!', '\u{e9}'] {
                    let text = |at: usize| if at == place { odd } else { 'a' };
                    let answer = TokenResponse::new((0..length).map(text).collect(), 60, None);
                    assert_eq!(
                        answer.to_json(),
                        serde_json::to_vec(&answer).unwrap(),
                        "{answer:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn token_answer_is_redacted_and_leaves_out_an_empty_scope() {
        let answer = TokenResponse::new("t.o.k".into(), 60, Some(ScopeSet::empty()));
        assert!(!format!("{answer:?}").contains("t.o.k"));
        let value = serde_json::to_value(&answer).unwrap();
        assert_eq!(
            value,
            json!({"access_token": "t.o.k", "token_type": "Bearer", "expires_in": 60})
        );
        assert_eq!(serde_json::from_value::<TokenResponse>(value).unwrap(), answer);
        let lower = json!({"access_token": "t", "token_type": "bearer", "expires_in": 1});
        assert!(serde_json::from_value::<TokenResponse>(lower).is_ok());
        for wrong in [
            json!({"access_token": "t", "token_type": "mac", "expires_in": 1}),
            json!({"access_token": "t", "token_type": "bearer", "expires_in": "1"}),
            json!({"token_type": "bearer", "expires_in": 1}),
        ] {
            assert!(serde_json::from_value::<TokenResponse>(wrong).is_err());
        }
    }

    #[test]
    fn token_answer_is_the_json_that_serde_writes() {
        for (token, scope) in [
            ("eyJ.eyJ.sig", None),
            ("a\"b\\c\nd\u{1}", Some("read write")),
            ("\u{fffd}é\u{7f}", Some("openstack:api")),
            ("", Some("")),
        ] {
            let scope = scope.map(|scope| ScopeSet::parse(scope).unwrap_or_else(|_| ScopeSet::empty()));
            let mut answer = TokenResponse::new(token.into(), u64::MAX, None);
            answer.scope = scope;
            for with_more in [false, true] {
                if with_more {
                    answer = answer.with_refresh_token(&OpaqueToken::from_octets([1; 32]));
                    answer = answer.with_id_token(token.into());
                }
                let written = String::from_utf8(answer.to_json()).unwrap();
                assert_eq!(written, serde_json::to_string(&answer).unwrap());
            }
        }
    }

    #[test]
    fn introspection_answer_reads_back() {
        let mut answer = IntrospectionResponse::active();
        answer.sub = Some("ci".into());
        answer.aud = vec!["a".into()];
        answer.extra.insert("project_id".into(), json!("p1"));
        let value = serde_json::to_value(&answer).unwrap();
        assert_eq!(
            value,
            json!({"active": true, "sub": "ci", "aud": "a", "project_id": "p1"})
        );
        assert_eq!(
            serde_json::from_value::<IntrospectionResponse>(value).unwrap(),
            answer
        );
        answer.aud.push("b".into());
        assert_eq!(serde_json::to_value(&answer).unwrap()["aud"], json!(["a", "b"]));
    }
}
