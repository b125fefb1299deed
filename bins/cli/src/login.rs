//! `sealstone login`: a person logs in, by a browser or by a code, and the commands after it are silent.

pub(crate) mod binding;
mod choose;
mod drive;
mod faults;
mod opener;
pub(crate) mod place;
mod progress;
pub(crate) mod selection;
pub(crate) mod session;
pub(crate) mod shell;
pub(crate) mod target;
mod way;
mod write;

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use clap::Args;
use sealstone_client::Origin;

pub(crate) use drive::Manner;
use selection::Selection;
use session::Session;
use target::{Target, Through};
use way::{Way, WhyDevice};

use crate::{
    clock,
    failure::Outcome,
    output::{self, Form, OutputArguments},
};

const EXAMPLES: &str = "\
Examples:
  To a cloud of clouds.yaml, and then plain openstack:
    sealstone login --cloud prod
    eval \"$(sealstone env --cloud prod)\"
    openstack server list

  To any OpenID provider:
    sealstone login --issuer https://id.example.org/v4/oauth2/demo --client-id cli

  For the first time, noted in clouds.yaml for later:
    sealstone login --cloud prod --write --issuer https://id.example.org/v4/oauth2/demo \\
      --client-id cli --auth-url https://keystone.example.org:5000/v3 \\
      --identity-provider sealstone --protocol openid

A browser is opened where there is one. Over SSH, without a display, in a container and in CI a code is
shown instead, to be entered on any device; --browser, --device and --no-open decide otherwise.";

/// How somebody logs in, for every command that may have to.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct MannerArguments {
    /// Log in by a browser on this machine, wherever this runs
    #[arg(long, conflicts_with = "device", help_heading = "How to log in")]
    browser: bool,
    /// Log in by a code that is entered on any device
    #[arg(long, conflicts_with = "no_open", help_heading = "How to log in")]
    device: bool,
    /// Show the address, and open no browser
    #[arg(long, help_heading = "How to log in")]
    no_open: bool,
    /// The port that the browser comes back to, where the server knows one only [default: any]
    #[arg(long, value_name = "PORT", help_heading = "How to log in")]
    port: Option<u16>,
    /// How long a login may take
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = clock::parse_span, help_heading = "How to log in")]
    timeout: Duration,
}

impl MannerArguments {
    /// `always`: the command is a login. Else somebody must be there: a terminal, or an option that says how.
    pub(crate) fn manner(self, always: bool) -> Manner {
        let way = if self.device {
            Some(Way::Device(WhyDevice::Asked))
        } else if self.no_open {
            Some(Way::BrowserByHand)
        } else {
            self.browser.then_some(Way::Browser)
        };
        Manner {
            way,
            port: self.port,
            limit: self.timeout,
            may_log_in: always || way.is_some() || io::stderr().is_terminal(),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LoginArguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    manner: MannerArguments,
    /// Note what these options say in clouds.yaml, for --cloud; comments and everything else stay
    #[arg(long, requires = "cloud")]
    write: bool,
    /// Log in anew, whatever is kept
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: LoginArguments) -> Outcome {
    let target = arguments.selection.target(arguments.write)?;
    if arguments.write {
        write::note(&arguments.selection, &target)?;
    }
    if arguments.again {
        crate::logout::forget(&target).await?;
    }
    let session = Session::new(target, arguments.manner.manner(true))?;
    log_in(&session, arguments.output.output).await
}

async fn log_in(session: &Session, form: Form) -> Outcome {
    let target = session.target();
    let shown = match &target.through {
        Through::OAuth(login) => {
            let access = session.access().await?;
            if access.origin == Origin::Cache {
                output::note("You are logged in already; --again logs in anew.");
            }
            let tokens = access.value;
            let mut shown = crate::whoami::access(&tokens, &login.issuer);
            if login.federation.is_some() {
                let token = session.keystone().await?.value;
                shown.extend(crate::whoami::keystone(&token, target));
            }
            shown
        }
        Through::WebSso(_) | Through::Direct(_) => {
            crate::whoami::keystone(&session.keystone().await?.value, target)
        }
    };
    kept_where(session);
    crate::whoami::show(&shown, form)?;
    next(target);
    Ok(())
}

fn kept_where(session: &Session) {
    match session.cache() {
        Some(cache) if cache.is_sealed() => output::note(&format!(
            "Kept in {}, encrypted by a key in this system's keyring.",
            cache.path().display()
        )),
        Some(cache) => output::note(&format!("Kept in {}, for you alone.", cache.path().display())),
        None => output::note("Nothing is kept (--no-cache): the next command logs in again."),
    }
}

/// What one does with it.
fn next(target: &Target) {
    if target.auth_url().is_some() {
        let options = target.options();
        output::note(&format!(
            "Next: sealstone exec{options} -- openstack token issue, or: eval \"$(sealstone env{options})\""
        ));
    }
}
