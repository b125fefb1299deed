//! The Keystone that the server asks: a real one, and addresses where none is.

use sealstone_interop::{FrontKind, FrontSetup, KeystoneLab, LabMachine, ServeSetup, free_ports};
use sealstone_testkit::{KeyKind, TestCa, TestKey, pem};
use serde_json::json;

use crate::world::{Bench, Diagnosis, at, doctor, in_days, program};

const ONLY: [&str; 2] = ["--only", "keystone"];

fn serve_as(setup: &mut ServeSetup, account: &LabMachine) {
    setup.write_private("service-secret", &account.credential_secret);
    let id = format!("'{}'", account.credential_id);
    setup.set("keystone.service", "application_credential_id", &id);
    setup.set(
        "keystone.service",
        "application_credential_secret_file",
        "'service-secret'",
    );
}

fn beside(url: &str) -> Bench {
    let mut bench = Bench::new();
    bench.setup.set("keystone", "url", &format!("'{url}'"));
    bench
}

fn tied(bench: &Bench, id: &str, machine: &LabMachine) {
    bench.setup.write("secret", &machine.credential_secret);
    let (subject, path) = (format!("CN={id}"), bench.setup.path("secret"));
    bench.register(
        id,
        &[
            "--subject-dn",
            &subject,
            "--scope",
            "openstack:api",
            "--openstack-application-credential",
            &machine.credential_id,
            "--openstack-application-credential-secret-file",
            path.to_str().unwrap(),
            "--dangerous-unrestricted-application-credential",
            "--dangerous-without-keystone-check",
        ],
    );
}

#[test]
fn where_no_keystone_is() {
    let address = |url: &str| {
        let bench = beside(url);
        bench.register("first", &[]);
        bench.diagnose(&ONLY)
    };
    address("http://keystone.example/v3").has("keystone-address", "http://keystone.example/v3");
    address("http://127.0.0.1:1/v3").has("keystone-unreachable", "127.0.0.1:1");
    // Something answers there, with documents of its own; an old Keystone; one of another authority.
    let [port] = free_ports();
    let setup = FrontSetup::new();
    setup.write_certificate("other", &TestCa::new("Elsewhere").server());
    let folder = setup.folder().display().to_string();
    let [tls] = free_ports();
    let version = r#"{"version": {"id": "v3.8", "status": "stable", "links": [{"rel": "self", "href": "http://x/v3/"}]}}"#;
    let config = format!(
        "default_type application/json; server {{ listen 127.0.0.1:{port}; location = /v3 {{ return 200 '{version}'; }}\n\
         location = /v3/ {{ return 200 '{version}'; }} location / {{ return 200 hello; }} }}\n\
         server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {folder}/other.pem; ssl_certificate_key \
         {folder}/other.key; return 200 hello; }}"
    );
    let _front = setup.start(FrontKind::Nginx, tls, &config, &[]);
    address(&format!("http://127.0.0.1:{port}/identity/v3")).has("keystone-not-there", "identity");
    address(&format!("http://127.0.0.1:{port}/v3")).has("keystone-old", "v3.8");
    let mut bench = beside(&format!("https://localhost:{tls}/v3"));
    bench.setup.set("keystone", "ca_file", "'ca.pem'");
    bench.register("first", &[]);
    bench.diagnose(&ONLY).has("keystone-untrusted", "localhost");
}

#[test]
fn a_keystone_and_what_is_wrong_beside_it() {
    let lab = KeystoneLab::shared_jws();
    let service = lab.machine(&["service"]);
    let mut bench = beside(lab.url());
    serve_as(&mut bench.setup, &service);
    bench.register("first", &[]);
    let done = bench.diagnose(&ONLY);
    for id in [
        "keystone-unreachable",
        "keystone-account",
        "keystone-revocations",
        "keystone-clock",
    ] {
        done.has_not(id);
    }
    // The machine's name in place of its loopback address: not this machine, for all that anybody knows.
    let key = TestKey::generate(KeyKind::P256);
    bench.setup.write_private("mint.pem", &key.pkcs8_pem());
    bench.setup.set("keystone.mint", "private_key_file", "'mint.pem'");
    bench.diagnose(&ONLY).has("keystone-mint", lab.url());
    lab.trust_jws_key("doctor", &pem("PUBLIC KEY", &key.spki_der()));
    bench.diagnose(&ONLY).has_not("keystone-mint");
    let mut program = program();
    if let Some(later) = at(&mut program, "+3m") {
        let output = doctor(
            &bench.setup,
            "sealstoned.toml",
            &["--output", "json", "--only", "keystone"],
            later,
        );
        Diagnosis::of(&output).has("keystone-clock", "behind ours");
    }
    lab.distrust_jws_key("doctor");
    bench.setup.write_private("service-secret", "wrong");
    bench.diagnose(&ONLY).has("keystone-account", "401");
    serve_as(&mut bench.setup, &lab.machine(&["member"]));
    bench.diagnose(&ONLY).has("keystone-revocations", "may not read");
    serve_as(&mut bench.setup, &lab.machine(&["admin"]));
    bench
        .diagnose(&ONLY)
        .has("keystone-account-weak", "more than it needs");
    let ends = format!("{}T00:00:00.000000Z", date(in_days(3).as_secs()));
    serve_as(
        &mut bench.setup,
        &lab.machine_with(&["service"], &json!({"expires_at": ends})),
    );
    bench.diagnose(&ONLY).has("keystone-account-weak", "ends");
    serve_as(&mut bench.setup, &service);
    let gone = lab.machine(&["member"]);
    let token = lab.admin_token();
    tied(&bench, "gone", &gone);
    tied(&bench, "mighty", &lab.machine(&["admin"]));
    let credential = format!(
        "/users/{}/application_credentials/{}",
        gone.user_id, gone.credential_id
    );
    assert_eq!(lab.request("DELETE", &credential, Some(&token), None).status, 204);
    let environment: Vec<(&str, &str)> = lab
        .environment()
        .iter()
        .filter(|(name, _)| name.starts_with("OS_"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([("OS_SYSTEM_SCOPE", "all")])
        .collect();
    bench.setup.write_config();
    let mut program = crate::world::program();
    program.envs(environment);
    let arguments = ["--output", "json", "--only", "keystone"];
    let done = Diagnosis::of(&doctor(&bench.setup, "sealstoned.toml", &arguments, &mut program));
    done.has("keystone-client", "gone");
    done.has("keystone-client-weak", "mighty");
    // The tests' domain is none of Keystone's, and has clients tied to it.
    done.has("keystone-domain", "demo");
}

/// `2026-08-01`.
fn date(seconds: u64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap();
    moment.date().to_string()
}

/// Not this machine: nobody answers, and what would be sent is told.
#[test]
fn a_keystone_in_the_clear_across_a_network() {
    let lab = KeystoneLab::shared_jws();
    let port = lab.url().rsplit_once(':').unwrap().1;
    let mut bench = beside(&format!("http://keystone.test:{port}"));
    bench.setup.set("keystone", "dangerous_plain_http", "true");
    bench.register("first", &[]);
    let Some(done) = crate::files::with_hosts_for(&bench, "127.0.0.1 keystone.test localhost\n", "keystone")
    else {
        return;
    };
    done.has("keystone-plain", "plain http");
}
