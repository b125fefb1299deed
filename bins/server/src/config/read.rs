use super::custody::FROM_ENVIRONMENT_ONLY;
use super::given::Given;
use super::{Config, TracesSection};
use figment::providers::{Env, Format as _, Toml};
use figment::{Figment, error::Kind};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// More than any configuration has: a file that was named by mistake is not read to its end.
const MAX_OCTETS: u64 = 1_048_576;
/// What the standard library says of what is no address with a port.
const NO_ADDRESS: &str = "invalid socket address syntax";

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error(
        "{path} can't be read: {source}. Give the configuration by --config FILE; examples/sealstoned.toml is one"
    )]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path}: {}", faults.join("; "))]
    Faults { path: PathBuf, faults: Vec<String> },
}

/// Reads the file, then the environment over it.
pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
    read(path).map(|(config, _given)| config)
}

/// The same, with what was given key by key.
pub(crate) fn read(path: &Path) -> Result<(Config, Given), ConfigError> {
    let text = text(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let file = Figment::from(Toml::string(&text));
    let secrets = FROM_ENVIRONMENT_ONLY.into_iter().filter(|key| file.contains(key));
    let faults: Vec<String> = secrets
        .map(|key| format!("`{key}` is a secret, and does not belong into this file: see `{key}_file`"))
        .collect();
    if !faults.is_empty() {
        return Err(ConfigError::Faults {
            path: path.to_owned(),
            faults,
        });
    }
    let figment = Figment::new().merge(Toml::string(&text)).merge(environment());
    Ok((extract(path, &figment)?, Given::of(path, &figment)?))
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_OCTETS.saturating_add(1))
        .read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|octets| octets > MAX_OCTETS) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it has more than 1 MiB, and is no configuration",
        ));
    }
    Ok(text)
}

/// What the environment gives.
pub(super) fn environment() -> Env {
    Env::prefixed("SEALSTONE__").split("__")
}

/// Of everything that was given, the configuration, whose files are beside the file of this path.
pub(super) fn extract(path: &Path, figment: &Figment) -> Result<Config, ConfigError> {
    let mut config: Config = figment.extract().map_err(|error| ConfigError::Faults {
        path: path.to_owned(),
        faults: error.into_iter().map(|fault| explain(&fault)).collect(),
    })?;
    // A bare file name has an empty parent: the files are beside it all the same.
    if let Some(folder) = std::path::absolute(path).unwrap_or_default().parent() {
        config.resolve(folder);
    }
    Ok(config)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "figment words the other kinds well enough"
)]
pub(super) fn explain(fault: &figment::Error) -> String {
    let place = fault.path.join(".");
    match &fault.kind {
        Kind::UnknownField(field, expected) => {
            // figment's path of an unknown section ends with its name already.
            let named = place == *field || place.ends_with(&format!(".{field}"));
            let full = if named {
                place
            } else if place.is_empty() {
                field.clone()
            } else {
                format!("{place}.{field}")
            };
            match closest(field, expected) {
                Some(meant) => format!("`{full}` is no key: did you mean `{meant}`?"),
                None => format!("`{full}` is no key; known here: {}", expected.join(", ")),
            }
        }
        Kind::MissingField(field) if place.is_empty() => {
            format!("`{field}` is missing: examples/sealstoned.toml shows all there is")
        }
        Kind::MissingField(field) => format!("`{place}.{field}` is missing"),
        Kind::UnknownVariant(found, known) => {
            format!(
                "`{place}`: there is no {found:?}; give one of {}",
                known.join(", ")
            )
        }
        Kind::Message(message) if message == NO_ADDRESS => {
            format!("`{place}`: give an address and a port, such as 127.0.0.1:8443 or [::]:8443")
        }
        other if place.is_empty() => other.to_string(),
        other => format!("`{place}`: {other}"),
    }
}

fn closest<'a>(field: &str, expected: &[&'a str]) -> Option<&'a str> {
    let scored = expected
        .iter()
        .map(|known| (strsim::jaro_winkler(field, known), *known));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > 0.8).then_some(best.1)
}

impl Config {
    /// Files are named as seen from the configuration's own folder.
    fn resolve(&mut self, folder: &Path) {
        let absolute = |path: &mut PathBuf| *path = folder.join(&*path);
        absolute(&mut self.tls.certificate_file);
        absolute(&mut self.tls.key_file);
        self.tls.client_ca_files.iter_mut().for_each(absolute);
        self.tls.crl_files.iter_mut().for_each(absolute);
        self.storage.path.iter_mut().for_each(absolute);
        if let Some(postgres) = &mut self.storage.postgres {
            let (password, ca) = (&mut postgres.password_file, &mut postgres.ca_file);
            let own = (&mut postgres.certificate_file, &mut postgres.key_file);
            let all = password.iter_mut().chain(ca).chain(own.0).chain(own.1);
            all.for_each(absolute);
        }
        absolute(&mut self.secrets.pepper_file);
        self.secrets.key_encryption_key_file.iter_mut().for_each(absolute);
        self.keys.administrators_file.iter_mut().for_each(absolute);
        if let Some(pkcs11) = &mut self.pkcs11 {
            pkcs11.pin_file.iter_mut().for_each(absolute);
        }
        if let Some(keystone) = &mut self.keystone {
            let service = keystone.service.as_mut();
            let service = service.map(|service| &mut service.application_credential_secret_file);
            let mint = keystone.mint.as_mut().map(|mint| &mut mint.private_key_file);
            let ca = keystone.ca_file.as_mut();
            ca.into_iter().chain(service).chain(mint).for_each(absolute);
        }
        for people in self.people.iter_mut().chain(self.people_of.values_mut()) {
            if let Some(privacyidea) = &mut people.privacyidea {
                absolute(&mut privacyidea.password_file);
                privacyidea.ca_file.iter_mut().for_each(absolute);
            }
            if let Some(upstream) = &mut people.upstream {
                let secret = upstream.client_secret_file.iter_mut();
                secret.chain(&mut upstream.ca_file).for_each(absolute);
            }
        }
        let socket = self
            .administration
            .as_mut()
            .and_then(|section| section.socket.as_mut());
        let secret = self.proxy.as_mut().and_then(|proxy| proxy.secret_file.as_mut());
        secret
            .into_iter()
            .chain(self.audit.files())
            .chain(self.traces.iter_mut().flat_map(TracesSection::files))
            .chain(socket)
            .chain(self.logout.ca_file.as_mut())
            .chain(self.pages.folder.as_mut())
            .for_each(absolute);
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
