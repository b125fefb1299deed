//! Changes of clients. Each is one compare-and-swap: who loses a race is told so, and nothing is half done.

use std::time::Duration;

use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientSecretText, ClientStore as _, Domain, DomainStore as _, Insertion, Removal, Replacement,
    SecretSet, generate_client_id,
};
use sealstone_storage::SqlStore;
use zeroize::Zeroizing;

use super::{CreateArguments, DeleteArguments, OneArguments, RotateArguments, UpdateArguments, show};
use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form},
    store,
};

const SHOWN_ONCE: &str = "Keep the secret now: it is not stored and not shown again.";

pub(super) async fn create(arguments: CreateArguments) -> Outcome {
    let places = arguments.store.places()?;
    let registration = arguments.registration.over(None)?;
    let opened = places.store().await?;
    let domain = store::domain(&opened, arguments.domain.as_ref()).await?;
    if arguments.new_domain {
        // One that is there already is as good.
        let _ = opened
            .insert_domain(Domain::new(domain.clone(), domain.as_str(), true)?)
            .await?;
    }
    let secret = if registration.needs_secret()? {
        Some(draw()?)
    } else {
        None
    };
    let hash = match &secret {
        Some(secret) => Some(SecretSet::new(secret.hash(&places.pepper()?), None)),
        None => None,
    };
    let id = match arguments.id {
        Some(id) => id,
        None => generate_client_id(random()?)?,
    };
    let client = registration.into_client(domain.clone(), id.clone(), hash, clock::now())?;
    let inserted = opened.insert(client.clone()).await?;
    opened.close().await;
    match inserted {
        Insertion::Inserted => print(&client, secret.as_ref(), arguments.output.output),
        Insertion::Exists => Err(Failure::failed(format!(
            "there is a client {id} already: choose another identifier, or update it"
        ))),
        Insertion::UnknownDomain => Err(Failure::failed(format!(
            "there is no domain {domain}: add --new-domain to make it"
        ))),
    }
}

pub(super) async fn update(arguments: UpdateArguments) -> Outcome {
    let places = arguments.store.places()?;
    let opened = places.store().await?;
    let before = find(&opened, &arguments.id).await?;
    let registration = arguments.registration.over(Some(&before.registration()))?;
    let secret = if registration.needs_secret()? && before.auth().secrets().is_none() {
        Some(draw()?)
    } else {
        None
    };
    let hash = match &secret {
        Some(secret) => Some(SecretSet::new(secret.hash(&places.pepper()?), None)),
        None => None,
    };
    let after = before.updated(registration, hash, clock::now())?;
    replace(opened, &before, &after).await?;
    print(&after, secret.as_ref(), arguments.output.output)
}

pub(super) async fn rotate_secret(arguments: RotateArguments) -> Outcome {
    let places = arguments.store.places()?;
    let opened = places.store().await?;
    let before = find(&opened, &arguments.id).await?;
    let (secret, now) = (draw()?, clock::now());
    let expires_at = arguments
        .expires_in
        .map(|span: Duration| clock::at(now.as_secs().saturating_add(span.as_secs())));
    let after =
        before.with_rotated_secret(secret.hash(&places.pepper()?), expires_at, arguments.overlap, now)?;
    replace(opened, &before, &after).await?;
    if let Some(end) = after.auth().secrets().and_then(SecretSet::previous_expires_at) {
        output::note(&format!(
            "The old secret stays good until {}.",
            clock::date_and_relative(end, now)
        ));
    }
    print(&after, Some(&secret), arguments.output.output)
}

pub(super) async fn enable(arguments: OneArguments, enabled: bool) -> Outcome {
    let opened = arguments.store.places()?.store().await?;
    let before = find(&opened, &arguments.id).await?;
    if before.is_enabled() == enabled {
        opened.close().await;
        output::note(&format!("Nothing to do: {} was so already.", arguments.id));
        return show::print(&before, None, arguments.output.output);
    }
    let after = before.with_enabled(enabled, clock::now());
    replace(opened, &before, &after).await?;
    if !enabled {
        output::note(
            "It gets no more tokens. Those it has stay good until they end; introspection refuses them.",
        );
    }
    show::print(&after, None, arguments.output.output)
}

pub(super) async fn delete(arguments: DeleteArguments) -> Outcome {
    if !arguments.yes {
        return Err(Failure::usage(format!(
            "deleting {} cannot be undone: add --yes, or use `sealstone client disable`",
            arguments.id
        )));
    }
    let opened = arguments.store.places()?.store().await?;
    let removed = opened.delete(&arguments.id).await?;
    opened.close().await;
    match removed {
        Removal::Removed => {
            output::note(&format!("Deleted {}.", arguments.id));
            Ok(())
        }
        Removal::Missing => Err(show::unknown(&arguments.id)),
    }
}

fn print(client: &Client, secret: Option<&ClientSecretText>, form: Form) -> Outcome {
    show::print(client, secret.map(ClientSecretText::expose), form)?;
    if secret.is_some() {
        output::note(SHOWN_ONCE);
    }
    Ok(())
}

async fn find(opened: &SqlStore, id: &ClientId) -> Outcome<std::sync::Arc<Client>> {
    opened.client(id).await?.ok_or_else(|| show::unknown(id))
}

async fn replace(opened: SqlStore, before: &Client, after: &Client) -> Outcome {
    let replaced = opened.replace(before.version(), after.clone()).await?;
    opened.close().await;
    match replaced {
        Replacement::Replaced => Ok(()),
        Replacement::Conflict => Err(Failure::failed(format!(
            "somebody else changed {} just now: look at it and try again",
            before.id()
        ))),
        Replacement::Missing => Err(show::unknown(before.id())),
    }
}

fn draw() -> Outcome<ClientSecretText> {
    Ok(ClientSecretText::from_random(*Zeroizing::new(random()?)))
}

fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Failure::failed("the system has no randomness: try again"))?;
    Ok(bytes)
}
