//! Administration over HTTP: for administrators who have no shell on the server.

mod call;
mod credential;

use std::path::PathBuf;

use clap::Args;

use crate::{
    failure::{Failure, Outcome},
    store::{Places, StoreArguments},
};
pub(crate) use call::{Administration, Answer, unintelligible};

/// Where it is that is looked after, and who asks for it.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhereArguments {
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    credential: CredentialArguments,
}

/// In a database of this machine, or behind an issuer's address.
#[derive(Debug, Clone, Args)]
#[group(id = "place", required = true, multiple = false)]
struct PlaceArguments {
    /// The data folder of `sealstoned dev`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file of `sealstoned serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The issuer, as the server writes it: it is asked over HTTP, and its domain is the one that is meant
    #[arg(long, value_name = "ISSUER", help_heading = "Over HTTP")]
    url: Option<String>,
}

/// Who asks, over HTTP.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Over HTTP")]
pub(crate) struct CredentialArguments {
    /// CA certificates that vouch for the server, PEM [default: those of the system]
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// An access token with the scope sealstone:clients, for keys sealstone:keys (- for standard input); else the variable
    /// `SEALSTONE_ACCESS_TOKEN`
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// A certificate that the server knows as an administrator's, or that the token is bound to, PEM
    #[arg(long, value_name = "FILE", requires_all = ["url", "key"])]
    cert: Option<PathBuf>,
    /// The private key of --cert, PEM
    #[arg(long, value_name = "FILE", requires_all = ["url", "cert"])]
    key: Option<PathBuf>,
    /// A cloud of clouds.yaml whose Keystone says who you are [default: `OS_CLOUD`, else the variables OS_*]
    #[arg(long, value_name = "NAME", requires = "url", conflicts_with = "token_file")]
    cloud: Option<String>,
}

impl WhereArguments {
    /// The issuer's address; `None` for a database of this machine.
    pub(crate) fn remote(&self) -> Option<Remote<'_>> {
        self.place.url.as_deref().map(|url| Remote {
            url,
            credential: &self.credential,
        })
    }

    /// The server's data on this machine.
    pub(crate) fn places(&self) -> Outcome<Places> {
        self.store()?.places()
    }

    /// The same, as arguments that name nothing else.
    pub(crate) fn store(&self) -> Outcome<StoreArguments> {
        let store = StoreArguments::named(self.place.data.as_ref(), self.place.config.as_ref());
        store.ok_or_else(|| Failure::usage("name the server's data: --data DIR or --config FILE"))
    }
}

/// An issuer, and who asks it.
#[derive(Clone, Copy)]
pub(crate) struct Remote<'a> {
    url: &'a str,
    credential: &'a CredentialArguments,
}

impl<'a> Remote<'a> {
    /// The issuer's address, as it was given.
    pub(crate) const fn url(self) -> &'a str {
        self.url
    }

    pub(crate) async fn open(self) -> Outcome<Administration> {
        Administration::open(self.url, self.credential).await
    }
}
