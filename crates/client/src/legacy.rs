//! Unscoped tokens that two plugins for keystoneauth left behind: read once, never written.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use sealstone_oauth_types::Secret;
use serde_json::Value;

use crate::keystone::is_token;

/// The largest file that is read: a token with the catalog of a hundred services.
const MAX_FILE: u64 = 1024 * 1024;

/// Whose unscoped token.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LegacyLogin {
    /// Keystone's address, as the plugin was given it.
    pub auth_url: String,
    /// The identity provider in Keystone.
    pub identity_provider: String,
    /// The protocol in Keystone.
    pub protocol: String,
    /// The client's identifier.
    pub client_id: Option<String>,
    /// The client's scope.
    pub scope: Option<String>,
}

impl LegacyLogin {
    /// The token that `keystoneauth-websso` 0.2 kept in the user's cache folder.
    ///
    /// # Security
    /// That file is written before it is protected: whether the token is still good, and whose it is, Keystone says.
    #[must_use]
    pub fn websso(&self, caches: &Path) -> Option<Secret> {
        let bytes = read(&caches.join(self.websso_name()))?;
        // A JSON text that holds JSON.
        let inner: String = serde_json::from_slice(&bytes).ok()?;
        state(&inner)
    }

    /// The token that `keystoneauth-oidc-browser` 1.0 kept there, where it had no keyring to encrypt it by.
    #[must_use]
    pub fn oidc_browser(&self, caches: &Path) -> Option<Secret> {
        state(self.oidc_browser_entry(caches)?.get("state")?.as_str()?)
    }

    /// Whether `keystoneauth-oidc-browser` kept one there that only its own keyring opens: it is not read.
    #[must_use]
    pub fn oidc_browser_is_sealed(&self, caches: &Path) -> bool {
        self.oidc_browser_entry(caches)
            .is_some_and(|entry| entry.get("ciphertext").is_some_and(Value::is_string))
    }

    fn oidc_browser_entry(&self, caches: &Path) -> Option<Value> {
        let folder = caches.join("keystoneauth").join("v3oidcbrowser");
        let name = hex(hex(self.oidc_browser_elements().as_bytes()).as_bytes());
        let bytes = read(&folder.join(format!("{name}.json")))?;
        let entry: Value = serde_json::from_slice(&bytes).ok()?;
        (entry.get("version") == Some(&Value::from(1))).then_some(entry)
    }

    fn websso_name(&self) -> PathBuf {
        let mut name = "os-".to_owned();
        for c in format!("{}-{}", self.auth_url, self.identity_provider).chars() {
            if c.is_ascii_alphanumeric() || c == '-' {
                name.push(c);
            } else if !name.ends_with('\0') {
                // Marks a run; a `-` of the text itself does not swallow it.
                name.push('\0');
            }
        }
        PathBuf::from(name.replace('\0', "-"))
    }

    fn oidc_browser_elements(&self) -> String {
        let mut text = "unscoped\0".to_owned();
        for (name, value) in [
            ("auth_url", Some(self.auth_url.trim_end_matches('/'))),
            ("oidc_access_token_type", Some("access_token")),
            ("oidc_client_id", self.client_id.as_deref()),
            ("oidc_identity_provider", Some(self.identity_provider.as_str())),
            ("oidc_protocol", Some(self.protocol.as_str())),
            ("oidc_scope", self.scope.as_deref()),
        ] {
            if let Some(value) = value {
                text.push_str(&format!("{name}\0{value}\0"));
            }
        }
        text
    }
}

/// `{"auth_token", "body"}`, as keystoneauth keeps a login.
fn state(text: &str) -> Option<Secret> {
    let state: Value = serde_json::from_str(text).ok()?;
    let token = state.get("auth_token")?.as_str()?;
    is_token(token).then(|| Secret::from(token))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let found = std::fs::symlink_metadata(path).ok()?;
    if !found.is_file() || found.len() > MAX_FILE {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Another user's file would be another user's login.
        if found.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
    }
    std::fs::read(path).ok()
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Reads a text as each of the two forms.
#[cfg(fuzzing)]
pub(crate) fn fuzzing_read(text: &str) {
    let inner: Option<String> = serde_json::from_str(text).ok();
    for text in inner.iter().map(String::as_str).chain([text]) {
        if let Some(token) = state(text) {
            assert!(token.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn login() -> LegacyLogin {
        LegacyLogin {
            auth_url: "https://keystone.example:5000/v3".to_owned(),
            identity_provider: "sso_idp".to_owned(),
            protocol: "openid".to_owned(),
            client_id: Some("cli".to_owned()),
            scope: Some("openid profile".to_owned()),
        }
    }

    /// Names as the plugins themselves make them (keystoneauth-websso 0.2.5, keystoneauth-oidc-browser 1.0.1).
    #[test]
    fn names_are_the_plugins() {
        assert_eq!(
            login().websso_name().to_str().unwrap(),
            "os-https-keystone-example-5000-v3-sso-idp"
        );
        assert_eq!(
            hex(hex(login().oidc_browser_elements().as_bytes()).as_bytes()),
            "f49a5c01ca5a47f267388ad6b9bbc32b3c8ef17eaf7cf41366e45bd3e3c5006a"
        );
    }

    #[test]
    fn what_they_kept_is_read_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let state = "{\"auth_token\": \"gAAAA-x_\", \"body\": {\"token\": {}}}";
        let put = |text: String| {
            let path = home.path().join(login().websso_name());
            fs::write(path, text).unwrap();
            login().websso(home.path()).map(|token| token.expose().to_owned())
        };
        assert_eq!(put(Value::from(state).to_string()), Some("gAAAA-x_".to_owned()));
        let long = "x".repeat(2 * 1024 * 1024);
        for wrong in [
            "",
            "{}",
            state,
            "\"{}\"",
            "\"{\\\"auth_token\\\": 1}\"",
            "\"{\\\"auth_token\\\": \\\"a b\\\"}\"",
            long.as_str(),
        ] {
            assert_eq!(put(wrong.to_owned()), None);
        }
        let name = hex(hex(login().oidc_browser_elements().as_bytes()).as_bytes());
        let folder = home.path().join("keystoneauth/v3oidcbrowser");
        fs::create_dir_all(&folder).unwrap();
        let put = |entry: &Value| {
            fs::write(folder.join(format!("{name}.json")), entry.to_string()).unwrap();
            login()
                .oidc_browser(home.path())
                .map(|token| token.expose().to_owned())
        };
        let entry = |version: u32| serde_json::json!({"version": version, "expires_at": 1.5, "state": state});
        assert_eq!(put(&entry(1)), Some("gAAAA-x_".to_owned()));
        assert!(!login().oidc_browser_is_sealed(home.path()));
        assert_eq!(put(&entry(2)), None);
        let sealed = |version: u32| serde_json::json!({"version": version, "nonce": "", "ciphertext": ""});
        assert_eq!(put(&sealed(1)), None);
        assert!(login().oidc_browser_is_sealed(home.path()));
        assert_eq!(put(&sealed(2)), None);
        assert!(!login().oidc_browser_is_sealed(home.path()));
    }
}
