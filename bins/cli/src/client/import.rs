//! `sealstone client import`: clients of other servers, shown first and registered when that is asked for.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sealstone_audit::{Action, Reason};
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientRegistration, ClientStore as _, Dropped, ImportSource, ImportedClient, Insertion,
    SecretKind, SecretSet, import_clients,
};
use sealstone_storage::SqlStore;
use serde_json::{Value, json};

use super::{
    change::{in_its_place, of_client},
    secret::Drawn,
};
use crate::{
    audit::Trail,
    clock,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    store::{self, Places, StoreArguments, parse_domain},
};

const EXAMPLES: &str = "\
Examples:
  What would come of a Keycloak realm, without changing anything:
    sealstone client import --config sealstoned.toml --from keycloak realm-export.json

  Register what can be, and print new secrets once:
    sealstone client import --config sealstoned.toml --from hydra clients.json --apply --output json

  Ties to the application credentials of a user:
    curl -H \"X-Auth-Token: $OS_TOKEN\" \\
      $OS_AUTH_URL/users/$USER_ID/application_credentials > credentials.json
    sealstone client import --config sealstoned.toml --from keystone credentials.json

Each member that does not come along is named with the reason; a client that cannot be
represented is refused, and the others are registered all the same (exit status 1).

It works on the server's machine, and has no --url: secrets of the export stay good, which takes
the server's pepper. Over HTTP, `client create --url` registers a client with a new secret.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Program {
    /// Ory Hydra: `hydra list oauth2-clients --format json`
    Hydra,
    /// Keycloak: the export of a realm, of clients, or of one client
    Keycloak,
    /// Keystone: a list of application credentials
    Keystone,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArguments {
    /// The export
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose export it is
    #[arg(long, value_name = "PROGRAM", value_enum)]
    from: Program,
    /// The domain to register in [default: the only one]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    /// Register the clients; without it, nothing is changed
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// What became of one, or would.
struct Line {
    name: String,
    id: Option<ClientId>,
    outcome: Result<&'static str, String>,
    secret: Option<String>,
    dropped: Vec<Dropped>,
}

pub(super) async fn run(arguments: ImportArguments) -> Outcome {
    let export = std::fs::read(&arguments.file)
        .with_context(|| format!("{} cannot be read: name the export", arguments.file.display()))?;
    let source = match arguments.from {
        Program::Hydra => ImportSource::Hydra,
        Program::Keycloak => ImportSource::Keycloak,
        Program::Keystone => ImportSource::Keystone,
    };
    let found = import_clients(source, &export).with_context(|| arguments.file.display().to_string())?;
    if !found.is_empty() && found.iter().all(|client| client.name.is_empty()) {
        let file = arguments.file.display();
        return Err(Failure::failed(format!(
            "{file}: no client in it has a name where this program's exports have it: is --from right?"
        )));
    }
    let places = arguments.store.places()?;
    let opened = places.store().await?;
    let domain = store::domain(&opened, arguments.domain.as_ref()).await?;
    let trail = arguments.apply.then(|| places.trail()).transpose()?;
    let mut lines = Vec::with_capacity(found.len());
    for client in found {
        lines.push(take(client, &opened, &places, &domain, trail.as_ref()).await?);
    }
    opened.close().await;
    print(&lines, arguments.output.output)?;
    let refused = lines.iter().filter(|line| line.outcome.is_err()).count();
    let taken = lines.len().saturating_sub(refused);
    if arguments.apply {
        output::note(&format!(
            "{taken} registered, {refused} refused. Secrets are not shown again."
        ));
    } else {
        output::note(&format!(
            "{taken} would be registered, {refused} refused. Nothing was changed: say --apply to register them."
        ));
    }
    if refused > 0 {
        return Err(Failure::failed(format!(
            "{refused} cannot be taken over as they are: mend them where they come from, or register them by \
             `sealstone client create`"
        )));
    }
    Ok(())
}

async fn take(
    client: ImportedClient,
    opened: &SqlStore,
    places: &Places,
    domain: &DomainId,
    trail: Option<&Trail>,
) -> Outcome<Line> {
    let mut line = Line {
        name: client.name,
        id: None,
        outcome: Ok("would be registered"),
        secret: None,
        dropped: client.dropped,
    };
    let (id, registration) = match client.registration {
        Ok(found) => found,
        Err(refusal) => {
            line.outcome = Err(refusal.to_string());
            return Ok(line);
        }
    };
    line.id = Some(id.clone());
    // Where the export holds a secret that can be kept, the client goes on with it.
    let kept = client.secret.filter(|_| {
        registration
            .secret_kind()
            .is_ok_and(|kind| kind == Some(SecretKind::Hashed))
    });
    let made = match kept {
        Some(secret) => Made::Kept(SecretSet::new(places.pepper()?.hash(&secret), None)),
        None => {
            let kind = registration.secret_kind();
            let drawn = kind.map(|kind| kind.map(|kind| Drawn::new(kind, places, (domain, &id))));
            match drawn {
                Ok(drawn) => Made::Drawn(drawn.transpose()?),
                Err(refusal) => {
                    line.outcome = Err(refusal.to_string());
                    return Ok(line);
                }
            }
        }
    };
    let client = match checked(*registration, domain, &id, &made) {
        Ok(client) => client,
        Err(refusal) => {
            line.outcome = Err(refusal);
            return Ok(line);
        }
    };
    if opened.client(&id).await?.is_some() {
        line.outcome = Err("there is a client of this id already: update it, or delete it first".to_owned());
        return Ok(line);
    }
    let Some(trail) = trail else { return Ok(line) };
    let client = in_its_place(opened, client).await?;
    let change = of_client(trail, Action::CreateClient, &id);
    match change.stored(opened.insert(client).await)? {
        Insertion::Inserted => {
            change.done()?;
            line.outcome = Ok("registered");
            if let Made::Drawn(Some(drawn)) = &made {
                line.secret = Some(drawn.text.expose().to_owned());
            }
        }
        Insertion::Exists | Insertion::UnknownDomain => {
            let why = "somebody else registered it, or ended its domain, just now: look and try again";
            let failure = change.refused(Reason::new(409, "client_exists"), Failure::failed(why));
            line.outcome = Err(failure.to_string());
        }
    }
    Ok(line)
}

enum Made {
    Kept(SecretSet),
    Drawn(Option<Drawn>),
}

/// The one gate: every rule of a registration.
fn checked(
    registration: ClientRegistration,
    domain: &DomainId,
    id: &ClientId,
    made: &Made,
) -> Result<Client, String> {
    let secrets = match made {
        Made::Kept(secrets) => Some(secrets.clone()),
        Made::Drawn(drawn) => drawn.as_ref().map(Drawn::alone),
    };
    let client = registration.into_client(domain.clone(), id.clone(), secrets, clock::now());
    client.map_err(|refusal| refusal.to_string())
}

fn print(lines: &[Line], form: Form) -> Outcome {
    match form {
        Form::Json => output::json(&lines.iter().map(document).collect::<Vec<Value>>()),
        Form::Table => {
            let rows: Vec<Vec<String>> = lines
                .iter()
                .map(|line| {
                    let outcome = match &line.outcome {
                        Ok(done) => (*done).to_owned(),
                        Err(why) => format!("REFUSED: {why}"),
                    };
                    let id = line
                        .id
                        .as_ref()
                        .map_or_else(|| line.name.clone(), ToString::to_string);
                    vec![id, outcome, line.secret.clone().unwrap_or_default()]
                })
                .collect();
            output::table(&["CLIENT", "RESULT", "NEW SECRET"], &rows)?;
            for line in lines {
                for dropped in &line.dropped {
                    output::note(&format!(
                        "{}: {} does not come along: {}",
                        line.name, dropped.member, dropped.why
                    ));
                }
            }
            Ok(())
        }
    }
}

fn document(line: &Line) -> Value {
    let dropped: Vec<Value> = line
        .dropped
        .iter()
        .map(|dropped| json!({ "member": dropped.member, "why": dropped.why }))
        .collect();
    json!({
        "name": line.name,
        "client_id": line.id.as_ref().map(ClientId::as_str),
        "result": line.outcome.as_ref().ok(),
        "refused": line.outcome.as_ref().err(),
        "client_secret": line.secret,
        "dropped": dropped,
    })
}
