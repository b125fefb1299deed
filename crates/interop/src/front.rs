//! Apache, nginx and HAProxy, each over a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealstone_testkit::TestCertificate;
use tempfile::TempDir;

use crate::process::{Running, listens};

/// Where Debian's package keeps Apache's modules.
const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

/// A server of others that stands in front of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrontKind {
    /// The Apache HTTP server 2.4.
    Apache,
    /// nginx.
    Nginx,
    /// HAProxy.
    HaProxy,
}

impl FrontKind {
    fn program(self) -> &'static Path {
        let path = Path::new(match self {
            Self::Apache => "/usr/sbin/apache2",
            Self::Nginx => "/usr/sbin/nginx",
            Self::HaProxy => "/usr/sbin/haproxy",
        });
        assert!(path.exists(), "{} is missing: cargo xtask setup", path.display());
        path
    }
}

/// The files of a front that is not started yet.
///
/// # Examples
/// ```no_run
/// use sealstone_interop::{FrontKind, FrontSetup, free_ports};
///
/// let [port] = free_ports();
/// let setup = FrontSetup::new();
/// let front = setup.start(FrontKind::Nginx, port, &format!("server {{ listen 127.0.0.1:{port}; return 204; }}"), &[]);
/// # drop(front);
/// ```
#[derive(Debug)]
pub struct FrontSetup(TempDir);

impl Default for FrontSetup {
    fn default() -> Self {
        Self::new()
    }
}

impl FrontSetup {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A worker that has given up its rights reaches what is below.
        open(folder.path());
        Self(folder)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file in the folder.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// A certificate with its chain as `name.pem`, its key as `name.key`, and both as `name-and-key.pem`.
    pub fn write_certificate(&self, name: &str, certificate: &TestCertificate) {
        let (chain, key) = (certificate.chain_pem(), certificate.key_pem());
        self.write(&format!("{name}.pem"), &chain);
        self.write(&format!("{name}.key"), &key);
        self.write(&format!("{name}-and-key.pem"), &[chain, key].concat());
    }

    /// Starts the server and waits until it listens on `port`.
    ///
    /// `config` is what an operator would write: for Apache what goes into a site (`<VirtualHost>` and its like; the
    /// `Listen` is written here), for nginx what goes into `http`, for HAProxy its sections. What makes the server
    /// run in a folder, in one process, is added here. `modules` are Apache's, without those that every Apache has.
    #[must_use]
    pub fn start(self, kind: FrontKind, port: u16, config: &str, modules: &[&str]) -> Front {
        self.start_with(kind, port, config, modules, &[])
    }

    /// The same with variables in the server's environment.
    #[must_use]
    pub fn start_with(
        self,
        kind: FrontKind,
        port: u16,
        config: &str,
        modules: &[&str],
        environment: &[(&str, &str)],
    ) -> Front {
        let folder = self.0.path();
        self.write("site.conf", config);
        let mut command = Command::new(kind.program());
        match kind {
            FrontKind::Apache => {
                self.write("main.conf", &apache(folder, port, modules));
                command.arg("-X").arg("-f").arg(self.path("main.conf"));
            }
            FrontKind::Nginx => {
                self.write("main.conf", &nginx(folder));
                command.arg("-e").arg(self.path("error.log"));
                command.arg("-c").arg(self.path("main.conf"));
            }
            FrontKind::HaProxy => {
                command.arg("-db").arg("-f").arg(self.path("site.conf"));
            }
        }
        command.envs(environment.iter().copied());
        Front {
            running: Running::start(command, |_| listens(port)),
            port,
            setup: self,
        }
    }
}

/// A running front. It ends when this is dropped; its folder goes with it.
#[derive(Debug)]
pub struct Front {
    running: Running,
    port: u16,
    setup: FrontSetup,
}

impl Front {
    /// Where it listens, as `https://localhost:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Its files.
    #[must_use]
    pub const fn setup(&self) -> &FrontSetup {
        &self.setup
    }

    /// What it logged, on its streams and in its error file.
    #[must_use]
    pub fn said(&self) -> String {
        let logged = fs::read(self.setup.path("error.log")).unwrap_or_default();
        [self.running.said(), String::from_utf8_lossy(&logged).into_owned()].concat()
    }
}

fn apache(folder: &Path, port: u16, modules: &[&str]) -> String {
    let at = folder.display();
    let mut text = format!(
        "ServerRoot {at}\nServerName localhost\nDefaultRuntimeDir {at}\nPidFile {at}/apache.pid\n\
         Mutex file:{at}\nListen 127.0.0.1:{port}\nErrorLog {at}/error.log\nLogLevel info\n"
    );
    let always = ["mpm_event", "authn_core", "authz_core"];
    for module in always.iter().chain(modules) {
        let _ = writeln!(
            text,
            "LoadModule {module}_module {APACHE_MODULES}/mod_{module}.so"
        );
    }
    if is_root() {
        text.push_str("User www-data\nGroup www-data\n");
    }
    let _ = writeln!(text, "Include {at}/site.conf");
    text
}

fn nginx(folder: &Path) -> String {
    let at = folder.display();
    let user = if is_root() { "user root;" } else { "" };
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = kinds
        .iter()
        .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
        .collect();
    format!(
        "{user}\ndaemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log {at}/error.log info;\n\
         events {{ worker_connections 256; }}\nhttp {{\n{temporary}access_log off;\ninclude {at}/site.conf;\n}}\n"
    )
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    output.stdout.starts_with(b"0\n")
}

/// Anybody may enter and write: what is in it is a test's.
fn open(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("permissions");
}
