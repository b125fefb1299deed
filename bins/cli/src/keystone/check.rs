//! `sealstone keystone check`.

mod account;
mod clients;
mod endpoint;
mod mint;
mod report;

use clap::Args;
use sealstone_keystone::{KeystoneClient, KeystoneSession};

use crate::{
    failure::{Failure, Outcome},
    openstack::{self, Environment, Operator, Place, ServerLogins},
    output::OutputArguments,
    store::{Places, StoreArguments},
};
use account::Account;
use mint::Minting;
use report::Report;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sealstone keystone check --config sealstoned.toml\n  \
    sealstone keystone check --config sealstoned.toml --endpoint https://node2.example:5000/v3\n\n\
    Exit status 1 if something is wrong. With OS_* variables of an administrator, more can be looked at."
)]
pub(crate) struct CheckArguments {
    /// Another node or address of the same Keystone that must take our tokens; may be given several times
    #[arg(long, value_name = "URL")]
    endpoint: Vec<String>,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Who asks the things that not everybody may ask.
struct Reader {
    session: KeystoneSession,
    /// What to do when this one may not.
    otherwise: &'static str,
}

pub(super) async fn run(arguments: CheckArguments) -> Outcome {
    let places = arguments.store.places()?;
    let mut report = Report::default();
    look(&arguments.endpoint, &places, &mut report).await?;
    report.print(arguments.output.output)?;
    match report.wrong() {
        0 => Ok(()),
        1 => Err(Failure::failed(
            "1 thing is wrong: the line that begins with `wrong` says what to do",
        )),
        several => Err(Failure::failed(format!(
            "{several} things are wrong: the lines that begin with `wrong` say what to do"
        ))),
    }
}

/// One thing that was found, for those who tell it otherwise.
pub(crate) struct Told {
    pub(crate) check: &'static str,
    pub(crate) subject: Option<String>,
    pub(crate) found: String,
    pub(crate) advice: &'static str,
    /// It works, and should be otherwise.
    pub(crate) is_weak: bool,
    /// It could not be looked at.
    pub(crate) is_unknown: bool,
}

/// The same look, without a word: everything that is not right.
pub(crate) async fn look_at(places: &Places) -> Outcome<Vec<Told>> {
    let mut report = Report::default();
    look(&[], places, &mut report).await?;
    Ok(report.told())
}

async fn look(others: &[String], places: &Places, report: &mut Report) -> Outcome {
    let Some(keystone) = endpoint::configured(places.keystone(), report) else {
        return Ok(());
    };
    let reachable = endpoint::look(&keystone, report).await;
    let logins = places.keystone_logins();
    let account = if reachable {
        account::look(&keystone, logins, report).await?
    } else {
        None
    };
    let minting = mint::read(logins, report);
    let mut nodes = vec![(keystone.clone(), reachable)];
    for url in others {
        match openstack::keystone(&at(places.keystone(), url), &Environment::default()) {
            Ok(node) => {
                let reachable = endpoint::look(&node, report).await;
                nodes.push((node, reachable));
            }
            Err(failure) => report.wrong_in("address", url, failure.to_string(), "correct --endpoint"),
        }
    }
    endpoint::provider(account.as_ref(), logins, report);
    match (&minting, &account) {
        (Some(minting), Some(account)) => {
            for (node, _) in nodes.iter().filter(|(_, reachable)| *reachable) {
                minting.tried_at(node, account, report).await?;
            }
        }
        (Some(_), None) => {
            let found = "not tried: there is nobody to make a token for";
            report.unknown("minted token", found, "correct [keystone.service]");
        }
        (None, _) => {}
    }
    if reachable {
        let reader = reader(&keystone, logins, report).await?;
        clients::look(&keystone, reader.as_ref(), minting.as_ref(), places, report).await?;
    }
    Ok(())
}

/// The same Keystone at another address.
fn at(place: &Place, url: &str) -> Place {
    Place {
        url: Some(url.to_owned()),
        ..place.clone()
    }
}

/// Whoever is in the environment, or else the server's own account.
async fn reader(
    keystone: &KeystoneClient,
    logins: &ServerLogins,
    report: &mut Report,
) -> Outcome<Option<Reader>> {
    let environment = Environment::read();
    if environment.names_somebody() {
        match Operator::log_in(keystone.clone(), environment).await {
            Ok(operator) => {
                return Ok(Some(Reader {
                    session: operator.session(),
                    otherwise: "log in as an administrator of the whole cloud",
                }));
            }
            Err(failure) => report.unknown("operator", failure.to_string(), "check the OS_* variables"),
        }
    }
    let Some(login) = account::login(logins)? else {
        return Ok(None);
    };
    Ok(Some(Reader {
        session: KeystoneSession::login(keystone.clone(), login),
        otherwise: "run this again with the OS_* variables of an administrator",
    }))
}

impl Minting {
    async fn tried_at(&self, node: &KeystoneClient, account: &Account, report: &mut Report) -> Outcome {
        let (token, subject) = self.token_of(account)?;
        mint::judge(node, node.validate(&token, &token).await, &subject, report);
        Ok(())
    }
}
