//! Keystone's own model, with the guide's files: `keystone.conf`, uWSGI, nginx, Apache and the mapping.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command};

use sealstone_interop::{
    Answer, EXPIRED_AT, Front, FrontKind, FrontSetup, Https, HttpsError, KeystoneLab, LabMachine, LabOptions,
    free_ports,
};
use sealstone_testkit::{CertificateSpec, CrlSpec, TestCa, TestCertificate};
use serde_json::{Value, json};

use crate::observed::{Observed, check, front_said, keystone_said, seen, settled};
use crate::{example, soon};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const CA: &str = "Example Machines CA";

/// Keystone under the guide's uWSGI, and what stands in front of it.
struct World {
    nginx: Front,
    apache: Front,
    uwsgi: Uwsgi,
    lab: KeystoneLab,
    ca: TestCa,
    machine: LabMachine,
    tried: BTreeMap<&'static str, Observed>,
}

/// A running uWSGI; ends when this is dropped.
struct Uwsgi {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Uwsgi {
    /// Keystone with the lab's options, and after them those of the guide.
    fn start(lab: &KeystoneLab) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = lab.folder().join("keys/jws");
        let options = example(
            "keystone.conf",
            &[("/etc/keystone/jws-keys", &keys.to_string_lossy())],
        );
        let [conf, ini, log] =
            ["keystone.conf", "keystone-uwsgi.ini", "log"].map(|name| folder.path().join(name));
        fs::write(&conf, options).unwrap();
        let [port] = free_ports();
        let address = format!("127.0.0.1:{port}");
        fs::write(
            &ini,
            example("keystone-uwsgi.ini", &[("127.0.0.1:5001", &address)]),
        )
        .unwrap();
        let out = fs::File::create(&log).unwrap();
        let program = lab.program("uwsgi");
        let home = program.parent().unwrap().parent().unwrap().to_owned();
        let own = lab.folder().join("node1/keystone.conf");
        let child = Command::new(program)
            .arg("--home")
            .arg(home)
            .arg("--ini")
            .arg(ini)
            .env(
                "OS_KEYSTONE_CONFIG_FILES",
                format!("{};{}", own.display(), conf.display()),
            )
            .env("PYTHONWARNINGS", "ignore")
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let this = Self { child, folder, port };
        soon("Keystone serves", || {
            this.said().contains("WSGI app 0") && TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        this
    }

    fn said(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Uwsgi {
    fn drop(&mut self) {
        // Its workers end with it when it is asked to end.
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ended = self.child.wait();
    }
}

/// A front of the guide.
fn front(kind: FrontKind, uwsgi: u16, ca: &TestCa, changes: &[(&str, &str)]) -> Front {
    let [port] = free_ports();
    let setup = FrontSetup::new();
    setup.write_certificate("server", &ca.server());
    setup.write("client-ca.pem", &ca.pem());
    setup.write("client-ca.crl", &ca.crl(&CrlSpec::new(1)).pem());
    let (file, listens, here) = if kind == FrontKind::Apache {
        ("keystone-apache.conf", "*:5000", format!("127.0.0.1:{port}"))
    } else {
        (
            "keystone-nginx.conf",
            "listen 5000",
            format!("listen 127.0.0.1:{port}"),
        )
    };
    let folder = setup.folder().to_string_lossy().into_owned();
    let socket = format!("127.0.0.1:{uwsgi}");
    let mut all = vec![
        (listens, here.as_str()),
        ("127.0.0.1:5001", &socket),
        ("/etc/keystone-front", &folder),
        ("keystone.example.org", "localhost"),
    ];
    all.extend(changes);
    setup.start(kind, port, &example(file, &all), &["ssl", "proxy", "proxy_uwsgi"])
}

impl World {
    fn start() -> Self {
        let lab = KeystoneLab::start(&LabOptions::new().jws());
        let ca = TestCa::new(CA);
        let rules: Value = serde_json::from_str(&example("keystone-mapping.json", &[])).unwrap();
        let mapping = json!({"mapping": {"rules": rules}});
        lab.change("PATCH", "/OS-FEDERATION/mappings/oauth2_mapping", Some(&mapping));
        let machine = lab.machine(&["member"]);
        let uwsgi = Uwsgi::start(&lab);
        let [nginx, apache] =
            [FrontKind::Nginx, FrontKind::Apache].map(|kind| front(kind, uwsgi.port, &ca, &[]));
        Self {
            nginx,
            apache,
            uwsgi,
            lab,
            ca,
            machine,
            tried: BTreeMap::new(),
        }
    }

    /// The subject that the mapping wants of the machine, with one of its names replaced.
    fn subject(&self, other: &[(&str, &str)]) -> CertificateSpec {
        let machine = &self.machine;
        let email = format!("{}@lab.test", machine.user_name);
        let mut names = vec![
            ("CN", machine.user_name.as_str()),
            ("UID", &machine.user_id),
            ("EMAIL", &email),
            ("O", "acme"),
            ("DC", &machine.domain_id),
        ];
        for (name, value) in other {
            names.retain(|(known, _)| known != name);
            if !value.is_empty() {
                names.push((name, value));
            }
        }
        CertificateSpec::client("").subject(&names)
    }

    fn ask(&self, front: &Front, certificate: Option<&TestCertificate>) -> Result<Answer, HttpsError> {
        let form = [GRANT, ("client_id", self.machine.user_id.as_str())];
        self.post(front, certificate, &form)
    }

    fn post(
        &self,
        front: &Front,
        certificate: Option<&TestCertificate>,
        form: &[(&str, &str)],
    ) -> Result<Answer, HttpsError> {
        let https = Https::trusting(&self.ca.pem());
        let https = match certificate {
            Some(certificate) => https.with_certificate(certificate),
            None => https,
        };
        https.post(&format!("{}/v3/OS-OAUTH2/token", front.url()), &[], form)
    }

    fn texts(&self, front: &Front) -> [(&'static str, String); 2] {
        [
            ("Proxy's log", front_said(front)),
            ("Keystone's log", keystone_said(&self.uwsgi.said())),
        ]
    }

    fn observe(
        &mut self,
        what: &'static str,
        front: impl Fn(&Self) -> &Front,
        act: impl FnOnce(&Self, &Front) -> Result<Answer, HttpsError>,
    ) {
        let front = front(self);
        let before = self.texts(front);
        let client = seen(&act(self, front));
        let mut observed = settled(&before, || self.texts(front));
        observed.insert("The client sees", client);
        self.tried.insert(what, observed);
    }

    fn certificates(&mut self) {
        let expired = self.ca.issue(self.subject(&[]).not_after(EXPIRED_AT));
        let twin = TestCa::new(CA).issue(self.subject(&[]));
        let nginx: fn(&Self) -> &Front = |world| &world.nginx;
        let apache: fn(&Self) -> &Front = |world| &world.apache;
        self.observe("certificate missing", nginx, |world, front| {
            world.ask(front, None)
        });
        for (what, front) in [
            ("certificate expired, behind nginx", nginx),
            ("certificate expired, behind Apache", apache),
        ] {
            self.observe(what, front, |world, front| world.ask(front, Some(&expired)));
        }
        for (what, front) in [
            ("certificate unknown, behind nginx", nginx),
            ("certificate unknown, behind Apache", apache),
        ] {
            self.observe(what, front, |world, front| world.ask(front, Some(&twin)));
        }
        let other = self.ca.issue(self.subject(&[("EMAIL", "other@lab.test")]));
        self.observe("wrong DN: a name differs", nginx, |world, front| {
            world.ask(front, Some(&other))
        });
        let lacking = self.ca.issue(self.subject(&[("UID", "")]));
        self.observe("wrong DN: a name is missing", nginx, |world, front| {
            world.ask(front, Some(&lacking))
        });
        let own = self.ca.issue(self.subject(&[]));
        let raw = ("$ssl_client_raw_cert", "$ssl_client_escaped_cert");
        let wrong = front(FrontKind::Nginx, self.uwsgi.port, &self.ca, &[raw]);
        let kept = std::mem::replace(&mut self.nginx, wrong);
        self.observe("wrong proxy form", nginx, |world, front| {
            world.ask(front, Some(&own))
        });
        self.nginx = kept;
    }

    fn credentials(&mut self) {
        let id = self.machine.credential_id.clone();
        for (what, id) in [
            ("wrong application credential: its secret", id.as_str()),
            (
                "wrong application credential: its id",
                "0123456789abcdef0123456789abcdef",
            ),
        ] {
            let form = [GRANT, ("client_id", id), ("client_secret", "wrong")];
            self.observe(
                what,
                |world| &world.nginx,
                |world, front| world.post(front, None, &form),
            );
        }
    }
}

/// One world for all: a Keystone of its own takes a quarter of a minute.
#[test]
fn keystones_own_way_with_the_files_of_the_guide() {
    let mut world = World::start();
    let own = world.ca.issue(world.subject(&[]));
    let mut thumbprints = Vec::new();
    for front in [&world.nginx, &world.apache] {
        let answer = world.ask(front, Some(&own)).unwrap();
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.uwsgi.said());
        let body = answer.json();
        let said = world
            .lab
            .validated(body["access_token"].as_str().unwrap())
            .unwrap();
        assert_eq!(said["project"]["id"], *world.machine.project_id);
        assert_eq!(said["methods"], json!(["oauth2_credential"]));
        thumbprints.push(said["oauth2_credential"]["x5t#S256"].clone());
    }
    assert_eq!(thumbprints[0], thumbprints[1]);
    assert_ne!(thumbprints[0], *own.thumbprint(), "not as RFC 8705 has it");
    world.certificates();
    world.credentials();
    check("At Keystone's own endpoint", &world.tried);
    what_the_comments_warn_of(&world);
}

/// Facts about Keystone by which the guide advises: if they change, so must it.
fn what_the_comments_warn_of(world: &World) {
    // An authority that calls itself like ours, where the front leaves the chain to Keystone.
    let twin = TestCa::new(CA).issue(world.subject(&[]));
    let lax = ("ssl_verify_client optional;", "ssl_verify_client optional_no_ca;");
    let front = front(FrontKind::Nginx, world.uwsgi.port, &world.ca, &[lax]);
    assert_eq!(world.ask(&front, Some(&twin)).unwrap().status, 200);
    // A user who is disabled gets a token, which then does not count.
    let own = world.ca.issue(world.subject(&[]));
    let path = format!("/users/{}", world.machine.user_id);
    world
        .lab
        .change("PATCH", &path, Some(&json!({"user": {"enabled": false}})));
    let answer = world.ask(&world.nginx, Some(&own)).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(world.lab.validated(&token), None);
}
