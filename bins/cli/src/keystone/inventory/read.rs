//! Everything by which somebody logs in, read from Keystone.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use sealstone_identity::{DomainId, UserId};
use sealstone_keystone::{
    ApplicationCredential, Assignment, AssignmentFilter, AssignmentScope, Credential, KeystoneError,
    KeystoneRefusal, KeystoneSession, Trust, User, UserFilter,
};
use tokio::task::JoinSet;

use super::{
    Item, LastUse, Owner, Where,
    becomes::{self, Signs},
};
use crate::{
    clock,
    failure::Outcome,
    keystone::{logins::PasswordLogins, people},
    openstack::Operator,
    output,
};

/// Users that are asked about at one time: a Keystone of common size has some ten workers, and others want them too.
const AT_A_TIME: usize = 4;

pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// What could not be seen.
    pub(super) notes: Vec<String>,
}

pub(super) async fn users(
    operator: &Operator,
    domain: Option<&DomainId>,
    named: &[String],
) -> Outcome<Vec<User>> {
    let session = operator.session();
    if named.is_empty() {
        let filter = UserFilter {
            domain_id: domain.cloned(),
            ..UserFilter::default()
        };
        let hint = "Keystone does not show you its users: log in as an administrator, or name a domain of yours by \
                    --user-domain";
        return Ok(session.users(&filter).await.context(hint)?);
    }
    let mut users = Vec::new();
    for one in named {
        users.push(people::find(&session, one, domain).await?);
    }
    Ok(users)
}

/// What one user has.
struct Holding {
    user: User,
    places: Result<Vec<Where>, KeystoneError>,
    credentials: Result<Vec<ApplicationCredential>, KeystoneError>,
}

pub(super) async fn everything(
    operator: &Operator,
    users: Vec<User>,
    logins: &PasswordLogins,
) -> Outcome<Found> {
    let session = Arc::new(operator.session());
    let mut notes = Vec::new();
    let stored = seen("stored credentials", session.credentials(None).await, &mut notes)?;
    let trusts = seen("trusts", session.trusts(None).await, &mut notes)?;
    let federated = users.iter().filter(|user| !user.federated.is_empty()).count();
    if federated > 0 {
        notes.push(format!(
            "note: {federated} federated users have no password here and are left out"
        ));
    }
    let local: Vec<User> = users
        .into_iter()
        .filter(|user| user.federated.is_empty())
        .collect();
    let names: BTreeMap<UserId, String> = local
        .iter()
        .map(|user| (user.id.clone(), people::label(user)))
        .collect();
    let holdings = holdings(&session, local).await?;
    let mut items = Vec::new();
    for holding in holdings {
        let of_user = |credential: &&Credential| credential.user_id == holding.user.id;
        let stored: Vec<&Credential> = stored.iter().filter(of_user).collect();
        of_holding(&holding, &stored, logins, &mut items, &mut notes);
        for trust in trusts
            .iter()
            .filter(|trust| trust.trustor_user_id == holding.user.id)
        {
            // A list leaves the roles out.
            let roles = session.trust(&trust.id).await.ok().and_then(|trust| trust.roles);
            let owner = owner(&holding, &stored);
            items.push(of_trust(trust, roles.unwrap_or_default(), owner, &names));
        }
    }
    Ok(Found { items, notes })
}

/// A list that not everybody may see is empty for them, and said to be so.
fn seen<T>(what: &str, found: Result<Vec<T>, KeystoneError>, notes: &mut Vec<String>) -> Outcome<Vec<T>> {
    match found {
        Ok(found) => Ok(found),
        Err(error) if error.refusal() == Some(KeystoneRefusal::Forbidden) => {
            notes.push(format!(
                "note: Keystone does not show you {what}: an administrator sees them"
            ));
            Ok(Vec::new())
        }
        Err(error) => Err(error)?,
    }
}

async fn holdings(session: &Arc<KeystoneSession>, users: Vec<User>) -> Outcome<Vec<Holding>> {
    let mut progress = output::Progress::new("users", users.len());
    let mut waiting = users.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut done = BTreeMap::new();
    loop {
        while running.len() < AT_A_TIME {
            let Some((place, user)) = waiting.next() else {
                break;
            };
            let session = Arc::clone(session);
            running.spawn(async move { (place, holding(&session, user).await) });
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let (place, holding) = joined.context("the work was given up: try again")?;
        done.insert(place, holding);
        progress.step();
    }
    Ok(done.into_values().collect())
}

async fn holding(session: &KeystoneSession, user: User) -> Holding {
    let filter = AssignmentFilter {
        user_id: Some(user.id.clone()),
        effective: true,
        names: true,
        ..AssignmentFilter::default()
    };
    let (places, credentials) = tokio::join!(
        session.assignments(&filter),
        session.application_credentials(&user.id)
    );
    Holding {
        user,
        places: places.map(|found| by_place(&found)),
        credentials,
    }
}

/// Roles, gathered by where they hold.
pub(crate) fn by_place(assignments: &[Assignment]) -> Vec<Where> {
    let mut places: Vec<Where> = Vec::new();
    for assignment in assignments {
        let (kind, id, name) = match &assignment.scope {
            AssignmentScope::Project(project) => {
                ("project", Some(project.id.as_str()), project.name.as_ref())
            }
            AssignmentScope::Domain(domain) => ("domain", Some(domain.id.as_str()), domain.name.as_ref()),
            AssignmentScope::System => ("system", None, None),
        };
        let role = assignment
            .role
            .name
            .as_ref()
            .map_or(assignment.role.id.as_str(), |name| name.as_str());
        let known = places
            .iter_mut()
            .find(|place| place.kind == kind && place.id.as_deref() == id);
        match known {
            Some(place) if place.roles.iter().any(|known| known == role) => {}
            Some(place) => place.roles.push(role.to_owned()),
            None => places.push(Where {
                kind,
                id: id.map(str::to_owned),
                name: name.map(ToString::to_string),
                roles: vec![role.to_owned()],
            }),
        }
    }
    places.iter_mut().for_each(|place| place.roles.sort());
    places
}

fn owner(holding: &Holding, stored: &[&Credential]) -> Owner {
    let user = &holding.user;
    let places = holding.places.as_deref().unwrap_or_default();
    let is_service = |place: &Where| place.roles.iter().any(|role| role == "service");
    let signs = Signs {
        has_totp: stored
            .iter()
            .any(|credential| credential.credential_type.as_str() == "totp"),
        has_service_role: places.iter().any(is_service),
        has_application_credentials: holding.credentials.as_ref().is_ok_and(|found| !found.is_empty()),
    };
    let (looks_like, because) = becomes::looks(user, signs);
    Owner {
        id: user.id.as_str().to_owned(),
        name: people::label(user),
        domain_id: user.domain_id.as_str().to_owned(),
        enabled: user.enabled,
        looks_like,
        because,
    }
}

fn of_holding(
    holding: &Holding,
    stored: &[&Credential],
    logins: &PasswordLogins,
    items: &mut Vec<Item>,
    notes: &mut Vec<String>,
) {
    let (user, owner) = (&holding.user, owner(holding, stored));
    let no_places = Vec::new();
    let places = match &holding.places {
        Ok(places) => places,
        Err(error) => {
            notes.push(format!(
                "note: the roles of {} could not be read: {error}",
                owner.name
            ));
            &no_places
        }
    };
    let becomes = match &holding.places {
        Ok(places) => becomes::password(user, owner.looks_like, places),
        Err(_) => "unknown: its roles could not be read".to_owned(),
    };
    items.push(Item {
        kind: "password",
        id: None,
        name: None,
        owner: owner.clone(),
        scope: places.clone(),
        restricted: None,
        access_rules: None,
        expires_at: user.password_expires_at.map(clock::date),
        last_use: LastUse::of_password(logins, user),
        becomes,
    });
    match &holding.credentials {
        Ok(found) => items.extend(
            found
                .iter()
                .map(|credential| of_credential(credential, places, &owner)),
        ),
        Err(error) => notes.push(format!(
            "note: the application credentials of {} could not be read: {error}",
            owner.name
        )),
    }
    for key in stored
        .iter()
        .filter(|credential| credential.credential_type.as_str() == "ec2")
    {
        let project = key.project_id.as_ref().map(|id| id.as_str());
        let known = places
            .iter()
            .filter(|place| place.kind == "project" && place.id.as_deref() == project);
        items.push(Item {
            kind: "ec2",
            id: Some(key.id.as_str().to_owned()),
            name: None,
            owner: owner.clone(),
            scope: known.cloned().collect(),
            restricted: None,
            access_rules: None,
            expires_at: None,
            last_use: LastUse::Unknown,
            becomes: becomes::EC2.to_owned(),
        });
    }
}

fn of_credential(credential: &ApplicationCredential, places: &[Where], owner: &Owner) -> Item {
    let roles: Vec<String> = credential
        .roles
        .iter()
        .map(|role| role.name.to_string())
        .collect();
    let id = credential.project_id.as_str();
    let known = places
        .iter()
        .find(|place| place.kind == "project" && place.id.as_deref() == Some(id));
    let has_ended = credential.expires_at.is_some_and(|end| end <= clock::now());
    Item {
        kind: "application_credential",
        id: Some(credential.id.as_str().to_owned()),
        name: Some(credential.name.to_string()),
        owner: owner.clone(),
        becomes: becomes::application_credential(credential.unrestricted, has_ended, &roles).to_owned(),
        scope: vec![Where {
            kind: "project",
            id: Some(id.to_owned()),
            name: known.and_then(|place| place.name.clone()),
            roles,
        }],
        restricted: Some(!credential.unrestricted),
        access_rules: credential.access_rules.as_ref().map(Vec::len),
        expires_at: credential.expires_at.map(clock::date),
        last_use: LastUse::Unknown,
    }
}

fn of_trust(
    trust: &Trust,
    roles: Vec<sealstone_keystone::RoleRef>,
    owner: Owner,
    names: &BTreeMap<UserId, String>,
) -> Item {
    let trustee = names
        .get(&trust.trustee_user_id)
        .map_or(trust.trustee_user_id.as_str(), String::as_str);
    Item {
        kind: "trust",
        id: Some(trust.id.as_str().to_owned()),
        name: Some(format!(
            "to {trustee}{}",
            if trust.impersonation { ", in its name" } else { "" }
        )),
        owner,
        scope: vec![Where {
            kind: "project",
            id: trust.project_id.as_ref().map(|id| id.as_str().to_owned()),
            name: None,
            roles: roles.into_iter().map(|role| role.name.to_string()).collect(),
        }],
        restricted: None,
        access_rules: None,
        expires_at: trust.expires_at.map(clock::date),
        last_use: LastUse::Unknown,
        becomes: becomes::TRUST.to_owned(),
    }
}
