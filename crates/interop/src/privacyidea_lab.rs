//! A real privacyIDEA on loopback, with users whose tokens are known.

mod telephone;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::keystone_lab::api::plain;
use crate::process::{free_ports, listens};

pub use self::telephone::Telephone;

/// A running privacyIDEA. One that was started here ends when this is dropped, and its state goes with it.
///
/// Its users, as the lab seeds them: `bob` has a counter token, `dave` a counter and a clock token, `alice` and `carol`
/// clock tokens, `erin` none, `frank` a locked one, `grace` a disabled one. A test that uses up codes holds
/// the user by [`PrivacyIdeaLab::alone`].
#[derive(Debug)]
pub struct PrivacyIdeaLab {
    home: PathBuf,
    port: u16,
    admin: OnceLock<String>,
    own: Option<Keeper>,
}

impl PrivacyIdeaLab {
    /// The realm of all users.
    pub const REALM: &'static str = "lab";
    /// An administrator with the rights of an adapter, and no others.
    pub const ADAPTER: (&'static str, &'static str) = ("mfa-adapter", "mfa-adapter-password");

    /// The lab that all tests use. `cargo xtask lab` and the suite's step `privacyidea` start it; without them this
    /// process starts one of its own.
    #[must_use]
    pub fn shared() -> &'static Self {
        static LAB: OnceLock<PrivacyIdeaLab> = OnceLock::new();
        LAB.get_or_init(|| {
            let home = root();
            let port = fs::read_to_string(home.join("port"));
            let port = port.ok().and_then(|text| text.trim().parse().ok());
            match port.filter(|port| listens(*port)) {
                Some(port) => Self {
                    home,
                    port,
                    admin: OnceLock::new(),
                    own: None,
                },
                None => Self::start(),
            }
        })
    }

    /// A lab of the caller's own; takes some 15 s. For tests that stop it.
    #[must_use]
    pub fn start() -> Self {
        let above = root();
        install(&above);
        let home = above.join(format!("run/test-{}", std::process::id()));
        fs::create_dir_all(&home).expect("a folder");
        let venv = home.join("venv");
        if !venv.exists() {
            std::os::unix::fs::symlink(above.join("venv"), &venv).expect("a link");
        }
        let [port] = free_ports();
        let own = Some(Keeper::of(&home, port));
        run("up", &[], &home, port).expect("the lab starts");
        Self {
            home,
            port,
            admin: OnceLock::new(),
            own,
        }
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Keeps other tests from this user's tokens as long as it lives.
    #[must_use]
    pub fn alone(&self, user: &str) -> File {
        let lock = File::create(self.home.join(format!("{user}.lock"))).expect("a lock file");
        lock.lock().expect("a lock");
        lock
    }

    /// The next code of a user's counter token.
    #[must_use]
    pub fn next_code(&self, user: &str, serial: &str) -> String {
        let count = self.token(serial).pointer("/count").and_then(Value::as_u64);
        let count = count.expect("a counter").to_string();
        let said = run("otp", &[user, "hotp", &count], &self.home, self.port);
        said.expect("a code").trim().to_owned()
    }

    /// What privacyIDEA keeps of a token: `count`, `failcount`, `locked`, …
    #[must_use]
    pub fn token(&self, serial: &str) -> Value {
        let answer = self.ask("GET", &format!("/token/?serial={serial}"), &json!({}));
        answer.pointer("/result/value/tokens/0").expect("a token").clone()
    }

    /// Forgets a token's wrong codes.
    pub fn reset(&self, serial: &str) {
        let _answer = self.ask("POST", "/token/reset", &json!({ "serial": serial }));
    }

    /// Asks the API as the administrator who may do everything that the lab needs.
    ///
    /// # Panics
    /// When it refuses.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let token = self.admin.get_or_init(|| {
            let login = json!({"username": "labadmin", "password": "labadmin-password"});
            let answer = self.send("POST", "/auth", &[], &login);
            let token = answer.pointer("/result/value/token").and_then(Value::as_str);
            token.expect("the administrator's login").to_owned()
        });
        let answer = self.send(method, path, &[("pi-authorization", token)], body);
        assert_eq!(
            answer.pointer("/result/status"),
            Some(&Value::Bool(true)),
            "{method} {path}: {answer}"
        );
        answer
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
        let mut all = headers.to_vec();
        let mut text = String::new();
        // privacyIDEA reads a body wherever it is told of one.
        if method != "GET" {
            all.push(("content-type", "application/json"));
            text = body.to_string();
        }
        plain(&self.host(), method, path, &all, text.as_bytes()).json()
    }

    /// Its log, which must hold no code either.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read(self.home.join("state").join(name)).unwrap_or_default();
        let all = [read("privacyidea.log"), read("server.out")].concat();
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Stops it; its state stays.
    ///
    /// # Panics
    /// For a lab that others use.
    pub fn stop(&self) {
        assert!(self.own.is_some(), "others use this lab");
        run("down", &[], &self.home, self.port).expect("the lab stops");
    }

    /// Starts it again, on the same port and over the same state.
    ///
    /// # Panics
    /// For a lab that others use.
    pub fn restart(&self) {
        assert!(self.own.is_some(), "others use this lab");
        run("up", &[], &self.home, self.port).expect("the lab starts again");
    }
}

fn checkout() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

/// The folder of the lab's programs: `privacyidea-lab` in the folder that `SEALSTONE_SHARED` names, else in a folder
/// `shared` beside the checkout or further up.
fn programs() -> PathBuf {
    let is_lab = |folder: &PathBuf| folder.join("up").exists();
    let named = std::env::var_os("SEALSTONE_SHARED").map(|shared| Path::new(&shared).join("privacyidea-lab"));
    let above = checkout();
    let mut beside = above
        .ancestors()
        .skip(1)
        .map(|parent| parent.join("shared/privacyidea-lab"));
    match named {
        Some(folder) => Some(folder).filter(is_lab),
        None => beside.find(is_lab),
    }
    .expect(
        "the privacyIDEA lab is missing: `shared/privacyidea-lab` beside the checkout, or in the folder that \
         SEALSTONE_SHARED names; without it: cargo xtask test --skip privacyidea",
    )
}

/// Where labs keep their virtual environment and their state.
fn root() -> PathBuf {
    let given = std::env::var_os("PILAB_HOME").map(PathBuf::from);
    given.unwrap_or_else(|| checkout().join("target/privacyidea-lab"))
}

fn command(name: &str, home: &Path, port: u16) -> Command {
    let mut command = Command::new(programs().join(name));
    command
        .env("PILAB_HOME", home)
        .env("PILAB_PORT", port.to_string());
    command.stdin(Stdio::null());
    command
}

/// Runs one of the lab's programs to its end, and returns what it wrote on standard output.
///
/// What it leaves running writes to a file of the lab's own.
fn run(name: &str, arguments: &[&str], home: &Path, port: u16) -> Result<String, String> {
    let output = command(name, home, port).args(arguments).output();
    let output = output.map_err(|error| format!("the lab's `{name}` can't be run: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Makes the virtual environment where it is missing; one process at a time.
fn install(above: &Path) {
    fs::create_dir_all(above).expect("a folder for the labs");
    let lock = File::create(above.join("install.lock")).expect("a lock file");
    lock.lock().expect("a lock");
    if !above.join("venv/.pins").exists() {
        let [port] = free_ports();
        run("up", &[], above, port).expect("the lab's virtual environment");
        run("down", &[], above, port).expect("the lab stops");
    }
}

/// Takes a lab down and forgets it when this is dropped, and also when this process is killed: it waits for the end
/// of a pipe, in a process group of its own.
#[derive(Debug)]
struct Keeper(Child);

impl Keeper {
    fn of(home: &Path, port: u16) -> Self {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "cat > /dev/null; \"$0\" --purge; exec rm -rf \"$PILAB_HOME\"",
        ]);
        command.arg(programs().join("down"));
        command
            .env("PILAB_HOME", home)
            .env("PILAB_PORT", port.to_string());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        Self(command.spawn().expect("a shell"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
