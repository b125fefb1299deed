//! `sealstone migrate bridge` before a real Keystone: tokens of every kind outlive the flip and the way back, and what
//! Keystone ends is ended in both forms.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealstone_bridge::TokenForm;
use sealstone_interop::{BridgeProgram, KeystoneLab, LabMachine, LabOptions};
use serde_json::{Value, json};

/// All kinds that the client makes, receipts left out.
const KINDS: usize = 16;

struct Answered {
    status: u16,
    subject: Option<String>,
    body: Vec<u8>,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// One request to `http://host:port`, or to that with `/v3` behind it.
fn ask(at: &str, method: &str, path: &str, fields: &[(&str, &str)], body: Option<&Value>) -> Answered {
    let host = at.trim_start_matches("http://").trim_end_matches("/v3");
    let mut request = format!("{method} /v3{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    if !body.is_empty() {
        request.push_str("content-type: application/json\r\n");
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer to {method} {path}"));
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let subject = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-subject-token")
            .then(|| value.trim().to_owned())
    });
    Answered {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        subject,
        body: answer[end + 4..].to_vec(),
    }
}

/// What is said of a token to its own holder.
fn validated(at: &str, token: &str) -> Option<Value> {
    told(at, token, token)
}

/// What is said of a token to a caller; the token that is named must be the one that was sent.
fn told(at: &str, caller: &str, token: &str) -> Option<Value> {
    let fields = [
        ("x-auth-token", caller),
        ("x-subject-token", token),
        ("openstack-identity-access-rules", "1.0"),
    ];
    let answer = ask(at, "GET", "/auth/tokens", &fields, None);
    if answer.status != 200 {
        assert!(
            [401, 404].contains(&answer.status),
            "{}: {:?}",
            answer.status,
            answer.json()
        );
        return None;
    }
    assert_eq!(
        answer.subject.as_deref(),
        Some(token),
        "the client sees the token that it sent"
    );
    Some(settled(answer.json()["token"].take()))
}

/// But for the order of lists, which Keystone does not keep.
fn settled(mut said: Value) -> Value {
    for list in ["roles", "methods", "catalog"] {
        if let Some(items) = said.get_mut(list).and_then(Value::as_array_mut) {
            items.sort_by_key(Value::to_string);
        }
    }
    said
}

/// Logs in in every way: kind and token.
fn issued(lab: &KeystoneLab) -> Vec<(String, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/keystone_tokens.py");
    let output = Command::new(lab.program("python"))
        .arg(script)
        .arg(lab.folder())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let pairs = found.iter().map(|one| (text(one, "kind"), text(one, "token")));
    pairs.filter(|(kind, _token)| kind != "receipt").collect()
}

/// `keystone-manage` leaves it readable by all, which we refuse.
fn close_private_key(lab: &KeystoneLab) {
    let path = lab.folder().join("keys/jws/private/private.pem");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn conf(lab: &KeystoneLab, node: u8) -> PathBuf {
    lab.folder().join(format!("node{node}/keystone.conf"))
}

fn root(url: &str) -> &str {
    url.trim_end_matches("/v3")
}

/// Restarts Keystone with the other provider; the bridge reads it from its configuration.
fn flip(lab: &mut KeystoneLab, bridge: &mut BridgeProgram, provider: &str) {
    lab.stop();
    lab.restart(&["--provider", provider]);
    close_private_key(lab);
    bridge.signal("HUP");
    bridge.wait_for(&format!("the node takes {provider} tokens"), 1);
}

#[track_caller]
fn outlive(lab: &KeystoneLab, bridge: &BridgeProgram, before: &[(String, String, Value)]) {
    let admin = lab.admin_token();
    for (kind, token, said) in before {
        assert_eq!(told(lab.url(), &admin, token), None, "{kind}: the flip kills it");
        let after =
            told(bridge.url(), &admin, token).unwrap_or_else(|| panic!("{kind}: the bridge loses it"));
        assert_eq!(&after, said, "{kind}: the same is said of it");
    }
}

#[test]
fn tokens_of_every_kind_outlive_the_flip_and_the_way_back() {
    let mut lab = KeystoneLab::start(&LabOptions::new().tls());
    close_private_key(&lab);
    let mut bridge = BridgeProgram::start(&conf(&lab, 1), root(lab.url()), &[]);
    let said_of = |lab: &KeystoneLab, form: TokenForm| -> Vec<(String, String, Value)> {
        let (found, admin) = (issued(lab), lab.admin_token());
        assert_eq!(found.len(), KINDS);
        let said = found.into_iter().map(|(kind, token)| {
            assert_eq!(TokenForm::of(&token), Some(form), "{kind}");
            let said = told(lab.url(), &admin, &token).unwrap_or_else(|| panic!("{kind}: Keystone's own"));
            (kind, token, said)
        });
        said.collect()
    };
    let fernet = said_of(&lab, TokenForm::Fernet);
    let admin = lab.admin_token();
    for (kind, token, said) in &fernet {
        let through = told(bridge.url(), &admin, token);
        assert_eq!(through.as_ref(), Some(said), "{kind}: before the flip");
    }

    flip(&mut lab, &mut bridge, "jws");
    outlive(&lab, &bridge, &fernet);
    let of_before = told(bridge.url(), &admin, &admin);
    assert!(
        of_before.is_some(),
        "the caller's own token of before is good too"
    );
    // A token of before gets one of now for a project: by the login's body, in the same chain, of the same end.
    let (_kind, unscoped, said) = fernet.iter().find(|(kind, ..)| kind == "unscoped").unwrap();
    let login = json!({"auth": {
        "identity": {"methods": ["token"], "token": {"id": unscoped}},
        "scope": {"project": {"id": lab.seed().project("web")}},
    }});
    assert_eq!(
        ask(lab.url(), "POST", "/auth/tokens", &[], Some(&login)).status,
        404
    );
    let made = ask(bridge.url(), "POST", "/auth/tokens", &[], Some(&login));
    assert_eq!(made.status, 201, "{:?}", made.json());
    assert_eq!(
        TokenForm::of(made.subject.as_deref().unwrap()),
        Some(TokenForm::Jws)
    );
    let made = made.json()["token"].take();
    assert_eq!(made["audit_ids"][1], said["audit_ids"][0]);
    assert_eq!(made["expires_at"], said["expires_at"]);
    // Where Keystone refuses such a token, it goes on refusing.
    for (kind, token, _said) in &fernet {
        let login = json!({"auth": {
            "identity": {"methods": ["token"], "token": {"id": token}},
            "scope": {"project": {"id": lab.seed().project("web")}},
        }});
        let status = ask(bridge.url(), "POST", "/auth/tokens", &[], Some(&login)).status;
        let delegated = [
            "trust",
            "application credential",
            "certificate",
            "OAuth 1.0a",
            "system",
        ];
        if delegated.iter().any(|word| kind.starts_with(word)) {
            // One with access rules is concealed from whoever does not say that it knows of them.
            assert!([403, 404].contains(&status), "{kind}: {status}");
        }
    }
    // A HEAD without a body, and a token that Keystone names in what it says.
    let fields = [
        ("x-auth-token", unscoped.as_str()),
        ("x-subject-token", unscoped.as_str()),
    ];
    let head = ask(bridge.url(), "HEAD", "/auth/tokens", &fields, None);
    assert_eq!(
        (head.status, head.subject.as_ref(), head.body.len()),
        (200, Some(unscoped), 0)
    );

    let jws = said_of(&lab, TokenForm::Jws);
    for (kind, token, said) in &jws {
        let through = told(bridge.url(), &admin, token);
        assert_eq!(through.as_ref(), Some(said), "{kind}: after the flip");
    }
    flip(&mut lab, &mut bridge, "fernet");
    let without_method: Vec<(String, String, Value)> = jws
        .into_iter()
        .map(|(kind, token, mut said)| {
            // Fernet has no place for it, with Keystone as with us.
            if said["methods"] == json!(["oauth2_credential"]) {
                said["methods"] = json!([]);
            }
            (kind, token, said)
        })
        .collect();
    outlive(&lab, &bridge, &without_method);
    for (kind, token, said) in &fernet {
        let through = told(bridge.url(), &admin, token);
        assert_eq!(through.as_ref(), Some(said), "{kind}: back again");
    }
    bridge.signal("TERM");
    bridge.wait_for("ended;", 1);
    let log = bridge.said();
    assert!(
        !log.contains("gAAA") && !log.contains("eyJ"),
        "no token in the log: {log}"
    );
}

/// A pool in the middle of its change: a node of each kind, one database, and a bridge before each.
struct Pool {
    lab: KeystoneLab,
    bridges: [BridgeProgram; 2],
}

impl Pool {
    fn start() -> Self {
        let lab = KeystoneLab::start(&LabOptions::new().nodes(2).with(&["--node-provider", "2=jws"]));
        close_private_key(&lab);
        let bridge = |node: u8| {
            let url = lab.nodes()[usize::from(node) - 1].to_owned();
            BridgeProgram::start(&conf(&lab, node), root(&url), &["--verbose"])
        };
        let bridges = [bridge(1), bridge(2)];
        Self { lab, bridges }
    }

    /// The node that issues tokens of this form, and the bridge before the other one.
    fn sides(&self, form: TokenForm) -> (String, &str) {
        let (own, other) = match form {
            TokenForm::Fernet => (0, 1),
            TokenForm::Jws => (1, 0),
        };
        (self.lab.nodes()[own].to_owned(), self.bridges[other].url())
    }

    fn login(at: &str, auth: &Value) -> String {
        let answer = ask(at, "POST", "/auth/tokens?nocatalog", &[], Some(auth));
        assert_eq!(answer.status, 201, "{:?}", answer.json());
        answer.subject.unwrap()
    }

    fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.lab.admin(method, path, body)
    }

    /// Ends the second in which it is called: a revocation event ends what was issued in its own.
    fn next_second() {
        let now = || {
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        let start = now();
        while now() == start {
            std::thread::yield_now();
        }
    }
}

/// Who holds the token, and how: what a test may end.
struct Holder {
    machine: LabMachine,
    trust: Option<String>,
    parent: Option<String>,
}

struct Ending {
    name: &'static str,
    login: fn(&Pool, &str, &mut Holder) -> String,
    end: fn(&Pool, &str, &str, &Holder, &str),
}

fn by_password(_pool: &Pool, at: &str, holder: &mut Holder) -> String {
    let LabMachine {
        user_id,
        password,
        project_id,
        ..
    } = &holder.machine;
    Pool::login(
        at,
        &json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}},
            "scope": {"project": {"id": project_id}},
        }}),
    )
}

fn rescoped(_pool: &Pool, at: &str, holder: &mut Holder) -> String {
    let LabMachine {
        user_id,
        password,
        project_id,
        ..
    } = &holder.machine;
    let parent = Pool::login(
        at,
        &json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}},
            "scope": "unscoped",
        }}),
    );
    let token = Pool::login(
        at,
        &json!({"auth": {
            "identity": {"methods": ["token"], "token": {"id": parent}},
            "scope": {"project": {"id": project_id}},
        }}),
    );
    holder.parent = Some(parent);
    token
}

fn by_credential(_pool: &Pool, at: &str, holder: &mut Holder) -> String {
    let LabMachine {
        credential_id,
        credential_secret,
        ..
    } = &holder.machine;
    Pool::login(
        at,
        &json!({"auth": {"identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": credential_id, "secret": credential_secret},
        }}}),
    )
}

fn by_trust(pool: &Pool, at: &str, holder: &mut Holder) -> String {
    let carol = pool.lab.seed().user("carol");
    let LabMachine {
        user_id,
        password,
        project_id,
        ..
    } = &holder.machine;
    let trustor = pool.lab.password_token(user_id, password, project_id);
    let object = json!({"trust": {
        "trustor_user_id": user_id, "trustee_user_id": carol.id, "project_id": project_id,
        "impersonation": false, "roles": [{"name": "member"}],
    }});
    let made = pool
        .lab
        .request("POST", "/OS-TRUST/trusts", Some(&trustor), Some(&object));
    assert_eq!(made.status, 201, "{}", made.text());
    let trust = made.json()["trust"]["id"].as_str().unwrap().to_owned();
    let token = Pool::login(
        at,
        &json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"id": carol.id, "password": carol.password}}},
            "scope": {"OS-TRUST:trust": {"id": trust}},
        }}),
    );
    holder.trust = Some(trust);
    token
}

fn delete_at(at: &str, token: &str, subject: &str) {
    let fields = [("x-auth-token", token), ("x-subject-token", subject)];
    assert_eq!(ask(at, "DELETE", "/auth/tokens", &fields, None).status, 204);
}

fn user_path(holder: &Holder) -> String {
    format!("/users/{}", holder.machine.user_id)
}

const ENDINGS: [Ending; 10] = [
    Ending {
        name: "revoked at its own node",
        login: by_password,
        end: |_pool, own, _other, _holder, token| delete_at(own, token, token),
    },
    Ending {
        name: "revoked through the bridge before the other node",
        login: by_password,
        end: |_pool, _own, other, _holder, token| delete_at(other, token, token),
    },
    Ending {
        name: "revoked with its chain",
        login: rescoped,
        end: |_pool, _own, other, holder, _token| {
            let parent = holder.parent.as_deref().unwrap();
            delete_at(other, parent, parent);
        },
    },
    Ending {
        name: "the user disabled, and enabled again",
        login: by_password,
        end: |pool, _own, _other, holder, _token| {
            for enabled in [false, true] {
                pool.admin(
                    "PATCH",
                    &user_path(holder),
                    Some(&json!({"user": {"enabled": enabled}})),
                );
            }
        },
    },
    Ending {
        name: "the password changed",
        login: by_password,
        end: |pool, _own, _other, holder, _token| {
            pool.admin(
                "PATCH",
                &user_path(holder),
                Some(&json!({"user": {"password": "another-Pw-2"}})),
            );
        },
    },
    Ending {
        name: "the user deleted",
        login: by_password,
        end: |pool, _own, _other, holder, _token| drop(pool.admin("DELETE", &user_path(holder), None)),
    },
    Ending {
        name: "the project disabled",
        login: by_password,
        end: |pool, _own, _other, holder, _token| {
            let path = format!("/projects/{}", holder.machine.project_id);
            pool.admin("PATCH", &path, Some(&json!({"project": {"enabled": false}})));
        },
    },
    Ending {
        name: "the role taken away",
        login: by_password,
        end: |pool, _own, _other, holder, _token| {
            let LabMachine {
                project_id, user_id, ..
            } = &holder.machine;
            let role = pool.lab.seed().role("member");
            pool.admin(
                "DELETE",
                &format!("/projects/{project_id}/users/{user_id}/roles/{role}"),
                None,
            );
        },
    },
    Ending {
        name: "the application credential deleted",
        login: by_credential,
        end: |pool, _own, _other, holder, _token| {
            let LabMachine {
                user_id,
                password,
                project_id,
                credential_id,
                ..
            } = &holder.machine;
            let token = pool.lab.password_token(user_id, password, project_id);
            let path = format!("/users/{user_id}/application_credentials/{credential_id}");
            assert_eq!(pool.lab.request("DELETE", &path, Some(&token), None).status, 204);
        },
    },
    Ending {
        name: "the trust deleted",
        login: by_trust,
        end: |pool, _own, _other, holder, _token| {
            let LabMachine {
                user_id,
                password,
                project_id,
                ..
            } = &holder.machine;
            let token = pool.lab.password_token(user_id, password, project_id);
            let path = format!("/OS-TRUST/trusts/{}", holder.trust.as_deref().unwrap());
            assert_eq!(pool.lab.request("DELETE", &path, Some(&token), None).status, 204);
        },
    },
];

#[test]
fn s11_what_keystone_ends_is_ended_in_both_forms() {
    let pool = Pool::start();
    for form in [TokenForm::Fernet, TokenForm::Jws] {
        let (own, other) = pool.sides(form);
        for ending in &ENDINGS {
            let name = format!("{form}, {}", ending.name);
            let mut holder = Holder {
                machine: pool.lab.machine(&["member"]),
                trust: None,
                parent: None,
            };
            // One that the other node has seen before it ends, and one that it has not.
            let seen = (ending.login)(&pool, &own, &mut holder);
            assert_eq!(TokenForm::of(&seen), Some(form));
            assert!(
                validated(other, &seen).is_some(),
                "{name}: it lives at the other node"
            );
            assert_eq!(validated(other, &seen), validated(&own, &seen), "{name}");
            Pool::next_second();
            (ending.end)(&pool, &own, other, &holder, &seen);
            for at in [own.as_str(), other] {
                assert_eq!(validated(at, &seen), None, "{name}: it has ended at {at}");
                let admin = pool.lab.admin_token();
                let fields = [
                    ("x-auth-token", admin.as_str()),
                    ("x-subject-token", seen.as_str()),
                ];
                let at = if at == own && form == TokenForm::Jws {
                    pool.bridges[1].url()
                } else {
                    at
                };
                let status = ask(at, "GET", "/auth/tokens", &fields, None).status;
                assert_eq!(status, 404, "{name}: told so to a service at {at}");
                let login = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": seen}}}});
                let status = ask(at, "POST", "/auth/tokens", &[], Some(&login)).status;
                assert!([401, 403, 404].contains(&status), "{name}: {status} at {at}");
            }
        }
    }
    // Translated for the first time after it was revoked.
    for form in [TokenForm::Fernet, TokenForm::Jws] {
        let (own, other) = pool.sides(form);
        let mut holder = Holder {
            machine: pool.lab.machine(&["member"]),
            trust: None,
            parent: None,
        };
        let token = by_password(&pool, &own, &mut holder);
        let child = rescoped(&pool, &own, &mut holder);
        Pool::next_second();
        delete_at(&own, &token, &token);
        assert_eq!(validated(other, &token), None, "{form}");
        assert!(
            validated(other, &child).is_some(),
            "{form}: another chain lives on"
        );
        let parent = holder.parent.as_deref().unwrap();
        delete_at(&own, parent, parent);
        assert_eq!(validated(other, &child), None, "{form}");
    }
}

#[test]
fn s12_what_no_key_of_the_pool_proves_is_nobodys() {
    let pool = Pool::start();
    let stranger = KeystoneLab::start(&LabOptions::new().with(&["--own-keys"]));
    let admin = pool.lab.admin_token();
    let of_stranger = stranger.admin_token();
    let bridge = pool.bridges[1].url();
    assert!(validated(stranger.url(), &of_stranger).is_some());
    assert!(validated(bridge, &admin).is_some());
    let cut = &admin[..admin.len() - 4];
    let mut changed = admin.clone().into_bytes();
    changed[60] = if changed[60] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for token in [of_stranger.as_str(), cut, &changed, "gAAAA", "eyJ.a.b"] {
        // As Keystone answers to whom it does not know: 401 where it must know, and service where it need not.
        let fields = [("x-auth-token", token)];
        let answer = ask(bridge, "GET", "/users", &fields, None);
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["error"]["code"], 401, "in Keystone's shape");
        assert_eq!(ask(bridge, "GET", "/", &fields, None).status, 200);
        let fields = [("x-auth-token", admin.as_str()), ("x-subject-token", token)];
        assert_eq!(ask(bridge, "GET", "/auth/tokens", &fields, None).status, 404);
        assert_eq!(ask(bridge, "DELETE", "/auth/tokens", &fields, None).status, 404);
        let login = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}});
        let answer = ask(bridge, "POST", "/auth/tokens", &[], Some(&login));
        // The bridge says 401; what has the look of the node's own form is Keystone's to answer, and it says 404.
        let want = if TokenForm::of(token) == Some(TokenForm::Fernet) {
            401
        } else {
            404
        };
        let code = answer.json()["error"]["code"].clone();
        assert_eq!((answer.status, code), (want, json!(want)));
    }
    // A login that brings a dead token along in its field is served, as by Keystone itself.
    let user = pool.lab.seed().user("alice");
    let login = json!({"auth": {"identity": {
        "methods": ["password"], "password": {"user": {"id": user.id, "password": user.password}},
    }}});
    for at in [bridge, pool.lab.nodes()[1]] {
        let answer = ask(
            at,
            "POST",
            "/auth/tokens",
            &[("x-auth-token", of_stranger.as_str())],
            Some(&login),
        );
        assert_eq!(answer.status, 201);
    }
    // Twice the same field: whichever Keystone would read.
    let fields = [
        ("x-auth-token", admin.as_str()),
        ("x-auth-token", of_stranger.as_str()),
    ];
    assert_eq!(ask(bridge, "GET", "/users", &fields, None).status, 400);
    let log = pool.bridges[1].said();
    assert!(
        log.contains("keystone_token.unauthentic") && log.contains("token refused"),
        "{log}"
    );
    assert!(
        !log.contains("gAAA") && !log.contains("eyJ"),
        "no token in the log: {log}"
    );
}

#[test]
fn a_large_object_comes_back_as_it_went() {
    let pool = Pool::start();
    let blob: String = (0..60_000_u32)
        .map(|place| char::from(b'a' + u8::try_from(place * 7 % 26).unwrap()))
        .collect();
    let admin = pool.lab.admin_token();
    let user = &pool.lab.seed().user("alice").id;
    let object = json!({"credential": {"type": "note", "blob": blob, "user_id": user}});
    let fields = [("x-auth-token", admin.as_str())];
    let bridge = pool.bridges[1].url();
    let made = ask(bridge, "POST", "/credentials", &fields, Some(&object));
    assert_eq!(made.status, 201, "{:?}", made.json());
    let path = format!(
        "/credentials/{}",
        made.json()["credential"]["id"].as_str().unwrap()
    );
    let direct = ask(pool.lab.nodes()[0], "GET", &path, &fields, None);
    let through = ask(bridge, "GET", &path, &fields, None);
    assert_eq!(through.json()["credential"]["blob"], json!(blob));
    let without_links = |answer: &Answered| {
        let mut said = answer.json();
        said["credential"].as_object_mut().unwrap().remove("links");
        said
    };
    assert_eq!(without_links(&through), without_links(&direct));
}
