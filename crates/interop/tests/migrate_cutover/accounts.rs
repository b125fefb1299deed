//! Who logs in.

use sealstone_interop::KeystoneLab;
use serde_json::{Value, json};

/// One login of each kind.
pub(crate) fn accounts(lab: &KeystoneLab) -> Vec<Value> {
    let seed = lab.seed();
    let password = |name: &str| {
        let user = seed.user(name);
        json!({"methods": ["password"], "password": {"user": {"id": user.id, "password": user.password}}})
    };
    let credential = seed.application_credential("restricted");
    let credential = json!({"methods": ["application_credential"],
        "application_credential": {"id": credential.id, "secret": credential.secret}});
    let login = |name: &str, kind: &str, identity: Value, scope: Value| {
        let auth = if scope.is_null() {
            json!({"identity": identity})
        } else {
            json!({"identity": identity, "scope": scope})
        };
        json!({"name": name, "kind": kind, "auth": auth})
    };
    vec![
        login("alice", "unscoped", password("alice"), json!("unscoped")),
        login(
            "alice",
            "project",
            password("alice"),
            json!({"project": {"id": seed.project("web")}}),
        ),
        login(
            "alice",
            "domain",
            password("alice"),
            json!({"domain": {"id": seed.domain("acme")}}),
        ),
        login(
            "sysadmin",
            "system",
            password("sysadmin"),
            json!({"system": {"all": true}}),
        ),
        login(
            "carol",
            "trust",
            password("carol"),
            json!({"OS-TRUST:trust": {"id": seed.trusts["impersonating"]}}),
        ),
        login("alice's", "application_credential", credential, Value::Null),
        json!({"name": "fred", "kind": "federated",
            "path": "/OS-FEDERATION/identity_providers/labidp/protocols/openid/auth",
            "headers": {"OIDC-ISS": "https://idp.lab.test", "OIDC-PREFERRED-USERNAME": "fred",
                        "OIDC-EMAIL": "fred@idp.lab.test"}}),
    ]
}
