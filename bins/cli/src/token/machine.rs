//! A token for a machine: the grant `client_credentials` (RFC 6749 §4.4), over mutual TLS or with a secret.

use std::path::Path;

use http::StatusCode;
use sealstone_client::{
    CallError, CallFault, CertificateError, CertificatePair, ClientContext, ClientCredentialsRequest,
    ClientIdentity, DiscoveryError, Provider, RelyingParty, SecretMethod, TokenError,
};
use sealstone_oauth_types::{Issuer, Secret};

use super::{SecretMethod as Asked, TokenArguments, answer, explain, source::Source};
use crate::{
    failure::{Failure, Outcome},
    http::{self as own_http, Fault, HttpError},
    input,
};

pub(super) async fn run(arguments: &TokenArguments) -> Outcome {
    let source = Source::of(arguments)?;
    let identity = identity(&source)?;
    let context = ClientContext::of_this_machine(own_http::authorities(source.ca.as_deref())?);
    let mut request = ClientCredentialsRequest::new();
    if let Some(scope) = &source.scope {
        request = request.with_scope(scope);
    }
    for resource in &arguments.resource {
        request = request.with_resource(resource);
    }
    let issuer = &source.issuer;
    let asked = async {
        let provider = Provider::discover(&context, issuer.as_str())
            .await
            .map_err(undiscovered)?;
        let party = RelyingParty::new(&provider, identity.clone()).map_err(|error| refused(issuer, error))?;
        let tokens = party.client_credentials(&request).await;
        tokens.map_err(|error| refused(issuer, error))
    };
    let tokens = asked
        .await
        .map_err(|failure| with_dev_folder(failure, arguments.login.dev.as_deref()))?;
    if let Some(pair) = identity.certificate() {
        answer::warn_unless_bound(&tokens, pair);
    }
    answer::print(&tokens, arguments.format)
}

/// Who asks: by the certificate, by the secret, or by the secret with a certificate that tokens are bound to.
fn identity(source: &Source) -> Outcome<ClientIdentity> {
    let pair = source.pair.as_ref();
    let pair = pair
        .map(|(certificate, key)| read(certificate, key))
        .transpose()?;
    let method = match source.auth_method {
        Some(Asked::Basic) => SecretMethod::Basic,
        Some(Asked::Post) => SecretMethod::Post,
        None => SecretMethod::Offered,
    };
    let secret = source.secret.as_ref();
    let with_secret = secret.map(|secret| {
        ClientIdentity::with_secret(
            &source.client_id,
            Secret::from(secret.as_str().to_owned()),
            method,
        )
    });
    match (with_secret, pair) {
        (Some(identity), Some(pair)) => Ok(identity.bound_to(pair)),
        (Some(identity), None) => Ok(identity),
        (None, Some(pair)) => Ok(ClientIdentity::with_certificate(&source.client_id, pair)),
        (None, None) => Ok(ClientIdentity::public(&source.client_id)),
    }
}

fn read(certificate: &Path, key: &Path) -> Outcome<CertificatePair> {
    let chain = input::bytes(certificate)?;
    let text = input::secret(key)?;
    CertificatePair::from_pem(&chain, text.as_bytes()).map_err(|error| {
        Failure::failed(match error {
            CertificateError::Key => format!(
                "{} holds no private key that can be read: give unencrypted PEM",
                key.display()
            ),
            CertificateError::Certificate | CertificateError::Made | _ => format!(
                "{} holds no certificate: give PEM, the client's first",
                certificate.display()
            ),
        })
    })
}

fn undiscovered(error: DiscoveryError) -> Failure {
    match error {
        DiscoveryError::Call(error) => unanswered(error),
        DiscoveryError::Setup(_)
        | DiscoveryError::Issuer(_)
        | DiscoveryError::Unpublished(_)
        | DiscoveryError::Shape(_)
        | DiscoveryError::OtherIssuer { .. }
        | _ => error.into(),
    }
}

fn refused(issuer: &Issuer, error: TokenError) -> Failure {
    match error {
        TokenError::Refused(refusal) => {
            Failure::failed(explain(&refusal.code, refusal.description.as_deref()))
        }
        TokenError::NoEndpoint { .. } => Failure::failed(format!(
            "{issuer} names no token endpoint: it gives no tokens, use another issuer"
        )),
        TokenError::Setup(_) => Failure::failed(
            "the private key does not belong to the certificate: give the pair (`sealstone cert inspect` shows whose it is)",
        ),
        TokenError::Call(CallError {
            fault: CallFault::Shape,
            ..
        }) => Failure::failed(format!(
            "the token endpoint of {issuer} did not answer as RFC 6749 §5 says: check the issuer's address"
        )),
        TokenError::Call(error) => unanswered(error),
        TokenError::Unusable
        | TokenError::NoRefreshToken
        | TokenError::Clock(_)
        | TokenError::IdToken { .. }
        | TokenError::Assertion
        | TokenError::Entropy(_)
        | _ => error.into(),
    }
}

/// In the words of the other commands, which say what helps.
fn unanswered(error: CallError) -> Failure {
    let url = error.address.clone();
    match error.fault {
        CallFault::Https(fault) => HttpError::of(url, fault).into(),
        CallFault::Address => HttpError::Address { url }.into(),
        CallFault::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            HttpError::Status { url, status }.into()
        }
        CallFault::Shape | _ => error.into(),
    }
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
        | Fault::Early
        | Fault::BadCertificate
        | Fault::Alert
        | Fault::NoTls
        | Fault::Other => failure,
    }
}
