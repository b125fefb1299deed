//! From a document to one shell session, and back to what each command did.
//!
//! - A fence of `console` holds commands behind `$ `, and under each some lines of what it prints, in order; `…` in
//!   such a line stands for anything. A command fails if and only if what is shown of it begins with `sealstone: ` or
//!   `sealstoned: `.
//! - `console server` holds a command that goes on while the rest is done.
//! - Any other fence with a path behind its language is that file.
//! - A comment that begins with `<!-- test` holds commands that a reader does not need.
//!
//! Addresses and paths of the documents are replaced by free ports and a temporary folder; `systemctl`, `journalctl`,
//! `sudo`, `useradd` and `chown` are stood in for by what is in `tools.sh`.

use sealstone_interop::{built, free_ports};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the documents lie.
pub(crate) fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// One thing that a reader does.
#[derive(Debug)]
enum Step {
    Run { command: String, shown: Vec<String> },
    Start { command: String, shown: Vec<String> },
    Write { path: String, text: String },
}

/// What a document tells its reader to do, in order.
#[derive(Debug)]
pub(crate) struct Document {
    name: String,
    steps: Vec<Step>,
}

impl Document {
    pub(crate) fn read(name: &str) -> Self {
        let text = fs::read_to_string(docs().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut steps = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line == "<!-- test" {
                commands(
                    lines.by_ref().take_while(|line| *line != "-->"),
                    false,
                    &mut steps,
                );
            } else if let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) {
                let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                match info.split_once(' ') {
                    None if info == "console" => commands(inside.into_iter(), false, &mut steps),
                    Some(("console", "server")) => commands(inside.into_iter(), true, &mut steps),
                    Some((_, path)) => steps.push(Step::Write {
                        path: path.to_owned(),
                        text: inside.join("\n") + "\n",
                    }),
                    None => {}
                }
            }
        }
        Self {
            name: name.to_owned(),
            steps,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

fn commands<'a>(lines: impl Iterator<Item = &'a str>, server: bool, steps: &mut Vec<Step>) {
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            let (command, shown) = (command.to_owned(), Vec::new());
            steps.push(if server {
                Step::Start { command, shown }
            } else {
                Step::Run { command, shown }
            });
        } else if let Some(Step::Run { command, shown } | Step::Start { command, shown }) = steps.last_mut() {
            if goes_on(command) {
                command.push('\n');
                command.push_str(line);
            } else if !line.is_empty() {
                shown.push(line.to_owned());
            }
        }
    }
}

/// Whether the next line belongs to the command too.
fn goes_on(command: &str) -> bool {
    command.ends_with('\\') || command.contains("<<'END'") && !command.ends_with("\nEND")
}

/// Where a run takes place.
struct Place {
    root: tempfile::TempDir,
    replaced: Vec<(&'static str, String)>,
}

impl Place {
    fn new(surroundings: &Surroundings) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = root.path().display().to_string();
        let [public, mutual, admin, resource, proxy] = free_ports();
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for folder in ["home", "out", "etc/systemd/system", "var/lib"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let program = |variable, package: &str, name: &str| {
            let path = built(variable, &["--package", package, "--bin", name], name);
            std::os::unix::fs::symlink(path, bin.join(name)).unwrap();
        };
        program("SEALSTONED", "sealstone-server", "sealstoned");
        program("SEALSTONE", "sealstone-cli", "sealstone");
        let example = [
            "--package",
            "sealstone-examples",
            "--example",
            "protected-service",
        ];
        let example = built("PROTECTED_SERVICE", &example, "protected-service");
        for name in ["systemctl", "journalctl", "sudo", "useradd", "chown"] {
            let path = bin.join(name);
            fs::write(&path, include_str!("tools.sh")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let local = |port: u16| format!("127.0.0.1:{port}");
        let dev = format!("sealstoned dev --listen 127.0.0.1:{public} --mtls-listen 127.0.0.1:{mutual} ");
        let replaced = vec![
            (
                "https://id.example.org:8444",
                format!("https://localhost:{mutual}"),
            ),
            ("https://id.example.org", format!("https://localhost:{public}")),
            ("id.example.org", "localhost".to_owned()),
            ("0.0.0.0:443", local(public)),
            ("0.0.0.0:8444", local(mutual)),
            ("127.0.0.1:8443", local(public)),
            ("127.0.0.1:8444", local(mutual)),
            ("127.0.0.1:8445", local(admin)),
            ("127.0.0.1:9443", local(resource)),
            ("127.0.0.1:8774", local(proxy)),
            ("sealstoned dev ", dev),
            ("10.0.0.11:5001", local(resource)),
            ("127.0.0.1:5000", local(proxy)),
            (
                "sealstone migrate bridge ",
                "sealstone migrate bridge --config-file bridge.conf ".to_owned(),
            ),
            (
                "cargo run --example protected-service --",
                example.display().to_string(),
            ),
            ("/usr/local/bin/", format!("{at}/bin/")),
            ("/etc/s", format!("{at}/etc/s")),
            ("/var/lib/", format!("{at}/var/lib/")),
        ];
        let replaced = surroundings.replaced.iter().cloned().chain(replaced).collect();
        Self { root, replaced }
    }

    fn here(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.replaced {
            text = text.replace(from, to);
        }
        text
    }
}

/// What a document takes for granted besides what is made for every run.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Texts of the documents, and what stands for them here; before those of every run.
    pub(crate) replaced: Vec<(&'static str, String)>,
    /// What the session begins with.
    pub(crate) prelude: String,
}

/// Runs the documents one after the other in one session.
///
/// # Panics
/// When a command does not end as it is written, or does not print what is shown.
pub(crate) fn run(documents: &[Document], surroundings: &Surroundings) {
    let place = Place::new(surroundings);
    let root = place.root.path();
    let mut script = format!(
        "export ROOT='{}' NO_COLOR=1\nPATH=\"$ROOT/bin:$PATH\"\ncd \"$ROOT/home\"\n{}\n{}\n",
        root.display(),
        include_str!("session.sh"),
        surroundings.prelude
    );
    let steps = || {
        documents
            .iter()
            .flat_map(|document| document.steps.iter().map(|step| (&document.name, step)))
    };
    for (number, (_, step)) in steps().enumerate() {
        match step {
            Step::Run { command, .. } => {
                script += &format!(
                    "{{ {}\n}} >$ROOT/out/{number} 2>&1; echo $? >$ROOT/out/{number}.status\n",
                    place.here(command)
                );
                // The server learns of another program's changes within 250 ms.
                if command.contains("sealstone client ") || command.contains("sealstone key ") {
                    script += "sleep 0.5\n";
                }
            }
            Step::Start { command, shown } => {
                let last = shown.last().map(|line| place.here(line)).unwrap_or_default();
                let fragment = last.split('…').next().unwrap_or_default();
                script += &format!(
                    "{} >$ROOT/out/{number} 2>&1 &\nawait $ROOT/out/{number} '{fragment}'\n",
                    place.here(command)
                );
            }
            Step::Write { path, text } => {
                let name = format!("out/{number}.file");
                fs::write(root.join(&name), place.here(text)).unwrap();
                script += &format!("cp $ROOT/{name} {}\n", place.here(path));
            }
        }
    }
    let path = root.join("session.sh");
    fs::write(&path, script).unwrap();
    let session = Command::new("timeout")
        .args(["300", "bash"])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    for (number, (document, step)) in steps().enumerate() {
        let (command, shown, must_end) = match step {
            Step::Run { command, shown } => (command, shown, true),
            Step::Start { command, shown } => (command, shown, false),
            Step::Write { .. } => continue,
        };
        let printed = fs::read_to_string(root.join(format!("out/{number}"))).unwrap_or_default();
        let status = fs::read_to_string(root.join(format!("out/{number}.status"))).unwrap_or_default();
        let told = format!(
            "{document}: $ {command}\nstatus {status}printed:\n{printed}\nsession: {}\nserver:\n{}",
            String::from_utf8_lossy(&session.stderr),
            fs::read_to_string(root.join("journal")).unwrap_or_default(),
        );
        if must_end {
            let first = shown.first().map_or("", String::as_str);
            let fails = first.starts_with("sealstone: ") || first.starts_with("sealstoned: ");
            assert_eq!(status.trim() != "0", fails, "{told}");
        }
        let mut rest = printed.lines();
        for line in shown {
            let wanted = place.here(line);
            assert!(
                rest.any(|found| fits(found, &wanted)),
                "not printed: {wanted}\n{told}"
            );
        }
    }
}

/// Whether a line is as shown, where `…` stands for anything.
fn fits(found: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|start| found.strip_prefix(start)) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        open = part.is_empty();
    }
    open || rest.trim_end().is_empty()
}
