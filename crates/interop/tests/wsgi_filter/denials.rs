//! What must not get through, with an issuer that signs anything.

use aws_lc_rs::hmac;
use sealstone_interop::Answer;
use sealstone_jose::Algorithm;
use sealstone_testkit::TestCa;
use serde_json::{Value, json};

use crate::issuer::{Key, base64url, message, now};
use crate::told;
use crate::world::{BROKEN, World, changed};

#[track_caller]
fn refused(answer: &Answer, status: u16, what: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{what}: {text}");
    assert!(!text.contains("environ"), "{what}: it reached the application");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
}

#[test]
fn each_algorithm_of_the_list_is_taken() {
    let world = World::start();
    for key in &world.keys {
        let answer = world.bear(&key.sign(&key.header(), &world.claims().to_string()));
        assert_eq!(
            answer.status,
            200,
            "{}: {}\n{}",
            key.id,
            answer.text(),
            world.service.said()
        );
        assert_eq!(told(&answer, "HTTP_X_ROLES").as_deref(), Some("member,reader"));
        assert_eq!(told(&answer, "HTTP_X_USER_DOMAIN_NAME").as_deref(), Some("acme"));
    }
    let good = [
        (
            "a clock half a minute ahead",
            json!({"iat": now() + 30, "nbf": now() + 30}),
        ),
        ("several audiences", json!({"aud": ["x", "openstack-apis:demo"]})),
        ("another claim", json!({"department": "ci"})),
        ("no nbf", json!({"nbf": null})),
    ];
    for (what, changes) in good {
        assert_eq!(world.bear(&world.token(&changes)).status, 200, "{what}");
    }
}

/// Tokens with good claims and a signature that proves nothing.
fn forged(world: &World) -> Vec<(&'static str, String)> {
    let [ec, ed, rsa] = &world.keys;
    let claims = world.claims().to_string();
    let with = |name: &str, value: Value| changed(ec.header(), &json!({name: value}));
    let unsigned = |alg: &str| {
        format!(
            "{}.",
            message(&json!({"alg": alg, "kid": "ec", "typ": "at+jwt"}), &claims)
        )
    };
    let mac = |secret: &[u8]| {
        let text = message(&json!({"alg": "HS256", "kid": "ec", "typ": "at+jwt"}), &claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        format!("{text}.{}", base64url(tag.as_ref()))
    };
    let good = ec.sign(&ec.header(), &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let stranger = Key::new("ec", Algorithm::Es256, "ES256");
    let other = changed(world.claims(), &json!({"sub": "root"})).to_string();
    let moved = format!("{}.{signature}", message(&ec.header(), &other));
    let jwk = changed(with("jwk", stranger.jwk()), &json!({"kid": "stranger"}));
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("no signature under a real alg", unsigned("ES256")),
        (
            "HS256 with the public key as JWK",
            mac(ec.jwk().to_string().as_bytes()),
        ),
        (
            "HS256 with the x coordinate",
            mac(ec.jwk()["x"].as_str().unwrap().as_bytes()),
        ),
        ("HS256 with nothing", mac(b"")),
        ("zeros", format!("{signed}.{}", base64url(&[0; 64]))),
        ("63 octets", format!("{signed}.{}", base64url(&[1; 63]))),
        ("padding", format!("{good}==")),
        ("other claims", moved),
        (
            "a stranger's key of the same name",
            stranger.sign(&ec.header(), &claims),
        ),
        ("a key that the header brings", stranger.sign(&jwk, &claims)),
        (
            "an unknown key",
            stranger.sign(&with("kid", json!("nobody")), &claims),
        ),
        ("no key named", ec.sign(&with("kid", Value::Null), &claims)),
        ("another key named", ec.sign(&with("kid", json!("ed")), &claims)),
        (
            "another algorithm named",
            ed.sign(&changed(ed.header(), &json!({"alg": "ES256"})), &claims),
        ),
        (
            "PS256, which is not on the list",
            rsa.sign(&changed(rsa.header(), &json!({"alg": "PS256"})), &claims),
        ),
        ("crit", ec.sign(&with("crit", json!(["exp"])), &claims)),
        ("b64", ec.sign(&with("b64", json!(false)), &claims)),
        (
            "a revoked key",
            world.revoked.sign(&world.revoked.header(), &claims),
        ),
        (
            "a member twice",
            ec.sign(&ec.header(), &claims.replacen('{', "{\"iss\": \"x\",", 1)),
        ),
        (
            "longer than 16 KiB",
            world.token(&json!({"filler": "x".repeat(16 * 1024)})),
        ),
        ("no JSON", ec.sign(&ec.header(), "[]")),
    ]
}

#[test]
fn a01_a05_a07_a11_a_forged_signature_is_refused() {
    let world = World::start();
    assert_eq!(
        world.bear(&world.token(&json!({}))).status,
        200,
        "the same without the attack"
    );
    for (what, token) in forged(&world) {
        let answer = world.bear(&token);
        refused(&answer, 401, what);
        assert_eq!(answer.json()["error"], "invalid_token", "{what}");
        assert!(
            !world.service.said().contains(token.rsplit_once('.').unwrap().0),
            "{what}: in the log"
        );
    }
}

#[test]
fn c02_c17_c18_a_claim_that_is_not_right_is_refused() {
    let world = World::start();
    let now = now();
    let bound = |value: Value| json!({"cnf": value});
    let thumbprint = world.own.thumbprint();
    let attacks = [
        (
            "another issuer",
            json!({"iss": "https://evil.example/v4/oauth2/demo"}),
        ),
        (
            "its issuer with a slash",
            json!({"iss": format!("{}/", world.issuer.url("demo"))}),
        ),
        (
            "another issuer of the list",
            json!({"iss": world.issuer.url("second"), "aud": "openstack-apis:second"}),
        ),
        ("a list of issuers", json!({"iss": [world.issuer.url("demo")]})),
        ("the client as audience", json!({"aud": "machine"})),
        (
            "another domain's services",
            json!({"aud": "openstack-apis:second"}),
        ),
        ("a part of the audience", json!({"aud": "openstack-apis:dem"})),
        ("no audience", json!({"aud": null})),
        ("ended this second", json!({"exp": now})),
        ("ended a minute ago", json!({"exp": now - 60})),
        ("no end", json!({"exp": null})),
        ("an end in text", json!({"exp": (now + 300).to_string()})),
        ("an end with a fraction", json!({"exp": 4_000_000_000.5})),
        ("an end that is true", json!({"exp": true})),
        ("starts in two minutes", json!({"nbf": now + 120})),
        ("issued in two minutes", json!({"iat": now + 120})),
        ("no subject", json!({"sub": null})),
        ("no name", json!({"jti": null})),
        ("a revoked token", json!({"jti": "known-stolen"})),
        ("of a client that was disabled", json!({"client_id": "ended"})),
        (
            "of a client before it was disabled",
            json!({"client_id": "ended", "client_version": 2}),
        ),
        (
            "of a client that a node of the version before disabled",
            json!({"client_id": "ended-before", "client_version": 9}),
        ),
        ("not bound", json!({"cnf": null})),
        ("bound to nothing", bound(json!({}))),
        ("bound to a key", bound(json!({"jkt": thumbprint}))),
        (
            "bound to two things",
            bound(json!({"x5t#S256": thumbprint, "jkt": "x"})),
        ),
        (
            "bound with padding",
            bound(json!({"x5t#S256": format!("{thumbprint}=")})),
        ),
        ("bound to a list", bound(json!({"x5t#S256": [thumbprint]}))),
        ("no context", json!({"openstack_context": null})),
    ];
    for (what, changes) in attacks {
        refused(&world.bear(&world.token(&changes)), 401, what);
    }
    let contexts = [
        ("a role that is two", json!({"roles": ["reader,admin"]})),
        ("a role of two lines", json!({"roles": ["reader\nadmin"]})),
        ("a role that is a number", json!({"roles": [1]})),
        ("roles in text", json!({"roles": "admin"})),
        ("no roles", json!({"roles": null})),
        (
            "a name of two lines",
            json!({"user_name": "ci\r\nX-Roles: admin"}),
        ),
        ("no user", json!({"user_id": null})),
        ("no project", json!({"project_id": null})),
        ("a project and a domain", json!({"domain_id": "d1"})),
        (
            "a project with the system's scope",
            json!({"scope_type": "system"}),
        ),
        ("an unknown scope", json!({"scope_type": "cloud"})),
        ("rules that are no list", json!({"access_rules": "all"})),
        ("a rule of other form", json!({"access_rules": [{"path": "/**"}]})),
    ];
    for (what, changes) in contexts {
        let context = changed(world.claims()["openstack_context"].clone(), &changes);
        refused(
            &world.bear(&world.token(&json!({"openstack_context": context}))),
            401,
            what,
        );
    }
}

#[test]
fn a_stolen_token_is_refused() {
    let world = World::start();
    let token = world.token(&json!({}));
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let thief =
        TestCa::from_pem(&world.issuer.ca.pem(), &world.issuer.ca.key().pkcs8_pem()).client("machine");
    assert_eq!(world.get("/", Some(&world.own), &headers).status, 200);
    refused(
        &world.get("/", Some(&thief), &headers),
        401,
        "another certificate of the same name",
    );
    refused(&world.get("/", None, &headers), 401, "no certificate");
    let escaped = world.own.escaped_pem();
    for name in [
        "ssl_client_cert",
        "SSL-Client-Cert",
        "x-ssl-client-cert",
        "client-cert",
    ] {
        let forged = [("authorization", bearer.as_str()), (name, escaped.as_str())];
        refused(&world.get("/", None, &forged), 401, name);
    }
    let two = [("authorization", bearer.as_str()), ("x-auth-token", "gAAAAA")];
    refused(&world.get("/", Some(&world.own), &two), 400, "two tokens");
}

#[test]
fn forged_headers_do_not_get_through() {
    let world = World::start();
    let bearer = format!("Bearer {}", world.token(&json!({})));
    let forged = [
        ("x-identity-status", "Confirmed"),
        ("x-service-identity-status", "Confirmed"),
        ("x-roles", "admin"),
        ("x-role", "admin"),
        ("X_Roles", "admin"),
        ("x-service-roles", "admin"),
        ("x-service-token", "gAAAAA"),
        ("x-service-project-id", "p9"),
        ("x-domain-id", "d9"),
        ("x-domain-name", "evil"),
        ("x-user-id", "root"),
        ("x-project-domain-name", "evil"),
        ("x-tenant-name", "evil"),
        ("x-service-catalog", "[]"),
        ("x-is-admin-project", "True"),
        ("openstack-system-scope", "all"),
    ];
    let with: Vec<(&str, &str)> = forged
        .iter()
        .copied()
        .chain([("authorization", bearer.as_str())])
        .collect();
    let answer = world.get("/", Some(&world.own), &with);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let of_the_connection = json!({"HTTP_HOST": null, "HTTP_CONNECTION": null});
    let environ = changed(answer.json()["environ"].clone(), &of_the_connection);
    assert_eq!(
        environ,
        json!({
            "HTTP_X_IDENTITY_STATUS": "Confirmed", "HTTP_X_IS_ADMIN_PROJECT": "True",
            "HTTP_X_ROLES": "member,reader", "HTTP_X_ROLE": "member,reader",
            "HTTP_X_USER_ID": "u1", "HTTP_X_USER_NAME": "ci", "HTTP_X_USER": "ci",
            "HTTP_X_USER_DOMAIN_ID": "d1", "HTTP_X_USER_DOMAIN_NAME": "acme",
            "HTTP_X_PROJECT_ID": "p1", "HTTP_X_PROJECT_NAME": "web", "HTTP_X_PROJECT_DOMAIN_ID": "d1",
            "HTTP_X_TENANT_ID": "p1", "HTTP_X_TENANT_NAME": "web", "HTTP_X_TENANT": "web",
        })
    );
    // A service token would be auth_token's to judge, with a Keystone that is not there.
    let without: Vec<_> = forged
        .into_iter()
        .filter(|(name, _)| *name != "x-service-token")
        .collect();
    let answer = world.get("/", Some(&world.own), &without);
    assert_eq!(answer.status, 401, "without a token: {}", answer.text());
}

#[test]
fn other_scopes_set_their_own_headers() {
    let world = World::start();
    let user = json!({"user_id": "u1", "user_name": "ci", "user_domain_id": "d1", "roles": ["reader"]});
    let cases = [
        (
            json!({"scope_type": "system"}),
            "HTTP_OPENSTACK_SYSTEM_SCOPE",
            "all",
        ),
        (
            json!({"scope_type": "domain", "domain_id": "d1", "domain_name": "acme"}),
            "HTTP_X_DOMAIN_ID",
            "d1",
        ),
        (json!({"scope_type": "unscoped"}), "HTTP_X_USER_ID", "u1"),
    ];
    for (scope, name, want) in cases {
        let context = changed(user.clone(), &scope);
        let answer = world.bear(&world.token(&json!({"openstack_context": context})));
        assert_eq!(answer.status, 200, "{scope}: {}", answer.text());
        assert_eq!(told(&answer, name).as_deref(), Some(want), "{scope}");
        assert_eq!(told(&answer, "HTTP_X_PROJECT_ID"), None, "{scope}");
    }
}

#[test]
fn q16_access_rules_are_held() {
    let world = World::start();
    let call = |rules: Value, path: &str| {
        let context = changed(
            world.claims()["openstack_context"].clone(),
            &json!({"access_rules": rules}),
        );
        let bearer = format!("Bearer {}", world.token(&json!({"openstack_context": context})));
        world.get(path, Some(&world.own), &[("authorization", &bearer)])
    };
    let rule = |service: &str, method: &str, path: &str| json!([{"service": service, "method": method, "path": path}]);
    let cases = [
        (rule("compute", "GET", "/v2.1/servers"), "/v2.1/servers", 200),
        (rule("compute", "GET", "/v2.1/servers/*"), "/v2.1/servers/1", 200),
        (
            rule("compute", "GET", "/v2.1/{kind}/**"),
            "/v2.1/servers/1/action",
            200,
        ),
        (rule("compute", "GET", "/v2.1/servers/**"), "/v2.1/servers", 200),
        (json!([]), "/v2.1/servers", 403),
        (rule("volume", "GET", "/v2.1/servers"), "/v2.1/servers", 403),
        (rule("compute", "POST", "/v2.1/servers"), "/v2.1/servers", 403),
        (rule("compute", "GET", "/v2.1/servers"), "/v2.1/servers/1", 403),
        (
            rule("compute", "GET", "/v2.1/servers/*"),
            "/v2.1/servers/1/action",
            403,
        ),
        (rule("compute", "GET", "/v2.1/servers/*"), "/v2.1/servers/", 403),
        (
            rule("compute", "GET", "/v2.1/servers/**"),
            "/v2.1/servers/../flavors",
            403,
        ),
        (
            rule("compute", "GET", "/v2.1/servers/**"),
            "/v2.1/servers/%2e%2e/flavors",
            403,
        ),
        (
            rule("compute", "GET", "/v2.1/servers/**"),
            "/v2.1/servers/%252e%252e/flavors",
            403,
        ),
        (
            rule("compute", "GET", "/v2.1/servers/**"),
            "/v2.1//servers/1",
            403,
        ),
        (rule("compute", "GET", "/v2.1/serve.s"), "/v2.1/servers", 403),
    ];
    for (rules, path, want) in cases {
        let answer = call(rules.clone(), path);
        assert_eq!(answer.status, want, "{rules} {path}: {}", answer.text());
        if want == 403 {
            refused(&answer, 403, path);
            assert_eq!(answer.json()["error"], "insufficient_scope");
        }
    }
}

#[test]
fn nothing_is_decided_by_documents_that_cannot_be_used() {
    let world = World::start();
    for domain in BROKEN {
        let changes = json!({"iss": world.issuer.url(domain), "aud": format!("openstack-apis:{domain}")});
        let answer = world.bear(&world.token(&changes));
        refused(&answer, 503, domain);
        assert_eq!(answer.header("retry-after"), Some("5"), "{domain}");
    }
    assert_eq!(
        world.bear(&world.token(&json!({}))).status,
        200,
        "the others go on"
    );
}
