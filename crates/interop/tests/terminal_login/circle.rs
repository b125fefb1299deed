//! The whole circle, three ways.

use serde_json::{Value, json};

use crate::world::{Started, World};

/// What `openstack` says with what the login left, and nothing else.
fn openstack_works(world: &World, options: &[String], user: &str) {
    let run = |arguments: &[&str]| -> Value {
        let mut all = options.to_vec();
        all.push("--".to_owned());
        all.extend(["openstack"].iter().chain(arguments).map(|&word| word.to_owned()));
        let out = world.done(&mut world.sealstone(&["exec"], &all));
        serde_json::from_str(&out).unwrap()
    };
    let issued = run(&["token", "issue", "-f", "json"]);
    assert_eq!(issued["project_id"], world.lab.seed().project("lab"), "{issued}");
    let token = issued["id"].as_str().unwrap();
    world.secret(token);
    let validated = world.lab.validated(token).unwrap();
    assert_eq!(validated["user"]["name"], user);
    assert_eq!(
        validated["user"]["OS-FEDERATION"]["identity_provider"]["id"],
        "sealstone"
    );
    // It asks for what was assigned to the user; a federated one has it from groups, until an operator gives it.
    assert!(run(&["project", "list", "-f", "json"]).is_array());
    let found = world.lab.admin("GET", "/roles?name=reader", None);
    let (role, project) = (
        found["roles"][0]["id"].as_str().unwrap(),
        world.lab.seed().project("lab"),
    );
    let user_id = issued["user_id"].as_str().unwrap();
    let assignment = format!("/projects/{project}/users/{user_id}/roles/{role}");
    world.lab.change("PUT", &assignment, None);
    let projects = run(&["project", "list", "-f", "json"]);
    let names: Vec<&str> = projects
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|project| project["Name"].as_str())
        .collect();
    assert!(names.contains(&"lab"), "{projects}");
}

/// The second command is silent: no browser, no question.
fn the_next_is_silent(world: &World, options: &[String]) {
    let mut command = world.sealstone(&["whoami", "--output", "json"], options);
    let said = world.done(command.env("BROWSER", "/bin/false"));
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert!(!shown.to_string().is_empty());
}

/// `sealstone login` → Chromium → name, password, one-time code → back at the loopback port → Keystone.
pub(crate) fn by_the_browser(world: &World) {
    let options = world.by_issuer();
    let browser = world.browser("demo-mfa", &json!({"ahead": -1}));
    let mut login = world.sealstone(&["login", "--browser"], &options);
    let (seen, done, said) = world.log_in(&mut login, &browser);
    assert!(done, "{said}");
    assert!(
        seen["url"].as_str().unwrap().starts_with("http://127.0.0.1:"),
        "{seen}"
    );
    assert!(
        seen["text"]
            .as_str()
            .unwrap()
            .contains("You are logged in as demo-mfa"),
        "{seen}"
    );
    assert_eq!(seen["scripts"], 0);
    // One request came to the port: no favicon, nothing that the page loads.
    assert_eq!(seen["requests"].as_array().unwrap().len(), 1, "{seen}");
    the_next_is_silent(world, &options);
    openstack_works(world, &options, "demo-mfa");
    world.done(&mut world.sealstone(&["logout"], &options));
}

/// The same by Keystone's own WebSSO, through `mod_auth_openidc` as a relying party.
pub(crate) fn by_websso(world: &World) {
    let options = world.by_websso("demo-mfa");
    let browser = world.browser("demo-mfa", &json!({"ahead": 0}));
    let port = world.websso_port.to_string();
    let mut login = world.sealstone(&["login", "--browser", "--port", &port], &options);
    let (seen, done, said) = world.log_in(&mut login, &browser);
    assert!(done, "{said}");
    assert!(said.contains("You are logged in as demo-mfa."), "{said}");
    assert!(
        seen["text"]
            .as_str()
            .unwrap()
            .contains("You are logged in as demo-mfa"),
        "{seen}"
    );
    let posted = &seen["requests"][0];
    assert_eq!(posted["method"], "POST", "{seen}");
    // What a browser tells of whose form it is, from https to http.
    assert_eq!(posted["headers"]["origin"], "null", "{seen}");
    the_next_is_silent(world, &options);
    openstack_works(world, &options, "demo-mfa");
    world.done(&mut world.sealstone(&["logout"], &options));
}

/// The same by a code, from a process that has no display, over SSH as it seems.
pub(crate) fn by_a_code_without_a_display(world: &World) {
    let options = world.by_issuer();
    let mut command = world.sealstone(&["login"], &options);
    let mut login = World::started(command.env("SSH_CONNECTION", "192.0.2.1 22 192.0.2.2 22"));
    let address = login
        .says("address")
        .split_whitespace()
        .last()
        .unwrap()
        .to_owned();
    let code = login.says("code").split_whitespace().last().unwrap().to_owned();
    let url = format!("{address}?user_code={code}");
    let seen = Started::walked(world, "demo-mfa", &url, &json!({"ahead": 1}));
    assert_eq!(seen["steps"].as_array().unwrap().len(), 5, "{seen}");
    let (done, _out, said) = login.end();
    assert!(done, "{said}\n{seen}");
    world.also_said(&said);
    the_next_is_silent(world, &options);
    openstack_works(world, &options, "demo-mfa");
    world.done(&mut world.sealstone(&["logout"], &options));
}

/// The same with tokens that are bound to a key of this machine: Keystone's front takes them beside it alone.
pub(crate) fn by_a_token_that_is_bound(world: &World) {
    let made = world.server.administer(&[
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
        "openid profile offline_access openstack:api",
        "--bound",
        "true",
    ]);
    let mut options = world.by_issuer();
    let client = options.iter().position(|word| word == "--client-id").unwrap();
    options[client + 1] = made["client_id"].as_str().unwrap().to_owned();
    options.push("--bound".to_owned());
    let browser = world.browser("demo", &json!({}));
    let mut login = world.sealstone(&["login", "--browser", "--output", "json"], &options);
    let (_seen, done, said) = world.log_in(&mut login, &browser);
    assert!(done && said.contains("bound_to"), "{said}");
    the_next_is_silent(world, &options);
    openstack_works(world, &options, "demo");

    // A thief has the token; once he has the key too, by the flag that says so.
    let show = [
        "token",
        "--kind",
        "access",
        "--dangerous-print-bound",
        "--format",
        "exec-credential",
    ];
    let shown = world.done(&mut world.sealstone(&show, &options));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let text = |name: &str| shown["status"][name].as_str().unwrap();
    world.secret(text("token"));
    let own = (text("clientCertificateData"), text("clientKeyData"));
    let other = world.server.certificate("machine");
    let other = (&*other.chain_pem(), &*other.key_pem());
    assert_eq!(federated(world, text("token"), None), 401, "the token alone");
    assert_eq!(
        federated(world, text("token"), Some(other)),
        401,
        "beside another's key"
    );
    assert_eq!(federated(world, text("token"), Some(own)), 201, "beside its own");
    world.done(&mut world.sealstone(&["logout"], &options));
}

/// The status that Keystone's federation answers to this token, from the holder of this certificate and key.
fn federated(world: &World, token: &str, pair: Option<(&str, &str)>) -> u16 {
    let folder = tempfile::tempdir_in(world.home()).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let header = file("header", &format!("Authorization: Bearer {token}"));
    let mut curl = std::process::Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
        .arg(world.server.ca_path())
        .arg("-H")
        .arg(format!("@{}", header.display()));
    if let Some((certificate, key)) = pair {
        curl.arg("--cert").arg(file("certificate.pem", certificate));
        curl.arg("--key").arg(file("key.pem", key));
    }
    let path = "OS-FEDERATION/identity_providers/sealstone/protocols/openid/auth";
    curl.args(["-X", "POST", &format!("{}/{path}", world.auth_url())]);
    world.done(&mut curl).parse().unwrap()
}

/// Denied at the pages: told as such, and nothing is kept.
pub(crate) fn who_says_no_is_not_logged_in(world: &World) {
    let options = world.by_issuer();
    let browser = world.browser("demo", &json!({"decision": "deny"}));
    let mut command = world.sealstone(&["login", "--browser"], &options);
    let (seen, done, said) = world.log_in(&mut command, &browser);
    assert!(!done, "{said}");
    assert!(said.contains("refused"), "{said}");
    assert!(seen["text"].as_str().unwrap().contains("Not logged in"), "{seen}");
    let mut whoami = world.sealstone(&["whoami"], &options);
    let (done, out, said) = World::started(&mut whoami).end();
    assert!(!done && out.is_empty(), "{said}");
    assert!(said.contains("sealstone login"), "{said}");
}

/// Who may act in two projects is asked which at a terminal, and told how to say it where nobody can be asked.
pub(crate) fn one_of_several_scopes_is_chosen(world: &World) {
    let lab = &world.lab;
    let domain = lab.seed().domain("globex");
    let made = json!({"project": {"name": "second", "domain_id": domain}});
    let made = lab.admin("POST", "/projects", Some(&made));
    let second = made["project"]["id"].as_str().unwrap();
    let (group, role) = (&lab.seed().groups["fed-users"], lab.seed().role("reader"));
    lab.change(
        "PUT",
        &format!("/projects/{second}/groups/{group}/roles/{role}"),
        None,
    );
    let mut options = world.by_issuer();
    options.truncate(options.len() - ["--project", "lab"].len());

    let browser = world.browser("demo", &json!({}));
    let (_seen, done, said) = world.log_in(&mut world.sealstone(&["login", "--browser"], &options), &browser);
    assert!(!done, "{said}");
    assert!(
        said.contains("several scopes fit (") && said.contains("second"),
        "{said}"
    );
    assert!(said.contains("--project, --domain or --system"), "{said}");

    // The login itself is kept: what is typed is the answer to one question, and the browser stays closed.
    let mut login = world.sealstone(&["login"], &options);
    let (done, shown) = World::at_a_terminal(login.env("BROWSER", "/bin/false"), "nowhere\nsecond\n");
    assert!(done, "{shown}");
    assert!(shown.contains("You may act in several places:"), "{shown}");
    assert!(shown.contains("lab") && shown.contains("Which one?"), "{shown}");
    assert!(shown.contains("write one of the numbers, or a name"), "{shown}");
    world.also_said(&shown);
    let mut command = options.clone();
    command.extend(["--", "openstack", "token", "issue", "-f", "json"].map(str::to_owned));
    let issued: Value = serde_json::from_str(&world.done(&mut world.sealstone(&["exec"], &command))).unwrap();
    assert_eq!(issued["project_id"], *second, "{issued}");
    world.secret(issued["id"].as_str().unwrap());
    world.done(&mut world.sealstone(&["logout"], &options));
}
