//! Who asks whom, from the command line or from `dev.json`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sealstone_oauth_types::Issuer;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{SecretMethod, TokenArguments};
use crate::{
    discovery,
    failure::{Failure, Outcome},
    input,
};

pub(super) struct Source {
    pub(super) issuer: Issuer,
    pub(super) client_id: String,
    /// Certificate and key.
    pub(super) pair: Option<(PathBuf, PathBuf)>,
    pub(super) secret: Option<Zeroizing<String>>,
    pub(super) auth_method: Option<SecretMethod>,
    pub(super) scope: Option<String>,
    pub(super) ca: Option<PathBuf>,
}

impl Source {
    pub(super) fn of(arguments: &TokenArguments) -> Outcome<Self> {
        if arguments.login.dev.is_none()
            && (arguments.login.issuer.is_none() || arguments.login.client_id.is_none())
        {
            return Err(Failure::usage(
                "a machine's token needs --issuer URL and --client-id ID, or --dev DIR",
            ));
        }
        let mut source = match (&arguments.login.dev, &arguments.client) {
            (Some(folder), Some(name)) => Self::dev(folder, name)?,
            _ => Self {
                issuer: discovery::issuer(arguments.login.issuer.as_deref().unwrap_or_default())?,
                client_id: arguments.login.client_id.clone().unwrap_or_default(),
                pair: None,
                secret: None,
                auth_method: None,
                scope: None,
                ca: None,
            },
        };
        if let (Some(certificate), Some(key)) = (&arguments.cert, &arguments.key) {
            source.pair = Some((certificate.clone(), key.clone()));
        }
        if let Some(secret) = secret(arguments)? {
            source.secret = Some(secret);
        }
        source.auth_method = arguments.auth_method.or(source.auth_method);
        source.scope = arguments.login.scope.clone().or(source.scope);
        source.ca = arguments.login.ca.clone().or(source.ca);
        if source.pair.is_none() && source.secret.is_none() {
            return Err(Failure::usage(
                "a client proves who it is: give --cert FILE and --key FILE, or --client-secret-file FILE",
            ));
        }
        Ok(source)
    }

    fn dev(folder: &Path, name: &str) -> Outcome<Self> {
        let path = folder.join("dev.json");
        let text = input::text(&path).map_err(|_| {
            Failure::failed(format!(
                "{} cannot be read: start `sealstoned dev --data {}` first",
                path.display(),
                folder.display()
            ))
        })?;
        let file: DevFile = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not what `sealstoned dev` writes: start it again",
                path.display()
            )
        })?;
        let names: Vec<&str> = file.clients.iter().map(|client| client.name.as_str()).collect();
        let names = names.join(", ");
        let client = file
            .clients
            .into_iter()
            .find(|client| client.name == name)
            .ok_or_else(|| {
                Failure::usage(format!("{} has no client {name}: it has {names}", path.display()))
            })?;
        Ok(Self {
            issuer: discovery::issuer(&file.issuer)?,
            client_id: client.client_id,
            pair: client
                .cert
                .zip(client.key)
                .map(|(cert, key)| (folder.join(cert), folder.join(key))),
            secret: client.client_secret.map(Zeroizing::new),
            auth_method: (client.auth == "client_secret_post").then_some(SecretMethod::Post),
            scope: client.scope,
            ca: Some(folder.join(file.ca)),
        })
    }
}

#[derive(Deserialize)]
struct DevFile {
    issuer: String,
    ca: PathBuf,
    clients: Vec<DevClient>,
}

#[derive(Deserialize)]
struct DevClient {
    name: String,
    client_id: String,
    auth: String,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_secret: Option<String>,
    scope: Option<String>,
}

/// From the file, else from the environment; the end of the line is not part of it.
fn secret(arguments: &TokenArguments) -> Outcome<Option<Zeroizing<String>>> {
    let text = match &arguments.client_secret_file {
        Some(path) => Some(input::secret(path)?),
        None if arguments.login.dev.is_some() => None,
        None => match std::env::var_os("SEALSTONE_CLIENT_SECRET") {
            Some(value) => Some(Zeroizing::new(value.into_string().map_err(|_| {
                Failure::usage("SEALSTONE_CLIENT_SECRET is not text: set it to the client's secret")
            })?)),
            None => None,
        },
    };
    let text = text.map(|text| Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
    match text {
        Some(text) if text.is_empty() => Err(Failure::usage(
            "the client secret is empty: give the one that was shown",
        )),
        text => Ok(text),
    }
}
