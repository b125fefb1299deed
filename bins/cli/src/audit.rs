//! The server's audit file: what is changed here is recorded beside what the server does, before success is told.

mod command;
mod tail;
mod verify;

pub(crate) use command::{AuditCommand, run};

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use sealstone_audit::{
    Action, Actor, AuditSink as _, Event, EventId, Outcome as Ending, Reason, Target, printable,
};
use sealstone_trail::{Rotation, TrailFile};

use crate::{
    clock,
    failure::{Failure, Outcome},
    output, random,
};

/// The audit file, and who writes to it by this program.
pub(crate) struct Trail {
    file: TrailFile,
    initiator: String,
    /// One for all that this run of the program changes.
    request_id: String,
}

impl Trail {
    /// Opens the file before anything is changed: what can't be recorded is not done. A file that is made here is
    /// given to the owner of the database, who is the server.
    pub(crate) fn open(path: &Path, key: &Path, database: &Path) -> Outcome<Self> {
        let made: Vec<&Path> = [path, key].into_iter().filter(|path| !path.exists()).collect();
        let locks = ["lock", "turn"].map(|ending| hidden(path, ending));
        let made: Vec<&Path> = made
            .into_iter()
            .chain(locks.iter().map(PathBuf::as_path).filter(|path| !path.exists()))
            .collect();
        // The server rotates.
        let file = TrailFile::open(path, key, Rotation::default()).with_context(|| {
            format!(
                "{} cannot be written on, so nothing was changed: run this as the server's user",
                path.display()
            )
        })?;
        for made in made {
            give_to_owner(made, database).with_context(|| {
                format!(
                    "{} was made and the server may not write on it, so nothing was changed: remove it, and run this \
                     as the server's user",
                    made.display()
                )
            })?;
        }
        let id: [u8; 8] = random::octets()?;
        Ok(Self {
            file,
            initiator: initiator(),
            request_id: format!("cli-{:016x}", u64::from_be_bytes(id)),
        })
    }

    pub(crate) const fn change<'a>(&'a self, action: Action, target: Target<'a>) -> Change<'a> {
        Change {
            trail: self,
            action,
            target,
            proved: None,
        }
    }
}

/// One change, which becomes one event.
pub(crate) struct Change<'a> {
    trail: &'a Trail,
    action: Action,
    target: Target<'a>,
    /// An administrator who has proved who it is.
    proved: Option<String>,
}

impl Change<'_> {
    /// The same, made by an administrator who has proved who it is.
    pub(crate) fn by(mut self, name: &str) -> Self {
        self.proved = Some(format!("{}/{}", self.trail.initiator, printable_name(name)));
        self
    }

    /// It is made.
    pub(crate) fn done(&self) -> Outcome {
        self.record(Ending::Success, None).with_context(|| {
            format!(
                "the change is made, but {} has no event of it: make room there, and note the change elsewhere",
                self.trail.file.path().display()
            )
        })?;
        Ok(())
    }

    /// It is not made.
    pub(crate) fn refused(&self, reason: Reason, failure: Failure) -> Failure {
        if let Err(error) = self.record(Ending::Failure, Some(reason)) {
            let path = self.trail.file.path().display();
            output::note(&format!("note: {path} has no event of this: {error:#}"));
        }
        failure
    }

    /// What the store says to it.
    pub(crate) fn stored<T>(&self, answer: Result<T, impl Into<Failure>>) -> Outcome<T> {
        answer.map_err(|error| self.refused(Reason::new(503, "backend_failure"), error.into()))
    }

    fn record(&self, outcome: Ending, reason: Option<Reason>) -> anyhow::Result<()> {
        let id = random::octets().map_err(|failure| anyhow::anyhow!(failure.to_string()))?;
        let event = Event {
            id: EventId::from_random(id),
            time: clock::now(),
            action: self.action,
            outcome,
            reason,
            initiator: Actor {
                client_id: Some(self.proved.as_deref().unwrap_or(&self.trail.initiator).into()),
                user_id: None,
                address: None,
            },
            target: self.target.clone(),
            request_id: self.trail.request_id.as_str().into(),
        };
        self.trail.file.record(&event)?;
        // The server may be waiting.
        Ok(self.trail.file.leave()?)
    }
}

/// The trail's locks lie beside it.
fn hidden(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{ending}"))
}

fn give_to_owner(path: &Path, database: &Path) -> std::io::Result<()> {
    let (made, owner) = (fs::metadata(path)?, fs::metadata(database)?);
    if made.uid() == owner.uid() {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

/// `os-user:1000/alice`: the number is the system's word, the name is what the environment says and comes after it.
/// No client is called so: a client's id has no colon.
fn initiator() -> String {
    let number = fs::metadata("/proc/self").map(|process| process.uid().to_string());
    let number = number.unwrap_or_else(|_| "unknown".to_owned());
    let name = ["USER", "LOGNAME"].into_iter().find_map(std::env::var_os);
    match name {
        Some(name) => format!("os-user:{number}/{}", printable_name(&name.to_string_lossy())),
        None => format!("os-user:{number}"),
    }
}

fn printable_name(name: &str) -> String {
    printable(name).chars().take(32).collect()
}
