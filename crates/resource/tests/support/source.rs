//! A source whose answers the test writes, and that counts what is asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use sealstone_jose::JwkSet;
use sealstone_resource::{Fetched, JwksSource, SourceError};
use serde_json::{Value, json};

use super::{ISSUER, IssuerKey};

/// What a document is answered with.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Body(Vec<u8>, Option<Duration>),
    Status(u16),
    /// No connection.
    Away,
    /// Never ends.
    Hangs,
}

#[derive(Debug, Default)]
struct State {
    answers: BTreeMap<String, Answer>,
    asked: Vec<String>,
}

/// Clones share everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeSource(Arc<Mutex<State>>);

impl FakeSource {
    pub(crate) fn jwks() -> String {
        format!("{ISSUER}/jwks")
    }

    pub(crate) fn revocation() -> String {
        format!("{ISSUER}/jwks/revocation")
    }

    pub(crate) fn metadata() -> String {
        format!("{ISSUER}/.well-known/openid-configuration")
    }

    pub(crate) fn answer(&self, url: &str, answer: Answer) {
        self.0.lock().unwrap().answers.insert(url.to_owned(), answer);
    }

    pub(crate) fn answer_json(&self, url: &str, document: &Value) {
        self.answer(url, Answer::Body(document.to_string().into_bytes(), None));
    }

    /// Publishes metadata and these keys.
    pub(crate) fn publish(&self, keys: &[&IssuerKey]) {
        self.answer_json(
            &Self::metadata(),
            &json!({"issuer": ISSUER, "jwks_uri": Self::jwks()}),
        );
        let set = JwkSet::new(keys.iter().map(|key| key.public_jwk().clone()).collect()).unwrap();
        self.answer(&Self::jwks(), Answer::Body(set.to_json().into_bytes(), None));
    }

    /// Publishes these revocations.
    pub(crate) fn revoke(&self, now: u64, keys: &[&str], tokens: &[&str]) {
        let tokens: Vec<Value> = tokens
            .iter()
            .map(|jti| json!({"jti": jti, "exp": now + 900}))
            .collect();
        let document = json!({"iss": ISSUER, "iat": now, "revoked_keys": keys, "revoked_tokens": tokens});
        self.answer_json(&Self::revocation(), &document);
    }

    /// How often a document was asked for.
    pub(crate) fn count(&self, url: &str) -> usize {
        self.0
            .lock()
            .unwrap()
            .asked
            .iter()
            .filter(|asked| *asked == url)
            .count()
    }

    /// Everything that was asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    /// All documents are answered so from now on.
    pub(crate) fn all(&self, answer: &Answer) {
        let mut state = self.0.lock().unwrap();
        state.answers.values_mut().for_each(|old| *old = answer.clone());
    }
}

#[async_trait::async_trait]
impl JwksSource for FakeSource {
    async fn fetch(&self, url: &str, _limit: usize) -> Result<Fetched, SourceError> {
        let answer = {
            let mut state = self.0.lock().unwrap();
            state.asked.push(url.to_owned());
            state.answers.get(url).cloned()
        };
        match answer {
            None => Err(SourceError::Status(404)),
            Some(Answer::Status(status)) => Err(SourceError::Status(status)),
            Some(Answer::Away) => Err(SourceError::Connection("refused".into())),
            Some(Answer::Hangs) => std::future::pending().await,
            Some(Answer::Body(body, None)) => Ok(Fetched::new(body)),
            Some(Answer::Body(body, Some(age))) => Ok(Fetched::new(body).with_max_age(age)),
        }
    }
}
