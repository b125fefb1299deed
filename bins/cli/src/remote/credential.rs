//! Who asks: an access token of ours, a login at Keystone, a certificate; or a token that is bound to a certificate.

use anyhow::Context as _;
use http::HeaderValue;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use sealstone_client::{Cloud, CloudFiles};
use zeroize::Zeroizing;

use super::CredentialArguments;
use crate::{
    failure::{Failure, Outcome},
    input,
    login::selection::Selection,
    openstack::{self, Credentials, Environment},
};

const VARIABLE: &str = "SEALSTONE_ACCESS_TOKEN";

/// A certificate with the rest of its chain, and its key.
pub(crate) struct Pair {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

enum Proof {
    Access(HeaderValue),
    Keystone(HeaderValue),
    /// The certificate alone.
    None,
}

pub(super) struct Credential {
    proof: Proof,
    pair: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Credential {
    /// What the command line names goes before the environment, and a certificate alone before a Keystone that nobody
    /// named.
    pub(super) async fn of(arguments: &CredentialArguments) -> Outcome<Self> {
        let pair = match (&arguments.cert, &arguments.key) {
            (Some(certificate), Some(key)) => Some(read(certificate, key)?),
            _ => None,
        };
        let access = match &arguments.token_file {
            Some(path) => Some(input::secret(path)?),
            None if arguments.cloud.is_some() => None,
            None => variable()?,
        };
        let proof = match access {
            Some(text) => Proof::Access(header(&format!("Bearer {}", text.trim()))?),
            None if arguments.cloud.is_none() && pair.is_some() => Proof::None,
            None => Proof::Keystone(keystone(arguments).await?),
        };
        Ok(Self { proof, pair })
    }

    pub(super) const fn access_token(&self) -> Option<&HeaderValue> {
        match &self.proof {
            Proof::Access(value) => Some(value),
            Proof::Keystone(_) | Proof::None => None,
        }
    }

    pub(super) const fn keystone_token(&self) -> Option<&HeaderValue> {
        match &self.proof {
            Proof::Keystone(value) => Some(value),
            Proof::Access(_) | Proof::None => None,
        }
    }

    pub(super) fn certificate(&self) -> Option<Pair> {
        self.pair.as_ref().map(|(chain, key)| Pair {
            chain: chain.clone(),
            key: key.clone_key(),
        })
    }
}

fn variable() -> Outcome<Option<Zeroizing<String>>> {
    let Some(value) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let text = value.into_string();
    text.map(|text| Some(Zeroizing::new(text)))
        .map_err(|_| Failure::usage(format!("{VARIABLE} is not text: set it to an access token")))
}

/// What may be in a header, and is never shown.
fn header(text: &str) -> Outcome<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Failure::failed(
            "the token is none: it holds characters that no token has (a line break within, an umlaut)",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn read(
    certificate: &std::path::Path,
    key: &std::path::Path,
) -> Outcome<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let pem = input::bytes(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).with_context(|| {
        format!(
            "{} holds no certificate: give PEM, your own first",
            certificate.display()
        )
    })?;
    let text = input::secret(key)?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        Failure::failed(format!(
            "{} holds no private key that can be read: give unencrypted PEM",
            key.display()
        ))
    })?;
    Ok((chain, key))
}

/// Logs in as the OpenStack clients do, and gives the token.
async fn keystone(arguments: &CredentialArguments) -> Outcome<HeaderValue> {
    let by_variable = || std::env::var_os("OS_CLOUD")?.into_string().ok();
    let name = arguments.cloud.clone().or_else(by_variable);
    let environment = match name.filter(|name| !name.is_empty()) {
        Some(name) => {
            let files: CloudFiles = Selection::files();
            let cloud: Cloud = files.cloud(&name)?;
            Environment::of_cloud(&cloud)
        }
        None => Environment::read(),
    };
    if !environment.names_somebody() {
        return Err(Failure::failed(
            "nothing says who you are: give an access token (--token-file, or SEALSTONE_ACCESS_TOKEN), a certificate \
             (--cert, --key), or a login at Keystone (--cloud NAME, or the variables OS_*)",
        ));
    }
    let url = environment.auth_url.clone().unwrap_or_default();
    let place = openstack::Place {
        url: None,
        ca_file: None,
        dangerous_plain_http: openstack::is_loopback(&url),
    };
    let client = openstack::keystone(&place, &environment)?;
    let refused = "Keystone does not let you in: check the OS_* variables, as `openstack token issue` does";
    match environment.credentials()? {
        Credentials::Token(token) => header(token.expose()),
        Credentials::Login(login) => match client.authenticate(&login).await.context(refused)? {
            sealstone_keystone::Login::Complete(issued) => header(issued.token.expose()),
            sealstone_keystone::Login::Incomplete(_receipt) => Err(Failure::failed(
                "Keystone wants a second factor: give its token, OS_TOKEN=$(openstack token issue -f value -c id)",
            )),
        },
    }
}
