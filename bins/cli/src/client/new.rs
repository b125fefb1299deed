//! Clients that another command registers.

use sealstone_audit::{Action, Reason, Target};
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{Client, ClientRegistration, ClientStore as _, Domain, DomainStore as _, Insertion};
use serde_json::Value;

use super::{change, tie::TieArguments};
use crate::{
    audit::Trail,
    clock,
    failure::{Failure, Outcome},
    store::Places,
};

/// Makes the domain, if there is none.
pub(crate) async fn make_domain(places: &Places, trail: &Trail, domain: &DomainId) -> Outcome {
    let opened = places.store().await?;
    let new = Domain::new(domain.clone(), domain.as_str(), true)?;
    let change = trail.change(Action::CreateDomain, Target::Issuer(domain.as_str().into()));
    let inserted = change.stored(opened.insert_domain(new).await)?;
    opened.close().await;
    match inserted {
        Insertion::Inserted => change.done(),
        Insertion::Exists | Insertion::UnknownDomain => Ok(()),
    }
}

/// Registers a client with these members, which lead to Keystone: whoever is in the environment must hold what it gets.
pub(crate) async fn register(
    places: &Places,
    trail: &Trail,
    (domain, id): (&DomainId, &ClientId),
    members: &Value,
) -> Outcome<Client> {
    let mut registration = ClientRegistration::from_json(members.to_string().as_bytes())?;
    TieArguments::default()
        .settle(&mut registration, None, places, (domain, id))
        .await?;
    let client = registration.into_client(domain.clone(), id.clone(), None, clock::now())?;
    let opened = places.store().await?;
    let client = change::in_its_place(&opened, client).await?;
    let change = change::of_client(trail, Action::CreateClient, id);
    let inserted = change.stored(opened.insert(client.clone()).await)?;
    opened.close().await;
    match inserted {
        Insertion::Inserted => change.done().map(|()| client),
        Insertion::Exists => Err(change.refused(
            Reason::new(409, "client_exists"),
            Failure::failed(format!("there is a client {id} already: name another by --client")),
        )),
        Insertion::UnknownDomain => Err(change.refused(
            Reason::new(404, "unknown_domain"),
            Failure::failed(format!(
                "there is no domain {domain}: `sealstone client create --new-domain` makes it with its first client"
            )),
        )),
    }
}
