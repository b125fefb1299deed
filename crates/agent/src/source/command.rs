use std::{ffi::OsString, process::Stdio, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use super::{CertificateSource, NextKey, RenewFault};
use crate::{MachinePair, pair::holds_certificates_only};

/// A chain of eight certificates of 4 KiB in PEM, and half as much again.
const MAX_ANSWER: u64 = 64 * 1024;
/// What a program says of its failure: as much as fits a screen.
const MAX_SAID: u64 = 4 * 1024;
/// Authorities that people look after answer in seconds; one that asks a person is not for a machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A program that takes a certification request on standard input and writes the certificate with its chain to standard
/// output, both PEM.
///
/// It is started without a shell, with the environment that is given and no other.
#[derive(Debug, Clone)]
pub struct RenewCommand {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    deadline: Duration,
    key: NextKey,
}

/// Why a program gave no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandFault {
    /// It cannot be started.
    #[error(
        "the program that renews the certificate cannot be started ({0}): correct its path in the configuration"
    )]
    Start(std::io::Error),
    /// It took too long, and was ended.
    #[error(
        "the program that renews the certificate was ended after {0} s without an end: run it by hand and see"
    )]
    Deadline(u64),
    /// It failed.
    #[error("the program that renews the certificate failed with {status}{}", said_after(.said))]
    Failed {
        /// Exit status or signal.
        status: String,
        /// The end of what it wrote to standard error, on one line.
        said: String,
    },
    /// It wrote more than any chain.
    #[error(
        "the program that renews the certificate wrote more than 64 KiB: it is to write the chain in PEM and nothing else"
    )]
    TooLarge,
    /// It wrote something else.
    #[error("the program that renews the certificate wrote no PEM certificates, or something besides them")]
    NoCertificates,
}

fn said_after(said: &str) -> String {
    if said.is_empty() {
        ", without a word".to_owned()
    } else {
        format!(": {said}")
    }
}

impl RenewCommand {
    /// This program with these arguments.
    #[must_use]
    pub const fn new(program: OsString, arguments: Vec<OsString>, key: NextKey) -> Self {
        Self {
            program,
            arguments,
            environment: Vec::new(),
            deadline: DEADLINE,
            key,
        }
    }

    /// With these variables; with none by default.
    #[must_use]
    pub fn with_environment(mut self, environment: Vec<(OsString, OsString)>) -> Self {
        self.environment = environment;
        self
    }

    /// With this deadline; 60 s by default.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn ask(&self, request: &[u8]) -> Result<Vec<u8>, CommandFault> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: what it has started ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(CommandFault::Start)?;
        let spoken = tokio::time::timeout(self.deadline, converse(&mut child, request)).await;
        let Ok(spoken) = spoken else {
            end_group(&child);
            return Err(CommandFault::Deadline(self.deadline.as_secs()));
        };
        let (answer, said, status) = spoken.map_err(CommandFault::Start)?;
        if u64::try_from(answer.len()).is_ok_and(|length| length > MAX_ANSWER) {
            end_group(&child);
            return Err(CommandFault::TooLarge);
        }
        match status {
            Some(status) if status.success() => Ok(answer),
            status => Err(CommandFault::Failed {
                status: status.map_or_else(|| "no status".to_owned(), |status| status.to_string()),
                said: one_line(&said),
            }),
        }
    }
}

type Spoken = (Vec<u8>, Vec<u8>, Option<std::process::ExitStatus>);

async fn converse(child: &mut Child, request: &[u8]) -> std::io::Result<Spoken> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // Who does not listen may still answer.
            let _ = stdin.write_all(request).await;
            let _ = stdin.shutdown().await;
        }
    };
    let ((), answer, said) = tokio::join!(tell, at_most(stdout, MAX_ANSWER.saturating_add(1)), async {
        let mut stderr = stderr;
        let said = at_most(stderr.as_mut(), MAX_SAID).await;
        if let Some(rest) = &mut stderr {
            // Who says more than is kept is not held up by that.
            let _ = tokio::io::copy(rest, &mut tokio::io::sink()).await;
        }
        said
    });
    let (answer, said) = (answer?, said?);
    if u64::try_from(answer.len()).is_ok_and(|length| length > MAX_ANSWER) {
        return Ok((answer, said, None));
    }
    Ok((answer, said, Some(child.wait().await?)))
}

async fn at_most(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut read = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit).read_to_end(&mut read).await?;
    }
    Ok(read)
}

fn end_group(child: &Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// Its last lines, without what would steer a terminal.
fn one_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines
        .get(lines.len().saturating_sub(3)..)
        .unwrap_or_default()
        .join("; ");
    last.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .take(500)
        .collect()
}

#[async_trait]
impl CertificateSource for RenewCommand {
    fn name(&self) -> &'static str {
        "the renewal program"
    }

    async fn successor(&self, present: &MachinePair, _now: UnixTime) -> Result<MachinePair, RenewFault> {
        let request = self.key.request(present)?;
        let answer = self.ask(request.pem.as_bytes()).await?;
        if !holds_certificates_only(&answer) {
            return Err(CommandFault::NoCertificates.into());
        }
        let text = std::str::from_utf8(&answer).map_err(|_not_text| CommandFault::NoCertificates)?;
        Ok(MachinePair::from_pem(text, &request.private_key_pem)?)
    }
}
