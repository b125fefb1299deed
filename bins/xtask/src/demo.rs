//! `cargo xtask demo`: a server from nothing, a bound token, and the same token refused with another certificate. Every
//! command is shown before it runs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::DemoArgs;

/// Builds, serves, shows, and goes on serving until the server ends.
pub(crate) fn run(root: &Path, arguments: &DemoArgs) -> Result<(), String> {
    build(root)?;
    let programs = crate::programs(root);
    let data = root.join("target/demo");
    let mut server = Server::start(&programs.join("sealstoned"), &data, arguments.port)?;
    let demo = Demo::read(&data, programs.join("sealstone"))?;
    demo.show()?;
    if arguments.stop {
        return Ok(());
    }
    println!(
        "\nThe server goes on; stop it with Ctrl-C. What it says of itself:\n\n{}",
        server.said
    );
    server
        .child
        .wait()
        .map_err(|error| format!("the server: {error}"))?;
    Ok(())
}

fn build(root: &Path) -> Result<(), String> {
    println!("Building sealstoned and sealstone; the first time takes some minutes.");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args([
        "build",
        "--package",
        "sealstone-server",
        "--package",
        "sealstone-cli",
    ]);
    let built = cargo
        .status()
        .map_err(|error| format!("cargo can't be run: {error}"))?;
    if built.success() {
        Ok(())
    } else {
        Err("the build failed; its messages are above".to_owned())
    }
}

/// The running server; it ends with this program.
struct Server {
    child: Child,
    said: String,
}

impl Server {
    fn start(program: &Path, data: &Path, port: u16) -> Result<Self, String> {
        let mtls = if port == 0 { 0 } else { port.saturating_add(1) };
        let mut command = Command::new(program);
        command
            .arg("dev")
            .arg(format!("--listen=127.0.0.1:{port}"))
            .arg(format!("--mtls-listen=127.0.0.1:{mtls}"))
            .arg("--data")
            .arg(data);
        show(&command);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} can't be started: {error}", program.display()))?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut said = String::new();
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| format!("the server's output: {error}"))?;
            said.push_str(&line);
            said.push('\n');
            if line.starts_with("Stop with") {
                return Ok(Self { child, said });
            }
        }
        let _ended = child.wait();
        Err("the server did not start; its message is above. If a port is taken: cargo xtask demo --port 9443".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

struct Demo {
    sealstone: PathBuf,
    data: PathBuf,
    issuer: String,
    ca: String,
    own: String,
    other: String,
}

impl Demo {
    fn read(data: &Path, sealstone: PathBuf) -> Result<Self, String> {
        let text = std::fs::read(data.join("dev.json")).map_err(|error| format!("dev.json: {error}"))?;
        let file: Value = serde_json::from_slice(&text).map_err(|error| format!("dev.json: {error}"))?;
        let certificate = |name: &str| {
            let clients = file.get("clients").and_then(Value::as_array);
            let is_named = |client: &&Value| client.get("name").is_some_and(|own| own == name);
            member(clients.and_then(|clients| clients.iter().find(is_named)), "cert")
        };
        Ok(Self {
            sealstone,
            data: data.to_owned(),
            issuer: member(Some(&file), "issuer")?,
            ca: member(Some(&file), "ca")?,
            own: certificate("machine")?,
            other: certificate("machine-san")?,
        })
    }

    fn show(&self) -> Result<(), String> {
        println!("\n1. A token for the machine, bound to its certificate:\n");
        let token = self.ask(
            &[
                "token",
                "--dev",
                &self.data.display().to_string(),
                "--client",
                "machine",
            ],
            "",
        )?;
        print!("{token}");
        println!("\n2. What is in it:\n");
        print!("{}", self.ask(&["jwt", "inspect"], &token)?);
        println!("\n3. A resource takes it from who holds the machine's certificate:\n");
        print!("{}", self.ask(&self.verify(&self.own), &token)?);
        println!("\n4. And refuses it from who holds another one:\n");
        match self.ask(&self.verify(&self.other), &token) {
            Ok(_) => Err("the token was taken with another certificate: that must not be".to_owned()),
            Err(refused) => {
                println!("{refused}");
                Ok(())
            }
        }
    }

    fn verify<'a>(&'a self, certificate: &'a str) -> [&'a str; 10] {
        let audience = "openstack-apis:demo";
        [
            "jwt",
            "verify",
            "--issuer",
            &self.issuer,
            "--ca",
            &self.ca,
            "--audience",
            audience,
            "--cert",
            certificate,
        ]
    }

    /// The command's output; its message if it fails.
    fn ask(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut command = Command::new(&self.sealstone);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        show(&command);
        let mut child = command
            .spawn()
            .map_err(|error| format!("sealstone can't be started: {error}"))?;
        let mut stdin = child.stdin.take().ok_or("sealstone has no input")?;
        stdin
            .write_all(input.as_bytes())
            .map_err(|error| format!("sealstone's input: {error}"))?;
        drop(stdin);
        let ended = child
            .wait_with_output()
            .map_err(|error| format!("sealstone: {error}"))?;
        let message = String::from_utf8_lossy(&ended.stderr);
        if ended.status.success() {
            Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
        } else {
            Err(message.trim_end().to_owned())
        }
    }
}

fn member(object: Option<&Value>, name: &str) -> Result<String, String> {
    let text = object.and_then(|object| object.get(name)).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| format!("dev.json lacks `{name}`"))
}

/// The command as it could be pasted.
fn show(command: &Command) {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    println!("$ {}\n", words.join(" "));
}
