//! A program that renews: what it gets, what it may write, and how long it may take.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use sealstone_agent::{CertificateSource as _, MachinePair, NextKey, RenewCommand, RenewFault};
use sealstone_ca::KeyKind;

use crate::machine::{Ca, DAY, at};

struct World {
    folder: tempfile::TempDir,
    pair: MachinePair,
}

fn world() -> World {
    World {
        folder: tempfile::tempdir().unwrap(),
        pair: Ca::new("CN=Machines").machine(90 * DAY),
    }
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, text: &str) -> PathBuf {
        let path = self.path("renew");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    async fn renew(&self, script: &str, arguments: &[&Path]) -> Result<MachinePair, RenewFault> {
        let program = self.script(script).into_os_string();
        let arguments = arguments
            .iter()
            .map(|path| OsString::from(path.as_os_str()))
            .collect();
        RenewCommand::new(program, arguments, NextKey::New(KeyKind::P256))
            .with_deadline(Duration::from_secs(2))
            .successor(&self.pair, at(0))
            .await
    }

    async fn fault(&self, script: &str) -> String {
        self.renew(script, &[]).await.unwrap_err().to_string()
    }
}

#[tokio::test]
async fn it_gets_a_request_and_what_is_configured_and_nothing_else() {
    let world = world();
    let (request, environment, arguments) = (world.path("csr"), world.path("env"), world.path("args"));
    let script = "cat > \"$1\"; /usr/bin/env > \"$2\"; printf '%s\\n' \"$@\" > \"$3\"; exit 3";
    let fault = world
        .renew(
            script,
            &[
                &request,
                &environment,
                &arguments,
                Path::new("$(touch never); `id`"),
            ],
        )
        .await
        .unwrap_err()
        .to_string();
    assert!(fault.contains("exit status: 3, without a word"), "{fault}");
    let request = fs::read_to_string(request).unwrap();
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    assert!(!request.contains("PRIVATE"));
    let environment = fs::read_to_string(environment).unwrap();
    // What the shell sets itself.
    let ours = environment.lines().filter(|line| {
        !["PWD=", "SHLVL=", "_=", "OLDPWD="]
            .iter()
            .any(|own| line.starts_with(own))
    });
    assert_eq!(ours.count(), 0, "{environment}");
    let arguments = fs::read_to_string(arguments).unwrap();
    assert!(
        arguments.ends_with("$(touch never); `id`\n"),
        "no shell: {arguments}"
    );
}

#[tokio::test]
async fn its_faults_are_told_with_what_it_said() {
    let world = world();
    for (script, says) in [
        (
            "echo first >&2; echo 'no such \x1b[31mpolicy' >&2; exit 1",
            "first; no such \u{fffd}[31mpolicy",
        ),
        ("kill -9 $$", "signal: 9"),
        ("exit 0", "wrote no PEM certificates"),
        ("echo hello", "wrote no PEM certificates"),
        (
            "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done",
            "wrote more than 64 KiB",
        ),
        ("cat", "wrote no PEM certificates"),
        ("sleep 60", "was ended after 2 s"),
        ("sleep 60 & sleep 60", "was ended after 2 s"),
    ] {
        let fault = world.fault(script).await;
        assert!(fault.contains(says), "{script}: {fault}");
    }
    let missing = RenewCommand::new("/nowhere/renew".into(), Vec::new(), NextKey::Keep);
    let fault = missing
        .successor(&world.pair, at(0))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains("cannot be started") && fault.contains("correct its path"),
        "{fault}"
    );
}

#[tokio::test]
async fn what_it_leaves_running_is_ended_with_it() {
    let world = world();
    let mark = world.path("alive");
    // It would write after the deadline, if it were still there.
    let script = format!("(sleep 4; echo late > '{}') & wait", mark.display());
    let fault = world.fault(&script).await;
    assert!(fault.contains("was ended after 2 s"), "{fault}");
    let alive = std::process::Command::new("pgrep")
        .args(["-f", &mark.display().to_string()])
        .output();
    if let Ok(found) = alive {
        assert!(
            found.stdout.is_empty(),
            "{}",
            String::from_utf8_lossy(&found.stdout)
        );
    }
    assert!(!mark.exists());
}

#[tokio::test]
async fn a_certificate_for_another_key_is_no_answer() {
    let world = world();
    let other = world.path("other.pem");
    fs::write(&other, world.pair.chain_pem()).unwrap();
    let fault = world
        .renew("cat > /dev/null; cat \"$1\"", &[&other])
        .await
        .unwrap_err()
        .to_string();
    assert!(fault.contains("does not belong to the certificate"), "{fault}");
    // A key among the certificates: what that means nobody knows.
    let both = world.path("both.pem");
    fs::write(
        &both,
        format!("{}{}", world.pair.chain_pem(), world.pair.expose_key_pem()),
    )
    .unwrap();
    let fault = world
        .renew("cat > /dev/null; cat \"$1\"", &[&both])
        .await
        .unwrap_err()
        .to_string();
    assert!(fault.contains("something besides them"), "{fault}");
    assert!(!fault.contains("BEGIN"));
}
