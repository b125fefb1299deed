//! What privacyIDEA 3.x answers, read with suspicion.

use std::collections::BTreeMap;

use sealstone_identity::{AuthMethod, Name};
use sealstone_jose::{JoseError, json};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Fault, PrivacyIdeaRefusal};

/// The longest serial number, transaction and type of a token; privacyIDEA's own columns have 40, 64 and 30.
const MAX_WORD: usize = 64;
/// The longest token of the adapter's login: common servers take no more in a header.
const MAX_TOKEN: usize = 8 * 1024;

/// A word of privacyIDEA's: a serial number, a transaction, a type of token. It cannot leave a path segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Word(String);

impl Word {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Word {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err("a serial number, transaction or type has 1 to 64 characters of A-Z a-z 0-9 - _")
        }
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.0
    }
}

/// A status and a body: an answer of privacyIDEA's own, or why it is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused(PrivacyIdeaRefusal),
    Outage(u16),
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

#[derive(Deserialize)]
struct Document {
    result: ResultMember,
    #[serde(default)]
    detail: Option<Value>,
}

#[derive(Deserialize)]
struct ResultMember {
    status: bool,
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    authentication: Option<String>,
    #[serde(default)]
    error: Option<ErrorMember>,
}

#[derive(Deserialize)]
struct ErrorMember {
    code: i64,
}

/// An answer with status 200 in which privacyIDEA says that it did what was asked.
pub(crate) struct Answer {
    value: Value,
    authentication: Option<String>,
    detail: Value,
}

fn strict<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    json::from_slice(body).map_err(|error| {
        if error == JoseError::UnexpectedJson {
            Fault::Shape
        } else {
            Fault::Json
        }
    })
}

impl Answer {
    /// Reads an answer; a refusal counts as privacyIDEA's only in its own form, for what stands before it has none.
    pub(crate) fn read(status: u16, body: &[u8]) -> Result<Self, Failure> {
        let document = strict::<Document>(body);
        match status {
            200 => {
                let document = document?;
                if !document.result.status || document.result.error.is_some() {
                    return Err(Fault::Contradiction.into());
                }
                Ok(Self {
                    value: document.result.value.ok_or(Fault::Shape)?,
                    authentication: document.result.authentication,
                    detail: document.detail.unwrap_or(Value::Null),
                })
            }
            400..=499 => {
                let result = document.map_err(|_foreign| Fault::Status(status))?.result;
                match result.error {
                    Some(error) if !result.status => Err(Failure::Refused(refusal(status, error.code))),
                    _ => Err(Fault::Status(status).into()),
                }
            }
            500..=599 => Err(Failure::Outage(status)),
            _ => Err(Fault::Status(status).into()),
        }
    }

    fn member<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
        T::deserialize(value).map_err(|_error| Fault::Shape)
    }

    /// Whether the answer accepts, refuses, or asks for more; what contradicts itself is no answer.
    fn verdict(&self) -> Result<bool, Fault> {
        match (&self.value, self.authentication.as_deref()) {
            (Value::Bool(true), Some("ACCEPT")) => Ok(true),
            (Value::Bool(false), Some("REJECT")) => Ok(false),
            (Value::Bool(false), Some("CHALLENGE")) => Err(Fault::FurtherChallenge),
            (Value::Bool(_), Some("ACCEPT" | "REJECT" | "CHALLENGE")) => Err(Fault::Contradiction),
            _ => Err(Fault::Shape),
        }
    }
}

const fn refusal(status: u16, code: i64) -> PrivacyIdeaRefusal {
    match (status, code) {
        (400, 904) => PrivacyIdeaRefusal::UnknownUser,
        (401, 4031) => PrivacyIdeaRefusal::AdapterPassword,
        (401, _) => PrivacyIdeaRefusal::AdapterToken,
        (403, _) => PrivacyIdeaRefusal::AdapterRights,
        (status, code) => PrivacyIdeaRefusal::Other { status, code },
    }
}

/// Of `POST /auth`: the token that speaks for the adapter.
pub(crate) fn login(answer: Answer) -> Result<Zeroizing<String>, Fault> {
    #[derive(Deserialize)]
    struct Login {
        token: Zeroizing<String>,
    }
    let login: Login = Answer::member(answer.value)?;
    let in_a_header = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'=');
    if (1..=MAX_TOKEN).contains(&login.token.len()) && login.token.bytes().all(in_a_header) {
        Ok(login.token)
    } else {
        Err(Fault::Shape)
    }
}

/// The tokens of one user, whatever their state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// How many there are: may be more than are listed.
    pub(crate) count: u64,
    /// The types of those listed, by serial number.
    pub(crate) listed: BTreeMap<Word, Word>,
    /// Whether each of those listed has seen too many wrong codes.
    pub(crate) all_locked: bool,
}

/// Of `GET /token/`: only if every token that is listed belongs to this user, for what was asked is how privacyIDEA
/// read it: an empty user stands there for all of them.
pub(crate) fn tokens(answer: Answer, user: &str, realm: &str) -> Result<Tokens, Fault> {
    #[derive(Deserialize)]
    struct List {
        count: u64,
        tokens: Vec<Token>,
    }
    #[derive(Deserialize)]
    struct Token {
        serial: Word,
        tokentype: Word,
        username: String,
        user_realm: String,
        locked: bool,
        failcount: i64,
        maxfail: i64,
    }
    let list: List = Answer::member(answer.value)?;
    let listed = u64::try_from(list.tokens.len()).map_err(|_too_many| Fault::Shape)?;
    if list.count < listed || (list.count > 0 && listed == 0) {
        return Err(Fault::Contradiction);
    }
    let mut tokens = Tokens {
        count: list.count,
        listed: BTreeMap::new(),
        all_locked: listed > 0,
    };
    for token in list.tokens {
        if token.username != user {
            return Err(Fault::Mismatch("user"));
        }
        // privacyIDEA keeps the names of realms in lower case.
        if !token.user_realm.eq_ignore_ascii_case(realm) {
            return Err(Fault::Mismatch("realm"));
        }
        tokens.all_locked &= token.locked || token.failcount >= token.maxfail;
        if tokens.listed.insert(token.serial, token.tokentype).is_some() {
            return Err(Fault::Contradiction);
        }
    }
    Ok(tokens)
}

/// How a challenge is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// The person types a code.
    Code,
    /// The person agrees on another device, which is asked about.
    Push,
}

/// What was triggered: for whom, which transaction, and the tokens that may answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Triggered {
    pub(crate) user: Name,
    pub(crate) transaction: Word,
    pub(crate) tokens: BTreeMap<Word, OpenToken>,
}

/// A token that may answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenToken {
    pub(crate) kind: Word,
    pub(crate) mode: Mode,
}

impl OpenToken {
    /// What the token shows when it answers: `None` for types that show nothing that somebody has (a second password,
    /// questions, a token that is content with anything), and for those that hand the question on.
    pub(crate) fn shows(&self) -> Option<AuthMethod> {
        match self.kind.as_str() {
            "hotp" | "totp" | "daypassword" | "motp" | "ocra" | "paper" | "tan" | "email" | "yubikey"
            | "yubico" | "vasco" => Some(AuthMethod::OneTimeCode),
            "sms" => Some(AuthMethod::Sms),
            "push" | "tiqr" => Some(AuthMethod::SoftwareKey),
            _ => None,
        }
    }
}

/// What privacyIDEA says where nobody changed it, of a code that the person reads off: the page says it better.
const NOTHING_TO_SAY: &str = "please enter otp:";

/// Of `POST /validate/triggerchallenge`, with what the person shall read, such as the number to choose on a telephone:
/// `None` if no challenge came of it that a person could answer here.
pub(crate) fn triggered(
    answer: Answer,
    user: &Name,
    own: &Tokens,
) -> Result<Option<(Triggered, Option<String>)>, Fault> {
    #[derive(Deserialize)]
    struct Detail {
        #[serde(default)]
        transaction_id: Option<Word>,
        #[serde(default)]
        multi_challenge: Vec<Challenge>,
    }
    #[derive(Deserialize)]
    struct Challenge {
        serial: Word,
        transaction_id: Word,
        #[serde(rename = "type")]
        kind: Word,
        client_mode: String,
        #[serde(default)]
        message: String,
    }
    let count = answer.value.as_u64().ok_or(Fault::Shape)?;
    let detail: Detail = Answer::member(answer.detail)?;
    if u64::try_from(detail.multi_challenge.len()) != Ok(count) {
        return Err(Fault::Contradiction);
    }
    if count == 0 {
        return Ok(None);
    }
    if answer.authentication.as_deref() != Some("CHALLENGE") {
        return Err(Fault::Contradiction);
    }
    let transaction = detail.transaction_id.ok_or(Fault::Shape)?;
    let mut open = BTreeMap::new();
    let mut messages: Vec<String> = Vec::new();
    for challenge in detail.multi_challenge {
        if own.listed.get(&challenge.serial) != Some(&challenge.kind) {
            return Err(Fault::Mismatch("token"));
        }
        if challenge.transaction_id != transaction {
            return Err(Fault::Mismatch("transaction"));
        }
        let mode = match challenge.client_mode.as_str() {
            "interactive" => Mode::Code,
            "poll" => Mode::Push,
            // A security key of privacyIDEA's answers to its own origin only.
            _ => continue,
        };
        let token = OpenToken {
            kind: challenge.kind,
            mode,
        };
        if token.shows().is_none() {
            continue;
        }
        open.insert(challenge.serial, token);
        let message = challenge.message.trim();
        if !message.is_empty() && message != NOTHING_TO_SAY && !messages.iter().any(|known| known == message)
        {
            messages.push(message.to_owned());
        }
    }
    let triggered = (!open.is_empty()).then(|| Triggered {
        user: user.clone(),
        transaction,
        tokens: open,
    });
    let message = (!messages.is_empty()).then(|| messages.join(" "));
    Ok(triggered.map(|triggered| (triggered, message)))
}

/// Of `POST /validate/check` in a transaction: the token that answered, or `None` for a refusal.
pub(crate) fn checked<'a>(
    answer: &Answer,
    open: &'a Triggered,
    user: &str,
    realm: &str,
) -> Result<Option<&'a OpenToken>, Fault> {
    #[derive(Deserialize)]
    struct Detail {
        serial: Word,
        // A policy may have privacyIDEA say whom it means.
        #[serde(default)]
        user: Option<User>,
        #[serde(default, rename = "user-realm")]
        user_realm: Option<String>,
        #[serde(default)]
        transaction_id: Option<Word>,
    }
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    if !answer.verdict()? {
        return Ok(None);
    }
    let detail: Detail = Answer::member(answer.detail.clone())?;
    if detail.user.is_some_and(|found| found.username != user) {
        return Err(Fault::Mismatch("user"));
    }
    if detail
        .user_realm
        .is_some_and(|found| !found.eq_ignore_ascii_case(realm))
    {
        return Err(Fault::Mismatch("realm"));
    }
    if detail
        .transaction_id
        .is_some_and(|found| found != open.transaction)
    {
        return Err(Fault::Mismatch("transaction"));
    }
    open.tokens
        .get(&detail.serial)
        .map(Some)
        .ok_or(Fault::Mismatch("token"))
}

/// What became of a question on another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    Pending,
    /// The person agreed; the transaction is still to be answered.
    Agreed,
    Declined,
}

/// Of `GET /validate/polltransaction/ID`.
pub(crate) fn polled(answer: Answer) -> Result<Polled, Fault> {
    #[derive(Deserialize)]
    struct Detail {
        challenge_status: String,
    }
    let detail: Detail = Answer::member(answer.detail)?;
    match (answer.value, detail.challenge_status.as_str()) {
        (Value::Bool(true), "accept") => Ok(Polled::Agreed),
        (Value::Bool(false), "pending") => Ok(Polled::Pending),
        (Value::Bool(false), "declined" | "cancelled") => Ok(Polled::Declined),
        (Value::Bool(_), _) => Err(Fault::Contradiction),
        _ => Err(Fault::Shape),
    }
}
