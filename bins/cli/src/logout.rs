//! `sealstone logout`: revokes what was granted, and forgets it.

use clap::Args;
use sealstone_client::{Kept as _, Keystone, KeystoneToken, SlotKind, TokenCache, TokenSet};
use serde::Serialize;

use crate::{
    failure::{Failure, Outcome},
    login::{
        MannerArguments, place,
        selection::Selection,
        session::{self, Session},
        target::{Target, Through},
    },
    output::{self, Form, OutputArguments},
};

const EXAMPLES: &str = "\
Examples:
  sealstone logout --cloud prod
  sealstone logout --all

The server is told first: refresh token, access token and Keystone token end there. What is kept here is
removed even if it cannot be reached. After `eval \"$(sealstone env ...)\"`:
  eval \"$(sealstone env --unset)\".";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogoutArguments {
    #[command(flatten)]
    selection: Selection,
    /// Every login that is kept here
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize, Default)]
struct Done {
    removed: usize,
    revoked: usize,
    /// Not revoked, and why.
    failed: Vec<String>,
}

pub(crate) async fn run(arguments: LogoutArguments) -> Outcome {
    let Some(cache) = place::existing()? else {
        return Err(Failure::not_logged_in(
            "nobody is logged in: nothing is kept here",
        ));
    };
    let done = if arguments.all {
        all(&cache, &arguments.selection).await?
    } else {
        one(&cache, arguments.selection.target(false)?).await?
    };
    if done.removed == 0 {
        return Err(Failure::not_logged_in(if arguments.all {
            "nobody is logged in: nothing is kept here"
        } else {
            "nobody is logged in: nothing of this login is kept here"
        }));
    }
    match arguments.output.output {
        Form::Json => output::json(&done)?,
        Form::Table => output::note(&format!(
            "Logged out: {} revoked at the server, {} removed here.",
            done.revoked, done.removed
        )),
    }
    if done.failed.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "not everything could be revoked, and stays good until it ends: {}",
        done.failed.join("; ")
    )))
}

/// Forgets a login without a word to the server.
pub(crate) async fn forget(target: &Target) -> Outcome {
    if let Some(cache) = place::existing()? {
        for slot in [target.base_slot(), target.keystone_slot()].into_iter().flatten() {
            cache.lock(&slot, |_| {})?.remove()?;
        }
    }
    Ok(())
}

async fn one(cache: &TokenCache, target: Target) -> Outcome<Done> {
    let mut done = Done::default();
    let (base, keystone_slot, key) = (target.base_slot(), target.keystone_slot(), target.key_slot());
    let ca = target.ca.clone();
    let auth_url = target.auth_url().map(str::to_owned);
    let context = || session::context(ca.as_deref());
    // Every scope of this login, not only the one that is named now.
    let slots: Vec<_> = cache
        .list()?
        .into_iter()
        .filter(|(slot, _)| {
            keystone_slot.as_ref().is_some_and(|wanted| {
                slot.kind == SlotKind::Keystone
                    && (&slot.issuer, &slot.client, &slot.cloud, &slot.user)
                        == (&wanted.issuer, &wanted.client, &wanted.cloud, &wanted.user)
            })
        })
        .collect();
    for (slot, entry) in slots {
        if let (Some(token), Some(url)) = (KeystoneToken::from_payload(&entry.payload), &auth_url) {
            let revoked = match Keystone::new(&context()?, url, None) {
                Ok(keystone) => keystone.revoke(&token).await,
                Err(error) => Err(error),
            };
            done.note(revoked.map_err(|error| error.to_string()));
        }
        done.removed = done
            .removed
            .saturating_add(usize::from(cache.lock(&slot, |_| {})?.remove()?));
    }
    let kept: Option<TokenSet> = session::kept_access(&target)?;
    if let (Some(tokens), Through::OAuth(_)) = (kept, &target.through) {
        let manner = MannerArguments::default().manner(false);
        let session = Session::new(target, manner)?;
        done.note(
            session
                .revoke(&tokens)
                .await
                .map_err(|failure| failure.to_string()),
        );
    }
    for slot in [base, key].into_iter().flatten() {
        done.removed = done
            .removed
            .saturating_add(usize::from(cache.lock(&slot, |_| {})?.remove()?));
    }
    Ok(done)
}

/// By what the files say of themselves: the clouds may be gone.
async fn all(cache: &TokenCache, selection: &Selection) -> Outcome<Done> {
    let mut done = Done::default();
    for (slot, entry) in cache.list()? {
        if !slot.cloud.is_empty() || selection.ca.is_some() || slot.kind == SlotKind::OAuth {
            let revoked = revoke_by_slot(&slot, &entry.payload, selection).await;
            if let Some(revoked) = revoked {
                done.note(revoked);
            }
        }
        done.removed = done
            .removed
            .saturating_add(usize::from(cache.lock(&slot, |_| {})?.remove()?));
    }
    // What another key encrypted, and what was left half-written.
    done.removed = done.removed.saturating_add(cache.clear()?);
    Ok(done)
}

async fn revoke_by_slot(
    slot: &sealstone_client::CacheSlot,
    payload: &str,
    selection: &Selection,
) -> Option<Result<(), String>> {
    let mut of_slot = selection.clone();
    if slot.cloud.is_empty() || slot.cloud == "envvars" {
        of_slot.issuer = (slot.kind == SlotKind::OAuth).then(|| slot.issuer.clone());
        of_slot.client_id = Some(slot.client.clone());
    } else {
        of_slot.cloud = Some(slot.cloud.clone());
    }
    let target = match of_slot.target(false) {
        Ok(target) => target,
        Err(failure) => return Some(Err(failure.to_string())),
    };
    match slot.kind {
        SlotKind::OAuth => {
            let tokens = TokenSet::from_payload(payload)?;
            let session = Session::new(target, MannerArguments::default().manner(false)).ok()?;
            Some(
                session
                    .revoke(&tokens)
                    .await
                    .map_err(|failure| failure.to_string()),
            )
        }
        SlotKind::Keystone => {
            let token = KeystoneToken::from_payload(payload)?;
            let context = session::context(target.ca.as_deref()).ok()?;
            let revoked = match Keystone::new(&context, &slot.issuer, None) {
                Ok(keystone) => keystone.revoke(&token).await,
                Err(error) => Err(error),
            };
            Some(revoked.map_err(|error| error.to_string()))
        }
        SlotKind::Key | _ => None,
    }
}

impl Done {
    fn note(&mut self, revoked: Result<(), String>) {
        match revoked {
            Ok(()) => self.revoked = self.revoked.saturating_add(1),
            Err(why) => self.failed.push(output::visible(&why)),
        }
    }
}
