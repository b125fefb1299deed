//! The tokens of one request.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::UnixTime;
use sealstone_fernet::DecodeError;

use super::{Inner, Rules};
use crate::auth_body;
use crate::counts::Event;
use crate::echo::Swaps;
use crate::fields::TOKEN_FIELDS;
use crate::memo::Memo;
use crate::translate::{Refusal, TokenForm};

/// By what the tokens of one request are translated: the same for all of them, whatever is replaced meanwhile.
pub(super) struct Turn<'a> {
    bridge: &'a Inner,
    rules: Arc<Rules>,
    target: TokenForm,
    now: UnixTime,
    swaps: &'a mut Swaps,
}

/// A token that is not passed on.
pub(super) struct Refused;

/// What is done to find out about a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// It is proved, if its other form is not known.
    Proof,
    /// It is refused, if its other form is not known.
    Memory,
}

impl<'a> Turn<'a> {
    pub(super) fn new(bridge: &'a Inner, swaps: &'a mut Swaps) -> Self {
        Self {
            bridge,
            rules: bridge.rules.load_full(),
            target: bridge.target(),
            now: (bridge.clock)(),
            swaps,
        }
    }

    /// A token that is not proved is taken away: Keystone answers then as to any token that it does not know, where a
    /// token is needed, and serves what needs none.
    ///
    /// With the caller's token the others are taken away that would have to be proved: without a caller, Keystone looks at
    /// neither of them, so that nobody can make the bridge verify more than one forged token by a request.
    pub(super) fn translate_fields(&mut self, headers: &mut HeaderMap) {
        let [caller, others @ ..] = &TOKEN_FIELDS;
        let effort = match self.translate_field(headers, caller, Effort::Proof) {
            Ok(()) => Effort::Proof,
            Err(Refused) => Effort::Memory,
        };
        for name in others {
            let _taken_away = self.translate_field(headers, name, effort);
        }
    }

    fn translate_field(
        &mut self,
        headers: &mut HeaderMap,
        name: &HeaderName,
        effort: Effort,
    ) -> Result<(), Refused> {
        let Some(value) = headers.get(name) else {
            return Ok(());
        };
        if let Some(known) = self.swaps.for_node(value) {
            let known = known.clone();
            headers.insert(name, known);
            return Ok(());
        }
        let Ok(token) = value.to_str() else { return Ok(()) };
        let translated = match self.translate(token, name.as_str(), effort) {
            Ok(None) => return Ok(()),
            Ok(Some(translated)) => HeaderValue::try_from(translated).ok(),
            Err(Refused) => None,
        };
        let Some(mut node) = translated else {
            headers.remove(name);
            return Err(Refused);
        };
        node.set_sensitive(true);
        self.swaps.add(value.clone(), node.clone());
        headers.insert(name, node);
        Ok(())
    }

    /// The login with its token translated, if it has one that is to be; an error if that is not proved.
    pub(super) fn translate_body(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        let Some(token) = auth_body::token(octets) else {
            return Ok(None);
        };
        let Some(translated) = self.translate(&token, "the login's body", Effort::Proof)? else {
            return Ok(None);
        };
        let body = auth_body::replaced(octets, &token, &translated);
        if let (Ok(client), Ok(node)) = (HeaderValue::try_from(token), HeaderValue::try_from(translated)) {
            self.swaps.add(client, node);
        }
        body.map(Some).ok_or(Refused)
    }

    fn translate(&self, token: &str, place: &str, effort: Effort) -> Result<Option<String>, Refused> {
        let (target, now) = (self.target, self.now);
        if TokenForm::of(token) != Some(target.other()) {
            return Ok(None);
        }
        let counts = &self.bridge.counts;
        let key = Memo::key(token);
        if let Some(known) = self.rules.memo.find(&key, now) {
            counts.count(Event::Remembered);
            return Ok(Some(known));
        }
        if effort == Effort::Memory || self.rules.memo.is_refused(&key) {
            counts.count(Event::Refused);
            tracing::debug!(place, "token refused without another look at it");
            return Err(Refused);
        }
        match self.rules.translator.translate(token, target, now) {
            Ok(None) => Ok(None),
            Ok(Some(translated)) => {
                counts.count(match target {
                    TokenForm::Jws => Event::ToJws,
                    TokenForm::Fernet => Event::ToFernet,
                });
                self.rules.memo.keep(key, &translated);
                Ok(Some(translated.into_text()))
            }
            Err(refusal) => {
                counts.count(Event::Refused);
                tracing::debug!(reason = refusal.code(), place, "token refused: {refusal}");
                if matches!(refusal, Refusal::Unproved(DecodeError::Unauthentic)) {
                    self.rules.memo.keep_refused(key);
                }
                Err(Refused)
            }
        }
    }
}
