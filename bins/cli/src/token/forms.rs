//! How a token is printed: for people, for shells, and as other programs' helpers.

use std::io::{self, Read as _};

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{
    clock,
    failure::{Failure, Outcome},
    login::binding::KeptPair,
    output,
};

/// How the token is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TokenForm {
    /// The token alone
    #[default]
    #[value(alias = "plain")]
    Token,
    /// The whole answer as JSON
    Json,
    /// A header line: Authorization: Bearer ..., or X-Auth-Token for Keystone's
    Header,
    /// Lines for a shell that export `SEALSTONE_ACCESS_TOKEN` and when it ends
    Env,
    /// `ExecCredential` of client.authentication.k8s.io, for a kubeconfig
    ExecCredential,
    /// One JSON object with token and end, as programs with a `credential_process` read it
    CredentialProcess,
    /// What a Docker credential helper answers to `get`; the registry comes on standard input
    Docker,
    /// What a Git credential helper answers to `get`
    Git,
}

/// What kubectl tells its plugins.
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";
/// What it speaks if it tells nothing.
const EXEC_VERSION: &str = "client.authentication.k8s.io/v1";
/// The user's name where only the token counts, as registries and Git servers have it.
const TOKEN_USER: &str = "oauth2";
/// The longest question of Docker's or Git's: an address.
const MAX_QUESTION: u64 = 16 * 1024;

/// A token to be printed.
pub(super) struct Given<'a> {
    pub(super) token: &'a str,
    /// When it ends.
    pub(super) end: Option<u64>,
    /// For `json`.
    pub(super) document: Value,
    /// The key that it is bound to, if that may be shown.
    pub(super) pair: Option<KeptPair>,
}

impl Given<'_> {
    pub(super) fn print(&self, form: TokenForm) -> Outcome {
        let text = self.token;
        // RFC 6750 §2.1: anything else could break out of a header or a shell line.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.is_empty() || !text.bytes().all(plain) {
            return Err(Failure::failed(
                "the answer holds no token (RFC 6750 §2.1): tell the server's operator",
            ));
        }
        match form {
            TokenForm::Token => output::line(text),
            TokenForm::Json => output::json(&self.document),
            TokenForm::Header if self.is_keystones() => output::line(&format!("X-Auth-Token: {text}")),
            TokenForm::Header => output::line(&format!("Authorization: Bearer {text}")),
            TokenForm::Env => {
                let mut lines = Zeroizing::new(format!("export SEALSTONE_ACCESS_TOKEN='{text}'\n"));
                if let Some(end) = self.end {
                    lines.push_str(&format!("export SEALSTONE_ACCESS_TOKEN_EXPIRES_AT='{end}'\n"));
                }
                output::data(&lines)
            }
            TokenForm::ExecCredential => output::json(&self.exec_credential(&exec_version()?)),
            TokenForm::CredentialProcess => output::json(&json!({
                "Version": 1,
                "TokenType": if self.is_keystones() { "X-Auth-Token" } else { "Bearer" },
                "Token": text,
                "Expiration": self.date(),
            })),
            TokenForm::Docker => {
                let registry = question()?;
                let registry = output::visible(registry.trim());
                output::json(&json!({"ServerURL": registry, "Username": TOKEN_USER, "Secret": text}))
            }
            TokenForm::Git => output::data(&Zeroizing::new(format!(
                "username={TOKEN_USER}\npassword={text}\n"
            ))),
        }
    }

    fn exec_credential(&self, version: &str) -> Value {
        let mut status = Map::new();
        status.insert("token".into(), json!(self.token));
        if let Some(date) = self.date() {
            status.insert("expirationTimestamp".into(), date.into());
        }
        if let Some(pair) = &self.pair {
            status.insert("clientCertificateData".into(), pair.certificate.as_str().into());
            status.insert("clientKeyData".into(), pair.key.as_str().into());
        }
        json!({"apiVersion": version, "kind": "ExecCredential", "status": status})
    }

    fn date(&self) -> Option<String> {
        self.end.map(|end| clock::date(clock::at(end)))
    }

    fn is_keystones(&self) -> bool {
        self.document.get("keystone_token").is_some()
    }
}

/// The version that kubectl wants to hear; it refuses another.
fn exec_version() -> Outcome<String> {
    let Some(info) = std::env::var_os(EXEC_INFO).and_then(|info| info.into_string().ok()) else {
        return Ok(EXEC_VERSION.to_owned());
    };
    let info: Value = serde_json::from_str(&info).unwrap_or_default();
    let version = info
        .get("apiVersion")
        .and_then(Value::as_str)
        .unwrap_or(EXEC_VERSION);
    match version {
        "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1" => Ok(version.to_owned()),
        other => Err(Failure::failed(format!(
            "kubectl asks for {}, which is not known here: write apiVersion: {EXEC_VERSION} in the kubeconfig",
            output::visible(other)
        ))),
    }
}

fn question() -> Outcome<String> {
    let mut text = String::new();
    io::stdin().lock().take(MAX_QUESTION).read_to_string(&mut text)?;
    Ok(text)
}
