//! `sealstone jwt verify`: signature, type, issuer, audience, times and binding, each with its reason.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use sealstone_jose::{Algorithm, JwkSet, VerifierSet};
use sealstone_mtls::CertificateThumbprint;
use sealstone_oauth_types::{ClientEnd, ClientId, EndedClientId, Issuer, RevocationDocument};
use sealstone_tokens::{AccessTokenVerifier, Possession, Revocations, VerifyError};
use serde_json::json;

use super::{parts, read, text};
use crate::{
    cert, clock, discovery,
    failure::{Failure, Outcome},
    http::HttpClient,
    input,
    output::{self, Form, OutputArguments},
};

const EXAMPLES: &str = "\
Examples:
  As the resource server that the token is for would, with the certificate of the connection:
    sealstone jwt verify --issuer https://id.example.org/v4/oauth2/demo \\
      --audience https://builds.example.org --cert ci.pem TOKEN

  Without a network:
    sealstone jwt verify --jwks jwks.json --audience https://builds.example.org TOKEN";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArguments {
    /// The token; - or nothing reads it from standard input
    #[arg(value_name = "TOKEN", default_value = "-")]
    token: String,
    /// Who must have issued it; its keys and its revocation list are fetched, unless --jwks gives keys
    #[arg(long, value_name = "URL", required_unless_present = "jwks")]
    issuer: Option<String>,
    /// The issuer's keys: a JWK set, in a file or at an https address
    #[arg(long, value_name = "FILE|URL")]
    jwks: Option<String>,
    /// For whom it must be meant; one of several may be given
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// The certificate it must be bound to
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// An algorithm to accept; may be given several times [default: ES256, ES384, EdDSA, PS256, RS256]
    #[arg(long, value_name = "ALG", value_parser = parse_algorithm)]
    alg: Vec<Algorithm>,
    /// The CA of the server's certificate, PEM [default: the system's CAs]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

fn parse_algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::parse(text).map_err(|_| "take one of ES256, ES384, EdDSA, PS256, RS256".to_owned())
}

/// What the issuer has revoked, as far as we know.
#[derive(Default)]
struct Revoked(Option<RevocationDocument>);

impl Revocations for Revoked {
    fn is_token_revoked(&self, token_id: &str) -> bool {
        self.0
            .iter()
            .flat_map(|document| &document.revoked_tokens)
            .any(|token| token.jti.as_str() == token_id)
    }

    fn is_key_revoked(&self, key_id: &str) -> bool {
        self.0
            .iter()
            .flat_map(|document| &document.revoked_keys)
            .any(|key| key == key_id)
    }

    fn client_end(&self, client_id: &ClientId) -> Option<ClientEnd> {
        let named = self.0.iter().flat_map(|document| &document.ended_clients);
        let ends = named.filter(|ended| ended.client_id == *client_id);
        ends.map(EndedClientId::end).reduce(ClientEnd::with)
    }
}

pub(super) async fn run(arguments: VerifyArguments) -> Outcome {
    let token = read(&arguments.token)?;
    let [_, claims] = parts(&token)?;
    let issuer = match &arguments.issuer {
        Some(issuer) => discovery::issuer(issuer)?,
        None => {
            output::note(
                "note: --issuer is not given, so whoever has a key of this set may have issued the token",
            );
            let named = claims
                .get("iss")
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            Issuer::parse(named).map_err(|_| refused("its `iss` is no issuer (RFC 8414 §2)"))?
        }
    };
    let (keys, revoked) = fetch(&arguments, &issuer).await?;
    let every = [
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
        Algorithm::Ps256,
        Algorithm::Rs256,
    ];
    let algorithms = if arguments.alg.is_empty() {
        every.to_vec()
    } else {
        arguments.alg
    };
    let keys = VerifierSet::new(&keys, &algorithms)
        .context("the key set cannot be used: check where it comes from")?;
    let verifier = if arguments.audience.is_empty() {
        output::note("note: --audience is not given, so the token may be meant for somebody else");
        AccessTokenVerifier::dangerous_for_any_audience(issuer)
    } else {
        AccessTokenVerifier::new(issuer, arguments.audience)
    };
    let thumbprint = match &arguments.cert {
        Some(path) => Some(CertificateThumbprint::of_der(cert::read_for_binding(path)?.der())),
        None => None,
    };
    let possession = match &thumbprint {
        Some(thumbprint) => Possession::Proved(Some(thumbprint)),
        None => Possession::LeftToCaller,
    };
    let verified = verifier
        .verify(&token, &keys, possession, &revoked, clock::now())
        .map_err(|error| explain(&error))?;
    if thumbprint.is_none() && verified.confirmation.is_some() {
        output::note("note: the token is bound to a certificate; give --cert FILE to check to which");
    }
    output::note("VERIFIED");
    match arguments.output.output {
        Form::Json => output::json(&json!({"verified": true, "claims": claims})),
        Form::Table => {
            let pairs: Vec<(&str, String)> = claims
                .iter()
                .map(|(name, value)| (name.as_str(), text(name, value)))
                .collect();
            output::pairs(&pairs)
        }
    }
}

async fn fetch(arguments: &VerifyArguments, issuer: &Issuer) -> Outcome<(JwkSet, Revoked)> {
    match &arguments.jwks {
        Some(place) if place.starts_with("https://") => {
            let http = HttpClient::new(arguments.ca.as_deref())?;
            Ok((discovery::jwks(&http, place).await?, Revoked::default()))
        }
        Some(place) => {
            let document = input::bytes(Path::new(place))?;
            let keys = JwkSet::parse(&document)
                .with_context(|| format!("{place} holds no key set: give a JWK set (RFC 7517 §5)"))?;
            Ok((keys, Revoked::default()))
        }
        None => {
            let http = HttpClient::new(arguments.ca.as_deref())?;
            let metadata = discovery::metadata(&http, issuer).await?;
            let url = metadata
                .jwks_uri
                .ok_or_else(|| Failure::failed(format!("{issuer} names no key set: give it by --jwks")))?;
            let keys = discovery::jwks(&http, &url).await?;
            Ok((keys, Revoked(discovery::revocations(&http, &url, issuer).await?)))
        }
    }
}

fn refused(reason: &str) -> Failure {
    Failure::failed(format!("the token is refused: {reason}"))
}

/// The reason and what to do.
fn explain(error: &VerifyError) -> Failure {
    let advice = match error {
        VerifyError::UnknownKey => "fetch the key set anew, and check that the token is of this issuer",
        VerifyError::Jose(_) => "check that the whole token was given, and that --alg allows its algorithm",
        VerifyError::Expired => "get a new one",
        VerifyError::NotYetValid => "check the clocks of this machine and of the issuer",
        VerifyError::Issuer => "give --issuer exactly as the token has it, if you trust it",
        VerifyError::Audience => "ask for the token with the resource that it is meant for",
        VerifyError::Unbound => "register the client with tls_client_certificate_bound_access_tokens",
        VerifyError::Binding(_) => "give the certificate with which the token was obtained",
        VerifyError::KeyRevoked | VerifyError::Revoked => "get a new one, and find out why it was revoked",
        VerifyError::Type | VerifyError::Claims | _ => "it is no access token of RFC 9068",
    };
    let text = error.to_string();
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .filter(|cause| *cause != text);
    let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    refused(&format!("{text}{cause}. What to do: {advice}"))
}
