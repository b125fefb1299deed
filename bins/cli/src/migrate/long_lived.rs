//! Who lives by delegation that outlives tokens, from Keystone's own records.

use std::collections::BTreeMap;

use anyhow::Context as _;
use sealstone_identity::UserId;
use sealstone_keystone::{KeystoneRefusal, UserFilter};
use sealstone_migrate::{LongLived, LongLivedUse};

use crate::{
    failure::Outcome,
    openstack::{self, Environment, Operator, Place},
    output,
};

/// How many, and how many of them without an end.
#[derive(Default)]
struct Count {
    all: u64,
    endless: u64,
}

impl Count {
    fn add(&mut self, is_endless: bool) {
        self.all = self.all.saturating_add(1);
        self.endless = self.endless.saturating_add(u64::from(is_endless));
    }
}

pub(super) async fn read(environment: Environment) -> Outcome<LongLived> {
    let keystone = openstack::keystone(&Place::default(), &environment)?;
    let operator = Operator::log_in(keystone, environment).await?;
    let session = operator.session();
    let hint = "Keystone does not show you its users: log in as an administrator, or unset OS_AUTH_URL to go without";
    let users = session.users(&UserFilter::default()).await.context(hint)?;
    let names: BTreeMap<UserId, String> = users
        .iter()
        .map(|user| (user.id.clone(), user.name.to_string()))
        .collect();
    let mut not_seen = Vec::new();
    let mut trusts: BTreeMap<UserId, Count> = BTreeMap::new();
    match session.trusts(None).await {
        Ok(found) => {
            for trust in found {
                trusts
                    .entry(trust.trustee_user_id)
                    .or_default()
                    .add(trust.expires_at.is_none());
            }
        }
        Err(error) if error.refusal() == Some(KeystoneRefusal::Forbidden) => {
            not_seen.push("trusts: Keystone does not show them to you".to_owned());
        }
        Err(error) => Err(error)?,
    }
    let mut credentials: BTreeMap<UserId, Count> = BTreeMap::new();
    let mut progress = output::Progress::new("users", users.len());
    let mut hidden: usize = 0;
    for user in &users {
        match session.application_credentials(&user.id).await {
            Ok(found) => {
                for credential in found {
                    credentials
                        .entry(user.id.clone())
                        .or_default()
                        .add(credential.expires_at.is_none());
                }
            }
            Err(error) if error.refusal() == Some(KeystoneRefusal::Forbidden) => {
                hidden = hidden.saturating_add(1);
            }
            Err(error) => Err(error)?,
        }
        progress.step();
    }
    if hidden > 0 {
        not_seen.push(format!(
            "application credentials of {hidden} users: Keystone does not show them to you"
        ));
    }
    Ok(LongLived {
        trusts: uses(trusts, &names),
        application_credentials: uses(credentials, &names),
        not_seen,
    })
}

/// The most first.
fn uses(counts: BTreeMap<UserId, Count>, names: &BTreeMap<UserId, String>) -> Vec<LongLivedUse> {
    let one = |(id, count): (UserId, Count)| LongLivedUse {
        user_name: names.get(&id).cloned(),
        user_id: id.as_str().to_owned(),
        count: count.all,
        endless: count.endless,
    };
    let mut uses: Vec<LongLivedUse> = counts.into_iter().map(one).collect();
    uses.sort_by_key(|found| std::cmp::Reverse(found.count));
    uses
}
