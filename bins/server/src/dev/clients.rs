//! The demo's clients: one for each way to authenticate, and a gateway that may introspect.

use super::certificates::{MACHINE_SAN, MACHINE_SUBJECT, Made, Pair};
use super::{DOMAIN, DevClient, DevFile};
use crate::config::Config;
use crate::run::Served;
use crate::secrets;
use anyhow::Context as _;
use sealstone_identity::DomainId;
use sealstone_jose::{Jwk, JwkSet};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::ClientId;
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore as _, Insertion, Replacement, SecretSet,
};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use zeroize::Zeroizing;

/// What the machines may ask for; `openstack:api` brings the demo project's authority into the token.
const MACHINE_SCOPE: &str = "openstack:api demo:read";
/// What a secret alone may ask for.
const SECRET_SCOPE: &str = "demo:read";

/// What a client may ask of people.
const PERSON_SCOPE: &str = "openid profile email groups offline_access openstack:api";

/// A client of the demo before it is registered.
struct Plan<'a> {
    name: &'static str,
    auth: &'static str,
    pair: Option<&'a Pair>,
    scope: &'static str,
    of_people: bool,
    more: Value,
}

impl Plan<'_> {
    fn has_secret(&self) -> bool {
        self.pair.is_none() && self.auth != "none"
    }
}

/// Where the demo's own relying party waits for people.
pub(super) struct RelyingParty {
    pub(super) callback: String,
    pub(super) signed_out: String,
}

/// Registers the clients that are not there yet; those that are keep what they are.
pub(super) async fn register(
    served: &Served,
    config: &Config,
    made: &Made,
    party: &RelyingParty,
    before: Option<&DevFile>,
) -> anyhow::Result<Vec<DevClient>> {
    let mut clients = Vec::new();
    for plan in plans(made)?.into_iter().chain(plans_of_people(party)) {
        let secret = ensure(served, config, &plan, before).await?;
        clients.push(DevClient {
            name: plan.name.to_owned(),
            client_id: plan.name.to_owned(),
            auth: plan.auth.to_owned(),
            cert: plan.pair.map(|pair| pair.certificate.clone()),
            key: plan.pair.map(|pair| pair.key.clone()),
            client_secret: secret,
            scope: plan.scope.to_owned(),
        });
    }
    Ok(clients)
}

fn plans(made: &Made) -> anyhow::Result<Vec<Plan<'_>>> {
    let keys = self_signed_keys(&made.machine_self_signed)?;
    let machine = |name, auth, pair, more| Plan {
        name,
        auth,
        pair: Some(pair),
        scope: MACHINE_SCOPE,
        of_people: false,
        more,
    };
    let with_secret = |name, more| Plan {
        name,
        auth: "client_secret_basic",
        pair: None,
        scope: SECRET_SCOPE,
        of_people: false,
        more,
    };
    Ok(vec![
        machine(
            "machine",
            "tls_client_auth",
            &made.machine,
            json!({"tls_client_auth_subject_dn": MACHINE_SUBJECT}),
        ),
        machine(
            "machine-san",
            "tls_client_auth",
            &made.machine_san,
            json!({"tls_client_auth_san_dns": MACHINE_SAN}),
        ),
        machine(
            "machine-self-signed",
            "self_signed_tls_client_auth",
            &made.machine_self_signed,
            json!({"jwks": keys}),
        ),
        with_secret("machine-secret", json!({})),
        with_secret("gateway", json!({"introspection": "domain"})),
    ])
}

/// A page on a server, and a program on somebody's machine.
fn plans_of_people(party: &RelyingParty) -> [Plan<'static>; 2] {
    let plan = |name, auth, more| Plan {
        name,
        auth,
        pair: None,
        scope: PERSON_SCOPE,
        of_people: true,
        more,
    };
    [
        plan(
            "web",
            "client_secret_basic",
            json!({
                "grant_types": ["authorization_code", "refresh_token"],
                "redirect_uris": [party.callback],
                "post_logout_redirect_uris": [party.signed_out],
            }),
        ),
        plan(
            "cli",
            "none",
            json!({
                "application_type": "native",
                "grant_types": [
                    "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
                ],
                "redirect_uris": ["http://127.0.0.1/callback", "http://[::1]/callback"],
            }),
        ),
    ]
}

/// The client's public key without its certificate, so that a renewed certificate of the same key is accepted too.
fn self_signed_keys(pair: &Pair) -> anyhow::Result<Value> {
    let pem = fs::read_to_string(&pair.certificate).context("the self-signed certificate")?;
    let certificate = ClientCertificate::from_pem(&pem)?;
    let keys = JwkSet::new(vec![Jwk::from_spki_der(certificate.spki_der())?])?;
    Ok(serde_json::from_str(&keys.to_json())?)
}

fn registration(plan: &Plan<'_>) -> anyhow::Result<ClientRegistration> {
    let has_authority = !plan.of_people && plan.scope.contains("openstack:api");
    let authority = has_authority.then(|| {
        json!({
            "user": {"id": plan.name, "name": plan.name, "domain_id": DOMAIN},
            "scope": {"type": "project", "id": "demo-project", "name": "demo", "domain_id": DOMAIN},
            "roles": ["member"],
        })
    });
    let mut registration = json!({
        "client_name": format!("Demo {}", plan.name),
        "token_endpoint_auth_method": plan.auth,
        "scope": plan.scope,
        "authority": authority,
    });
    if let (Value::Object(registration), false) = (&mut registration, plan.of_people) {
        registration.insert("resources".to_owned(), json!(["https://resource.demo.test"]));
    }
    if let (Value::Object(registration), Value::Object(more)) = (&mut registration, &plan.more) {
        registration.extend(more.clone());
    }
    Ok(ClientRegistration::from_json(
        registration.to_string().as_bytes(),
    )?)
}

/// The client's secret, if it has one: the one of before, or a new one when that can't be told any more.
async fn ensure(
    served: &Served,
    config: &Config,
    plan: &Plan<'_>,
    before: Option<&DevFile>,
) -> anyhow::Result<Option<String>> {
    let id = ClientId::parse(plan.name)?;
    let Some(client) = served.store.client(&id).await? else {
        return create(served, config, plan, id).await;
    };
    if plan.pair.is_some() {
        keep_key(served, plan, &client).await?;
        return Ok(None);
    }
    if plan.of_people {
        keep_addresses(served, plan, &client).await?;
    }
    if !plan.has_secret() {
        return Ok(None);
    }
    let known = before.and_then(|file| file.clients.iter().find(|client| client.name == plan.name));
    match known.and_then(|client| client.client_secret.clone()) {
        Some(secret) => Ok(Some(secret)),
        None => rotate(served, config, &client).await.map(Some),
    }
}

async fn create(
    served: &Served,
    config: &Config,
    plan: &Plan<'_>,
    id: ClientId,
) -> anyhow::Result<Option<String>> {
    let secret = plan.has_secret().then(draw_secret).transpose()?;
    let pepper = secrets::read_pepper(&config.secrets.pepper_file)?;
    let hashed = secret
        .as_ref()
        .map(|secret| SecretSet::new(secret.hash(&pepper), None));
    let client = registration(plan)?.into_client(DomainId::parse(DOMAIN)?, id, hashed, SystemClock.now())?;
    match served.store.insert(client).await? {
        Insertion::Inserted => Ok(secret.map(|secret| secret.expose().to_owned())),
        Insertion::Exists | Insertion::UnknownDomain => {
            anyhow::bail!(
                "the demo client {} could not be registered: another program changed the data folder",
                plan.name
            )
        }
    }
}

/// The relying party of this start may listen at another port than that of the start before.
async fn keep_addresses(served: &Served, plan: &Plan<'_>, client: &Client) -> anyhow::Result<()> {
    let (before, wanted) = (client.registration(), registration(plan)?);
    let same = before.redirect_uris == wanted.redirect_uris
        && before.post_logout_redirect_uris == wanted.post_logout_redirect_uris;
    if same {
        return Ok(());
    }
    let changed = client.updated(wanted, None, SystemClock.now())?;
    replace(served, client.version(), changed).await
}

/// A self-signed certificate that was made anew has another key: the client's registration follows it.
async fn keep_key(served: &Served, plan: &Plan<'_>, client: &Client) -> anyhow::Result<()> {
    let wanted = registration(plan)?;
    if client.registration().jwks == wanted.jwks {
        return Ok(());
    }
    let changed = client.updated(wanted, None, SystemClock.now())?;
    replace(served, client.version(), changed).await
}

async fn rotate(served: &Served, config: &Config, client: &Client) -> anyhow::Result<String> {
    let secret = draw_secret()?;
    let pepper = secrets::read_pepper(&config.secrets.pepper_file)?;
    let now = SystemClock.now();
    let changed = client.with_rotated_secret(secret.hash(&pepper), None, Duration::ZERO, now)?;
    replace(served, client.version(), changed).await?;
    Ok(secret.expose().to_owned())
}

async fn replace(served: &Served, version: u64, client: Client) -> anyhow::Result<()> {
    let name = client.name().to_owned();
    match served.store.replace(version, client).await? {
        Replacement::Replaced => Ok(()),
        Replacement::Conflict | Replacement::Missing => {
            anyhow::bail!(
                "the client {name} changed under us: another program uses the data folder; start again"
            )
        }
    }
}

fn draw_secret() -> anyhow::Result<ClientSecretText> {
    let mut octets = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *octets)
        .ok()
        .context("the system's random source failed")?;
    Ok(ClientSecretText::from_random(*octets))
}
