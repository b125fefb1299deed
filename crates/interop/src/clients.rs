//! Programs that others wrote, each driven with one client's credentials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealstone_testkit::TestCertificate;
use serde_json::{Value, json};

use crate::service::private;
use crate::{DevClient, DevServer};

/// A client program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// openid-client 6 on Node.js.
    OpenidClient,
    /// oauth4webapi 3 on Node.js.
    Oauth4webapi,
    /// Authlib on Python.
    Authlib,
}

impl Program {
    fn command(self) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        match self {
            Self::OpenidClient | Self::Oauth4webapi => {
                let script = if self == Self::OpenidClient {
                    "openid-client.mjs"
                } else {
                    "oauth4webapi.mjs"
                };
                assert!(
                    folder.join("node/node_modules").exists(),
                    "the clients come by: cargo xtask setup"
                );
                let mut command = Command::new("node");
                command.arg(folder.join("node").join(script));
                command
            }
            Self::Authlib => {
                let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
                let python = root.join("target/interop-python/bin/python");
                assert!(python.exists(), "the clients come by: cargo xtask setup");
                let mut command = Command::new(python);
                command.arg(folder.join("python/authlib_client.py"));
                command
            }
        }
    }
}

/// A client's credentials, as registered or changed by the test, and what it shall do.
#[derive(Clone, Debug)]
pub struct Client<'a> {
    server: &'a DevServer,
    registered: DevClient,
    extra: serde_json::Map<String, Value>,
}

/// What a program reported.
#[derive(Clone, Debug)]
pub struct Run(Value);

impl Run {
    /// The member at a JSON pointer.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The access token it got.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.at("/token/access_token")
            .and_then(Value::as_str)
            .unwrap_or_else(|| self.fail("no token"))
    }

    /// The OAuth error code it met; empty if it met none. Any other failure ends the test.
    #[must_use]
    pub fn error(&self) -> &str {
        match (self.at("/error"), self.at("/error/oauth").and_then(Value::as_str)) {
            (None, _) => "",
            (Some(_), Some(code)) => code,
            (Some(_), None) => self.fail("no OAuth error"),
        }
    }

    /// The status with which the protected service answered.
    #[must_use]
    pub fn resource_status(&self) -> u64 {
        self.at("/resource/status")
            .and_then(Value::as_u64)
            .unwrap_or_else(|| self.fail("no answer"))
    }

    #[expect(clippy::panic, reason = "the test has failed; this says what came instead")]
    fn fail(&self, what: &str) -> ! {
        panic!("{what}: {}", self.0)
    }
}

impl<'a> Client<'a> {
    pub(crate) fn new(server: &'a DevServer, registered: DevClient) -> Self {
        Self {
            server,
            registered,
            extra: serde_json::Map::new(),
        }
    }

    /// What `dev.json` says of it, with the test's changes.
    #[must_use]
    pub const fn registered(&self) -> &DevClient {
        &self.registered
    }

    /// The same without a certificate.
    #[must_use]
    pub fn without_certificate(mut self) -> Self {
        self.registered.cert = None;
        self.registered.key = None;
        self
    }

    /// The same with another certificate.
    #[must_use]
    pub fn with_certificate(mut self, certificate: &TestCertificate) -> Self {
        let (cert, key) = self.written(certificate);
        self.registered.cert = Some(cert);
        self.registered.key = Some(key);
        self
    }

    /// The same with another secret.
    #[must_use]
    pub fn with_secret(mut self, secret: &str) -> Self {
        self.registered.client_secret = Some(secret.to_owned());
        self
    }

    /// The same with another parameter of the run: `resource_url`, `access_token`, `introspect`, `revoke`, …
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.extra
            .insert(name.to_owned(), Value::String(value.to_owned()));
        self
    }

    /// Runs `program` with these credentials.
    #[must_use]
    pub fn run(&self, program: Program) -> Run {
        let client = &self.registered;
        let Value::Object(mut parameters) = json!({
            "issuer": self.server.issuer(),
            "ca": self.server.ca_path(),
            "client_id": client.client_id,
            "auth": client.auth,
            "cert": client.cert,
            "key": client.key,
            "client_secret": client.client_secret,
            "scope": client.scope,
        }) else {
            return Run(Value::Null);
        };
        parameters.extend(self.extra.clone());
        let parameters = Value::Object(parameters);
        let output = program
            .command()
            .arg(parameters.to_string())
            .output()
            .expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let run = text
            .lines()
            .last()
            .and_then(|line| serde_json::from_str(line).ok());
        Run(run.unwrap_or_else(
            || json!({"error": {"program": String::from_utf8_lossy(&output.stderr), "said": text}}),
        ))
    }

    /// `curl` at `url` with this client's certificate, if it has one, and more arguments. Returns the status (0 when
    /// there is no answer), the headers and the body.
    #[must_use]
    pub fn curl(&self, url: &str, arguments: &[&str]) -> (u16, String, String) {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--include",
            "--max-time",
            "30",
            "--cacert",
        ]);
        command.arg(self.server.ca_path());
        if let (Some(cert), Some(key)) = (&self.registered.cert, &self.registered.key) {
            command.arg("--cert").arg(cert).arg("--key").arg(key);
        }
        let output = command.args(arguments).arg(url).output().expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    fn written(&self, certificate: &TestCertificate) -> (PathBuf, PathBuf) {
        let name = certificate.thumbprint();
        let (cert, key) = (
            self.server.scratch(&format!("{name}.pem")),
            self.server.scratch(&format!("{name}.key")),
        );
        fs::write(&cert, certificate.chain_pem()).expect("a file");
        fs::write(&key, certificate.key_pem()).expect("a file");
        private(&key);
        (cert, key)
    }
}
