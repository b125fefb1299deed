//! `migrate register`: a client beside the account.

use anyhow::Context as _;
use sealstone_audit::{Action, Target};
use sealstone_identity::{DomainId, ProjectId};
use sealstone_keystone::{AssignmentFilter, KeystoneRefusal, KeystoneSession, User};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{ClientStore as _, DomainStore as _, chosen_client_id};
use serde_json::{Map, Value, json};

use super::{RegisterArguments, certificate::Planned, operator, owner::Owner};
use crate::{
    audit::Trail,
    client, clock,
    failure::{Failure, Outcome},
    input,
    keystone::{
        journal::{Absent, AccountRecord, ClientRecord, Journal, PasswordState},
        people,
    },
    openstack::Operator,
    output::{self, Form},
    store::Places,
};

/// What a client needs to be one of OpenStack.
const SCOPE: &str = "openstack:api";

/// Everything that is decided before anything is made.
struct Plan<'a> {
    arguments: &'a RegisterArguments,
    user: User,
    project: ProjectId,
    roles: Vec<String>,
    client: ClientId,
    domain: DomainId,
    certificate: Planned<'a>,
}

/// Where the client's authority comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A new application credential; its secret is kept sealed, or thrown away.
    Made { minted: bool },
    /// One that there is.
    Given { minted: bool },
    /// The account and the project, whatever it may do there.
    User,
}

pub(super) async fn run(arguments: RegisterArguments) -> Outcome {
    let places = arguments.store.places()?;
    let way = way(&arguments)?;
    let operator = operator(&places).await?;
    let plan = plan(&arguments, &operator, &places).await?;
    plan.roles_suffice(way)?;
    tell(&plan, way);
    if arguments.dry_run {
        output::note("Nothing was done: --dry-run.");
        return Ok(());
    }
    let trail = places.trail()?;
    let url = operator.keystone().url();
    let mut journal = Journal::open(&arguments.journal.journal, url, Absent::IsEmpty)?;
    let resumed = begin(&plan, &mut journal)?;
    let made = match way {
        Way::Made { .. } => Some(make(&plan, &operator, &trail, resumed).await?),
        Way::Given { .. } | Way::User => None,
    };
    let done = finish(&plan, way, made.as_ref(), &places, &trail).await;
    let files = match done {
        Ok(files) => files,
        Err(failure) => {
            if let Some(made) = &made {
                made.take_back(&plan).await;
            }
            return Err(failure);
        }
    };
    let credential = made.as_ref().map(|made| made.id.as_str());
    let credential = credential.or_else(|| {
        arguments
            .tie
            .application_credential
            .as_ref()
            .map(|id| id.as_str())
    });
    note_end(&plan, &mut journal, credential, made.is_some())?;
    print(&plan, credential, files.as_ref(), arguments.output.output)
}

fn way(arguments: &RegisterArguments) -> Outcome<Way> {
    let tie = &arguments.tie;
    let minted = tie.minted;
    if tie.application_credential.is_some() {
        if !minted && tie.application_credential_secret_file.is_none() {
            return Err(Failure::usage(
                "give the application credential's secret by --application-credential-secret-file, or say --minted",
            ));
        }
        return Ok(Way::Given { minted });
    }
    match (tie.role.is_empty(), minted) {
        (false, minted) => Ok(Way::Made { minted }),
        (true, true) => Ok(Way::User),
        (true, false) => Err(Failure::usage(
            "say what the client's work needs: --role NAME, once for each, with --owner-password-file; or \
             --application-credential ID; or --minted for all that the account may do in the project",
        )),
    }
}

async fn plan<'a>(
    arguments: &'a RegisterArguments,
    operator: &Operator,
    places: &Places,
) -> Outcome<Plan<'a>> {
    let session = operator.session();
    let user = people::find(&session, &arguments.user, arguments.user_domain.as_ref()).await?;
    let (project, roles) = project_and_roles(&session, &user, arguments.project.as_ref()).await?;
    let client = match &arguments.client {
        Some(client) => client.clone(),
        None => chosen_client_id(user.name.as_str()).map_err(|_odd| {
            Failure::usage(format!(
                "the account's name {} is no client identifier: name one by --client",
                user.name
            ))
        })?,
    };
    let domain = arguments.domain.clone().unwrap_or_else(|| user.domain_id.clone());
    let certificate = arguments.certificate.plan(client.as_str(), domain.as_str())?;
    let opened = places.store().await?;
    let (known, taken) = (opened.domain(&domain).await?, opened.client(&client).await?);
    opened.close().await;
    if known.is_none() && !arguments.new_domain {
        return Err(Failure::failed(format!(
            "there is no issuer for the domain {domain}: say --new-domain to make it, or name another by --domain"
        )));
    }
    if taken.is_some() {
        return Err(Failure::failed(format!(
            "there is a client {client} already: name another by --client, or look at it with `sealstone client show`"
        )));
    }
    Ok(Plan {
        arguments,
        user,
        project,
        roles,
        client,
        domain,
        certificate,
    })
}

/// The project that is meant, and what the account may do there.
async fn project_and_roles(
    session: &KeystoneSession,
    user: &User,
    named: Option<&ProjectId>,
) -> Outcome<(ProjectId, Vec<String>)> {
    let filter = AssignmentFilter {
        user_id: Some(user.id.clone()),
        project_id: named.cloned(),
        effective: true,
        names: true,
        ..AssignmentFilter::default()
    };
    let found = match session.assignments(&filter).await {
        Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => {
            return Err(Failure::failed(format!(
                "Keystone has no project {}: `openstack project list` names them",
                named.map_or("of the account", ProjectId::as_str)
            )));
        }
        found => found.with_context(|| {
            format!(
                "Keystone does not show you the roles of {}: log in as an administrator of the whole cloud",
                user.name
            )
        })?,
    };
    let mut places = super::super::inventory::by_place(&found);
    places.retain(|place| place.is_project());
    match places.as_slice() {
        [only] => {
            let id = ProjectId::parse(only.id().unwrap_or_default())?;
            Ok((id, only.roles().to_vec()))
        }
        [] => Err(Failure::failed(format!(
            "{} has no role in {}: a client would get nothing",
            user.name,
            named.map_or("any project", ProjectId::as_str)
        ))),
        several => {
            let names: Vec<&str> = several.iter().filter_map(|place| place.id()).collect();
            Err(Failure::usage(format!(
                "{} has roles in several projects: name one by --project, for one client each: {}",
                user.name,
                names.join(", ")
            )))
        }
    }
}

impl Plan<'_> {
    fn roles_suffice(&self, way: Way) -> Outcome {
        let missing: Vec<&str> = self
            .arguments
            .tie
            .role
            .iter()
            .filter(|role| !self.roles.contains(role))
            .map(String::as_str)
            .collect();
        if matches!(way, Way::Made { .. }) && !missing.is_empty() {
            return Err(Failure::failed(format!(
                "{} does not have the role {} in the project {}; it has {}",
                self.user.name,
                missing.join(", "),
                self.project,
                self.roles.join(", ")
            )));
        }
        Ok(())
    }

    fn credential_name(&self) -> String {
        format!("sealstone-{}", self.client)
    }
}

fn tell(plan: &Plan<'_>, way: Way) {
    let what = match way {
        Way::Made { minted } => format!(
            "a new, restricted application credential with {}{}",
            plan.arguments.tie.role.join(", "),
            if minted { ", whose secret nobody keeps" } else { "" }
        ),
        Way::Given { .. } => "the application credential that you named".to_owned(),
        Way::User => format!("all that the account may do there: {}", plan.roles.join(", ")),
    };
    output::note(&format!(
        "{} (user {}) in the project {} gets the client {}, for certificates with the subject {}, tied to {what}. The \
         account stays as it is.",
        plan.user.name, plan.user.id, plan.project, plan.client, plan.certificate.subject
    ));
}

/// Writes down that it begins; whether a run before this one began, too, and did not end.
fn begin(plan: &Plan<'_>, journal: &mut Journal) -> Outcome<bool> {
    let id = plan.user.id.as_str();
    let mut record = journal
        .accounts()
        .get(id)
        .cloned()
        .unwrap_or_else(|| AccountRecord {
            name: plan.user.name.to_string(),
            domain_id: plan.user.domain_id.as_str().to_owned(),
            clients: Vec::new(),
            password: PasswordState::On,
        });
    let client = plan.client.as_str();
    let resumed = record.clients.iter().any(|known| known.client_id == client);
    if !resumed {
        record.clients.push(ClientRecord {
            client_id: client.to_owned(),
            project_id: plan.project.as_str().to_owned(),
            application_credential_id: None,
            made_here: false,
            registered_at: None,
        });
    }
    journal.put(id, record)?;
    Ok(resumed)
}

fn note_end(plan: &Plan<'_>, journal: &mut Journal, credential: Option<&str>, made_here: bool) -> Outcome {
    let id = plan.user.id.as_str();
    let Some(mut record) = journal.accounts().get(id).cloned() else {
        return Ok(());
    };
    for known in record
        .clients
        .iter_mut()
        .filter(|known| known.client_id == plan.client.as_str())
    {
        known.project_id = plan.project.as_str().to_owned();
        known.application_credential_id = credential.map(str::to_owned);
        known.made_here = made_here;
        known.registered_at = Some(clock::date(clock::now()));
    }
    journal.put(id, record)
}

/// An application credential that was made here.
struct Made {
    owner: Owner,
    id: sealstone_identity::ApplicationCredentialId,
    secret: sealstone_keystone::Secret,
}

async fn make(plan: &Plan<'_>, operator: &Operator, trail: &Trail, resumed: bool) -> Outcome<Made> {
    let tie = &plan.arguments.tie;
    let owner = Owner::log_in(operator.keystone(), tie, &plan.user.id, &plan.project).await?;
    let created = owner.make(&plan.credential_name(), tie, resumed).await?;
    let made = Made {
        owner,
        id: created.credential.id,
        secret: created.secret,
    };
    let target = Target::User(plan.user.id.as_str().into());
    if let Err(failure) = trail.change(Action::CreateApplicationCredential, target).done() {
        made.take_back(plan).await;
        return Err(failure);
    }
    Ok(made)
}

impl Made {
    /// Nothing stands on it: its secret would be lost.
    async fn take_back(&self, plan: &Plan<'_>) {
        let name = plan.credential_name();
        match self.owner.delete(&self.id).await {
            Ok(()) => output::note(&format!("The application credential {name} was deleted again.")),
            Err(failure) => output::note(&format!(
                "The application credential {name} is left over: run the same command again, or delete it ({failure})"
            )),
        }
    }
}

async fn finish(
    plan: &Plan<'_>,
    way: Way,
    made: Option<&Made>,
    places: &Places,
    trail: &Trail,
) -> Outcome<Option<[std::path::PathBuf; 2]>> {
    let files = plan.certificate.issue()?;
    let members = members(plan, way, made)?;
    if plan.arguments.new_domain {
        client::make_domain(places, trail, &plan.domain).await?;
    }
    let _client = client::register(
        places,
        trail,
        (&plan.domain, &plan.client),
        &Value::Object(members),
    )
    .await?;
    Ok(files)
}

fn members(plan: &Plan<'_>, way: Way, made: Option<&Made>) -> Outcome<Map<String, Value>> {
    let (user, project) = (plan.user.id.as_str(), plan.project.as_str());
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put(
        "client_name",
        format!("{} in {project}", plan.user.name)
            .chars()
            .take(100)
            .collect::<String>()
            .into(),
    );
    put("token_endpoint_auth_method", "tls_client_auth".into());
    put(
        "tls_client_auth_subject_dn",
        plan.certificate.subject.as_str().into(),
    );
    put("tls_client_certificate_bound_access_tokens", true.into());
    put("scope", SCOPE.into());
    put("openstack_user_id", user.into());
    put("openstack_project_id", project.into());
    let tie = &plan.arguments.tie;
    let id = made.map(|made| made.id.as_str());
    let id = id.or_else(|| tie.application_credential.as_ref().map(|id| id.as_str()));
    if let Some(id) = id {
        put("openstack_application_credential_id", id.into());
    }
    match (way, made) {
        (Way::Made { minted: false }, Some(made)) => {
            put(
                "openstack_application_credential_secret",
                made.secret.expose().into(),
            );
        }
        (Way::Given { minted: false }, _) => {
            if let Some(path) = &tie.application_credential_secret_file {
                put(
                    "openstack_application_credential_secret",
                    input::secret(path)?.trim().into(),
                );
            }
        }
        (Way::Made { .. } | Way::Given { .. } | Way::User, _) => put("openstack_minted", true.into()),
    }
    Ok(members)
}

fn print(
    plan: &Plan<'_>,
    credential: Option<&str>,
    files: Option<&[std::path::PathBuf; 2]>,
    form: Form,
) -> Outcome {
    let path = |at: usize| {
        files
            .and_then(|files| files.get(at))
            .map(|path| path.display().to_string())
    };
    let pairs = [
        ("client_id", Some(plan.client.to_string())),
        ("domain", Some(plan.domain.to_string())),
        ("subject", Some(plan.certificate.subject.clone())),
        ("certificate", path(0)),
        ("key", path(1)),
        ("user_id", Some(plan.user.id.to_string())),
        ("project_id", Some(plan.project.to_string())),
        ("application_credential_id", credential.map(str::to_owned)),
    ];
    match form {
        Form::Json => {
            let members: Map<String, Value> = pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect();
            output::json(&members)?;
        }
        Form::Table => {
            let known: Vec<(&str, String)> = pairs
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            output::pairs(&known)?;
        }
    }
    output::note(
        "The old way works as before. Next: let the machine use its certificate, then `migrate status`.",
    );
    Ok(())
}
