//! `sealstone token`: the token of a person's login, or one by `client_credentials` (RFC 6749 §4.4), bound to a
//! certificate (RFC 8705).

mod answer;
mod forms;
mod person;
mod source;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use oauth2::{AuthType, ClientId, ClientSecret, RequestTokenError, Scope, TokenUrl, basic::BasicClient};
use sealstone_oauth_types::ServerMetadata;

use crate::login::{MannerArguments, selection::Selection};
use crate::{
    discovery,
    failure::{Failure, Outcome},
    http::{ClientIdentity, Fault, HttpClient, HttpError},
};
pub(crate) use answer::explain;
use forms::TokenForm;
use person::TokenKind;
pub(crate) use person::unless_bound;
use source::Source;

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

pub(crate) fn run(arguments: TokenArguments) -> Outcome {
    if arguments.client_secret.is_some() {
        return Err(Failure::usage(
            "--client-secret is refused: other users of this machine see command lines. Put the secret into a file \
             of your own and use --client-secret-file FILE, or into the variable SEALSTONE_CLIENT_SECRET",
        ));
    }
    if arguments.is_machines() {
        crate::command::wait_for(machine(arguments))
    } else {
        person::run(&arguments)
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

async fn machine(arguments: TokenArguments) -> Outcome {
    let source = Source::of(&arguments)?;
    let identity = match &source.pair {
        Some((certificate, key)) => Some(ClientIdentity::read(certificate, key)?),
        None => None,
    };
    let leaf = identity
        .as_ref()
        .and_then(|identity| identity.chain.first())
        .cloned();
    let client = HttpClient::new(source.ca.as_deref(), identity)?;
    let asked = async {
        let metadata = discovery::metadata(&client, &source.issuer).await?;
        ask(&client, &metadata, &source, &arguments).await
    };
    let token = asked
        .await
        .map_err(|failure| with_dev_folder(failure, arguments.login.dev.as_deref()))?;
    if let Some(leaf) = &leaf {
        answer::warn_unless_bound(&token, leaf);
    }
    answer::print(&token, arguments.format)
}

/// The server of a data folder is known, and so is how to start it.
fn with_dev_folder(failure: Failure, folder: Option<&Path>) -> Failure {
    let error = match &failure {
        Failure::Failed(error) => error.downcast_ref::<HttpError>(),
        Failure::Usage(_)
        | Failure::NotLoggedIn(_)
        | Failure::Unsound(_)
        | Failure::CannotRun(_)
        | Failure::Interrupted => None,
    };
    let (Some(HttpError::Connection { url, fault, .. }), Some(folder)) = (error, folder) else {
        return failure;
    };
    let folder = folder.display();
    match fault {
        Fault::Refused => Failure::failed(format!(
            "nothing listens at {url}: is sealstoned running? Start it with `sealstoned dev --data {folder}`"
        )),
        Fault::Untrusted => Failure::failed(format!(
            "another server than that of {folder} answers at {url}: stop it, or start `sealstoned dev --listen ADDRESS:PORT --data \
             {folder}`"
        )),
        Fault::UnknownName
        | Fault::Silent
        | Fault::OtherName
        | Fault::OutOfDate
        | Fault::BadCertificate
        | Fault::Alert
        | Fault::NoTls
        | Fault::Other => failure,
    }
}

/// The token endpoint: where certificates are asked for, if we have one (RFC 8705 §5).
fn endpoint(metadata: &ServerMetadata, source: &Source) -> Outcome<TokenUrl> {
    let alias = metadata
        .mtls_endpoint_aliases
        .as_ref()
        .and_then(|aliases| aliases.token_endpoint.as_ref());
    let alias = source.pair.as_ref().and(alias);
    let url = alias.or(metadata.token_endpoint.as_ref()).ok_or_else(|| {
        Failure::failed(format!(
            "{} names no token endpoint: it gives no tokens, use another issuer",
            source.issuer
        ))
    })?;
    TokenUrl::new(url.clone()).map_err(|_| {
        Failure::failed(format!(
            "{} names {url:?} as its token endpoint: tell its operator",
            source.issuer
        ))
    })
}

async fn ask(
    http: &HttpClient,
    metadata: &ServerMetadata,
    source: &Source,
    arguments: &TokenArguments,
) -> Outcome<oauth2::basic::BasicTokenResponse> {
    let mut client =
        BasicClient::new(ClientId::new(source.client_id.clone())).set_token_uri(endpoint(metadata, source)?);
    if let Some(secret) = &source.secret {
        client = client.set_client_secret(ClientSecret::new(secret.as_str().to_owned()));
    }
    let offered = &metadata.token_endpoint_auth_methods_supported;
    let only_post = !offered.is_empty() && offered.iter().all(|method| method != "client_secret_basic");
    let post = match source.auth_method {
        Some(method) => method == SecretMethod::Post,
        None => only_post,
    };
    client = client.set_auth_type(if post {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    });
    let scope = source.scope.as_deref().unwrap_or_default();
    let mut request = client
        .exchange_client_credentials()
        .add_scopes(scope.split_whitespace().map(|name| Scope::new(name.to_owned())));
    for resource in &arguments.resource {
        request = request.add_extra_param("resource", resource.clone());
    }
    request.request_async(http).await.map_err(|error| match error {
        RequestTokenError::ServerResponse(refusal) => Failure::failed(explain(
            refusal.error().as_ref(),
            refusal.error_description().map(String::as_str),
        )),
        RequestTokenError::Request(error) => error.into(),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Failure::failed(format!(
            "the token endpoint of {} did not answer as RFC 6749 §5 says: check the issuer's address",
            source.issuer
        )),
    })
}
