//! Changes of clients. Each is one compare-and-swap: who loses a race is told so, and nothing is half done.

use std::{sync::Arc, time::Duration};

use sealstone_audit::{Action, Reason, Target};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientStore as _, Domain, DomainStore as _, Insertion, Removal, Replacement, RotationError,
    SecretSet, generate_client_id,
};
use sealstone_storage::SqlStore;
use sealstone_tokens::RevocationStore as _;

use super::{
    CreateArguments, DeleteArguments, OneArguments, RotateArguments, UpdateArguments, remote::SHOWN_ONCE,
    secret::Drawn, show,
};
use crate::{
    audit::{Change, Trail},
    clock,
    failure::{Failure, Outcome},
    output::{self, Form},
    random, store,
};

/// What a client that is disabled loses.
pub(super) const ENDED: &str = "It gets no more tokens, and what it got has ended: refresh tokens and codes at once, access \
                                tokens at introspection at once and at resources as soon as they read the revocation document.";

pub(super) async fn create(arguments: CreateArguments) -> Outcome {
    let places = arguments.place.places()?;
    let mut registration = arguments
        .registration
        .over(None, arguments.tie.members()?, &arguments.people)?;
    let opened = places.store().await?;
    let domain = store::domain(&opened, arguments.domain.as_ref()).await?;
    let trail = places.trail()?;
    if arguments.new_domain {
        let new = Domain::new(domain.clone(), domain.as_str(), true)?;
        let change = trail.change(Action::CreateDomain, Target::Issuer(domain.as_str().into()));
        // One that is there already is as good.
        if change.stored(opened.insert_domain(new).await)? == Insertion::Inserted {
            change.done()?;
        }
    }
    let id = match arguments.id {
        Some(id) => id,
        None => generate_client_id(random::octets()?)?,
    };
    let owner = (&domain, &id);
    let secret = registration
        .secret_kind()?
        .map(|kind| Drawn::new(kind, &places, owner))
        .transpose()?;
    arguments
        .tie
        .settle(&mut registration, None, &places, owner)
        .await?;
    let secrets = secret.as_ref().map(Drawn::alone);
    let client = registration.into_client(domain.clone(), id.clone(), secrets, clock::now())?;
    let client = in_its_place(&opened, client).await?;
    let change = of_client(&trail, Action::CreateClient, &id);
    let inserted = change.stored(opened.insert(client.clone()).await)?;
    opened.close().await;
    match inserted {
        Insertion::Inserted => {
            change.done()?;
            print(&client, secret.as_ref(), arguments.output.output)
        }
        Insertion::Exists => Err(change.refused(
            Reason::new(409, "client_exists"),
            Failure::failed(format!(
                "there is a client {id} already: choose another identifier, or update it"
            )),
        )),
        Insertion::UnknownDomain => Err(change.refused(
            Reason::new(404, "unknown_domain"),
            Failure::failed(format!(
                "there is no domain {domain}: add --new-domain to make it"
            )),
        )),
    }
}

pub(super) async fn update(arguments: UpdateArguments) -> Outcome {
    let places = arguments.place.places()?;
    let opened = places.store().await?;
    let trail = places.trail()?;
    let change = of_client(&trail, Action::UpdateClient, &arguments.id);
    let before = find(&opened, &change, &arguments.id).await?;
    let shown = before.registration();
    let mut registration =
        arguments
            .registration
            .over(Some(&shown), arguments.tie.members()?, &arguments.people)?;
    let owner = (before.domain(), before.id());
    let kept = before.auth().secrets().map(SecretSet::kind);
    let wanted = registration.secret_kind()?.filter(|kind| kept != Some(*kind));
    let secret = wanted.map(|kind| Drawn::new(kind, &places, owner)).transpose()?;
    arguments
        .tie
        .settle(&mut registration, Some(&shown), &places, owner)
        .await?;
    let secrets = secret.as_ref().map(Drawn::alone);
    let after = before.updated(registration, secrets, clock::now())?;
    replace(opened, &change, &before, &after).await?;
    print(&after, secret.as_ref(), arguments.output.output)
}

pub(super) async fn rotate_secret(arguments: RotateArguments) -> Outcome {
    let places = arguments.place.places()?;
    let opened = places.store().await?;
    let trail = places.trail()?;
    let change = of_client(&trail, Action::UpdateClient, &arguments.id);
    let before = find(&opened, &change, &arguments.id).await?;
    let kind = before.auth().secrets().map(SecretSet::kind);
    let kind = kind.ok_or(RotationError::NoSecret)?;
    let secret = Drawn::new(kind, &places, (before.domain(), before.id()))?;
    let now = clock::now();
    let expires_at = arguments
        .expires_in
        .map(|span: Duration| clock::at(now.as_secs().saturating_add(span.as_secs())));
    let after = before.with_rotated_secret(secret.kept.clone(), expires_at, arguments.overlap, now)?;
    replace(opened, &change, &before, &after).await?;
    if let Some(end) = after.auth().secrets().and_then(SecretSet::previous_expires_at) {
        output::note(&format!(
            "The old secret stays good until {}.",
            clock::date_and_relative(end, now)
        ));
    }
    print(&after, Some(&secret), arguments.output.output)
}

pub(super) async fn enable(arguments: OneArguments, enabled: bool) -> Outcome {
    let places = arguments.place.places()?;
    let opened = places.store().await?;
    let trail = places.trail()?;
    let change = of_client(&trail, Action::UpdateClient, &arguments.id);
    let before = find(&opened, &change, &arguments.id).await?;
    if before.is_enabled() == enabled {
        opened.close().await;
        output::note(&format!("Nothing to do: {} was so already.", arguments.id));
        return show::print(&before, None, arguments.output.output);
    }
    let after = before.with_enabled(enabled, clock::now());
    replace(opened, &change, &before, &after).await?;
    if !enabled {
        output::note(ENDED);
    }
    show::print(&after, None, arguments.output.output)
}

pub(super) async fn delete(arguments: DeleteArguments) -> Outcome {
    let places = arguments.place.places()?;
    let opened = places.store().await?;
    let trail = places.trail()?;
    let change = of_client(&trail, Action::DeleteClient, &arguments.id);
    // First disabled, so that what it got ends in the same step; then nothing of it is left.
    if let Some(before) = change.stored(opened.client(&arguments.id).await)?
        && before.is_enabled()
    {
        let after = before.with_enabled(false, clock::now());
        match change.stored(opened.replace(before.version(), after).await)? {
            Replacement::Replaced | Replacement::Missing => {}
            Replacement::Conflict => return Err(conflict(&change, &arguments.id)),
        }
    }
    let removed = change.stored(opened.delete(&arguments.id).await)?;
    opened.close().await;
    match removed {
        Removal::Removed => {
            change.done()?;
            output::note(&format!("Deleted {}.", arguments.id));
            Ok(())
        }
        Removal::Missing => Err(missing(&change, &arguments.id)),
    }
}

/// A client whose id another had that ended lately: what it gets must not count as that one's.
pub(super) async fn in_its_place(opened: &SqlStore, client: Client) -> Outcome<Client> {
    let ended = opened.ended_clients(client.domain(), clock::now()).await?;
    let before = ended.iter().find(|ended| ended.client_id == *client.id());
    Ok(match before.and_then(|before| before.end.version) {
        Some(version) => client.in_place_of(version),
        None => client,
    })
}

fn print(client: &Client, secret: Option<&Drawn>, form: Form) -> Outcome {
    show::print(client, secret.map(|drawn| drawn.text.expose()), form)?;
    if secret.is_some() {
        output::note(SHOWN_ONCE);
    }
    Ok(())
}

pub(super) fn of_client<'a>(trail: &'a Trail, action: Action, id: &'a ClientId) -> Change<'a> {
    trail.change(action, Target::Client(id.as_str().into()))
}

fn missing(change: &Change<'_>, id: &ClientId) -> Failure {
    change.refused(Reason::new(404, "unknown_client"), show::unknown(id))
}

fn conflict(change: &Change<'_>, id: &ClientId) -> Failure {
    let why = format!("somebody else changed {id} just now: look at it and try again");
    change.refused(Reason::new(409, "conflict"), Failure::failed(why))
}

async fn find(opened: &SqlStore, change: &Change<'_>, id: &ClientId) -> Outcome<Arc<Client>> {
    let found = change.stored(opened.client(id).await)?;
    found.ok_or_else(|| missing(change, id))
}

async fn replace(opened: SqlStore, change: &Change<'_>, before: &Client, after: &Client) -> Outcome {
    let replaced = change.stored(opened.replace(before.version(), after.clone()).await)?;
    opened.close().await;
    match replaced {
        Replacement::Replaced => change.done(),
        Replacement::Conflict => Err(conflict(change, before.id())),
        Replacement::Missing => Err(missing(change, before.id())),
    }
}
