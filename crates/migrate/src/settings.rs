//! What `keystone.conf` says of tokens.

use serde::{Deserialize, Serialize};

use crate::ini::IniDocument;
use crate::node::AbsolutePath;

/// The order of methods that Keystone has without `[auth] methods`. Versions before `ec2credential` have the others in
/// the same places, and never name it.
const METHODS: &str = "external,password,token,oauth1,mapped,application_credential,ec2credential";
/// `[identity] default_domain_id`.
const DEFAULT_DOMAIN: &str = "default";
const FERNET_KEYS: &str = "/etc/keystone/fernet-keys";
const JWS_PUBLIC: &str = "/etc/keystone/jws-keys/public";
const JWS_PRIVATE: &str = "/etc/keystone/jws-keys/private";
/// `[token] expiration`, in seconds.
const EXPIRATION: u64 = 3600;
/// `[token] allow_expired_window`, in seconds.
const WINDOW: u64 = 172_800;
/// `[cache] expiration_time`, in seconds, where `[token] cache_time` is not set.
const CACHE_TIME: u64 = 600;
/// `[cache] backend`: it keeps nothing beyond a request.
const CACHE_BACKEND: &str = "dogpile.cache.null";
/// `[revoke] cache_time`, in seconds.
const REVOKE_CACHE_TIME: i64 = 3600;
const MAX_ACTIVE_KEYS: u64 = 3;

/// The options of one node that matter to tokens, each with Keystone's default where the files are silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// `[token] provider`: `fernet`, `jws`, or what somebody wrote.
    pub provider: String,
    /// `[token] expiration`, in seconds.
    pub expiration_s: u64,
    /// `[token] allow_expired_window`, in seconds.
    pub allow_expired_window_s: u64,
    /// Whether what a token says is kept between requests: `[cache] enabled` and a `[cache] backend` that keeps anything,
    /// and with them `[token] caching` or the older `[token] cache_on_issue`, each of which is on by default.
    pub caching: bool,
    /// How long it is kept where there is caching, in seconds: `[token] cache_time`, or `[cache] expiration_time`.
    pub cache_time_s: u64,
    /// Whether it is kept, too, that a token was not revoked: the cache, and `[token] caching`. For as long a node may
    /// take a token that was revoked at a node whose cache is another.
    pub verdict_caching: bool,
    /// Whether the list of revocation events is kept: the cache, and `[revoke] caching`. Keystone gives that list to
    /// whoever asks for `/v3/OS-REVOKE/events`; for its own validations it reads the events anew, since before it had JWS
    /// tokens.
    pub event_caching: bool,
    /// How long the list is kept where it is, in seconds: `[revoke] cache_time`; `null` where nothing ends that.
    pub event_cache_time_s: Option<u64>,
    /// `[auth] methods`, in its order: Fernet tokens name methods by it.
    pub methods: Vec<String>,
    /// `[identity] default_domain_id`: Fernet tokens pack this domain, whatever its form, and no other that is no UUID.
    pub default_domain_id: String,
    /// `[fernet_tokens] key_repository`.
    pub fernet_repository: AbsolutePath,
    /// `[fernet_tokens] max_active_keys`.
    pub max_active_keys: u64,
    /// `[jwt_tokens] jws_algorithm`.
    pub jws_algorithm: String,
    /// `[jwt_tokens] jws_accepted_algorithms`.
    pub jws_accepted_algorithms: Vec<String>,
    /// `[jwt_tokens] jws_public_key_repository`.
    pub jws_public_repository: AbsolutePath,
    /// `[jwt_tokens] jws_private_key_repository`.
    pub jws_private_repository: AbsolutePath,
}

/// Why an option cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{section}] {key}: {fault}")]
#[non_exhaustive]
pub struct SettingError {
    /// The section.
    pub section: &'static str,
    /// The option.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub fault: &'static str,
}

struct Files<'a>(&'a [IniDocument]);

impl Settings {
    /// Reads the files of one node in the order in which Keystone is given them: a later one counts.
    ///
    /// Options that Keystone takes from its environment (`OS_TOKEN__PROVIDER`) are not seen.
    ///
    /// # Errors
    /// [`SettingError`] for a value that Keystone would refuse, and for one that is put together by `$`.
    pub fn read(files: &[IniDocument]) -> Result<Self, SettingError> {
        let files = Files(files);
        let keeps = files.switch("cache", "enabled")?
            && files.text("cache", "backend", CACHE_BACKEND)?.trim() != CACHE_BACKEND;
        let (of_tokens, on_issue) = (
            files.switch("token", "caching")?,
            files.switch("token", "cache_on_issue")?,
        );
        let cache_time = files.number("cache", "expiration_time", CACHE_TIME)?;
        Ok(Self {
            provider: files.text("token", "provider", "fernet")?.to_owned(),
            expiration_s: files.number("token", "expiration", EXPIRATION)?,
            allow_expired_window_s: files.number("token", "allow_expired_window", WINDOW)?,
            caching: keeps && (of_tokens || on_issue),
            cache_time_s: files.number("token", "cache_time", cache_time)?,
            verdict_caching: keeps && of_tokens,
            event_caching: files.switch("revoke", "caching")? && keeps,
            event_cache_time_s: files.event_cache_time()?,
            methods: files.list("auth", "methods", METHODS)?,
            default_domain_id: files
                .text("identity", "default_domain_id", DEFAULT_DOMAIN)?
                .to_owned(),
            fernet_repository: files.path("fernet_tokens", "key_repository", FERNET_KEYS)?,
            max_active_keys: files.number("fernet_tokens", "max_active_keys", MAX_ACTIVE_KEYS)?,
            jws_algorithm: files.text("jwt_tokens", "jws_algorithm", "ES256")?.to_owned(),
            jws_accepted_algorithms: files.list("jwt_tokens", "jws_accepted_algorithms", "ES256")?,
            jws_public_repository: files.path("jwt_tokens", "jws_public_key_repository", JWS_PUBLIC)?,
            jws_private_repository: files.path("jwt_tokens", "jws_private_key_repository", JWS_PRIVATE)?,
        })
    }
}

impl<'a> Files<'a> {
    fn find(&self, section: &'static str, key: &'static str) -> Result<Option<&'a str>, SettingError> {
        let found = self.0.iter().rev().find_map(|file| file.last(section, key));
        match found {
            Some(value) if value.contains('$') => Err(SettingError {
                section,
                key,
                fault: "the value refers to another option by $; write it out, in a copy for this purpose if need be",
            }),
            found => Ok(found),
        }
    }

    fn text(
        &self,
        section: &'static str,
        key: &'static str,
        default: &'static str,
    ) -> Result<&'a str, SettingError> {
        Ok(self.find(section, key)?.unwrap_or(default))
    }

    fn number(&self, section: &'static str, key: &'static str, default: u64) -> Result<u64, SettingError> {
        let fault = "not a whole number from 0 on";
        let refused = |_error| SettingError { section, key, fault };
        self.find(section, key)?
            .map_or(Ok(default), |text| text.trim().parse().map_err(refused))
    }

    /// The one time that may be below zero: -1 is for ever, and all others keep nothing. Its older name counts where the
    /// new one is not there.
    fn event_cache_time(&self) -> Result<Option<u64>, SettingError> {
        let (section, key) = ("revoke", "cache_time");
        let text = match self.find(section, key)? {
            Some(text) => Some(text),
            None => self.find("token", "revocation_cache_time")?,
        };
        let fault = "not a whole number";
        let refused = |_error| SettingError { section, key, fault };
        let seconds: i64 = text.map_or(Ok(REVOKE_CACHE_TIME), |text| text.trim().parse().map_err(refused))?;
        Ok(match seconds {
            -1 => None,
            seconds => Some(u64::try_from(seconds).unwrap_or(0)),
        })
    }

    fn switch(&self, section: &'static str, key: &'static str) -> Result<bool, SettingError> {
        let Some(text) = self.find(section, key)? else {
            return Ok(true);
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Ok(true),
            "false" | "0" | "off" | "no" => Ok(false),
            _ => Err(SettingError {
                section,
                key,
                fault: "neither true nor false",
            }),
        }
    }

    fn list(
        &self,
        section: &'static str,
        key: &'static str,
        default: &'static str,
    ) -> Result<Vec<String>, SettingError> {
        let text = self.text(section, key, default)?;
        let items = text.split(',').map(|item| item.trim().to_owned());
        Ok(items.filter(|item| !item.is_empty()).collect())
    }

    fn path(
        &self,
        section: &'static str,
        key: &'static str,
        default: &'static str,
    ) -> Result<AbsolutePath, SettingError> {
        let fault = AbsolutePath::RULE;
        AbsolutePath::parse(self.text(section, key, default)?).ok_or(SettingError { section, key, fault })
    }
}

#[cfg(test)]
mod tests {
    use sealstone_fernet::AuthMethods;

    use super::*;

    fn read(files: &[&str]) -> Result<Settings, SettingError> {
        let files: Vec<_> = files
            .iter()
            .map(|text| IniDocument::parse(text).unwrap())
            .collect();
        Settings::read(&files)
    }

    #[test]
    fn silence_is_keystones_default() {
        let settings = read(&["[DEFAULT]\ndebug = true"]).unwrap();
        assert_eq!(settings.provider, "fernet");
        assert_eq!(
            (settings.expiration_s, settings.allow_expired_window_s),
            (3600, 172_800)
        );
        assert_eq!((settings.caching, settings.cache_time_s), (false, 600));
        assert_eq!((settings.verdict_caching, settings.event_caching), (false, false));
        assert_eq!(settings.event_cache_time_s, Some(3600));
        assert_eq!(settings.max_active_keys, 3);
        assert_eq!(settings.jws_algorithm, "ES256");
        assert_eq!(settings.fernet_repository.as_str(), "/etc/keystone/fernet-keys");
        let same = AuthMethods::parse(&settings.methods.join(",")).unwrap();
        assert_eq!(same, AuthMethods::default());
        assert_eq!(settings.methods.last().map(String::as_str), Some("ec2credential"));
        assert_eq!(settings.default_domain_id, "default");
    }

    #[test]
    fn the_last_word_counts() {
        let first = "[token]\nprovider = fernet\nexpiration = 60\ncaching = Yes\n[auth]\nmethods = token,\n password\n\
             [identity]\ndefault_domain_id = first";
        let second = "[token]\nprovider = jws\ncache_time = 5\n[cache]\nenabled = off\n\
             [identity]\ndefault_domain_id = 8f92744a08e84d2ba4bd5d6f3e2c1a90";
        let settings = read(&[first, second]).unwrap();
        assert_eq!((settings.provider.as_str(), settings.expiration_s), ("jws", 60));
        assert_eq!((settings.caching, settings.cache_time_s), (false, 5));
        assert_eq!(settings.methods, ["token", "password"]);
        assert_eq!(settings.default_domain_id, "8f92744a08e84d2ba4bd5d6f3e2c1a90");
    }

    /// What is kept: what tokens say, that they were not revoked, the list of revocation events.
    #[test]
    fn caches_are_told_apart() {
        let real = "[cache]\nbackend = dogpile.cache.memcached\n";
        for (more, kept) in [
            ("", [true, true, true]),
            ("enabled = true", [true, true, true]),
            ("enabled = false", [false, false, false]),
            ("[token]\ncaching = false", [true, false, true]),
            ("[token]\ncache_on_issue = false", [true, true, true]),
            (
                "[token]\ncaching = false\ncache_on_issue = false",
                [false, false, true],
            ),
            ("[revoke]\ncaching = false", [true, true, false]),
            ("backend = dogpile.cache.null", [false, false, false]),
        ] {
            let settings = read(&[&format!("{real}{more}")]).unwrap();
            let found = [settings.caching, settings.verdict_caching, settings.event_caching];
            assert_eq!(found, kept, "{more}");
        }
        for (text, kept) in [
            ("[cache]\nexpiration_time = 60", (60, Some(3600))),
            ("[token]\ncache_time = 0", (0, Some(3600))),
            ("[revoke]\ncache_time = 7", (600, Some(7))),
            ("[revoke]\ncache_time = -1", (600, None)),
            ("[revoke]\ncache_time = -9", (600, Some(0))),
            ("[token]\nrevocation_cache_time = 8", (600, Some(8))),
            (
                "[token]\nrevocation_cache_time = 8\n[revoke]\ncache_time = 9",
                (600, Some(9)),
            ),
        ] {
            let settings = read(&[text]).unwrap();
            assert_eq!(
                (settings.cache_time_s, settings.event_cache_time_s),
                kept,
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        for (text, key) in [
            ("[token]\nexpiration = soon", "expiration"),
            ("[token]\nexpiration = -1", "expiration"),
            ("[token]\ncaching = maybe", "caching"),
            ("[revoke]\ncaching = maybe", "caching"),
            ("[token]\ncache_on_issue = maybe", "cache_on_issue"),
            ("[revoke]\ncache_time = soon", "cache_time"),
            ("[cache]\nbackend = $backend", "backend"),
            ("[token]\nprovider = ${DEFAULT.x}", "provider"),
            ("[identity]\ndefault_domain_id = $domain", "default_domain_id"),
            ("[fernet_tokens]\nkey_repository = keys", "key_repository"),
            ("[fernet_tokens]\nkey_repository = /a/../b", "key_repository"),
            (
                "[jwt_tokens]\njws_public_key_repository = /a;reboot",
                "jws_public_key_repository",
            ),
            (
                "[jwt_tokens]\njws_private_key_repository = /a b",
                "jws_private_key_repository",
            ),
        ] {
            assert_eq!(read(&[text]).unwrap_err().key, key, "{text}");
        }
    }
}
