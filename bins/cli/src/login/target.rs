//! What is logged in to, and where that is kept.

use std::path::PathBuf;

use sealstone_client::{CacheSlot, Cloud, LoopbackHost, LoopbackPath, ScopeChoice, SlotKind};
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// One login.
pub(crate) struct Target {
    pub(crate) cloud: Cloud,
    pub(crate) through: Through,
    pub(crate) scope: ScopeChoice,
    /// Whom the caller named.
    pub(crate) user: String,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) bound: bool,
    pub(crate) no_cache: bool,
    /// The folder of a demo that says it all.
    pub(crate) dev: Option<PathBuf>,
}

/// By what somebody logs in.
pub(crate) enum Through {
    OAuth(Box<OAuthLogin>),
    WebSso(Federation),
    Direct(Direct),
}

/// A login at an authorization server; with it a Keystone that takes its tokens.
pub(crate) struct OAuthLogin {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) secret: Option<Zeroizing<String>>,
    pub(crate) scope: String,
    pub(crate) redirect: Redirect,
    pub(crate) federation: Option<Federation>,
}

/// A Keystone that lets others log its users in.
#[derive(Debug, Clone)]
pub(crate) struct Federation {
    pub(crate) auth_url: String,
    pub(crate) identity_provider: String,
    pub(crate) protocol: String,
}

/// A Keystone, by what `clouds.yaml` or the variables say: a password, an application credential, a token.
pub(crate) struct Direct {
    pub(crate) auth_url: String,
}

/// Where the browser comes back to.
#[derive(Debug, Clone)]
pub(crate) struct Redirect {
    pub(crate) host: LoopbackHost,
    pub(crate) port: Option<u16>,
    pub(crate) path: LoopbackPath,
}

impl Default for Redirect {
    fn default() -> Self {
        Self {
            host: LoopbackHost::V4,
            port: None,
            path: LoopbackPath::Registered("/callback".to_owned()),
        }
    }
}

impl Redirect {
    /// As registered; a plugin of keystoneauth has a default of its own.
    pub(crate) fn of(uri: Option<&str>, auth_type: &str) -> Outcome<Self> {
        let Some(uri) = uri else {
            let path = match auth_type {
                "v3oidcbrowser" => String::new(),
                _ => "/callback".to_owned(),
            };
            return Ok(Self {
                path: LoopbackPath::Registered(path),
                ..Self::default()
            });
        };
        Self::parse(uri).ok_or_else(|| {
            Failure::failed(format!(
                "redirect_uri {uri:?} is none that this machine can wait at: write http://127.0.0.1[:PORT]/PATH"
            ))
        })
    }

    fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("http://")?;
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at)?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
            _ => (authority, None),
        };
        let host = match host {
            "127.0.0.1" => LoopbackHost::V4,
            "[::1]" => LoopbackHost::V6,
            "localhost" => LoopbackHost::Localhost,
            _ => return None,
        };
        Some(Self {
            host,
            port,
            path: LoopbackPath::Registered(path.to_owned()),
        })
    }
}

impl Target {
    /// The tokens of the authorization server, or Keystone's unscoped one by WebSSO.
    pub(crate) fn base_slot(&self) -> Option<CacheSlot> {
        let slot = match &self.through {
            Through::OAuth(login) => {
                CacheSlot::new(SlotKind::OAuth, &login.issuer, &login.client_id).with_scope(&login.scope)
            }
            Through::WebSso(keystone) => {
                CacheSlot::new(SlotKind::Keystone, &keystone.auth_url, &keystone.client())
                    .with_scope("unscoped")
            }
            Through::Direct(_) => return None,
        };
        let binding = if self.bound { "local" } else { "" };
        Some(
            slot.with_cloud(self.cloud.name())
                .with_user(&self.user)
                .with_binding(binding),
        )
    }

    /// Keystone's token for the scope; `None` where there is no Keystone.
    pub(crate) fn keystone_slot(&self) -> Option<CacheSlot> {
        let scope = match &self.scope {
            ScopeChoice::Any => "chosen".to_owned(),
            ScopeChoice::Project { project, domain } => {
                format!("project {project} {}", domain.as_deref().unwrap_or_default())
            }
            ScopeChoice::Domain(domain) => format!("domain {domain}"),
            ScopeChoice::System => "system".to_owned(),
            ScopeChoice::Unscoped => "unscoped".to_owned(),
        };
        let slot = match &self.through {
            Through::OAuth(login) => {
                let keystone = login.federation.as_ref()?;
                CacheSlot::new(SlotKind::Keystone, &keystone.auth_url, &keystone.client())
            }
            Through::WebSso(keystone) => {
                CacheSlot::new(SlotKind::Keystone, &keystone.auth_url, &keystone.client())
            }
            Through::Direct(direct) => CacheSlot::new(SlotKind::Keystone, &direct.auth_url, "direct"),
        };
        Some(
            slot.with_cloud(self.cloud.name())
                .with_user(&self.named_user())
                .with_scope(&scope),
        )
    }

    /// The key that bound tokens are bound to.
    pub(crate) fn key_slot(&self) -> Option<CacheSlot> {
        let Through::OAuth(login) = &self.through else {
            return None;
        };
        self.bound.then(|| {
            CacheSlot::new(SlotKind::Key, &login.issuer, &login.client_id)
                .with_cloud(self.cloud.name())
                .with_user(&self.user)
        })
    }

    pub(crate) fn auth_url(&self) -> Option<&str> {
        match &self.through {
            Through::OAuth(login) => login
                .federation
                .as_ref()
                .map(|keystone| keystone.auth_url.as_str()),
            Through::WebSso(keystone) => Some(&keystone.auth_url),
            Through::Direct(direct) => Some(&direct.auth_url),
        }
    }

    /// How the same login is asked for on a command line.
    pub(crate) fn options(&self) -> String {
        let name = self.cloud.name();
        if let Some(folder) = &self.dev {
            return format!(" --dev {}", folder.display());
        }
        match &self.through {
            _ if !name.is_empty() && name != "envvars" => format!(" --cloud {name}"),
            Through::OAuth(login) if name.is_empty() => {
                format!(" --issuer {} --client-id {}", login.issuer, login.client_id)
            }
            Through::OAuth(_) | Through::WebSso(_) | Through::Direct(_) => String::new(),
        }
    }

    /// A login by password is its user's: another one of the same cloud is another's.
    fn named_user(&self) -> String {
        if !self.user.is_empty() || !matches!(self.through, Through::Direct(_)) {
            return self.user.clone();
        }
        let names = [
            "application_credential_id",
            "user_id",
            "username",
            "user_domain_id",
            "user_domain_name",
        ];
        let parts = names.iter().filter_map(|name| self.cloud.auth(name));
        parts.collect::<Vec<_>>().join(" ")
    }
}

impl Federation {
    fn client(&self) -> String {
        format!("{}/{}", self.identity_provider, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_of_this_machine() {
        for (uri, host, port, path) in [
            ("http://127.0.0.1/callback", LoopbackHost::V4, None, "/callback"),
            ("http://[::1]:8080/", LoopbackHost::V6, Some(8080), "/"),
            (
                "http://localhost:9990/auth",
                LoopbackHost::Localhost,
                Some(9990),
                "/auth",
            ),
            ("http://127.0.0.1", LoopbackHost::V4, None, ""),
            ("http://[::1]/x", LoopbackHost::V6, None, "/x"),
        ] {
            let redirect = Redirect::of(Some(uri), "").unwrap();
            assert_eq!((redirect.host, redirect.port), (host, port), "{uri}");
            assert_eq!(redirect.path, LoopbackPath::Registered(path.to_owned()), "{uri}");
        }
        for uri in [
            "https://127.0.0.1/x",
            "http://evil.example/x",
            "http://127.0.0.1.evil/x",
            "http://127.0.0.1:x/",
            "",
        ] {
            assert!(Redirect::of(Some(uri), "").is_err(), "{uri}");
        }
        let default = Redirect::of(None, "v3oidcbrowser").unwrap();
        assert_eq!(default.path, LoopbackPath::Registered(String::new()));
    }
}
