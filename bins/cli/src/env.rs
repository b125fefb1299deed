//! `sealstone env` and `sealstone exec`: a login for programs that know nothing of it.

use std::{ffi::OsString, process::Command};

use clap::Args;
use sealstone_client::{KeystoneScope, KeystoneToken};
use zeroize::Zeroizing;

use crate::{
    failure::{Failure, Outcome},
    login::{
        MannerArguments,
        selection::Selection,
        session::{self, Session},
        shell::Shell,
        target::{Target, Through},
    },
    output,
};

const ENV_EXAMPLES: &str = "\
Examples:
  eval \"$(sealstone env --cloud prod)\"
  sealstone env --cloud prod --shell fish | source
  sealstone env --cloud prod --shell powershell | Invoke-Expression
  eval \"$(sealstone env --unset)\"

Programs that read OS_* find a token in place of a password: python-openstackclient, openstacksdk,
Terraform's provider, gophercloud. It ends when the token does; run it again then.";

const EXEC_EXAMPLES: &str = "\
Examples:
  sealstone exec --cloud prod -- openstack server list
  sealstone exec --cloud prod -- terraform apply

The token is in that program's environment alone, on no command line and in no file. The exit status is
that program's.";

/// Whatever OpenStack's clients read, so that nothing of another login stays.
const ALL: [&str; 34] = [
    "OS_CLOUD",
    "OS_AUTH_TYPE",
    "OS_AUTH_URL",
    "OS_IDENTITY_API_VERSION",
    "OS_TOKEN",
    "OS_AUTH_TOKEN",
    "OS_ENDPOINT",
    "OS_URL",
    "OS_USERNAME",
    "OS_USER_ID",
    "OS_PASSWORD",
    "OS_PASSCODE",
    "OS_USER_DOMAIN_ID",
    "OS_USER_DOMAIN_NAME",
    "OS_PROJECT_ID",
    "OS_PROJECT_NAME",
    "OS_PROJECT_DOMAIN_ID",
    "OS_PROJECT_DOMAIN_NAME",
    "OS_DEFAULT_DOMAIN",
    "OS_DEFAULT_DOMAIN_ID",
    "OS_DEFAULT_DOMAIN_NAME",
    "OS_TENANT_ID",
    "OS_TENANT_NAME",
    "OS_DOMAIN_ID",
    "OS_DOMAIN_NAME",
    "OS_SYSTEM_SCOPE",
    "OS_TRUST_ID",
    "OS_APPLICATION_CREDENTIAL_ID",
    "OS_APPLICATION_CREDENTIAL_NAME",
    "OS_APPLICATION_CREDENTIAL_SECRET",
    "OS_REGION_NAME",
    "OS_INTERFACE",
    "OS_CACERT",
    "SEALSTONE_ACCESS_TOKEN",
];

#[derive(Debug, Args)]
#[command(after_help = ENV_EXAMPLES)]
pub(crate) struct EnvArguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    manner: MannerArguments,
    /// For which shell
    #[arg(long, value_enum, default_value_t, value_name = "SHELL")]
    shell: Shell,
    /// Take every such variable away
    #[arg(long)]
    unset: bool,
}

#[derive(Debug, Args)]
#[command(after_help = EXEC_EXAMPLES)]
pub(crate) struct ExecArguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    manner: MannerArguments,
    /// The program and its arguments, behind --
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

type Variables = Vec<(&'static str, Zeroizing<String>)>;

pub(crate) fn env(arguments: &EnvArguments) -> Outcome {
    let shell = arguments.shell;
    let mut text = Zeroizing::new(String::new());
    if arguments.unset {
        for name in ALL {
            text.push_str(&shell.line(name, None));
        }
        return output::data(&text);
    }
    let variables = variables(&arguments.selection, arguments.manner)?;
    for name in ALL {
        let value = variables.iter().find(|(known, _)| *known == name);
        let value = value.map(|(_, value)| value.as_str());
        let is_set = value.is_some() || std::env::var_os(name).is_some();
        // What is not there needs no line.
        if is_set {
            text.push_str(&shell.line(name, value));
        }
    }
    output::data(&text)
}

pub(crate) fn exec(arguments: &ExecArguments) -> Outcome {
    let variables = variables(&arguments.selection, arguments.manner)?;
    let Some((program, rest)) = arguments.command.split_first() else {
        return Err(Failure::usage("give a program behind --"));
    };
    let mut command = Command::new(program);
    command.args(rest);
    for name in ALL {
        command.env_remove(name);
    }
    for (name, value) in &variables {
        command.env(name, value.as_str());
    }
    replaced(command, &program.to_string_lossy())
}

/// This process becomes that program: its exit status, its signals and its terminal are its own.
#[cfg(unix)]
fn replaced(mut command: Command, program: &str) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(Failure::cannot_run(format!(
        "{program} cannot be run ({error}): check its name and PATH"
    )))
}

/// Where a process cannot become another, this one waits, and ends as that did.
#[cfg(not(unix))]
#[expect(
    clippy::exit,
    reason = "any status of the program's is passed on, also one above 255"
)]
fn replaced(mut command: Command, program: &str) -> Outcome {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => Err(Failure::cannot_run(format!(
            "{program} cannot be run ({error}): check its name and PATH"
        ))),
    }
}

fn variables(selection: &Selection, manner: MannerArguments) -> Outcome<Variables> {
    let target = selection.target(false)?;
    if target.auth_url().is_none() {
        return access(target, manner);
    }
    let token = match session::cached_keystone(&target)? {
        Some(token) => return Ok(keystone(&token, &target)),
        None => Session::new(target, manner.manner(false))?,
    };
    let current = crate::command::wait_for(token.keystone())?;
    Ok(keystone(&current.value, token.target()))
}

/// Where no Keystone is, there is an access token, for whoever reads it.
fn access(target: Target, manner: MannerArguments) -> Outcome<Variables> {
    if !matches!(target.through, Through::OAuth(_)) {
        return Err(Failure::usage("this login has no token for a program"));
    }
    let tokens = match session::cached_access(&target)? {
        Some(tokens) => tokens,
        None => {
            let session = Session::new(target, manner.manner(false))?;
            crate::command::wait_for(session.access())?.value
        }
    };
    crate::token::unless_bound(&tokens)?;
    let token = Zeroizing::new(tokens.access_token().expose().to_owned());
    Ok(vec![("SEALSTONE_ACCESS_TOKEN", token)])
}

/// As keystoneauth's `v3token` and gophercloud read them. The token is scoped already: it is good where it is good.
fn keystone(token: &KeystoneToken, target: &Target) -> Variables {
    let value = |text: &str| Zeroizing::new(text.to_owned());
    let mut variables = vec![
        ("OS_AUTH_TYPE", value("v3token")),
        ("OS_IDENTITY_API_VERSION", value("3")),
        (
            "OS_AUTH_URL",
            value(&with_version(target.auth_url().unwrap_or_default())),
        ),
        ("OS_TOKEN", value(token.token().expose())),
    ];
    match token.scope() {
        Some(KeystoneScope::Project { id, .. }) => variables.push(("OS_PROJECT_ID", value(id))),
        Some(KeystoneScope::Domain { id, .. }) => variables.push(("OS_DOMAIN_ID", value(id))),
        Some(KeystoneScope::System) => variables.push(("OS_SYSTEM_SCOPE", value("all"))),
        None => {}
    }
    for (name, setting) in [("OS_REGION_NAME", "region_name"), ("OS_INTERFACE", "interface")] {
        if let Some(text) = target.cloud.setting(setting) {
            variables.push((name, value(text)));
        }
    }
    if let Some(ca) = &target.ca {
        let ca = std::path::absolute(ca).unwrap_or_else(|_| ca.clone());
        variables.push(("OS_CACERT", value(&ca.to_string_lossy())));
    }
    variables
}

fn with_version(auth_url: &str) -> String {
    let trimmed = auth_url.trim_end_matches('/');
    if trimmed.ends_with("/v3") {
        trimmed.to_owned()
    } else {
        format!("{trimmed}/v3")
    }
}
