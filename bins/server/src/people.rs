//! From `[people]` and its kin to the realms by which people sign in.

mod describe;
mod logout;

use crate::config::{
    Config, DemandName, FirstFactor, LogoutSection, PeopleProfile, PeopleSection, PrivacyIdeaSection,
    SourceName, UpstreamAuthentication, UpstreamSection,
};
use crate::hashing::BlockingHashing;
use anyhow::{Context as _, anyhow, ensure};
use sealstone_ca::files;
use sealstone_directory::EmbeddedDirectory;
use sealstone_http::IpNetwork;
use sealstone_identity::{DomainId, LoginSource};
use sealstone_keystone::{DomainKey, KeystoneIdentity, KeystonePeople};
use sealstone_login::{
    FactorKind, FirstFactors, LoginPolicy, SecondFactorAuthority, SessionLimits, UpstreamLogin,
};
use sealstone_pages::Brands;
use sealstone_privacyidea::{Demand, PrivacyIdea, PrivacyIdeaConfig};
use sealstone_provider::people::{PeopleConfig, PeoplePorts, Profile, Realm};
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_storage::SqlStore;
use sealstone_upstream::{ClientAuthentication, UpstreamConfig, UpstreamProvider};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest that a session may live: after three months a person has changed rooms, machines or employers.
const LONGEST_SESSION_S: u64 = 90 * 86_400;

/// How people sign in, before there is a store.
pub(crate) struct People {
    everywhere: Option<Plan>,
    somewhere: BTreeMap<DomainId, Plan>,
    logouts: logout::Sender,
    /// The source of people who are in Keystone; one for all domains.
    keystone: Option<KeystonePeople>,
}

/// One realm, before there is a store.
struct Plan {
    source: SourceName,
    vouched: bool,
    /// Whose people of the Keystone sign in; `None`: those of each issuer's own domain.
    users_of: Option<DomainId>,
    second_factor: Option<Arc<PrivacyIdea>>,
    upstream: Option<Arc<UpstreamProvider>>,
    config: PeopleConfig,
}

/// Reads and checks `[people]`, `[people_of.…]` and `[logout]`; `None` where nobody signs in.
///
/// # Errors
/// Every fault, each with its key.
pub(crate) fn compose(
    config: &Config,
    keystone: Option<&KeystoneIdentity>,
) -> Result<Option<People>, Vec<anyhow::Error>> {
    let mut faults = Vec::new();
    let everywhere = config.people.as_ref().map(|section| plan("people", section));
    let everywhere = everywhere.transpose().unwrap_or_else(|found| {
        faults.extend(found);
        None
    });
    let mut somewhere = BTreeMap::new();
    for (domain, section) in &config.people_of {
        let key = format!("people_of.{domain}");
        let id = DomainId::parse(domain).with_context(|| format!("[{key}] is named as no domain is"));
        match (id, plan(&key, section)) {
            (Ok(id), Ok(plan)) => drop(somewhere.insert(id, plan)),
            (id, plan) => {
                faults.extend(id.err());
                faults.extend(plan.err().unwrap_or_default());
            }
        }
    }
    let needs_keystone = everywhere
        .iter()
        .chain(somewhere.values())
        .any(|plan| plan.source == SourceName::Keystone);
    if needs_keystone && keystone.is_none() {
        faults.push(anyhow!(
            "people.source = \"keystone\" without [keystone]: say there which Keystone"
        ));
    }
    let logouts = logout_sender(&config.logout)
        .map_err(|fault| faults.push(fault))
        .ok();
    let (Some(logouts), true) = (logouts, faults.is_empty()) else {
        return Err(faults);
    };
    if everywhere.is_none() && somewhere.is_empty() {
        return Ok(None);
    }
    Ok(Some(People {
        everywhere,
        somewhere,
        logouts,
        keystone: keystone
            .filter(|_| needs_keystone)
            .cloned()
            .map(KeystonePeople::new),
    }))
}

/// The folder of the pages' texts and looks, or ours.
pub(crate) fn brands(config: &Config) -> anyhow::Result<Brands> {
    match &config.pages.folder {
        Some(folder) => Brands::load(folder).with_context(|| format!("pages.folder: {}", folder.display())),
        None => Ok(Brands::plain()),
    }
}

impl People {
    /// The ports over a store.
    pub(crate) fn ports(&self, store: &Arc<SqlStore>, hashing: &Arc<BlockingHashing>) -> PeoplePorts {
        let directory = EmbeddedDirectory::new(store.clone(), hashing.clone(), || SystemClock.now());
        let realm = |plan: &Plan| {
            let source: Option<Arc<dyn LoginSource>> = match plan.source {
                SourceName::Directory => Some(Arc::new(directory.clone())),
                SourceName::Keystone => match self.keystone.clone() {
                    Some(people) => Some(Arc::new(of_keystone(people, plan))),
                    None => None,
                },
                SourceName::Upstream => None,
            };
            let mut second_factor: Option<Arc<dyn SecondFactorAuthority>> = None;
            if let Some(authority) = plan.second_factor.clone() {
                second_factor = Some(authority);
            }
            let mut upstream: Option<Arc<dyn UpstreamLogin>> = None;
            if let Some(provider) = plan.upstream.clone() {
                upstream = Some(provider);
            }
            Arc::new(Realm {
                source,
                second_factor,
                upstream,
                config: plan.config.clone(),
            })
        };
        PeoplePorts {
            realm: self.everywhere.as_ref().map(realm),
            realms: self
                .somewhere
                .iter()
                .map(|(id, plan)| (id.clone(), realm(plan)))
                .collect(),
            sessions: store.clone(),
            factors: store.clone(),
            throttles: store.clone(),
            interactions: store.clone(),
            consents: store.clone(),
            codes: store.clone(),
            refresh: store.clone(),
            devices: store.clone(),
            logouts: store.clone(),
            logout_sender: Arc::new(self.logouts.clone()),
        }
    }

    /// Who is followed in Keystone, if people come from there.
    pub(crate) const fn keystone(&self) -> Option<&KeystonePeople> {
        self.keystone.as_ref()
    }
}

/// The people of the Keystone that this realm means.
fn of_keystone(mut people: KeystonePeople, plan: &Plan) -> KeystonePeople {
    if plan.vouched {
        people = people.with_vouched_addresses();
    }
    if let Some(domain) = &plan.users_of {
        people = people.with_users_of(DomainKey::Id(domain.clone()));
    }
    people
}

fn plan(key: &str, section: &PeopleSection) -> Result<Plan, Vec<anyhow::Error>> {
    let mut faults = Vec::new();
    let mut keep = |fault: anyhow::Error| faults.push(fault);
    let second_factor = section.privacyidea.as_ref();
    let second_factor = second_factor
        .map(|section| privacyidea(&format!("{key}.privacyidea"), section))
        .transpose()
        .map_err(&mut keep)
        .ok()
        .flatten();
    let upstream = section.upstream.as_ref();
    let upstream = upstream
        .map(|section| upstream_provider(&format!("{key}.upstream"), section))
        .transpose()
        .map_err(&mut keep)
        .ok()
        .flatten();
    let sessions = sessions(key, section).map_err(&mut keep).ok();
    let users_of = section.keystone_domain_id.as_deref().map(DomainId::parse);
    let users_of = users_of
        .transpose()
        .with_context(|| format!("{key}.keystone_domain_id"))
        .map_err(&mut keep)
        .ok()
        .flatten();
    for fault in contradictions(key, section) {
        keep(fault);
    }
    let (Some(sessions), true) = (sessions, faults.is_empty()) else {
        return Err(faults);
    };
    let begins = |first| section.first_factors.contains(&first);
    let has_source = section.source != SourceName::Upstream;
    let policy = LoginPolicy {
        first: FirstFactors {
            password: has_source && begins(FirstFactor::Password),
            passkey: has_source && begins(FirstFactor::Passkey),
            upstream: section.upstream.is_some(),
        },
        second: section.second_factor,
        kinds: section.second_factors.clone(),
        enrolment: section.enrolment,
        believe_upstream_mfa: section
            .upstream
            .as_ref()
            .is_some_and(|upstream| upstream.believe_mfa),
    };
    Ok(Plan {
        source: section.source,
        vouched: section.email_is_verified,
        users_of,
        second_factor: second_factor.map(Arc::new),
        upstream: upstream.map(Arc::new),
        config: PeopleConfig {
            policy,
            sessions,
            service_name: section.service_name.clone(),
            upstream_name: section
                .upstream
                .as_ref()
                .map_or_else(String::new, |upstream| upstream.name.clone()),
            profile: match section.profile {
                PeopleProfile::Standard => Profile::Standard,
                PeopleProfile::Broker => Profile::Broker,
            },
        },
    })
}

/// What is said twice, or of what is not there.
fn contradictions(key: &str, section: &PeopleSection) -> Vec<anyhow::Error> {
    let mut faults = Vec::new();
    let asks_authority = section.second_factors.contains(&FactorKind::Authority);
    if asks_authority != section.privacyidea.is_some() {
        faults.push(anyhow!(
            "{key}.second_factors names \"authority\" exactly if there is a [{key}.privacyidea]: add the one or remove the other"
        ));
    }
    if section.source == SourceName::Upstream && section.upstream.is_none() {
        faults.push(anyhow!(
            "{key}.source = \"upstream\" without [{key}.upstream]: say there which provider"
        ));
    }
    if section.source != SourceName::Keystone && section.keystone_domain_id.is_some() {
        faults.push(anyhow!(
            "{key}.keystone_domain_id is for source = \"keystone\": remove it"
        ));
    }
    if section.first_factors.contains(&FirstFactor::Upstream) && section.upstream.is_none() {
        faults.push(anyhow!(
            "{key}.first_factors names \"upstream\" without [{key}.upstream]"
        ));
    }
    if section.source != SourceName::Upstream && section.first_factors.is_empty() {
        faults.push(anyhow!(
            "{key}.first_factors is empty: nobody could begin to sign in"
        ));
    }
    let only_recovery = section.second_factors == [FactorKind::Recovery];
    if only_recovery {
        faults.push(anyhow!(
            "{key}.second_factors has \"recovery\" alone: recovery codes stand in for a passkey or an app"
        ));
    }
    if section.service_name.trim().is_empty() || section.service_name.chars().any(char::is_control) {
        faults.push(anyhow!("{key}.service_name must be a name to show to people"));
    }
    faults
}

fn sessions(key: &str, section: &PeopleSection) -> anyhow::Result<SessionLimits> {
    let (idle, absolute) = (section.session_idle_s, section.session_lifetime_s);
    let least = SessionLimits::MIN_IDLE.as_secs();
    ensure!(
        (least..=LONGEST_SESSION_S).contains(&idle),
        "{key}.session_idle_s = {idle}: give {least} to {LONGEST_SESSION_S} seconds"
    );
    ensure!(
        (idle..=LONGEST_SESSION_S).contains(&absolute),
        "{key}.session_lifetime_s = {absolute}: give at least session_idle_s ({idle}) and at most {LONGEST_SESSION_S}"
    );
    Ok(SessionLimits {
        idle: Duration::from_secs(idle),
        absolute: Duration::from_secs(absolute),
    })
}

/// The secret in a file that only its owner reads.
fn secret(key: &str, path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(files::read_private(path).with_context(|| key.to_owned())?);
    let secret = text.trim();
    ensure!(
        !secret.is_empty(),
        "{key}: {} is empty: write the secret into it",
        path.display()
    );
    Ok(Zeroizing::new(secret.to_owned()))
}

fn privacyidea(key: &str, section: &PrivacyIdeaSection) -> anyhow::Result<PrivacyIdea> {
    let password = secret(&format!("{key}.password_file"), &section.password_file)?;
    let mut config = PrivacyIdeaConfig::new(&section.url, &section.realm, &section.user_name, password)
        .with_context(|| format!("[{key}]"))?
        .with_demand(match section.demand {
            DemandName::Everybody => Demand::Everybody,
            DemandName::WhoeverHasAToken => Demand::WhoeverHasAToken,
        });
    if let Some(path) = &section.ca_file {
        let at_fault = || format!("{key}.ca_file: {}", path.display());
        let pem = fs::read(path).with_context(at_fault)?;
        config = config.with_authorities(&pem).with_context(at_fault)?;
    }
    if section.dangerous_plain_http {
        config = config.dangerous_with_plain_http();
    }
    PrivacyIdea::new(config).with_context(|| format!("[{key}]"))
}

fn upstream_provider(key: &str, section: &UpstreamSection) -> anyhow::Result<UpstreamProvider> {
    let secret_key = format!("{key}.client_secret_file");
    let from_file = section.client_secret_file.as_deref();
    let from_file = from_file.map(|path| secret(&secret_key, path)).transpose()?;
    let authentication = match (section.client_authentication, from_file) {
        (UpstreamAuthentication::ClientSecretBasic, Some(secret)) => ClientAuthentication::Basic(secret),
        (UpstreamAuthentication::ClientSecretPost, Some(secret)) => ClientAuthentication::Post(secret),
        (UpstreamAuthentication::None, None) => ClientAuthentication::None,
        (UpstreamAuthentication::None, Some(_)) => {
            anyhow::bail!(
                "{secret_key} with client_authentication = \"none\": remove the one or change the other"
            )
        }
        (UpstreamAuthentication::ClientSecretBasic | UpstreamAuthentication::ClientSecretPost, None) => {
            anyhow::bail!(
                "{secret_key} is missing: name it, or set client_authentication = \"none\" for a public client"
            )
        }
    };
    let mut config = UpstreamConfig::new(&section.issuer, &section.client_id, authentication)
        .and_then(|config| config.with_scopes(section.scopes.clone()))
        .and_then(|config| config.with_algorithms(section.algorithms.clone()))
        .with_context(|| format!("[{key}]"))?
        .with_userinfo(section.userinfo);
    if let Some(url) = &section.browser_url {
        config = config
            .with_browser_url(url)
            .with_context(|| format!("{key}.browser_url"))?;
    }
    if let Some(url) = &section.back_channel_url {
        config = config
            .with_back_channel_url(url)
            .with_context(|| format!("{key}.back_channel_url"))?;
    }
    if let Some(path) = &section.ca_file {
        let at_fault = || format!("{key}.ca_file: {}", path.display());
        let pem = fs::read(path).with_context(at_fault)?;
        config = config.with_authorities(&pem).with_context(at_fault)?;
    }
    if section.dangerous_plain_http {
        config = config.dangerous_with_plain_http();
    }
    UpstreamProvider::new(config).with_context(|| format!("[{key}]"))
}

fn logout_sender(section: &LogoutSection) -> anyhow::Result<logout::Sender> {
    let parse = |text: &String| {
        let network: Result<IpNetwork, _> = text.parse();
        network.with_context(|| format!("logout.insecure_networks: {text:?}"))
    };
    let networks: Vec<IpNetwork> = section
        .insecure_networks
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()?;
    logout::Sender::new(section.ca_file.as_deref(), networks)
}
