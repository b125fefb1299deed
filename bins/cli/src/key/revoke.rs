//! `sealstone key revoke`: a key out of use at once, with every token it signed.

use clap::Args;
use sealstone_audit::{Action, Target};
use sealstone_identity::DomainId;
use sealstone_jose::KeyId;

use super::{Rings, UNKNOWN_KEY, confirm, print, reason};
use crate::{
    audit::Trail,
    clock,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    remote::WhereArguments,
    store::parse_domain,
};

#[derive(Debug, Args)]
pub(crate) struct RevokeArguments {
    /// The key's identifier, as `sealstone key list` shows it
    // One identifier in sixty-four begins with a hyphen: it is base64url.
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    pub(super) kid: String,
    /// Only in this domain [default: wherever it is]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    pub(super) domain: Option<DomainId>,
    /// Let the key that takes over be sealed in the database, where the PKCS#11 token cannot make one
    #[arg(long)]
    pub(super) software_key: bool,
    #[command(flatten)]
    pub(super) administrator: confirm::AdministratorArguments,
    #[command(flatten)]
    pub(super) place: WhereArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

pub(super) fn key_id(text: &str) -> Outcome<KeyId> {
    KeyId::parse(text)
        .map_err(|_| Failure::usage("this is no key identifier: `sealstone key list` shows them"))
}

pub(crate) async fn run(arguments: RevokeArguments) -> Outcome {
    let kid = key_id(&arguments.kid)?;
    let store = arguments.place.store()?;
    let places = store.places()?;
    let administrators = places.custody().administrators()?;
    let mut rings = Rings::open(&store, arguments.domain.as_ref()).await?;
    let trail = places.trail()?;
    let mut found = None;
    for domain in &rings.domains {
        if rings.load(domain).await?.find(&kid).is_some() {
            found = Some(domain.clone());
            break;
        }
    }
    let change = trail.change(Action::RevokeKey, Target::Key(kid.as_str().into()));
    let domain = found.ok_or_else(|| {
        change.refused(
            UNKNOWN_KEY,
            Failure::failed(format!(
                "no ring has the key {}: `sealstone key list` shows them",
                kid.as_str()
            )),
        )
    })?;
    let form = arguments.output.output;
    if let Some(administrators) = administrators {
        let who = &arguments.administrator;
        let key = (domain.as_str(), &kid);
        let asked = confirm::request(&rings, &administrators, who, key, &store, form).await;
        rings.store.close().await;
        return asked;
    }
    if !arguments.software_key {
        rings.policy = places.custody().homed(rings.policy)?;
    }
    carry_out(&rings, &domain, &kid, &trail, form).await
}

/// What became of it.
pub(super) fn tell(domain: &str, kid: &str, fresh: Option<&str>) {
    output::note(&format!(
        "{domain}: {kid} is revoked. Verifiers refuse its tokens when they next fetch the key set or the revocation list."
    ));
    if let Some(fresh) = fresh {
        output::note(&format!("{domain}: {fresh} signs now."));
    }
}

/// Revokes the key.
pub(super) async fn carry_out(
    rings: &Rings,
    domain: &str,
    kid: &KeyId,
    trail: &Trail,
    form: Form,
) -> Outcome {
    let change = trail.change(Action::RevokeKey, Target::Key(kid.as_str().into()));
    let (ring, fresh) = rings
        .change(domain, |ring| {
            Ok(ring.revoke(kid, &rings.policy, clock::now())?)
        })
        .await
        .map_err(|failure| change.refused(reason(&failure), failure))?;
    change.done()?;
    rings.store.close().await;
    tell(domain, kid.as_str(), fresh.as_ref().map(KeyId::as_str));
    print(&[(domain.to_owned(), ring)], &rings.policy, form)
}
