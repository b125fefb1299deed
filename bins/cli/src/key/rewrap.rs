//! `sealstone key rewrap`: from one key-encryption key to the next, while nodes run.

use std::io::{self, IsTerminal as _};

use clap::Args;
use sealstone_audit::{Action, Reason, Target};
use sealstone_keyring::{KeyEncryptionKey, KeyStore as _};
use sealstone_storage::{Rewrapping, Sealed, SealedCursor, SealedPage, SqlStore};
use serde_json::json;

use crate::{
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    store::StoreArguments,
};

/// Walks until nothing is left: a running node may write what it had read before. More than this means that a node seals
/// under another key still.
const ROUNDS: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct RewrapArguments {
    /// Only count what is sealed under which key
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// What became of one kind of record.
#[derive(Default)]
struct Sum {
    sealed: usize,
    earlier: usize,
    moved: usize,
    unreadable: Vec<String>,
}

impl Sum {
    fn add(&mut self, page: SealedPage) {
        self.sealed = self.sealed.saturating_add(page.sealed);
        self.earlier = self.earlier.saturating_add(page.earlier);
        self.moved = self.moved.saturating_add(page.moved);
        self.unreadable.extend(page.unreadable);
    }
}

pub(crate) async fn run(arguments: RewrapArguments) -> Outcome {
    let places = arguments.store.places()?;
    let kek = places.key_encryption_key()?;
    let store = places.store().await?;
    if arguments.dry_run {
        let sums = walk(&store, &kek, Rewrapping::Count).await?;
        store.close().await;
        print(&sums, &kek, arguments.output.output)?;
        return unreadable(&sums);
    }
    let trail = places.trail()?;
    let id = kek.id();
    let change = trail.change(Action::RewrapKeys, Target::Key(id.as_str().into()));
    let sums = rewrap(&store, &kek).await;
    store.close().await;
    let sums = sums.map_err(|failure| change.refused(Reason::new(503, "backend_failure"), failure))?;
    print(&sums, &kek, arguments.output.output)?;
    if let Err(failure) = unreadable(&sums) {
        return Err(change.refused(Reason::new(409, "not_all_sealed_anew"), failure));
    }
    change.done()?;
    output::note(&format!(
        "Everything is sealed under {id}. When every node has it as the first line of its file, the earlier keys can go: \
         `sealstone key kek remove`. Backups of before need them still: keep them where the backups are not."
    ));
    Ok(())
}

async fn rewrap(store: &SqlStore, kek: &KeyEncryptionKey) -> Outcome<Vec<(&'static str, Sum)>> {
    let mut all = walk(store, kek, Rewrapping::Do).await?;
    for _ in 1..ROUNDS {
        let again = walk(store, kek, Rewrapping::Do).await?;
        let left: usize = again.iter().map(|(_, sum)| sum.earlier).sum();
        for ((_, sum), (_, more)) in all.iter_mut().zip(again) {
            sum.moved = sum.moved.saturating_add(more.moved);
        }
        if left == 0 {
            return Ok(all);
        }
    }
    Err(Failure::failed(
        "records under an earlier key keep coming: a node still seals under it. Put the new key first in every node's file, \
         and run this again; it goes on where it was",
    ))
}

/// Once through everything that is sealed.
async fn walk(
    store: &SqlStore,
    kek: &KeyEncryptionKey,
    how: Rewrapping,
) -> Outcome<Vec<(&'static str, Sum)>> {
    let mut sums = vec![("key rings", rings(store, kek, how).await?)];
    for sealed in Sealed::ALL {
        let name = match sealed {
            Sealed::Clients => "clients",
            Sealed::Factors => "one-time codes",
            Sealed::Logins => "logins under way",
        };
        let mut sum = Sum::default();
        let mut from = Some(SealedCursor::default());
        while let Some(cursor) = from {
            let page = store.rewrap(sealed, &cursor, kek, how).await?;
            from = page.next.clone();
            sum.add(page);
            if from.is_some() && io::stderr().is_terminal() {
                output::note(&format!(
                    "{name}: {} sealed, {} moved so far",
                    sum.sealed, sum.moved
                ));
            }
        }
        sums.push((name, sum));
    }
    Ok(sums)
}

async fn rings(store: &SqlStore, kek: &KeyEncryptionKey, how: Rewrapping) -> Outcome<Sum> {
    let mut sum = Sum::default();
    for domain in store.domains().await? {
        let Some(stored) = store.load(&domain).await? else {
            continue;
        };
        sum.sealed = sum.sealed.saturating_add(1);
        let under = stored.sealed_under().unwrap_or_default();
        if under == kek.id() {
            continue;
        }
        if !kek.opens(&under) {
            sum.unreadable.push(domain);
            continue;
        }
        sum.earlier = sum.earlier.saturating_add(1);
        if how == Rewrapping::Do && sealstone_keyring::rewrap(store, &domain, kek).await? {
            sum.moved = sum.moved.saturating_add(1);
        }
    }
    Ok(sum)
}

/// Whether everything opens under the keys that are given.
pub(super) async fn opens_all(store: &SqlStore, kek: &KeyEncryptionKey) -> Outcome {
    unreadable(&walk(store, kek, Rewrapping::Count).await?)
}

fn unreadable(sums: &[(&'static str, Sum)]) -> Outcome {
    /// Names enough to begin with.
    const SHOWN: usize = 5;
    let all: Vec<String> = sums
        .iter()
        .flat_map(|(name, sum)| sum.unreadable.iter().map(move |id| format!("{name} {id}")))
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
    Err(Failure::failed(format!(
        "{} records do not open under any key of the file ({}{}): add the key that they are sealed under, or set those \
         secrets anew",
        all.len(),
        shown.join(", "),
        if all.len() > SHOWN { ", …" } else { "" }
    )))
}

fn print(sums: &[(&'static str, Sum)], kek: &KeyEncryptionKey, form: Form) -> Outcome {
    match form {
        Form::Json => {
            let kinds = sums.iter().map(|(name, sum)| {
                json!({
                    "kind": name,
                    "sealed": sum.sealed,
                    "under_earlier_keys": sum.earlier,
                    "moved": sum.moved,
                    "unreadable": sum.unreadable,
                })
            });
            output::json(&json!({ "key": kek.id(), "sealed": kinds.collect::<Vec<_>>() }))
        }
        Form::Table => {
            let rows: Vec<Vec<String>> = sums
                .iter()
                .map(|(name, sum)| {
                    let numbers = [sum.sealed, sum.earlier, sum.moved, sum.unreadable.len()];
                    let numbers = numbers.iter().map(ToString::to_string);
                    [(*name).to_owned()].into_iter().chain(numbers).collect()
                })
                .collect();
            output::table(&["WHAT", "SEALED", "EARLIER KEY", "MOVED", "UNREADABLE"], &rows)
        }
    }
}
