//! A server with its certificates, its database and its clients, in a folder of its own.

use super::ask::claims;
use super::{Answer, Ask, Https, Process, eventually, signal};
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, Secret};
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore as _, Domain, DomainStore as _, Insertion,
    Pepper, RegistrationError, Replacement, SecretSet,
};
use sealstone_storage::SqlStore;
use sealstone_testkit::{TestCa, TestCertificate, TestCrl, unix_time};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// Where the demonstration domain's endpoints are.
pub(crate) const ISSUER: &str = "/v4/oauth2/demo";
pub(crate) const TOKEN: &str = "/v4/oauth2/demo/token";
pub(crate) const INTROSPECT: &str = "/v4/oauth2/demo/introspect";
pub(crate) const REVOKE: &str = "/v4/oauth2/demo/revoke";
/// A request that succeeds for every client here.
pub(crate) const GRANT: &str = "grant_type=client_credentials";

const PEPPER: &str = "5b1d0c7f6a2e94833f50c1d2e3f4a5968778695a4b3c2d1e0f00112233445566";
const KEK: &str = "c0ffee00112233445566778899aabbccddeeff0123456789abcdef9876543210";

/// The time by the server's own clock.
pub(crate) fn now() -> UnixTime {
    SystemClock.now()
}

/// So many seconds from now.
pub(crate) fn in_seconds(seconds: i64) -> UnixTime {
    unix_time(now().as_secs().checked_add_signed(seconds).unwrap())
}

/// The secret of a client, known to the tests.
pub(crate) fn secret(client: &str) -> String {
    let mut random = [0x5a; 32];
    for (to, from) in random.iter_mut().zip(client.bytes()) {
        *to = from;
    }
    ClientSecretText::from_random(random).expose().to_owned()
}

/// How a refusal looks from outside, and the rule that the audit trail gives for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) rule: &'static str,
}

impl Refusal {
    pub(crate) const fn new(status: u16, error: &'static str, rule: &'static str) -> Self {
        Self { status, error, rule }
    }

    /// 401 `invalid_client`.
    pub(crate) const fn client(rule: &'static str) -> Self {
        Self::new(401, "invalid_client", rule)
    }
}

/// What a server is started with.
pub(crate) struct Setup {
    folder: TempDir,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// Signs the server's certificate.
    pub(crate) server_ca: TestCa,
    /// Signs the clients' certificates, unless others are trusted.
    pub(crate) ca: TestCa,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let mut this = Self {
            folder: tempfile::tempdir().unwrap(),
            sections: BTreeMap::new(),
            server_ca: TestCa::new("Servers"),
            ca: TestCa::new("Clients"),
        };
        let server = this.server_ca.server();
        this.write("server.pem", server.chain_pem());
        this.write_private("server.key", server.key_pem());
        this.write("clients.pem", this.ca.pem());
        this.write_private("pepper", PEPPER);
        this.write_private("kek", KEK);
        for (section, key, value) in [
            ("server", "base_url", "'https://id.example.test'"),
            ("server", "mtls_base_url", "'https://mtls.id.example.test'"),
            ("server", "listen", "'127.0.0.1:0'"),
            ("server", "mtls_listen", "'127.0.0.1:0'"),
            ("server", "admin_listen", "'127.0.0.1:0'"),
            ("tls", "certificate_file", "'server.pem'"),
            ("tls", "key_file", "'server.key'"),
            ("tls", "client_ca_files", "['clients.pem']"),
            ("storage", "path", "'sealstone.db'"),
            ("secrets", "pepper_file", "'pepper'"),
            ("secrets", "key_encryption_key_file", "'kek'"),
            ("limits", "insecure_unlimited_networks", "['127.0.0.0/8']"),
            ("log", "level", "'debug'"),
            ("log", "format", "'json'"),
        ] {
            this.set(section, key, value);
        }
        this
    }

    /// Sets a key to a value as TOML has it.
    pub(crate) fn set(&mut self, section: &str, key: &str, value: &str) {
        let section = self.sections.entry(section.to_owned()).or_default();
        section.insert(key.to_owned(), value.to_owned());
    }

    pub(crate) fn unset(&mut self, section: &str, key: &str) {
        self.sections.get_mut(section).unwrap().remove(key).unwrap();
    }

    pub(crate) fn remove_section(&mut self, section: &str) {
        self.sections.remove(section).unwrap();
    }

    /// The authorities of clients.
    pub(crate) fn trust(&self, authorities: &[&TestCa]) {
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        self.write("clients.pem", pem);
    }

    /// Revocation lists, whose configuration is thereby switched on.
    pub(crate) fn revocation_lists(&mut self, lists: &[&TestCrl]) {
        let pem: String = lists.iter().map(|list| list.pem()).collect();
        self.write("clients.crl", pem);
        self.set("tls", "crl_files", "['clients.crl']");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        replace(&self.path(name), text.as_ref(), 0o644);
    }

    pub(crate) fn write_private(&self, name: &str, text: impl AsRef<[u8]>) {
        replace(&self.path(name), text.as_ref(), 0o600);
    }

    pub(crate) fn toml(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.sections {
            text.push_str(&format!("[{section}]\n"));
            for (key, value) in keys {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
    }

    /// Writes the configuration, and says where it is.
    pub(crate) fn write_config(&self) -> PathBuf {
        self.write("sealstoned.toml", self.toml());
        self.path("sealstoned.toml")
    }
}

/// Puts a file in place in one step, as a good renewal does.
fn replace(path: &Path, text: &[u8], mode: u32) {
    let aside = path.with_extension("new");
    fs::write(&aside, text).unwrap();
    fs::set_permissions(&aside, Permissions::from_mode(mode)).unwrap();
    fs::rename(&aside, path).unwrap();
}

/// A running server.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) process: Process,
    /// The listener that asks nobody for a certificate.
    pub(crate) public: SocketAddr,
    /// The listener that asks for one.
    pub(crate) mtls: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) store: SqlStore,
    requests: AtomicU64,
    /// What must turn up nowhere: secrets and tokens.
    confidential: Mutex<Vec<String>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server that is set up otherwise.
    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::new();
        change(&mut setup);
        let store = SqlStore::open(&setup.path("sealstone.db")).await.unwrap();
        let domain = Domain::new(DomainId::parse("demo").unwrap(), "Demo", true).unwrap();
        assert_eq!(store.insert_domain(domain).await.unwrap(), Insertion::Inserted);
        let (process, [public, mtls, admin]) = serve(&setup).await;
        Self {
            setup,
            process,
            public,
            mtls,
            admin,
            store,
            requests: AtomicU64::new(0),
            confidential: Mutex::new(vec![PEPPER.to_owned(), KEK.to_owned()]),
        }
    }

    /// Starts the program again on the same folder, however it ended.
    pub(crate) async fn start_again(&mut self) {
        let (process, [public, mtls, admin]) = serve(&self.setup).await;
        self.process = process;
        (self.public, self.mtls, self.admin) = (public, mtls, admin);
    }

    /// Ends the server in order, and looks for secrets where none may be.
    pub(crate) async fn end(mut self) {
        self.process.stop().await;
        self.store.close().await;
        self.nothing_leaked();
    }

    /// No secret, no token and no private key in the log, the audit trail or the database.
    pub(crate) fn nothing_leaked(&self) {
        let places = ["audit.jsonl", "sealstone.db", "sealstone.db-wal"];
        let mut places: Vec<Vec<u8>> = places
            .iter()
            .map(|name| fs::read(self.setup.path(name)).unwrap_or_default())
            .collect();
        places.push(self.process.log().into_bytes());
        places.push(self.process.output().into_bytes());
        let known = self.confidential.lock().unwrap();
        known
            .iter()
            .for_each(|secret| sealstone_testkit::keep_secret(secret));
        let trail = fs::read_to_string(self.setup.path("audit.jsonl")).unwrap_or_default();
        sealstone_testkit::written_down("the audit trail", &trail);
        sealstone_testkit::written_down("sealstoned", &self.process.log());
        let words = known.iter().map(String::as_str).chain(["PRIVATE KEY"]);
        for word in words {
            for place in &places {
                let found = place.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!found, "{word} was written down");
            }
        }
    }

    /// A client without certificate.
    pub(crate) fn https(&self) -> Https {
        Https::trusting(&self.setup.server_ca.certificate_der())
    }

    /// A client with this certificate and its chain.
    pub(crate) fn holder(&self, certificate: &TestCertificate) -> Https {
        self.https().presenting(certificate)
    }

    /// Registers a client; one with a secret gets [`secret`].
    pub(crate) async fn register(&self, id: &str, registration: Value) -> Client {
        self.try_register(id, registration).await.unwrap()
    }

    pub(crate) async fn try_register(
        &self,
        id: &str,
        registration: Value,
    ) -> Result<Client, RegistrationError> {
        let registration = ClientRegistration::from_json(registration.to_string().as_bytes())?;
        let pepper = Pepper::from_hex(PEPPER).unwrap();
        let secrets = registration
            .needs_secret()?
            .then(|| SecretSet::new(pepper.hash(&Secret::from(secret(id))), None));
        let domain = DomainId::parse("demo").unwrap();
        let client = registration.into_client(domain, ClientId::parse(id).unwrap(), secrets, now())?;
        self.confidential.lock().unwrap().push(secret(id));
        let stored = self.store.insert(client.clone()).await.unwrap();
        assert_eq!(stored, Insertion::Inserted);
        Ok(client)
    }

    /// Registers a client that authenticates by certificate, known by this member.
    pub(crate) async fn register_tls(&self, id: &str, member: &str, value: &str) {
        let registration = json!({"token_endpoint_auth_method": "tls_client_auth", member: value});
        self.register(id, registration).await;
    }

    /// Registers a client that authenticates by a key, or by one certificate of it.
    pub(crate) async fn register_self_signed(&self, id: &str, key: Value) {
        let registration = json!({
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "jwks": {"keys": [key]},
        });
        self.register(id, registration).await;
    }

    /// Changes a client, as an administrator in another process does.
    pub(crate) async fn change(&self, id: &str, change: impl FnOnce(&Client) -> Client) {
        let id = ClientId::parse(id).unwrap();
        let client = self.store.client(&id).await.unwrap().unwrap();
        let changed = change(&client);
        let outcome = sealstone_registry::ClientStore::replace(&self.store, client.version(), changed).await;
        assert_eq!(outcome.unwrap(), Replacement::Replaced);
    }

    pub(crate) async fn disable(&self, id: &str) {
        self.change(id, |client| client.with_enabled(false, now())).await;
    }

    /// A token request of a client that shows nothing but its certificate.
    pub(crate) fn token_ask(&self, client: &str) -> Ask {
        self.numbered(Ask::post(TOKEN).form(format!("{GRANT}&client_id={client}")))
    }

    /// The request with an id by which its audit record is found.
    pub(crate) fn numbered(&self, ask: Ask) -> Ask {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        ask.header("x-request-id", format!("test-{number}"))
    }

    /// The client gets a token, and it is bound to this certificate.
    pub(crate) async fn accepts(&self, client: &str, certificate: &TestCertificate) -> String {
        let answer = self
            .holder(certificate)
            .send(self.mtls, self.token_ask(client))
            .await;
        let token = answer.token();
        assert_eq!(claims(&token)["cnf"]["x5t#S256"], certificate.thumbprint());
        assert_eq!(claims(&token)["client_id"], client);
        self.confidential.lock().unwrap().push(token.clone());
        token
    }

    /// The client is refused at the mutual-TLS listener.
    pub(crate) async fn refuses(&self, https: &Https, client: &str, want: Refusal) {
        self.refuses_ask(https, self.mtls, self.token_ask(client), client, want)
            .await;
    }

    /// Refused; nothing is issued, and the audit trail has one record of it.
    pub(crate) async fn refuses_ask(
        &self,
        https: &Https,
        to: SocketAddr,
        ask: Ask,
        client: &str,
        want: Refusal,
    ) {
        let issued = self.issued();
        let ask = if ask.has_header("x-request-id") {
            ask
        } else {
            self.numbered(ask)
        };
        let answer = https.send(to, ask).await;
        self.is_refusal(&answer, client, want);
        assert_eq!(self.issued(), issued, "something was issued");
    }

    /// The answer is this refusal, and the audit trail has one record of it.
    pub(crate) fn is_refusal(&self, answer: &Answer, client: &str, want: Refusal) {
        answer.is_refused(want.status, want.error);
        let records = self.records(answer);
        assert_eq!(records.len(), 1, "{records:?}");
        let record = &records[0];
        assert_eq!(record["outcome"], "failure", "{record}");
        assert!(is_rule(record, want.rule), "{record}");
        assert_eq!(
            record["reason"]["reasonCode"],
            want.status.to_string(),
            "{record}"
        );
        assert_eq!(record["initiator"]["id"], client, "{record}");
    }

    /// The audit trail, without what the node says of itself.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.setup.path("audit.jsonl")).unwrap();
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let mut events: Vec<Value> = text.lines().map(parse).collect();
        events.retain(|event| event["initiator"]["request_id"] != "node");
        events
    }

    /// The audit records of one request.
    pub(crate) fn records(&self, answer: &Answer) -> Vec<Value> {
        let id = answer.header("x-request-id").unwrap();
        let mut records = self.audit();
        records.retain(|record| record["initiator"]["request_id"] == id);
        records
    }

    /// Tokens issued so far, as the audit trail has it.
    pub(crate) fn issued(&self) -> usize {
        let issued =
            |record: &&Value| record["action"] == "authenticate/token" && record["outcome"] == "success";
        self.audit().iter().filter(issued).count()
    }

    /// SIGHUP, and whether what lies there now is in use.
    pub(crate) async fn reload(&self) -> bool {
        let from = self.process.log_length();
        signal(self.process.id(), "HUP");
        self.reloaded_from(from).await
    }

    /// The same after the configuration is written as it is set.
    pub(crate) async fn reload_written(&self) -> bool {
        self.setup.write_config();
        self.reload().await
    }

    /// What the admin listener answers.
    pub(crate) async fn plain(&self, path: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// The outcome of the first reload that is logged from this line on.
    pub(crate) async fn reloaded_from(&self, line: usize) -> bool {
        let outcome = |line: &str| {
            let done = line.contains("revocation lists reloaded");
            (done || line.contains("reload refused")).then_some(done)
        };
        self.process.logged_from(line, outcome).await
    }

    /// Waits until the client is refused for this rule: a change is in force within a second.
    pub(crate) async fn comes_to_refuse(&self, https: &Https, client: &str, rule: &str) {
        eventually(rule, || async {
            let answer = https.send(self.mtls, self.token_ask(client)).await;
            answer.status == 401 && is_rule(&self.records(&answer)[0], rule)
        })
        .await;
    }
}

/// Whether this rule decided; what more the record says of it counts only if it is asked for.
pub(crate) fn is_rule(record: &Value, rule: &str) -> bool {
    let policy = record["reason"]["policyId"].as_str().unwrap_or_default();
    policy == rule || policy.split_once('/').is_some_and(|(found, _)| found == rule)
}

/// Starts the program and reads from its log where it listens.
async fn serve(setup: &Setup) -> (Process, [SocketAddr; 3]) {
    let config = setup.write_config();
    let process = Process::start(&["serve", "--config", config.to_str().unwrap()]);
    let line: Value = process
        .logged(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "serving").then_some(line)
        })
        .await;
    let at = |name: &str| line[name].as_str().map(|address| address.parse().unwrap());
    // Port 0 stands for a listener that is off.
    let admin = at("admin").unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    (process, [at("public").unwrap(), at("mutual_tls").unwrap(), admin])
}
