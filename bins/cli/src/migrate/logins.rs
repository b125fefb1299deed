//! Who logs in at the nodes: accounts of a file, and the one that the environment names.

use std::path::PathBuf;

use clap::Args;
use sealstone_migrate::{Exchange, Login, LoginKind, ProbeRequest};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    failure::{Failure, Outcome},
    input,
    openstack::{Environment, PlainAuth},
    output,
};

#[derive(Debug, Args)]
pub(super) struct LoginArguments {
    /// Accounts to log in as, beside the one of the `OS_*` variables: a JSON list of objects with `name`, `kind`
    /// (unscoped, project, domain, system, trust, `application_credential`, federated) and `auth`, which is what
    /// Keystone's POST /auth/tokens takes; for federated users `path` and `headers` instead of `auth`
    #[arg(long, value_name = "FILE")]
    logins: Option<PathBuf>,
}

/// Tells for which scopes there is nobody to log in as.
pub(super) fn tell_missing(missing: &[LoginKind]) {
    if missing.is_empty() {
        return;
    }
    let kinds: Vec<&str> = missing.iter().map(|kind| kind.as_str()).collect();
    output::note(&format!(
        "note: not checked, for want of a login: {}",
        kinds.join(", ")
    ));
}

/// The kinds that none of these has.
pub(super) fn missing(logins: &[Login]) -> Vec<LoginKind> {
    let has = |kind: &LoginKind| logins.iter().any(|login| login.kind() == *kind);
    LoginKind::ALL.into_iter().filter(|kind| !has(kind)).collect()
}

impl LoginArguments {
    /// All logins; what the account of the environment may do is asked of the node at `url`.
    pub(super) fn read(&self, url: &str, exchange: &mut dyn Exchange) -> Outcome<Vec<Login>> {
        let mut logins = match &self.logins {
            Some(path) => {
                let text = input::secret(path)?;
                Login::parse_all(text.as_bytes())
                    .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?
            }
            None => Vec::new(),
        };
        let environment = Environment::read();
        if environment.names_somebody() {
            logins.extend(of_environment(&environment.plain_auth()?, url, exchange)?);
        }
        if logins.is_empty() {
            return Err(Failure::usage(
                "nobody to log in as: set the OS_* variables of an account, or give --logins FILE",
            ));
        }
        Ok(logins)
    }
}

fn of_environment(auth: &PlainAuth, url: &str, exchange: &mut dyn Exchange) -> Outcome<Vec<Login>> {
    if auth.is_application_credential {
        let login = json!({ "identity": auth.identity });
        return Ok(vec![Login::new("OS_*", LoginKind::ApplicationCredential, &login)]);
    }
    let scoped = |kind, scope: Value| {
        let login = json!({ "identity": auth.identity, "scope": scope });
        Login::new("OS_*", kind, &login)
    };
    let mut logins = vec![scoped(LoginKind::Unscoped, json!("unscoped"))];
    let mut known = Known::ask(auth, url, exchange)?;
    let project = auth
        .project
        .clone()
        .or_else(|| known.first("/auth/projects", "projects"));
    logins.extend(project.map(|project| scoped(LoginKind::Project, json!({ "project": project }))));
    let domain = known.first("/auth/domains", "domains");
    logins.extend(domain.map(|domain| scoped(LoginKind::Domain, json!({ "domain": domain }))));
    if known
        .list("/auth/system", "system")
        .iter()
        .any(|found| found.get("all") == Some(&Value::Bool(true)))
    {
        logins.push(scoped(LoginKind::System, json!({ "system": { "all": true } })));
    }
    let trusts = format!("/OS-TRUST/trusts?trustee_user_id={}", known.user_id);
    let trust = known.first(&trusts, "trusts");
    logins.extend(trust.map(|trust| scoped(LoginKind::Trust, json!({ "OS-TRUST:trust": trust }))));
    known.end();
    Ok(logins)
}

/// An unscoped token, and what it may see.
struct Known<'a> {
    url: &'a str,
    exchange: &'a mut dyn Exchange,
    token: Zeroizing<String>,
    user_id: String,
}

impl<'a> Known<'a> {
    fn ask(auth: &PlainAuth, url: &'a str, exchange: &'a mut dyn Exchange) -> Outcome<Self> {
        let login = json!({ "auth": { "identity": auth.identity, "scope": "unscoped" } });
        let body = Zeroizing::new(login.to_string());
        let request = ProbeRequest {
            method: "POST",
            url: format!("{url}/auth/tokens?nocatalog"),
            headers: vec![("content-type", "application/json")],
            body: &body,
        };
        let answer = exchange.exchange(&request);
        let refused = |why: String| {
            Failure::failed(format!(
                "{url} does not let you in ({why}): check the OS_* variables, and that it is Keystone's v3 API"
            ))
        };
        let answer = answer.map_err(refused)?;
        let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let id = said
            .as_ref()
            .and_then(|said| said.pointer("/token/user/id")?.as_str().map(str::to_owned));
        let id = id.filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
        match (answer.status, answer.token, id) {
            (201, Some(token), Some(user_id)) => Ok(Self {
                url,
                exchange,
                token: Zeroizing::new(token),
                user_id,
            }),
            (status, ..) => Err(refused(format!("status {status}"))),
        }
    }

    /// What is not shown is not there: the matrix tells what it had no login for.
    fn list(&mut self, path: &str, member: &str) -> Vec<Value> {
        let request = ProbeRequest {
            method: "GET",
            url: format!("{}{path}", self.url),
            headers: vec![("x-auth-token", &self.token)],
            body: "",
        };
        let answer = self.exchange.exchange(&request);
        let said: Option<Value> = match answer {
            Ok(answer) if answer.status == 200 => serde_json::from_slice(&answer.body).ok(),
            _ => None,
        };
        let list = said.and_then(|mut said| Some(said.get_mut(member)?.as_array_mut()?.split_off(0)));
        list.unwrap_or_default()
    }

    fn first(&mut self, path: &str, member: &str) -> Option<Value> {
        let found = self.list(path, member);
        let id = found
            .iter()
            .find_map(|one| one.get("id")?.as_str().map(str::to_owned))?;
        Some(json!({ "id": id }))
    }

    fn end(self) {
        let request = ProbeRequest {
            method: "DELETE",
            url: format!("{}/auth/tokens", self.url),
            headers: vec![("x-auth-token", &self.token), ("x-subject-token", &self.token)],
            body: "",
        };
        if self.exchange.exchange(&request).is_err() {
            output::note("note: a token of this program could not be revoked; it ends by itself");
        }
    }
}
