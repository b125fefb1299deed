//! Clients tied to a real Keystone: what they get, what ends it, what is asked of Keystone for it.

#[path = "machine_identity/counting.rs"]
mod counting;
#[path = "machine_identity/service.rs"]
mod service;

use std::time::{Duration, Instant};

use sealstone_interop::{Answer, KeystoneLab, LabMachine, LabOptions, ServeServer, ServeSetup};
use sealstone_testkit::{CertificateSpec, KeyKind, TestCertificate, TestKey, pem};
use serde_json::{Value, json};

use counting::CountingProxy;
use service::Compute;

/// "Within seconds": the revocation poll of 2 s, or the age of 10 s, and a slow machine.
const SECONDS: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A server beside this Keystone, which follows its revocations; not started.
fn beside(url: &str, lab: &KeystoneLab) -> ServeSetup {
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{url}'"));
    let admin = lab.machine(&["admin"]);
    setup.set(
        "keystone.service",
        "application_credential_id",
        &format!("'{}'", admin.credential_id),
    );
    setup.set(
        "keystone.service",
        "application_credential_secret_file",
        "'service-secret'",
    );
    setup.write_private("service-secret", &admin.credential_secret);
    setup
}

/// Gives the server a key that this Keystone believes.
fn minting(setup: &mut ServeSetup, lab: &KeystoneLab, name: &str) {
    let key = TestKey::generate(KeyKind::P256);
    setup.write_private("keystone-jws.pem", &key.pkcs8_pem());
    setup.set("keystone.mint", "private_key_file", "'keystone-jws.pem'");
    lab.trust_jws_key(name, &pem("PUBLIC KEY", &key.spki_der()));
}

const UNCHECKED: &str = "--dangerous-without-keystone-check";

fn register_with_secret(setup: &ServeSetup, id: &str, machine: &LabMachine, more: &[&str]) {
    setup.write_private("credential-secret", &machine.credential_secret);
    let path = setup.path("credential-secret");
    let path = path.to_str().unwrap();
    let subject = format!("CN={id}");
    let mut arguments = vec![
        "--subject-dn",
        &subject,
        "--scope",
        "openstack:api metrics:read",
        "--openstack-application-credential",
        &machine.credential_id,
        "--openstack-application-credential-secret-file",
        path,
        UNCHECKED,
    ];
    arguments.extend(more);
    let made = setup.register(id, &arguments);
    assert!(!made.to_string().contains(&machine.credential_secret), "{made}");
}

fn register_gateway(setup: &ServeSetup) {
    let _made = setup.register(
        "gateway",
        &["--subject-dn", "CN=gateway", "--introspection", "domain"],
    );
}

fn token(server: &ServeServer, id: &str, scope: &str) -> Answer {
    token_with(server, id, scope, &server.setup().ca().client(id))
}

fn token_with(server: &ServeServer, id: &str, scope: &str, certificate: &TestCertificate) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("scope", scope),
    ];
    let url = server.mtls_url("/token");
    server.holder(certificate).post(&url, &[], &form).unwrap()
}

#[track_caller]
fn issued(server: &ServeServer, id: &str) -> String {
    let answer = token(server, id, "openstack:api");
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.said());
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn introspect(server: &ServeServer, token: &str) -> Answer {
    let certificate = server.setup().ca().client("gateway");
    let form = [("client_id", "gateway"), ("token", token)];
    let url = server.mtls_url("/introspect");
    server.holder(&certificate).post(&url, &[], &form).unwrap()
}

#[track_caller]
fn is_active(server: &ServeServer, token: &str) -> bool {
    let answer = introspect(server, token);
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.said());
    answer.json()["active"] == true
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// Until it holds; how long that took.
#[track_caller]
fn within_seconds(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SECONDS, "{what}: not within {SECONDS:?}");
        std::thread::sleep(LOOK_AGAIN);
    }
    begun.elapsed()
}

fn last_policy(server: &ServeServer) -> String {
    let events = server.audit();
    let failures = events.iter().rev().find(|event| event["outcome"] == "failure");
    failures.unwrap()["reason"]["policyId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[track_caller]
fn check_claims(token: &str, machine: &LabMachine, method: &str) {
    let claims = claims(token);
    let context = &claims["openstack_context"];
    assert_eq!(context["user_id"], *machine.user_id);
    assert_eq!(context["user_name"], *machine.user_name);
    assert_eq!(context["user_domain_name"], "acme");
    assert_eq!(context["project_id"], *machine.project_id);
    assert_eq!(
        context["roles"],
        json!(["member", "reader"]),
        "with what member implies"
    );
    assert_eq!(
        claims["delegation_context"],
        json!({"auth_method": method, "delegated_project_id": machine.project_id})
    );
    assert_eq!(claims["aud"], "openstack-apis:demo");
    assert!(claims["cnf"]["x5t#S256"].is_string());
}

#[test]
fn a_role_that_keystone_takes_away_ends_token_and_tie_within_seconds() {
    let lab = KeystoneLab::shared();
    let setup = beside(lab.url(), lab);
    register_gateway(&setup);
    let machine = lab.machine(&["member"]);
    register_with_secret(&setup, "ci", &machine, &[]);
    let disabled = lab.machine(&["member"]);
    register_with_secret(&setup, "other", &disabled, &[]);
    let server = setup.start();

    let [first, other] = ["ci", "other"].map(|id| issued(&server, id));
    check_claims(&first, &machine, "app_cred");
    assert!(is_active(&server, &first) && is_active(&server, &other));

    let path = format!(
        "/projects/{}/users/{}/roles/",
        machine.project_id, machine.user_id
    );
    lab.change("DELETE", &format!("{path}{}", lab.seed().role("member")), None);
    let user = json!({"user": {"enabled": false}});
    lab.change("PATCH", &format!("/users/{}", disabled.user_id), Some(&user));
    for (id, token) in [("ci", &first), ("other", &other)] {
        within_seconds("inactive", || !is_active(&server, token));
        let refused = self::token(&server, id, "openstack:api");
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert_eq!(refused.json()["error"], "invalid_grant");
        assert_eq!(last_policy(&server), "identity_refused/credential_not_accepted");
        assert_eq!(
            self::token(&server, id, "metrics:read").status,
            200,
            "no affair of Keystone"
        );
    }
}

#[test]
fn without_a_stored_secret_a_key_that_keystone_trusts_will_do() {
    let lab = KeystoneLab::shared_jws();
    let mut setup = beside(lab.url(), lab);
    minting(&mut setup, lab, "machine-identity");
    register_gateway(&setup);
    let machine = lab.machine(&["member"]);
    let pins = [
        "--scope",
        "openstack:api",
        "--openstack-user",
        &machine.user_id,
        "--openstack-project",
        &machine.project_id,
        UNCHECKED,
    ];
    let mut credential = vec![
        "--subject-dn",
        "CN=credential",
        "--openstack-application-credential",
        &machine.credential_id,
        "--openstack-minted",
    ];
    credential.extend(pins);
    let _made = setup.register("credential", &credential);
    let mut user = vec!["--subject-dn", "CN=user"];
    user.extend(pins);
    let _made = setup.register("user", &user);
    let stray = lab.machine(&["reader"]);
    let elsewhere = [
        "--subject-dn",
        "CN=stray",
        "--scope",
        "openstack:api",
        "--openstack-user",
        &stray.user_id,
        "--openstack-project",
        &machine.project_id,
        UNCHECKED,
    ];
    let _made = setup.register("stray", &elsewhere);
    let mut server = setup.start();

    let [credential, user] = ["credential", "user"].map(|id| issued(&server, id));
    check_claims(&credential, &machine, "app_cred");
    check_claims(&user, &machine, "mapped_user");
    let refused = token(&server, "stray", "openstack:api");
    assert_eq!(
        refused.status,
        400,
        "a user without a role there: {}",
        refused.text()
    );

    let path = format!(
        "/users/{}/application_credentials/{}",
        machine.user_id, machine.credential_id
    );
    let owner = lab.password_token(&machine.user_id, &machine.password, &machine.project_id);
    assert_eq!(lab.request("DELETE", &path, Some(&owner), None).status, 204);
    within_seconds("the credential is gone", || !is_active(&server, &credential));
    assert!(is_active(&server, &user), "the user is not");

    lab.distrust_jws_key("machine-identity");
    server.restart(|_| ());
    let refused = token(&server, "user", "openstack:api");
    assert_ne!(
        refused.status, 200,
        "a key that Keystone does not trust makes nothing"
    );
}

#[test]
fn the_dangerous_kind_of_credential_needs_its_flag() {
    let lab = KeystoneLab::shared();
    let setup = beside(lab.url(), lab);
    let machine = lab.machine_with(&["member"], &json!({"unrestricted": true}));
    register_with_secret(&setup, "plain", &machine, &[]);
    register_with_secret(
        &setup,
        "flagged",
        &machine,
        &["--dangerous-unrestricted-application-credential"],
    );
    let server = setup.start();
    let refused = token(&server, "plain", "openstack:api");
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    assert_eq!(last_policy(&server), "unrestricted_application_credential");
    let _token = issued(&server, "flagged");
}

#[test]
fn a_token_carries_the_access_rules_and_ends_with_its_credential() {
    let lab = KeystoneLab::shared();
    let setup = beside(lab.url(), lab);
    let rule = json!({"service": "compute", "method": "GET", "path": "/v2.1/servers/**"});
    let ruled = lab.machine_with(&["member"], &json!({"access_rules": [rule]}));
    register_with_secret(&setup, "ruled", &ruled, &[]);
    let end = in_seconds(300);
    let ending = lab.machine_with(&["member"], &json!({"expires_at": end}));
    register_with_secret(&setup, "ending", &ending, &[]);
    let server = setup.start();
    let certificate = server.setup().ca().client("ruled");
    let answer = token_with(&server, "ruled", "openstack:api", &certificate);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(claims(&token)["openstack_context"]["access_rules"], json!([rule]));
    let compute = Compute::beside(&server, "compute");
    for (method, path, status) in [
        ("GET", "/v2.1/servers/7", 200),
        ("GET", "/v2.1/servers", 200),
        ("DELETE", "/v2.1/servers/7", 403),
        ("GET", "/v2.1/flavors", 403),
        ("GET", "/v2.1/servers/../flavors", 403),
    ] {
        assert_eq!(
            compute.answers(&token, Some(&certificate), method, path),
            status,
            "{method} {path}"
        );
    }
    let volume = Compute::beside(&server, "block-storage");
    assert_eq!(
        volume.answers(&token, Some(&certificate), "GET", "/v2.1/servers/7"),
        403,
        "another service"
    );
    let stolen = server.setup().ca().client("thief");
    for other in [None, Some(&stolen)] {
        assert_eq!(
            compute.answers(&token, other, "GET", "/v2.1/servers/7"),
            401,
            "held by nobody else"
        );
    }
    let answer = self::token(&server, "ending", "openstack:api").json();
    let expires_in = answer["expires_in"].as_u64().unwrap();
    assert!(expires_in > 200 && expires_in <= 300, "{expires_in}");
}

/// An end for Keystone, by the machine's own `date`.
fn in_seconds(seconds: u64) -> String {
    let output = std::process::Command::new("date")
        .args([
            "-u",
            "-d",
            &format!("+{seconds} seconds"),
            "+%Y-%m-%dT%H:%M:%S.000000Z",
        ])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn cold_costs_one_call_and_warm_none() {
    let lab = KeystoneLab::shared();
    let proxy = CountingProxy::before(lab.url());
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", proxy.url()));
    setup.set("keystone", "identity_cache_s", "60");
    let machine = lab.machine(&["member"]);
    register_with_secret(&setup, "ci", &machine, &[]);
    register_gateway(&setup);
    let server = setup.start();
    assert_eq!(token(&server, "ci", "metrics:read").status, 200);
    assert_eq!(proxy.calls(), [""; 0], "without openstack:api nobody asks");
    let first = issued(&server, "ci");
    assert_eq!(proxy.calls(), ["POST /v3/auth/tokens?nocatalog"]);
    for _ in 0..20 {
        let _token = issued(&server, "ci");
        assert!(is_active(&server, &first));
    }
    assert_eq!(proxy.calls(), ["POST /v3/auth/tokens?nocatalog"]);
}

#[test]
fn while_keystone_is_away_nothing_is_granted_and_nobody_is_told_lies() {
    let mut lab = KeystoneLab::start(&LabOptions::new());
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    setup.set("keystone", "identity_cache_s", "1");
    let machine = lab.machine(&["member"]);
    register_with_secret(&setup, "ci", &machine, &[]);
    register_gateway(&setup);
    let server = setup.start();
    let first = issued(&server, "ci");
    assert!(is_active(&server, &first));
    lab.stop();
    within_seconds("what was known has aged", || {
        introspect(&server, &first).status == 503
    });
    for answer in [token(&server, "ci", "openstack:api"), introspect(&server, &first)] {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(last_policy(&server), "backend_failure/identity_unavailable");
    }
    assert_eq!(token(&server, "ci", "metrics:read").status, 200);
    lab.restart(&[]);
    within_seconds("it is back", || {
        let answer = introspect(&server, &first);
        answer.status == 200 && answer.json()["active"] == true
    });
    let said = server.said();
    assert!(!said.contains(&machine.credential_secret), "a secret in the log");
}

/// What the command line says to a registration, as somebody of the cloud.
fn create(setup: &ServeSetup, id: &str, more: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
    let subject = format!("CN={id}");
    let mut arguments = vec![
        "client",
        "create",
        id,
        "--domain",
        "demo",
        "--new-domain",
        "--subject-dn",
        &subject,
        "--scope",
        "openstack:api",
    ];
    arguments.extend(more);
    let output = setup.sealstone_as(&arguments, environment);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

#[test]
fn nobody_registers_more_than_he_holds() {
    let lab = KeystoneLab::shared();
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    let member = lab.machine(&["member"]);
    let member_token = lab.password_token(&member.user_id, &member.password, &member.project_id);
    let stranger = lab.machine(&["member"]);
    let stranger_token = lab.password_token(&stranger.user_id, &stranger.password, &stranger.project_id);
    let reader = lab.machine(&["reader"]);
    // The reader of the member's project: fewer roles than the member's credential gives.
    let path = format!("/projects/{}/users/{}/roles/", member.project_id, reader.user_id);
    lab.change("PUT", &format!("{path}{}", lab.seed().role("reader")), None);
    let reader_token = lab.password_token(&reader.user_id, &reader.password, &reader.project_id);
    let carol = lab.seed().user("carol");
    lab.change(
        "PUT",
        &format!(
            "/projects/{}/users/{}/roles/{}",
            member.project_id,
            carol.id,
            lab.seed().role("member")
        ),
        None,
    );
    let carol_token = lab.password_token(&carol.id, &carol.password, &member.project_id);
    let admin_token = lab.admin_token();

    setup.write_private("secret", &member.credential_secret);
    let secret = setup.path("secret");
    let tie = [
        "--openstack-application-credential",
        &member.credential_id,
        "--openstack-application-credential-secret-file",
        secret.to_str().unwrap(),
    ];
    let refused = [
        ("nobody", "", "dangerous-without-keystone-check"),
        ("no-token", "gAAAA", "does not let you in"),
        ("stranger", stranger_token.as_str(), "no role in the project"),
        ("reader", reader_token.as_str(), "do not hold there: member"),
        ("carol", carol_token.as_str(), "outside your domain"),
    ];
    for (id, token, why) in refused {
        let (done, said) = create(&setup, id, &tie, &[("OS_TOKEN", token)]);
        assert!(!done && said.contains(why), "{id}: {said}");
        assert!(!said.contains(&member.credential_secret), "{said}");
    }
    for (id, token) in [("owner", &member_token), ("admin", &admin_token)] {
        let (done, said) = create(&setup, id, &tie, &[("OS_TOKEN", token)]);
        assert!(done, "{id}: {said}");
        let shown = setup.sealstone(&["client", "show", id, "--output", "json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(
            shown["openstack_user_id"], *member.user_id,
            "what it turned out to be is kept"
        );
        assert_eq!(shown["openstack_project_id"], *member.project_id);
    }

    let ending = lab.machine_with(&["member"], &json!({"expires_at": "2099-12-31T23:59:59.000000Z"}));
    let minted = [
        "--openstack-application-credential",
        &ending.credential_id,
        "--openstack-minted",
        "--openstack-user",
        &ending.user_id,
        "--openstack-project",
        &ending.project_id,
    ];
    let ending_token = lab.password_token(&ending.user_id, &ending.password, &ending.project_id);
    let (done, said) = create(&setup, "minted", &minted, &[("OS_TOKEN", &ending_token)]);
    assert!(done, "{said}");
    let shown = setup.sealstone(&["client", "show", "minted", "--output", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        shown["openstack_application_credential_expires_at"],
        4_102_444_799_u64
    );

    let mapping = rules(&setup, "rules.json", "any");
    let mapping = [
        "--openstack-mapping",
        &mapping,
        "--openstack-project",
        &member.project_id,
    ];
    let (done, said) = create(&setup, "rules", &mapping, &[("OS_TOKEN", &member_token)]);
    assert!(!done && said.contains("may lead to any user"), "{said}");
    let (done, said) = create(&setup, "rules", &mapping, &[("OS_TOKEN", &admin_token)]);
    assert!(done, "{said}");

    let user = [
        "--openstack-user",
        &member.user_id,
        "--openstack-project",
        &member.project_id,
    ];
    let (done, said) = create(&setup, "own-user", &user, &[("OS_TOKEN", &admin_token)]);
    assert!(done, "{said}");
    let (done, said) = create(&setup, "others-user", &user, &[("OS_TOKEN", &stranger_token)]);
    assert!(!done, "{said}");

    let unrestricted = lab.machine_with(&["member"], &json!({"unrestricted": true}));
    setup.write_private("unrestricted", &unrestricted.credential_secret);
    let path = setup.path("unrestricted");
    let mut tie = vec![
        "--openstack-application-credential",
        &unrestricted.credential_id,
        "--openstack-application-credential-secret-file",
        path.to_str().unwrap(),
    ];
    let (done, said) = create(&setup, "unrestricted", &tie, &[("OS_TOKEN", &admin_token)]);
    assert!(!done && said.contains("is unrestricted"), "{said}");
    tie.push("--dangerous-unrestricted-application-credential");
    let (done, said) = create(&setup, "unrestricted", &tie, &[("OS_TOKEN", &admin_token)]);
    assert!(done, "{said}");
}

/// Rules over a certificate's names, as Keystone's own `oauth2_cert_dn_mapping_id` has them.
fn rules(setup: &ServeSetup, name: &str, user_name: &str) -> String {
    let rules = json!({"rules": [{
        "local": [{"user": {"id": "{0}", "name": user_name, "domain": {"name": "{1}"}}}],
        "remote": [{"type": "SSL_CLIENT_SUBJECT_DN_UID"}, {"type": "SSL_CLIENT_SUBJECT_DN_O"},
                   {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["Machines"]}],
    }]});
    setup.write(name, &rules.to_string());
    setup.path(name).to_str().unwrap().to_owned()
}

#[test]
fn a_certificate_says_which_keystone_user_it_is() {
    let lab = KeystoneLab::shared_jws();
    let mut setup = beside(lab.url(), lab);
    minting(&mut setup, lab, "machine-mapping");
    register_gateway(&setup);
    let machine = lab.machine(&["member"]);
    for (id, name) in [
        ("mapped", machine.user_name.as_str()),
        ("misnamed", "somebody-else"),
    ] {
        let path = rules(&setup, &format!("{id}.json"), name);
        let _made = setup.register(
            id,
            &[
                "--san-dns",
                &format!("{id}.example"),
                "--scope",
                "openstack:api",
                "--openstack-mapping",
                &path,
                "--openstack-project",
                &machine.project_id,
                UNCHECKED,
            ],
        );
    }
    let server = setup.start();
    let ask = |id: &str, subject: &[(&str, &str)]| {
        let spec = CertificateSpec::client(id)
            .subject(subject)
            .san_dns(&format!("{id}.example"));
        token_with(&server, id, "openstack:api", &server.setup().ca().issue(spec))
    };
    let uid = machine.user_id.as_str();
    let answer = ask("mapped", &[("O", "acme"), ("UID", uid)]);
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.said());
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    check_claims(&token, &machine, "mapped_user");
    assert!(is_active(&server, &token));

    let other = lab.machine(&["member"]);
    let refused = [
        ("mapped", vec![("O", "acme")], "mapping_undecided/no_rule"),
        ("mapped", vec![("O", "globex"), ("UID", uid)], "other_identity"),
        ("misnamed", vec![("O", "acme"), ("UID", uid)], "other_identity"),
        (
            "mapped",
            vec![("O", "acme"), ("UID", other.user_id.as_str())],
            "identity_refused/user_not_accepted",
        ),
    ];
    for (id, subject, policy) in refused {
        let answer = ask(id, &subject);
        assert_eq!(answer.status, 400, "{subject:?}: {}", answer.text());
        assert_eq!(answer.json()["error"], "invalid_grant");
        assert_eq!(last_policy(&server), policy, "{subject:?}");
    }

    let user = json!({"user": {"enabled": false}});
    lab.change("PATCH", &format!("/users/{}", machine.user_id), Some(&user));
    within_seconds("the user is disabled", || !is_active(&server, &token));
    assert_eq!(ask("mapped", &[("O", "acme"), ("UID", uid)]).status, 400);
}
