//! `sealstone key ...`: signing keys, on the server's database or over HTTP.

mod confirm;
mod export;
mod import;
mod kek;
mod private_file;
mod remote;
mod revoke;
mod rewrap;

use clap::{Args, Subcommand};
use sealstone_audit::{Action, Reason, Target};
use sealstone_identity::DomainId;
use sealstone_keyring::{
    KeyEncryptionKey, KeyRing, KeyRingError, KeyState, KeyStore as _, Replaced, RingKey, RotationPolicy,
};
use sealstone_storage::SqlStore;
use serde_json::json;

use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    remote::WhereArguments,
    store::{StoreArguments, parse_domain},
};
use remote::Keys;

const OVER_HTTP: &str = "\
Examples:
  sealstone key list --data sealstone-dev
  sealstone key list --url https://id.example.org/v4/oauth2/ops --cert me.pem --key me.key

Over HTTP an administrator of the cloud asks, for the keys of the issuer's domain.";

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List signing keys: where each stands, and what happens to it next
    #[command(after_help = OVER_HTTP)]
    List(KeyArguments),
    /// Publish a new key now; it signs when every verifier knows it
    #[command(after_help = "Examples:\n  sealstone key rotate --data sealstone-dev\n  \
        sealstone key rotate --url https://id.example.org/v4/oauth2/ops --cloud prod\n\n\
        For a stolen key use `sealstone key revoke`.")]
    Rotate(KeyArguments),
    /// Emergency: take a key out of use at once, with every token it signed
    #[command(after_help = "Examples:\n  sealstone key revoke --data sealstone-dev KID\n  \
        sealstone key revoke --url https://id.example.org/v4/oauth2/ops --cert me.pem --key me.key KID\n\n\
        Another key signs at once. Clients must get new tokens. When the database itself was read, revoke the \
        published keys too.")]
    Revoke(revoke::RevokeArguments),
    /// Confirm what another administrator asked for, where two must agree
    #[command(
        after_help = "Example:\n  sealstone key confirm --config sealstoned.toml 5f0c... --as bob \\\n    \
        --administrator-key bob.pem\n\nWhoever asked cannot confirm. After 15 minutes nobody can."
    )]
    Confirm(confirm::ConfirmArguments),
    /// List what waits for a second administrator
    Requests(confirm::RequestsArguments),
    /// Print an administrator's public key, for the file of administrators of whom two must agree
    #[command(
        after_help = "Example:\n  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out alice.pem\n  \
        sealstone key administrator --as alice --administrator-key alice.pem > alice.jwk\n\n\
        The file that keys.administrators_file names is {\"keys\": [ALICE, BOB]}."
    )]
    Administrator(confirm::PublicArguments),
    /// Bring in a private key from elsewhere; it signs when every verifier knows it
    #[command(after_help = "Example:\n  sealstone key import --data sealstone-dev issuer.pem")]
    Import(import::ImportArguments),
    /// Print a key's public half; or write the private key to a file
    #[command(after_help = "Examples:\n  sealstone key export --data sealstone-dev KID\n  \
        sealstone key export --data sealstone-dev KID --dangerous-private-key --out key.pem")]
    Export(export::ExportArguments),
    /// Seal everything under the key-encryption key in use, while servers run
    #[command(after_help = "Example:\n  sealstone key rewrap --data sealstone-dev\n\n\
        It can be broken off, and goes on where it was.")]
    Rewrap(rewrap::RewrapArguments),
    /// Look after key-encryption keys: which one seals, which ones open
    #[command(subcommand)]
    Kek(kek::KekCommand),
}

#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    /// Only this domain [default: all]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    place: WhereArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The rings of the server.
struct Rings {
    store: SqlStore,
    kek: KeyEncryptionKey,
    policy: RotationPolicy,
    domains: Vec<String>,
}

impl Rings {
    async fn open(arguments: &StoreArguments, domain: Option<&DomainId>) -> Outcome<Self> {
        let places = arguments.places()?;
        // The database first: where it isn't, the folder is the wrong one, and that is said.
        let store = places.store().await?;
        let (kek, policy) = (places.key_encryption_key()?, places.policy()?);
        let mut domains = store.domains().await?;
        if let Some(domain) = domain {
            domains.retain(|name| name == domain.as_str());
        }
        if domains.is_empty() {
            store.close().await;
            return Err(Failure::failed(
                "there is no key ring: the server makes one when it first serves the domain",
            ));
        }
        Ok(Self {
            store,
            kek,
            policy,
            domains,
        })
    }

    async fn load(&self, domain: &str) -> Outcome<KeyRing> {
        let stored = self.store.load(domain).await?;
        let stored =
            stored.ok_or_else(|| Failure::failed(format!("{domain} has no key ring any more: try again")))?;
        Ok(KeyRing::open(domain, &stored, &self.kek)?)
    }

    /// Changes a ring by compare-and-swap; the server may rotate at the same moment.
    async fn change<T>(
        &self,
        domain: &str,
        change: impl Fn(&mut KeyRing) -> Outcome<T>,
    ) -> Outcome<(KeyRing, T)> {
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let mut ring = self.load(domain).await?;
            let done = change(&mut ring)?;
            let sealed = ring.seal(domain, &self.kek)?;
            match self.store.replace(domain, ring.generation(), &sealed).await? {
                Replaced::Done => return Ok((ring, done)),
                Replaced::Conflict => {}
            }
        }
        Err(Failure::failed("the key ring kept changing: try again"))
    }
}

pub(crate) async fn run(command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::List(arguments) => match arguments.place.remote() {
            Some(remote) => Keys(remote).list(&arguments).await,
            None => list(arguments).await,
        },
        KeyCommand::Rotate(arguments) => match arguments.place.remote() {
            Some(remote) => Keys(remote).rotate(&arguments).await,
            None => rotate(arguments).await,
        },
        KeyCommand::Revoke(arguments) => match arguments.place.remote() {
            Some(remote) => Keys(remote).revoke(&arguments).await,
            None => revoke::run(arguments).await,
        },
        KeyCommand::Confirm(arguments) => match arguments.place.remote() {
            Some(remote) => Keys(remote).confirm(&arguments).await,
            None => confirm::confirm(arguments).await,
        },
        KeyCommand::Requests(arguments) => match arguments.place.remote() {
            Some(remote) => Keys(remote).requests(&arguments).await,
            None => confirm::requests(arguments).await,
        },
        KeyCommand::Administrator(arguments) => confirm::print_public(&arguments),
        KeyCommand::Import(arguments) => import::run(arguments).await,
        KeyCommand::Export(arguments) => export::run(arguments).await,
        KeyCommand::Rewrap(arguments) => rewrap::run(arguments).await,
        KeyCommand::Kek(command) => kek::run(command).await,
    }
}

async fn list(arguments: KeyArguments) -> Outcome {
    let rings = Rings::open(&arguments.place.store()?, arguments.domain.as_ref()).await?;
    let mut all = Vec::new();
    for domain in &rings.domains {
        all.push((domain.clone(), rings.load(domain).await?));
    }
    rings.store.close().await;
    print(&all, &rings.policy, arguments.output.output)
}

async fn rotate(arguments: KeyArguments) -> Outcome {
    let store = arguments.place.store()?;
    let mut rings = Rings::open(&store, arguments.domain.as_ref()).await?;
    let places = store.places()?;
    rings.policy = places.custody().homed(rings.policy)?;
    let trail = places.trail()?;
    let mut all = Vec::new();
    for domain in &rings.domains {
        let changed = rings
            .change(domain, |ring| {
                let rotation = ring.rotate_now(&rings.policy);
                Ok(ring.apply(&rotation, &rings.policy, clock::now())?)
            })
            .await;
        let refused = |failure| {
            trail
                .change(Action::RotateKey, Target::Issuer(domain.into()))
                .refused(reason(&failure), failure)
        };
        let (ring, made) = changed.map_err(refused)?;
        for kid in &made {
            trail
                .change(Action::RotateKey, Target::Key(kid.as_str().into()))
                .done()?;
        }
        let waiting = ring
            .keys()
            .iter()
            .filter(|key| key.state() == KeyState::Published);
        for key in waiting {
            let new = if made.contains(key.kid()) {
                "published"
            } else {
                "was published already"
            };
            let start = clock::date_and_relative(key.next_change(&rings.policy), clock::now());
            output::note(&format!(
                "{domain}: {} {new}; it signs from {start}.",
                key.kid().as_str()
            ));
        }
        all.push((domain.clone(), ring));
    }
    rings.store.close().await;
    print(&all, &rings.policy, arguments.output.output)
}

const COLUMNS: [&str; 6] = ["DOMAIN", "KID", "ALG", "STATE", "SINCE", "NEXT"];
const UNKNOWN_KEY: Reason = Reason::new(404, "unknown_key");

/// Why a ring was not changed, for the audit trail.
fn reason(failure: &Failure) -> Reason {
    let error = match failure {
        Failure::Failed(error) => error.downcast_ref(),
        Failure::Usage(_)
        | Failure::NotLoggedIn(_)
        | Failure::Unsound(_)
        | Failure::CannotRun(_)
        | Failure::Interrupted => None,
    };
    match error {
        Some(KeyRingError::AlreadyRevoked(_)) => Reason::new(409, "already_revoked"),
        Some(KeyRingError::UnknownKey(_)) => UNKNOWN_KEY,
        Some(KeyRingError::KnownKey(_)) => Reason::new(409, "known_key"),
        Some(KeyRingError::Waiting { .. }) => Reason::new(409, "another_key_waits"),
        Some(KeyRingError::NotWanted { .. }) => Reason::new(409, "unwanted_algorithm"),
        Some(_) | None => Reason::new(503, "backend_failure"),
    }
}

const fn next(state: KeyState) -> &'static str {
    match state {
        KeyState::Published => "signs",
        KeyState::Active => "is replaced",
        KeyState::Retiring => "goes",
        KeyState::Revoked => "leaves the revocation list",
    }
}

fn print(rings: &[(String, KeyRing)], policy: &RotationPolicy, form: Form) -> Outcome {
    let now = clock::now();
    let all: Vec<(&String, &RingKey)> = rings
        .iter()
        .flat_map(|(domain, ring)| ring.keys().iter().map(move |key| (domain, key)))
        .collect();
    match form {
        Form::Json => {
            let documents = all.iter().map(|(domain, key)| {
                json!({
                    "domain": domain,
                    "kid": key.kid().as_str(),
                    "alg": key.algorithm().as_str(),
                    "state": key.state().as_str(),
                    "since": clock::date(key.since()),
                    "published_at": clock::date(key.published_at()),
                    "next_change": next(key.state()),
                    "next_change_at": clock::date(key.next_change(policy)),
                })
            });
            output::json(&documents.collect::<Vec<_>>())
        }
        Form::Table => {
            let rows: Vec<Vec<String>> = all
                .iter()
                .map(|(domain, key)| {
                    vec![
                        (*domain).clone(),
                        key.kid().as_str().to_owned(),
                        key.algorithm().as_str().to_owned(),
                        key.state().as_str().to_owned(),
                        clock::date(key.since()),
                        format!(
                            "{} {}",
                            next(key.state()),
                            clock::relative(key.next_change(policy), now)
                        ),
                    ]
                })
                .collect();
            output::table(&COLUMNS, &rows)
        }
    }
}
