//! `sealstone key import`: a private key from elsewhere.

use std::path::PathBuf;

use clap::Args;
use sealstone_audit::{Action, Target};
use sealstone_identity::DomainId;
use sealstone_jose::Algorithm;
use sealstone_keyring::KeyState;

use super::{Rings, print, private_file, reason};
use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, OutputArguments},
    store::{StoreArguments, parse_domain},
};

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The private key: PKCS#8 in PEM or DER, or a JWK, in a file that only its owner can read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The domain whose issuer is to sign by it [default: the only one]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    /// What an RSA key signs, if that is not RS256: PS256
    #[arg(long, value_name = "ALG", value_parser = parse_algorithm)]
    alg: Option<Algorithm>,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

fn parse_algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::parse(text).map_err(|_| "one of ES256, ES384, EdDSA, RS256, PS256".to_owned())
}

pub(crate) async fn run(arguments: ImportArguments) -> Outcome {
    let key = private_file::read(&arguments.file, arguments.alg)?;
    let rings = Rings::open(&arguments.store, arguments.domain.as_ref()).await?;
    let [domain] = rings.domains.as_slice() else {
        let names = rings.domains.join(", ");
        rings.store.close().await;
        return Err(Failure::usage(format!(
            "name the domain by --domain ID: there are {names}"
        )));
    };
    let trail = arguments.store.places()?.trail()?;
    let name = key.public_jwk().thumbprint().to_string();
    let change = trail.change(Action::ImportKey, Target::Key(name.as_str().into()));
    let (ring, kid) = rings
        .change(domain, |ring| {
            Ok(ring.import(key.clone(), &rings.policy, clock::now())?)
        })
        .await
        .map_err(|failure| change.refused(reason(&failure), failure))?;
    change.done()?;
    rings.store.close().await;
    let waits = ring.find(&kid).filter(|key| key.state() == KeyState::Published);
    if let Some(key) = waits {
        let start = clock::date_and_relative(key.next_change(&rings.policy), clock::now());
        output::note(&format!(
            "{domain}: {} is published; it signs from {start}. Remove {}: whoever has it signs in this issuer's name.",
            kid.as_str(),
            arguments.file.display()
        ));
    }
    print(&[(domain.clone(), ring)], &rings.policy, arguments.output.output)
}
