//! `mod_auth_openidc` as a resource server before Keystone's federation: `examples/mod-auth-openidc`, with keystoneauth.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use sealstone_interop::{
    Answer, DevServer, Front, FrontKind, FrontSetup, Https, KeystoneLab, LabOptions, Step, free_ports,
};
use sealstone_testkit::TestCertificate;
use serde_json::{Value, json};

const MODULES: [&str; 6] = ["ssl", "lua", "auth_openidc", "proxy", "proxy_uwsgi", "authz_user"];

/// Keystone behind Apache, and a server whose tokens Apache takes.
struct World {
    server: DevServer,
    lab: KeystoneLab,
    apache: Front,
}

impl World {
    fn start() -> Self {
        // The variable that the example names: set by Apache, which a client can't.
        let lab = KeystoneLab::start(&LabOptions::new().set("openid.remote_id_attribute", "OIDC_iss"));
        let server = DevServer::start();
        federate(&lab, &server);
        let apache = apache(&lab, &server);
        Self { server, lab, apache }
    }

    /// A token of the client called `name`, bound to its certificate.
    fn token(&self, name: &str, scope: &str) -> String {
        let certificate = self.server.certificate(name);
        let https = self.server.https().with_certificate(&certificate);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", name),
            ("scope", scope),
        ];
        let answer = https.post(&self.server.mtls_url("/token"), &[], &form).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    fn federated(
        &self,
        path: &str,
        certificate: Option<&TestCertificate>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let https = self.server.https();
        let https = match certificate {
            Some(certificate) => https.with_certificate(certificate),
            None => https,
        };
        let url = format!("{}/v3/OS-FEDERATION/{path}", self.apache.url());
        https.post(&url, headers, &[]).unwrap()
    }

    fn log_in(&self, certificate: Option<&TestCertificate>, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.federated(AUTH, certificate, &[("authorization", &bearer)])
    }

    /// keystoneauth's `plugin`, with the certificate of the client called `holder` if there is one.
    fn keystoneauth(&self, plugin: &str, own: &Value, holder: Option<&str>) -> Value {
        let mut options = json!({
            "auth_url": format!("{}/v3", self.apache.url()),
            "identity_provider": "sealstone", "protocol": "openid",
            "project_id": self.lab.seed().project("lab"),
        });
        let members = options.as_object_mut().unwrap();
        members.extend(own.as_object().unwrap().clone());
        let client = holder.map(|name| self.server.client(name).registered().clone());
        let parameters = json!({
            "plugin": plugin, "options": options, "ca": self.server.ca_path(),
            "cert": client.as_ref().and_then(|client| client.cert.clone()),
            "key": client.as_ref().and_then(|client| client.key.clone()),
        });
        keystoneauth(&parameters)
    }
}

const AUTH: &str = "identity_providers/sealstone/protocols/openid/auth";

fn keystoneauth(parameters: &Value) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
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

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mod-auth-openidc");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn filled(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = example(name);
    for (from, to) in changes {
        assert!(text.contains(from), "{name} does not say `{from}`");
        text = text.replace(from, to);
    }
    text
}

const ISSUER: &str = "https://id.example/v4/oauth2/demo";

/// What an administrator of Keystone does once: identity provider, mapping, protocol.
fn federate(lab: &KeystoneLab, server: &DevServer) {
    let group = lab.seed().groups["fed-users"].clone();
    let mapping = filled("mapping.json", &[(ISSUER, server.issuer()), ("GROUP_ID", &group)]);
    let rules: Value = serde_json::from_str(&mapping).unwrap();
    let provider = json!({"identity_provider": {"enabled": true, "remote_ids": [server.issuer()]}});
    lab.change(
        "PUT",
        "/OS-FEDERATION/identity_providers/sealstone",
        Some(&provider),
    );
    lab.change(
        "PUT",
        "/OS-FEDERATION/mappings/sealstone",
        Some(&json!({"mapping": {"rules": rules}})),
    );
    let protocol = json!({"protocol": {"mapping_id": "sealstone"}});
    let path = "/OS-FEDERATION/identity_providers/sealstone/protocols/openid";
    lab.change("PUT", path, Some(&protocol));
}

fn apache(lab: &KeystoneLab, server: &DevServer) -> Front {
    site(lab, server, "keystone.conf")
}

/// One of the example's sites before the lab's Keystone.
fn site(lab: &KeystoneLab, server: &DevServer, name: &str) -> Front {
    let [port] = free_ports();
    let setup = FrontSetup::new();
    setup.write_certificate("server", &server.authority().server());
    setup.write(
        "sealstone-ca.pem",
        &std::fs::read_to_string(server.ca_path()).unwrap(),
    );
    setup.write("holder.lua", &example("holder.lua"));
    let secret = server
        .client("gateway")
        .registered()
        .client_secret
        .clone()
        .unwrap();
    let client =
        format!("OIDCOAuthClientID gateway\nOIDCOAuthClientSecret {secret}\nOIDCCryptoPassphrase {secret}\n");
    setup.write("client.conf", &client);
    let folder = setup.folder().to_string_lossy().into_owned();
    let [node] = lab.nodes()[..] else {
        unreachable!("one node")
    };
    let node: u16 = node
        .trim_end_matches("/v3")
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    // The lab's node speaks the uWSGI protocol twenty ports on.
    let uwsgi = format!("127.0.0.1:{}", node.checked_add(20).unwrap());
    let config = filled(
        name,
        &[
            (ISSUER, server.issuer()),
            ("/etc/keystone-front", &folder),
            ("*:443", &format!("127.0.0.1:{port}")),
            ("127.0.0.1:5001", &uwsgi),
        ],
    );
    setup.start(FrontKind::Apache, port, &config, &MODULES)
}

fn keystoneauth_gets_keystone_tokens_through_us(world: &World) {
    let token_endpoint = world.server.mtls_url("/token");
    let by_credentials = json!({
        "discovery_endpoint": format!("{}/.well-known/openid-configuration", world.server.issuer()),
        "access_token_endpoint": token_endpoint,
        "client_id": "machine", "client_secret": "", "scope": "openstack:api",
    });
    let by_token = json!({"access_token": world.token("machine", "openstack:api")});
    for (plugin, options) in [
        ("v3oidcclientcredentials", by_credentials),
        ("v3oidcaccesstoken", by_token),
    ] {
        let outcome = world.keystoneauth(plugin, &options, Some("machine"));
        assert_eq!(
            outcome["project_id"],
            world.lab.seed().project("lab"),
            "{plugin}: {outcome}\n{}",
            world.apache.said()
        );
        assert_eq!(outcome["user_name"], "machine", "{plugin}");
        assert_eq!(outcome["roles"], json!(["reader"]), "{plugin}");
        let said = world.lab.validated(outcome["token"].as_str().unwrap()).unwrap();
        assert_eq!(
            said["user"]["OS-FEDERATION"]["identity_provider"]["id"], "sealstone",
            "{plugin}"
        );
        // Without the certificate: no token at the first, nothing for it at the second.
        let stolen = world.keystoneauth(plugin, &options, None);
        assert!(stolen["error"].is_object(), "{plugin}: {stolen}");
    }
}

fn a_stolen_token_is_refused_by_apache(world: &World) {
    let token = world.token("machine", "openstack:api");
    let own = world.server.certificate("machine");
    let answer = world.log_in(Some(&own), &token);
    assert_eq!(answer.status, 201, "{}\n{}", answer.text(), world.apache.said());
    let thieves = [
        ("another client's", Some(world.server.certificate("machine-san"))),
        (
            "of the same name, by another authority",
            Some(world.server.foreign("machine")),
        ),
        (
            "of the same name, signed by itself",
            Some(world.server.self_signed("machine")),
        ),
        ("none", None),
    ];
    for (what, certificate) in thieves {
        let answer = world.log_in(certificate.as_ref(), &token);
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        assert_eq!(answer.header("x-subject-token"), None, "{what}");
    }
}

fn what_is_not_meant_for_keystone_is_refused(world: &World) {
    let own = world.server.certificate("machine");
    let elsewhere = world.token("machine", "demo:read");
    assert_eq!(
        world.log_in(Some(&own), &elsewhere).status,
        401,
        "another audience"
    );
    let unbound = {
        let client = world.server.client("machine-secret");
        let run = client.run(sealstone_interop::Program::Authlib);
        run.access_token().to_owned()
    };
    assert_eq!(world.log_in(Some(&own), &unbound).status, 401, "not bound");
    let token = world.token("machine", "openstack:api");
    let mut broken = token.clone();
    broken.truncate(token.len().saturating_sub(4));
    assert_eq!(
        world.log_in(Some(&own), &broken).status,
        401,
        "a broken signature"
    );
    assert_eq!(world.log_in(Some(&own), "x").status, 401, "no token of ours");
    // A machine that Keystone's mapping does not name gets through Apache, and no further.
    let other = world.server.certificate("machine-san");
    let unmapped = world.log_in(Some(&other), &world.token("machine-san", "openstack:api"));
    assert_eq!(unmapped.status, 401, "{}", unmapped.text());
    assert_eq!(unmapped.json()["error"]["code"], 401, "Keystone's own answer");
}

fn a_revoked_token_is_refused(world: &World) {
    let own = world.server.certificate("machine");
    let token = world.token("machine", "openstack:api");
    let https = world.server.https().with_certificate(&own);
    let form = [("token", token.as_str()), ("client_id", "machine")];
    let revoked = https.post(&world.server.mtls_url("/revoke"), &[], &form).unwrap();
    assert_eq!(revoked.status, 200);
    // Apache has not seen it yet, and so has no answer of before.
    assert_eq!(world.log_in(Some(&own), &token).status, 401);
}

fn claims_sent_by_the_client_count_for_nothing(world: &World) {
    let issuer = world.server.issuer();
    let forged = [
        ("OIDC-iss", issuer),
        ("OIDC_iss", issuer),
        ("OIDC-client_id", "machine"),
        ("OIDC_client_id", "machine"),
        ("OIDC-client-id", "machine"),
        ("REMOTE-USER", "machine"),
    ];
    let ways = [
        AUTH,
        "identity_providers/sealstone/protocols/openid/auth/",
        "identity_providers/sealstone/protocols/openid//auth",
        "identity_providers/sealstone/protocols/openid/%61uth",
        "../OS-FEDERATION/identity_providers/sealstone/protocols/openid/auth",
        "identity_providers/sealstone/protocols/./openid/auth",
    ];
    let own = world.server.certificate("machine");
    for path in ways {
        for certificate in [None, Some(&own)] {
            let answer = world.federated(path, certificate, &forged);
            assert!(
                matches!(answer.status, 401 | 404),
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
            assert_eq!(answer.header("x-subject-token"), None, "{path}");
        }
    }
    // The page for browsers is not behind Apache's check: Keystone finds no claims there.
    let https: Https = world.server.https();
    let page = format!(
        "{}/v3/auth/OS-FEDERATION/websso/openid?origin=http://localhost:9990/auth/websso/",
        world.apache.url()
    );
    assert_eq!(https.get(&page, &forged).unwrap().status, 401);
}

/// Apache before the same Keystone, for people: without a certificate, and with no machine's token.
fn for_people(world: &World) -> Front {
    let group = world.lab.seed().groups["fed-users"].clone();
    let changes = [(ISSUER, world.server.issuer()), ("GROUP_ID", group.as_str())];
    let rules: Value = serde_json::from_str(&filled("mapping-people.json", &changes)).unwrap();
    world.lab.change(
        "PUT",
        "/OS-FEDERATION/mappings/people",
        Some(&json!({"mapping": {"rules": rules}})),
    );
    mapped_by(world, "people");
    site(&world.lab, &world.server, "keystone-people.conf")
}

/// Keystone takes a protocol's name for its method, and an issuer for one provider's: the mapping changes.
fn mapped_by(world: &World, mapping: &str) {
    let protocol = json!({"protocol": {"mapping_id": mapping}});
    let path = "/OS-FEDERATION/identity_providers/sealstone/protocols/openid";
    world.lab.change("PATCH", path, Some(&protocol));
}

/// keystoneauth's `plugin` for a person, who is sent to the browser by what it writes.
fn log_in_by_browser(world: &World, apache: &Front, plugin: &str, own: &Value, user: &str) -> Value {
    let mut options = json!({
        "auth_url": format!("{}/v3", apache.url()),
        "identity_provider": "sealstone", "protocol": "openid",
        "discovery_endpoint": format!("{}/.well-known/openid-configuration", world.server.issuer()),
        "project_id": world.lab.seed().project("lab"),
        "scope": "openid profile openstack:api",
    });
    let members = options.as_object_mut().unwrap();
    members.extend(own.as_object().unwrap().clone());
    let parameters = json!({"plugin": plugin, "options": options, "ca": world.server.ca_path()});
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(here.join("../../target/interop-python/bin/python"))
        .args(["-W", "ignore", "-u"])
        .arg(here.join("clients/python/keystoneauth_client.py"))
        .arg(parameters.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    if let Some(line) = told.find_map(|line| line.ok().filter(|line| line.contains("https://"))) {
        let url = line
            .split_ascii_whitespace()
            .find(|word| word.starts_with("https://"));
        allowed_in_the_browser(world, url.unwrap(), user);
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap_or(Value::Null)
}

/// Signs in and says yes, wherever that begins; where the browser went, if it left.
fn allowed_in_the_browser(world: &World, url: &str, user: &str) -> Option<String> {
    let mut browser = world.server.browser();
    let mut step = browser.open(url);
    let person = world.server.user(user);
    for _ in 0..5 {
        let page = match step {
            Step::Left(url) => return Some(url),
            Step::Page(page) => page,
        };
        let has = |name: &str| {
            page.forms()
                .iter()
                .any(|form| form.fields.iter().any(|(known, _)| known == name))
        };
        let can = |value: &str| {
            page.forms()
                .iter()
                .any(|form| form.buttons.iter().any(|(_, known)| known == value))
        };
        step = if has("password") {
            browser.submit(
                &page,
                &[("user_name", &person.name), ("password", &person.password)],
            )
        } else if can("user_code") {
            browser.press(&page, "user_code", &[])
        } else if can("allow") {
            browser.press(&page, "allow", &[("project", "demo-project")])
        } else {
            return None;
        };
    }
    None
}

/// keystoneauth's `v3oidcdeviceauthz` and `v3oidcauthcode`: a person in a browser, a Keystone token in the terminal.
fn people_get_keystone_tokens_through_us(world: &World) {
    let apache = for_people(world);
    let by_device = json!({"client_id": "cli", "code_challenge_method": "S256"});
    let outcome = log_in_by_browser(world, &apache, "v3oidcdeviceauthz", &by_device, "demo");
    assert_eq!(outcome["user_name"], "demo", "{outcome}\n{}", apache.said());
    assert_eq!(outcome["project_id"], world.lab.seed().project("lab"));

    // This plugin knows no PKCE: its client is confidential and registered without.
    let redirect_uri = "https://127.0.0.1:9/callback";
    let made = world.server.administer(&[
        "client",
        "create",
        "keystoneauth",
        "--auth-method",
        "client_secret_basic",
        "--grant",
        "authorization_code",
        "--redirect-uri",
        redirect_uri,
        "--scope",
        "openid profile openstack:api",
        "--require-pkce",
        "false",
    ]);
    let secret = made["client_secret"].as_str().unwrap();
    let ask = format!(
        "{}/authorize?response_type=code&client_id=keystoneauth&scope=openid%20profile%20openstack:api&redirect_uri={}",
        world.server.issuer(),
        sealstone_testkit::escaped(redirect_uri),
    );
    let back = allowed_in_the_browser(world, &ask, "demo").unwrap();
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let by_code = json!({
        "client_id": "keystoneauth", "client_secret": secret, "redirect_uri": redirect_uri, "code": code,
    });
    let outcome = log_in_by_browser(world, &apache, "v3oidcauthcode", &by_code, "demo");
    assert_eq!(outcome["user_name"], "demo", "{outcome}\n{}", apache.said());
    let again = log_in_by_browser(world, &apache, "v3oidcauthcode", &by_code, "demo");
    assert!(again["error"].is_object(), "a code comes once: {again}");

    // A machine's token is no person's, with its certificate or without.
    let bearer = format!("Bearer {}", world.token("machine", "openstack:api"));
    let url = format!(
        "{}/v3/OS-FEDERATION/identity_providers/sealstone/protocols/openid/auth",
        apache.url()
    );
    let answer = world
        .server
        .https()
        .post(&url, &[("authorization", &bearer)], &[])
        .unwrap();
    assert_eq!(answer.status, 401, "{}", answer.text());
    mapped_by(world, "sealstone");
}

/// Apache as a relying party (`relying-party.conf`): pages for people, and for some of them.
#[test]
fn people_see_pages_behind_apache() {
    let server = DevServer::start();
    let [port] = free_ports();
    let own = format!("https://127.0.0.1:{port}");
    let redirect_uri = format!("{own}/people/redirect_uri");
    let made = server.administer(&[
        "client",
        "create",
        "apache",
        "--auth-method",
        "client_secret_basic",
        "--grant",
        "authorization_code",
        "--redirect-uri",
        &redirect_uri,
        "--scope",
        "openid profile email groups",
    ]);
    let setup = FrontSetup::new();
    setup.write_certificate("server", &server.authority().server());
    setup.write(
        "sealstone-ca.pem",
        &std::fs::read_to_string(server.ca_path()).unwrap(),
    );
    let secret = made["client_secret"].as_str().unwrap();
    setup.write(
        "client.conf",
        &format!("OIDCClientID apache\nOIDCClientSecret {secret}\nOIDCCryptoPassphrase {secret}\n"),
    );
    for (path, text) in [
        ("people", "for people"),
        ("people/ops", "for operators"),
        ("people/admins", "no"),
    ] {
        std::fs::create_dir_all(setup.path(path)).unwrap();
        std::fs::write(setup.path(path).join("page.txt"), text).unwrap();
    }
    let folder = setup.folder().to_string_lossy().into_owned();
    let config = filled(
        "relying-party.conf",
        &[
            (ISSUER, server.issuer()),
            ("/etc/pages-front", &folder),
            ("/var/www/pages", &folder),
            ("*:443", &format!("127.0.0.1:{port}")),
            ("https://pages.example", &own),
        ],
    );
    let config = format!("{config}\n<Directory {folder}>\n    Require all granted\n</Directory>\n");
    let apache = setup.start(
        FrontKind::Apache,
        port,
        &config,
        &["ssl", "auth_openidc", "authz_user"],
    );
    let mut browser = server.browser();
    let person = server.user("demo");
    let asked = browser.open(&format!("{own}/people/page.txt")).left();
    assert!(asked.starts_with(server.issuer()), "{asked}");
    let login = browser.open(&asked).page();
    let consent = browser
        .submit(
            &login,
            &[("user_name", &person.name), ("password", &person.password)],
        )
        .page();
    let back = browser.press(&consent, "allow", &[]).left();
    assert!(back.starts_with(&redirect_uri), "{back}");
    let page = browser.open(&back).page();
    assert_eq!(page.answer.text(), "for people", "{}", apache.said());
    let ops = browser.open(&format!("{own}/people/ops/page.txt")).page();
    assert_eq!(ops.answer.text(), "for operators", "{}", apache.said());
    let admins = browser.open(&format!("{own}/people/admins/page.txt"));
    assert!(
        !matches!(admins, Step::Page(ref page) if page.answer.status == 200),
        "{admins:?}"
    );
    // Another browser with the same answer: it began nothing there.
    let mut other = server.browser();
    let stolen = other.open(&back);
    assert!(!matches!(stolen, Step::Page(ref page) if page.answer.text() == "for people"));
}

fn no_token_is_in_the_log(world: &World, tokens: &[String]) {
    let said = world.apache.said();
    for token in tokens {
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert!(!said.contains(signature), "a token in Apache's log");
    }
}

/// One world for all: a Keystone of its own takes a quarter of a minute.
#[test]
fn keystone_behind_mod_auth_openidc() {
    let world = World::start();
    keystoneauth_gets_keystone_tokens_through_us(&world);
    a_stolen_token_is_refused_by_apache(&world);
    what_is_not_meant_for_keystone_is_refused(&world);
    a_revoked_token_is_refused(&world);
    claims_sent_by_the_client_count_for_nothing(&world);
    people_get_keystone_tokens_through_us(&world);
    let token = world.token("machine", "openstack:api");
    assert_eq!(
        world
            .log_in(Some(&world.server.certificate("machine")), &token)
            .status,
        201
    );
    no_token_is_in_the_log(&world, &[token]);
}
