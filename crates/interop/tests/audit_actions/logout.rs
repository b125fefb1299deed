//! A client on a name of its own, which is told that a person signed out.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use sealstone_interop::{Browser, ServeServer, ServeSetup, free_ports};
use sealstone_testkit::{CertificateSpec, escaped};

use crate::person::{CHALLENGE, VERIFIER};

const NAME: &str = "app.example.org";
const CALLBACK: &str = "https://app.example.org/callback";
const PASSWORD: &str = "a long enough passphrase";
/// It is told at once: a slow machine takes its time.
const SOON: Duration = Duration::from_secs(30);

/// Answers 200, and says whether it was a logout token.
const RECEIVER: &str = r#"
import http.server, ssl, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        print(self.path, body.startswith(b"logout_token=eyJ"), flush=True)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"#;

/// Ended with this.
struct Receiver(Child, Box<dyn Iterator<Item = String>>);

impl Receiver {
    fn start(setup: &ServeSetup, port: u16) -> Self {
        let own = setup.ca().issue(CertificateSpec::server().san_dns(NAME));
        setup.write("app.pem", &own.chain_pem());
        setup.write_private("app.key", &own.key_pem());
        let mut child = Command::new("python3")
            .args(["-c", RECEIVER, &port.to_string()])
            .args([setup.path("app.pem"), setup.path("app.key")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut this = Self(child, Box::new(lines.map_while(Result::ok)));
        assert_eq!(this.hears(), "ready");
        this
    }

    fn hears(&mut self) -> String {
        self.1.next().unwrap_or_default()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// A person signs in and out; the server that told the client. `None` where its name can't be given an address.
pub(crate) fn is_told() -> Option<ServeServer> {
    let mut setup = ServeSetup::new();
    if !setup.set_hosts(&format!("127.0.0.1 localhost {NAME}\n")) {
        println!("left out: only root may put another /etc/hosts in place");
        return None;
    }
    let [port, clients_port] = free_ports();
    setup.set("server", "base_url", &format!("'https://localhost:{port}'"));
    setup.set("server", "listen", &format!("'127.0.0.1:{port}'"));
    setup.set("people", "source", "'directory'");
    setup.set("logout", "ca_file", "'ca.pem'");
    setup.set("logout", "insecure_networks", "['127.0.0.0/8']");
    let uri = format!("https://{NAME}:{clients_port}/signed-out");
    let of_people = ["--public", "--scope", "openid", "--redirect-uri", CALLBACK];
    let _made = setup.register(
        "app",
        &[&of_people[..], &["--backchannel-logout-uri", &uri]].concat(),
    );
    setup.write_private("password", PASSWORD);
    let password = setup.path("password");
    let user = [
        "user",
        "create",
        "ada",
        "--domain",
        "demo",
        "--password-file",
        password.to_str().unwrap(),
    ];
    let made = setup.sealstone(&user);
    assert!(made.status.success(), "{made:?}");
    let mut receiver = Receiver::start(&setup, clients_port);
    let server = setup.start();
    server.wait_for_issuer();
    signs_in_and_out(&server);
    assert_eq!(receiver.hears(), "/signed-out True");
    // It is recorded once the client has answered.
    let trail = server.setup().path("audit.jsonl");
    let begun = Instant::now();
    while !fs::read_to_string(&trail).unwrap().contains("notify/logout") {
        assert!(begun.elapsed() < SOON, "{}", server.said());
        thread::yield_now();
    }
    Some(server)
}

fn signs_in_and_out(server: &ServeServer) {
    let mut browser = Browser::new(server.https());
    let query = format!(
        "client_id=app&response_type=code&redirect_uri={}&scope=openid&code_challenge={CHALLENGE}\
         &code_challenge_method=S256&nonce=n1",
        escaped(CALLBACK),
    );
    let page = browser
        .open(&server.public_url(&format!("/authorize?{query}")))
        .page();
    let page = browser
        .submit(&page, &[("user_name", "ada"), ("password", PASSWORD)])
        .page();
    let left = browser.press(&page, "allow", &[]).left();
    let code = left.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let given = server
        .https()
        .post(&server.public_url("/token"), &[], &form)
        .unwrap();
    assert_eq!(given.status, 200, "{}", given.text());
    let account = browser.open(&server.public_url("/account")).page();
    let _gone = browser.press(&account, "logout", &[]);
}
