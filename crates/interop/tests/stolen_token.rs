//! One machine, one stolen token, every resource server that is promised to refuse it, and those that cannot.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: what it cannot read or count has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use sealstone_interop::{
    CertificateIn, Front, FrontKind, FrontSetup, Https, KeystoneLab, LabMachine, LabOptions,
    ProtectedService, ServeServer, ServeSetup, WsgiService, WsgiSetup, free_ports,
};
use sealstone_testkit::{CertificateSpec, KeyKind, TestCa, TestCertificate, TestKey, pem};
use serde_json::{Value, json};

/// What the services of the table are called in their examples.
const MACHINE: &str = "machine";
const AUTH: &str = "/v3/OS-FEDERATION/identity_providers/sealstone/protocols/openid/auth";

/// Of what a thief may have instead of the certificate's key.
struct Thief {
    what: &'static str,
    certificate: Option<TestCertificate>,
}

/// A request with a token, on a connection of somebody.
#[derive(Clone, Copy)]
enum Carried {
    /// `Authorization: Bearer`.
    Bearer,
    /// `X-Auth-Token`.
    AuthToken,
}

/// A resource server, and how it is asked.
struct Target {
    name: &'static str,
    url: String,
    method: &'static str,
    carried: Carried,
    token: String,
    /// The answer to who holds the certificate.
    lets_in: u16,
}

struct World {
    server: ServeServer,
    lab: KeystoneLab,
    machine: LabMachine,
    own: TestCertificate,
    folder: tempfile::TempDir,
    running: Vec<Box<dyn std::fmt::Debug>>,
}

fn example(path: &str, changes: &[(&str, &str)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut text = fs::read_to_string(root.join(path)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{path} does not say `{from}`");
        text = text.replace(from, to);
    }
    text
}

/// A server beside the lab, with the machine, and clients for services that introspect.
fn serve(lab: &KeystoneLab, machine: &LabMachine) -> (ServeServer, String) {
    let mut setup = ServeSetup::new();
    let [public, mutual] = free_ports();
    for (key, value) in [
        ("base_url", format!("'https://localhost:{public}'")),
        ("mtls_base_url", format!("'https://localhost:{mutual}'")),
        ("listen", format!("'127.0.0.1:{public}'")),
        ("mtls_listen", format!("'127.0.0.1:{mutual}'")),
    ] {
        setup.set("server", key, &value);
    }
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    let key = TestKey::generate(KeyKind::P256);
    setup.write_private("keystone-jws.pem", &key.pkcs8_pem());
    setup.set("keystone.mint", "private_key_file", "'keystone-jws.pem'");
    lab.trust_jws_key("stolen-token", &pem("PUBLIC KEY", &key.spki_der()));
    let tie = [
        "--subject-dn",
        "CN=machine",
        "--scope",
        "openstack:api",
        "--openstack-user",
        &machine.user_id,
        "--openstack-project",
        &machine.project_id,
        "--dangerous-without-keystone-check",
    ];
    let _made = setup.register(MACHINE, &tie);
    let introspects = ["--introspection", "domain"];
    let gateway = setup.register("gateway", &introspects);
    let secret = gateway["client_secret"].as_str().unwrap().to_owned();
    let mut compute = vec!["--subject-dn", "CN=compute", "--introspection", "own"];
    compute.extend(["--introspection-format", "keystonemiddleware"]);
    let _made = setup.register("compute", &compute);
    (setup.start(), secret)
}

impl World {
    fn start() -> Self {
        // mod_auth_openidc says by this variable who vouches for a user.
        let options = LabOptions::new().jws();
        let lab = KeystoneLab::start(&options.set("openid.remote_id_attribute", "OIDC_iss"));
        let machine = lab.machine(&["member"]);
        let (server, gateway) = serve(&lab, &machine);
        let own = server.setup().ca().client(MACHINE);
        let mut world = Self {
            server,
            lab,
            machine,
            own,
            folder: tempfile::tempdir().unwrap(),
            running: Vec::new(),
        };
        world.federate();
        let apache = world.apache(&gateway);
        world.running.push(Box::new(apache));
        world
    }

    fn issuer(&self) -> String {
        self.server.public_url("")
    }

    fn ca(&self) -> &TestCa {
        self.server.setup().ca()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// What the machine is given at one of our two token endpoints.
    fn issued(&self, url: &str, form: &[(&str, &str)]) -> String {
        let answer = self.server.holder(&self.own).post(url, &[], form).unwrap();
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), self.server.said());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    fn token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", MACHINE),
            ("scope", "openstack:api"),
        ];
        self.issued(&self.server.mtls_url("/token"), &form)
    }

    fn keystone_token(&self) -> String {
        let [_, mutual] = self.server.ports();
        let url = format!("https://localhost:{mutual}/v3/OS-OAUTH2/token");
        let form = [("grant_type", "client_credentials"), ("client_id", MACHINE)];
        self.issued(&url, &form)
    }

    fn wsgi(&self, paste: &str, config: &str, certificate_in: CertificateIn) -> WsgiService {
        let filters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/wsgi-filter");
        let paste = paste.replace("compute.api:application", WsgiService::APPLICATION);
        WsgiService::start(&WsgiSetup {
            paste: &paste,
            config: Some(config),
            certificate: &self.ca().server(),
            client_ca: &self.ca().pem(),
            certificate_in,
            python_path: &[&filters],
        })
    }

    /// How a service of the examples reaches Keystone.
    fn keystone_options(&self, path: &str) -> String {
        let password = &self.lab.seed().user("nova").password;
        let changes = [
            ("https://keystone.example/v3", self.lab.url()),
            ("PASSWORD", password),
        ];
        example(path, &changes)
    }

    fn rust_service(&self) -> ProtectedService {
        let (ca, audience) = (self.server.setup().path("ca.pem"), "openstack-apis:demo");
        let own = self.ca().server();
        ProtectedService::start_with(&self.issuer(), audience, &ca, &own, self.folder.path())
    }

    fn offline_filter(&self) -> WsgiService {
        let ca = self.file("issuer-ca.pem", &self.ca().pem());
        let changes = [
            ("https://id.example/v4/oauth2/demo", self.issuer()),
            ("/etc/ssl/certs/id.example.pem", ca.to_string_lossy().into_owned()),
        ];
        let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
        let paste = example("wsgi-filter/api-paste.ini", &changes);
        let config = self.keystone_options("wsgi-filter/service.conf");
        self.wsgi(&paste, &config, CertificateIn::Environ)
    }

    fn introspecting_filter(&self) -> WsgiService {
        let own = self.ca().issue(CertificateSpec::client("compute"));
        let cert = self.file("compute.pem", &own.chain_pem());
        let key = self.file("compute.key", &own.key_pem());
        let ca = self.file("introspection-ca.pem", &self.ca().pem());
        let shared = example("openstack-service/external_oauth2_token.conf", &[]);
        let auth = example("openstack-service/auth-tls_client_auth.conf", &[]);
        let mut config = format!("{shared}\n{auth}");
        for (from, to) in [
            (
                "https://mtls.id.example.org/v4/oauth2/demo/introspect",
                self.server.mtls_url("/introspect"),
            ),
            ("https://id.example.org/v4/oauth2/demo", self.issuer()),
            ("/etc/compute/sealstone-ca.pem", ca.to_string_lossy().into_owned()),
            ("/etc/compute/compute.pem", cert.to_string_lossy().into_owned()),
            ("/etc/compute/compute.key", key.to_string_lossy().into_owned()),
        ] {
            assert!(config.contains(from), "{from}");
            config = config.replace(from, &to);
        }
        let paste = example("openstack-service/api-paste.ini", &[]);
        self.wsgi(&paste, &config, CertificateIn::Environ)
    }

    /// A service behind a filter for Keystone's tokens.
    fn keystone_filter(&self, name: &str) -> WsgiService {
        let paste = example(&format!("openstack-service/{name}.ini"), &[]);
        let config = self.keystone_options("openstack-service/keystone_authtoken.conf");
        self.wsgi(&paste, &config, CertificateIn::Socket)
    }

    /// Keystone's side of federation: provider, mapping, protocol.
    fn federate(&self) {
        let group = self.lab.seed().groups["fed-users"].clone();
        let issuer = self.issuer();
        let changes = [
            ("https://id.example/v4/oauth2/demo", issuer.as_str()),
            ("GROUP_ID", &group),
        ];
        let rules: Value = serde_json::from_str(&example("mod-auth-openidc/mapping.json", &changes)).unwrap();
        let provider = json!({"identity_provider": {"enabled": true, "remote_ids": [issuer]}});
        let base = "/OS-FEDERATION/identity_providers/sealstone";
        self.lab.change("PUT", base, Some(&provider));
        let mapping = json!({"mapping": {"rules": rules}});
        self.lab
            .change("PUT", "/OS-FEDERATION/mappings/sealstone", Some(&mapping));
        let protocol = json!({"protocol": {"mapping_id": "sealstone"}});
        self.lab
            .change("PUT", &format!("{base}/protocols/openid"), Some(&protocol));
    }

    /// Apache with `mod_auth_openidc` in front of Keystone.
    fn apache(&self, secret: &str) -> Front {
        let [port] = free_ports();
        let setup = FrontSetup::new();
        setup.write_certificate("server", &self.ca().server());
        setup.write("sealstone-ca.pem", &self.ca().pem());
        setup.write("holder.lua", &example("mod-auth-openidc/holder.lua", &[]));
        let client = format!(
            "OIDCOAuthClientID gateway\nOIDCOAuthClientSecret {secret}\nOIDCCryptoPassphrase {secret}\n"
        );
        setup.write("client.conf", &client);
        let node = self.lab.url().trim_end_matches("/v3").rsplit_once(':').unwrap().1;
        // The lab's node speaks the uWSGI protocol twenty ports on.
        let uwsgi = format!("127.0.0.1:{}", node.parse::<u16>().unwrap() + 20);
        let folder = setup.folder().to_string_lossy().into_owned();
        let config = example(
            "mod-auth-openidc/keystone.conf",
            &[
                ("https://id.example/v4/oauth2/demo", &self.issuer()),
                ("/etc/keystone-front", &folder),
                ("*:443", &format!("127.0.0.1:{port}")),
                ("127.0.0.1:5001", &uwsgi),
            ],
        );
        let modules = ["ssl", "lua", "auth_openidc", "proxy", "proxy_uwsgi", "authz_user"];
        let front = setup.start(FrontKind::Apache, port, &config, &modules);
        fs::write(self.folder.path().join("apache"), front.url()).unwrap();
        front
    }

    fn apache_url(&self) -> String {
        fs::read_to_string(self.folder.path().join("apache")).unwrap()
    }

    /// Keeps a service running, and says where it answers.
    fn keep<T: std::fmt::Debug + 'static>(&mut self, service: T, url: String) -> String {
        self.running.push(Box::new(service));
        url
    }

    /// The status of a request; a handshake that was refused has none.
    fn asked(&self, target: &Target, certificate: Option<&TestCertificate>) -> Option<u16> {
        let https = match certificate {
            Some(certificate) => self.server.holder(certificate),
            None => self.server.https(),
        };
        ask(&https, target)
    }

    fn thieves(&self) -> [Thief; 5] {
        let thief = |what, certificate| Thief { what, certificate };
        let ca = self.ca();
        [
            thief("no certificate", None),
            thief("another machine's", Some(ca.client("thief"))),
            thief(
                "of the same subject, with another key",
                Some(ca.issue(CertificateSpec::same_subject(&self.own))),
            ),
            thief(
                "of the same subject, by another authority of the same name",
                Some(TestCa::new("Machines").client(MACHINE)),
            ),
            thief(
                "of the same subject, signed by itself",
                Some(CertificateSpec::client(MACHINE).self_signed()),
            ),
        ]
    }
}

fn ask(https: &Https, target: &Target) -> Option<u16> {
    let bearer = format!("Bearer {}", target.token);
    let header = match target.carried {
        Carried::Bearer => ("authorization", bearer.as_str()),
        Carried::AuthToken => ("x-auth-token", target.token.as_str()),
    };
    let answer = https.send(target.method, &target.url, &[header], b"");
    answer.ok().map(|answer| answer.status)
}

/// The resource servers that look at the binding, each with a token of the kind that it takes.
fn holders_only(world: &mut World) -> Vec<Target> {
    let (token, keystone) = (world.token(), world.keystone_token());
    let rust = world.rust_service();
    let rust_url = rust.url().to_owned();
    let rust = world.keep(rust, rust_url);
    let offline = world.offline_filter();
    let introspecting = world.introspecting_filter();
    let bound = world.keystone_filter("oauth2_mtls_token");
    let [offline, introspecting, bound] = [offline, introspecting, bound].map(|service| {
        let url = format!("{}/v2.1/servers", service.url());
        world.keep(service, url)
    });
    let apache = format!("{}{AUTH}", world.apache_url());
    let target = |name, url, token: &String| Target {
        name,
        url,
        method: "GET",
        carried: Carried::Bearer,
        token: token.clone(),
        lets_in: 200,
    };
    vec![
        target("sealstone-resource", rust, &token),
        target("external_oauth2_token", introspecting, &token),
        target("the WSGI filter", offline, &token),
        target("oauth2_mtls_token", bound, &keystone),
        Target {
            method: "POST",
            lets_in: 201,
            ..target("mod_auth_openidc", apache, &token)
        },
    ]
}

/// One world for all: a Keystone of its own takes a quarter of a minute.
#[test]
fn a_stolen_token_is_refused_by_every_resource_server_that_looks() {
    let mut world = World::start();
    let targets = holders_only(&mut world);
    for target in &targets {
        let name = target.name;
        assert_eq!(
            world.asked(target, Some(&world.own)),
            Some(target.lets_in),
            "{name}\n{:?}",
            world.running
        );
        for thief in world.thieves() {
            let status = world.asked(target, thief.certificate.as_ref());
            // Where the service's TLS knows the authorities of its clients, strangers get no further than it.
            assert!(
                matches!(status, Some(401) | None),
                "{name}: {}: {status:?}",
                thief.what
            );
            assert!(
                status.is_some() || thief.what.contains("by"),
                "{name}: {}",
                thief.what
            );
        }
        // The refusals have not made it forget the holder.
        assert_eq!(
            world.asked(target, Some(&world.own)),
            Some(target.lets_in),
            "{name}"
        );
    }
    those_that_do_not_look(&mut world);
}

/// Facts about unmodified OpenStack that docs/guides/machine-identity.md tells: if they change, so must it.
fn those_that_do_not_look(world: &mut World) {
    let token = world.keystone_token();
    let target = |name, url, carried| Target {
        name,
        url,
        method: "GET",
        carried,
        token: token.clone(),
        lets_in: 200,
    };
    let services = ["auth_token", "oauth2_token"].map(|name| world.keystone_filter(name));
    let [auth, oauth2] = services.map(|service| {
        let url = format!("{}/v2.1/servers", service.url());
        world.keep(service, url)
    });
    let looked = [
        target("auth_token", auth, Carried::AuthToken),
        target("oauth2_token", oauth2, Carried::Bearer),
    ];
    let thief = world.ca().client("thief");
    for target in &looked {
        for certificate in [Some(&world.own), Some(&thief), None] {
            assert_eq!(world.asked(target, certificate), Some(200), "{}", target.name);
        }
    }
    // Keystone's own interface: over plain HTTP there is no certificate at all.
    let path = format!("/users/{}/projects", world.machine.user_id);
    let answer = world.lab.request("GET", &path, Some(&token), None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // A token of ours is none of Keystone's: there is nothing to steal for it.
    let ours = world.token();
    assert_eq!(world.lab.request("GET", &path, Some(&ours), None).status, 401);
}
