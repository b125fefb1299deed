//! What the fuzz target `upstream_answer` drives: the readers of answers, on octets.

use openidconnect::SubjectIdentifier;
use sealstone_jose::Algorithm;
use serde_json::Map;

use crate::{
    ClientAuthentication, UpstreamConfig,
    claims::{self, Believed},
    metadata::{Keys, Metadata},
};

/// Reads one body as each kind of answer. Whatever it says, each side keeps to its own host.
pub fn answer(body: &[u8]) {
    let config = UpstreamConfig::new("https://login.example", "sealstone", ClientAuthentication::None)
        .and_then(|config| config.with_back_channel_url("https://internal.example:9091"));
    let Ok(config) = config else {
        return;
    };
    if let Ok(metadata) = Metadata::read(body, &config) {
        let browser = metadata.authorization.as_str();
        assert!(browser.starts_with("https://login.example"), "{browser}");
        let ours = [
            Some(metadata.token.as_str()),
            metadata.userinfo.as_deref(),
            Some(&metadata.jwks),
        ];
        for ours in ours.into_iter().flatten() {
            assert!(ours.starts_with("https://internal.example:9091"), "{ours}");
        }
        let url = metadata.authorization.url();
        assert_eq!(url.host_str(), Some("login.example"), "as a browser reads it");
    }
    let _keys = Keys::read(body, &Algorithm::ALL);
    if let Ok(text) = std::str::from_utf8(body) {
        let _kid = claims::key_name(text);
    }
    let mut believed = Believed {
        subject: SubjectIdentifier::new("s1".to_owned()),
        claims: Map::from_iter([("sub".to_owned(), "s1".into()), ("name".to_owned(), "own".into())]),
        amr: Vec::new(),
        acr: None,
        auth_time: None,
    };
    claims::with_userinfo(&mut believed, body);
    assert_eq!(believed.claims.get("sub"), Some(&"s1".into()));
    assert_eq!(
        believed.claims.get("name"),
        Some(&"own".into()),
        "what was signed stands"
    );
}
