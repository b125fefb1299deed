//! The Debian package, built over the suite's programs, installed into a folder, and taken away again.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sealstone_interop::{ServeSetup, built};
use tempfile::TempDir;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let told = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{command:?}: {}", told.concat());
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The package of the programs that the suite has built.
fn package(folder: &Path) -> PathBuf {
    let server = built(
        "SEALSTONED",
        &["--package", "sealstone-server", "--bin", "sealstoned"],
        "sealstoned",
    );
    let _cli = built(
        "SEALSTONE",
        &["--package", "sealstone-cli", "--bin", "sealstone"],
        "sealstone",
    );
    let xtask = built("XTASK", &["--package", "xtask"], "xtask");
    // Where the programs are says how they were built.
    let profile = match server
        .parent()
        .and_then(Path::file_name)
        .unwrap()
        .to_str()
        .unwrap()
    {
        "debug" => "dev",
        other => other,
    };
    let path = folder.join("sealstone.deb");
    let mut command = Command::new(xtask);
    command
        .args(["deb", "--no-build", "--fast", "--profile", profile, "--output"])
        .arg(&path)
        .current_dir(workspace());
    run(&mut command);
    path
}

/// A folder that is a machine to `dpkg`.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        fs::write(machine.path("var/lib/dpkg/status"), "").unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn dpkg(&self, arguments: &[&str]) {
        let mut command = Command::new("dpkg");
        command
            .arg(format!("--root={}", self.0.path().display()))
            // What it depends on is this machine's, and its scripts run here.
            .args(["--force-depends", "--force-script-chrootless"])
            .args(arguments);
        run(&mut command);
    }
}

fn is_root() -> bool {
    text(&run(Command::new("id").arg("-u"))).trim() == "0"
}

#[test]
fn the_package_is_installed_used_and_removed() {
    if !is_root() {
        println!("left out: dpkg needs root to install");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = package(folder.path());
    let machine = Machine::new();
    machine.dpkg(&["--install", package.to_str().unwrap()]);

    // The user and the folder of its configuration are there, and nobody else reads it.
    let users = fs::read_to_string(machine.path("etc/passwd")).unwrap();
    let user: Vec<&str> = users
        .lines()
        .find(|line| line.starts_with("sealstone:"))
        .unwrap()
        .split(':')
        .collect();
    assert_eq!((user[5], user[6]), ("/var/lib/sealstone", "/usr/sbin/nologin"));
    let configuration = fs::metadata(machine.path("etc/sealstone")).unwrap();
    assert_eq!(configuration.permissions().mode() & 0o7777, 0o750);

    // What is called is there, and works from where it is.
    for (program, name) in [
        ("usr/bin/sealstone", "sealstone "),
        ("usr/bin/sealstoned", "sealstoned "),
    ] {
        let version = text(&run(Command::new(machine.path(program)).arg("--version")));
        assert!(version.starts_with(name), "{version}");
    }
    let setup = ServeSetup::new();
    setup.write_config();
    let checked = run(Command::new(machine.path("usr/bin/sealstoned"))
        .args(["check", "--config"])
        .arg(setup.path("sealstoned.toml")));
    assert!(text(&checked).contains("The configuration can be used."));

    // Units, pages and completions lie where they are looked for.
    let unit = fs::read_to_string(machine.path("usr/lib/systemd/system/sealstoned.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/sealstoned serve"), "{unit}");
    for file in [
        "usr/lib/systemd/system/sealstoned-public.socket",
        "usr/lib/systemd/system/sealstoned-mtls.socket",
        "usr/lib/systemd/system/sealstoned-admin.socket",
        "usr/lib/sysusers.d/sealstone.conf",
        "usr/share/man/man1/sealstone.1.gz",
        "usr/share/man/man1/sealstone-client-create.1.gz",
        "usr/share/bash-completion/completions/sealstone",
        "usr/share/zsh/vendor-completions/_sealstone",
        "usr/share/fish/vendor_completions.d/sealstone.fish",
        "usr/share/doc/sealstone/copyright",
        "usr/share/doc/sealstone/changelog.Debian.gz",
        "usr/share/doc/sealstone/sealstoned.toml",
        "usr/share/doc/sealstone/grafana-dashboard.json",
        "usr/share/doc/sealstone/prometheus-rules.yaml",
        "usr/share/doc/sealstone/otel-collector.yaml",
    ] {
        assert!(machine.path(file).is_file(), "{file}");
    }

    // An upgrade leaves what an operator wrote; so does the removal, and the purge.
    fs::write(machine.path("etc/sealstone/sealstoned.toml"), "# ours").unwrap();
    fs::create_dir_all(machine.path("var/lib/sealstone")).unwrap();
    fs::write(machine.path("var/lib/sealstone/sealstone.db"), "keys").unwrap();
    machine.dpkg(&["--install", package.to_str().unwrap()]);
    assert_eq!(
        fs::metadata(machine.path("etc/sealstone"))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o750
    );
    for end in ["--remove", "--purge"] {
        machine.dpkg(&[end, "sealstone"]);
        assert!(!machine.path("usr/bin/sealstoned").exists(), "{end}");
        assert!(machine.path("etc/sealstone/sealstoned.toml").exists(), "{end}");
        assert!(machine.path("var/lib/sealstone/sealstone.db").exists(), "{end}");
    }
}

/// What is built elsewhere by the file is what lies in this folder.
#[test]
fn the_container_file_names_what_is_there() {
    let file = fs::read_to_string(workspace().join("examples/deploy/Containerfile")).unwrap();
    for package in ["sealstone-server", "sealstone-cli"] {
        assert!(file.contains(&format!("--package {package}")), "{file}");
    }
    // Nobody's root, a folder for what lasts, and the signal that ends it in order.
    for line in ["USER 65532", "VOLUME /var/lib/sealstone", "STOPSIGNAL SIGTERM"] {
        assert!(file.lines().any(|known| known == line), "{line}");
    }
}
