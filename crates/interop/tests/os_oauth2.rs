//! `POST /v3/OS-OAUTH2/token` before a real Keystone: keystoneauth, the `openstack` command and OpenStack's middleware,
//! with tokens that Keystone issued and with tokens made here.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealstone_interop::{
    Answer, CertificateIn, Https, KeystoneLab, LabFront, LabMachine, ServeServer, ServeSetup, WsgiService,
    WsgiSetup,
};
use sealstone_testkit::{KeyKind, TestCertificate, TestKey, pem};
use serde_json::{Value, json};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A server beside this Keystone; not started.
fn beside(lab: &KeystoneLab) -> ServeSetup {
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    setup
}

/// The same, with a key of its own that this Keystone believes.
fn minting(lab: &KeystoneLab, name: &str) -> ServeSetup {
    let mut setup = beside(lab);
    let key = TestKey::generate(KeyKind::P256);
    setup.write_private("keystone-jws.pem", &key.pkcs8_pem());
    setup.set("keystone.mint", "private_key_file", "'keystone-jws.pem'");
    lab.trust_jws_key(name, &pem("PUBLIC KEY", &key.spki_der()));
    setup
}

/// A client that shows the certificate `CN=id` and acts as this user.
fn register_user(setup: &ServeSetup, id: &str, user_id: &str, project_id: &str) {
    let subject = format!("CN={id}");
    let arguments = [
        "--subject-dn",
        &subject,
        "--scope",
        "openstack:api",
        "--openstack-user",
        user_id,
        "--openstack-project",
        project_id,
        "--dangerous-without-keystone-check",
    ];
    let _made = setup.register(id, &arguments);
}

/// A client that shows the certificate `CN=id` and acts with this application credential, whose secret is kept.
fn register_sealed(setup: &ServeSetup, id: &str, machine: &LabMachine) {
    setup.write_private("credential-secret", &machine.credential_secret);
    let (subject, path) = (format!("CN={id}"), setup.path("credential-secret"));
    let arguments = [
        "--subject-dn",
        &subject,
        "--scope",
        "openstack:api",
        "--openstack-application-credential",
        &machine.credential_id,
        "--openstack-application-credential-secret-file",
        path.to_str().unwrap(),
        "--dangerous-without-keystone-check",
    ];
    let _made = setup.register(id, &arguments);
}

/// Our endpoint, for everybody or on the port that asks for a certificate.
fn endpoint(port: u16) -> String {
    format!("https://localhost:{port}/v3/OS-OAUTH2/token")
}

fn by_certificate(server: &ServeServer, id: &str, certificate: Option<&TestCertificate>) -> Answer {
    let https = certificate.map_or_else(|| server.https(), |certificate| server.holder(certificate));
    let [_, mutual] = server.ports();
    https
        .post(&endpoint(mutual), &[], &[GRANT, ("client_id", id)])
        .unwrap()
}

fn text(answer: &Answer, member: &str) -> String {
    let body = answer.json();
    body[member]
        .as_str()
        .unwrap_or_else(|| unreachable!("{body}"))
        .to_owned()
}

/// Where keystoneauth finds certificate, key and CA.
struct Files {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(server: &ServeServer, name: &str, certificate: &TestCertificate) -> Self {
        let setup = server.setup();
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        setup.write(&cert, &certificate.chain_pem());
        setup.write_private(&key, &certificate.key_pem());
        Self {
            ca: setup.path("ca.pem"),
            cert: setup.path(&cert),
            key: setup.path(&key),
        }
    }
}

fn keystoneauth(
    plugin: &str,
    options: &Value,
    files: &Files,
    with_certificate: bool,
    call: Option<&str>,
) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let parameters = json!({
        "plugin": plugin, "options": options, "ca": files.ca, "call": call,
        "cert": with_certificate.then_some(&files.cert), "key": with_certificate.then_some(&files.key),
    });
    let output = Command::new(here.join("../../target/interop-python/bin/python"))
        .args(["-W", "ignore"])
        .arg(here.join("clients/python/keystoneauth_client.py"))
        .arg(parameters.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok());
    last.unwrap_or_else(|| json!({"error": String::from_utf8_lossy(&output.stderr)}))
}

/// `openstack` with these settings and none of the administrator's.
fn openstack(lab: &KeystoneLab, settings: &[(&str, &str)], arguments: &[&str]) -> (bool, Value, String) {
    let mut command = lab.openstack(arguments);
    for name in [
        "OS_USERNAME",
        "OS_PASSWORD",
        "OS_PROJECT_NAME",
        "OS_USER_DOMAIN_ID",
        "OS_PROJECT_DOMAIN_ID",
    ] {
        command.env_remove(name);
    }
    let output = command
        .args(["-f", "json"])
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (
        output.status.success(),
        json,
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A service of `examples/openstack-service` that asks this Keystone.
fn service(name: &str, lab: &KeystoneLab, server: &ServeServer) -> WsgiService {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/openstack-service");
    let filled = |name: &str, changes: &[(&str, &str)]| {
        let mut text = std::fs::read_to_string(folder.join(name)).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{name} does not say `{from}`");
            text = text.replace(from, to);
        }
        text
    };
    let password = &lab.seed().user("nova").password;
    let ca = server.setup().ca();
    WsgiService::start(&WsgiSetup {
        paste: &filled(
            &format!("{name}.ini"),
            &[("compute.api:application", WsgiService::APPLICATION)],
        ),
        config: Some(&filled(
            "keystone_authtoken.conf",
            &[("https://keystone.example/v3", lab.url()), ("PASSWORD", password)],
        )),
        certificate: &ca.server(),
        client_ca: &ca.pem(),
        certificate_in: CertificateIn::Socket,
        python_path: &[],
    })
}

fn call(https: &Https, service: &WsgiService, path: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("x-auth-token", token), ("authorization", bearer.as_str())];
    https.get(&format!("{}{path}", service.url()), &headers).unwrap()
}

#[track_caller]
fn taken(answer: &Answer, service: &WsgiService, project_id: &str) {
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), service.said());
    assert_eq!(answer.json()["environ"]["HTTP_X_PROJECT_ID"], project_id);
    assert_eq!(
        answer.json()["environ"]["HTTP_X_ROLES"]
            .as_str()
            .map(|roles| roles.contains("member")),
        Some(true)
    );
}

#[test]
fn an_application_credential_of_keystone_is_passed_on() {
    let lab = KeystoneLab::shared();
    let machine = lab.machine(&["member"]);
    let server = beside(lab).start();
    let [public, _] = server.ports();
    let files = Files::of(&server, "none", &server.setup().ca().client("none"));

    let options = json!({
        "auth_url": lab.url(), "oauth2_endpoint": endpoint(public),
        "oauth2_client_id": machine.credential_id, "oauth2_client_secret": machine.credential_secret,
    });
    let services = ["auth_token", "oauth2_token"].map(|name| service(name, lab, &server));
    for service in &services {
        let url = format!("{}/v2.1/servers", service.url());
        let outcome = keystoneauth("v3oauth2clientcredential", &options, &files, false, Some(&url));
        assert_eq!(outcome["service"]["status"], 200, "{outcome}\n{}", service.said());
        let bearer = outcome["headers"]["Authorization"].as_str().unwrap();
        let said = lab.validated(bearer.strip_prefix("Bearer ").unwrap()).unwrap();
        assert_eq!(said["project"]["id"], *machine.project_id);
        assert_eq!(said["application_credential"]["id"], *machine.credential_id);
        assert_eq!(said["methods"], json!(["application_credential"]));
    }
    let settings = [
        ("OS_AUTH_TYPE", "v3oauth2clientcredential"),
        ("OS_OAUTH2_ENDPOINT", &endpoint(public)),
        ("OS_OAUTH2_CLIENT_ID", &machine.credential_id),
        ("OS_OAUTH2_CLIENT_SECRET", &machine.credential_secret),
        ("OS_CACERT", files.ca.to_str().unwrap()),
    ];
    let (done, issued, stderr) = openstack(lab, &settings, &["token", "issue"]);
    assert!(done, "{stderr}");
    assert_eq!(issued["project_id"], *machine.project_id);
    let (done, projects, stderr) = openstack(lab, &settings, &["project", "list"]);
    assert!(done, "{stderr}");
    assert_eq!(projects[0]["ID"], *machine.project_id, "{projects}");

    same_answers(lab, &server, &machine);
    let refused = [
        (machine.credential_id.as_str(), "wrong"),
        (
            "0123456789abcdef0123456789abcdef",
            machine.credential_secret.as_str(),
        ),
    ];
    for (id, secret) in refused {
        let form = [GRANT, ("client_id", id), ("client_secret", secret)];
        let answer = server.https().post(&endpoint(public), &[], &form).unwrap();
        assert_eq!(
            (answer.status, text(&answer, "error").as_str()),
            (401, "invalid_client"),
            "{id}"
        );
    }
    let user = json!({"user": {"enabled": false}});
    lab.change("PATCH", &format!("/users/{}", machine.user_id), Some(&user));
    let form = [
        GRANT,
        ("client_id", &machine.credential_id),
        ("client_secret", &machine.credential_secret),
    ];
    let answer = server.https().post(&endpoint(public), &[], &form).unwrap();
    assert_eq!(
        (answer.status, text(&answer, "error").as_str()),
        (401, "invalid_client"),
        "disabled"
    );
    assert!(
        !server.said().contains(&machine.credential_secret),
        "a secret in the log"
    );
}

/// Keystone and we, asked the same at once.
fn same_answers(lab: &KeystoneLab, server: &ServeServer, machine: &LabMachine) {
    let keystone = Https::trusting(&lab.seed().ca_pem());
    let there = format!("{}/OS-OAUTH2/token", lab.tls(LabFront::Nginx));
    let [public, _] = server.ports();
    let secret = machine.credential_secret.as_str();
    let basic = format!(
        "Basic {}",
        base64_simd::STANDARD.encode_to_string(format!("{}:{secret}", machine.credential_id))
    );
    let good = [
        ("client_id", machine.credential_id.as_str()),
        ("client_secret", secret),
    ];
    let cases = [
        ("form", None::<&str>, vec![GRANT, good[0], good[1]]),
        ("basic", Some(&basic), vec![GRANT]),
        ("a scope", Some(&basic), vec![GRANT, ("scope", "anything")]),
        (
            "basic and another id",
            Some(&basic),
            vec![GRANT, ("client_id", "other")],
        ),
        ("no grant", Some(&basic), vec![("x", "y")]),
        ("no secret", None, vec![GRANT, good[0]]),
        ("nobody", None, vec![GRANT]),
        (
            "a wrong secret",
            None,
            vec![GRANT, good[0], ("client_secret", "wrong")],
        ),
    ];
    for (what, authorization, form) in cases {
        let headers: Vec<(&str, &str)> = authorization
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let [theirs, ours] =
            [(&keystone, &there), (&server.https(), &endpoint(public))].map(|(https, url)| {
                let answer = https.post(url, &headers, &form).unwrap();
                let mut body = answer.json();
                if let Some(token) = body.get_mut("access_token") {
                    *token = json!("TOKEN");
                }
                (answer.status, body)
            });
        assert_eq!(theirs, ours, "{what}");
    }
}

#[test]
fn a_token_made_here_is_bound_as_keystones_own_are() {
    let lab = KeystoneLab::shared_jws();
    let machine = lab.machine(&["member"]);
    let setup = minting(lab, "os-oauth2-bound");
    register_user(&setup, "ci", &machine.user_id, &machine.project_id);
    let server = setup.start();
    let own = server.setup().ca().client("ci");
    let files = Files::of(&server, "ci", &own);
    let [_, mutual] = server.ports();
    let options = json!({
        "auth_url": lab.url(), "oauth2_endpoint": endpoint(mutual), "oauth2_client_id": "ci",
    });
    let outcome = keystoneauth("v3oauth2mtlsclientcredential", &options, &files, true, None);
    assert_eq!(
        outcome["project_id"],
        *machine.project_id,
        "{outcome}\n{}",
        server.said()
    );
    let token = outcome["token"].as_str().unwrap().to_owned();
    alike(lab, &token, &own);

    let settings = [
        ("OS_AUTH_TYPE", "v3oauth2mtlsclientcredential"),
        ("OS_OAUTH2_ENDPOINT", &endpoint(mutual)),
        ("OS_OAUTH2_CLIENT_ID", "ci"),
        ("OS_CACERT", files.ca.to_str().unwrap()),
        ("OS_CERT", files.cert.to_str().unwrap()),
        ("OS_KEY", files.key.to_str().unwrap()),
    ];
    let (done, issued, stderr) = openstack(lab, &settings, &["token", "issue"]);
    assert!(done, "{stderr}");
    assert_eq!(issued["project_id"], *machine.project_id);
    let (done, projects, stderr) = openstack(lab, &settings, &["project", "list"]);
    assert!(done, "{stderr}");
    assert_eq!(projects[0]["ID"], *machine.project_id, "{projects}");

    stolen(lab, &server, &token, &own, &machine.project_id);
    for (what, certificate) in [
        ("none", None),
        ("another", Some(server.setup().ca().client("other"))),
        (
            "another authority's",
            Some(sealstone_testkit::TestCa::new("Machines").client("ci")),
        ),
    ] {
        let answer = by_certificate(&server, "ci", certificate.as_ref());
        assert_eq!(
            (answer.status, text(&answer, "error").as_str()),
            (401, "invalid_client"),
            "{what}"
        );
    }
    let user = json!({"user": {"enabled": false}});
    lab.change("PATCH", &format!("/users/{}", machine.user_id), Some(&user));
    lab.distrust_jws_key("os-oauth2-bound");
    let mut server = server;
    server.restart(|_| ());
    let answer = by_certificate(&server, "ci", Some(&own));
    assert_eq!(
        (answer.status, text(&answer, "error").as_str()),
        (401, "invalid_client"),
        "disabled"
    );
}

/// What Keystone says of our token, and what the token itself holds, beside one that Keystone made by certificate.
fn alike(lab: &KeystoneLab, token: &str, own: &TestCertificate) {
    let seed = lab.seed();
    let keystone = Https::trusting(&seed.ca_pem()).with_certificate(&seed.certificate("ci-bot"));
    let form = [GRANT, ("client_id", seed.user("ci-bot").id.as_str())];
    let url = format!("{}/OS-OAUTH2/token", lab.tls(LabFront::Nginx));
    let answer = keystone.post(&url, &[], &form).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let theirs = text(&answer, "access_token");
    let names = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&claims(token)), names(&claims(&theirs)), "claims");
    let [ours_said, theirs_said] = [token, &theirs].map(|token| lab.validated(token).unwrap());
    assert_eq!(names(&ours_said), names(&theirs_said), "what Keystone says of it");
    assert_eq!(ours_said["methods"], theirs_said["methods"]);
    let thumbprint = sealstone_interop_thumbprint(own);
    assert_eq!(ours_said["oauth2_credential"]["x5t#S256"], thumbprint);
    assert_eq!(claims(token)["openstack_thumbprint"], thumbprint);
}

/// As Keystone writes it, computed by Python's own PEM and hash and not by the crates under test.
fn sealstone_interop_thumbprint(certificate: &TestCertificate) -> String {
    let program = "import base64, hashlib, ssl, sys\n\
                   pem = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(sys.argv[1]))\n\
                   print(base64.urlsafe_b64encode(hashlib.sha256(pem.encode()).digest()).decode())";
    let output = Command::new("python3")
        .args(["-c", program, &certificate.pem()])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap()).unwrap()
}

/// `oauth2_mtls_token` holds a token to its certificate; `auth_token` and `oauth2_token` never do.
fn stolen(lab: &KeystoneLab, server: &ServeServer, token: &str, own: &TestCertificate, project_id: &str) {
    let thief = server.setup().ca().client("thief");
    let mtls = service("oauth2_mtls_token", lab, server);
    taken(
        &call(&server.holder(own), &mtls, "/v2.1/servers", token),
        &mtls,
        project_id,
    );
    assert_eq!(
        call(&server.holder(&thief), &mtls, "/v2.1/servers", token).status,
        401,
        "stolen"
    );
    assert_eq!(
        call(&server.https(), &mtls, "/v2.1/servers", token).status,
        401,
        "without a certificate"
    );
    for name in ["auth_token", "oauth2_token"] {
        let service = service(name, lab, server);
        taken(
            &call(&server.holder(own), &service, "/v2.1/servers", token),
            &service,
            project_id,
        );
        // A fact about these two that guides must tell; if it ever changes, so must they.
        taken(
            &call(&server.holder(&thief), &service, "/v2.1/servers", token),
            &service,
            project_id,
        );
    }
}

#[test]
fn a_token_made_for_an_application_credential_keeps_its_rules_and_its_certificate() {
    let lab = KeystoneLab::shared_jws();
    let rules = json!({"access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]});
    let machine = lab.machine_with(&["member"], &rules);
    let setup = minting(lab, "os-oauth2-credential");
    register_sealed(&setup, "sealed", &machine);
    let secret = {
        let arguments = [
            "--scope",
            "openstack:api",
            "--openstack-application-credential",
            &machine.credential_id,
            "--openstack-minted",
            "--openstack-user",
            &machine.user_id,
            "--openstack-project",
            &machine.project_id,
            "--dangerous-without-keystone-check",
        ];
        let made = setup.register("minted", &arguments);
        made["client_secret"].as_str().unwrap().to_owned()
    };
    let server = setup.start();
    let own = server.setup().ca().client("sealed");
    let answer = by_certificate(&server, "sealed", Some(&own));
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.said());
    let bound = text(&answer, "access_token");
    let said = lab.validated(&bound).unwrap();
    assert_eq!(said["application_credential"]["id"], *machine.credential_id);
    assert_eq!(
        said["oauth2_credential"]["x5t#S256"],
        sealstone_interop_thumbprint(&own)
    );

    let [public, _] = server.ports();
    let form = [GRANT, ("client_id", "minted"), ("client_secret", &secret)];
    let basic = base64_simd::STANDARD.encode_to_string(format!("minted:{secret}"));
    let headers = [("authorization", format!("Basic {basic}"))];
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = server
        .https()
        .post(&endpoint(public), &headers, &form[..1])
        .unwrap();
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.said());
    let unbound = text(&answer, "access_token");

    let service = service("oauth2_token", lab, &server);
    for token in [&bound, &unbound] {
        taken(
            &call(&server.https(), &service, "/v2.1/servers", token),
            &service,
            &machine.project_id,
        );
        assert_eq!(
            call(&server.https(), &service, "/v2.1/flavors", token).status,
            401,
            "outside the rules"
        );
    }
    let mtls = self::service("oauth2_mtls_token", lab, &server);
    taken(
        &call(&server.holder(&own), &mtls, "/v2.1/servers", &bound),
        &mtls,
        &machine.project_id,
    );
    assert_eq!(
        call(&server.holder(&own), &mtls, "/v2.1/servers", &unbound).status,
        401,
        "not bound"
    );
    lab.distrust_jws_key("os-oauth2-credential");
}

#[test]
fn who_must_be_bound_is_refused_where_nothing_can_be_made() {
    let lab = KeystoneLab::shared();
    let machine = lab.machine(&["member"]);
    let setup = beside(lab);
    register_sealed(&setup, "sealed", &machine);
    let server = setup.start();
    let own = server.setup().ca().client("sealed");
    let answer = by_certificate(&server, "sealed", Some(&own));
    assert_eq!(
        (answer.status, text(&answer, "error").as_str()),
        (400, "unauthorized_client")
    );
    let files = Files::of(&server, "sealed", &own);
    let [_, mutual] = server.ports();
    let options = json!({
        "auth_url": lab.url(), "oauth2_endpoint": endpoint(mutual), "oauth2_client_id": "sealed",
    });
    let outcome = keystoneauth("v3oauth2mtlsclientcredential", &options, &files, true, None);
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(message.contains("certificate-bound tokens only"), "{outcome}");
}
