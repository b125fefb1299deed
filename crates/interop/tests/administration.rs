//! Administration of clients over HTTP, as administrators do it: tokens of a real Keystone, a certificate, and the local
//! socket by curl.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use sealstone_interop::{Answer, KeystoneLab, LabMachine, ServeServer, ServeSetup};
use serde_json::{Value, json};

/// Two issuers, one of them of the lab's domain `acme`, beside the lab's Keystone.
fn server(lab: &KeystoneLab) -> (ServeServer, String) {
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    setup.set("keystone", "dangerous_plain_http", "true");
    setup.set("administration", "socket", "'admin.sock'");
    setup.set(
        "administration",
        "cloud_certificates",
        "['tls_client_auth_subject_dn=CN=operator']",
    );
    let acme = lab.seed().domain("acme").to_owned();
    setup.set(&format!("registration_of.{acme}"), "enabled", "true");
    for domain in [acme.as_str(), "demo"] {
        let made = setup.sealstone(&[
            "client",
            "create",
            &format!("gateway-{}", &domain[..4]),
            "--domain",
            domain,
            "--new-domain",
            "--introspection",
            "domain",
            "--output",
            "json",
        ]);
        assert!(made.status.success(), "{made:?}");
    }
    (setup.start(), acme)
}

/// A manager of domain `acme`, who holds this role on the machine's project, and nothing else.
fn manager(lab: &KeystoneLab, machine: &LabMachine, role: &str) -> String {
    let manager = lab.machine(&["reader"]);
    let (acme, seed) = (&machine.domain_id, lab.seed());
    let of_domain = format!(
        "/domains/{acme}/users/{}/roles/{}",
        manager.user_id,
        seed.role("manager")
    );
    lab.change("PUT", &of_domain, None);
    let of_project = format!(
        "/projects/{}/users/{}/roles/{}",
        machine.project_id,
        manager.user_id,
        seed.role(role)
    );
    lab.change("PUT", &of_project, None);
    let user = json!({ "id": manager.user_id, "password": manager.password });
    lab.login(&json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": user } },
        "scope": { "domain": { "id": acme } },
    }}))
}

fn ask(server: &ServeServer, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
    let [public, _] = server.ports();
    let body = body.map(Value::to_string).unwrap_or_default();
    let headers = [("x-auth-token", token), ("content-type", "application/json")];
    let url = format!("https://localhost:{public}/v4/oauth2/{path}");
    server
        .https()
        .send(method, &url, &headers, body.as_bytes())
        .unwrap()
}

fn tie(machine: &LabMachine) -> Value {
    json!({
        "scope": "openstack:api",
        "openstack_application_credential_id": machine.credential_id,
        "openstack_application_credential_secret": machine.credential_secret,
    })
}

#[test]
fn o01_a_keystone_token_administers_as_far_as_its_roles_reach() {
    let lab = KeystoneLab::shared();
    let (server, acme) = server(lab);
    let machine = lab.machine(&["member"]);
    let manager = manager(lab, &machine, "member");
    let clients = format!("{acme}/clients");

    // Who is no manager: a member of the domain's project, and somebody without a token.
    let member = lab.password_token(&machine.user_id, &machine.password, &machine.project_id);
    for (who, token, status) in [
        ("a member", member.as_str(), 403),
        ("nobody", "gAAAAABnobody", 401),
    ] {
        let answer = ask(&server, "GET", &clients, token, None);
        assert_eq!(answer.status, status, "{who}: {}", answer.text());
    }
    // A manager, in his own domain only.
    assert_eq!(ask(&server, "GET", "demo/clients", &manager, None).status, 403);
    let app = json!({ "client_name": "Grafana", "redirect_uris": ["https://grafana.example/cb"], "scope": "openid" });
    let made = ask(&server, "POST", &clients, &manager, Some(&app));
    assert_eq!(made.status, 201, "{}", made.text());

    // A tie with roles that he holds is his to give, one with others is not, nor one that he cannot name.
    let tied = ask(&server, "POST", &clients, &manager, Some(&tie(&machine)));
    assert_eq!(tied.status, 201, "{}", tied.text());
    let mighty = lab.machine(&["member", "admin"]);
    let wide = ask(&server, "POST", &clients, &manager, Some(&tie(&mighty)));
    assert_eq!(wide.status, 403, "{}", wide.text());
    let mut wrong = tie(&machine);
    wrong["openstack_application_credential_secret"] = json!("wrong");
    let refused = ask(&server, "POST", &clients, &manager, Some(&wrong));
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(!refused.text().contains(&machine.credential_secret));
    // The cloud's administrator gives both.
    let wide = ask(&server, "POST", &clients, &lab.admin_token(), Some(&tie(&mighty)));
    assert_eq!(wide.status, 201, "{}", wide.text());
    let wide = wide.json();
    // What holds more than the manager does is not his to take over; to end it he may.
    let id = wide["client_id"].as_str().unwrap();
    let rotated = ask(&server, "POST", &format!("{clients}/{id}/secret"), &manager, None);
    assert_eq!(rotated.status, 403, "{}", rotated.text());
    let disabled = ask(
        &server,
        "POST",
        &format!("{clients}/{id}/disable"),
        &manager,
        None,
    );
    assert_eq!(disabled.status, 200, "{}", disabled.text());
    let back = ask(&server, "POST", &format!("{clients}/{id}/enable"), &manager, None);
    assert_eq!(back.status, 403, "{}", back.text());

    // The client works: a token over the project, with the roles of its credential.
    let tied = tied.json();
    let [public, _] = server.ports();
    let (id, secret) = (
        tied["client_id"].as_str().unwrap(),
        tied["client_secret"].as_str().unwrap(),
    );
    let basic = base64_of(&format!("{id}:{secret}"));
    let url = format!("https://localhost:{public}/v4/oauth2/{acme}/token");
    let form = [("grant_type", "client_credentials"), ("scope", "openstack:api")];
    let token = server
        .https()
        .post(&url, &[("authorization", &basic)], &form)
        .unwrap();
    assert_eq!(token.status, 200, "{}", token.text());

    // Each of these is in the audit file, with who it was.
    let refusals: Vec<Value> = server
        .audit()
        .into_iter()
        .filter(|event| event["action"] == "create/oauth2_client" && event["outcome"] == "failure")
        .collect();
    assert!(refusals.len() >= 2, "{refusals:?}");
    assert!(
        refusals
            .iter()
            .all(|event| event["initiator"]["user_id"].is_string())
    );
}

fn base64_of(text: &str) -> String {
    format!("Basic {}", base64_simd::STANDARD.encode_to_string(text))
}

#[test]
fn the_local_socket_is_for_the_servers_own_user() {
    let lab = KeystoneLab::shared();
    let (server, acme) = server(lab);
    let socket = server.setup().path("admin.sock");
    assert_eq!(
        std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let curl = |arguments: &[&str]| {
        let done = Command::new("curl")
            .args(["--silent", "--show-error", "--unix-socket"])
            .arg(&socket)
            .args(["--write-out", "\n%{http_code}"])
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (
            status.to_owned(),
            serde_json::from_str::<Value>(body).unwrap_or(Value::Null),
        )
    };
    let clients = format!("http://localhost/v4/oauth2/{acme}/clients");
    let json = [
        "--header",
        "content-type: application/json",
        "--data",
        r#"{"scope": "metrics:read"}"#,
    ];
    let (status, made) = curl(&[&json[..], &[clients.as_str()]].concat());
    assert_eq!(status, "201", "{made}");
    let (status, listed) = curl(&[clients.as_str()]);
    assert_eq!(
        (status.as_str(), listed["clients"].as_array().unwrap().len()),
        ("200", 2)
    );
    // Nothing else is served there: it has no TLS.
    for path in ["token", "jwks", "register"] {
        let (status, _) = curl(&[&format!("http://localhost/v4/oauth2/{acme}/{path}")]);
        assert_eq!(status, "404", "{path}");
    }
    let audited = server.audit();
    let by = audited
        .iter()
        .find(|event| event["target"]["id"] == made["client_id"])
        .unwrap();
    assert!(
        by["initiator"]["id"].as_str().unwrap().starts_with("os-user:"),
        "{by}"
    );
}

#[test]
fn a_program_registers_itself_by_an_initial_access_token() {
    let lab = KeystoneLab::shared();
    let (server, acme) = server(lab);
    let operator = server.setup().ca().client("operator");
    let [public, mutual] = server.ports();
    let tokens = format!("https://localhost:{mutual}/v4/oauth2/{acme}/initial-access-tokens");
    let made = server.holder(&operator).send("POST", &tokens, &[], b"").unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
    let stranger = server.setup().ca().client("stranger");
    assert_eq!(
        server
            .holder(&stranger)
            .send("POST", &tokens, &[], b"")
            .unwrap()
            .status,
        403
    );

    let bearer = format!("Bearer {}", made.json()["initial_access_token"].as_str().unwrap());
    let register = format!("https://localhost:{public}/v4/oauth2/{acme}/register");
    let metadata = json!({ "client_name": "Wiki", "redirect_uris": ["https://wiki.example/cb"], "logo_uri": "https://wiki.example/l" });
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = metadata.to_string();
    let answer = server
        .https()
        .send("POST", &register, &headers, body.as_bytes())
        .unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let information = answer.json();
    let bearer = format!(
        "Bearer {}",
        information["registration_access_token"].as_str().unwrap()
    );
    let own = format!("{register}/{}", information["client_id"].as_str().unwrap());
    let read = server.https().get(&own, &[("authorization", &bearer)]).unwrap();
    assert_eq!(read.json()["client_name"], "Wiki", "{}", read.text());
    // The command line knows it, and ends it: its registration access token ends too.
    let id = information["client_id"].as_str().unwrap();
    let deleted = server.setup().sealstone(&["client", "delete", id, "--yes"]);
    assert!(deleted.status.success(), "{deleted:?}");
    let heard = (0..5_000).any(|_attempt| {
        server
            .https()
            .get(&own, &[("authorization", &bearer)])
            .unwrap()
            .status
            == 401
    });
    assert!(heard, "the server hears of the deletion");
    assert_eq!(
        server
            .https()
            .send("POST", &register, &headers, body.as_bytes())
            .unwrap()
            .status,
        401,
        "one use"
    );
}
