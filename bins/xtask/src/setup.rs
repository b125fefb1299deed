//! Installs what the full suite needs beyond Rust and a C compiler, by package name, where it is missing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::lab;
use crate::mfa_lab;
use crate::runner::Call;

/// Debian packages, each with a file that tells that it is there.
const DEBIAN: &[(&str, &[&str])] = &[
    ("curl", &["/usr/bin/curl"]),
    ("openssl", &["/usr/bin/openssl"]),
    ("sqlite3", &["/usr/bin/sqlite3"]),
    ("g++", &["/usr/bin/g++"]),
    ("pkg-config", &["/usr/bin/pkg-config"]),
    ("libssl-dev", &["/usr/include/openssl/ssl.h"]),
    (
        "python3-venv",
        &[
            "/usr/lib/python3/dist-packages/virtualenv",
            "/usr/share/doc/python3-venv",
        ],
    ),
    ("nginx", &["/usr/sbin/nginx"]),
    ("apache2", &["/usr/sbin/apache2"]),
    (
        "libapache2-mod-proxy-uwsgi",
        &["/usr/lib/apache2/modules/mod_proxy_uwsgi.so"],
    ),
    (
        "libapache2-mod-auth-openidc",
        &["/usr/lib/apache2/modules/mod_auth_openidc.so"],
    ),
    ("haproxy", &["/usr/sbin/haproxy"]),
    ("postgresql", &["/usr/lib/postgresql"]),
    ("rsyslog", &["/usr/sbin/rsyslogd"]),
    (
        "rsyslog-gnutls",
        &[
            "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so",
            "/usr/lib/aarch64-linux-gnu/rsyslog/lmnsd_gtls.so",
        ],
    ),
    ("rabbitmq-server", &["/usr/lib/rabbitmq/lib"]),
    ("softhsm2", &["/usr/lib/softhsm/libsofthsm2.so"]),
    (
        "libfaketime",
        &[
            "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
            "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
        ],
    ),
    ("chromium", &["/usr/bin/chromium"]),
    ("dbus-daemon", &["/usr/bin/dbus-run-session"]),
    ("gnome-keyring", &["/usr/bin/gnome-keyring-daemon"]),
];

/// What a package's script asks before it starts a service: the tests start the servers themselves.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const NO_SERVICES: &str = "#!/bin/sh\n# Services stay down while packages are installed.\nexit 101\n";

/// Node.js from Debian where the machine has none at all.
const NODE_AT_LEAST: u32 = 20;

const CARGO_DEB: &str = "3.8.0";
const TOOL_REQUIREMENTS: &str = "bins/xtask/tools.txt";
const PYTHON_CLIENTS: &str = "crates/interop/clients/python/requirements.txt";
const NODE_CLIENTS: &str = "crates/interop/clients/node";

/// Everything.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    debian(root)?;
    tools(root)?;
    cargo_deb(root)?;
    python(root, &root.join("target/interop-python"), PYTHON_CLIENTS)?;
    node(root)?;
    lab::install(root)?;
    mfa_lab::install(root)
}

/// The Cargo extensions, as programs that Python packages ship.
pub(crate) fn tools(root: &Path) -> Result<(), String> {
    python(root, &tools_folder(root), TOOL_REQUIREMENTS)
}

/// What builds the Debian package: a program that Cargo makes, in a minute.
pub(crate) fn cargo_deb(root: &Path) -> Result<(), String> {
    let folder = tools_folder(root);
    if folder.join("bin/cargo-deb").exists() {
        return Ok(());
    }
    println!("installing cargo-deb {CARGO_DEB}");
    Call::new(root, "cargo install cargo-deb --locked --no-default-features --root")
        .arg(&folder.to_string_lossy())
        .arg("--version")
        .arg(CARGO_DEB)
        // It packs: how fast it runs does not matter, how long it is built does.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .run(false)
        .map(drop)
}

fn tools_folder(root: &Path) -> PathBuf {
    root.join("target/tools")
}

/// `call` with the installed Cargo extensions first in its path.
pub(crate) fn with_tools(root: &Path, call: Call) -> Call {
    let path = std::env::var("PATH").unwrap_or_default();
    call.env(
        "PATH",
        &format!("{}:{path}", tools_folder(root).join("bin").display()),
    )
}

fn debian(root: &Path) -> Result<(), String> {
    let missing: Vec<&str> = DEBIAN
        .iter()
        .filter(|(_, files)| !files.iter().any(|file| Path::new(file).exists()))
        .map(|(package, _)| *package)
        .chain(missing_node(root))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if Call::new(root, "apt-get --version").output().is_none() {
        return Err(format!(
            "missing, and there is no apt-get to install them: {list}"
        ));
    }
    println!("installing {list}");
    let is_root = Call::new(root, "id -u").output().as_deref() == Some("0");
    let sudo = if is_root { "" } else { "sudo " };
    let quiet = |line: String| Call::new(root, &line).env("DEBIAN_FRONTEND", "noninteractive");
    quiet(format!("{sudo}apt-get update")).run(false)?;
    let line = format!("{sudo}apt-get install --yes --no-install-recommends {list}");
    without_services(root, sudo, || quiet(line).run(false).map(drop))
}

/// Runs `install` while the system's policy is to start no service; a policy that is there already stays as it is.
fn without_services(
    root: &Path,
    sudo: &str,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    if Path::new(POLICY).exists() {
        return install();
    }
    let ours = root.join("target/policy-rc.d");
    write(&ours, NO_SERVICES)?;
    Call::new(root, &format!("{sudo}install --mode=755"))
        .arg(&ours.to_string_lossy())
        .arg(POLICY)
        .run(false)?;
    let done = install();
    let removed = Call::new(root, &format!("{sudo}rm {POLICY}")).run(false);
    done.and_then(|()| removed.map(drop))
}

fn missing_node(root: &Path) -> Vec<&'static str> {
    let node = Call::new(root, "node --version").output();
    let npm = Call::new(root, "npm --version").output();
    match (node, npm) {
        (Some(_), Some(_)) => Vec::new(),
        _ => vec!["nodejs", "npm"],
    }
}

/// A virtual environment with exactly the requirements of `file`; made anew when they change.
fn python(root: &Path, environment: &Path, file: &str) -> Result<(), String> {
    let wanted = read(&root.join(file))?;
    let stamp = environment.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing {file}");
    let folder = environment.to_string_lossy();
    Call::new(root, "python3 -m venv --clear")
        .arg(&folder)
        .run(false)?;
    let pip = environment.join("bin/pip");
    Call::new(root, &pip.to_string_lossy())
        .arg("install")
        .arg("--quiet")
        .arg("--disable-pip-version-check")
        .arg("--requirement")
        .arg(file)
        .run(false)?;
    write(&stamp, &wanted)
}

fn node(root: &Path) -> Result<(), String> {
    let version = Call::new(root, "node --version").output().unwrap_or_default();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_AT_LEAST) {
        return Err(format!(
            "the JavaScript clients need Node.js {NODE_AT_LEAST} or later, found `{version}`; \
             install one, or leave them out: cargo xtask test --skip setup --skip interop"
        ));
    }
    let folder = root.join(NODE_CLIENTS);
    let wanted = read(&folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing {NODE_CLIENTS}");
    Call::new(&folder, "npm ci --ignore-scripts --no-audit --no-fund").run(false)?;
    write(&stamp, &wanted)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
