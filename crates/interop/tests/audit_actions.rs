//! Every action of the audit trail is CADF as `pycadf` has it: most made to happen, the rest built by the library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Reason, Target};
use sealstone_interop::{Answer, Browser, DevServer, Page, Step, built};
use serde_json::Value;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Where an event of an action comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// It is made to happen here.
    Life,
    /// It needs a machine, or a failure, that others tests have: here its event is built.
    Library,
}

/// An action that is added does not compile until it is said where its event comes from.
const fn from(action: Action) -> From {
    match action {
        Action::IssueToken
        | Action::RefreshToken
        | Action::DenyReusedRefreshToken
        | Action::DenyReusedCode
        | Action::IntrospectToken
        | Action::RevokeToken
        | Action::RotateKey
        | Action::RevokeKey
        | Action::ExportKey
        | Action::CreateDomain
        | Action::CreateClient
        | Action::UpdateClient
        | Action::DeleteClient
        | Action::CreateInitialToken
        | Action::DeleteInitialToken
        | Action::CreateUser
        | Action::UpdateUser
        | Action::DeleteUser
        | Action::SignIn
        | Action::Authorize
        | Action::AllowConsent
        | Action::AskForDevice
        | Action::ReadUserinfo
        | Action::StartNode
        | Action::Reload
        | Action::BackUpStore
        | Action::MigrateStore
        | Action::SignTrail => From::Life,
        // A Keystone, a token of hardware, two administrators, a browser's account page, a client that listens, a disk
        // that fills up, a changed configuration: `os_oauth2`, `keys`, `people`, `operations`, and the tests of the crates.
        Action::IssueKeystoneToken
        | Action::ImportKey
        | Action::RewrapKeys
        | Action::RequestKeyChange
        | Action::ConfirmKeyChange
        | Action::ReadClient
        | Action::ReadInitialToken
        | Action::CreateApplicationCredential
        | Action::EndSession
        | Action::DenyConsent
        | Action::DeleteConsent
        | Action::AllowDevice
        | Action::DenyDevice
        | Action::AddFactor
        | Action::RemoveFactor
        | Action::EndGrant
        | Action::NotifyLogout
        | Action::StopNode
        | Action::ChangeSetting
        | Action::RestoreStore
        | Action::MendTrail => From::Library,
    }
}

fn python(script: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(folder.join("../../target/interop-python/bin/python"));
    command.arg(folder.join("clients/python").join(script));
    command
}

/// How many of these lines `pycadf` takes; it stops at the first that it does not.
fn judged(lines: &[String]) -> usize {
    let mut judge = python("cadf_events.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Python of the interop tests");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap().stdout;
    String::from_utf8_lossy(&said).trim().parse().unwrap_or_default()
}

fn event(action: Action, outcome: Outcome, target: Target<'static>, number: u8) -> Event<'static> {
    Event {
        id: EventId::from_random([number; 16]),
        time: UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_322_984)),
        action,
        outcome,
        reason: (outcome == Outcome::Failure)
            .then(|| Reason::new(400, "invalid_request").with_detail(Some("detail"))),
        initiator: Actor {
            client_id: Some("\u{1f5ff} a forged\nline \"and more\"".into()),
            user_id: Some("u1".into()),
            address: Some([192, 0, 2, 7].into()),
        },
        target,
        request_id: "r".into(),
    }
}

#[test]
fn s19_every_action_and_every_target_can_be_recorded() {
    let targets = || {
        [
            Target::Issuer("x".into()),
            Target::Token("x".into()),
            Target::Key("x".into()),
            Target::Client("x".into()),
            Target::User("x".into()),
            Target::Session("x".into()),
            Target::Grant("x".into()),
            Target::Node("x".into()),
            Target::Setting("a.b".into()),
            Target::Store("/x \u{0} y".into()),
        ]
    };
    let mut lines = Vec::new();
    for action in Action::ALL {
        for outcome in [Outcome::Success, Outcome::Failure] {
            for target in targets() {
                let line = event(action, outcome, target, 7).to_cadf();
                lines.push(String::from_utf8(line).expect("text"));
            }
        }
    }
    assert_eq!(judged(&lines), lines.len());
    // It judges: an action that is none of CADF's, and a failure without a reason, are not taken.
    for wrong in [
        lines[0].replace("\"authenticate/token\"", "\"approve/key_request\""),
        lines[0].replace("\"success\"", "\"failure\""),
        lines[0].replace("service/security\"},\"typeURI\"", "nothing/known\"},\"typeURI\""),
    ] {
        assert_ne!(wrong, lines[0]);
        assert_eq!(judged(&[wrong]), 0);
    }
}

/// Signs the demo's person in where the page asks for it, and allows what is asked; where the browser went.
fn through(server: &DevServer, browser: &mut Browser, url: &str) -> String {
    let mut step = browser.open(url);
    for _ in 0..4 {
        let page: Page = match step {
            Step::Left(url) => return url,
            Step::Page(page) => page,
        };
        let mut fields = page.forms().into_iter().flat_map(|form| form.fields);
        let asks = fields.any(|(name, _)| name == "password");
        let user = server.user("demo");
        step = if asks {
            browser.submit(&page, &[("user_name", &user.name), ("password", &user.password)])
        } else {
            browser.press(&page, "allow", &[])
        };
    }
    step.left()
}

struct Person<'a> {
    server: &'a DevServer,
    authorization: String,
    callback: String,
}

impl Person<'_> {
    fn code(&self, browser: &mut Browser) -> String {
        let url = format!(
            "{}/authorize?response_type=code&client_id={}&redirect_uri={}&scope=openid+profile+offline_access&\
             prompt=consent&code_challenge={CHALLENGE}&code_challenge_method=S256&state=s",
            self.server.issuer(),
            self.server.client("web").registered().client_id,
            self.callback
        );
        let back = through(self.server, browser, &url);
        let code = back.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
        code.unwrap_or_else(|| panic!("{back}")).to_owned()
    }

    fn ask(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.server.issuer());
        let headers = [("authorization", self.authorization.as_str())];
        self.server.https().post(&url, &headers, form).unwrap()
    }

    fn exchange(&self, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.callback),
            ("code_verifier", VERIFIER),
        ];
        self.ask("/token", &form)
    }

    fn refresh(&self, token: &str) -> Answer {
        self.ask(
            "/token",
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
    }
}

fn basic(id: &str, secret: &str) -> String {
    let credentials = base64_simd::STANDARD.encode_to_string(format!("{id}:{secret}"));
    format!("Basic {credentials}")
}

/// A person logs in, gets tokens, and somebody brings what was used before.
fn a_persons_day(server: &DevServer) {
    let client = server.client("web").registered().clone();
    let secret = client.client_secret.unwrap();
    let person = Person {
        server,
        authorization: basic(&client.client_id, &secret),
        callback: format!("{}callback", server.relying_party()),
    };
    let mut browser = server.browser();
    let code = person.code(&mut browser);
    let given = person.exchange(&code).json();
    let token = given["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{given}"));
    let bearer = format!("Bearer {token}");
    let userinfo = format!("{}/userinfo", server.issuer());
    let answer = server
        .https()
        .get(&userinfo, &[("authorization", &bearer)])
        .unwrap();
    assert_eq!(answer.status, 200);
    let gateway = server.client("gateway").registered().clone();
    let gateway = basic(&gateway.client_id, &gateway.client_secret.unwrap());
    let introspect = format!("{}/introspect", server.issuer());
    let headers = [("authorization", gateway.as_str())];
    let answer = server
        .https()
        .post(&introspect, &headers, &[("token", token)])
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(person.ask("/revoke", &[("token", token)]).status, 200);
    let text = |answer: &Answer, member: &str| answer.json()[member].as_str().unwrap_or_default().to_owned();
    let first = given["refresh_token"].as_str().unwrap().to_owned();
    let second = text(&person.refresh(&first), "refresh_token");
    let third = text(&person.refresh(&second), "refresh_token");
    assert!(!third.is_empty());
    assert_eq!(person.refresh(&first).status, 400);
    let code = person.code(&mut browser);
    assert_eq!(person.exchange(&code).status, 200);
    assert_eq!(person.exchange(&code).status, 400);
    let device = server.client("cli").registered().client_id.clone();
    let url = format!("{}/device_authorization", server.issuer());
    let asked = server.https().post(&url, &[], &[("client_id", &device)]).unwrap();
    assert_eq!(asked.status, 200, "{}", asked.text());
}

/// `sealstone` on the server's data, for what it does and not for what it prints.
fn administer(server: &DevServer, arguments: &[&str]) {
    let package = ["--package", "sealstone-cli", "--bin", "sealstone"];
    let done = Command::new(built("SEALSTONE", &package, "sealstone"))
        .args(arguments)
        .arg("--data")
        .arg(server.data())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments:?}: {said}");
}

fn an_administrators_day(server: &DevServer) {
    let (copy, key) = (server.scratch("copy.db"), server.scratch("exported.pem"));
    let made = server.administer(&["client", "initial-token", "create", "--domain", "demo"]);
    let token = made["id"].as_str().unwrap();
    let keys = server.administer(&["key", "list", "--domain", "demo"]);
    let kid = keys[0]["kid"].as_str().unwrap();
    let out = key.to_str().unwrap();
    for arguments in [
        &["user", "create", "eve", "--no-password"][..],
        &["user", "disable", "eve"],
        &["user", "delete", "eve", "--yes"],
        &["db", "backup", "--to", copy.to_str().unwrap()],
        &["client", "initial-token", "revoke", token],
        &["key", "rotate", "--domain", "demo"],
        &["key", "export", kid, "--dangerous-private-key", "--out", out],
        &["key", "revoke", kid],
        // From here on there are two domains.
        &["client", "create", "extra", "--domain", "extra", "--new-domain"],
        &["client", "update", "extra", "--name", "Extra"],
        &["client", "delete", "extra", "--yes"],
    ] {
        administer(server, arguments);
    }
}

#[test]
fn s19_what_happens_is_recorded_as_cadf() {
    let mut server = DevServer::start();
    a_persons_day(&server);
    an_administrators_day(&server);
    server.signal("HUP");
    server.wait_until_said("revocation lists reloaded");
    let trail = fs::read_to_string(server.data().join("audit.jsonl")).unwrap();
    let lines: Vec<String> = trail.lines().map(str::to_owned).collect();
    assert_eq!(judged(&lines), lines.len());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for line in &lines {
        let event: Value = serde_json::from_str(line).unwrap();
        *seen
            .entry(event["action"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    let all: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    for action in seen.keys() {
        assert!(all.contains(action.as_str()), "{action} is in no list");
    }
    let missing: Vec<&str> = Action::ALL
        .into_iter()
        .filter(|action| from(*action) == From::Life)
        .map(Action::as_str)
        .filter(|action| !seen.contains_key(*action))
        .collect();
    assert!(missing.is_empty(), "{missing:?} did not happen; {seen:?}");
}
