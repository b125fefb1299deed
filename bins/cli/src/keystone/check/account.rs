//! The server's own account: whether it logs in, and may do what the server does with it.

use anyhow::Context as _;
use rustls_pki_types::UnixTime;
use sealstone_ca::files;
use sealstone_identity::{ApplicationCredentialId, ProjectId, UserId};
use sealstone_keystone::{
    Authentication, KeystoneClient, KeystoneRefusal, KeystoneSession, Login, Secret, Token, TokenInfo,
};

use super::{Report, endpoint::chain, report::Verdict};
use crate::{
    clock,
    failure::Outcome,
    openstack::{ServerLogins, project_of},
};

/// Keystone fails on tokens of its future, and its revocations are compared with times of ours.
const SKEW: u64 = 5;
/// A credential that ends sooner deserves to be renewed now.
const SOON: u64 = 14 * 24 * 3600;

/// The service account, logged in.
pub(super) struct Account {
    token: Token,
    pub(super) credential: ApplicationCredentialId,
    pub(super) user_id: UserId,
    pub(super) project_id: ProjectId,
}

impl Account {
    /// `jws` or `fernet`.
    pub(super) fn token_form(&self) -> &'static str {
        if self.token.expose().starts_with("eyJ") {
            "jws"
        } else {
            "fernet"
        }
    }
}

/// How the server logs in, if it does.
pub(super) fn login(logins: &ServerLogins) -> Outcome<Option<Authentication>> {
    let (Some(id), Some(path)) = (&logins.service_id, &logins.service_secret_file) else {
        return Ok(None);
    };
    let id =
        ApplicationCredentialId::parse(id).context("`application_credential_id` in [keystone.service]")?;
    let secret = files::read_private(path)?;
    let secret = Secret::from(secret.trim());
    Ok(Some(Authentication::application_credential(id, secret)))
}

pub(super) async fn look(
    keystone: &KeystoneClient,
    logins: &ServerLogins,
    report: &mut Report,
) -> Outcome<Option<Account>> {
    let login = match login(logins) {
        Ok(Some(login)) => login,
        Ok(None) => {
            report.wrong_here(
                "service account",
                "there is none: no revocation is noticed before an identity is asked for anew",
                "make an application credential with the role `service`, and name it in [keystone.service]",
            );
            return Ok(None);
        }
        Err(failure) => {
            report.wrong_here(
                "service account",
                failure.to_string(),
                "correct [keystone.service]",
            );
            return Ok(None);
        }
    };
    let asked_at = clock::now();
    let issued = match keystone.authenticate(&login).await {
        Ok(Login::Complete(issued)) => issued,
        Ok(Login::Incomplete(_receipt)) => {
            let advice = "take the rules off its user, or allow `application_credential` in them";
            report.wrong_here("service account", "Keystone wants a second factor of it", advice);
            return Ok(None);
        }
        Err(error) => {
            let advice =
                "check id and secret in [keystone.service]: gone, expired, its user disabled, or mistyped";
            report.wrong_here("service account", chain(&error), advice);
            return Ok(None);
        }
    };
    skew(issued.info.issued_at, asked_at, clock::now(), report);
    let session = KeystoneSession::with_token(keystone.clone(), issued.token.clone());
    known(&issued.info, report);
    let account = credential(&issued.info, issued.token.clone());
    if let Some(account) = &account {
        expiry(&session, account, report).await;
    }
    may(&session, report).await;
    Ok(account)
}

fn credential(info: &TokenInfo, token: Token) -> Option<Account> {
    Some(Account {
        token,
        credential: info.application_credential.as_ref()?.id.clone(),
        user_id: info.user.id.clone(),
        project_id: project_of(info)?.id.clone(),
    })
}

/// Keystone's clock was read between `before` and `after` of ours.
fn skew(theirs: UnixTime, before: UnixTime, after: UnixTime, report: &mut Report) {
    let theirs = theirs.as_secs();
    // A token's time is whole seconds, cut off.
    let ahead = theirs.saturating_sub(after.as_secs());
    let behind = before.as_secs().saturating_sub(theirs.saturating_add(1));
    let found = match (ahead, behind) {
        (0, 0) => return report.right("clock", "Keystone's and ours agree"),
        (ahead, 0) => format!("Keystone's is {ahead} s ahead of ours"),
        (_, behind) => format!("Keystone's is {behind} s behind ours"),
    };
    let advice = "let NTP keep both: Keystone breaks off on tokens of its future";
    // A minted token is dated back one second.
    if behind > 1 || ahead > SKEW {
        report.wrong_here("clock", found, advice);
    } else {
        report.weak("clock", found, advice);
    }
}

fn known(info: &TokenInfo, report: &mut Report) {
    let roles: Vec<&str> = info.roles.iter().map(|role| role.name.as_str()).collect();
    let found = format!("{} logs in, with {}", info.user.name, roles.join(", "));
    if roles.contains(&"admin") {
        let advice = "the role `service` is enough: make a new application credential with that one";
        report.weak("service account", format!("{found}: more than it needs"), advice);
    } else {
        report.right("service account", found);
    }
    if info
        .application_credential
        .as_ref()
        .is_some_and(|used| !used.restricted)
    {
        report.wrong_here(
            "service account",
            "its application credential is unrestricted: whoever has it makes further ones that outlive it",
            "make a restricted one",
        );
    }
}

async fn expiry(session: &KeystoneSession, account: &Account, report: &mut Report) {
    match session
        .application_credential(&account.user_id, &account.credential)
        .await
    {
        Ok(found) => match found.expires_at {
            Some(end) if end.as_secs().saturating_sub(clock::now().as_secs()) < SOON => report.weak(
                "service account",
                format!(
                    "its application credential ends {}",
                    clock::date_and_relative(end, clock::now())
                ),
                "make its successor now, and name it in [keystone.service]",
            ),
            Some(end) => report.right(
                "service account",
                format!(
                    "its application credential ends {}",
                    clock::date_and_relative(end, clock::now())
                ),
            ),
            None => report.right("service account", "its application credential has no end"),
        },
        Err(error) => report.unknown("service account", chain(&error), ""),
    }
}

/// What the server does in its name.
async fn may(session: &KeystoneSession, report: &mut Report) {
    let since = clock::at(clock::now().as_secs().saturating_sub(60));
    match session.revocations(Some(since)).await {
        Ok(_) => report.right("revocation events", "they can be read"),
        Err(error) if error.refusal() == Some(KeystoneRefusal::Forbidden) => report.add(
            Verdict::Wrong,
            "revocation events",
            None,
            "the service account may not read them",
            "give it the role `service` on its project, and make a new application credential with it",
        ),
        Err(error) => report.add(
            Verdict::Wrong,
            "revocation events",
            None,
            chain(&error),
            "see Keystone's log",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_part_are_told_before_keystone_breaks_off() {
        let at = |seconds: u64| clock::at(1_795_400_000 + seconds);
        // Keystone's time is cut to whole seconds, and the call took from 100 to 102.
        for (theirs, want) in [
            (101, "right"),
            (99, "right"),
            (103, "weak"),
            (98, "weak"),
            (107, "weak"),
            (108, "wrong"),
            (97, "wrong"),
            (0, "wrong"),
        ] {
            let mut report = Report::default();
            skew(at(theirs), at(100), at(102), &mut report);
            assert!(report.lines().starts_with(want), "{theirs}: {}", report.lines());
        }
    }
}
