//! A cloud, a Sealstone beside it as the guide has it, and a machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealstone_interop::{
    CertificateIn, Https, KeystoneLab, LabFront, LabMachine, LabOptions, ServeServer, ServeSetup,
    WsgiService, WsgiSetup, built, free_ports,
};
use sealstone_testkit::{TestCa, TestCertificate};
use serde_json::Value;

use crate::{example, filled};

pub(crate) const SUBJECT: &str = "CN=Example Machines CA,O=Example";

pub(crate) struct Place {
    pub(crate) server: ServeServer,
    pub(crate) lab: KeystoneLab,
    /// The CA of `sealstone ca` in `home/ca`: of the machines, and of every server here.
    pub(crate) ca: TestCa,
    pub(crate) home: tempfile::TempDir,
    /// The user that `ci` acts as.
    pub(crate) ci: LabMachine,
    /// The one whose application credential `exporter` acts as.
    pub(crate) exporter: LabMachine,
}

fn program(name: &str) -> PathBuf {
    let (variable, package) = match name {
        "sealstone" => ("SEALSTONE", "sealstone-cli"),
        _ => ("SEALSTONED", "sealstone-server"),
    };
    built(variable, &["--package", package, "--bin", name], name)
}

/// A command in a folder, with our programs in its path.
pub(crate) fn command(program: &Path, folder: &Path) -> Command {
    let own = self::program("sealstone").parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&others))).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    command
}

/// A file of the guide that is a program for `sh`, as it is.
pub(crate) fn script(name: &str, folder: &Path, environment: &[(&str, &str)]) -> Output {
    let path = fs::canonicalize(crate::folder().join(name)).unwrap();
    let mut command = command(Path::new("sh"), folder);
    command.arg(path).envs(environment.iter().copied());
    command.output().unwrap()
}

#[track_caller]
pub(crate) fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `sealstone` with these arguments.
#[track_caller]
fn sealstone(folder: &Path, arguments: &[&str]) {
    let output = command(&program("sealstone"), folder).args(arguments).output();
    let _said = done(&output.unwrap());
}

impl Place {
    pub(crate) fn start(change: impl FnOnce(&mut ServeSetup)) -> Self {
        let lab = KeystoneLab::start(&LabOptions::new().jws().tls());
        let home = tempfile::tempdir().unwrap();
        let machine = home.path().join("machine");
        fs::create_dir(&machine).unwrap();
        sealstone(home.path(), &["ca", "init", "--dir", "ca", "--subject", SUBJECT]);
        sealstone(home.path(), &["ca", "crl", "--dir", "ca"]);
        for name in ["ci", "exporter"] {
            let subject = format!("CN={name},O=Example");
            let out = format!("machine/{name}");
            sealstone(
                home.path(),
                &["ca", "issue", "--dir", "ca", "--subject", &subject, "--out", &out],
            );
        }
        let text = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
        let ca = TestCa::from_pem(&text("ca/ca.pem"), &text("ca/ca.key"));
        fs::write(machine.join("ca.pem"), ca.pem()).unwrap();

        let mut setup = ServeSetup::new();
        configure(&mut setup, &lab, &ca, &text("ca/crl.pem"));
        change(&mut setup);
        let (ci, exporter) = (lab.machine(&["member"]), lab.machine(&["reader"]));
        mint_key(&setup, &lab);
        register(&setup, &lab, &ci, &exporter);
        let config = setup.path("sealstoned.toml");
        let check = command(&program("sealstoned"), home.path())
            .arg("check")
            .arg("--config")
            .arg(config)
            .output();
        assert!(done(&check.unwrap()).contains("The configuration can be used."));
        Self {
            server: setup.start(),
            lab,
            ca,
            home,
            ci,
            exporter,
        }
    }

    /// The machine's own folder.
    pub(crate) fn machine(&self) -> PathBuf {
        self.home.path().join("machine")
    }

    /// A certificate with its key, as the files of the machine's folder have them.
    pub(crate) fn certificate(&self, name: &str) -> TestCertificate {
        let text =
            |ending: &str| fs::read_to_string(self.machine().join(format!("{name}.{ending}"))).unwrap();
        TestCertificate::from_pem(&text("pem"), &text("key"))
    }

    pub(crate) fn https(&self, certificate: Option<&TestCertificate>) -> Https {
        let https = Https::trusting(&self.ca.pem());
        match certificate {
            Some(certificate) => https.with_certificate(certificate),
            None => https,
        }
    }

    /// A path of the domain's issuer, at the listener that asks for certificates.
    pub(crate) fn url(&self, path: &str) -> String {
        let [_, mutual] = self.server.ports();
        format!("https://localhost:{mutual}/v4/oauth2/ops{path}")
    }

    pub(crate) fn issuer(&self) -> String {
        let [public, _] = self.server.ports();
        format!("https://localhost:{public}/v4/oauth2/ops")
    }

    /// Our form of Keystone's own endpoint.
    pub(crate) fn os_oauth2(&self) -> String {
        let [_, mutual] = self.server.ports();
        format!("https://localhost:{mutual}/v3/OS-OAUTH2/token")
    }

    /// A token of `ci`, bound to this certificate of it.
    #[track_caller]
    pub(crate) fn token(&self, url: &str, certificate: &TestCertificate) -> String {
        let answer = self.https(Some(certificate)).post(url, &[], &FORM).unwrap();
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), self.server.said());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// A service behind the WSGI filter, which leaves Keystone's tokens to `auth_token`.
    pub(crate) fn service(&self) -> WsgiService {
        let filters = crate::folder().join("../wsgi-filter");
        let ca = self.home.path().join("ca/ca.pem");
        let paste = filled(
            &filters.join("api-paste.ini"),
            &[
                ("https://id.example/v4/oauth2/demo", &self.issuer()),
                ("/etc/ssl/certs/id.example.pem", &ca.to_string_lossy()),
                ("compute.api:application", WsgiService::APPLICATION),
            ],
        );
        let password = &self.lab.seed().user("nova").password;
        let changes = [
            ("https://keystone.example/v3", self.lab.url()),
            ("PASSWORD", password),
        ];
        WsgiService::start(&WsgiSetup {
            paste: &paste,
            config: Some(&filled(&filters.join("service.conf"), &changes)),
            certificate: &self.ca.server(),
            client_ca: &self.ca.pem(),
            certificate_in: CertificateIn::Environ,
            python_path: &[&filters],
        })
    }

    /// The rule of the last refusal in the audit trail.
    pub(crate) fn rule(&self) -> Option<String> {
        let audit = self.server.audit();
        let last = audit.iter().rev().find(|event| event["outcome"] == "failure")?;
        last["reason"]["policyId"].as_str().map(str::to_owned)
    }
}

pub(crate) const FORM: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", "ci"),
    ("scope", "openstack:api"),
];

/// The guide's `sealstoned.toml`, key by key, and the files that it names.
fn configure(setup: &mut ServeSetup, lab: &KeystoneLab, ca: &TestCa, crl: &str) {
    let [public, mutual] = free_ports();
    let service = lab.machine(&["service"]);
    let [public_url, mutual_url] = [public, mutual].map(|port| format!("https://localhost:{port}"));
    let [public, mutual] = [public, mutual].map(|port| format!("127.0.0.1:{port}"));
    let text = example(
        "sealstoned.toml",
        &[
            ("https://id.example.org:8444", &mutual_url),
            ("https://id.example.org", &public_url),
            ("0.0.0.0:443", &public),
            ("0.0.0.0:8444", &mutual),
            ("127.0.0.1:8445", "127.0.0.1:0"),
            ("/var/lib/sealstone/", ""),
            ("https://keystone.example.org:5000/v3", lab.tls(LabFront::Nginx)),
            ("96ac0e80280047d980fc8c62728b49d2", &service.credential_id),
        ],
    );
    let mut section = String::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else {
            let (key, value) = line.split_once(" = ").unwrap();
            setup.set(&section, key, value);
        }
    }
    setup.set("log", "level", "'info'");
    fs::create_dir(setup.path("secrets")).unwrap();
    let own = ca.server();
    setup.write("server.pem", &own.chain_pem());
    setup.write_private("secrets/server.key", &own.key_pem());
    setup.write("client-ca.pem", &ca.pem());
    setup.write("client-ca.crl", crl);
    setup.write("keystone-ca.pem", &lab.seed().ca_pem());
    setup.write_private("secrets/keystone-service", &service.credential_secret);
    for name in ["pepper", "kek"] {
        fs::copy(setup.path(name), setup.path(&format!("secrets/{name}"))).unwrap();
    }
}

/// Where the lab's Keystone keeps the public keys that it believes.
pub(crate) fn public_keys(lab: &KeystoneLab) -> String {
    lab.folder()
        .join("keys/jws/public")
        .to_string_lossy()
        .into_owned()
}

/// Runs the guide's `mint-key.sh`; the file that Keystone has now.
pub(crate) fn mint_key(setup: &ServeSetup, lab: &KeystoneLab) -> PathBuf {
    let secrets = setup.path("secrets").to_string_lossy().into_owned();
    let environment = [("SECRETS", secrets.as_str()), ("PUBLIC", &public_keys(lab))];
    let made = script("mint-key.sh", &setup.path(""), &environment);
    let public = fs::canonicalize(done(&made).trim()).unwrap();
    assert!(fs::read_to_string(&public).unwrap().contains("BEGIN PUBLIC KEY"));
    public
}

/// Runs the guide's `register.sh` as the cloud's administrator.
fn register(setup: &ServeSetup, lab: &KeystoneLab, ci: &LabMachine, exporter: &LabMachine) {
    // Writes the configuration down, and makes the database.
    let listed = setup.sealstone(&["key", "list"]);
    assert!(setup.path("sealstone.db").exists(), "{listed:?}");
    setup.write_private("exporter-secret", &exporter.credential_secret);
    let [config, secret] =
        ["sealstoned.toml", "exporter-secret"].map(|name| setup.path(name).to_string_lossy().into_owned());
    let token = lab.admin_token();
    let environment = [
        ("CONFIG", config.as_str()),
        ("OS_TOKEN", &token),
        ("USER_ID", &ci.user_id),
        ("PROJECT_ID", &ci.project_id),
        ("CREDENTIAL_ID", &exporter.credential_id),
        ("CREDENTIAL_SECRET_FILE", &secret),
    ];
    let said = done(&script("register.sh", &setup.path(""), &environment));
    assert!(!said.contains(&exporter.credential_secret), "{said}");
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}
