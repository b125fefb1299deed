//! A privacyIDEA that answers as a test says, in the words of the real one.

mod log;

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

pub(crate) use log::Log;
use sealstone_identity::{Passcode, Person, UserRef};
use sealstone_privacyidea::{PrivacyIdea, PrivacyIdeaConfig};
use sealstone_testkit::{FakeHttp, HttpAsk, HttpReply, ManualClock};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// What must be seen in no log and no error.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";
pub(crate) const TOKEN: &str = "eyJhbGciOi.token-that-opens.doors";
pub(crate) const CODE: &str = "755224";

/// Measured on privacyIDEA 3.14, signatures and version left out.
pub(crate) fn answer(value: Value, authentication: &str, detail: Value) -> Value {
    json!({
        "id": 2, "jsonrpc": "2.0", "time": 1795327994.99, "version": "privacyIDEA 3.14",
        "result": {"authentication": authentication, "status": true, "value": value},
        "detail": detail,
    })
}

pub(crate) fn refusal(code: i64) -> Value {
    json!({
        "id": 1, "jsonrpc": "2.0", "detail": null,
        "result": {"error": {"code": code, "message": format!("ERR{code}: {CODE} {PASSWORD}")}, "status": false},
    })
}

pub(crate) fn logged_in() -> Value {
    answer(
        json!({"token": TOKEN, "role": "admin", "realm": ""}),
        "ACCEPT",
        Value::Null,
    )
}

pub(crate) fn token(serial: &str, kind: &str, user: &str) -> Value {
    json!({
        "serial": serial, "tokentype": kind, "username": user, "user_realm": "lab", "realms": ["lab"],
        "active": true, "locked": false, "revoked": false, "failcount": 0, "maxfail": 10, "rollout_state": "enrolled",
    })
}

pub(crate) fn tokens(list: &[Value]) -> Value {
    let value = json!({"count": list.len(), "next": null, "prev": null, "tokens": list});
    json!({"id": 1, "jsonrpc": "2.0", "result": {"status": true, "value": value}})
}

pub(crate) fn challenge(serial: &str, kind: &str, mode: &str) -> Value {
    json!({"client_mode": mode, "message": "please enter otp: ", "serial": serial, "transaction_id": "08385", "type": kind})
}

pub(crate) fn triggered(list: &[Value]) -> Value {
    let detail = json!({
        "message": "please enter otp: ", "messages": ["please enter otp: "], "multi_challenge": list,
        "transaction_id": "08385", "transaction_ids": ["08385"],
    });
    answer(json!(list.len()), "CHALLENGE", detail)
}

pub(crate) fn accepted(serial: &str) -> Value {
    answer(
        json!(true),
        "ACCEPT",
        json!({"message": "Found matching challenge", "serial": serial, "threadid": 1}),
    )
}

pub(crate) fn rejected() -> Value {
    let detail =
        json!({"message": "Response did not match the challenge.", "serial": "HOTPBOB", "type": "hotp"});
    answer(json!(false), "REJECT", detail)
}

pub(crate) fn polled(value: bool, status: &str) -> Value {
    let authentication = if value { "ACCEPT" } else { "REJECT" };
    answer(
        json!(value),
        authentication,
        json!({"challenge_status": status, "threadid": 1}),
    )
}

/// Bob has a HOTP token; his code is right. Each answer can be replaced.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) auth: Value,
    pub(crate) tokens: Value,
    pub(crate) trigger: Value,
    pub(crate) check: Value,
    pub(crate) poll: Value,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            auth: logged_in(),
            tokens: tokens(&[token("HOTPBOB", "hotp", "bob")]),
            trigger: triggered(&[challenge("HOTPBOB", "hotp", "interactive")]),
            check: accepted("HOTPBOB"),
            poll: polled(false, "pending"),
        }
    }
}

pub(crate) type Override = dyn Fn(&HttpAsk) -> Option<HttpReply> + Send + Sync;

/// A fake with a script that the test may change, and replies that are no JSON at all.
pub(crate) struct Lab {
    pub(crate) fake: FakeHttp,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) odd: Arc<Mutex<Option<Box<Override>>>>,
    pub(crate) clock: ManualClock,
    pub(crate) adapter: PrivacyIdea,
}

impl Lab {
    pub(crate) fn start() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(change: impl FnOnce(PrivacyIdeaConfig) -> PrivacyIdeaConfig) -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let odd = Arc::new(Mutex::new(None::<Box<Override>>));
        let (kept, strange) = (Arc::clone(&script), Arc::clone(&odd));
        let fake = FakeHttp::start(move |ask| {
            if let Some(reply) = strange.lock().unwrap().as_ref().and_then(|odd| odd(ask)) {
                return reply;
            }
            let script = kept.lock().unwrap();
            let document = match ask.path() {
                "/auth" => &script.auth,
                "/token/" => &script.tokens,
                "/validate/triggerchallenge" => &script.trigger,
                "/validate/check" => &script.check,
                "/validate/polltransaction/08385" => &script.poll,
                _ => return HttpReply::json(404, &refusal(601).to_string()),
            };
            let status = match document.pointer("/result/error/code").and_then(Value::as_i64) {
                None => 200,
                Some(4031 | 4033 | 4304) => 401,
                Some(303) => 403,
                Some(_) => 400,
            };
            HttpReply::json(status, &document.to_string())
        });
        let clock = ManualClock::default();
        let (hand, password) = (clock.clone(), Zeroizing::new(PASSWORD.to_owned()));
        let config = PrivacyIdeaConfig::new(&fake.url(), "lab", "mfa-adapter", password)
            .unwrap()
            .with_clock(move || hand.now());
        Self {
            adapter: PrivacyIdea::new(change(config)).unwrap(),
            fake,
            script,
            odd,
            clock,
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub(crate) fn answer_oddly(&self, odd: impl Fn(&HttpAsk) -> Option<HttpReply> + Send + Sync + 'static) {
        *self.odd.lock().unwrap() = Some(Box::new(odd));
    }
}

pub(crate) fn person(name: &str) -> Person {
    Person::new(UserRef::new("u1", name, "default").unwrap())
}

pub(crate) fn code() -> Passcode {
    Passcode::parse(CODE).unwrap()
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

/// Short enough for a test of what never ends.
pub(crate) const IMPATIENT: Duration = Duration::from_millis(300);
