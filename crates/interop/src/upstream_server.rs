//! node oidc-provider as the provider upstream of a broker.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use sealstone_testkit::{CertificateSpec, TestCa};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, free_ports};
use crate::service::private;
use crate::{Browser, Https, Page, Step};

/// A path that nobody asks for but [`UpstreamServer::asked_as`].
const MARK: &str = "/so-far";
/// A person that the provider knows. Any password is right.
const ADA: &str = "ada";

/// What the provider is registered with and how it signs.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a test names what it changes")]
pub struct UpstreamSetup<'a> {
    /// Where browsers may be sent back to.
    pub redirect_uri: &'a str,
    /// `client_secret_basic`, `client_secret_post` or `none`.
    pub auth: &'a str,
    /// `RS256` or `ES256`.
    pub algorithm: &'a str,
}

impl<'a> UpstreamSetup<'a> {
    /// A client with a secret, and RS256.
    #[must_use]
    pub const fn new(redirect_uri: &'a str) -> Self {
        Self {
            redirect_uri,
            auth: "client_secret_basic",
            algorithm: "RS256",
        }
    }
}

/// A running provider: browsers find it as `localhost`, whoever asks behind their back as `127.0.0.1`.
#[derive(Debug)]
pub struct UpstreamServer {
    running: Running,
    folder: TempDir,
    port: u16,
    ca: String,
}

impl UpstreamServer {
    /// The client id that is registered.
    pub const CLIENT_ID: &'static str = "sealstone";
    /// Its secret.
    pub const CLIENT_SECRET: &'static str = "upstream-secret-of-the-interop-tests";

    /// Starts it with the people `ada` (groups `staff`, `cloud-admins`) and `mallory`, whom privacyIDEA's lab
    /// does not know, and those whom it knows: `alice` to `grace`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(setup: &UpstreamSetup<'_>) -> Self {
        let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/node");
        assert!(
            client.join("node_modules").exists(),
            "the provider comes by: cargo xtask setup"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca = TestCa::new("Upstream");
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let certificate = ca.issue(CertificateSpec::server().san_dns("localhost").san_ip(loopback));
        let path = |name: &str| folder.path().join(name);
        fs::write(path("ca.pem"), ca.pem()).expect("a file");
        fs::write(path("server.pem"), certificate.chain_pem()).expect("a file");
        fs::write(path("server.key"), certificate.key_pem()).expect("a file");
        private(&path("server.key"));
        let [port] = free_ports();
        let secret = (setup.auth != "none").then_some(Self::CLIENT_SECRET);
        let parameters = json!({
            "issuer": format!("https://localhost:{port}"),
            "port": port,
            "cert": path("server.pem"),
            "key": path("server.key"),
            "client_id": Self::CLIENT_ID,
            "client_secret": secret,
            "redirect_uris": [setup.redirect_uri],
            "auth": setup.auth,
            "alg": setup.algorithm,
            "people": people(),
        });
        let mut command = Command::new("node");
        command
            .arg(client.join("oidc-provider.mjs"))
            .arg(parameters.to_string());
        let running = Running::start(command, |said| said.lines().any(|line| line == "ready"));
        Self {
            running,
            ca: ca.pem(),
            folder,
            port,
        }
    }

    /// Its issuer, which is where browsers find it: `https://localhost:port`.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Where we find it: `https://127.0.0.1:port`.
    #[must_use]
    pub fn back_channel(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The authority that vouches for it, as PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The same in a file.
    #[must_use]
    pub fn ca_path(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Which paths were asked under this name so far: `localhost` or `127.0.0.1`.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn asked_as(&self, host: &str) -> Vec<String> {
        // It tells of each request in order: once it tells of this one, it has told of those before.
        let (https, url) = (Https::trusting(&self.ca), format!("{}{MARK}", self.issuer()));
        let marks = || self.running.said().matches(MARK).count();
        let before = marks();
        let is_told = |_attempt| {
            let _not_found = https.get(&url, &[]).expect("an answer");
            marks() > before
        };
        assert!((0..5_000).any(is_told), "the provider does not tell of requests");
        let start = format!("{host}:{} ", self.port);
        let said = self.running.said();
        let lines = said.lines().filter_map(|line| line.strip_prefix(&start));
        let lines = lines.filter(|line| !line.ends_with(MARK));
        lines.map(str::to_owned).collect()
    }

    /// A person's claims, as userinfo has them.
    ///
    /// # Panics
    /// For nobody that it knows.
    #[must_use]
    pub fn claims(name: &str) -> Value {
        let people = people();
        let mut all = people.as_array().into_iter().flatten();
        let found = all.find(|person| person.get("login").is_some_and(|found| found == name));
        found.expect("a person").clone()
    }

    /// Goes to `url`, signs in as `name` where it is asked to, and tells where the browser is sent back to.
    #[must_use]
    pub fn sign_in(&self, browser: &mut Browser, url: &str, name: &str) -> String {
        match browser.open(url) {
            Step::Left(back) => back,
            Step::Page(page) => Self::submit(browser, &page, name),
        }
    }

    fn submit(browser: &mut Browser, page: &Page, name: &str) -> String {
        browser
            .submit(page, &[("login", name), ("password", "any")])
            .left()
    }

    /// The person whose groups are worth mapping.
    #[must_use]
    pub const fn ada() -> &'static str {
        ADA
    }
}

fn people() -> Value {
    json!([
        {
            "login": ADA, "name": "Ada Lovelace", "preferred_username": ADA, "email": "ada@example.org", "email_verified": true,
            "groups": ["staff", "cloud-admins"],
        },
        {"login": "bob", "preferred_username": "bob", "email": "bob@example.org", "groups": []},
        {"login": "alice", "preferred_username": "alice"},
        {"login": "carol", "preferred_username": "carol", "name": "Carol Example", "email": "carol@example.org", "groups": ["staff"]},
        {"login": "dave", "preferred_username": "dave", "name": "Dave Example", "email": "dave@example.org", "groups": ["staff"]},
        {"login": "frank", "preferred_username": "frank", "name": "Frank Example", "email": "frank@example.org", "groups": ["staff"]},
        {"login": "grace", "preferred_username": "grace", "name": "Grace Example", "email": "grace@example.org", "groups": ["staff"]},
        {"login": "erin", "preferred_username": "erin"},
        {"login": "mallory", "preferred_username": "mallory"},
    ])
}
