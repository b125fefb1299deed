//! Traces of a whole server: a login by password, a login at a real Keystone, a signature by an HSM. What it sends is read by
//! OpenTelemetry's own schema.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use sealstone_interop::{Browser, DevServer, KeystoneLab, Page, ServeServer, ServeSetup, Step, free_ports};
use sealstone_testkit::{SoftHsm, escaped};
use serde_json::Value;

/// Longer than a batch waits, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const CALLBACK: &str = "http://127.0.0.1:53112/callback";
/// RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const HSM_FOLDER: &str = "SEALSTONE_TEST_HSM_FOLDER";

/// Takes whatever is sent, and keeps it.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut octets, mut some) = (Vec::new(), [0; 16 * 1024]);
                let body = loop {
                    let count = stream.read(&mut some).unwrap();
                    assert_ne!(count, 0, "cut off");
                    octets.extend_from_slice(some.get(..count).unwrap());
                    let text = String::from_utf8_lossy(&octets).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    let head = head.to_ascii_lowercase();
                    let length = head.split("content-length: ").nth(1).unwrap();
                    if length.lines().next().unwrap() == body.len().to_string() {
                        break body.to_owned();
                    }
                };
                kept.lock().unwrap().push(body);
                let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, bodies }
    }

    fn text(&self) -> String {
        self.bodies.lock().unwrap().concat()
    }

    fn spans(&self) -> Vec<Value> {
        let bodies = self.bodies.lock().unwrap().clone();
        let all = bodies.iter().flat_map(|body| {
            let export: Value = serde_json::from_str(body).unwrap();
            export["resourceSpans"][0]["scopeSpans"][0]["spans"]
                .as_array()
                .unwrap()
                .clone()
        });
        all.collect()
    }

    /// The spans of the first trace in which there is such a span, and the request around it.
    fn trace_with(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let spans = self.spans();
            let of = |id: &Value| -> Vec<Value> {
                let own = spans.iter().filter(|span| span["traceId"] == *id);
                own.cloned().collect()
            };
            let mut traces = spans
                .iter()
                .filter(|span| is_it(span))
                .map(|span| of(&span["traceId"]));
            if let Some(trace) = traces.find(|trace| trace.iter().any(|span| span["kind"] == 2)) {
                return trace;
            }
            assert!(begun.elapsed() < PATIENCE, "no trace with {what}: {spans:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Every body is an `ExportTraceServiceRequest`, without a member that the schema does not have.
    fn is_right(&self) {
        let script = "import sys, json, base64\n\
            from google.protobuf import json_format\n\
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest\n\
            def octets(span):\n    \
                for name in ('traceId', 'spanId', 'parentSpanId'):\n        \
                    if name in span:\n            \
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()\n\
            for line in sys.stdin:\n    \
                body = json.loads(line)\n    \
                for resource in body['resourceSpans']:\n        \
                    for scope in resource['scopeSpans']:\n            \
                        for span in scope['spans']:\n                \
                            octets(span)\n    \
                read = json_format.ParseDict(body, ExportTraceServiceRequest(), ignore_unknown_fields=False)\n    \
                for span in read.resource_spans[0].scope_spans[0].spans:\n        \
                    assert len(span.trace_id) == 16 and len(span.span_id) == 8, span\n        \
                    assert span.start_time_unix_nano <= span.end_time_unix_nano, span\n    \
                names = [one.key for one in read.resource_spans[0].resource.attributes]\n    \
                assert names == ['service.name', 'service.version', 'service.instance.id'], names\n\
            print('read')";
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop-python/bin/python");
        let mut child = Command::new(python)
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let bodies = self.bodies.lock().unwrap().join("\n");
        child.stdin.take().unwrap().write_all(bodies.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && output.stdout == b"read\n", "{said}");
    }
}

fn names(trace: &[Value]) -> BTreeSet<&str> {
    trace.iter().map(|span| span["name"].as_str().unwrap()).collect()
}

fn says<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let mut attributes = span["attributes"].as_array()?.iter();
    let found = attributes.find(|attribute| attribute["key"] == key)?;
    let value = &found["value"];
    value["stringValue"]
        .as_str()
        .or_else(|| value["intValue"].as_str())
}

/// Whether one span lies within the other, however far.
fn within(trace: &[Value], inner: &Value, outer: &Value) -> bool {
    let parent = |span: &Value| trace.iter().find(|other| other["spanId"] == span["parentSpanId"]);
    let mut at = parent(inner);
    while let Some(span) = at {
        if span["spanId"] == outer["spanId"] {
            return true;
        }
        at = parent(span);
    }
    false
}

fn request(trace: &[Value]) -> &Value {
    trace.iter().find(|span| span["kind"] == 2).unwrap()
}

fn traced(setup: &mut ServeSetup, collector: &Collector) {
    setup.set("traces", "url", &format!("'{}'", collector.url));
    setup.set("traces", "sample_ratio", "1");
    setup.set("traces", "max_traces_per_s", "1000");
    // Browsers say from which page a form comes: the address is the one that they know.
    let [port] = free_ports();
    setup.set("server", "base_url", &format!("'https://localhost:{port}'"));
    setup.set("server", "listen", &format!("'127.0.0.1:{port}'"));
}

fn has(page: &Page, field: &str) -> bool {
    let mut fields = page.forms().into_iter().flat_map(|form| form.fields);
    fields.any(|(name, _value)| name == field)
}

/// Signs in with a wrong password, then with the right one, and takes a token; returns what must not have been sent.
fn signed_in(server: &ServeServer, client: &str, user: &str, password: &str) -> Vec<String> {
    let query = format!(
        "client_id={client}&response_type=code&redirect_uri={}&scope=openid&code_challenge={CHALLENGE}\
         &code_challenge_method=S256&nonce=n1&state=state-of-mine",
        escaped(CALLBACK),
    );
    let mut browser = Browser::new(server.https());
    let mut page = browser
        .open(&server.public_url(&format!("/authorize?{query}")))
        .page();
    assert!(has(&page, "password"), "{}", page.answer.text());
    let wrong = [("user_name", user), ("password", "not-the-password-1")];
    page = browser.submit(&page, &wrong).page();
    let mut step = browser.submit(&page, &[("user_name", user), ("password", password)]);
    let left = loop {
        match step {
            Step::Left(url) => break url,
            Step::Page(page) => step = browser.press(&page, "allow", &[]),
        }
    };
    let code = left.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let answer = server
        .https()
        .post(&server.public_url("/token"), &[], &form)
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let tokens = answer.json();
    let mut secrets: Vec<String> = ["access_token", "id_token"]
        .iter()
        .map(|name| tokens[name].as_str().unwrap().to_owned())
        .collect();
    secrets.extend(
        [
            "not-the-password-1",
            "state-of-mine",
            VERIFIER,
            CHALLENGE,
            password,
            code,
        ]
        .map(str::to_owned),
    );
    secrets
}

fn nothing_secret(collector: &Collector, secrets: &[String]) {
    let text = collector.text();
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{secret}");
    }
}

#[test]
fn a_login_by_password_shows_its_hash_and_its_statements() {
    let dev = DevServer::start();
    let collector = Collector::start();
    let mut setup = ServeSetup::new();
    traced(&mut setup, &collector);
    let data = dev.data();
    for (section, key, file) in [
        ("storage", "path", "sealstone.db"),
        ("secrets", "pepper_file", "secrets/pepper"),
        ("secrets", "key_encryption_key_file", "secrets/kek"),
    ] {
        setup.set(section, key, &format!("'{}'", data.join(file).display()));
    }
    let audit = setup.path("audit.jsonl");
    setup.set("audit", "path", &format!("'{}'", audit.display()));
    setup.set("people", "source", "'directory'");
    let server = setup.start();
    let user = dev.user("demo");
    let client = dev.client("cli").registered().client_id.clone();
    let secrets = signed_in(&server, &client, &user.name, &user.password);

    let hashed = |span: &Value| span["name"] == "password hash";
    let trace = collector.trace_with("a password's hash", hashed);
    let outer = request(&trace);
    assert!(
        outer["name"]
            .as_str()
            .unwrap()
            .starts_with("POST /v4/oauth2/{domain_id}/"),
        "{outer}"
    );
    let hash = trace.iter().find(|span| hashed(span)).unwrap();
    assert!(within(&trace, hash, outer), "{trace:#?}");
    assert!(names(&trace).contains("SELECT"), "{trace:#?}");
    // The code is spent in one statement's transaction, within the token request.
    let is_token = |span: &Value| says(span, "http.route") == Some("/v4/oauth2/{domain_id}/token");
    let trace = collector.trace_with("the token request", is_token);
    let change = trace
        .iter()
        .find(|span| says(span, "db.system.name") == Some("sqlite") && says(span, "db.query.text").is_none());
    assert!(within(&trace, change.unwrap(), request(&trace)), "{trace:#?}");
    nothing_secret(&collector, &secrets);
    collector.is_right();
}

#[test]
fn a_login_at_keystone_shows_the_calls_that_it_waits_for() {
    let lab = KeystoneLab::shared();
    let collector = Collector::start();
    let mut setup = ServeSetup::new();
    traced(&mut setup, &collector);
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    let admin = lab.machine(&["admin"]);
    let id = format!("'{}'", admin.credential_id);
    setup.set("keystone.service", "application_credential_id", &id);
    let file = "'service-secret'";
    setup.set("keystone.service", "application_credential_secret_file", file);
    setup.write_private("service-secret", &admin.credential_secret);
    setup.set("people", "source", "'keystone'");
    let acme = format!("'{}'", lab.seed().domain("acme"));
    setup.set("people", "keystone_domain_id", &acme);
    let _made = setup.register(
        "cli",
        &[
            "--public",
            "--native",
            "--grant",
            "authorization_code",
            "--redirect-uri",
            CALLBACK,
            "--scope",
            "openid",
        ],
    );
    let server = setup.start();
    let somebody = lab.machine(&["member"]);
    let mut secrets = signed_in(&server, "cli", &somebody.user_name, &somebody.password);
    secrets.extend([
        admin.credential_secret.clone(),
        somebody.user_id.clone(),
        somebody.user_name.clone(),
    ]);

    let asked = |span: &Value| says(span, "sealstone.keystone.operation").is_some();
    let trace = collector.trace_with("a call of Keystone", asked);
    let operation = trace.iter().find(|span| asked(span)).unwrap();
    let call = trace
        .iter()
        .find(|span| span["kind"] == 3 && says(span, "http.request.method").is_some());
    let call = call.unwrap();
    assert!(
        within(&trace, call, operation) && within(&trace, operation, request(&trace)),
        "{trace:#?}"
    );
    assert!(
        says(call, "server.port").is_some() && says(call, "http.response.status_code").is_some(),
        "{call}"
    );
    for never in ["url.full", "url.path", "url.query"] {
        assert_eq!(says(call, never), None, "{never}");
    }
    nothing_secret(&collector, &secrets);
    collector.is_right();
}

#[test]
fn a_signature_by_an_hsm_is_a_part_of_its_request() {
    let name = "a_signature_by_an_hsm_is_a_part_of_its_request";
    let Some(module) = SoftHsm::module() else {
        println!("left out: SoftHSM is not installed");
        return;
    };
    // In a child process, whose own children find the token by `SOFTHSM2_CONF`.
    if std::env::var_os(HSM_FOLDER).is_none() {
        let hsm = SoftHsm::with_token("sealstone");
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name, "--nocapture"]);
        child
            .env("SOFTHSM2_CONF", hsm.config())
            .env(HSM_FOLDER, hsm.tokens());
        let output = child.output().unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{}", told.concat());
        return;
    }
    let collector = Collector::start();
    let mut setup = ServeSetup::new();
    traced(&mut setup, &collector);
    setup.write_private("pin", SoftHsm::PIN);
    setup.set("pkcs11", "module", &format!("'{}'", module.display()));
    setup.set("pkcs11", "token_label", "'sealstone'");
    setup.set("pkcs11", "pin_file", "'pin'");
    let made = setup.register("ci", &["--auth-method", "client_secret_basic"]);
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let server = setup.start();
    server.wait_for_issuer();
    let pair = base64_simd::STANDARD.encode_to_string(format!("ci:{secret}"));
    let basic = format!("Basic {pair}");
    let headers = [("authorization", basic.as_str())];
    let form = [("grant_type", "client_credentials")];
    let answer = server
        .https()
        .post(&server.public_url("/token"), &headers, &form)
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());

    let signed = |span: &Value| span["name"] == "sign" && says(span, "sealstone.key.home") == Some("pkcs11");
    let trace = collector.trace_with("a signature", signed);
    let sign = trace.iter().find(|span| signed(span)).unwrap();
    assert!(within(&trace, sign, request(&trace)), "{trace:#?}");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    nothing_secret(&collector, &[secret, pair, token, SoftHsm::PIN.to_owned()]);
    collector.is_right();
}
