//! An OpenStack service in miniature: a paste pipeline of real middleware behind TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealstone_testkit::TestCertificate;
use tempfile::TempDir;

use crate::process::Running;
use crate::service::private;

/// How the filters get the client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateIn {
    /// As a front hands it over: `SSL_CLIENT_CERT`.
    Environ,
    /// As a server with TLS of its own does: `wsgi.input.get_socket()`.
    Socket,
    /// Not at all.
    Nowhere,
}

/// What a [`WsgiService`] is made of.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each test says all of it")]
pub struct WsgiSetup<'a> {
    /// The text of its `api-paste.ini`. The application is [`WsgiService::APPLICATION`].
    pub paste: &'a str,
    /// The text of its `oslo.config` file, if it has one.
    pub config: Option<&'a str>,
    /// Its certificate.
    pub certificate: &'a TestCertificate,
    /// The authorities of its clients' certificates, in PEM.
    pub client_ca: &'a str,
    /// How its filters get the client's certificate.
    pub certificate_in: CertificateIn,
    /// Where Python looks for filters besides what is installed.
    pub python_path: &'a [&'a Path],
}

/// A running service. It ends when this is dropped.
#[derive(Debug)]
pub struct WsgiService {
    running: Running,
    url: String,
    _folder: TempDir,
}

impl WsgiService {
    /// `paste.app_factory` of the application that answers with what it was told about its caller:
    /// `{"path": …, "environ": {"HTTP_X_…": …}}`.
    pub const APPLICATION: &'static str = "wsgi_service:application";

    /// Starts one and waits until it serves.
    #[must_use]
    pub fn start(setup: &WsgiSetup<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("a file");
            private(&path);
            path
        };
        let mut command = Command::new(python());
        command
            .arg(clients().join("wsgi_service.py"))
            .arg("--paste")
            .arg(write("api-paste.ini", setup.paste))
            .arg("--cert")
            .arg(write("service.pem", &setup.certificate.chain_pem()))
            .arg("--key")
            .arg(write("service.key", &setup.certificate.key_pem()))
            .arg("--client-ca")
            .arg(write("client-ca.pem", setup.client_ca))
            .arg("--certificate")
            .arg(match setup.certificate_in {
                CertificateIn::Environ => "environ",
                CertificateIn::Socket => "socket",
                CertificateIn::Nowhere => "none",
            });
        if let Some(config) = setup.config {
            command.arg("--config-file").arg(write("service.conf", config));
        }
        let search = std::env::join_paths(setup.python_path).expect("paths without a colon");
        command
            .env("PYTHONPATH", search)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        // A certificate bundle named by the environment would win over the configured CA.
        command
            .env_remove("REQUESTS_CA_BUNDLE")
            .env_remove("CURL_CA_BUNDLE");
        let running = Running::start(command, |said| address(said).is_some());
        let url = address(&running.said()).expect("where it serves");
        Self {
            running,
            url,
            _folder: folder,
        }
    }

    /// Where it answers, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it wrote on standard output and standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.running.said()
    }
}

fn address(said: &str) -> Option<String> {
    let mut lines = said.lines().filter_map(|line| line.strip_prefix("serving "));
    lines.next().map(str::to_owned)
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// The Python of the clients.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop-python/bin/python");
    assert!(python.exists(), "the clients come by: cargo xtask setup");
    python
}
