//! Every call that the client has and that reads a body, with the status of its success.

use std::{future::Future, pin::Pin};

use sealstone_keystone::{
    AssignmentFilter, GroupId, KeystoneClient, KeystoneError, KeystoneSession, NewApplicationCredential,
    NewTrust, ProjectFilter, RoleId, TrustId, UserFilter, UserUpdate,
};

use super::{a_token, by_credential, by_password, credential_id, project_id, user_id};

type Outcome = Pin<Box<dyn Future<Output = Result<(), KeystoneError>> + Send>>;
pub(crate) type CallOf = (&'static str, u16, fn(KeystoneClient) -> Outcome);

macro_rules! calls {
    ($($name:literal $status:literal $client:ident => $call:expr),+ $(,)?) => {
        [$(($name, $status, |$client: KeystoneClient| -> Outcome {
            Box::pin(async move { $call.map(drop) })
        })),+]
    };
}

fn session(client: KeystoneClient) -> KeystoneSession {
    KeystoneSession::with_token(client, a_token())
}

pub(crate) fn calls() -> [CallOf; 24] {
    calls![
        "password" 201 c => c.authenticate(&by_password()).await,
        "credential" 201 c => c.authenticate(&by_credential()).await,
        "validate" 200 c => c.validate(&a_token(), &a_token()).await,
        "version" 200 c => c.version().await,
        "users" 200 c => session(c).users(&UserFilter::default()).await,
        "user" 200 c => session(c).user(&user_id("u1")).await,
        "update_user" 200 c => session(c).update_user(&user_id("u1"), &UserUpdate::default()).await,
        "groups_of" 200 c => session(c).groups_of(&user_id("u1")).await,
        "groups" 200 c => session(c).groups(None).await,
        "members" 200 c => session(c).members(&GroupId::parse("g1").unwrap()).await,
        "projects" 200 c => session(c).projects(&ProjectFilter::default()).await,
        "project" 200 c => session(c).project(&project_id("p1")).await,
        "domains" 200 c => session(c).domains().await,
        "roles" 200 c => session(c).roles(None).await,
        "role_inferences" 200 c => session(c).role_inferences().await,
        "implied_by" 200 c => session(c).implied_by(&RoleId::parse("r1").unwrap()).await,
        "assignments" 200 c => session(c).assignments(&AssignmentFilter::default()).await,
        "application_credentials" 200 c => session(c).application_credentials(&user_id("u1")).await,
        "application_credential" 200 c => session(c).application_credential(&user_id("u1"), &credential_id("ac1")).await,
        "create_application_credential" 201 c => {
            session(c).create_application_credential(&user_id("u1"), &NewApplicationCredential::new("ci")).await
        },
        "trusts" 200 c => session(c).trusts(None).await,
        "create_trust" 201 c => {
            let new = NewTrust::new(user_id("u1"), user_id("u2"), project_id("p1"), Vec::new());
            session(c).create_trust(&new).await
        },
        "trust" 200 c => session(c).trust(&TrustId::parse("t1").unwrap()).await,
        "revocations" 200 c => session(c).revocations(None).await,
    ]
}
