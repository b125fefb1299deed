//! `sealstone key export`: a key's public half, or, for who insists, the private key.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealstone_audit::{Action, Reason, Target};
use sealstone_ca::files::{self, Access};
use sealstone_identity::DomainId;
use sealstone_jose::{KeyId, PrivateKey};
use zeroize::Zeroizing;

use super::{Rings, UNKNOWN_KEY};
use crate::{
    failure::{Failure, Outcome},
    output,
    store::{StoreArguments, parse_domain},
};

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The key's identifier, as `sealstone key list` shows it
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: String,
    /// The private key, unencrypted: whoever reads the file signs in the issuer's name until the key is revoked
    #[arg(long, requires = "out")]
    dangerous_private_key: bool,
    /// Where the private key is written: a new file, mode 0600
    #[arg(long, value_name = "FILE", requires = "dangerous_private_key")]
    out: Option<PathBuf>,
    /// The form of the private key
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    form: PrivateForm,
    /// Only in this domain [default: wherever it is]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    store: StoreArguments,
}

/// How a private key is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum PrivateForm {
    /// PKCS#8 in PEM
    #[default]
    Pem,
    /// PKCS#8 in DER
    Der,
    /// A private JWK
    Jwk,
}

pub(crate) async fn run(arguments: ExportArguments) -> Outcome {
    let kid = KeyId::parse(&arguments.kid)
        .map_err(|_| Failure::usage("this is no key identifier: `sealstone key list` shows them"))?;
    let rings = Rings::open(&arguments.store, arguments.domain.as_ref()).await?;
    let mut found = None;
    for domain in &rings.domains {
        found = found.or(rings.load(domain).await?.find(&kid).cloned());
    }
    rings.store.close().await;
    let unknown = || {
        Failure::failed(format!(
            "no ring has the key {}: `sealstone key list` shows them",
            kid.as_str()
        ))
    };
    let Some(out) = arguments
        .out
        .as_deref()
        .filter(|_| arguments.dangerous_private_key)
    else {
        return output::line(&found.ok_or_else(unknown)?.public().to_json());
    };
    let trail = arguments.store.places()?.trail()?;
    let change = trail.change(Action::ExportKey, Target::Key(kid.as_str().into()));
    let key = found.ok_or_else(|| change.refused(UNKNOWN_KEY, unknown()))?;
    let Some(private) = key.dangerous_private_key() else {
        let why = match key.held_as() {
            Some(held) => format!(
                "it is in the PKCS#11 token as {}, and cannot be taken out",
                held.as_str()
            ),
            None => format!("it is {}: a key that stopped signing is erased", key.state()),
        };
        let failure = Failure::failed(format!("{} has no private key here: {why}", kid.as_str()));
        return Err(change.refused(Reason::new(409, "no_private_key"), failure));
    };
    let text = written(private, arguments.form)?;
    // Before the file is there: what can't be recorded is not given out.
    change.done()?;
    files::write_new(out, &text, Access::Private)?;
    output::note(&format!(
        "{} has the private key of {}. Remove it when it is where it belongs; if it was seen, revoke the key.",
        out.display(),
        kid.as_str()
    ));
    Ok(())
}

fn written(key: &PrivateKey, form: PrivateForm) -> Outcome<Zeroizing<Vec<u8>>> {
    Ok(match form {
        PrivateForm::Der => key.to_pkcs8_der(),
        PrivateForm::Pem => Zeroizing::new(key.to_pkcs8_pem()?.as_bytes().to_vec()),
        PrivateForm::Jwk => Zeroizing::new(key.to_private_jwk()?.as_bytes().to_vec()),
    })
}
