//! The demo's people: one with a password, and one with an authenticator app as well.

use super::{DOMAIN, DevFile, DevUser};
use crate::config::Config;
use crate::custody;
use crate::run::Served;
use anyhow::Context as _;
use sealstone_directory::{
    DirectoryStore as _, DirectoryUser, UserInsertion, UserName, UserRegistration, UserReplacement,
};
use sealstone_factors::{NewPassword, TotpSecret};
use sealstone_identity::{DomainId, Email, Name, PersonProject, ProjectScope, RoleName, UserId};
use sealstone_jose::base64url;
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_login::{FactorStore as _, Kept, Swap, TotpFactor, UserFactors};
use sealstone_provider::{Clock as _, SystemClock};
use zeroize::Zeroizing;

/// Somebody of the demo before they are registered.
struct Plan {
    name: &'static str,
    full_name: &'static str,
    has_totp: bool,
}

const PLANS: [Plan; 2] = [
    Plan {
        name: "demo",
        full_name: "Dana Demo",
        has_totp: false,
    },
    Plan {
        name: "demo-mfa",
        full_name: "Max Factor",
        has_totp: true,
    },
];

/// Where people of the demo may act: id, name and roles.
const PROJECTS: [(&str, &str, &[&str]); 2] = [
    ("demo-project", "demo", &["member", "reader"]),
    ("lab-project", "lab", &["reader"]),
];

/// Registers the people who are not there yet; those who are keep their password if it is still known.
pub(super) async fn register(
    served: &Served,
    config: &Config,
    before: Option<&DevFile>,
) -> anyhow::Result<Vec<DevUser>> {
    let mut users = Vec::new();
    for plan in &PLANS {
        let known = before.and_then(|file| file.users.iter().find(|user| user.name == plan.name));
        users.push(ensure(served, config, plan, known).await?);
    }
    Ok(users)
}

async fn ensure(
    served: &Served,
    config: &Config,
    plan: &Plan,
    known: Option<&DevUser>,
) -> anyhow::Result<DevUser> {
    let domain = DomainId::parse(DOMAIN)?;
    let name = UserName::parse(plan.name)?;
    let there = served.store.user_named(&domain, &name).await?;
    let password = match (&there, known) {
        (Some(_), Some(known)) => known.password.clone(),
        _ => draw_password()?,
    };
    let user = match there {
        Some(user) if known.is_some() => user.id().clone(),
        Some(user) => with_password(served, &user, &password).await?,
        None => insert(served, plan, domain.clone(), name, &password).await?,
    };
    let totp_secret = if plan.has_totp {
        let known = known.and_then(|known| known.totp_secret.as_deref());
        Some(authenticator(served, config, &domain, &user, known).await?)
    } else {
        None
    };
    Ok(DevUser {
        name: plan.name.to_owned(),
        password,
        totp_secret,
    })
}

async fn insert(
    served: &Served,
    plan: &Plan,
    domain: DomainId,
    name: UserName,
    password: &str,
) -> anyhow::Result<UserId> {
    let now = SystemClock.now();
    let registration = UserRegistration {
        full_name: Some(Name::parse(plan.full_name)?),
        email: Some(Email::new(&format!("{}@demo.test", plan.name), true)?),
        groups: vec![Name::parse("demo-users")?, Name::parse("ops")?],
        projects: projects()?,
        ..UserRegistration::new(name)
    };
    let user = DirectoryUser::register(domain, registration, draw()?, now)?;
    let hash = NewPassword::parse(password)?.hash(draw()?)?;
    let user = user.with_password(hash, now)?;
    let id = user.id().clone();
    match served.store.insert_user(user).await? {
        UserInsertion::Inserted => Ok(id),
        UserInsertion::Exists | UserInsertion::NameTaken | UserInsertion::UnknownDomain => {
            changed_under_us(plan.name)
        }
    }
}

async fn with_password(served: &Served, user: &DirectoryUser, password: &str) -> anyhow::Result<UserId> {
    let hash = NewPassword::parse(password)?.hash(draw()?)?;
    let changed = user.with_password(hash, SystemClock.now())?;
    match served.store.replace_user(user.version(), changed).await? {
        UserReplacement::Replaced => Ok(user.id().clone()),
        UserReplacement::Conflict | UserReplacement::NameTaken | UserReplacement::Missing => {
            changed_under_us(user.name().as_str())
        }
    }
}

/// The secret of the person's authenticator app: the one of before, or a new one when that can't be told any more.
async fn authenticator(
    served: &Served,
    config: &Config,
    domain: &DomainId,
    user: &UserId,
    known: Option<&str>,
) -> anyhow::Result<String> {
    let factors = served.store.factors(domain, user).await?;
    if let (Some(factors), Some(known)) = (&factors, known)
        && factors.totp().is_some()
    {
        return Ok(known.to_owned());
    }
    let secret = TotpSecret::from_octets(draw()?);
    let kek = custody::read(&config.secrets, None)?;
    let place = SecretPlace {
        purpose: SecretPurpose::OneTimeCodes,
        domain: domain.as_str(),
        client: user.as_str(),
    };
    let sealed = kek.seal_secret(place, &secret.expose())?;
    let totp = TotpFactor::new(Kept::of(&sealed)?, 0, SystemClock.now());
    let factors = factors.unwrap_or_else(|| UserFactors::none(domain.clone(), user.clone()));
    match served.store.replace_factors(&factors.with_totp(totp)).await? {
        Swap::Conflict => changed_under_us(user.as_str()),
        Swap::Done => Ok(secret.expose().to_string()),
    }
}

fn projects() -> anyhow::Result<Vec<PersonProject>> {
    let project = |(id, name, roles): (&str, &str, &[&str])| {
        let roles = roles
            .iter()
            .map(|role| RoleName::parse(role))
            .collect::<Result<_, _>>()?;
        Ok(PersonProject {
            project: ProjectScope::new(id, name, DOMAIN)?.with_domain_name("Demo")?,
            roles,
        })
    };
    PROJECTS.into_iter().map(project).collect()
}

fn changed_under_us<T>(who: &str) -> anyhow::Result<T> {
    anyhow::bail!("{who} changed under us: another program uses the data folder; start again")
}

/// Sixteen characters that can be typed.
fn draw_password() -> anyhow::Result<String> {
    Ok(base64url::encode(draw::<12>()?))
}

fn draw<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut octets = Zeroizing::new([0_u8; N]);
    aws_lc_rs::rand::fill(&mut *octets)
        .ok()
        .context("the system's random source failed")?;
    Ok(*octets)
}
