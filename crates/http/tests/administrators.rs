//! Who administers clients and keys, who does not, and how they come.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use sealstone_http::BlockingWorkshop;
use sealstone_identity::{
    AdministratorSource, Authority, DomainId, IdentitySourceError, MachineLogin, Name, ProjectScope, Refusal,
    RoleName, Scope, TieFacts, TokenHolder, UserRef,
};
use sealstone_mtls::SubjectMatcher;
use sealstone_oauth_types::ScopeSet;
use sealstone_provider::{Administration, AdministratorCertificate, KeyAdministration};
use sealstone_registry::RegistrationPolicy;
use sealstone_storage::MemoryStore;
use serde_json::Value;

use crate::support::{Answer, Ask, World};

/// A Keystone that knows a few tokens, and to whom they belong.
struct FakeKeystone;

fn scope(name: &str) -> (Scope, &'static str) {
    let domain = |id: &str| Scope::Domain {
        id: DomainId::parse(id).unwrap(),
        name: Name::parse(id).unwrap(),
    };
    match name {
        "system-admin" => (Scope::System, "admin"),
        "system-reader" => (Scope::System, "reader"),
        "manager-of-elsewhere" => (domain("elsewhere"), "manager"),
        "member-of-demo" => (domain("demo"), "member"),
        "project-admin" => {
            let project = ProjectScope::new("p1", "builds", "demo").unwrap();
            (Scope::Project(project), "admin")
        }
        _ => (domain("demo"), "manager"),
    }
}

#[async_trait]
impl AdministratorSource for FakeKeystone {
    async fn holder(&self, token: &str) -> Result<TokenHolder, IdentitySourceError> {
        if token == "unknown" {
            return Err(IdentitySourceError::Refused(Refusal::Credential));
        }
        if token == "outage" {
            return Err(IdentitySourceError::unavailable("no answer"));
        }
        let (scope, role) = scope(token);
        let user = UserRef::new("operator", "operator", "demo").unwrap();
        Ok(TokenHolder {
            authority: Authority::new(user, scope, vec![RoleName::parse(role).unwrap()]).unwrap(),
            is_narrowed: token == "narrowed",
            certificate_thumbprint: (token == "bound").then(|| "x".to_owned()),
        })
    }

    async fn tie(&self, token: &str, login: &MachineLogin<'_>) -> Result<TieFacts, IdentitySourceError> {
        assert_eq!(
            token, "manager-of-demo",
            "asked with the administrator's own token"
        );
        let MachineLogin::MintedUser { user_id, project_id } = login else {
            return Err(IdentitySourceError::Refused(Refusal::Credential));
        };
        if user_id.as_str() == "hidden" {
            return Err(IdentitySourceError::Refused(Refusal::User));
        }
        let of = |id: &str| DomainId::parse(id.split('-').next_back().unwrap()).unwrap();
        Ok(TieFacts {
            user_domain: of(user_id.as_str()),
            project_domain: of(project_id.as_str()),
            within_roles: !user_id.as_str().starts_with("mighty"),
            unrestricted: false,
        })
    }
}

pub(crate) fn administration(store: Arc<MemoryStore>) -> Administration {
    let role = |name: &str| RoleName::parse(name).unwrap();
    let subject = |name: &str| SubjectMatcher::parse("tls_client_auth_subject_dn", name).unwrap();
    Administration {
        keys: KeyAdministration {
            requests: store.clone(),
            administrators: None,
            workshop: Arc::new(BlockingWorkshop::new()),
        },
        registrations: store,
        keystone: Some(Arc::new(FakeKeystone)),
        manager_roles: vec![role("manager"), role("admin")],
        cloud_roles: vec![role("admin")],
        grantable: ScopeSet::parse("logs:read").unwrap(),
        certificates: vec![
            AdministratorCertificate {
                subject: subject("CN=operator"),
                domain: None,
            },
            AdministratorCertificate {
                subject: subject("CN=manager"),
                domain: Some(DomainId::parse("demo").unwrap()),
            },
        ],
        policy: None,
        policies: BTreeMap::from([(
            DomainId::parse("demo").unwrap(),
            Some(RegistrationPolicy::default()),
        )]),
    }
}

impl World {
    pub(crate) async fn token_at(&self, domain: &str, client: &str, form: &str) -> String {
        let place = format!("/v4/oauth2/{domain}/token");
        let answer = self.send(Ask::post(&place).basic(client).form(form)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

impl Ask {
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(Body::from(body.to_string()))
    }
}

/// By the cloud's administrator.
pub(crate) fn cloud(method: &str, uri: &str) -> Ask {
    Ask::new(method, uri).header("x-auth-token", "system-admin")
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str, name: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.json()["error"].as_str()),
        (status, Some(code)),
        "{name}: {answer:?}"
    );
    answer.is_clean();
    let challenge = answer.header("www-authenticate");
    assert!(
        status != 401 || challenge.is_some_and(|value| value.starts_with("Bearer")),
        "{name}: {answer:?}"
    );
}

/// A way to come with a request.
pub(crate) struct Way<'a> {
    name: &'a str,
    status: u16,
    code: &'a str,
    dressed: Box<dyn Fn(Ask) -> Ask + 'a>,
}

/// Whoever comes so is refused so.
pub(crate) fn way<'a>(
    name: &'a str,
    status: u16,
    code: &'a str,
    dressed: impl Fn(Ask) -> Ask + 'a,
) -> Way<'a> {
    let dressed = Box::new(dressed);
    Way {
        name,
        status,
        code,
        dressed,
    }
}

/// With a token of Keystone's.
pub(crate) fn of_keystone(token: &'static str) -> impl Fn(Ask) -> Ask {
    move |ask| ask.header("x-auth-token", token)
}

/// Those whom no administrators' endpoint of `demo` takes. `good` is a token that would be taken alone, `narrower` one of the
/// same client without the scope.
pub(crate) fn ways_of_nobody<'a>(world: &'a World, good: &'a str, narrower: &'a str) -> Vec<Way<'a>> {
    let stranger = world.ca.client("stranger");
    vec![
        way("nothing", 401, "invalid_token", |ask| ask),
        way("basic", 401, "invalid_token", |ask| ask.basic("office")),
        way("no token", 401, "invalid_token", |ask| ask.bearer("x.y.z")),
        way("scope not asked for", 403, "insufficient_scope", |ask| {
            ask.bearer(narrower)
        }),
        way("no Keystone token", 401, "invalid_token", of_keystone("unknown")),
        way(
            "another domain's manager",
            403,
            "access_denied",
            of_keystone("manager-of-elsewhere"),
        ),
        way(
            "reader of the system",
            403,
            "access_denied",
            of_keystone("system-reader"),
        ),
        way(
            "admin of a project",
            403,
            "access_denied",
            of_keystone("project-admin"),
        ),
        way("an unknown certificate", 403, "access_denied", move |ask| {
            ask.certificate(&stranger)
        }),
        way("its own signature", 401, "invalid_token", |ask| {
            ask.certificate(&world.alone)
        }),
        way("two tokens", 400, "invalid_request", |ask| {
            ask.bearer(good).header("x-auth-token", "system-admin")
        }),
        way("a web page", 403, "access_denied", |ask| {
            ask.bearer(good).header("origin", "https://evil.example")
        }),
    ]
}

/// Each request is refused to each of them.
pub(crate) async fn each_refused(world: &World, ways: &[Way<'_>], requests: &[(&str, &str)]) {
    let mut asked = 0_u32;
    for way in ways {
        for (method, uri) in requests {
            // From an address of its own: too many failures of one are answered 429.
            asked += 1;
            let ask = Ask::new(method, uri).peer(&format!("10.0.{}.{}", asked / 200, asked % 200));
            let answer = world.send((way.dressed)(ask)).await;
            let name = format!("{}: {method} {uri}", way.name);
            refused(&answer, way.status, way.code, &name);
        }
    }
}
