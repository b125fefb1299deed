use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::Acr;

/// Which claims the client asks for by name, and where (OpenID Connect Core §5.5).
///
/// Members and attributes that the specification does not know are passed over. At most 8 KiB of JSON and 64 claims at
/// each place.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::ClaimsRequest;
///
/// let text = r#"{"id_token": {"acr": {"essential": true, "values": ["phr"]}, "auth_time": null}}"#;
/// let claims = ClaimsRequest::parse(text).unwrap();
/// assert!(claims.id_token.get("acr").is_some_and(|acr| acr.essential));
/// assert!(claims.id_token.get("auth_time").is_some() && claims.userinfo.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClaimsRequest {
    /// For the ID token.
    #[serde(skip_serializing_if = "RequestedClaims::is_empty")]
    pub id_token: RequestedClaims,
    /// For the userinfo endpoint.
    #[serde(skip_serializing_if = "RequestedClaims::is_empty")]
    pub userinfo: RequestedClaims,
}

/// The claims asked for at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RequestedClaims(BTreeMap<String, ClaimRequest>);

/// How one claim is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// The client cannot do well without it. It is no promise that it comes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The values that the client would take, best liked first; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

impl ClaimsRequest {
    /// The longest JSON text, in bytes: room for every claim there is, at both places.
    pub const MAX_LENGTH: usize = 8 * 1024;
    /// The most claims asked for at one place.
    pub const MAX_CLAIMS: usize = 64;

    /// Parses the value of the parameter `claims`; `None` if it is no such JSON, or above a limit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_LENGTH {
            return None;
        }
        Self::from_value(serde_json::from_str(text).ok()?)
    }

    /// The authentication classes that the ID token must have; `None` if none is demanded. A class that is merely
    /// asked for is not demanded.
    #[must_use]
    pub fn essential_acr(&self) -> Option<Vec<Acr>> {
        let acr = self.id_token.get("acr").filter(|acr| acr.essential)?;
        let values: Vec<Acr> = acr.texts().filter_map(Acr::parse).collect();
        (!acr.values.is_empty()).then_some(values)
    }

    /// The only subject that the answer may be about (OpenID Connect Core §5.5.1); `Some(None)` for a value that no
    /// subject has.
    #[must_use]
    pub fn subject(&self) -> Option<Option<&str>> {
        let sub = self.id_token.get("sub").filter(|sub| !sub.values.is_empty())?;
        Some(sub.values.first().and_then(Value::as_str))
    }

    fn from_value(value: Value) -> Option<Self> {
        let Value::Object(mut places) = value else {
            return None;
        };
        let mut place = |name| match places.remove(name) {
            None | Some(Value::Null) => Some(RequestedClaims::default()),
            Some(Value::Object(claims)) => RequestedClaims::read(claims),
            Some(_) => None,
        };
        Some(Self {
            id_token: place("id_token")?,
            userinfo: place("userinfo")?,
        })
    }
}

impl RequestedClaims {
    /// How a claim is asked for; `None` if it is not.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ClaimRequest> {
        self.0.get(name)
    }

    /// The claims asked for, in byte order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ClaimRequest)> {
        self.0.iter().map(|(name, request)| (name.as_str(), request))
    }

    /// Whether none is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read(claims: Map<String, Value>) -> Option<Self> {
        if claims.len() > ClaimsRequest::MAX_CLAIMS {
            return None;
        }
        let read = |(name, value)| ClaimRequest::read(value).map(|request| (name, request));
        claims.into_iter().map(read).collect::<Option<_>>().map(Self)
    }
}

impl ClaimRequest {
    /// The values that are texts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter_map(Value::as_str)
    }

    fn read(value: Value) -> Option<Self> {
        let mut members = match value {
            Value::Null => return Some(Self::default()),
            Value::Object(members) => members,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return None,
        };
        let essential = match members.remove("essential") {
            None => false,
            Some(Value::Bool(essential)) => essential,
            Some(_) => return None,
        };
        let values = match (members.remove("value"), members.remove("values")) {
            (None, None) => Vec::new(),
            (Some(value), None) => vec![value],
            (None, Some(Value::Array(values))) => values,
            (Some(_), Some(_)) | (None, Some(_)) => return None,
        };
        Some(Self { essential, values })
    }
}

impl<'de> Deserialize<'de> for ClaimsRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(value).ok_or_else(|| de::Error::custom("no claims request"))
    }
}

#[cfg(test)]
mod tests {
    use super::ClaimsRequest;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn parse(value: &Value) -> Option<ClaimsRequest> {
        ClaimsRequest::parse(&value.to_string())
    }

    #[test]
    fn what_core_5_5_shows() {
        let claims = parse(&json!({
            "userinfo": {
                "given_name": {"essential": true}, "nickname": null, "email": {"essential": true},
                "http://example.info/claims/groups": null,
            },
            "id_token": {
                "auth_time": {"essential": true}, "acr": {"values": ["urn:mace:incommon:iap:silver"]},
            },
            "other": {"x": 1},
        }))
        .unwrap();
        assert_eq!(claims.userinfo.iter().count(), 4);
        assert!(claims.userinfo.get("email").unwrap().essential);
        assert!(!claims.userinfo.get("nickname").unwrap().essential);
        let acr = claims.id_token.get("acr").unwrap();
        assert_eq!(acr.texts().collect::<Vec<_>>(), ["urn:mace:incommon:iap:silver"]);
        assert_eq!(claims.essential_acr(), None, "asked for, not demanded");
    }

    #[test]
    fn a_demanded_class_and_a_demanded_subject() {
        let acr = |value: Value| {
            parse(&json!({"id_token": {"acr": value}}))
                .unwrap()
                .essential_acr()
        };
        let values = acr(json!({"essential": true, "values": ["phr", 7, "a b"]})).unwrap();
        assert_eq!(values.iter().map(super::Acr::as_str).collect::<Vec<_>>(), ["phr"]);
        // A value that no login has is demanded all the same.
        assert_eq!(acr(json!({"essential": true, "value": 7})), Some(Vec::new()));
        for none in [
            json!(null),
            json!({"essential": true}),
            json!({"values": ["phr"]}),
        ] {
            assert_eq!(acr(none.clone()), None, "{none}");
        }
        let sub = |value: Value| parse(&json!({"id_token": {"sub": value}})).unwrap();
        assert_eq!(sub(json!({"value": "u1"})).subject(), Some(Some("u1")));
        assert_eq!(sub(json!({"value": 7})).subject(), Some(None));
        assert_eq!(sub(json!(null)).subject(), None);
        assert_eq!(ClaimsRequest::default().subject(), None);
    }

    #[test]
    fn other_json_is_refused() {
        let many: serde_json::Map<String, Value> = (0..65).map(|n| (n.to_string(), Value::Null)).collect();
        for wrong in [
            json!([]),
            json!(null),
            json!("x"),
            json!({"id_token": []}),
            json!({"id_token": "acr"}),
            json!({"userinfo": 1}),
            json!({"id_token": {"acr": "phr"}}),
            json!({"id_token": {"acr": []}}),
            json!({"id_token": {"acr": {"essential": "true"}}}),
            json!({"id_token": {"acr": {"values": "phr"}}}),
            json!({"id_token": {"acr": {"values": ["a"], "value": "a"}}}),
            json!({"userinfo": many}),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
        for wrong in [
            "",
            "{",
            "{\"id_token\":{}",
            &format!("{{\"x\":{}1{}}}", "[".repeat(4000), "]".repeat(4000)),
        ] {
            assert_eq!(ClaimsRequest::parse(wrong), None, "{wrong:.30}");
        }
        for fine in [
            json!({}),
            json!({"id_token": null}),
            json!({"id_token": {"x": {"purpose": "y"}}}),
        ] {
            assert!(parse(&fine).is_some(), "{fine}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_reads_back(text in "\\PC{0,200}") {
            if let Some(claims) = ClaimsRequest::parse(&text) {
                let stored = serde_json::to_string(&claims).unwrap();
                prop_assert_eq!(serde_json::from_str::<ClaimsRequest>(&stored).unwrap(), claims);
            }
        }
    }
}
