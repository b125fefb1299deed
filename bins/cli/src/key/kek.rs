//! `sealstone key kek ...`: the file of key-encryption keys, of which the first seals and all open.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::Path,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sealstone_ca::files::{self, Access};
use sealstone_keyring::KeyEncryptionKey;
use serde_json::json;
use zeroize::Zeroizing;

use super::rewrap;
use crate::{
    custody,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    random,
    store::StoreArguments,
};

#[derive(Debug, Subcommand)]
pub(crate) enum KekCommand {
    /// List the keys of the file: which one seals, which ones open
    List(KekArguments),
    /// Make a new key that opens; on every node, before it seals
    #[command(after_help = "Example:\n  sealstone key kek add --data sealstone-dev\n\n\
        Where several nodes share a database, make it on one, and bring its line to the others' files.")]
    Add(AddArguments),
    /// Let a key seal from now on; when it is in every node's file
    #[command(after_help = "Example:\n  sealstone key kek use --data sealstone-dev ID\n\n\
        Then `sealstone key rewrap` brings under it what other keys sealed.")]
    Use(OneArguments),
    /// Take a key out of the file, if nothing is sealed under it any more
    Remove(OneArguments),
}

#[derive(Debug, Args)]
pub(crate) struct KekArguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// Wrap it under the AES key of the PKCS#11 token that is called so; the key is made if it is not there
    #[arg(long, value_name = "LABEL")]
    wrapped_by: Option<String>,
    #[command(flatten)]
    kek: KekArguments,
}

#[derive(Debug, Args)]
pub(crate) struct OneArguments {
    /// The key's identifier, as `sealstone key kek list` shows it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    kek: KekArguments,
}

/// The keys of the file, each with its line.
struct Lines(Vec<(String, Zeroizing<String>)>);

impl Lines {
    fn read(place: &custody::Place) -> Outcome<Self> {
        let path = place.key_file()?;
        let text = files::read_private(path)?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|line| {
            let key = place.parse(line, &path.display().to_string())?;
            Ok((key.id(), Zeroizing::new(line.to_owned())))
        });
        Ok(Self(keys.collect::<Outcome<_>>()?))
    }

    fn text(&self) -> Zeroizing<String> {
        let room = self.0.iter().map(|(_, line)| line.len().saturating_add(1)).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        for (_, line) in &self.0 {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Writes the file in one step. It belongs to whom it belonged to: the server.
    fn write(&self, path: &Path) -> Outcome {
        let owner = fs::metadata(path).with_context(|| path.display().to_string())?;
        files::replace(path, self.text().as_bytes(), Access::Private)?;
        let written = fs::metadata(path).with_context(|| path.display().to_string())?;
        if written.uid() != owner.uid() || written.gid() != owner.gid() {
            chown(path, Some(owner.uid()), Some(owner.gid())).with_context(|| {
                format!(
                    "{} is yours now, and not the server's: give it back",
                    path.display()
                )
            })?;
        }
        Ok(())
    }

    fn at(&self, id: &str) -> Outcome<usize> {
        let found = self.0.iter().position(|(known, _)| known == id);
        found.ok_or_else(|| {
            Failure::failed(format!(
                "the file has no key-encryption key {id}: `sealstone key kek list` shows them"
            ))
        })
    }

    fn print(&self, form: Form) -> Outcome {
        let role = |at: usize| if at == 0 { "seals and opens" } else { "opens" };
        let kept = |line: &str| {
            if line.starts_with("wrapped.") {
                "PKCS#11 token"
            } else {
                "file"
            }
        };
        match form {
            Form::Json => {
                let keys = self
                    .0
                    .iter()
                    .enumerate()
                    .map(|(at, (id, line))| json!({ "id": id, "seals": at == 0, "kept_by": kept(line) }));
                output::json(&keys.collect::<Vec<_>>())
            }
            Form::Table => {
                let rows: Vec<Vec<String>> = self
                    .0
                    .iter()
                    .enumerate()
                    .map(|(at, (id, line))| vec![id.clone(), role(at).to_owned(), kept(line).to_owned()])
                    .collect();
                output::table(&["ID", "ROLE", "KEPT BY"], &rows)
            }
        }
    }
}

pub(crate) async fn run(command: KekCommand) -> Outcome {
    match command {
        KekCommand::List(arguments) => {
            let places = arguments.store.places()?;
            Lines::read(places.custody())?.print(arguments.output.output)
        }
        KekCommand::Add(arguments) => add(&arguments),
        KekCommand::Use(arguments) => put_first(&arguments),
        KekCommand::Remove(arguments) => remove(arguments).await,
    }
}

fn add(arguments: &AddArguments) -> Outcome {
    let places = arguments.kek.store.places()?;
    let place = places.custody();
    let path = place.key_file()?;
    let mut lines = Lines::read(place)?;
    let octets = Zeroizing::new(random::octets::<32>()?);
    let id = KeyEncryptionKey::from_bytes(*octets).id();
    let line = match &arguments.wrapped_by {
        Some(label) => wrapped(place, label, &octets)?,
        None => octets
            .iter()
            .fold(Zeroizing::new(String::with_capacity(64)), |mut text, octet| {
                for digit in [octet >> 4, octet & 15] {
                    text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
                text
            }),
    };
    lines.0.push((id.clone(), line));
    // Not more than the server reads.
    place.parse(&lines.text(), &path.display().to_string())?;
    lines.write(path)?;
    output::note(&format!(
        "{id} opens from now on; running servers read {} within seconds. When it is in every node's file: `sealstone key \
         kek use {id}`.",
        path.display()
    ));
    lines.print(arguments.kek.output.output)
}

#[cfg(feature = "pkcs11")]
fn wrapped(place: &custody::Place, label: &str, octets: &[u8; 32]) -> Outcome<Zeroizing<String>> {
    let token = place
        .hsm()?
        .ok_or_else(|| Failure::failed("no PKCS#11 token is configured to wrap by: set [pkcs11]"))?;
    if token.make_wrapping_key(label)? {
        output::note(&format!(
            "The token has a new AES key {label}: back the token up."
        ));
    }
    let wrapped = token.wrap_key(label, octets)?;
    Ok(Zeroizing::new(KeyEncryptionKey::wrapped_line(&wrapped)))
}

#[cfg(not(feature = "pkcs11"))]
fn wrapped(place: &custody::Place, _label: &str, _octets: &[u8; 32]) -> Outcome<Zeroizing<String>> {
    place.hsm()?;
    Err(Failure::failed(
        "no PKCS#11 token is configured to wrap by: set [pkcs11]",
    ))
}

fn put_first(arguments: &OneArguments) -> Outcome {
    let places = arguments.kek.store.places()?;
    let path = places.custody().key_file()?;
    let mut lines = Lines::read(places.custody())?;
    let at = lines.at(&arguments.id)?;
    let key = lines.0.remove(at);
    lines.0.insert(0, key);
    lines.write(path)?;
    output::note(&format!(
        "{} seals from now on; running servers read {} within seconds. Then: `sealstone key rewrap`.",
        arguments.id,
        path.display()
    ));
    lines.print(arguments.kek.output.output)
}

async fn remove(arguments: OneArguments) -> Outcome {
    let places = arguments.kek.store.places()?;
    let path = places.custody().key_file()?;
    let mut lines = Lines::read(places.custody())?;
    let at = lines.at(&arguments.id)?;
    if at == 0 {
        return Err(Failure::failed(format!(
            "{} is the key that seals: let another one first, `sealstone key kek use`",
            arguments.id
        )));
    }
    lines.0.remove(at);
    let left = places
        .custody()
        .parse(&lines.text(), &path.display().to_string())?;
    let store = places.store().await?;
    let opens = rewrap::opens_all(&store, &left).await;
    store.close().await;
    opens.map_err(|failure| failure.with_hint("nothing was removed: run `sealstone key rewrap` first"))?;
    lines.write(path)?;
    output::note(&format!(
        "{} is gone. Backups of before need it still.",
        arguments.id
    ));
    lines.print(arguments.kek.output.output)
}
