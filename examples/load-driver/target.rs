//! What is asked, and how the client proves who it is.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::options::{Flow, Options};
use crate::wire::{Address, Wire};

pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// Everything that a connection needs.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) token: Address,
    /// Where the flow goes on: introspection or revocation.
    pub(crate) next: Address,
    /// `Basic ...`, or none by mutual TLS.
    pub(crate) authorization: Option<String>,
    pub(crate) client: String,
    pub(crate) scope: String,
    pub(crate) refresh_tokens: Vec<String>,
}

impl Target {
    /// Reads the files and the issuer's metadata.
    pub(crate) async fn find(options: &Options) -> Result<Self, Fault> {
        let tls = Arc::new(tls(options)?);
        let issuer = options.issuer.trim_end_matches('/');
        let mut metadata_at = Address::parse(&format!("{issuer}/.well-known/openid-configuration"))?;
        // Nodes are asked for tokens, and only the issuer for what it is: by mutual TLS they listen elsewhere.
        if options.certificate.is_none() {
            metadata_at = metadata_at.at(options.connect.first());
        }
        let metadata = metadata(&tls, &metadata_at).await?;
        if metadata["issuer"] != issuer {
            return Err(format!(
                "{issuer} calls itself {}: give --issuer as its metadata have it",
                metadata["issuer"]
            )
            .into());
        }
        let endpoint = |name: &str| -> Result<Address, Fault> {
            let alias = &metadata["mtls_endpoint_aliases"][name];
            let own = &metadata[name];
            let url = if options.certificate.is_some() && alias.is_string() {
                alias
            } else {
                own
            };
            let url = url.as_str().ok_or_else(|| format!("{issuer} has no {name}"))?;
            Address::parse(url)
        };
        let next = match options.flow {
            Flow::Introspection => "introspection_endpoint",
            Flow::Revocation => "revocation_endpoint",
            Flow::ClientCredentials | Flow::RefreshToken => "token_endpoint",
        };
        let authorization = options
            .secret_file
            .as_deref()
            .map(|file| basic(&options.client, file));
        let refresh_tokens = options.refresh_tokens.as_deref().map(lines).transpose()?;
        let refresh_tokens = refresh_tokens.unwrap_or_default();
        let connections = usize::from(options.connections.get());
        if options.flow == Flow::RefreshToken && refresh_tokens.len() < connections {
            let found = refresh_tokens.len();
            return Err(format!("{found} refresh tokens are too few for {connections} connections").into());
        }
        Ok(Self {
            tls,
            token: endpoint("token_endpoint")?,
            next: endpoint(next)?,
            authorization: authorization.transpose()?,
            client: options.client.clone(),
            scope: options.scope.clone(),
            refresh_tokens,
        })
    }
}

async fn metadata(tls: &Arc<ClientConfig>, address: &Address) -> Result<Value, Fault> {
    let mut wire = Wire::open(address, tls)
        .await
        .map_err(|error| format!("{address} cannot be reached: {error}"))?;
    let answer = wire.get(address).await?;
    if answer.status != 200 {
        return Err(format!("{address} answered {}: is --issuer right?", answer.status).into());
    }
    Ok(serde_json::from_slice(&answer.body)?)
}

fn tls(options: &Options) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&options.ca)? {
        roots.add(certificate)?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| named(key, &error))?;
            config.with_client_auth_cert(certificates(certificate)?, key)?
        }
        (None, _) | (_, None) => config.with_no_client_auth(),
    };
    if options.reconnect {
        // A whole handshake each time: that is what is asked about.
        config.resumption = rustls::client::Resumption::disabled();
    }
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let text = read(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| named(file, &error))?;
    if all.is_empty() {
        return Err(named(file, &"no certificate in PEM"));
    }
    Ok(all)
}

fn basic(client: &str, file: &Path) -> Result<String, Fault> {
    let secret = lines(file)?.into_iter().next().unwrap_or_default();
    if secret.is_empty() {
        return Err(named(file, &"no secret on its first line"));
    }
    Ok(format!(
        "Basic {}",
        base64_simd::STANDARD.encode_to_string(format!("{client}:{secret}"))
    ))
}

fn lines(file: &Path) -> Result<Vec<String>, Fault> {
    let text = String::from_utf8(read(file)?).map_err(|error| named(file, &error.utf8_error()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(file).map_err(|error| named(file, &error))
}

fn named(file: &Path, error: &dyn std::fmt::Display) -> Fault {
    format!("{}: {error}", file.display()).into()
}
