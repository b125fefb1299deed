//! A client's tie to OpenStack: its options, and that nobody registers more than he holds.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use rustls_pki_types::UnixTime;
use sealstone_identity::{ApplicationCredentialId, ProjectId, UserId};
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_keystone::{AssignmentFilter, Authentication, Login, RoleId, Secret, TokenInfo};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{ClientRegistration, SealedSecret};
use serde_json::{Map, Value};

use crate::{
    failure::{Failure, Outcome},
    input,
    openstack::{self, Environment, Operator},
    output,
    store::Places,
};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "OpenStack identity")]
pub(super) struct TieArguments {
    /// The Keystone application credential that its `openstack:api` tokens stand on
    #[arg(long, value_name = "ID", value_parser = parse_credential)]
    openstack_application_credential: Option<ApplicationCredentialId>,
    /// That credential's secret (- for standard input); kept encrypted, never shown
    #[arg(long, value_name = "FILE")]
    openstack_application_credential_secret_file: Option<PathBuf>,
    /// The Keystone user whose roles it has; the server makes the Keystone tokens itself
    #[arg(long, value_name = "ID", value_parser = parse_user)]
    openstack_user: Option<UserId>,
    /// The only project that its tokens are for
    #[arg(long, value_name = "ID", value_parser = parse_project)]
    openstack_project: Option<ProjectId>,
    /// Rules by which the names in its certificate say which Keystone user it is (- for standard input)
    #[arg(long, value_name = "FILE")]
    openstack_mapping: Option<PathBuf>,
    /// Keep no secret: the server makes the Keystone tokens itself ([keystone.mint])
    #[arg(long)]
    openstack_minted: bool,
    /// Take an application credential that can make further ones
    #[arg(long)]
    dangerous_unrestricted_application_credential: bool,
    /// Ask no Keystone whether this gives the client more than you hold
    #[arg(long)]
    dangerous_without_keystone_check: bool,
}

fn parse_credential(text: &str) -> Result<ApplicationCredentialId, String> {
    ApplicationCredentialId::parse(text).map_err(|error| error.to_string())
}

fn parse_user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}

fn parse_project(text: &str) -> Result<ProjectId, String> {
    ProjectId::parse(text).map_err(|error| error.to_string())
}

/// Every member that says whose authority a client has.
const MEMBERS: [&str; 8] = [
    "authority",
    "openstack_application_credential_id",
    "openstack_user_id",
    "openstack_mapping",
    "openstack_application_credential_expires_at",
    "openstack_project_id",
    "openstack_minted",
    "dangerous_unrestricted_application_credential",
];

/// Takes the former tie away when another is given.
pub(super) fn forget_other_ties(members: &mut Map<String, Value>, given: &Map<String, Value>) {
    if MEMBERS.iter().take(4).any(|name| given.contains_key(*name)) {
        MEMBERS.iter().for_each(|name| drop(members.remove(*name)));
    }
}

impl TieArguments {
    /// The server asks Keystone itself, and with the token of who asks: nobody may pass that over from elsewhere.
    pub(super) fn is_for_http(&self) -> Outcome {
        if self.dangerous_without_keystone_check {
            return Err(Failure::usage(
                "--dangerous-without-keystone-check is for the server's own machine: with --url the server asks Keystone",
            ));
        }
        Ok(())
    }

    /// The members that the options stand for.
    pub(super) fn members(&self) -> Outcome<Map<String, Value>> {
        let secret = match &self.openstack_application_credential_secret_file {
            Some(path) => Some(input::secret(path)?),
            None => None,
        };
        let mapping = match &self.openstack_mapping {
            Some(path) => Some(
                serde_json::from_slice(&input::bytes(path)?)
                    .with_context(|| format!("{} is not JSON: give mapping rules", path.display()))?,
            ),
            None => None,
        };
        let text = |text: Option<&str>| text.map(Value::from);
        let yes = |given: bool| given.then_some(Value::Bool(true));
        let credential = self.openstack_application_credential.as_ref();
        let pairs = [
            (
                "openstack_application_credential_id",
                text(credential.map(ApplicationCredentialId::as_str)),
            ),
            (
                "openstack_application_credential_secret",
                text(secret.as_ref().map(|secret| secret.trim())),
            ),
            (
                "openstack_user_id",
                text(self.openstack_user.as_ref().map(UserId::as_str)),
            ),
            (
                "openstack_project_id",
                text(self.openstack_project.as_ref().map(ProjectId::as_str)),
            ),
            ("openstack_mapping", mapping),
            ("openstack_minted", yes(self.openstack_minted)),
            (
                "dangerous_unrestricted_application_credential",
                yes(self.dangerous_unrestricted_application_credential),
            ),
        ];
        let given = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(given.collect())
    }

    /// Asks Keystone what the tie gives and what the operator holds, refuses more than that, and writes down what the
    /// tie turned out to be for. Then the secret is sealed.
    pub(super) async fn settle(
        &self,
        registration: &mut ClientRegistration,
        before: Option<&ClientRegistration>,
        places: &Places,
        (domain, client): (&sealstone_identity::DomainId, &ClientId),
    ) -> Outcome {
        if is_other(registration, before) {
            if let Some(section) = missing(registration, places) {
                output::note(&format!(
                    "The server's configuration has no {section}: until it has, this client gets no openstack:api token."
                ));
            }
            if self.dangerous_without_keystone_check {
                output::note(
                    "No Keystone was asked: whether the client gets more than you hold is for you to know.",
                );
            } else {
                self.ask(registration, places).await?;
            }
        }
        let place = SecretPlace {
            purpose: SecretPurpose::ApplicationCredential,
            domain: domain.as_str(),
            client: client.as_str(),
        };
        registration.seal_application_credential_secret(|secret| {
            let sealed = places.key_encryption_key()?.seal_secret(place, secret.expose())?;
            Ok::<_, Failure>(SealedSecret::parse(&sealed)?)
        })
    }

    async fn ask(&self, registration: &mut ClientRegistration, places: &Places) -> Outcome {
        let environment = Environment::read();
        let hint = "the tie is not registered unchecked: log in to Keystone (OS_* variables), or say \
                    --dangerous-without-keystone-check";
        let keystone = openstack::keystone(places.keystone(), &environment);
        let keystone = keystone.map_err(|failure| failure.with_hint(hint))?;
        let operator = Operator::log_in(keystone, environment).await;
        let operator = operator.map_err(|failure| failure.with_hint(hint))?;
        if registration.openstack_mapping.is_some() {
            // Rules may lead to anybody: only who may do everything gives so much away.
            return if operator.is_system_admin() {
                Ok(())
            } else {
                Err(Failure::failed(
                    "mapping rules may lead to any user: have the administrator of the deployment register them (role \
                     admin on the system, OS_SYSTEM_SCOPE=all), or name the one user by --openstack-user",
                ))
            };
        }
        let grant = Grant::of(registration, &operator).await?;
        grant.check(&operator).await?;
        if grant.unrestricted && registration.dangerous_unrestricted_application_credential != Some(true) {
            return Err(Failure::failed(
                "this application credential is unrestricted: whoever has it can make further credentials that outlive \
                 it. Make a restricted one, or say --dangerous-unrestricted-application-credential",
            ));
        }
        if registration.openstack_application_credential_id.is_some() {
            registration.openstack_user_id = Some(grant.user_id);
            registration.openstack_project_id = Some(grant.project_id);
            registration.openstack_application_credential_expires_at = grant.ends_at.map(|end| end.as_secs());
        }
        Ok(())
    }
}

/// What the server's configuration lacks for the tie.
fn missing(registration: &ClientRegistration, places: &Places) -> Option<&'static str> {
    let keeps_secret = registration.openstack_application_credential_id.is_some()
        && registration.openstack_minted != Some(true);
    if places.keystone().url.is_none() {
        Some("[keystone]")
    } else if !keeps_secret && places.keystone_logins().mint_key_file.is_none() {
        Some("[keystone.mint]")
    } else {
        None
    }
}

/// Whether Keystone has to be asked: a tie that leads to it, and another than before.
fn is_other(registration: &ClientRegistration, before: Option<&ClientRegistration>) -> bool {
    let credential = registration.openstack_application_credential_id.as_ref();
    let leads_there = credential.is_some()
        || registration.openstack_user_id.is_some()
        || registration.openstack_mapping.is_some();
    let same = |before: &ClientRegistration| {
        before.openstack_application_credential_id.as_ref() == credential
            && before.openstack_user_id == registration.openstack_user_id
            && before.openstack_project_id == registration.openstack_project_id
            && before.openstack_minted == registration.openstack_minted
            && before.openstack_mapping == registration.openstack_mapping
            && before.dangerous_unrestricted_application_credential
                == registration.dangerous_unrestricted_application_credential
            && registration.openstack_application_credential_secret.is_none()
    };
    leads_there && !before.is_some_and(same)
}

/// What the tie would give.
struct Grant {
    user_id: UserId,
    user_domain: Option<String>,
    project_id: ProjectId,
    roles: Vec<(RoleId, String)>,
    unrestricted: bool,
    /// When the credential ends, where Keystone would not say it with a token.
    ends_at: Option<UnixTime>,
}

impl Grant {
    async fn of(registration: &ClientRegistration, operator: &Operator) -> Outcome<Self> {
        let credential = registration.openstack_application_credential_id.as_ref();
        let secret = registration.openstack_application_credential_secret.as_ref();
        let pins = registration
            .openstack_user_id
            .as_ref()
            .zip(registration.openstack_project_id.as_ref());
        match (credential, secret, pins) {
            (Some(id), Some(secret), _) => {
                let login = Authentication::application_credential(id.clone(), Secret::from(secret.expose()));
                let refused = "Keystone does not accept the application credential: check its id and secret, and its end";
                match operator.keystone().authenticate(&login).await.context(refused)? {
                    Login::Complete(issued) => Self::of_token(&issued.info),
                    Login::Incomplete(_receipt) => Err(Failure::failed(refused)),
                }
            }
            (Some(id), None, Some((user_id, project_id))) => {
                let found = operator.session().application_credential(user_id, id).await;
                let found = found.with_context(|| {
                    format!(
                        "Keystone does not show you the application credential {id} of the user {user_id}: be that user, \
                         or an administrator of its domain"
                    )
                })?;
                if found.project_id != *project_id {
                    return Err(Failure::failed(format!(
                        "the application credential {id} is for the project {}: name that as the project",
                        found.project_id
                    )));
                }
                Ok(Self {
                    user_id: user_id.clone(),
                    user_domain: domain_of(user_id, operator).await?,
                    project_id: found.project_id,
                    roles: found
                        .roles
                        .into_iter()
                        .map(|role| (role.id, role.name.as_str().to_owned()))
                        .collect(),
                    unrestricted: found.unrestricted,
                    ends_at: found.expires_at,
                })
            }
            (None, _, Some((user_id, project_id))) => Self::of_user(user_id, project_id, operator).await,
            // Whatever is missing, the registration's own check names it.
            (Some(_), None, None) | (None, _, None) => Err(Failure::failed(
                "without its secret, an application credential needs its user and project: add --openstack-user and \
                 --openstack-project",
            )),
        }
    }

    fn of_token(info: &TokenInfo) -> Outcome<Self> {
        let project = openstack::project_of(info).ok_or_else(|| {
            Failure::failed("the application credential is for no project: make another one")
        })?;
        Ok(Self {
            user_id: info.user.id.clone(),
            user_domain: Some(info.user.domain.id.as_str().to_owned()),
            project_id: project.id.clone(),
            roles: info
                .roles
                .iter()
                .map(|role| (role.id.clone(), role.name.as_str().to_owned()))
                .collect(),
            unrestricted: info
                .application_credential
                .as_ref()
                .is_none_or(|credential| !credential.restricted),
            ends_at: None,
        })
    }

    async fn of_user(user_id: &UserId, project_id: &ProjectId, operator: &Operator) -> Outcome<Self> {
        let filter = AssignmentFilter {
            user_id: Some(user_id.clone()),
            project_id: Some(project_id.clone()),
            effective: true,
            names: true,
            ..AssignmentFilter::default()
        };
        let found = operator.session().assignments(&filter).await.with_context(|| {
            format!(
                "Keystone does not show you the roles of the user {user_id} in the project {project_id}: an administrator \
                 of its domain may see them"
            )
        })?;
        if found.is_empty() {
            return Err(Failure::failed(format!(
                "the user {user_id} has no role in the project {project_id}: assign it one first"
            )));
        }
        let roles = found.into_iter().map(|assignment| {
            let name = assignment.role.name.map(|name| name.as_str().to_owned());
            let id = assignment.role.id;
            let name = name.unwrap_or_else(|| id.as_str().to_owned());
            (id, name)
        });
        Ok(Self {
            user_id: user_id.clone(),
            user_domain: domain_of(user_id, operator).await?,
            project_id: project_id.clone(),
            roles: roles.collect(),
            unrestricted: false,
            ends_at: None,
        })
    }

    /// Nobody grants what he does not hold, and never outside his domain; the deployment's administrator holds all.
    async fn check(&self, operator: &Operator) -> Outcome {
        if operator.is_system_admin() {
            return Ok(());
        }
        let (project, held) = operator.roles_in(&self.project_id).await?;
        let wider: Vec<&str> = self
            .roles
            .iter()
            .filter(|(id, _)| !held.iter().any(|role| role.id == *id))
            .map(|(_, name)| name.as_str())
            .collect();
        if !wider.is_empty() {
            return Err(Failure::failed(format!(
                "the tie gives roles in the project {} that you do not hold there: {}. Have somebody register the client \
                 who holds them, or take an application credential with fewer",
                self.project_id,
                wider.join(", ")
            )));
        }
        let elsewhere = project.domain.id.as_str() != operator.domain_id()
            || self
                .user_domain
                .as_deref()
                .is_some_and(|domain| domain != operator.domain_id());
        if elsewhere {
            return Err(Failure::failed(format!(
                "the tie leads outside your domain {}: have somebody of that domain register the client, or the \
                 administrator of the deployment",
                operator.domain_id()
            )));
        }
        Ok(())
    }
}

/// The domain of a user that is not the operator.
async fn domain_of(user_id: &UserId, operator: &Operator) -> Outcome<Option<String>> {
    if user_id == operator.user_id() {
        return Ok(Some(operator.domain_id().to_owned()));
    }
    let found = operator.session().user(user_id).await;
    let found = found.with_context(|| format!("Keystone does not show you the user {user_id}"))?;
    Ok(Some(found.domain_id.as_str().to_owned()))
}
