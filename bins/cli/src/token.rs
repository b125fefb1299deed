//! `sealstone token`: the token of a person's login, or one by `client_credentials` (RFC 6749 §4.4), bound to a
//! certificate (RFC 8705).

mod answer;
mod forms;
mod machine;
mod person;
mod source;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::{Failure, Outcome};
use crate::login::{MannerArguments, selection::Selection};
pub(crate) use answer::explain;
use forms::TokenForm;
use person::TokenKind;
pub(crate) use person::unless_bound;

const EXAMPLES: &str = "\
Examples:
  Of the login of `sealstone login --cloud prod`:
    curl -H \"X-Auth-Token: $(sealstone token --cloud prod)\" ...

  For kubectl, as exec credential plugin of a kubeconfig:
    sealstone token --issuer https://id.example.org/v4/oauth2/demo --client-id kubectl \\
      --kind id --format exec-credential

  A token that only the holder of the certificate's key can use:
    sealstone token --issuer https://id.example.org/v4/oauth2/demo --client-id ci \\
      --cert ci.pem --key ci.key --scope openstack:api

  In a header:
    curl -H \"$(sealstone token --dev sealstone-dev --client machine --format header)\" ...

  With a secret:
    SEALSTONE_CLIENT_SECRET=... sealstone token --issuer https://id.example.org/v4/oauth2/demo \\
      --client-id exporter --scope metrics:read";

/// How the client proves who it is, when it has a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SecretMethod {
    /// In the Authorization header
    #[value(name = "client_secret_basic")]
    Basic,
    /// In the form
    #[value(name = "client_secret_post")]
    Post,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenArguments {
    #[command(flatten)]
    login: Selection,
    #[command(flatten)]
    manner: MannerArguments,
    /// Which token of a person's login [default: keystone where the login has one, else access]
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<TokenKind>,
    /// Passes over what is kept, as after a 401: refreshes, or logs in anew
    #[arg(long)]
    renew: bool,
    /// Print a token that is bound to a key of this machine, and with exec-credential that key
    #[arg(long)]
    dangerous_print_bound: bool,
    /// A machine's client of dev.json
    #[arg(long, value_name = "NAME", requires = "dev", help_heading = "Machines")]
    client: Option<String>,
    /// The client's certificate, PEM, with the CA certificates between it and the root
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Machines")]
    cert: Option<PathBuf>,
    /// The private key of --cert, PEM
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Machines")]
    key: Option<PathBuf>,
    /// The client's secret, in a file (- for standard input); else the variable `SEALSTONE_CLIENT_SECRET`
    #[arg(long, value_name = "FILE", help_heading = "Machines")]
    client_secret_file: Option<PathBuf>,
    /// Refused: other users see it
    #[arg(long, value_name = "SECRET", hide = true)]
    client_secret: Option<String>,
    /// How a secret is sent [default: as the server offers, `client_secret_basic` first]
    #[arg(long, value_enum, value_name = "METHOD", help_heading = "Machines")]
    auth_method: Option<SecretMethod>,
    /// What the token is for (RFC 8707); may be given several times
    #[arg(long, value_name = "URI", help_heading = "Machines")]
    resource: Vec<String>,
    /// How the token is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    format: TokenForm,
}

pub(crate) fn run(arguments: &TokenArguments) -> Outcome {
    if arguments.client_secret.is_some() {
        return Err(Failure::usage(
            "--client-secret is refused: other users of this machine see command lines. Put the secret into a file \
             of your own and use --client-secret-file FILE, or into the variable SEALSTONE_CLIENT_SECRET",
        ));
    }
    if arguments.is_machines() {
        crate::command::wait_for(machine::run(arguments))
    } else {
        person::run(arguments)
    }
}

impl TokenArguments {
    /// Whether a client proves itself, and no person logs in.
    fn is_machines(&self) -> bool {
        let secret = || {
            self.login.issuer.is_some()
                && std::env::var_os("SEALSTONE_CLIENT_SECRET").is_some_and(|text| !text.is_empty())
        };
        self.cert.is_some() || self.client_secret_file.is_some() || self.client.is_some() || secret()
    }
}
