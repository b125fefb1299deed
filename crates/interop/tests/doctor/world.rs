//! A server's folder, good until a case changes it, and the doctor before it.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use rustls_pki_types::UnixTime;
use sealstone_interop::{ServeServer, ServeSetup, built, free_ports};
use sealstone_testkit::{CrlSpec, unix_time};
use serde_json::Value;

/// Where Debian's libfaketime is.
const FAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

pub(crate) fn program() -> Command {
    let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
    Command::new(built("SEALSTONE", &build, "sealstone"))
}

/// So many days from now.
pub(crate) fn in_days(days: i64) -> UnixTime {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    unix_time(now.unwrap().as_secs().checked_add_signed(days * 86_400).unwrap())
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What the doctor said.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    pub(crate) status: i32,
    document: Value,
}

impl Diagnosis {
    pub(crate) fn of(output: &Output) -> Self {
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let document = serde_json::from_slice(&output.stdout);
        Self {
            status: output.status.code().unwrap(),
            document: document.unwrap_or_else(|_| unreachable!("{err}")),
        }
    }

    fn findings(&self) -> &[Value] {
        self.document["findings"].as_array().unwrap()
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.findings()
            .iter()
            .map(|finding| finding["id"].as_str().unwrap())
            .collect()
    }

    pub(crate) fn checked(&self, area: &str) -> bool {
        self.document["checked"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one == area)
    }

    /// It was found, with what was seen and what to do; and the exit status says so.
    #[track_caller]
    pub(crate) fn has(&self, id: &str, seen: &str) {
        let found = self
            .findings()
            .iter()
            .find(|finding| finding["id"] == id && finding["evidence"].as_str().unwrap().contains(seen));
        let Some(found) = found else {
            unreachable!("{id} ({seen}) is not in {self:#?}")
        };
        assert!(!found["action"].as_str().unwrap().is_empty(), "{found}");
        if found["severity"] == "wrong" {
            assert_eq!(self.status, 1, "{self:?}");
        }
    }

    #[track_caller]
    pub(crate) fn has_not(&self, id: &str) {
        assert!(!self.ids().contains(&id), "{self:#?}");
    }
}

/// A server that is set up well and was never started.
pub(crate) struct Bench {
    pub(crate) setup: ServeSetup,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let [public, mutual] = free_ports();
        let mut setup = ServeSetup::new();
        let list = setup.ca().crl(&CrlSpec::new(1).next_update(in_days(7)));
        setup.write("clients.crl", &list.pem());
        for (section, key, value) in [
            ("server", "base_url", format!("'https://localhost:{public}'")),
            ("server", "listen", format!("'127.0.0.1:{public}'")),
            ("server", "mtls_base_url", format!("'https://localhost:{mutual}'")),
            ("server", "mtls_listen", format!("'127.0.0.1:{mutual}'")),
            ("tls", "crl_files", "['clients.crl']".to_owned()),
            ("log", "level", "'info'".to_owned()),
        ] {
            setup.set(section, key, &value);
        }
        mode(&setup.path("."), 0o700);
        Self { setup }
    }

    /// Makes the database, with the domain `demo`.
    pub(crate) fn register(&self, id: &str, arguments: &[&str]) {
        let _made = self.setup.register(id, arguments);
    }

    /// `sealstone doctor`, with the configuration as it is now.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.setup.write_config();
        doctor(&self.setup, "sealstoned.toml", arguments, &mut program())
    }

    pub(crate) fn diagnose(&self, arguments: &[&str]) -> Diagnosis {
        let arguments = [&["--output", "json"], arguments].concat();
        Diagnosis::of(&self.output(&arguments))
    }

    /// Serves; the domain `demo` has its keys.
    pub(crate) fn started(&mut self) -> Served {
        if !self.setup.path("sealstone.db").exists() {
            self.register("ci", &["--subject-dn", "CN=ci", "--scope", "builds:read"]);
        }
        let setup = std::mem::take(&mut self.setup);
        let server = setup.start();
        server.wait_for_issuer();
        Served(server)
    }
}

/// A server that runs.
pub(crate) struct Served(pub(crate) ServeServer);

impl Served {
    pub(crate) fn diagnose(&self, arguments: &[&str]) -> Diagnosis {
        self.with(&[], arguments)
    }

    /// The doctor with another configuration of the same folder: each line of it that begins so is replaced.
    pub(crate) fn with(&self, changes: &[(&str, &str)], arguments: &[&str]) -> Diagnosis {
        let setup = self.0.setup();
        self.alter(changes);
        let arguments = [&["--output", "json"], arguments].concat();
        Diagnosis::of(&doctor(setup, "other.toml", &arguments, &mut program()))
    }

    /// The doctor on a machine whose clock is wrong by as much.
    pub(crate) fn at(&self, offset: &str, arguments: &[&str]) -> Option<Diagnosis> {
        self.alter(&[]);
        let arguments = [&["--output", "json"], arguments].concat();
        let mut program = program();
        let _set = at(&mut program, offset)?;
        Some(Diagnosis::of(&doctor(
            self.0.setup(),
            "other.toml",
            &arguments,
            &mut program,
        )))
    }

    fn alter(&self, changes: &[(&str, &str)]) {
        let setup = self.0.setup();
        let text = fs::read_to_string(setup.path("sealstoned.toml")).unwrap();
        let mut other = String::new();
        for line in text.lines() {
            let fits = |(begin, _): &&(&str, &str)| !begin.is_empty() && line.starts_with(begin);
            let change = changes.iter().find(fits);
            let _ = writeln!(other, "{}", change.map_or(line, |(_, line)| line));
        }
        for (_, line) in changes.iter().filter(|(begin, _)| begin.is_empty()) {
            let _ = writeln!(other, "{line}");
        }
        fs::write(setup.path("other.toml"), other).unwrap();
    }
}

/// Runs the program under another time; `None` where libfaketime is not installed.
pub(crate) fn at<'c>(program: &'c mut Command, offset: &str) -> Option<&'c mut Command> {
    let library = FAKETIME.iter().find(|path| Path::new(path).exists());
    let Some(library) = library else {
        println!("left out: libfaketime is not installed (`cargo xtask setup`)");
        return None;
    };
    Some(
        program
            .env("LD_PRELOAD", library)
            .env("FAKETIME", offset)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    )
}

pub(crate) fn doctor(setup: &ServeSetup, config: &str, arguments: &[&str], program: &mut Command) -> Output {
    program
        .arg("doctor")
        .arg("--config")
        .arg(setup.path(config))
        .arg("--ca")
        .arg(setup.path("ca.pem"))
        .args(arguments)
        .output()
        .unwrap()
}

/// One misconfiguration: its name, what of the evidence is asked for, and how it is made.
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) seen: &'static str,
    pub(crate) make: fn(&mut Bench),
    /// After the configuration was written.
    pub(crate) then: fn(&Bench),
}

impl Case {
    pub(crate) const fn new(id: &'static str, seen: &'static str, make: fn(&mut Bench)) -> Self {
        Self {
            id,
            seen,
            make,
            then: |_| {},
        }
    }

    pub(crate) const fn then(mut self, then: fn(&Bench)) -> Self {
        self.then = then;
        self
    }
}

/// Each is found in a folder of its own; a good one has none of it.
#[track_caller]
pub(crate) fn each_is_found(area: &str, cases: &[Case]) {
    let good = Bench::new();
    good.register("first", &[]);
    let good = good.diagnose(&["--only", area]);
    for case in cases {
        good.has_not(case.id);
        let mut bench = Bench::new();
        (case.make)(&mut bench);
        bench.setup.write_config();
        (case.then)(&bench);
        let arguments = ["--output", "json", "--only", area];
        let output = doctor(&bench.setup, "sealstoned.toml", &arguments, &mut program());
        Diagnosis::of(&output).has(case.id, case.seen);
    }
}
