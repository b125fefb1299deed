//! One account on its way off its password.

use std::fs;
use std::process::Output;

use sealstone_interop::{KeystoneLab, LabMachine, LabOptions, ServeServer};
use sealstone_testkit::TestCertificate;
use serde_json::{Value, json};

use crate::{administrator, beside, data, program, said};

/// A lab whose log tells of password logins.
pub(crate) fn telling() -> KeystoneLab {
    let options = LabOptions::new().jws();
    let options = options.set("oslo_messaging_notifications.driver", "log");
    let options = options.set("DEFAULT.notification_format", "cadf");
    KeystoneLab::start(&options.set("DEFAULT.notification_opt_out", ""))
}

/// One account on its way, with its server running.
pub(crate) struct Way<'a> {
    pub(crate) lab: &'a KeystoneLab,
    pub(crate) server: ServeServer,
    pub(crate) machine: LabMachine,
}

impl<'a> Way<'a> {
    pub(crate) fn new(lab: &'a KeystoneLab) -> Self {
        let mut setup = beside(lab, "cli-way");
        let folder = setup.path("machines");
        let made = program()
            .args(["ca", "init", "--subject", "CN=Machines 2", "--dir"])
            .arg(folder)
            .output();
        assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}");
        setup.set("tls", "client_ca_files", "['ca.pem', 'machines/ca.pem']");
        let _first = setup.register("other", &["--subject-dn", "CN=other", "--scope", "a:b"]);
        let machine = lab.machine(&["member"]);
        setup.write_private("owner-password", &format!("{}\n", machine.password));
        Self {
            lab,
            server: setup.start(),
            machine,
        }
    }

    pub(crate) fn run(&self, step: &str, more: &[&str]) -> Output {
        let journal = self.server.setup().path("journal.json");
        let mut arguments = vec![
            "keystone",
            "migrate",
            step,
            "--journal",
            journal.to_str().unwrap(),
        ];
        arguments.extend(more);
        self.server
            .setup()
            .sealstone_as(&arguments, &administrator(self.lab))
    }

    #[track_caller]
    pub(crate) fn well(&self, step: &str, more: &[&str]) -> Output {
        let output = self.run(step, more);
        assert!(output.status.success(), "{output:?}");
        output
    }

    #[track_caller]
    pub(crate) fn refused(&self, step: &str, more: &[&str], why: &str) {
        let output = self.run(step, more);
        assert!(!output.status.success(), "{output:?}");
        assert!(said(&output).contains(why), "{output:?}");
    }

    pub(crate) fn register(&self, client: &str, more: &[&str]) -> Output {
        let mut arguments = vec![
            "--user",
            &self.machine.user_id,
            "--client",
            client,
            "--domain",
            "demo",
        ];
        arguments.extend(more);
        self.run("register", &arguments)
    }

    pub(crate) fn log(&self) -> String {
        let path = self.lab.folder().join("node1/keystone.log");
        path.to_str().unwrap().to_owned()
    }

    /// Whether Keystone lets the account in by its password.
    pub(crate) fn password_works(&self) -> bool {
        let user = json!({"id": self.machine.user_id, "password": self.machine.password});
        let auth = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
        match self.lab.request("POST", "/auth/tokens", None, Some(&auth)).status {
            201 => true,
            401 => false,
            other => unreachable!("{other}"),
        }
    }

    /// Whether the client gets a token with its certificate.
    pub(crate) fn client_works(&self, client: &str) -> bool {
        let file = |ending: &str| {
            let path = self.server.setup().path(&format!("{client}.{ending}"));
            fs::read_to_string(path).unwrap()
        };
        let certificate = TestCertificate::from_pem(&file("pem"), &file("key"));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", "openstack:api"),
        ];
        let https = self.server.holder(&certificate);
        let answer = https.post(&self.server.mtls_url("/token"), &[], &form).unwrap();
        answer.status == 200
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.well("status", &["--output", "json", "--keystone-log", &self.log()]);
        data(&output)[0].clone()
    }
}
