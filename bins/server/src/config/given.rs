//! What was given, key by key: what a reload compares, and what acts at once.

use super::Config;
use super::custody::FROM_ENVIRONMENT_ONLY;
use super::read::{ConfigError, explain};
use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Sections of which every key acts at a reload: what is made of them is made anew as a whole, and swapped in.
const ACTING_SECTIONS: [&str; 13] = [
    "tls",
    "keys",
    "limits",
    "proxy",
    "keystone",
    "people",
    "people_of",
    "registration",
    "registration_of",
    "administration",
    "logout",
    "pages",
    "traces",
];

/// Of other sections, the keys and sections within that act at a reload.
const ACTING: [&str; 7] = [
    "server.shutdown_delay_s",
    "audit.rotate_mib",
    "audit.rotate_h",
    "audit.syslog",
    "audit.http",
    "audit.rabbitmq",
    "log.level",
];

/// Of the sections above, the keys that wait all the same: a socket is bound once.
const WAITING: [&str; 1] = ["administration.socket"];

/// Sections that stay as they are while the server runs, but for the keys above: whoever is composed anew stands on the
/// same addresses, the same database and the same secrets.
const KEPT_SECTIONS: [&str; 4] = ["server", "storage", "secrets", "pkcs11"];

/// Whether this key, `section.key`, acts at a reload. What is not named here waits for a restart.
pub(crate) fn acts(key: &str) -> bool {
    let within = |all: &[&str]| {
        all.iter().any(|named| {
            key.strip_prefix(named)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    !within(&WAITING) && (within(&ACTING) || within(&ACTING_SECTIONS))
}

/// A configuration as it was given: by file and environment, without what is secret.
#[derive(Clone)]
pub(crate) struct Given {
    path: PathBuf,
    values: BTreeMap<Vec<String>, Value>,
}

impl Given {
    pub(super) fn of(path: &Path, figment: &Figment) -> Result<Self, ConfigError> {
        let dict: Dict = figment.extract().map_err(|error| ConfigError::Faults {
            path: path.to_owned(),
            faults: error.into_iter().map(|fault| explain(&fault)).collect(),
        })?;
        let mut values = BTreeMap::new();
        flatten(&mut Vec::new(), dict, &mut values);
        // The environment of a process does not change.
        values.retain(|key, _| !FROM_ENVIRONMENT_ONLY.contains(&key.join(".").as_str()));
        Ok(Self {
            path: path.to_owned(),
            values,
        })
    }

    /// The keys whose values differ.
    fn changed<'a>(&'a self, fresh: &'a Self) -> Vec<&'a Vec<String>> {
        let mut keys: Vec<_> = self.values.keys().chain(fresh.values.keys()).collect();
        keys.sort();
        keys.dedup();
        keys.retain(|key| self.values.get(*key) != fresh.values.get(*key));
        keys
    }

    /// What a reload from this to `fresh` comes to.
    ///
    /// # Errors
    /// [`ConfigError`], where what is kept and what is new do not fit together.
    pub(crate) fn renewed(&self, fresh: &Self) -> Result<Renewed, ConfigError> {
        let text = |keys: Vec<&Vec<String>>| keys.into_iter().map(|key| key.join(".")).collect();
        let (acting, waiting): (Vec<_>, Vec<_>) = self
            .changed(fresh)
            .into_iter()
            .partition(|key| acts(&key.join(".")));
        let mut given = fresh.clone();
        for key in &waiting {
            match self.values.get(*key) {
                Some(value) => drop(given.values.insert((*key).clone(), value.clone())),
                None => drop(given.values.remove(*key)),
            }
        }
        let mut composed = fresh.clone();
        let kept = |key: &Vec<String>| {
            key.first()
                .is_some_and(|section| KEPT_SECTIONS.contains(&section.as_str()))
                && !acts(&key.join("."))
        };
        composed.values.retain(|key, _| !kept(key));
        let stays = self.values.iter().filter(|(key, _)| kept(key));
        composed
            .values
            .extend(stays.map(|(key, value)| (key.clone(), value.clone())));
        Ok(Renewed {
            config: composed.config()?,
            given,
            acting: text(acting),
            waiting: text(waiting),
        })
    }

    /// The configuration of these values, and of the secrets in the environment.
    fn config(&self) -> Result<Config, ConfigError> {
        let mut dict = Dict::new();
        for (key, value) in &self.values {
            put(&mut dict, key, value.clone());
        }
        let figment = Figment::from(Serialized::defaults(dict)).merge(super::read::environment());
        super::read::extract(&self.path, &figment)
    }
}

/// What a reload comes to.
pub(crate) struct Renewed {
    /// What the server is composed of: what is new, over what stays while it runs.
    pub(crate) config: Config,
    /// What it runs with from then on.
    pub(crate) given: Given,
    /// Keys that changed and act.
    pub(crate) acting: Vec<String>,
    /// Keys that changed and wait for a restart.
    pub(crate) waiting: Vec<String>,
}

/// Tables are gone through; an empty one counts as a value, since it is not the same as none.
fn flatten(path: &mut Vec<String>, dict: Dict, into: &mut BTreeMap<Vec<String>, Value>) {
    for (key, value) in dict {
        path.push(key);
        if let Value::Dict(_, inner) = &value
            && !inner.is_empty()
        {
            flatten(path, inner.clone(), into);
        } else {
            into.insert(path.clone(), value);
        }
        path.pop();
    }
}

fn put(dict: &mut Dict, key: &[String], value: Value) {
    match key {
        [] => {}
        [last] => {
            // A table that holds something is there already.
            dict.entry(last.clone()).or_insert(value);
        }
        [first, rest @ ..] => {
            let inner = dict
                .entry(first.clone())
                .or_insert_with(|| Value::from(Dict::new()));
            if !matches!(inner, Value::Dict(..)) {
                *inner = Value::from(Dict::new());
            }
            if let Value::Dict(_, inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Given {
        let figment = Figment::from(<figment::providers::Toml as figment::providers::Format>::string(
            text,
        ));
        Given::of(Path::new("/etc/sealstone/sealstoned.toml"), &figment).unwrap()
    }

    const BASE: &str = "[server]\nbase_url = 'https://a'\nlisten = '127.0.0.1:1'\n\
        [tls]\ncertificate_file = 'c'\nkey_file = 'k'\n[storage]\npath = 'd'\n[secrets]\npepper_file = 'p'\n";

    #[test]
    fn what_acts_and_what_waits() {
        for (key, want) in [
            ("limits.requests_per_s_per_address", true),
            ("limits.max_connections", true),
            ("people_of.demo.upstream.issuer", true),
            ("administration.cloud_roles", true),
            ("administration.socket", false),
            ("audit.syslog.address", true),
            ("audit.path", false),
            ("audit.rotate_h", true),
            ("audit.key_file", false),
            ("server.shutdown_delay_s", true),
            ("server.listen", false),
            ("secrets.pepper_file", false),
            ("log.level", true),
            ("traces.url", true),
            ("log.format", false),
            ("peopleless.source", false),
            ("nothing.known", false),
        ] {
            assert_eq!(acts(key), want, "{key}");
        }
    }

    #[test]
    fn what_stays_and_what_is_new_are_put_together() {
        let before = given(&format!(
            "{BASE}[proxy]\ntrusted_networks = ['::1']\nform = 'rfc9440'\n[administration]\n"
        ));
        let after = BASE
            .replace("https://a", "https://b")
            .replace("'d'", "'e'")
            .replace("'k'", "'l'");
        let after = given(&format!(
            "{after}[limits]\nbody_deadline_s = 5\n[log]\nformat = 'json'\n"
        ));
        let renewed = before.renewed(&after).unwrap();
        assert_eq!(
            renewed.acting,
            [
                "administration",
                "limits.body_deadline_s",
                "proxy.form",
                "proxy.trusted_networks",
                "tls.key_file"
            ]
        );
        assert_eq!(renewed.waiting, ["log.format", "server.base_url", "storage.path"]);
        let config = &renewed.config;
        assert_eq!(config.server.base_url, "https://a");
        assert_eq!(
            config.storage.path.as_deref(),
            Some(Path::new("/etc/sealstone/d"))
        );
        assert_eq!(config.tls.key_file, Path::new("/etc/sealstone/l"));
        assert_eq!(config.limits.body_deadline_s, 5);
        // A section that was taken out is out.
        assert!(config.proxy.is_none() && config.administration.is_none());
        // What waits is told at the next reload too, and what acts is not.
        let again = renewed.given.renewed(&after).unwrap();
        assert!(again.acting.is_empty());
        assert_eq!(again.waiting, renewed.waiting);
        // Taken back, nothing waits.
        let back = renewed.given.renewed(&before).unwrap();
        assert!(back.waiting.is_empty(), "{:?}", back.waiting);
        assert_eq!(back.acting, renewed.acting);
        assert!(back.config.administration.is_some(), "an empty section is one");
    }
}
