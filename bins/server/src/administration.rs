//! From `[administration]` and `[registration]` to who administers clients and keys, and which clients register themselves.

use crate::config::{Config, RegistrationSection};
use crate::custody;
use crate::keystone::Keystone;
use anyhow::{Context as _, anyhow, ensure};
use sealstone_identity::{AdministratorSource, DomainId, RoleName};
use sealstone_keystone::KeystoneAdministrators;
use sealstone_mtls::SubjectMatcher;
use sealstone_oauth_types::{GrantType, ScopeSet, TokenEndpointAuthMethod};
use sealstone_provider::{Administration, AdministratorCertificate, KeyAdministration, KeyWorkshop};
use sealstone_registry::RegistrationPolicy;
use sealstone_storage::SqlStore;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is configured; the store comes later.
pub(crate) struct Administrators {
    keystone: Option<KeystoneAdministrators>,
    cloud_roles: Vec<RoleName>,
    manager_roles: Vec<RoleName>,
    grantable: ScopeSet,
    certificates: Vec<AdministratorCertificate>,
    policy: Option<RegistrationPolicy>,
    policies: BTreeMap<DomainId, Option<RegistrationPolicy>>,
    /// Those of whom two must agree on the revocation of a key.
    of_keys: Option<Arc<sealstone_keyring::Administrators>>,
}

/// Reads and checks it all; `None` without `[administration]`.
///
/// # Errors
/// Every fault, not only the first.
pub(crate) fn compose(
    config: &Config,
    keystone: Option<&Keystone>,
) -> Result<Option<Administrators>, Vec<anyhow::Error>> {
    let Some(section) = &config.administration else {
        let named = config.registration.iter().chain(config.registration_of.values());
        if named.into_iter().any(|section| section.enabled) {
            return Err(vec![anyhow!(
                "[registration] without [administration]: nobody could make initial access tokens; add [administration]"
            )]);
        }
        return Ok(None);
    };
    let mut faults = Vec::new();
    let mut keep = |fault: anyhow::Error| faults.push(fault);
    let cloud_roles = roles("administration.cloud_roles", &section.cloud_roles)
        .map_err(&mut keep)
        .unwrap_or_default();
    let manager_roles = roles("administration.manager_roles", &section.manager_roles)
        .map_err(&mut keep)
        .unwrap_or_default();
    let grantable = scope("administration.grantable_scope", &section.grantable_scope)
        .map_err(&mut keep)
        .unwrap_or_default();
    let cloud = section.cloud_certificates.iter().map(|text| of_cloud(text));
    let domain = section.domain_certificates.iter().map(|text| of_domain(text));
    let certificates = cloud
        .chain(domain)
        .filter_map(|read| read.map_err(&mut keep).ok());
    let certificates: Vec<AdministratorCertificate> = certificates.collect();
    let policy = config
        .registration
        .as_ref()
        .map(|section| policy("registration", section));
    let policy = policy.transpose().map_err(&mut keep).ok().flatten().flatten();
    let mut policies = BTreeMap::new();
    for (name, section) in &config.registration_of {
        let key = format!("registration_of.{name}");
        let read = DomainId::parse(name).with_context(|| format!("[{key}]"));
        match read.and_then(|domain| Ok((domain, self::policy(&key, section)?))) {
            Ok((domain, policy)) => drop(policies.insert(domain, policy)),
            Err(fault) => keep(fault),
        }
    }
    // Never `None` for a file that can't be read: then one would be enough.
    let of_keys = custody::administrators(config).map_err(&mut keep);
    let of_keys = of_keys.ok().flatten().map(Arc::new);
    if !faults.is_empty() {
        return Err(faults);
    }
    let asked = keystone.filter(|_| section.keystone);
    Ok(Some(Administrators {
        keystone: asked.map(|keystone| KeystoneAdministrators::new(keystone.client.clone())),
        cloud_roles,
        manager_roles,
        grantable,
        certificates,
        policy,
        policies,
        of_keys,
    }))
}

impl Administrators {
    /// The same over the store.
    pub(crate) fn over(self, store: Arc<SqlStore>, workshop: Arc<dyn KeyWorkshop>) -> Administration {
        let source = |source| -> Arc<dyn AdministratorSource> { Arc::new(source) };
        Administration {
            keys: KeyAdministration {
                requests: store.clone(),
                administrators: self.of_keys,
                workshop,
            },
            registrations: store,
            keystone: self.keystone.map(source),
            manager_roles: self.manager_roles,
            cloud_roles: self.cloud_roles,
            grantable: self.grantable,
            certificates: self.certificates,
            policy: self.policy,
            policies: self.policies,
        }
    }

    /// What `check` says of it.
    pub(crate) fn describe(&self, config: &Config) -> Vec<String> {
        let section = config.administration.clone().unwrap_or_default();
        let mut ways = vec!["access tokens with sealstone:clients".to_owned()];
        if self.keystone.is_some() {
            ways.push("Keystone tokens".to_owned());
        }
        if !self.certificates.is_empty() {
            ways.push(format!("{} certificates", self.certificates.len()));
        }
        if let Some(path) = &section.socket {
            ways.push(format!("the socket {}", path.display()));
        }
        let mut lines = vec![format!("clients    administered by {}", ways.join(", "))];
        let own = self.policies.iter().filter(|(_, policy)| policy.is_some());
        let mut who: Vec<String> = own.map(|(domain, _)| domain.to_string()).collect();
        if self.policy.is_some() {
            who.push("every domain without rules of its own".to_owned());
        }
        if !who.is_empty() {
            lines.push(format!("           register themselves in {}", who.join(", ")));
        }
        lines
    }
}

fn roles(key: &str, names: &[String]) -> anyhow::Result<Vec<RoleName>> {
    let parse = |name: &String| RoleName::parse(name).with_context(|| format!("{key}: {name:?}"));
    names.iter().map(parse).collect()
}

fn scope(key: &str, text: &str) -> anyhow::Result<ScopeSet> {
    if text.is_empty() {
        return Ok(ScopeSet::default());
    }
    ScopeSet::parse(text).with_context(|| format!("{key} = {text:?}: names parted by one space"))
}

fn of_cloud(text: &str) -> anyhow::Result<AdministratorCertificate> {
    Ok(AdministratorCertificate {
        subject: subject("administration.cloud_certificates", text)?,
        domain: None,
    })
}

fn of_domain(text: &str) -> anyhow::Result<AdministratorCertificate> {
    let key = "administration.domain_certificates";
    let form = || {
        format!(
            "{key}: {text:?}: write DOMAIN MEMBER=VALUE, as in \"demo tls_client_auth_san_dns=m.example\""
        )
    };
    let (domain, rest) = text.split_once(' ').with_context(form)?;
    Ok(AdministratorCertificate {
        subject: subject(key, rest)?,
        domain: Some(DomainId::parse(domain).with_context(form)?),
    })
}

fn subject(key: &str, text: &str) -> anyhow::Result<SubjectMatcher> {
    let form = || {
        format!(
            "{key}: {text:?}: write MEMBER=VALUE, as in \"tls_client_auth_subject_dn=CN=admin,O=Example\""
        )
    };
    let (member, value) = text.split_once('=').with_context(form)?;
    SubjectMatcher::parse(member, value).with_context(form)
}

/// The rules, or none where clients do not register themselves.
fn policy(key: &str, section: &RegistrationSection) -> anyhow::Result<Option<RegistrationPolicy>> {
    let grant = |name: &String| {
        GrantType::parse(name).with_context(|| format!("{key}.grant_types: there is no grant {name:?}"))
    };
    let method = |name: &String| {
        TokenEndpointAuthMethod::parse(name)
            .with_context(|| format!("{key}.token_endpoint_auth_methods: there is no method {name:?}"))
    };
    let scopes = scope(&format!("{key}.scope"), &section.scope)?;
    for reserved in ["sealstone:clients", "sealstone:keys", "openstack:api"] {
        ensure!(
            !scopes.contains(reserved),
            "{key}.scope: {reserved} is not for clients that register themselves: remove it"
        );
    }
    let grants = section.grant_types.iter().map(grant).collect::<Result<_, _>>()?;
    let methods = section.token_endpoint_auth_methods.iter().map(method);
    let mut policy = RegistrationPolicy::default()
        .with_scopes(&scopes)
        .with_grants(grants)
        .with_methods(methods.collect::<Result<_, _>>()?);
    if !section.redirect_hosts.is_empty() {
        let is_host = |host: &&String| {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
            !host.is_empty() && host.bytes().all(plain)
        };
        let wrong = section.redirect_hosts.iter().find(|host| !is_host(host));
        ensure!(
            wrong.is_none(),
            "{key}.redirect_hosts: {wrong:?} is no host in small letters, without scheme and port"
        );
        policy = policy.with_redirect_hosts(section.redirect_hosts.clone());
    }
    Ok(section.enabled.then_some(policy))
}
