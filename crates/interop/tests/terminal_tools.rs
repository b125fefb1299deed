//! Plain tools after `sealstone login`: python-openstackclient, openstacksdk, what Terraform reads, kubectl's and
//! other programs' helpers.

#[expect(dead_code, reason = "the tests of the cache use the rest of it")]
#[path = "terminal_cache/terminal.rs"]
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealstone_interop::{DevServer, KeystoneLab, LabMachine, ProtectedService};
use serde_json::Value;
use terminal::{Done, Running, Terminal, come_back, program, sign_in};

/// A user of a real Keystone, at a terminal.
struct World {
    lab: &'static KeystoneLab,
    machine: LabMachine,
    terminal: Terminal,
}

fn world() -> World {
    let lab = KeystoneLab::shared();
    let machine = lab.machine(&["member"]);
    let terminal = Terminal::new();
    let folder = terminal.home().join(".config/openstack");
    fs::create_dir_all(&folder).unwrap();
    let clouds = format!(
        "# mine\nclouds:\n  lab:\n    region_name: R1 # the only one\n    auth:\n      auth_url: {}\n      username: {}\n      \
         user_domain_id: {}\n      project_id: {}\n",
        lab.url(),
        machine.user_name,
        machine.domain_id,
        machine.project_id
    );
    fs::write(folder.join("clouds.yaml"), clouds).unwrap();
    let secure = format!(
        "clouds:\n  lab:\n    auth:\n      password: {}\n",
        machine.password
    );
    fs::write(folder.join("secure.yaml"), secure).unwrap();
    World {
        lab,
        machine,
        terminal,
    }
}

/// The program of that name that others wrote.
fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/interop-python/bin")
        .join(name)
}

impl World {
    fn exec(&self, arguments: &[&str]) -> Done {
        self.terminal
            .run(&[&["exec", "--cloud", "lab", "--"], arguments].concat())
    }

    /// A shell with variables of another login.
    fn shell(&self, script: &str) -> String {
        let mut command = self.terminal.bare("/bin/sh".as_ref());
        command
            .args(["-euc", script])
            .env("OS_USERNAME", "somebody-else")
            .env("OS_PASSWORD", "wrong")
            .env("OS_PROJECT_NAME", "elsewhere")
            .env("OS_USER_DOMAIN_NAME", "nowhere")
            .env("SEALSTONE", program())
            .env("OPENSTACK", tool("openstack"))
            .env("PYTHONWARNINGS", "ignore");
        Running::of(command).end().ok()
    }
}

#[test]
fn openstackclient_works_with_a_login() {
    let world = world();
    let told = world
        .terminal
        .run(&["login", "--cloud", "lab", "--output", "json"])
        .ok();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["keystone_user_id"], *world.machine.user_id);
    assert_eq!(told["keystone_scope_id"], *world.machine.project_id);
    let roles = told["roles"].as_array().unwrap();
    assert!(roles.iter().any(|role| role == "member"), "{told}");

    let openstack = tool("openstack").display().to_string();
    let issued = world.exec(&[&openstack, "token", "issue", "-f", "json"]).ok();
    let issued: Value = serde_json::from_str(&issued).unwrap();
    assert_eq!(issued["user_id"], *world.machine.user_id);
    assert_eq!(issued["project_id"], *world.machine.project_id);

    // Whatever stood in the shell before: it is another login's, and goes.
    let script = "eval \"$(\"$SEALSTONE\" env --cloud lab)\"; \"$OPENSTACK\" token issue -f json";
    let issued: Value = serde_json::from_str(&world.shell(script)).unwrap();
    assert_eq!(issued["project_id"], *world.machine.project_id);
    let script = "eval \"$(\"$SEALSTONE\" env --cloud lab)\"; eval \"$(\"$SEALSTONE\" env --unset)\"; env";
    let left = world.shell(script);
    assert!(left.lines().all(|line| !line.starts_with("OS_")), "{left}");

    let token = world.terminal.run(&["token", "--cloud", "lab"]).ok();
    assert!(world.lab.validated(token.trim()).is_some());
    assert!(world.terminal.run(&["logout", "--cloud", "lab"]).status == Some(0));
    assert!(world.lab.validated(token.trim()).is_none(), "revoked");
}

#[test]
fn openstacksdk_works_with_a_login() {
    let world = world();
    let script = "import openstack; c = openstack.connect(); print(c.current_user_id, c.current_project_id, c.config.region_name)";
    let python = tool("python").display().to_string();
    let out = world.exec(&[&python, "-W", "ignore", "-c", script]);
    // Nobody was asked: the password stands in secure.yaml.
    let want = format!("{} {} R1\n", world.machine.user_id, world.machine.project_id);
    assert_eq!(out.ok(), want);
}

/// What Terraform's provider and gophercloud read of the environment (`clientconfig`, `openstack.AuthOptionsFromEnv`):
/// a token, where it is good, and nothing that says otherwise.
#[test]
fn the_variables_of_terraform_are_whole() {
    let world = world();
    let out = world.exec(&["env"]).ok();
    let variables: Vec<(&str, &str)> = out
        .lines()
        .filter(|line| line.starts_with("OS_"))
        .filter_map(|line| line.split_once('='))
        .collect();
    let get = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    };
    assert_eq!(get("OS_AUTH_TYPE"), Some("v3token"));
    assert_eq!(get("OS_AUTH_URL"), Some(world.lab.url()));
    assert_eq!(get("OS_PROJECT_ID"), Some(world.machine.project_id.as_str()));
    assert_eq!(get("OS_IDENTITY_API_VERSION"), Some("3"));
    assert_eq!(get("OS_REGION_NAME"), Some("R1"));
    assert!(world.lab.validated(get("OS_TOKEN").unwrap()).is_some());
    assert_eq!(variables.len(), 6, "{variables:?}");
}

#[test]
fn a_program_that_is_run_is_itself() {
    let world = world();
    assert_eq!(world.exec(&["sh", "-c", "exit 42"]).status, Some(42));
    assert_eq!(
        world.exec(&["sh", "-c", "kill -TERM $$"]).status,
        None,
        "by the signal"
    );
    world.exec(&["/does/not/exist"]).refused(127, "cannot be run");
    world
        .terminal
        .run(&["exec", "--cloud", "lab"])
        .refused(2, "PROGRAM");
    world
        .terminal
        .run(&["exec", "--cloud", "nowhere", "--", "true"])
        .refused(1, "no cloud \"nowhere\"; it has: lab");
    world.terminal.run(&["env"]).refused(2, "there are lab");
}

#[test]
fn a_wrong_password_is_said_so_and_nothing_is_kept() {
    let world = world();
    let secure = world.terminal.home().join(".config/openstack/secure.yaml");
    fs::write(
        &secure,
        "clouds:\n  lab:\n    auth:\n      password: wrong-Pw-1\n",
    )
    .unwrap();
    let said = world.exec(&["true"]).refused(1, "Keystone does not let you in");
    assert!(!said.contains("wrong-Pw-1"), "{said}");
    fs::remove_file(&secure).unwrap();
    world
        .exec(&["true"])
        .refused(3, "nobody is there to ask for the password");
    assert!(world.terminal.files().is_empty());
}

#[test]
fn an_entry_of_clouds_yaml_is_written_and_openstacksdk_reads_it() {
    let world = world();
    let server = DevServer::start();
    let path = world.terminal.home().join(".config/openstack/clouds.yaml");
    let before = fs::read_to_string(&path).unwrap();
    let ca = server.ca_path().display().to_string();
    let mut running = world.terminal.start(&[
        "login",
        "--cloud",
        "prod",
        "--write",
        "--browser",
        "--issuer",
        server.issuer(),
        "--client-id",
        "cli",
        "--ca",
        &ca,
        "--scope",
        "openid profile",
        "--output",
        "json",
    ]);
    let url = running.url();
    come_back(&sign_in(&server, &url));
    running.end().ok();
    let after = fs::read_to_string(&path).unwrap();
    assert!(after.starts_with(&before), "comments and order stay: {after}");
    let script = "import openstack.config, json; c = openstack.config.OpenStackConfig().get_one('prod', validate=False, \
                  load_yaml_config=True) if False else openstack.config.OpenStackConfig().cloud_config['clouds']['prod']; \
                  print(json.dumps(c))";
    let mut python = world.terminal.bare(&tool("python"));
    python.args(["-W", "ignore", "-c", script]);
    let read: Value = serde_json::from_str(&Running::of(python).end().ok()).unwrap();
    assert_eq!(read["auth_type"], "v3oidcdeviceauthz");
    assert_eq!(read["auth"]["client_id"], "cli");
    assert_eq!(
        read["auth"]["discovery_endpoint"],
        format!("{}/.well-known/openid-configuration", server.issuer())
    );
    assert_eq!(read["auth"]["openid_scope"], "openid profile");
    // From now on the name is enough.
    world.terminal.run(&["token", "--cloud", "prod"]).ok();
    let mut by_variable = world.terminal.command(&["token"]);
    by_variable.env("OS_CLOUD", "prod");
    Running::of(by_variable).end().ok();
    // What cannot be changed alone is left, and nobody is asked to log in for nothing.
    fs::write(&path, "clouds: {prod: {auth: {}}}\n").unwrap();
    let odd = [
        "login",
        "--cloud",
        "prod",
        "--write",
        "--issuer",
        server.issuer(),
        "--client-id",
        "cli",
        "--ca",
        &ca,
    ];
    world.terminal.run(&odd).refused(1, "braces");
    assert_eq!(fs::read_to_string(&path).unwrap(), "clouds: {prod: {auth: {}}}\n");
}

#[test]
fn helpers_of_other_programs_are_answered_in_their_form() {
    let server = DevServer::start();
    let terminal = Terminal::new();
    let dev = server.data().display().to_string();
    terminal.log_in(&server, &["--dev", &dev]).ok();
    let form = |more: &[&str]| terminal.run(&[&["token", "--dev", &dev], more].concat()).ok();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();

    // client.authentication.k8s.io: apiVersion, kind, status.{token, expirationTimestamp (RFC 3339), client…Data}.
    let id = form(&["--kind", "id"]);
    for version in [
        "client.authentication.k8s.io/v1",
        "client.authentication.k8s.io/v1beta1",
    ] {
        let mut command = terminal.command(&[
            "token",
            "--dev",
            &dev,
            "--kind",
            "id",
            "--format",
            "exec-credential",
        ]);
        let info = serde_json::json!({"kind": "ExecCredential", "apiVersion": version, "spec": {"interactive": false}});
        command.env("KUBERNETES_EXEC_INFO", info.to_string());
        let answer = json(&Running::of(command).end().ok());
        assert_eq!(answer["apiVersion"], version);
        assert_eq!(answer["kind"], "ExecCredential");
        assert_eq!(answer["status"]["token"], id.trim());
        let end = answer["status"]["expirationTimestamp"].as_str().unwrap();
        assert!(end.len() == 20 && end.ends_with('Z'), "{end}");
        let mut known: Vec<&String> = answer["status"].as_object().unwrap().keys().collect();
        known.sort();
        assert_eq!(known, ["expirationTimestamp", "token"]);
    }
    let mut command = terminal.command(&["token", "--dev", &dev, "--format", "exec-credential"]);
    command.env(
        "KUBERNETES_EXEC_INFO",
        "{\"apiVersion\": \"client.authentication.k8s.io/v1alpha1\"}",
    );
    Running::of(command)
        .end()
        .refused(1, "apiVersion: client.authentication.k8s.io/v1");

    let token = form(&[]);
    let answer = json(&form(&["--format", "credential-process"]));
    assert_eq!(
        (&answer["Version"], &answer["Token"]),
        (&Value::from(1), &Value::from(token.trim()))
    );
    assert!(answer["Expiration"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        form(&["--format", "git"]),
        format!("username=oauth2\npassword={}\n", token.trim())
    );
    let mut command = terminal.bare("/bin/sh".as_ref());
    let script = "echo registry.example.org | \"$@\"";
    command
        .args(["-c", script, "sh"])
        .arg(program())
        .args(["token", "--dev", &dev, "--format", "docker"]);
    let answer = json(&Running::of(command).end().ok());
    assert_eq!(answer["ServerURL"], "registry.example.org");
    assert_eq!(answer["Secret"], token.trim());
    let answer = json(&form(&["--format", "json"]));
    assert_eq!(answer["access_token"], token.trim());
}

#[test]
fn a_bound_token_stays_with_its_key() {
    let server = DevServer::start();
    let made = server.administer(&[
        "client",
        "create",
        "bound-cli",
        "--public",
        "--native",
        "--redirect-uri",
        "http://127.0.0.1/callback",
        "--grant",
        "authorization_code",
        "--grant",
        "refresh_token",
        "--scope",
        "openid profile",
        "--bound",
        "true",
    ]);
    let terminal = Terminal::new();
    let ca = server.ca_path().display().to_string();
    let client = made["client_id"].as_str().unwrap();
    let login = [
        "--issuer",
        server.issuer(),
        "--client-id",
        client,
        "--ca",
        &ca,
        "--bound",
    ];
    let told = terminal.log_in(&server, &login);
    assert!(!told.err.contains("did not bind"), "{}", told.err);
    let told = told.ok();
    assert!(told.contains("bound_to"), "{told}");
    let with = |command: &str, more: &[&str]| terminal.run(&[&[command], &login[..], more].concat());
    with("token", &[]).refused(1, "bound to a key that stays on this machine");
    with("env", &[]).refused(1, "bound to a key");
    with("token", &["--format", "exec-credential"]).refused(1, "--dangerous-print-bound");
    terminal.age();
    let shown = with(
        "token",
        &["--dangerous-print-bound", "--format", "exec-credential"],
    )
    .ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let status = &shown["status"];
    assert!(status["clientKeyData"].as_str().unwrap().contains("PRIVATE KEY"));
    let pem = status["clientCertificateData"].as_str().unwrap();
    assert!(pem.contains("BEGIN CERTIFICATE"), "{pem}");
    // Refreshed, and bound to the same key still.
    let file = terminal.home().join("certificate.pem");
    fs::write(&file, pem).unwrap();
    let thumbprint = terminal
        .run(&[
            "cert",
            "thumbprint",
            &file.display().to_string(),
            "--output",
            "json",
        ])
        .ok();
    let token = status["token"].as_str().unwrap();
    let claims = terminal.run(&["jwt", "inspect", token, "--output", "json"]).ok();
    let claims: Value = serde_json::from_str(&claims).unwrap();
    let bound_to = claims
        .pointer("/claims/cnf/x5t#S256")
        .and_then(Value::as_str)
        .unwrap();
    assert!(thumbprint.contains(bound_to), "{thumbprint} {bound_to}");
}

/// Stolen, and copied to wherever: at a real service a bound token is good beside its own key, and nowhere else. The key
/// leaves the machine by a flag of its own alone.
#[test]
fn a_bound_token_is_good_at_a_service_beside_its_key_alone() {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    let made = server.administer(&[
        "client",
        "create",
        "bound-cli",
        "--public",
        "--native",
        "--redirect-uri",
        "http://127.0.0.1/callback",
        "--grant",
        "authorization_code",
        "--scope",
        "openid profile openstack:api",
        "--bound",
        "true",
    ]);
    let client = made["client_id"].as_str().unwrap();
    let ca = server.ca_path().display().to_string();
    let options = [
        "--issuer",
        server.issuer(),
        "--client-id",
        client,
        "--scope",
        "openid openstack:api",
        "--ca",
        &ca,
        "--bound",
    ];
    // Two persons' machines, each with a key of its own.
    let machines = [Terminal::new(), Terminal::new()];
    let [own, other] = machines.each_ref().map(|machine| {
        machine.log_in(&server, &options).ok();
        let with = |command: &str, more: &[&str]| machine.run(&[&[command], &options[..], more].concat());
        for (command, more) in [
            ("token", &[][..]),
            ("token", &["--format", "header"]),
            ("token", &["--format", "env"]),
            ("env", &[]),
            ("exec", &["--", "true"]),
        ] {
            let said = with(command, more).refused(1, "bound to a key that stays on this machine");
            assert!(said.contains("--dangerous-print-bound"), "{command}: {said}");
        }
        let shown = with(
            "token",
            &["--dangerous-print-bound", "--format", "exec-credential"],
        );
        let shown: Value = serde_json::from_str(&shown.ok()).unwrap();
        let text = |name: &str| shown["status"][name].as_str().unwrap().to_owned();
        let file = |name: &str, text: String| {
            let path = machine.home().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        (
            file("certificate.pem", text("clientCertificateData")),
            file("key.pem", text("clientKeyData")),
            file("header", format!("Authorization: Bearer {}", text("token"))),
        )
    });
    let status = |pair: Option<(&str, &str)>, header: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", &ca]);
        if let Some((certificate, key)) = pair {
            curl.args(["--cert", certificate, "--key", key]);
        }
        let done = curl.args(["-H", &format!("@{header}"), service.url()]).output();
        String::from_utf8(done.unwrap().stdout).unwrap()
    };
    assert_eq!(
        status(Some((&own.0, &own.1)), &own.2),
        "200",
        "{}",
        service.said()
    );
    assert_eq!(status(Some((&other.0, &other.1)), &other.2), "200");
    assert_eq!(status(None, &own.2), "401", "the token alone");
    assert_eq!(
        status(Some((&other.0, &other.1)), &own.2),
        "401",
        "beside another's key"
    );
    assert_eq!(status(Some((&own.0, &own.1)), &other.2), "401", "and the reverse");
}
