//! Programs that serve: started, waited for by what they say, ended by their process id.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a program may take until it serves: a debug build on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often readiness is looked at while the program says nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Where Debian's libfaketime is.
const FAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// Has a program run with a clock that is wrong by so much: `+2h`, `-3m`. What it waits for takes as long as ever.
///
/// # Panics
/// If libfaketime is not installed.
pub fn faketime(command: &mut Command, offset: &str) {
    let library = FAKETIME.iter().find(|path| Path::new(path).exists());
    let library = library.expect("libfaketime is missing: cargo xtask setup");
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME", offset)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// Below what the kernel gives to those who ask for any port and to connections that go out (32768 and above).
const PORTS: Range<u16> = 20_000..32_000;

/// Open, and so locked, until the process ends.
static KEPT: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// As many free loopback ports as asked for, all different, and kept from other tests until this process ends: a file
/// of each is locked. They can be bound again and again, as by a server that is restarted.
///
/// # Panics
/// If no port of the range is free.
#[must_use]
pub fn free_ports<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| free_port())
}

fn free_port() -> u16 {
    let folder = std::env::temp_dir().join("sealstone-test-ports");
    fs::create_dir_all(&folder).expect("a folder for the locks of ports");
    // Where to begin differs from process to process, so that they seldom look at the same port.
    let random = RandomState::new().hash_one(std::process::id());
    let begin = usize::try_from(random & 0x1fff).expect("less than a port");
    let mut ports = PORTS.cycle().skip(begin).take(PORTS.len());
    let port = ports.find(|port| {
        let lock = File::create(folder.join(port.to_string())).expect("the lock of a port");
        let free = lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", *port)).is_ok();
        if free {
            KEPT.lock().expect("nobody failed with it").push(lock);
        }
        free
    });
    port.expect("a free port")
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    said: Arc<Mutex<String>>,
    /// What it wrote on standard error: its log.
    logged: Arc<Mutex<String>>,
    lines: Mutex<Receiver<()>>,
}

impl Running {
    /// Starts `command` and waits until it is `ready`, going by all it wrote so far; looks at every line, and a few
    /// times in between.
    pub(crate) fn start(mut command: Command, ready: impl Fn(&str) -> bool) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().expect("the program starts");
        let (sender, lines) = channel();
        let said = Arc::new(Mutex::new(String::new()));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let logged = Arc::new(Mutex::new(String::new()));
        listen(stdout.expect("a pipe"), sender.clone(), vec![Arc::clone(&said)]);
        let both = vec![Arc::clone(&said), Arc::clone(&logged)];
        listen(stderr.expect("a pipe"), sender, both);
        let mut running = Self {
            child,
            name,
            said,
            logged,
            lines: Mutex::new(lines),
        };
        running.wait_until(ready);
        running
    }

    /// Waits until it is `ready`, going by all it wrote so far.
    pub(crate) fn wait_until(&mut self, ready: impl Fn(&str) -> bool) {
        let mut waited = Duration::ZERO;
        while !ready(&self.said()) {
            let line = self.lines.lock().expect("not poisoned").recv_timeout(LOOK_AGAIN);
            match line {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => waited = waited.saturating_add(LOOK_AGAIN),
                Err(RecvTimeoutError::Disconnected) => waited = START_LIMIT,
            }
            let ended = self.child.try_wait().expect("its state").is_some();
            assert!(
                !ended && waited < START_LIMIT,
                "the program does not serve; it said:\n{}",
                self.said()
            );
        }
    }

    /// Waits for its own end; whether it was in order.
    pub(crate) fn ended(&mut self) -> bool {
        let mut waited = Duration::ZERO;
        loop {
            // Its streams close when it ends.
            match self.lines.lock().expect("not poisoned").recv_timeout(LOOK_AGAIN) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => waited = waited.saturating_add(LOOK_AGAIN),
                Err(RecvTimeoutError::Disconnected) => {
                    return self.child.wait().expect("its end").success();
                }
            }
            assert!(waited < START_LIMIT, "it does not end; it said:\n{}", self.said());
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it wrote so far, both streams.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("not poisoned").clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let said = self.said();
            let lines: Vec<&str> = said.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
            // Shown by the test runner beside the failure.
            let mut stderr = std::io::stderr();
            let _ = std::io::Write::write_all(&mut stderr, tail.join("\n").as_bytes());
        } else {
            let logged = self.logged.lock().expect("not poisoned").clone();
            sealstone_testkit::written_down(&self.name, &logged);
        }
    }
}

fn listen(pipe: impl Read + Send + 'static, sender: Sender<()>, kept: Vec<Arc<Mutex<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            for said in &kept {
                let mut text = said.lock().expect("not poisoned");
                text.push_str(&line);
                text.push('\n');
            }
            let _ = sender.send(());
        }
    });
}

/// Whether something accepts connections on a loopback port.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LOOK_AGAIN).is_ok()
}

/// The program `name` of `package`: the one that the environment variable names, or a fresh build.
#[must_use]
pub fn built(variable: &str, arguments: &[&str], name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.exists())
    {
        return path;
    }
    // Once for each program: a test starts one often.
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut all = BUILT.lock().expect("not poisoned");
    if let Some(path) = all.get(name) {
        return path.clone();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--message-format=json"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{name} does not build");
    let path = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message.pointer("/target/name").is_some_and(|found| found == name))
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .expect("cargo names the program it built");
    all.insert(name.to_owned(), path.clone());
    path
}
