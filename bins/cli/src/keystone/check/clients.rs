//! Our domains and clients, as Keystone knows what they are tied to.

use std::collections::BTreeSet;

use sealstone_identity::{
    ApplicationCredentialId, Delegated, IdentitySource as _, IdentitySourceError, MachineLogin, UserId,
};
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_keystone::{KeystoneClient, KeystoneIdentity, KeystoneRefusal};
use sealstone_registry::{Client, ClientStore as _, CredentialLogin, MAX_PAGE, MachineTie, TiedCredential};
use sealstone_storage::SqlStore;
use zeroize::Zeroizing;

use super::{Minting, Reader, Report, endpoint::chain, report::Verdict};
use crate::{
    clock,
    failure::Outcome,
    output,
    store::{self, Places},
};

/// The issuer of the whole cloud stands for no domain of Keystone.
const WHOLE_CLOUD: &str = "global";
/// A credential that ends sooner deserves to be renewed now.
const SOON: u64 = 14 * 24 * 3600;

pub(super) async fn look(
    keystone: &KeystoneClient,
    reader: Option<&Reader>,
    minting: Option<&Minting>,
    places: &Places,
    report: &mut Report,
) -> Outcome {
    let opened = places.store().await?;
    let domains = store::domains(&opened, None).await?;
    let clients = tied(&opened, &domains).await?;
    opened.close().await;
    for domain in domains.iter().filter(|domain| domain.as_str() != WHOLE_CLOUD) {
        let is_needed = clients.iter().any(|client| client.domain() == domain);
        domain_known(domain, is_needed, reader, report).await;
    }
    let source = KeystoneIdentity::builder(keystone.clone());
    let source = match minting {
        Some(minting) => source.with_mint(minting.mint()?),
        None => source,
    };
    let source = source.build();
    let mut progress = output::Progress::new("clients", clients.len());
    let mut seen = BTreeSet::new();
    for client in &clients {
        progress.step();
        let subject = client.id().as_str();
        if matches!(client.tie(), MachineTie::Mapping { .. }) {
            let found = "tied by a mapping: whom it acts as depends on its certificate";
            let advice = "try certificates with `sealstone mapping test`";
            report.add(Verdict::Unknown, "client", Some(subject), found, advice);
            continue;
        }
        match ask(&source, client, places).await {
            Ok(Some(delegated)) => granted(client, &delegated, report),
            Ok(None) => {
                let found = "its secret can't be read with this key-encryption key";
                report.wrong_in(
                    "client",
                    subject,
                    found,
                    "give it its application credential anew",
                );
            }
            Err(error) => refused(subject, &error, report),
        }
        if let MachineTie::ApplicationCredential(tied) = client.tie()
            && let Some(user_id) = client.tie().user_id()
            && seen.insert(tied.id.as_str().to_owned())
        {
            ends(subject, reader, user_id, &tied.id, report).await;
        }
    }
    if clients.is_empty() {
        report.right("client", "none is tied to Keystone");
    }
    Ok(())
}

async fn domain_known(
    domain: &sealstone_identity::DomainId,
    is_needed: bool,
    reader: Option<&Reader>,
    report: &mut Report,
) {
    let (check, subject) = ("domain", Some(domain.as_str()));
    let Some(reader) = reader else {
        return report.add(
            Verdict::Unknown,
            check,
            subject,
            "nobody may ask",
            "correct [keystone.service]",
        );
    };
    match reader.session.domain(domain).await {
        Ok(found) if found.enabled => report.add(Verdict::Right, check, subject, "Keystone has it", ""),
        Ok(_) => {
            let advice = "enable it in Keystone, or disable its clients here";
            report.add(
                Verdict::Wrong,
                check,
                subject,
                "it is disabled in Keystone",
                advice,
            );
        }
        Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => {
            let advice =
                "an issuer's domain is named by the id of one of Keystone: make another, with its clients";
            let (verdict, found) = if is_needed {
                (
                    Verdict::Wrong,
                    "Keystone has no domain of this id, and it has clients tied to Keystone",
                )
            } else {
                (
                    Verdict::Weak,
                    "Keystone has no domain of this id; no client of it is tied to Keystone",
                )
            };
            report.add(verdict, check, subject, found, advice);
        }
        Err(error) => report.add(Verdict::Unknown, check, subject, chain(&error), reader.otherwise),
    }
}

/// Every client that leads to Keystone.
async fn tied(opened: &SqlStore, domains: &[sealstone_identity::DomainId]) -> Outcome<Vec<Client>> {
    let mut clients = Vec::new();
    for domain in domains {
        let mut after = None;
        loop {
            let page = opened.list(domain, after.as_ref(), MAX_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id().clone());
            let leads = |client: &&Client| !matches!(client.tie(), MachineTie::None | MachineTie::Static(_));
            clients.extend(page.iter().map(AsRef::as_ref).filter(leads).cloned());
        }
    }
    Ok(clients)
}

/// What Keystone gives the client now; `None` if its secret can't be read.
async fn ask(
    source: &KeystoneIdentity,
    client: &Client,
    places: &Places,
) -> Result<Option<std::sync::Arc<Delegated>>, IdentitySourceError> {
    let opened: Option<Zeroizing<String>>;
    let login = match client.tie() {
        MachineTie::User { user_id, project_id } => MachineLogin::MintedUser { user_id, project_id },
        MachineTie::ApplicationCredential(TiedCredential { id, login, .. }) => match login {
            CredentialLogin::Minted { user_id, project_id } => MachineLogin::MintedApplicationCredential {
                id,
                user_id,
                project_id,
            },
            CredentialLogin::Secret { sealed, .. } => {
                let place = SecretPlace {
                    purpose: SecretPurpose::ApplicationCredential,
                    domain: client.domain().as_str(),
                    client: client.id().as_str(),
                };
                let key = places.key_encryption_key().ok();
                opened = key.and_then(|key| key.open_secret(place, sealed.as_str()).ok());
                let Some(secret) = &opened else { return Ok(None) };
                MachineLogin::ApplicationCredential { id, secret }
            }
        },
        MachineTie::None | MachineTie::Static(_) | MachineTie::Mapping { .. } => return Ok(None),
    };
    source.machine(&login).await.map(Some)
}

fn granted(client: &Client, delegated: &Delegated, report: &mut Report) {
    let subject = client.id().as_str();
    let roles = delegated.authority.roles();
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let found = format!("Keystone gives it {}", roles.join(", "));
    let unrestricted = delegated
        .application_credential
        .as_ref()
        .is_some_and(|used| !used.restricted);
    if unrestricted {
        let advice = "tie it to a restricted application credential";
        let found = "its application credential is unrestricted: whoever has it makes further ones";
        report.wrong_in("client", subject, found, advice);
    } else if roles.contains(&"admin") {
        let advice = "tie it to an application credential with the roles that its work needs";
        report.add(
            Verdict::Weak,
            "client",
            Some(subject),
            format!("{found}: the whole cloud, or more"),
            advice,
        );
    } else if delegated.application_credential.is_none() && roles.len() > 1 {
        let advice = "an application credential can hand on fewer";
        report.add(
            Verdict::Weak,
            "client",
            Some(subject),
            format!("{found}: all that its user has"),
            advice,
        );
    } else {
        report.add(Verdict::Right, "client", Some(subject), found, "");
    }
}

fn refused(subject: &str, error: &IdentitySourceError, report: &mut Report) {
    let (verdict, advice) = match error {
        IdentitySourceError::Refused(_) => (
            Verdict::Wrong,
            "its credential is gone or has ended, or its user is disabled or has no role in the project any more: \
             `sealstone client update` ties it anew",
        ),
        IdentitySourceError::NotConfigured { .. } => {
            (Verdict::Wrong, "add [keystone.mint], or give it a secret")
        }
        IdentitySourceError::Unavailable { .. } | IdentitySourceError::Malformed { .. } => {
            (Verdict::Unknown, "see the lines about Keystone itself")
        }
    };
    report.add(verdict, "client", Some(subject), chain(error), advice);
}

/// When its credential ends, where somebody may see that.
async fn ends(
    subject: &str,
    reader: Option<&Reader>,
    user_id: &UserId,
    id: &ApplicationCredentialId,
    report: &mut Report,
) {
    let Some(reader) = reader else { return };
    let now = clock::now();
    match reader.session.application_credential(user_id, id).await {
        Ok(found) => {
            if let Some(end) = found.expires_at {
                let text = format!(
                    "its application credential ends {}",
                    clock::date_and_relative(end, now)
                );
                if end.as_secs() <= now.as_secs() {
                    report.wrong_in("client", subject, text, "tie it to a new one");
                } else if end.as_secs().saturating_sub(now.as_secs()) < SOON {
                    report.add(
                        Verdict::Weak,
                        "client",
                        Some(subject),
                        text,
                        "tie it to a new one soon",
                    );
                }
            }
        }
        Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => {
            let found = "its application credential is gone";
            report.wrong_in("client", subject, found, "tie it to a new one");
        }
        Err(error) if error.refusal() == Some(KeystoneRefusal::Forbidden) => {
            let found = "when its application credential ends";
            report.add(Verdict::Unknown, "client", Some(subject), found, reader.otherwise);
        }
        Err(error) => report.add(Verdict::Unknown, "client", Some(subject), chain(&error), ""),
    }
}
