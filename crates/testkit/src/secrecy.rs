//! What is secret in a test, and what programs wrote down meanwhile: the one is looked for in the other.
//!
//! Within a process it is looked for as soon as a program has ended. Where [`TEST_LOGS`] names a folder, both are kept
//! there too, so that the last step of the suite looks for every secret in everything.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::escaped;

/// The environment variable of the folder that keeps what was written down (`*.log`) and what is secret (`*.secrets`, a
/// line each).
pub const TEST_LOGS: &str = "SEALSTONE_TEST_LOGS";

/// Shorter words turn up by themselves.
const LEAST_TELLING: usize = 12;

/// Members, parameters and headers whose values nobody may write down.
const NAMES: [&str; 22] = [
    "access_token",
    "assertion",
    "authorization",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "cookie",
    "device_code",
    "id_token",
    "id_token_hint",
    "initial_access_token",
    "new_password",
    "password",
    "refresh_token",
    "registration_access_token",
    "secret",
    "set-cookie",
    "token",
    "totp_secret",
    "x-auth-token",
    "x-subject-token",
];

static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// From now on this may be in nothing that a program writes down. Of a text of several lines, such as a private key, the
/// longest line counts: the armour is everybody's. What is too short to be told from other words is passed over.
pub fn keep_secret(secret: &str) {
    let telling = secret
        .lines()
        .max_by_key(|line| line.len())
        .unwrap_or_default()
        .trim();
    if telling.len() < LEAST_TELLING {
        return;
    }
    let new = known().insert(telling.to_owned());
    if new {
        append("secrets", &format!("{telling}\n"));
    }
}

/// The value of a member, a parameter or a header, if its name says that it is secret. Of `Authorization: Basic` it is
/// the password, too; of a cookie its value.
pub fn keep_secret_of(name: &str, value: &str) {
    let name = name.to_ascii_lowercase();
    if !NAMES.contains(&name.as_str()) {
        return;
    }
    match name.as_str() {
        "authorization" => {
            let credentials = value.split_once(' ').map_or(value, |(_, rest)| rest);
            keep_secret(credentials);
            let decoded = base64_simd::STANDARD
                .decode_to_vec(credentials)
                .unwrap_or_default();
            if let Some((_, password)) = String::from_utf8_lossy(&decoded).split_once(':') {
                keep_secret(password);
            }
        }
        "cookie" => value.split("; ").for_each(keep_cookie),
        "set-cookie" => keep_cookie(value.split(';').next().unwrap_or_default()),
        _ => keep_secret(value),
    }
}

fn keep_cookie(pair: &str) {
    if let Some((_, value)) = pair.split_once('=') {
        keep_secret(value);
    }
}

/// Every secret member of a JSON document, however deep; `code` is a word for a fault there, and no secret.
pub fn keep_secrets_of_json(document: &Value) {
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name != "code" => keep_secret_of(name, text),
                    Value::String(_) => {}
                    Value::Array(_) | Value::Object(_) => keep_secrets_of_json(value),
                    Value::Null | Value::Bool(_) | Value::Number(_) => {}
                }
            }
        }
        Value::Array(values) => values.iter().for_each(keep_secrets_of_json),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every secret parameter of a query, a fragment or a form.
pub fn keep_secrets_of_form(text: &str) {
    for (name, value) in text
        .split(['?', '#', '&'])
        .filter_map(|pair| pair.split_once('='))
    {
        // What is escaped stays so: tokens, codes and secrets need no escape.
        keep_secret_of(name, value);
    }
}

/// What a program has written down: its log, its audit trail. Never what it was asked to print.
///
/// # Panics
/// If a secret of this process is in it, as it is or percent-encoded. The message does not have it.
#[track_caller]
pub fn written_down(by: &str, text: &str) {
    append("log", &format!("== {by}\n{text}\n"));
    let known = known().clone();
    for secret in &known {
        let found = text.contains(secret.as_str()) || text.contains(&escaped(secret));
        assert!(
            !found,
            "{by} wrote down a secret of {} characters that begins {:?}",
            secret.len(),
            secret.get(..4)
        );
    }
}

fn known() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To this process's file in the folder, if there is one.
fn append(ending: &str, text: &str) {
    let Some(folder) = folder() else { return };
    let path = folder.join(format!("{}.{ending}", std::process::id()));
    let file =
        fs::create_dir_all(&folder).and_then(|()| OpenOptions::new().create(true).append(true).open(path));
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("the folder for what tests wrote down");
}

fn folder() -> Option<PathBuf> {
    // The tests below write secrets down on purpose: the suite would find them.
    let kept = std::env::var_os(TEST_LOGS).filter(|_| !cfg!(test));
    kept.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whether it is found out when this is written down.
    fn found(text: &str) -> bool {
        let text = text.to_owned();
        std::panic::catch_unwind(move || written_down("a program", &text)).is_err()
    }

    #[test]
    fn whatever_a_test_makes_secret_is_found_where_it_is_written_down() {
        keep_secret(
            "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQ\n-----END PRIVATE KEY-----\n",
        );
        keep_secret_of("Authorization", "Basic Y2k6cGFzc3dvcmQtb2YtY2k=");
        keep_secret_of("Set-Cookie", "__Host-session=cookie-of-a-session; Secure");
        keep_secret_of("cookie", "a=cookie-number-one; b=cookie-number-two");
        keep_secret_of("x-request-id", "a-name-that-logs-have");
        keep_secrets_of_json(
            &json!({"tokens": [{"refresh_token": "refresh-0123456789", "scope": "openid profile email"}]}),
        );
        keep_secrets_of_form("https://app.example/callback?code=code-0123456789&state=state-0123456789");
        keep_secret("with a space and a +");
        keep_secret("short");
        for (name, text, want) in [
            (
                "a key",
                "x MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQ x",
                true,
            ),
            ("the armour of a key", "-----BEGIN PRIVATE KEY-----", false),
            ("credentials as sent", "Y2k6cGFzc3dvcmQtb2YtY2k=", true),
            ("a password", "{\"error\":\"password-of-ci is wrong\"}", true),
            ("a cookie that was set", "cookie-of-a-session", true),
            ("the second cookie of two", "cookie-number-two", true),
            ("a token deep in an answer", "refresh-0123456789", true),
            ("a code in a redirect", "GET /callback?code=code-0123456789", true),
            ("percent-encoded", "with%20a%20space%20and%20a%20%2B", true),
            ("a state", "state-0123456789", false),
            ("a request id", "a-name-that-logs-have", false),
            ("a scope", "openid profile email", false),
            ("a short word", "short", false),
            ("nothing", "", false),
        ] {
            assert_eq!(found(text), want, "{name}");
        }
    }
}
